// Why a TLS connection of this host cannot be read: finds the process that made it and looks at
// what it is made of. For connections to known providers only, on the ledger's thread; all searches
// together may take a fifth of its time.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <unordered_map>

#include "process_maps.h"
#include "socket_holders.h"
#include "wiretally/identity.h"

namespace wiretally {

// What stands between us and the plaintext of this process. `probes_run`: OpenSSL is being probed.
// Empty maps (it is gone, or not ours to read) give kOther.
class OpaqueJudge {
 public:
  explicit OpaqueJudge(std::string proc_root) : proc_root_(std::move(proc_root)) {}

  OpaqueReason judge(uint32_t pid, bool probes_run);

 private:
  enum class Program : uint8_t { kPlain, kGo, kOpenssl, kUnknownTls, kRustls };
  static constexpr size_t kProgramsMax = 1024;

  Program program_of(uint32_t pid, const uprobe::Mapping& mapping);
  static Program look_at(const std::string& path);

  const std::string proc_root_;
  // A program file is read once, and again when its inode has become another file's.
  struct Known {
    uprobe::FileVersion version;
    Program program = Program::kPlain;
  };
  std::unordered_map<uprobe::FileKey, Known, uprobe::FileKeyHash> programs_;
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
