// Live capture in a network namespace of its own: needs root (or CAP_SYS_ADMIN and CAP_NET_RAW).
#include "live_capture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "recording_sink.h"
#include "support/pcap_writer.h"

namespace wiretally::pcap {
namespace {

using test::endpoint;
using test::TcpPacket;
using testing::HasSubstr;

constexpr uint32_t kCookedV2 = 276;

bool set_up(const char* interface) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct ifreq request {};
  std::strncpy(request.ifr_name, interface, IFNAMSIZ - 1);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  const bool done = ioctl(fd, SIOCSIFFLAGS, &request) == 0;
  close(fd);
  return done;
}

// Runs `body` on a thread in a new network namespace with `lo` up; says why where it cannot.
std::string in_own_network(const std::function<void()>& body) {
  std::string reason;
  std::thread thread([&] {
    if (unshare(CLONE_NEWNET) != 0) {
      reason = std::string("no network namespace can be made: ") + std::strerror(errno);
    } else if (!set_up("lo")) {
      reason = std::string("lo cannot be set up: ") + std::strerror(errno);
    } else {
      body();
    }
  });
  thread.join();
  return reason;
}

// Puts frames on `lo` as they are.
class FrameSender {
 public:
  FrameSender() : fd_(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)) {
    to_.sll_family = AF_PACKET;
    to_.sll_ifindex = static_cast<int>(if_nametoindex("lo"));
    to_.sll_halen = ETH_ALEN;
  }
  ~FrameSender() { close(fd_); }
  bool send(const std::string& frame) {
    return sendto(fd_, frame.data(), frame.size(), 0, reinterpret_cast<struct sockaddr*>(&to_),
                  sizeof to_) == static_cast<ssize_t>(frame.size());
  }

 private:
  int fd_;
  struct sockaddr_ll to_ {};
};

// Addresses of no host here, so that no stack answers.
TcpPacket packet_number(uint32_t number) {
  return {.source = endpoint("192.0.2.1", 40'000),
          .destination = endpoint("192.0.2.2", 80),
          .sequence = number,
          .payload = "x"};
}

class Receiver {
 public:
  // Polls until `packets` came or nothing more does.
  void receive(LiveCapture& capture, size_t packets) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (sink.kept.size() < packets && std::chrono::steady_clock::now() < deadline) {
      struct pollfd ready {
        .fd = capture.fd(), .events = POLLIN, .revents = 0
      };
      ::poll(&ready, 1, 500);
      for (;;) {
        const auto got = capture.poll(1000, decoder);
        ASSERT_TRUE(got) << got.error().message;
        if (*got == 0) break;
      }
    }
  }

  Limits limits;
  std::unique_ptr<Counters> counters = std::make_unique<Counters>();
  test::RecordingSink sink;
  PacketDecoder decoder{limits, *counters, sink};
};

#define SKIP_UNLESS_RUN(reason)            \
  do {                                     \
    const std::string why = (reason);      \
    if (!why.empty()) GTEST_SKIP() << why; \
  } while (false)

TEST(LiveCapture, SegmentsFromLoopbackOnAny) {
  SKIP_UNLESS_RUN(in_own_network([] {
    auto capture = LiveCapture::open({});
    ASSERT_TRUE(capture) << capture.error().message;
    EXPECT_EQ(capture->link_type(), kCookedV2);
    FrameSender sender;
    TcpPacket packet = packet_number(7);
    packet.payload = "GET / HTTP/1.1\r\n\r\n";
    ASSERT_TRUE(sender.send(frame_bytes(test::Link::kEthernet, packet)));
    Receiver receiver;
    ASSERT_TRUE(sender.send(frame_bytes(test::Link::kEthernet, packet)));
    receiver.receive(*capture, 2);
    ASSERT_EQ(receiver.sink.kept.size(), 2u);
    for (const auto& kept : receiver.sink.kept) {
      EXPECT_EQ(kept.payload, packet.payload);
      EXPECT_EQ(kept.segment.source, packet.source);
      EXPECT_EQ(kept.segment.sequence, 7u);
      const int64_t now = time(nullptr);
      EXPECT_NEAR(static_cast<double>(kept.segment.time.ns) / 1e9, static_cast<double>(now), 60);
    }
    EXPECT_EQ(receiver.sink.kept[1].segment.packet_number, 2u);
  }));
}

