#include "survey.h"

#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "file_descriptor.h"
#include "process_maps.h"

namespace wiretally::uprobe {
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

Survey::Survey(const std::string& proc) : proc_(proc), judge_(proc) {}

std::vector<ProcessVerdict> Survey::run() {
  std::vector<ProcessVerdict> rows;
  judge_.begin_run();
  for (uint32_t pid : list_processes(proc_)) {
    const std::string folder = proc_ + "/" + std::to_string(pid);
    if (pid == static_cast<uint32_t>(::getpid()) || is_kernel_thread(folder)) continue;
    bool readable = false;
    const std::string executable = executable_of(folder, &readable);
    if (executable.empty()) continue;  // gone
    std::vector<FileKey> seen;
    readable =
        visit_mappings(proc_, pid,
                       [&](const Mapping& mapping) {
                         if (std::find(seen.begin(), seen.end(), mapping.file) != seen.end())
                           return true;
                         seen.push_back(mapping.file);
                         const auto verdict =
                             judge_.judge(pid, mapping, mapping.path == executable).tls;
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
