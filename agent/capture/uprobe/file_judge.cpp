#include "file_judge.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vector>

#include "file_descriptor.h"
#include "probe_points.h"
#include "tls_functions.h"

namespace wiretally::uprobe {
namespace {

constexpr size_t kBlockBytes = 256 * 1024;
constexpr size_t kOverlapBytes = 64;  // longer than any trace
constexpr uint64_t kSearchedBytesMax = 512ULL << 20;

// Texts that only one TLS implementation leaves in the programs it is compiled into.
struct Trace {
  std::string_view text;
  TlsVerdict verdict;
};
constexpr Trace kTraces[] = {
    {"crypto/tls.(*Conn).Write", TlsVerdict::kGo},
    {"ssl/ssl_lib.c", TlsVerdict::kUnknownBuild},  // BoringSSL: ssl/ssl_lib.cc
    {"/rustls-0.", TlsVerdict::kRustls},
};

std::optional<TlsVerdict> find_trace(int fd) {
  std::vector<char> block(kBlockBytes);
  for (uint64_t at = 0; at < kSearchedBytesMax; at += kBlockBytes - kOverlapBytes) {
    const ssize_t got = ::pread(fd, block.data(), block.size(), static_cast<off_t>(at));
    if (got <= 0) return std::nullopt;
    const std::string_view text(block.data(), static_cast<size_t>(got));
    for (const Trace& trace : kTraces) {
      if (text.find(trace.text) != std::string_view::npos) return trace.verdict;
    }
    if (text.size() < block.size()) return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

std::string_view tls_verdict_name(TlsVerdict verdict) {
  static constexpr std::string_view kNames[] = {"probed", "go",     "java",          "gnutls",
                                                "nss",    "rustls", "unknown_build", "unreadable"};
  return kNames[static_cast<size_t>(verdict)];
}

std::string_view tls_verdict_sentence(TlsVerdict verdict) {
  static constexpr std::string_view kSentences[] = {
      "its plaintext can be seen",
      "Go has its own TLS, compiled in, which this version cannot probe",
      "Java's TLS runs inside the virtual machine, where no probe can be set",
      "GnuTLS is not probed by this version",
      "NSS is not probed by this version",
      "rustls is compiled in and leaves nothing to attach to",
      "OpenSSL or BoringSSL is compiled in without symbols; a build that keeps them can be seen",
      "its files cannot be read; run as root",
  };
  return kSentences[static_cast<size_t>(verdict)];
}

FileJudge::Finding FileJudge::judge(uint32_t pid, const Mapping& mapping, bool is_program) {
  const std::string_view name = file_name(mapping.path);
  if (name.starts_with("libjvm.so")) return {.tls = TlsVerdict::kJava};
  if (name.starts_with("libgnutls.so")) return {.tls = TlsVerdict::kGnuTls};
  if (name.starts_with("libssl3.so")) return {.tls = TlsVerdict::kNss};
  if (files_.size() >= files_max_ && !files_.contains(mapping.file)) files_.clear();
  const auto [known, fresh] = files_.try_emplace(mapping.file);
  File& file = known->second;
  if (file.run == run_) return file.finding;
  file.run = run_;
  const std::string path = mapped_file_path(proc_, pid, mapping);
  const FileVersion version = file_version(path);
  if (fresh || version != file.version) file.finding = look(path, is_program);
  file.version = version;
  return file.finding;
}

FileJudge::Finding FileJudge::look(const std::string& path, bool is_program) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status = {};
  if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  const Result<ElfReport> report = read_elf(file.get(), kTlsSymbols, is_program);
  if (!report) return {};
  Finding finding;
  finding.go = report->go;
  if (!choose_probe_points(file.get(), *report).empty()) {
    finding.tls = TlsVerdict::kProbed;
  } else if (is_program) {
    finding.tls = find_trace(file.get());
  }
  return finding;
}

}  // namespace wiretally::uprobe