// TCP in everything that the decoder reads, as Ethernet frames.
std::vector<std::string> frames_with_tcp_inside() {
  const std::string ip = ip_bytes(packet_number(1));
  const IpAddress a = endpoint("198.51.100.1", 0).address;
  const IpAddress b = endpoint("198.51.100.2", 0).address;
  const auto udp = [&](uint16_t port, const std::string& content) {
    return test::ethernet_bytes(0x0800, test::ip_bytes(a, b, 17, test::udp_bytes(port, content)));
  };
  TcpPacket v6 = packet_number(1);
  v6.source = endpoint("2001:db8::1", 40'000);
  v6.destination = endpoint("2001:db8::2", 80);
  const std::string vxlan =
      test::be32(0x0800'0000) + test::be32(0x700) + test::ethernet_bytes(0x0800, ip);
  return {frame_bytes(test::Link::kEthernet, packet_number(1)),
          frame_bytes(test::Link::kEthernet, v6),
          frame_bytes(test::Link::kVlan, packet_number(1)),
          frame_bytes(test::Link::kQinq, packet_number(1)),
          test::ethernet_bytes(0x0800, test::ip_bytes(a, b, 4, ip)),
          test::ethernet_bytes(0x0800, test::ip_bytes(a, b, 47, test::be32(0x0800) + ip)),
          udp(4789, vxlan),
          udp(8472, vxlan),
          udp(6081, test::be32(0x0000'0800) + test::be32(0x700) + ip)};
}

TEST(LiveCapture, TheFilterKeepsTunnelsTagsAndBothFamilies) {
  for (const char* interface : {"lo", "any"}) {
    SCOPED_TRACE(interface);
    SKIP_UNLESS_RUN(in_own_network([&] {
      auto capture = LiveCapture::open({.interface = interface});
      ASSERT_TRUE(capture) << capture.error().message;
      FrameSender sender;
      const IpAddress address = endpoint("198.51.100.1", 0).address;
      ASSERT_TRUE(sender.send(test::ethernet_bytes(
          0x0800, test::ip_bytes(address, address, 17, test::udp_bytes(53, "a query")))));
      const std::vector<std::string> frames = frames_with_tcp_inside();
      for (const std::string& frame : frames) ASSERT_TRUE(sender.send(frame));
      Receiver receiver;
      receiver.receive(*capture, frames.size());
      EXPECT_EQ(receiver.sink.kept.size(), frames.size());
      EXPECT_EQ(receiver.counters->packets_not_tcp.value(), 0u) << "the query was kept away";
    }));
  }
}

TEST(LiveCapture, AnInterfaceThatGoesAwayIsAnErrorNotASpin) {
  std::string reason;
  SKIP_UNLESS_RUN(in_own_network([&] {
    if (std::system("ip link add wt0 type veth peer name wt1 2>/dev/null && ip link set wt0 up") !=
        0) {
      reason = "no veth pair can be made here";
      return;
    }
    auto capture = LiveCapture::open({.interface = "wt0"});
    ASSERT_TRUE(capture) << capture.error().message;
    ASSERT_EQ(std::system("ip link delete wt0"), 0);
    Receiver receiver;
    std::string message;
    for (int i = 0; i < 100 && message.empty(); ++i) {
      struct pollfd ready {
        .fd = capture->fd(), .events = POLLIN, .revents = 0
      };
      ::poll(&ready, 1, 100);
      const auto got = capture->poll(1000, receiver.decoder);
      if (!got) message = got.error().message;
    }
    EXPECT_THAT(message, HasSubstr("interface wt0: capturing ended"));
  }));
  if (!reason.empty()) GTEST_SKIP() << reason;
}

TEST(LiveCapture, ABurstOfSmallPacketsFitsIntoTheRing) {
  SKIP_UNLESS_RUN(in_own_network([] {
    // With TPACKET_V2 and this snap length the ring would have 256 places. Only V3 holds 100 000
    // packets that nobody has read yet (in fact twice as many: on lo the kernel delivers each as it
    // leaves and as it comes, and libpcap passes over the former).
    auto capture = LiveCapture::open({.interface = "any", .ring_mib = 64});
    ASSERT_TRUE(capture) << capture.error().message;
    FrameSender sender;
    constexpr uint32_t kPackets = 100'000;
    const TcpPacket first = packet_number(0);
    std::string frame = frame_bytes(test::Link::kEthernet, first);
    for (uint32_t i = 0; i < kPackets; ++i) {
      frame.replace(14 + 20 + 4, 4, test::be32(i));
      ASSERT_TRUE(sender.send(frame));
    }
    Receiver receiver;
    receiver.receive(*capture, kPackets);
    EXPECT_EQ(receiver.sink.kept.size(), kPackets);
    const LiveStats stats = capture->stats();
    EXPECT_EQ(stats.ring_dropped, 0u);
    EXPECT_GE(stats.received, kPackets);
    std::vector<int> seen(kPackets);
    for (const auto& kept : receiver.sink.kept) ++seen[kept.segment.sequence];
    EXPECT_THAT(seen, testing::Each(1));
  }));
}

TEST(LiveCapture, ARingThatOverflowsSaysSo) {
  SKIP_UNLESS_RUN(in_own_network([] {
    auto capture = LiveCapture::open({.interface = "lo", .ring_mib = 16});
    ASSERT_TRUE(capture) << capture.error().message;
    FrameSender sender;
    TcpPacket large = packet_number(0);
    large.payload = std::string(60'000, 'x');
    const std::string frame = frame_bytes(test::Link::kEthernet, large);
    for (int i = 0; i < 600; ++i) ASSERT_TRUE(sender.send(frame));  // 72 MB with both directions
    Receiver receiver;
    receiver.receive(*capture, 50);
    const LiveStats stats = capture->stats();
    EXPECT_EQ(stats.received, 1200u);
    EXPECT_GT(stats.ring_dropped, 0u);
    EXPECT_LT(receiver.sink.kept.size(), 600u);
    EXPECT_EQ(capture->stats().ring_dropped, stats.ring_dropped) << "a total, not a difference";
  }));
}

TEST(LiveCapture, PollTakesNoMoreThanAsked) {
  SKIP_UNLESS_RUN(in_own_network([] {
    auto capture = LiveCapture::open({.interface = "lo"});
    ASSERT_TRUE(capture) << capture.error().message;
    FrameSender sender;
    const std::string frame = frame_bytes(test::Link::kEthernet, packet_number(0));
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(sender.send(frame));
    Receiver receiver;
    struct pollfd ready {
      .fd = capture->fd(), .events = POLLIN, .revents = 0
    };
    ASSERT_EQ(::poll(&ready, 1, 5000), 1) << "wakes within the read timeout";
    const auto got = capture->poll(3, receiver.decoder);
    ASSERT_TRUE(got);
    EXPECT_EQ(*got, 3u);
    EXPECT_EQ(receiver.sink.kept.size(), 3u);
    receiver.receive(*capture, 10);
    EXPECT_EQ(receiver.sink.kept.size(), 10u);
  }));
}

TEST(LiveCapture, AnUnknownInterfaceIsAnErrorThatListsTheKnownOnes) {
  const auto capture = LiveCapture::open({.interface = "nonexistent0"});
  ASSERT_FALSE(capture);
  if (capture.error().message.find("no permission") != std::string::npos)
    GTEST_SKIP() << capture.error().message;
  EXPECT_THAT(capture.error().message,
              HasSubstr("interface nonexistent0: there is no such interface; there are: any"));
  EXPECT_THAT(capture.error().message, HasSubstr(", lo"));
}

TEST(LiveCapture, WithoutPermissionTheErrorNamesTheRemedy) {
  if (geteuid() != 0) GTEST_SKIP() << "drops root's rights, which needs root";
  std::string message;
  std::thread thread([&] {
    // The kernel keeps user ids by thread; the library function would change them for all.
    if (syscall(SYS_setresuid, 65534, 65534, 65534) != 0) return;
    const auto capture = LiveCapture::open({});
    message = capture ? "opened" : capture.error().message;
  });
  thread.join();
  EXPECT_EQ(message,
            "interface any: no permission to capture packets: run as root or with CAP_NET_RAW");
}

}  // namespace
}  // namespace wiretally::pcap
