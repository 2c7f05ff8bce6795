// Finds the TLS libraries in use and keeps probes on each as long as a process maps it. Belongs to
// the control thread; `status` and `library` may be called from any thread.
//
// A file is known by its device and inode and looked at once, whoever maps it. Its probes serve
// every process. When the last process that maps it has gone, they stay for `linger_ns` and are
// then removed, so that its file system can be unmounted; on the root file system, which nobody
// unmounts, they stay until the file is deleted.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <future>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "kernel_programs.h"
#include "process_maps.h"
#include "wiretally/limits.h"

namespace wiretally::uprobe {

struct ProbedLibrary {
  std::string path;  // as the first process that mapped it names it
  FileKey file;
  size_t functions = 0;  // probed
  size_t links = 0;      // that hold the probes
  size_t processes = 0;  // known to map it
};

struct LibraryFailure {
  std::string path;
  std::string reason;
};

struct ProberStatus {
  std::vector<ProbedLibrary> libraries;
  std::vector<LibraryFailure> failures;  // TLS libraries that could not be probed
  uint64_t attached_total = 0;
  uint64_t detached_total = 0;
  uint64_t reattached_total = 0;   // probes that had vanished from a process's memory
  uint64_t slipped_processes = 0;  // mapped a library before it was probed and ended unheard
};

// What the reader needs of the library that a cookie names.
struct LibraryTag {
  uint64_t hash = 0;            // of device and inode
  bool from_the_start = false;  // found at start, not while processes ran into it
};

class LibraryProber {
 public:
  struct Options {
    std::string proc = "/proc";
    int64_t linger_ns = 1'000'000'000;
    bool standard_paths = true;  // probe the system's own libraries before anybody maps them
    std::string only_under{};    // if set: only libraries whose path begins with this
    int64_t verify_ns = 30'000'000'000;  // how often to look whether the probes are still there
    size_t libraries_max = 1'024;        // each holds file descriptors
  };

  LibraryProber(const Options& options, KernelPrograms& programs);
  ~LibraryProber();

  // Looks at every process. `at_start`: what is found was there before us.
  void scan_all(bool at_start, int64_t now_ns);
  // A process has mapped this file. `named_tls`: its name is that of an OpenSSL.
  void on_mapping(uint32_t pid, const wt_file_key& file, bool named_tls, int64_t now_ns);
  // A process has ended, or runs another program now. `silent`: no TLS call of it was ever seen.
  void on_exit(uint32_t pid, bool silent, int64_t now_ns);
  // Removes what nobody maps any more. Call a few times a second.
  void tick(int64_t now_ns);
  void detach_all();

  ProberStatus status() const;
  LibraryTag library(uint64_t cookie) const;

 private:
  struct Library {
    uint32_t id = 0;
    FileKey file;
    std::string path;
    std::vector<ProbePoint> points;
    uint8_t original = 0;  // the file's byte under the first of them
    std::vector<FileDescriptor> links;
    std::unordered_set<uint32_t> processes;
    std::unordered_set<uint32_t> early;  // of them, those that mapped it before it was probed
    int64_t probed_ns = 0;
    bool from_the_start = false;
    bool permanent = false;     // on the root file system, found by its standard path
    int64_t idle_since_ns = 0;  // meaningful while processes is empty
  };

  static constexpr size_t kFilesMax = Limits::files_known_max;
  static constexpr size_t kFailuresMax = 256;
  static constexpr size_t kTags = 4096;

  void scan_process(uint32_t pid, const FileKey* wanted, int64_t now_ns);
  void examine(uint32_t pid, const Mapping& mapping, int64_t now_ns);
  void examine_file(const std::string& access_path, const std::string& shown_path,
                    const FileKey& file, uint32_t pid, int64_t now_ns);
  void probe_standard_paths();
  bool still_on_root(const Library& library) const;
  void detach_idle(int64_t now_ns);
  void verify();
  bool has_mappings(uint32_t pid) const;
  FileDescriptor vanished_from(uint32_t pid, const Library& library) const;
  Library* find(const FileKey& file);
  void add_process(Library* library, uint32_t pid, int64_t mapped_ns) const;
  void fail(std::string_view path, const std::string& reason);

  const Options options_;
  std::string root_;  // where the host's files are; empty if that is where we are
  KernelPrograms& programs_;
  bool at_start_ = false;
  uint32_t next_id_ = 1;
  int64_t next_verify_ns_ = 0;
  int64_t next_forget_ns_ = 0;
  // Of idle libraries' probes: the next new library does not wait for it.
  std::future<void> removal_;
  std::unordered_map<FileKey, bool, FileKeyHash> examined_;  // true: probed
  struct Tag {
    std::atomic<uint64_t> hash{0};
    std::atomic<bool> from_the_start{false};
  };
  std::array<Tag, kTags> tags_;

  mutable std::mutex mutex_;  // guards what `status` reads, below
  std::vector<Library> libraries_;
  std::vector<LibraryFailure> failures_;
  uint64_t attached_total_ = 0;
  uint64_t detached_total_ = 0;
  uint64_t reattached_total_ = 0;
  uint64_t slipped_processes_ = 0;
};

}  // namespace wiretally::uprobe
