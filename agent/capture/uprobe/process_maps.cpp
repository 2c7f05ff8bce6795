#include "process_maps.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <memory>

#include "file_descriptor.h"

namespace wiretally::uprobe {
namespace {

// Takes a number off the front of `text`, and the one character behind it if it is `follower`.
template <typename Number>
bool take_number(std::string_view* text, int base, char follower, Number* number) {
  const char* end = text->data() + text->size();
  const auto [at, error] = std::from_chars(text->data(), end, *number, base);
  if (error != std::errc{} || at == end || *at != follower) return false;
  text->remove_prefix(static_cast<size_t>(at - text->data()) + 1);
  return true;
}

}  // namespace

// "7f01000-7f02000 r-xp 00035000 08:01 1234    /usr/lib/libssl.so.3"
FileVersion version_of(const struct stat& status) {
  const auto ns = [](const timespec& time) { return time.tv_sec * 1'000'000'000LL + time.tv_nsec; };
  return {.size = static_cast<uint64_t>(status.st_size),
          .modified_ns = ns(status.st_mtim),
          .changed_ns = ns(status.st_ctim)};
}

FileVersion file_version(const std::string& path) {
  struct stat status = {};
  return ::stat(path.c_str(), &status) == 0 ? version_of(status) : FileVersion{};
}

std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

bool parse_mapping(std::string_view line, Mapping* mapping) {
  uint32_t major = 0;
  uint32_t minor = 0;
  if (!take_number(&line, 16, '-', &mapping->start) ||
      !take_number(&line, 16, ' ', &mapping->end)) {
    return false;
  }
  if (line.size() < 5 || line[2] != 'x') return false;
  line.remove_prefix(5);
  if (!take_number(&line, 16, ' ', &mapping->file_offset) || !take_number(&line, 16, ':', &major) ||
      !take_number(&line, 16, ' ', &minor) || !take_number(&line, 10, ' ', &mapping->file.inode)) {
    return false;
  }
  mapping->file.device = major << 20 | minor;
  const size_t path = line.find_first_not_of(' ');
  mapping->path = path == std::string_view::npos ? std::string_view{} : line.substr(path);
  return mapping->file.inode != 0;
}

bool visit_mappings(const std::string& proc, uint32_t pid,
                    const std::function<bool(const Mapping&)>& visit) {
  const std::string path = proc + "/" + std::to_string(pid) + "/maps";
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return false;
  char buffer[32 * 1024];
  size_t held = 0;
  while (true) {
    const ssize_t got = ::read(file.get(), buffer + held, sizeof buffer - held);
    if (got < 0) return false;
    if (got == 0) return true;
    held += static_cast<size_t>(got);
    const char* line = buffer;
    const char* end = buffer + held;
    while (const void* found = std::memchr(line, '\n', static_cast<size_t>(end - line))) {
      const char* newline = static_cast<const char*>(found);
      Mapping mapping;
      if (parse_mapping({line, static_cast<size_t>(newline - line)}, &mapping) && !visit(mapping)) {
        return true;
      }
      line = newline + 1;
    }
    held = static_cast<size_t>(end - line);
    if (held == sizeof buffer) held = 0;  // a line longer than any path can be
    std::memmove(buffer, line, held);
  }
}

std::vector<uint32_t> list_processes(const std::string& proc) {
  std::vector<uint32_t> processes;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(proc.c_str()), ::closedir);
  if (!folder) return processes;
  while (const dirent* entry = ::readdir(folder.get())) {
    uint32_t pid = 0;
    const char* end = entry->d_name + std::strlen(entry->d_name);
    const auto [at, error] = std::from_chars(entry->d_name, end, pid);
    if (error == std::errc{} && at == end) processes.push_back(pid);
  }
  return processes;
}

std::string mapped_file_path(const std::string& proc, uint32_t pid, const Mapping& mapping) {
  char range[64];
  std::snprintf(range, sizeof range, "%llx-%llx", static_cast<unsigned long long>(mapping.start),
                static_cast<unsigned long long>(mapping.end));
  const std::string folder = proc + "/" + std::to_string(pid);
  std::string path = folder + "/map_files/" + range;
  if (::access(path.c_str(), R_OK) != 0 && (errno == EPERM || errno == EACCES)) {
    path = folder + "/root" + std::string(mapping.path);
  }
  return path;
}

}  // namespace wiretally::uprobe
