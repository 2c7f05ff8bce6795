#include "connection_owners.h"

#include <limits.h>
#include <unistd.h>

#include <algorithm>

#include "process_maps.h"

namespace wiretally {

OpaqueReason OpaqueJudge::judge(uint32_t pid, bool probes_run) {
  char executable[PATH_MAX];
  const std::string link = proc_root_ + "/" + std::to_string(pid) + "/exe";
  const ssize_t length = ::readlink(link.c_str(), executable, sizeof executable);
  const std::string_view program_path(executable,
                                      static_cast<size_t>(std::max<ssize_t>(length, 0)));

  files_.begin_run();
  uprobe::FileJudge::Finding program;
  bool java = false, openssl = false, other_library = false;
  uprobe::visit_mappings(proc_root_, pid, [&](const uprobe::Mapping& mapping) {
    const std::string_view name = uprobe::file_name(mapping.path);
    const bool nss = name.starts_with("libssl3.so");
    java = java || name.starts_with("libjvm.so");
    openssl = openssl || (name.starts_with("libssl") && !nss);
    other_library = other_library || nss || name.starts_with("libgnutls.so");
    if (mapping.path == program_path) program = files_.judge(pid, mapping, true);
    return true;
  });
  if (java) return OpaqueReason::kJava;
  if (program.go) return OpaqueReason::kGo;
  if (openssl || program.tls == uprobe::TlsVerdict::kProbed) {
    return probes_run ? OpaqueReason::kOther : OpaqueReason::kNotAttached;
  }
  if (other_library) return OpaqueReason::kOther;
  if (program.tls == uprobe::TlsVerdict::kRustls) return OpaqueReason::kRustls;
  if (program.tls == uprobe::TlsVerdict::kUnknownBuild) return OpaqueReason::kUnknownBuild;
  return OpaqueReason::kOther;
}

ConnectionOwner ProcConnectionOwners::owner_of(const Endpoint& client, const Endpoint& server) {
  const Clock::time_point begin = Clock::now();
  budget_ = std::min(kBudgetMax, budget_ + (begin - last_) / kShareOfTime);
  last_ = begin;
  if (budget_ <= Clock::duration::zero()) return {};
  ConnectionOwner owner;
  owner.pid = holders_.holder_of(client, server);
  if (owner.pid != 0) owner.reason = judge_.judge(owner.pid, probes_run_);
  budget_ -= Clock::now() - begin;
  return owner;
}

}  // namespace wiretally
