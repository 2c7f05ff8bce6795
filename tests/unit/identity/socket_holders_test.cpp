// Finds real connections of this process, by their addresses.
#include "socket_holders.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bit>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace wiretally::identity {
namespace {

namespace fs = std::filesystem;

Endpoint endpoint_of(const sockaddr_storage& address) {
  Endpoint endpoint;
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    endpoint.address.version = 4;
    std::memcpy(endpoint.address.bytes.data(), &v4.sin_addr, 4);
    endpoint.port = ntohs(v4.sin_port);
    return endpoint;
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
  const bool mapped = IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr);
  endpoint.address.version = mapped ? 4 : 6;
  std::memcpy(endpoint.address.bytes.data(), v6.sin6_addr.s6_addr + (mapped ? 12 : 0),
              mapped ? 4 : 16);
  endpoint.port = ntohs(v6.sin6_port);
  return endpoint;
}

// A connection over loopback, both ends ours.
class Loopback {
 public:
  // "127.0.0.1", "::1" or "::ffff:127.0.0.1".
  explicit Loopback(const char* address) {
    sockaddr_storage name{};
    socklen_t size = 0;
    if (std::strchr(address, ':') == nullptr) {
      auto& v4 = reinterpret_cast<sockaddr_in&>(name);
      v4.sin_family = AF_INET;
      ::inet_pton(AF_INET, address, &v4.sin_addr);
      size = sizeof v4;
    } else {
      auto& v6 = reinterpret_cast<sockaddr_in6&>(name);
      v6.sin6_family = AF_INET6;
      ::inet_pton(AF_INET6, address, &v6.sin6_addr);
      size = sizeof v6;
    }
    const int listener = ::socket(name.ss_family, SOCK_STREAM, 0);
    if (::bind(listener, reinterpret_cast<sockaddr*>(&name), size) == 0) {
      ::listen(listener, 1);
      ::getsockname(listener, reinterpret_cast<sockaddr*>(&name), &size);
      client_ = ::socket(name.ss_family, SOCK_STREAM, 0);
      connected_ = ::connect(client_, reinterpret_cast<sockaddr*>(&name), size) == 0;
      server_ = ::accept(listener, nullptr, nullptr);
      remote = endpoint_of(name);
      ::getsockname(client_, reinterpret_cast<sockaddr*>(&name), &size);
      local = endpoint_of(name);
    }
    ::close(listener);
  }
  ~Loopback() {
    close_client();
    ::close(server_);
  }
  void close_client() {
    if (client_ >= 0) ::close(client_);
    client_ = -1;
  }
  bool connected() const { return connected_; }

  Endpoint local, remote;

 private:
  int client_ = -1;
  int server_ = -1;
  bool connected_ = false;
};

TEST(SocketHolders, FindTheProcessOfAConnection) {
  for (const char* address : {"127.0.0.1", "::1", "::ffff:127.0.0.1"}) {
    Loopback connection(address);
    if (!connection.connected() && address[0] == ':') continue;  // a host without IPv6
    ASSERT_TRUE(connection.connected()) << address;
    SocketHolders holders({.search_max = std::chrono::seconds(30)});
    const auto self = static_cast<uint32_t>(::getpid());
    EXPECT_EQ(holders.holder_of(connection.local, connection.remote), self) << address;
    // Again, now that this process is known.
    EXPECT_EQ(holders.holder_of(connection.remote, connection.local), self) << address;
    connection.close_client();
    EXPECT_EQ(holders.holder_of(connection.local, connection.remote), 0u) << address;
  }
}

// As a container has it: a process in a network namespace of its own.
TEST(SocketHolders, FindTheProcessInAnotherNetworkNamespace) {
  int ready[2], end[2];
  ASSERT_EQ(::pipe(ready), 0);
  ASSERT_EQ(::pipe(end), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(end[1]);
    Endpoint ends[2];
    if (::unshare(CLONE_NEWNET) == 0 &&
        std::system("ip link set lo up && ip address add 198.51.100.7/32 dev lo") == 0) {
      Loopback connection("198.51.100.7");
      if (connection.connected()) ends[0] = connection.local, ends[1] = connection.remote;
      [[maybe_unused]] ssize_t written = ::write(ready[1], ends, sizeof ends);
      char unused;
      [[maybe_unused]] ssize_t over = ::read(end[0], &unused, 1);
    }
    ::_exit(0);
  }
  ::close(ready[1]);
  ::close(end[0]);
  Endpoint ends[2];
  const bool made = ::read(ready[0], ends, sizeof ends) == sizeof ends && ends[0].known();
  if (made) {
    SocketHolders holders({.search_max = std::chrono::seconds(30)});
    EXPECT_EQ(holders.holder_of(ends[0], ends[1]), static_cast<uint32_t>(child));
  }
  ::close(end[1]);
  ::close(ready[0]);
  ::waitpid(child, nullptr, 0);
  if (!made) GTEST_SKIP() << "no network namespace can be made: needs root and iproute2";
}

TEST(SocketHolders, UnknownConnectionsHaveNone) {
  SocketHolders holders;
  EXPECT_EQ(holders.holder_of({}, {}), 0u);
  Endpoint nobody;
  nobody.address = {.bytes = {192, 0, 2, 1}, .version = 4};
  nobody.port = 1;
  EXPECT_EQ(holders.holder_of(nobody, nobody), 0u);
}

TEST(SocketInode, OddTablesGiveNone) {
  const fs::path root = fs::temp_directory_path() / ("sockets_" + std::to_string(::getpid()));
  fs::create_directories(root / "net");
  Endpoint local, remote;
  local.address = {.bytes = {127, 0, 0, 1}, .version = 4};
  remote = local;
  local.port = 0x1234;
  remote.port = 443;
  const std::string ends = "   0: 0100007F:1234 0100007F:01BB";
  struct Case {
    std::string line;
    uint64_t inode;
  };
  const Case cases[] = {
      {ends + " 01 00000000:00000000 00:00000000 00000000     0        0 4711 1 0\n", 4711},
      {ends + " 01 00000000:00000000 00:00000000 00000000     0        0 4711", 4711},
      {ends + " 01 00000000:00000000\n", 0},
      {ends, 0},
      {"", 0},
      {std::string(5000, ' '), 0},
      {ends + " 01 a b c d e f\n", 0},
  };
  for (const Case& each : cases) {
    std::ofstream(root / "net/tcp") << each.line;
    if constexpr (std::endian::native == std::endian::little) {
      EXPECT_EQ(socket_inode(root, local, remote), each.inode) << each.line;
    }
  }
  fs::remove_all(root);
}

}  // namespace
}  // namespace wiretally::identity
