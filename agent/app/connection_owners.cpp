#include "connection_owners.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "elf_symbols.h"
#include "file_descriptor.h"
#include "tls_functions.h"

namespace wiretally {
namespace {

constexpr size_t kBlockBytes = 256 * 1024;
constexpr size_t kOverlapBytes = 64;  // longer than any trace
constexpr uint64_t kSearchedBytesMax = 256ULL << 20;

// Texts that a TLS implementation leaves in the programs it is compiled into.
constexpr std::string_view kOpensslTrace = "ssl/ssl_lib.c";  // BoringSSL: ssl/ssl_lib.cc
constexpr std::string_view kRustlsTrace = "/rustls-0.";

std::string_view file_name(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

// The first of the traces that the file has; empty if it has none.
std::string_view find_trace(int fd) {
  std::vector<char> block(kBlockBytes);
  for (uint64_t at = 0; at < kSearchedBytesMax; at += kBlockBytes - kOverlapBytes) {
    const ssize_t got = ::pread(fd, block.data(), block.size(), static_cast<off_t>(at));
    if (got <= 0) return {};
    const std::string_view text(block.data(), static_cast<size_t>(got));
    for (const std::string_view trace : {kOpensslTrace, kRustlsTrace}) {
      if (text.find(trace) != std::string_view::npos) return trace;
    }
    if (text.size() < block.size()) return {};
  }
  return {};
}

}  // namespace

OpaqueReason OpaqueJudge::judge(uint32_t pid, bool probes_run) {
  char executable[PATH_MAX];
  const std::string link = proc_root_ + "/" + std::to_string(pid) + "/exe";
  const ssize_t length = ::readlink(link.c_str(), executable, sizeof executable);
  const std::string_view program_path(executable,
                                      static_cast<size_t>(std::max<ssize_t>(length, 0)));

  Program program = Program::kPlain;
  bool java = false, openssl = false, other_library = false;
  uprobe::visit_mappings(proc_root_, pid, [&](const uprobe::Mapping& mapping) {
    const std::string_view name = file_name(mapping.path);
    const bool nss = name.starts_with("libssl3.so");
    java = java || name.starts_with("libjvm.so");
    openssl = openssl || (name.starts_with("libssl") && !nss);
    other_library = other_library || nss || name.starts_with("libgnutls.so");
    if (mapping.path == program_path) program = program_of(pid, mapping);
    return true;
  });
  if (java) return OpaqueReason::kJava;
  if (program == Program::kGo) return OpaqueReason::kGo;
  if (openssl || program == Program::kOpenssl) {
    return probes_run ? OpaqueReason::kOther : OpaqueReason::kNotAttached;
  }
  if (other_library) return OpaqueReason::kOther;
  if (program == Program::kRustls) return OpaqueReason::kRustls;
  if (program == Program::kUnknownTls) return OpaqueReason::kUnknownBuild;
  return OpaqueReason::kOther;
}

OpaqueJudge::Program OpaqueJudge::program_of(uint32_t pid, const uprobe::Mapping& mapping) {
  const std::string path = uprobe::mapped_file_path(proc_root_, pid, mapping);
  const uprobe::FileVersion version = uprobe::file_version(path);
  const auto known = programs_.find(mapping.file);
  if (known != programs_.end() && known->second.version == version) return known->second.program;
  if (programs_.size() >= kProgramsMax) programs_.clear();
  const Program program = look_at(path);
  programs_[mapping.file] = {.version = version, .program = program};
  return program;
}

OpaqueJudge::Program OpaqueJudge::look_at(const std::string& path) {
  const uprobe::FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status = {};
  if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return Program::kPlain;
  }
  const auto report = uprobe::read_elf(file.get(), uprobe::kTlsSymbols, true);
  if (!report) return Program::kPlain;
  if (report->go) return Program::kGo;
  if (std::any_of(report->functions.begin(), report->functions.end(),
                  [](const uprobe::ElfFunction& function) { return function.found(); })) {
    return Program::kOpenssl;
  }
  const std::string_view trace = find_trace(file.get());
  if (trace == kOpensslTrace) return Program::kUnknownTls;
  return trace == kRustlsTrace ? Program::kRustls : Program::kPlain;
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
