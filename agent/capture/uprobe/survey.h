// Which processes speak TLS, and whether their plaintext can be seen: what `doctor` prints and
// wiretally_unprobed_processes counts. Needs no kernel program and no privilege; what cannot be
// read is said.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

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

struct ProcessVerdict {
  uint32_t pid = 0;
  std::string executable;  // path, or the process's name where that cannot be read
  std::string library;     // the file that speaks TLS; empty if unreadable
  TlsVerdict verdict = TlsVerdict::kUnreadable;
};

class FileJudge;

// Looks at each executable file once, however often it runs: the first run takes tenths of a
// second, later ones little. One thread at a time.
class Survey {
 public:
  explicit Survey(const std::string& proc = "/proc");
  ~Survey();

  // One row for each TLS library of each process; processes without TLS have none. Kernel threads
  // and the agent itself are left out.
  std::vector<ProcessVerdict> run();

 private:
  std::string proc_;
  std::unique_ptr<FileJudge> judge_;
};

}  // namespace wiretally::uprobe
