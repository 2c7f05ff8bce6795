#include "kernel_programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <mutex>

#include "kernel_links.h"
#include "log.h"
#include "probes.skel.h"

namespace wiretally::uprobe {
namespace {

size_t mapped_bytes(size_t bytes) {
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  return (bytes + page - 1) / page * page;
}

// libbpf's own words; its print callback has no context.
std::mutex last_words_mutex;
std::string last_warning;       // NOLINT
std::string verifier_sentence;  // NOLINT: why the verifier refused a program; empty if it did not

// The verifier's log ends with what it took offence at, behind which stand its statistics.
std::string_view last_verdict(std::string_view log) {
  std::string_view verdict;
  for (size_t at = 0; at < log.size();) {
    const size_t end = std::min(log.find('\n', at), log.size());
    const std::string_view line = log.substr(at, end - at);
    if (line.starts_with("processed ") || line.starts_with("verification time ")) break;
    if (!line.empty()) verdict = line;
    at = end + 1;
  }
  return verdict;
}

int keep_last_words(libbpf_print_level level, const char* format, va_list arguments) {
  if (level != LIBBPF_WARN) return 0;
  va_list again;
  va_copy(again, arguments);
  std::string text(static_cast<size_t>(std::max(std::vsnprintf(nullptr, 0, format, again), 0)) + 1,
                   '\0');
  va_end(again);
  std::vsnprintf(text.data(), text.size(), format, arguments);
  text.pop_back();  // the terminator
  const std::lock_guard lock(last_words_mutex);
  constexpr std::string_view kLogBegins = "-- BEGIN PROG LOAD LOG --\n";
  if (const size_t begins = text.find(kLogBegins); begins != std::string::npos) {
    verifier_sentence = last_verdict(std::string_view(text).substr(begins + kLogBegins.size()));
  } else {
    last_warning = text;
  }
  return 0;
}

std::string why_not_loaded(int error) {
  const std::lock_guard lock(last_words_mutex);
  std::string text = "the kernel programs cannot be loaded: ";
  if (!verifier_sentence.empty()) return text + "this kernel's verifier says: " + verifier_sentence;
  text += std::strerror(error);
  if (error == EPERM || error == EACCES) {
    text += " (run as root, or with CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE)";
  } else if (error == ESRCH || error == ENOENT) {
    text += " (the kernel needs BTF: /sys/kernel/btf/vmlinux)";
  }
  if (!last_warning.empty()) text += "; " + last_warning;
  while (text.back() == '\n') text.pop_back();
  return text;
}

}  // namespace

Result<std::unique_ptr<KernelPrograms>> KernelPrograms::load(const KernelOptions& options) {
  ::libbpf_set_print(keep_last_words);
  std::unique_ptr<KernelPrograms> programs(new KernelPrograms);
  programs->multi_ =
      !options.force_perf_links && !options.force_no_cookies && kernel_has_uprobe_multi();
  programs->cookies_ =
      programs->multi_ || (!options.force_no_cookies && kernel_has_uprobe_cookies());
  programs->ring_bytes_ = std::bit_ceil(std::max<size_t>(options.ring_bytes, 64 * 1024));
  programs->connections_max_ = options.connections_max;
  probes_bpf* skeleton = probes_bpf__open();
  if (skeleton == nullptr) return Error{why_not_loaded(errno)};
  programs->skeleton_ = skeleton;

  ::bpf_map__set_max_entries(skeleton->maps.events, static_cast<uint32_t>(programs->ring_bytes_));
  ::bpf_map__set_max_entries(skeleton->maps.connections,
                             static_cast<uint32_t>(options.connections_max));
  skeleton->rodata->own_pid = static_cast<uint32_t>(::getpid());
  skeleton->rodata->has_cookies = programs->cookies_;
  skeleton->rodata->wake_bytes = static_cast<uint32_t>(programs->ring_bytes_ / 16);

  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton->obj) {
    const std::string_view name = ::bpf_program__name(program);
    const bool tls = name.starts_with("tls_");
    const bool for_one_function = name.starts_with("tls_entry_") || name.starts_with("tls_return_");
    if (for_one_function && programs->cookies_) ::bpf_program__set_autoload(program, false);
    if (name == "tls_entry" && !programs->cookies_) ::bpf_program__set_autoload(program, false);
    if (tls && programs->multi_) {
      ::bpf_program__set_expected_attach_type(program,
                                              static_cast<bpf_attach_type>(kAttachUprobeMulti));
    }
  }
  const int failed = probes_bpf__load(skeleton);
  if (failed != 0) return Error{why_not_loaded(-failed)};
  if (Status mapped = programs->map_arrays(); !mapped) return mapped.error();
  return programs;
}

