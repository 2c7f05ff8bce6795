// Which process holds a TCP connection, as /proc tells it: the socket's inode from /proc/net/tcp
// and tcp6 (proc_pid_net(5)), the process from the links in /proc/PID/fd.
//
// Looks in this process's own network namespace first, then in those of other processes
// (containers), one representative each; there not for loopback addresses, which every namespace
// has. Not thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>

#include "wiretally/capture.h"

namespace wiretally::identity {

// 0 if there is no such socket in the network namespace that `proc_root` belongs to.
uint64_t socket_inode(const std::string& proc_root, const Endpoint& local, const Endpoint& remote);

class SocketHolders {
 public:
  struct Options {
    std::string proc_root = "/proc";
    std::chrono::milliseconds search_max{30};  // one search; past it, the holder is unknown
  };

  SocketHolders() : SocketHolders(Options{}) {}
  explicit SocketHolders(Options options) : options_(std::move(options)) {}

  // The first process found that holds the connection; 0 if none was. Those found lately are tried
  // first: who makes one connection makes more.
  uint32_t holder_of(const Endpoint& local, const Endpoint& remote);

 private:
  static constexpr size_t kRecentMax = 16;

  static constexpr size_t kNamespacesMax = 256;

  uint64_t inode_elsewhere(const Endpoint& local, const Endpoint& remote) const;
  bool holds(uint32_t pid, const std::string& link) const;
  uint32_t search(const std::string& link) const;

  const Options options_;
  std::deque<uint32_t> recent_;  // the latest first
};

}  // namespace wiretally::identity
