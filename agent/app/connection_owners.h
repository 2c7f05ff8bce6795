// Why a TLS connection of this host cannot be read: finds the process that made it and looks at
// what it is made of. For connections to known providers only, on the ledger's thread; all searches
// together may take a fifth of its time.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "file_judge.h"
#include "socket_holders.h"
#include "wiretally/identity.h"

namespace wiretally {

// What stands between us and the plaintext of this process. `probes_run`: OpenSSL is being probed.
// Empty maps (it is gone, or not ours to read) give kOther.
class OpaqueJudge {
 public:
  explicit OpaqueJudge(const std::string& proc_root) : proc_root_(proc_root), files_(proc_root) {}

  OpaqueReason judge(uint32_t pid, bool probes_run);

 private:
  const std::string proc_root_;
  uprobe::FileJudge files_;
};

class ProcConnectionOwners final : public ConnectionOwners {
 public:
  // Before the first question.
  void set_probes_run(bool probes_run) { probes_run_ = probes_run; }

  ConnectionOwner owner_of(const Endpoint& client, const Endpoint& server) override;

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr int kShareOfTime = 5;
  static constexpr Clock::duration kBudgetMax = std::chrono::milliseconds(200);

  identity::SocketHolders holders_;
  OpaqueJudge judge_{"/proc"};
  bool probes_run_ = false;
  Clock::time_point last_ = Clock::now();
  Clock::duration budget_ = kBudgetMax;
};

}  // namespace wiretally
