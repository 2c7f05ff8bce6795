#include "proc_directory.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

namespace wiretally::identity {
namespace {

constexpr size_t kContainerIdDigits = 64;
constexpr size_t kFileBytesMax = 16 * 1024;  // a cgroup file with version 1's dozen controllers

// The first kFileBytesMax bytes of a file of /proc; nothing if it cannot be read.
std::optional<std::string> read_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  std::string content(kFileBytesMax, '\0');
  size_t size = 0;
  ssize_t got = 0;
  while (size < content.size()) {
    got = ::read(fd, content.data() + size, content.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    size += static_cast<size_t>(got);
  }
  ::close(fd);
  if (got < 0) return std::nullopt;  // ESRCH: the process ended meanwhile
  content.resize(size);
  return content;
}

// proc(5): "pid (comm) state ppid …"; comm may itself hold spaces and parentheses.
std::optional<uint64_t> start_ticks(std::string_view stat) {
  constexpr int kFieldsBefore = 20;  // spaces from the parenthesis to field 22
  const size_t name_end = stat.rfind(") ");
  if (name_end == std::string_view::npos) return std::nullopt;
  stat.remove_prefix(name_end + 1);
  for (int i = 0; i < kFieldsBefore; ++i) {
    const size_t space = stat.find(' ');
    if (space == std::string_view::npos) return std::nullopt;
    stat.remove_prefix(space + 1);
  }
  uint64_t ticks = 0;
  const auto [end, error] = std::from_chars(stat.data(), stat.data() + stat.size(), ticks);
  if (error != std::errc{} || end == stat.data()) return std::nullopt;
  return ticks;
}

std::string executable_of(const std::string& folder) {
  static constexpr std::string_view kDeleted = " (deleted)";
  char target[4096];
  const ssize_t size = ::readlink((folder + "/exe").c_str(), target, sizeof target);
  if (size <= 0) return {};
  std::string_view path(target, static_cast<size_t>(size));
  if (path.ends_with(kDeleted)) path.remove_suffix(kDeleted.size());
  return std::string(path);
}

bool is_lower_hex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// A segment of a cgroup path without what systemd puts around it.
std::string_view without_unit(std::string_view segment) {
  for (const std::string_view unit : {".scope", ".slice", ".service"}) {
    if (segment.ends_with(unit)) segment.remove_suffix(unit.size());
  }
  return segment;
}

std::string_view container_id(std::string_view segment) {
  segment = without_unit(segment);
  for (const std::string_view runtime :
       {"docker-", "cri-containerd-", "containerd-", "crio-", "libpod-"}) {
    if (!segment.starts_with(runtime)) continue;
    segment.remove_prefix(runtime.size());
    break;
  }
  return segment.size() == kContainerIdDigits && is_lower_hex(segment) ? segment
                                                                       : std::string_view{};
}

// A pod's uid is a UUID, or 32 hexadecimal digits for a pod from a file on the node.
std::string pod_uid(std::string_view segment) {
  segment = without_unit(segment);
  const size_t pod = segment.rfind("pod");
  const bool at_border = pod == 0 || (pod != std::string_view::npos && segment[pod - 1] == '-');
  if (!at_border) return {};
  std::string uid(segment.substr(pod + 3));
  for (char& c : uid) {
    if (c == '_') c = '-';
  }
  std::string digits = uid;
  std::erase(digits, '-');
  if (digits.size() != 32 || !is_lower_hex(digits)) return {};
  return uid.size() == 36 || uid.size() == 32 ? uid : std::string{};
}

void read_cgroup_path(std::string_view path, ContainerIdentity& found) {
  while (!path.empty()) {
    const size_t slash = path.find('/');
    const std::string_view segment = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    if (const auto id = container_id(segment); !id.empty()) found.container_id.assign(id);
    if (const auto uid = pod_uid(segment); !uid.empty()) found.pod_uid.assign(uid);
  }
}

}  // namespace

ContainerIdentity read_container(std::string_view cgroup_file) {
  ContainerIdentity found;
  while (!cgroup_file.empty() && found.container_id.empty()) {
    const size_t line_end = cgroup_file.find('\n');
    const std::string_view line = cgroup_file.substr(0, line_end);
    cgroup_file.remove_prefix(line_end == std::string_view::npos ? cgroup_file.size()
                                                                 : line_end + 1);
    const size_t controllers = line.find(':');  // "hierarchy:controllers:path"
    const size_t path =
        controllers == std::string_view::npos ? controllers : line.find(':', controllers + 1);
    if (path != std::string_view::npos) read_cgroup_path(line.substr(path + 1), found);
  }
  return found;
}

ProcDirectory::ProcDirectory(Options options)
    : options_(std::move(options)),
      ns_per_tick_(1'000'000'000 / static_cast<uint64_t>(options_.ticks_per_second)) {}

void ProcDirectory::observe(uint32_t pid) {
  if (const auto process = read(pid)) remember(pid, *process);
}

std::optional<ProcessIdentity> ProcDirectory::find(uint32_t pid, uint64_t process_start_ns) const {
  if (pid == 0) return std::nullopt;
  {
    const std::lock_guard lock(mutex_);
    const auto known = processes_.find(pid);
    if (known != processes_.end() && started_at(known->second, process_start_ns)) {
      return known->second.identity;
    }
  }
  const auto process = read(pid);
  if (!process || !started_at(*process, process_start_ns)) return std::nullopt;
  remember(pid, *process);
  return process->identity;
}

bool ProcDirectory::started_at(const Process& process, uint64_t process_start_ns) const {
  const uint64_t ticks = process_start_ns / ns_per_tick_;
  // The kernel's two roundings may differ by a tick.
  return ticks + 1 >= process.start_ticks && ticks <= process.start_ticks + 1;
}

std::optional<ProcDirectory::Process> ProcDirectory::read(uint32_t pid) const {
  const std::string folder = options_.proc_root + "/" + std::to_string(pid);
  const auto stat = read_file(folder + "/stat");
  if (!stat) return std::nullopt;
  const auto ticks = start_ticks(*stat);
  if (!ticks) return std::nullopt;

  Process process;
  process.start_ticks = *ticks;
  if (auto name = read_file(folder + "/comm")) {
    if (name->ends_with('\n')) name->pop_back();
    process.identity.name.assign(*name);
  }
  process.identity.executable.assign(executable_of(folder));
  if (const auto cgroup = read_file(folder + "/cgroup")) {
    const ContainerIdentity container = read_container(*cgroup);
    process.identity.container_id = container.container_id;
    process.identity.pod_uid = container.pod_uid;
  }
  // The files were read one after the other: another process may have taken the pid meanwhile.
  const auto stat_after = read_file(folder + "/stat");
  if (!stat_after || start_ticks(*stat_after) != ticks) return std::nullopt;
  return process;
}

void ProcDirectory::remember(uint32_t pid, const Process& process) const {
  const std::lock_guard lock(mutex_);
  const auto [known, is_new] = processes_.insert_or_assign(pid, process);
  if (!is_new) return;
  order_.push_back(pid);
  if (order_.size() <= options_.processes_max) return;
  processes_.erase(order_.front());
  order_.pop_front();
  ++evicted_;
}

uint64_t ProcDirectory::evicted() const {
  const std::lock_guard lock(mutex_);
  return evicted_;
}

}  // namespace wiretally::identity
