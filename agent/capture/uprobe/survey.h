// Which processes speak TLS, and whether their plaintext can be seen: what `doctor` prints and
// wiretally_unprobed_processes counts. Needs no kernel program and no privilege; what cannot be
// read is said.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "file_judge.h"

namespace wiretally::uprobe {

struct ProcessVerdict {
  uint32_t pid = 0;
  std::string executable;  // path, or the process's name where that cannot be read
  std::string library;     // the file that speaks TLS; empty if unreadable
  TlsVerdict verdict = TlsVerdict::kUnreadable;
};

// Looks at each executable file once, however often it runs: the first run takes tenths of a
// second, later ones little. One thread at a time.
class Survey {
 public:
  explicit Survey(const std::string& proc = "/proc");

  // One row for each TLS library of each process; processes without TLS have none. Kernel threads
  // and the agent itself are left out.
  std::vector<ProcessVerdict> run();

 private:
  std::string proc_;
  FileJudge judge_;
};

}  // namespace wiretally::uprobe
