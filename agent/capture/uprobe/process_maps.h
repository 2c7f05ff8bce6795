// What /proc says about processes and the files they map.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace wiretally::uprobe {

// A file as the kernel names it in /proc/PID/maps. On some file systems (overlay, btrfs) stat(2)
// says another device, so keys from the two must never be compared.
struct FileKey {
  uint32_t device = 0;  // major << 20 | minor
  uint64_t inode = 0;

  friend bool operator==(const FileKey&, const FileKey&) = default;
};

struct FileKeyHash {
  size_t operator()(const FileKey& key) const {
    return (key.inode * 0x9E3779B97F4A7C15ULL) ^ key.device;
  }
};

// What changes with a file's content, and when its inode becomes another file's. Bytes written
// through a mapping may move none of it.
struct FileVersion {
  uint64_t size = 0;
  int64_t modified_ns = 0;
  int64_t changed_ns = 0;  // the inode's change time: nobody can set it back

  friend bool operator==(const FileVersion&, const FileVersion&) = default;
};
FileVersion version_of(const struct stat& status);
// A default one if there is no such file.
FileVersion file_version(const std::string& path);

// One executable mapping of a file.
struct Mapping {
  uint64_t start = 0;
  uint64_t end = 0;
  uint64_t file_offset = 0;
  FileKey file;
  std::string_view path;  // may end in " (deleted)"; borrowed
};

// What stands behind the last slash.
std::string_view file_name(std::string_view path);

// Reads one line of maps; false if it is no executable mapping of a file.
bool parse_mapping(std::string_view line, Mapping* mapping);

// Calls `visit` for each executable mapping of a file; it returns false to stop. False if the maps
// cannot be read (the process is gone, or not ours to look at).
bool visit_mappings(const std::string& proc, uint32_t pid,
                    const std::function<bool(const Mapping&)>& visit);

std::vector<uint32_t> list_processes(const std::string& proc);

// A path that leads to the mapped file itself, in whatever mount namespace it lies and even if it
// has been deleted; good as long as the process lives. Without the privilege to follow map_files
// (CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE) it goes through the process's root, and the file found
// there under that name is taken for the mapped one.
std::string mapped_file_path(const std::string& proc, uint32_t pid, const Mapping& mapping);

}  // namespace wiretally::uprobe
