// What the files that a process maps do about TLS. Needs no kernel program.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "process_maps.h"
#include "wiretally/limits.h"

namespace wiretally::uprobe {

enum class TlsVerdict : uint8_t {
  kProbed,        // OpenSSL or its kin, with the functions we attach to
  kGo,            // crypto/tls, compiled in
  kJava,          // JSSE lives in the virtual machine
  kGnuTls,        // another calling convention
  kNss,           // likewise
  kRustls,        // compiled in, nothing to attach to
  kUnknownBuild,  // OpenSSL or BoringSSL compiled in without symbols
  kUnreadable,    // another user's process: run as root
  kCount,
};

// The metric label, e.g. "unknown_build".
std::string_view tls_verdict_name(TlsVerdict verdict);
// One sentence for people: why not, and what helps.
std::string_view tls_verdict_sentence(TlsVerdict verdict);

// Looks at each file once, and again when it has become another file. Whether it has is asked once
// a run: an inode's number is soon used again. One thread at a time.
class FileJudge {
 public:
  struct Finding {
    std::optional<TlsVerdict> tls;  // nothing: no TLS in it
    bool go = false;                // built by the Go toolchain, whether or not with its TLS
  };

  explicit FileJudge(std::string proc, size_t files_max = Limits::files_known_max)
      : proc_(std::move(proc)), files_max_(files_max) {}

  void begin_run() { ++run_; }

  // `is_program`: it is the process's executable, which may have TLS compiled in.
  Finding judge(uint32_t pid, const Mapping& mapping, bool is_program);
  // Files that are remembered; beyond the limit all are forgotten, and looked at again.
  size_t known() const { return files_.size(); }

 private:
  struct File {
    FileVersion version;
    uint64_t run = 0;  // in which the version was asked for
    Finding finding;
  };

  static Finding look(const std::string& path, bool is_program);

  const std::string proc_;
  const size_t files_max_;
  std::unordered_map<FileKey, File, FileKeyHash> files_;
  uint64_t run_ = 0;
};

}  // namespace wiretally::uprobe