Status KernelPrograms::map_arrays() {
  void* losses = ::mmap(nullptr, mapped_bytes(sizeof(wt_losses)), PROT_READ, MAP_SHARED,
                        ::bpf_map__fd(skeleton_->maps.losses), 0);
  void* ignored =
      ::mmap(nullptr, mapped_bytes(WT_IGNORED_SLOTS * sizeof(uint64_t)), PROT_READ | PROT_WRITE,
             MAP_SHARED, ::bpf_map__fd(skeleton_->maps.ignored), 0);
  if (losses != MAP_FAILED) losses_ = static_cast<volatile wt_losses*>(losses);
  if (ignored != MAP_FAILED) ignored_ = static_cast<uint64_t*>(ignored);
  if (losses_ == nullptr || ignored_ == nullptr) {
    return Error{std::string("the kernel programs' arrays cannot be mapped: ") +
                 std::strerror(errno)};
  }
  return Done{};
}

KernelPrograms::~KernelPrograms() {
  detach_lifecycle();
  if (losses_ != nullptr) {
    ::munmap(const_cast<wt_losses*>(losses_), mapped_bytes(sizeof(wt_losses)));
  }
  if (ignored_ != nullptr) ::munmap(ignored_, mapped_bytes(WT_IGNORED_SLOTS * sizeof(uint64_t)));
  probes_bpf__destroy(skeleton_);
}

int KernelPrograms::events_ring() const { return ::bpf_map__fd(skeleton_->maps.events); }
int KernelPrograms::lifecycle_ring() const { return ::bpf_map__fd(skeleton_->maps.lifecycle); }

std::vector<std::string> KernelPrograms::attach_lifecycle() {
  std::vector<std::string> failures;
  const struct {
    const bpf_program* program;
    const char* tracepoint;
  } syscalls[] = {{skeleton_->progs.mmap_return, "syscalls/sys_exit_mmap"},
                  {skeleton_->progs.mmap_entry, "syscalls/sys_enter_mmap"}};
  for (const auto& [program, tracepoint] : syscalls) {
    Result<PerfLink> link = link_tracepoint(::bpf_program__fd(program), tracepoint);
    if (!link) {
      failures.push_back(link.error().message);
      continue;
    }
    lifecycle_links_.push_back(std::move(link->link));
    lifecycle_links_.push_back(std::move(link->event));
  }
  const struct {
    const bpf_program* program;
    const char* tracepoint;
  } raw[] = {{skeleton_->progs.process_exec, "sched_process_exec"},
             {skeleton_->progs.process_exit, "sched_process_exit"}};
  for (const auto& [program, tracepoint] : raw) {
    const int link = ::bpf_raw_tracepoint_open(tracepoint, ::bpf_program__fd(program));
    if (link < 0) {
      failures.push_back(std::string("cannot attach to ") + tracepoint + ": " +
                         std::strerror(errno));
      continue;
    }
    lifecycle_links_.push_back(FileDescriptor(link));
  }
  return failures;
}

void KernelPrograms::detach_lifecycle() { close_links(std::move(lifecycle_links_)); }

int KernelPrograms::entry_program(wt_function function) const {
  const auto& programs = skeleton_->progs;
  if (cookies_) return ::bpf_program__fd(programs.tls_entry);
  const bpf_program* by_function[WT_FN_COUNT] = {};
  by_function[WT_FN_READ] = programs.tls_entry_read;
  by_function[WT_FN_WRITE] = programs.tls_entry_write;
  by_function[WT_FN_READ_EX] = programs.tls_entry_read_ex;
  by_function[WT_FN_WRITE_EX] = programs.tls_entry_write_ex;
  by_function[WT_FN_WRITE_EX2] = programs.tls_entry_write_ex2;
  by_function[WT_FN_FREE] = programs.tls_entry_free;
  by_function[WT_FN_CLEAR] = programs.tls_entry_clear;
  return ::bpf_program__fd(by_function[function]);
}

Result<std::vector<FileDescriptor>> KernelPrograms::attach_library(
    const std::string& path, std::span<const ProbePoint> points, uint32_t library) {
  // Entries first, and SSL_new's return last of all (see kTlsFunctions): a connection that counts
  // as seen from its birth has had every call probed.
  std::vector<FileDescriptor> links;
  for (const bool on_return : {false, true}) {
    std::vector<ProbeAddress> addresses;
    for (const ProbePoint& point : points) {
      if (!(on_return ? point.on_return : point.on_entry)) continue;
      addresses.push_back({.file_offset = point.file_offset,
                           .cookie = wt_cookie(library, static_cast<uint8_t>(point.function))});
    }
    if (addresses.empty()) continue;
    const Status linked = multi_ ? link_at_once(path, addresses, on_return, &links)
                                 : link_one_by_one(path, addresses, on_return, &links);
    if (!linked) {
      close_links(std::move(links));
      return linked.error();
    }
  }
  return links;
}

