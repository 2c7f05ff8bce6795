#include "socket_holders.h"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

namespace wiretally::identity {
namespace {

using Clock = std::chrono::steady_clock;

struct Closer {
  void operator()(std::FILE* file) const { std::fclose(file); }
  void operator()(DIR* folder) const { ::closedir(folder); }
};
using File = std::unique_ptr<std::FILE, Closer>;
using Folder = std::unique_ptr<DIR, Closer>;

// The kernel prints an address as words of 32 bits in the machine's byte order.
void append_words(std::string& text, const uint8_t* bytes, size_t words) {
  for (size_t i = 0; i < words; ++i) {
    uint32_t word = 0;
    std::memcpy(&word, bytes + 4 * i, sizeof word);
    char digits[9];
    std::snprintf(digits, sizeof digits, "%08X", word);
    text += digits;
  }
}

void append_endpoint(std::string& text, const Endpoint& endpoint, bool as_v6) {
  static constexpr uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  const bool is_v4 = endpoint.address.version == 4;
  if (is_v4 && as_v6) append_words(text, kMapped, 3);
  append_words(text, endpoint.address.bytes.data(), is_v4 ? 1 : 4);
  char port[6];
  std::snprintf(port, sizeof port, ":%04X", endpoint.port);
  text += port;
}

// "sl: local remote state tx:rx tr:when retransmits uid timeout inode …"
uint64_t inode_of_line(std::string_view behind_addresses) {
  constexpr int kFieldsBefore = 6;
  size_t at = 0;
  for (int field = 0; field <= kFieldsBefore; ++field) {
    at = behind_addresses.find_first_not_of(' ', at);
    if (at == std::string_view::npos) return 0;
    if (field < kFieldsBefore) at = behind_addresses.find(' ', at);
  }
  uint64_t inode = 0;
  std::from_chars(behind_addresses.data() + at, behind_addresses.data() + behind_addresses.size(),
                  inode);
  return inode;
}

uint64_t search_table(const std::string& path, const std::string& addresses) {
  const File file(std::fopen(path.c_str(), "re"));
  if (file == nullptr) return 0;
  char line[512];
  while (std::fgets(line, sizeof line, file.get()) != nullptr) {
    const std::string_view text(line);
    const size_t at = text.find(addresses);
    if (at == std::string_view::npos) continue;
    return inode_of_line(text.substr(at + addresses.size()));
  }
  return 0;
}

bool is_loopback(const IpAddress& address) {
  static constexpr std::array<uint8_t, 16> kV6 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  return address.version == 4 ? address.bytes[0] == 127 : address.bytes == kV6;
}

// "net:[4026531840]"; empty if it cannot be read.
std::string network_namespace(const std::string& process_folder) {
  char target[64];
  const ssize_t size = ::readlink((process_folder + "/ns/net").c_str(), target, sizeof target);
  return size > 0 ? std::string(target, static_cast<size_t>(size)) : std::string();
}

uint32_t number_of(const char* name) {
  const char* const end = name + std::strlen(name);
  uint32_t number = 0;
  const auto [stop, error] = std::from_chars(name, end, number);
  return error == std::errc{} && stop == end ? number : 0;
}

}  // namespace

uint64_t socket_inode(const std::string& proc_root, const Endpoint& local, const Endpoint& remote) {
  if (!local.known() || local.address.version != remote.address.version) return 0;
  for (const bool as_v6 : {false, true}) {
    if (local.address.version == 6 && !as_v6) continue;
    std::string addresses;
    append_endpoint(addresses, local, as_v6);
    addresses += ' ';
    append_endpoint(addresses, remote, as_v6);
    const std::string table = proc_root + (as_v6 ? "/net/tcp6" : "/net/tcp");
    if (const uint64_t inode = search_table(table, addresses)) return inode;
  }
  return 0;
}

uint32_t SocketHolders::holder_of(const Endpoint& local, const Endpoint& remote) {
  uint64_t inode = socket_inode(options_.proc_root, local, remote);
  if (inode == 0) inode = inode_elsewhere(local, remote);
  if (inode == 0) return 0;
  const std::string link = "socket:[" + std::to_string(inode) + "]";
  const auto known =
      std::find_if(recent_.begin(), recent_.end(), [&](uint32_t pid) { return holds(pid, link); });
  uint32_t pid = 0;
  if (known != recent_.end()) {
    pid = *known;
    recent_.erase(known);
  } else {
    pid = search(link);
  }
  if (pid == 0) return 0;
  recent_.push_front(pid);
  if (recent_.size() > kRecentMax) recent_.pop_back();
  return pid;
}

uint64_t SocketHolders::inode_elsewhere(const Endpoint& local, const Endpoint& remote) const {
  if (!local.known() || is_loopback(local.address) || is_loopback(remote.address)) return 0;
  const Clock::time_point deadline = Clock::now() + options_.search_max;
  std::vector<std::string> seen = {network_namespace(options_.proc_root + "/self")};
  if (seen[0].empty()) return 0;
  const Folder folder(::opendir(options_.proc_root.c_str()));
  if (folder == nullptr) return 0;
  while (const dirent* entry = ::readdir(folder.get())) {
    if (Clock::now() > deadline || seen.size() > kNamespacesMax) return 0;
    if (number_of(entry->d_name) == 0) continue;
    const std::string process = options_.proc_root + "/" + entry->d_name;
    std::string name = network_namespace(process);
    if (name.empty() || std::find(seen.begin(), seen.end(), name) != seen.end()) continue;
    if (const uint64_t inode = socket_inode(process, local, remote)) return inode;
    seen.push_back(std::move(name));
  }
  return 0;
}

bool SocketHolders::holds(uint32_t pid, const std::string& link) const {
  const std::string path = options_.proc_root + "/" + std::to_string(pid) + "/fd";
  const Folder folder(::opendir(path.c_str()));
  if (folder == nullptr) return false;
  char target[64];
  while (const dirent* entry = ::readdir(folder.get())) {
    const ssize_t size = ::readlinkat(::dirfd(folder.get()), entry->d_name, target, sizeof target);
    if (size > 0 && std::string_view(target, static_cast<size_t>(size)) == link) return true;
  }
  return false;
}

uint32_t SocketHolders::search(const std::string& link) const {
  const Clock::time_point deadline = Clock::now() + options_.search_max;
  const Folder folder(::opendir(options_.proc_root.c_str()));
  if (folder == nullptr) return 0;
  while (const dirent* entry = ::readdir(folder.get())) {
    const uint32_t pid = number_of(entry->d_name);
    if (pid != 0 && holds(pid, link)) return pid;
    if (Clock::now() > deadline) return 0;
  }
  return 0;
}

}  // namespace wiretally::identity
