#include "kernel_links.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <thread>

namespace wiretally::uprobe {
namespace {

// BPF_LINK_CREATE's argument for uprobe_multi, as Linux 6.6 defined it.
struct UprobeMultiAttributes {
  uint32_t program;
  uint32_t target;
  uint32_t attach_type;
  uint32_t flags;
  uint64_t path;
  uint64_t offsets;
  uint64_t reference_counters;
  uint64_t cookies;
  uint32_t count;
  uint32_t multi_flags;
  uint32_t pid;
  uint32_t padding;
};
static_assert(sizeof(UprobeMultiAttributes) == 64);
constexpr uint32_t kMultiReturn = 1;

uint64_t address_of(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer); }

int create_multi(int program, const char* path, const std::vector<uint64_t>& offsets,
                 const std::vector<uint64_t>& cookies, bool on_return) {
  UprobeMultiAttributes attributes = {};
  attributes.program = static_cast<uint32_t>(program);
  attributes.attach_type = kAttachUprobeMulti;
  attributes.path = address_of(path);
  attributes.offsets = address_of(offsets.data());
  attributes.cookies = address_of(cookies.data());
  attributes.count = static_cast<uint32_t>(offsets.size());
  attributes.multi_flags = on_return ? kMultiReturn : 0;
  return static_cast<int>(::syscall(SYS_bpf, BPF_LINK_CREATE, &attributes, sizeof attributes));
}

// A program that does nothing, loaded for the kind of link asked about.
FileDescriptor load_empty_program(bool for_multi) {
  // r0 = 0; exit
  const bpf_insn instructions[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  LIBBPF_OPTS(bpf_prog_load_opts, options);
  if (for_multi) options.expected_attach_type = static_cast<bpf_attach_type>(kAttachUprobeMulti);
  return FileDescriptor(
      ::bpf_prog_load(BPF_PROG_TYPE_KPROBE, nullptr, "GPL", instructions, 2, &options));
}

Result<uint32_t> read_number(int folder, const std::string& path) {
  const FileDescriptor file(::openat(folder, path.c_str(), O_RDONLY | O_CLOEXEC));
  char buffer[32];
  const ssize_t got = file ? ::read(file.get(), buffer, sizeof buffer) : -1;
  uint32_t number = 0;
  if (got <= 0 || std::from_chars(buffer, buffer + got, number).ec != std::errc{}) {
    return Error{"cannot read " + path + ": " + std::strerror(errno)};
  }
  return number;
}

// tracefs, mounted or not: a detached mount belongs to its descriptor alone.
FileDescriptor open_tracefs() {
  for (const char* path : {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}) {
    FileDescriptor folder(::open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (folder && ::faccessat(folder.get(), "events", F_OK, 0) == 0) return folder;
  }
  const FileDescriptor context(::fsopen("tracefs", FSOPEN_CLOEXEC));
  if (!context || ::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    return {};
  }
  return FileDescriptor(::fsmount(context.get(), FSMOUNT_CLOEXEC, 0));
}

FileDescriptor open_perf_event(perf_event_attr* attributes) {
  attributes->size = sizeof *attributes;
  return FileDescriptor(static_cast<int>(
      ::syscall(SYS_perf_event_open, attributes, -1, 0, -1, PERF_FLAG_FD_CLOEXEC)));
}

Result<PerfLink> carry(FileDescriptor event, int program, uint64_t cookie) {
  PerfLink link{.event = std::move(event), .link = {}};
  LIBBPF_OPTS(bpf_link_create_opts, options);
  options.perf_event.bpf_cookie = cookie;
  const int created = ::bpf_link_create(program, link.event.get(), BPF_PERF_EVENT, &options);
  if (created >= 0) {
    link.link = FileDescriptor(created);
  } else if (::ioctl(link.event.get(), PERF_EVENT_IOC_SET_BPF, program) != 0) {
    return Error{std::string("cannot set a program on a perf event: ") + std::strerror(errno)};
  }
  if (::ioctl(link.event.get(), PERF_EVENT_IOC_ENABLE, 0) != 0) {
    return Error{std::string("cannot enable a perf event: ") + std::strerror(errno)};
  }
  return link;
}

}  // namespace

bool kernel_has_uprobe_multi() {
  const FileDescriptor program = load_empty_program(true);
  if (!program) return false;
  // "/" is no regular file: a kernel that knows the link says EBADF, another one EINVAL.
  const FileDescriptor link(create_multi(program.get(), "/", {1}, {0}, false));
  return !link && errno == EBADF;
}

bool kernel_has_uprobe_cookies() {
  const FileDescriptor program = load_empty_program(false);
  if (!program) return false;
  // Perf links came together with cookies; a kernel without them does not know the command here.
  LIBBPF_OPTS(bpf_link_create_opts, options);
  const int created = ::bpf_link_create(program.get(), -1, BPF_PERF_EVENT, &options);
  return created < 0 && errno == EBADF;
}

Result<FileDescriptor> link_uprobe_multi(int program, const std::string& path,
                                         std::span<const ProbeAddress> addresses, bool on_return) {
  std::vector<uint64_t> offsets;
  std::vector<uint64_t> cookies;
  for (const ProbeAddress& address : addresses) {
    offsets.push_back(address.file_offset);
    cookies.push_back(address.cookie);
  }
  FileDescriptor link(create_multi(program, path.c_str(), offsets, cookies, on_return));
  if (!link) return Error{std::string("cannot set a probe: ") + std::strerror(errno)};
  return link;
}

Result<PerfLink> link_uprobe_perf(int program, const std::string& path, ProbeAddress address,
                                  bool on_return) {
  const FileDescriptor folder(
      ::open("/sys/bus/event_source/devices/uprobe", O_PATH | O_DIRECTORY | O_CLOEXEC));
  const Result<uint32_t> type = read_number(folder.get(), "type");
  if (!type) return Error{"this kernel has no perf uprobes: " + type.error().message};
  perf_event_attr attributes = {};
  attributes.type = *type;
  attributes.config = on_return ? 1 : 0;  // format/retprobe is bit 0 on every kernel so far
  attributes.config1 = address_of(path.c_str());
  attributes.config2 = address.file_offset;
  FileDescriptor event = open_perf_event(&attributes);
  if (!event) return Error{std::string("cannot set a probe: ") + std::strerror(errno)};
  return carry(std::move(event), program, address.cookie);
}

Result<PerfLink> link_tracepoint(int program, const std::string& name) {
  const FileDescriptor tracefs = open_tracefs();
  if (!tracefs) return Error{std::string("tracefs cannot be reached: ") + std::strerror(errno)};
  const Result<uint32_t> id = read_number(tracefs.get(), "events/" + name + "/id");
  if (!id) return id.error();
  perf_event_attr attributes = {};
  attributes.type = PERF_TYPE_TRACEPOINT;
  attributes.config = *id;
  attributes.sample_period = 1;
  FileDescriptor event = open_perf_event(&attributes);
  if (!event) return Error{"cannot open tracepoint " + name + ": " + std::strerror(errno)};
  return carry(std::move(event), program, 0);
}

void close_links(std::vector<FileDescriptor> links) {
  constexpr size_t kThreadsMax = 32;
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t i = next++; i < links.size(); i = next++) links[i] = FileDescriptor{};
  };
  std::vector<std::thread> threads;
  for (size_t i = 1; i < std::min(kThreadsMax, links.size()); ++i) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
}

}  // namespace wiretally::uprobe