Status KernelPrograms::link_at_once(const std::string& path,
                                    std::span<const ProbeAddress> addresses, bool on_return,
                                    std::vector<FileDescriptor>* links) {
  const int program =
      ::bpf_program__fd(on_return ? skeleton_->progs.tls_return : skeleton_->progs.tls_entry);
  Result<FileDescriptor> link = link_uprobe_multi(program, path, addresses, on_return);
  if (!link) return link.error();
  links->push_back(std::move(*link));
  return Done{};
}

Status KernelPrograms::link_one_by_one(const std::string& path,
                                       std::span<const ProbeAddress> addresses, bool on_return,
                                       std::vector<FileDescriptor>* links) {
  for (ProbeAddress address : addresses) {
    const auto function = static_cast<wt_function>(address.cookie & 0xff);
    const int program = on_return ? return_program(function) : entry_program(function);
    if (!cookies_) address.cookie = 0;
    Result<PerfLink> link = link_uprobe_perf(program, path, address, on_return);
    if (!link) return link.error();
    links->push_back(std::move(link->link));
    links->push_back(std::move(link->event));
  }
  return Done{};
}

int KernelPrograms::return_program(wt_function function) const {
  const auto& programs = skeleton_->progs;
  if (function == WT_FN_NEW && !cookies_) return ::bpf_program__fd(programs.tls_return_new);
  if (function == WT_FN_GET_ERROR && !cookies_) {
    return ::bpf_program__fd(programs.tls_return_get_error);
  }
  return ::bpf_program__fd(programs.tls_return);
}

void KernelPrograms::stop_emitting() {
  std::atomic_ref<uint32_t>(const_cast<uint32_t&>(skeleton_->bss->stopped))
      .store(1, std::memory_order_release);
}

wt_losses KernelPrograms::losses() const {
  return {.ring_bytes = losses_->ring_bytes,
          .ring_events = losses_->ring_events,
          .fault_bytes = losses_->fault_bytes,
          .fault_events = losses_->fault_events,
          .close_events = losses_->close_events,
          .lifecycle_events = losses_->lifecycle_events,
          .table_full = losses_->table_full,
          .unmatched = losses_->unmatched};
}

void KernelPrograms::ignore(uint32_t pid, uint64_t handle, uint32_t generation) {
  const uint64_t fingerprint = wt_fingerprint(pid, handle, generation);
  std::atomic_ref<uint64_t>(ignored_[wt_ignored_slot(fingerprint)])
      .store(fingerprint, std::memory_order_relaxed);
}

bool KernelPrograms::lookup(const wt_connection_key& key, wt_connection* state) const {
  return ::bpf_map_lookup_elem(::bpf_map__fd(skeleton_->maps.connections), &key, state) == 0;
}

void KernelPrograms::forget(const wt_connection_key& key) {
  ::bpf_map_delete_elem(::bpf_map__fd(skeleton_->maps.connections), &key);
}

std::vector<KernelPrograms::Lossy> KernelPrograms::lossy_connections() const {
  constexpr uint32_t kBatch = 1024;
  std::vector<wt_connection_key> keys(kBatch);
  std::vector<wt_connection> states(kBatch);
  std::vector<Lossy> lossy;
  const int map = ::bpf_map__fd(skeleton_->maps.connections);
  uint32_t position = 0;
  void* from = nullptr;
  // Entries come and go meanwhile; the bound keeps a moving table from holding us for ever.
  for (size_t seen = 0; seen <= 2 * connections_max_;) {
    uint32_t count = kBatch;
    const int failed =
        ::bpf_map_lookup_batch(map, from, &position, keys.data(), states.data(), &count, nullptr);
    if (failed != 0 && errno != ENOENT) break;
    for (uint32_t i = 0; i < count; ++i) {
      if (states[i].lost[0] + states[i].lost[1] > 0) lossy.push_back({keys[i], states[i]});
    }
    if (failed != 0) break;  // ENOENT: the end
    seen += count;
    from = &position;
  }
  return lossy;
}

void KernelPrograms::mark_plain(const wt_file_key& file) {
  const uint8_t yes = 1;
  ::bpf_map_update_elem(::bpf_map__fd(skeleton_->maps.plain_files), &file, &yes, BPF_ANY);
}

}  // namespace wiretally::uprobe
