#include "survey.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <unordered_map>

#include "file_descriptor.h"
#include "probe_points.h"
#include "process_maps.h"
#include "tls_functions.h"
#include "wiretally/limits.h"

namespace wiretally::uprobe {
namespace {

constexpr size_t kBlockBytes = 256 * 1024;
constexpr size_t kFilesMax = Limits::files_known_max;
constexpr uint64_t kSearchedBytesMax = 512ULL << 20;

std::string_view file_name(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

// Texts that only one TLS implementation leaves in the programs it is compiled into.
struct Trace {
  std::string_view text;
  TlsVerdict verdict;
};
constexpr Trace kTraces[] = {
    {"crypto/tls.(*Conn).Write", TlsVerdict::kGo},
    {"ssl/ssl_lib.c", TlsVerdict::kUnknownBuild},
    {"/rustls-0.", TlsVerdict::kRustls},
};

std::optional<TlsVerdict> find_trace(int fd) {
  std::vector<char> block(kBlockBytes);
  constexpr size_t kOverlap = 64;  // longer than any trace
  for (uint64_t at = 0; at < kSearchedBytesMax; at += kBlockBytes - kOverlap) {
    const ssize_t got = ::pread(fd, block.data(), block.size(), static_cast<off_t>(at));
    if (got <= 0) return std::nullopt;
    const std::string_view text(block.data(), static_cast<size_t>(got));
    for (const Trace& trace : kTraces) {
      if (text.find(trace.text) != std::string_view::npos) return trace.verdict;
    }
    if (static_cast<size_t>(got) < block.size()) return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

// Looks at each file once, and again when it has become another file. Whether it has is asked once
// a run: an inode's number is soon used again.
class FileJudge {
 public:
  explicit FileJudge(std::string proc) : proc_(std::move(proc)) {}

  void begin_run() { ++run_; }

  // What this file does about TLS; nothing if it has none.
  std::optional<TlsVerdict> judge(uint32_t pid, const Mapping& mapping, bool is_program) {
    const std::string_view name = file_name(mapping.path);
    if (name.starts_with("libjvm.so")) return TlsVerdict::kJava;
    if (name.starts_with("libgnutls.so")) return TlsVerdict::kGnuTls;
    if (name.starts_with("libssl3.so")) return TlsVerdict::kNss;
    if (files_.size() >= kFilesMax) files_.clear();
    const auto [known, fresh] = files_.try_emplace(mapping.file);
    File& file = known->second;
    if (file.run == run_) return file.verdict;
    file.run = run_;
    const std::string path = mapped_file_path(proc_, pid, mapping);
    const FileVersion version = file_version(path);
    if (fresh || version != file.version) file.verdict = look(path, is_program);
    file.version = version;
    return file.verdict;
  }

 private:
  struct File {
    FileVersion version;
    uint64_t run = 0;  // in which the version was asked for
    std::optional<TlsVerdict> verdict;
  };

  static std::optional<TlsVerdict> look(const std::string& path, bool is_program) {
    const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status = {};
    if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
    const Result<ElfReport> report = read_elf(file.get(), kTlsSymbols, is_program);
    if (!report) return std::nullopt;
    if (!choose_probe_points(file.get(), *report).empty()) return TlsVerdict::kProbed;
    return is_program ? find_trace(file.get()) : std::nullopt;
  }

  std::string proc_;
  std::unordered_map<FileKey, File, FileKeyHash> files_;
  uint64_t run_ = 0;
};

namespace {

std::string read_small_file(const std::string& path) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char buffer[1024];
  const ssize_t got = file ? ::read(file.get(), buffer, sizeof buffer) : 0;
  return {buffer, static_cast<size_t>(std::max<ssize_t>(got, 0))};
}

// Field 9 of stat, the flags, has a bit for threads of the kernel's own.
bool is_kernel_thread(const std::string& folder) {
  constexpr uint64_t kKernelThread = 0x00200000;
  const std::string stat = read_small_file(folder + "/stat");
  size_t at = stat.rfind(')');
  for (int field = 2; field < 9 && at != std::string::npos; ++field) at = stat.find(' ', at + 1);
  if (at == std::string::npos) return false;
  uint64_t flags = 0;
  std::from_chars(stat.data() + at + 1, stat.data() + stat.size(), flags);
  return (flags & kKernelThread) != 0;
}

// The executable's path; the process's name where that is not for us to read.
std::string executable_of(const std::string& folder, bool* readable) {
  char path[PATH_MAX];
  const ssize_t length = ::readlink((folder + "/exe").c_str(), path, sizeof path);
  *readable = length > 0;
  if (length > 0) return {path, static_cast<size_t>(length)};
  std::string name = read_small_file(folder + "/comm");
  while (!name.empty() && name.back() == '\n') name.pop_back();
  return name;
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

Survey::Survey(const std::string& proc) : proc_(proc), judge_(std::make_unique<FileJudge>(proc)) {}
Survey::~Survey() = default;

std::vector<ProcessVerdict> Survey::run() {
  std::vector<ProcessVerdict> rows;
  judge_->begin_run();
  for (uint32_t pid : list_processes(proc_)) {
    const std::string folder = proc_ + "/" + std::to_string(pid);
    if (pid == static_cast<uint32_t>(::getpid()) || is_kernel_thread(folder)) continue;
    bool readable = false;
    const std::string executable = executable_of(folder, &readable);
    if (executable.empty()) continue;  // gone
    std::vector<FileKey> seen;
    readable = visit_mappings(
                   proc_, pid,
                   [&](const Mapping& mapping) {
                     if (std::find(seen.begin(), seen.end(), mapping.file) != seen.end())
                       return true;
                     seen.push_back(mapping.file);
                     const auto verdict = judge_->judge(pid, mapping, mapping.path == executable);
                     if (verdict)
                       rows.push_back({pid, executable, std::string(mapping.path), *verdict});
                     return true;
                   }) &&
               readable;
    const bool alive = ::access(folder.c_str(), F_OK) == 0;
    if (!readable && alive) rows.push_back({pid, executable, "", TlsVerdict::kUnreadable});
  }
  return rows;
}

}  // namespace wiretally::uprobe
