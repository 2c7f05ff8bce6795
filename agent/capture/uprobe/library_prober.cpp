#include "library_prober.h"

#include <fcntl.h>
#include <glob.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "boot_clock.h"
#include "kernel_links.h"
#include "log.h"
#include "probe_points.h"
#include "tls_functions.h"

namespace wiretally::uprobe {
namespace {

constexpr int64_t kForgetEveryNs = 60'000'000'000;

// Where distributions keep the OpenSSL that most programs use, and the runtimes that carry one.
constexpr const char* kStandardPaths[] = {
    "/usr/lib/*-linux-gnu/libssl.so*",
    "/usr/lib64/libssl.so*",
    "/usr/lib/libssl.so*",
    "/usr/local/lib/libssl.so*",
    "/usr/local/lib64/libssl.so*",
    "/usr/bin/node",
    "/usr/local/bin/node",
};

// The key under which the kernel will show this file in maps, which stat(2) does not always say:
// map it and look.
bool mapped_key(int fd, FileKey* key) {
  const size_t bytes = 4096;
  void* page = ::mmap(nullptr, bytes, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
  if (page == MAP_FAILED) return false;
  bool found = false;
  visit_mappings("/proc", static_cast<uint32_t>(::getpid()), [&](const Mapping& mapping) {
    if (mapping.start != reinterpret_cast<uintptr_t>(page)) return true;
    *key = mapping.file;
    found = true;
    return false;
  });
  ::munmap(page, bytes);
  return found;
}

// Static OpenSSL may be visible in .symtab alone, and only executables are worth that search:
// of shared libraries, what is not in .dynsym cannot be called from outside.
bool is_shared_library(std::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash != std::string_view::npos) path.remove_prefix(slash + 1);
  return path.find(".so") != std::string_view::npos;
}

// A process that had it open may end at any time; this path stays.
std::string own_path(const FileDescriptor& opened) {
  return "/proc/self/fd/" + std::to_string(opened.get());
}

}  // namespace

LibraryProber::LibraryProber(const Options& options, KernelPrograms& programs)
    : options_(options), programs_(programs) {
  // In a container with the host's processes, the host's root is that of process 1.
  const std::string host = options_.proc + "/1/root";
  if (::access((host + "/usr").c_str(), R_OK) == 0) root_ = host;
}

LibraryProber::~LibraryProber() { detach_all(); }

void LibraryProber::scan_all(bool at_start, int64_t now_ns) {
  // A plain file's inode may have become another file's.
  if (now_ns >= next_forget_ns_) {
    next_forget_ns_ = now_ns + kForgetEveryNs;
    std::erase_if(examined_, [](const auto& file) { return !file.second; });
  }
  at_start_ = at_start;
  for (uint32_t pid : list_processes(options_.proc)) scan_process(pid, nullptr, 0);
  if (at_start && options_.standard_paths) probe_standard_paths();
  at_start_ = false;
}

LibraryProber::Library* LibraryProber::find(const FileKey& file) {
  for (Library& library : libraries_) {
    if (library.file == file) return &library;
  }
  return nullptr;
}

// Which processes ran into a library before it was probed is of interest only where the agent was
// there first.
void LibraryProber::add_process(Library* library, uint32_t pid, int64_t mapped_ns) const {
  library->processes.insert(pid);
  if (library->from_the_start || mapped_ns == 0 || mapped_ns >= library->probed_ns) return;
  library->early.insert(pid);
}

void LibraryProber::on_mapping(uint32_t pid, const wt_file_key& file, bool named_tls,
                               int64_t now_ns) {
  const FileKey key{.device = file.device, .inode = file.inode};
  {
    const std::lock_guard lock(mutex_);
    if (Library* library = find(key)) {
      add_process(library, pid, now_ns);
      return;
    }
  }
  // The kernel tells of files it has not been told to be plain: what we know of this inode may be
  // about a file that is gone.
  examined_.erase(key);
  scan_process(pid, &key, now_ns);
  // Also where maps names the file otherwise (overlay): that spares us its next news. But of a
  // process that has ended meanwhile we may have seen nothing at all.
  const auto known = examined_.find(key);
  const bool ended = known == examined_.end() && !has_mappings(pid);
  const bool plain = known != examined_.end() ? !known->second : !ended;
  if (plain) programs_.mark_plain(file);
  const std::lock_guard lock(mutex_);
  if (ended && named_tls) ++slipped_processes_;
}

bool LibraryProber::has_mappings(uint32_t pid) const {
  bool any = false;
  visit_mappings(options_.proc, pid, [&](const Mapping&) {
    any = true;
    return false;
  });
  return any;
}

// The wanted file comes first: its process may call it any moment.
void LibraryProber::scan_process(uint32_t pid, const FileKey* wanted, int64_t now_ns) {
  if (pid == static_cast<uint32_t>(::getpid())) return;
  if (wanted != nullptr) {
    visit_mappings(options_.proc, pid, [&](const Mapping& mapping) {
      if (mapping.file != *wanted) return true;
      examine(pid, mapping, now_ns);
      return false;
    });
    if (examined_.contains(*wanted)) return;
  }
  visit_mappings(options_.proc, pid, [&](const Mapping& mapping) {
    examine(pid, mapping, now_ns);
    return true;
  });
}

void LibraryProber::examine(uint32_t pid, const Mapping& mapping, int64_t now_ns) {
  const auto known = examined_.find(mapping.file);
  if (known == examined_.end()) {
    examine_file(mapped_file_path(options_.proc, pid, mapping), std::string(mapping.path),
                 mapping.file, pid, now_ns);
  } else if (known->second) {
    const std::lock_guard lock(mutex_);
    if (Library* library = find(mapping.file)) add_process(library, pid, now_ns);
  }
}

void LibraryProber::examine_file(const std::string& access_path, const std::string& shown_path,
                                 const FileKey& file, uint32_t pid, int64_t now_ns) {
  if (!shown_path.starts_with(options_.only_under)) return;
  std::vector<ProbePoint> points;
  uint8_t original = 0;
  // O_NONBLOCK: a device file can be mapped executable too.
  const FileDescriptor opened(::open(access_path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status = {};
  if (!opened || ::fstat(opened.get(), &status) != 0) return;  // gone already; others will map it
  if (examined_.size() >= kFilesMax) examined_.clear();
  examined_[file] = false;
  if (S_ISREG(status.st_mode)) {
    const Result<ElfReport> report =
        read_elf(opened.get(), kTlsSymbols, !is_shared_library(shown_path));
    if (report) points = choose_probe_points(opened.get(), *report);
    if (!points.empty() &&
        ::pread(opened.get(), &original, 1, static_cast<off_t>(points[0].file_offset)) != 1) {
      points.clear();
    }
  }
  if (points.empty()) return;
  if (libraries_.size() >= options_.libraries_max) {
    const std::lock_guard lock(mutex_);
    fail(shown_path, "more TLS libraries than the limit of " +
                         std::to_string(options_.libraries_max) + " are in use");
    return;
  }

  const uint32_t id = next_id_++;
  Tag& tag = tags_[id % kTags];
  tag.hash.store(FileKeyHash{}(file), std::memory_order_relaxed);
  tag.from_the_start.store(at_start_, std::memory_order_relaxed);
  Result<std::vector<FileDescriptor>> links =
      programs_.attach_library(own_path(opened), points, id);
  if (!links) {
    const std::lock_guard lock(mutex_);
    fail(shown_path, links.error().message);
    return;
  }
  examined_[file] = true;
  const std::lock_guard lock(mutex_);
  Library library{.id = id,
                  .file = file,
                  .path = shown_path,
                  .points = std::move(points),
                  .original = original,
                  .links = std::move(*links),
                  .processes = {},
                  .early = {},
                  .probed_ns = boot_now_ns(),
                  .from_the_start = at_start_,
                  .permanent = false,
                  .idle_since_ns = now_ns};
  library.permanent = still_on_root(library);
  if (pid != 0) add_process(&library, pid, now_ns);
  libraries_.push_back(std::move(library));
  ++attached_total_;
}

void LibraryProber::probe_standard_paths() {
  for (const char* pattern : kStandardPaths) {
    glob_t found = {};
    if (::glob((root_ + pattern).c_str(), 0, nullptr, &found) == 0) {
      for (size_t i = 0; i < found.gl_pathc; ++i) {
        const std::string path = found.gl_pathv[i];
        // A link's target is here under its own name, or will be met when somebody maps it.
        struct stat status = {};
        if (::lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
        FileKey file;
        {
          const FileDescriptor opened(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
          if (!opened || !mapped_key(opened.get(), &file)) continue;
        }
        if (!examined_.contains(file)) examine_file(path, path.substr(root_.size()), file, 0, 0);
      }
    }
    ::globfree(&found);
  }
}

// Whether the library is a file of the root file system, under its path, not deleted.
bool LibraryProber::still_on_root(const Library& library) const {
  struct stat root_status = {};
  struct stat status = {};
  if (::stat((root_ + "/").c_str(), &root_status) != 0) return false;
  if (::stat((root_ + library.path).c_str(), &status) != 0) return false;
  return status.st_dev == root_status.st_dev && status.st_ino == library.file.inode;
}

void LibraryProber::on_exit(uint32_t pid, bool silent, int64_t now_ns) {
  const std::lock_guard lock(mutex_);
  bool early = false;
  for (Library& library : libraries_) {
    if (library.early.erase(pid) > 0) early = true;
    if (library.processes.erase(pid) > 0 && library.processes.empty()) {
      library.idle_since_ns = now_ns;
    }
  }
  if (early && silent) ++slipped_processes_;
}

void LibraryProber::tick(int64_t now_ns) {
  detach_idle(now_ns);
  if (now_ns < next_verify_ns_) return;
  next_verify_ns_ = now_ns + options_.verify_ns;
  verify();
}

// The library's file, if the process runs its own byte where the breakpoint should stand.
FileDescriptor LibraryProber::vanished_from(uint32_t pid, const Library& library) const {
  uint64_t address = 0;
  std::string access_path;
  const uint64_t offset = library.points[0].file_offset;
  visit_mappings(options_.proc, pid, [&](const Mapping& mapping) {
    if (mapping.file != library.file || offset < mapping.file_offset ||
        offset - mapping.file_offset >= mapping.end - mapping.start) {
      return true;
    }
    address = mapping.start + (offset - mapping.file_offset);
    access_path = mapped_file_path(options_.proc, pid, mapping);
    return false;
  });
  if (address == 0) return {};
  const std::string path = options_.proc + "/" + std::to_string(pid) + "/mem";
  const FileDescriptor memory(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  uint8_t byte = 0;
  if (!memory || ::pread(memory.get(), &byte, 1, static_cast<off_t>(address)) != 1) return {};
  if (byte != library.original) return {};
  return FileDescriptor(::open(access_path.c_str(), O_RDONLY | O_CLOEXEC));
}

// One process of each library is asked; where the probe is gone, all are set anew.
void LibraryProber::verify() {
  const std::lock_guard lock(mutex_);
  for (Library& library : libraries_) {
    if (library.processes.empty()) continue;
    const FileDescriptor opened = vanished_from(*library.processes.begin(), library);
    if (!opened) continue;
    close_links(std::exchange(library.links, {}));
    Result<std::vector<FileDescriptor>> links =
        programs_.attach_library(own_path(opened), library.points, library.id);
    if (links) {
      library.links = std::move(*links);
      ++reattached_total_;
    } else {
      examined_.erase(library.file);
      fail(library.path, links.error().message);
    }
  }
  std::erase_if(libraries_, [](const Library& library) { return library.links.empty(); });
}

void LibraryProber::detach_idle(int64_t now_ns) {
  if (removal_.valid() && removal_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
    return;  // look again at the next tick
  }
  std::unordered_map<FileKey, std::unordered_set<uint32_t>, FileKeyHash> idle;
  {
    const std::lock_guard lock(mutex_);
    for (Library& library : libraries_) {
      if (!library.processes.empty() || now_ns - library.idle_since_ns < options_.linger_ns)
        continue;
      library.idle_since_ns = now_ns;  // look again in a while, if it stays
      library.permanent = library.permanent && still_on_root(library);
      if (!library.permanent) idle[library.file];
    }
  }
  if (idle.empty()) return;
  // Forked children map what their parents mapped without a word, so ask all processes.
  for (uint32_t pid : list_processes(options_.proc)) {
    visit_mappings(options_.proc, pid, [&](const Mapping& mapping) {
      const auto found = idle.find(mapping.file);
      if (found != idle.end()) found->second.insert(pid);
      return true;
    });
  }
  std::vector<FileDescriptor> links;
  {
    const std::lock_guard lock(mutex_);
    for (Library& library : libraries_) {
      const auto found = idle.find(library.file);
      if (found == idle.end()) continue;
      library.processes = std::move(found->second);
      if (!library.processes.empty()) continue;
      std::move(library.links.begin(), library.links.end(), std::back_inserter(links));
      library.links.clear();
      examined_.erase(library.file);
      ++detached_total_;
    }
    std::erase_if(libraries_, [](const Library& library) { return library.links.empty(); });
  }
  if (!links.empty()) removal_ = std::async(std::launch::async, close_links, std::move(links));
}

void LibraryProber::detach_all() {
  std::vector<FileDescriptor> links;
  {
    const std::lock_guard lock(mutex_);
    for (Library& library : libraries_) {
      std::move(library.links.begin(), library.links.end(), std::back_inserter(links));
      examined_.erase(library.file);
      ++detached_total_;
    }
    libraries_.clear();
  }
  close_links(std::move(links));
  if (removal_.valid()) removal_.wait();
}

// The caller holds mutex_.
void LibraryProber::fail(std::string_view path, const std::string& reason) {
  if (failures_.size() >= kFailuresMax) return;
  log_line(LogLevel::kWarning, "not probed: " + std::string(path) + ": " + reason);
  failures_.push_back({std::string(path), reason});
}

ProberStatus LibraryProber::status() const {
  const std::lock_guard lock(mutex_);
  ProberStatus status;
  for (const Library& library : libraries_) {
    status.libraries.push_back(
        {.path = library.path,
         .file = library.file,
         .functions = library.points.size(),
         .links = programs_.uses_multi_links() ? library.links.size() : library.links.size() / 2,
         .processes = library.processes.size()});
  }
  status.failures = failures_;
  status.attached_total = attached_total_;
  status.detached_total = detached_total_;
  status.reattached_total = reattached_total_;
  status.slipped_processes = slipped_processes_;
  return status;
}

LibraryTag LibraryProber::library(uint64_t cookie) const {
  const Tag& tag = tags_[(cookie >> 8) % kTags];
  return {.hash = tag.hash.load(std::memory_order_relaxed),
          .from_the_start = tag.from_the_start.load(std::memory_order_relaxed)};
}

}  // namespace wiretally::uprobe
