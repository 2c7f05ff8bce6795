// A decoder on the bench: frames in, segments out, and the accounts of what became of the bytes.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "packet_decoder.h"
#include "support/pcap_writer.h"
#include "unit/pcap/recording_sink.h"

namespace wiretally::pcap {

using test::be16;
using test::be32;
using test::endpoint;
using test::ethernet_bytes;
using test::frame_bytes;
using test::ip_bytes;
using test::Link;
using test::TcpPacket;
using test::udp_bytes;

inline constexpr uint8_t kTcp = 6, kUdp = 17, kGre = 47;

inline TcpPacket request_v4() {
  return {.source = endpoint("10.0.0.1", 40000),
          .destination = endpoint("10.0.0.2", 8080),
          .sequence = 0x8123'4567,
          .acknowledgment = 0xfedc'ba98,
          .flags = TcpFlags::kAck | TcpFlags::kPsh,
          .payload = "GET / HTTP/1.1\r\n\r\n",
          .time_ns = 123'456'789,
          .window = 501};
}
inline TcpPacket request_v6() {
  TcpPacket packet = request_v4();
  packet.source = endpoint("fd00::1", 40000);
  packet.destination = endpoint("fd00::2", 8080);
  return packet;
}
inline const IpAddress kOuterA = endpoint("192.168.1.1", 0).address;
inline const IpAddress kOuterB = endpoint("192.168.1.2", 0).address;

inline std::string outer_udp(uint16_t port, const std::string& content) {
  return ip_bytes(kOuterA, kOuterB, kUdp, udp_bytes(port, content));
}
inline std::string vxlan_bytes(uint32_t network, const std::string& frame) {
  return be32(0x0800'0000) + be32(uint64_t{network} << 8) + frame;
}

class Bench {
 public:
  explicit Bench(const Limits& limits = {}) : decoder(limits, *counters, sink) {}

  void decode(uint32_t link_type, const std::string& bytes, size_t wire_bytes = 0) {
    // A heap copy of the exact size, so that a sanitizer sees a read past the end.
    const std::vector<uint8_t> copy(bytes.begin(), bytes.end());
    RawPacket raw;
    raw.time.ns = 123'456'789;
    raw.link_type = link_type;
    raw.bytes = {copy.data(), copy.size()};
    raw.wire_bytes = static_cast<uint32_t>(wire_bytes != 0 ? wire_bytes : bytes.size());
    raw.number = ++number;
    decoder.decode(raw);
    check_identity();
  }
  void check_identity() {
    uint64_t dropped_bytes = 0, dropped_events = 0, delivered = 0, copies = 0;
    for (const Cell& cell : packets().dropped_bytes) dropped_bytes += cell.value();
    for (const Cell& cell : packets().dropped_events) dropped_events += cell.value();
    for (const auto& kept : sink.kept) delivered += kept.payload.size();
    for (const Cell& cell : packets().skipped_bytes) copies += cell.value();
    EXPECT_EQ(packets().captured_bytes.value(), delivered + dropped_bytes + copies);
    if (copies > 0) return;  // these are events as well
    EXPECT_EQ(packets().captured_events.value(), sink.kept.size() + dropped_events);
  }
  SourceCounters& packets() { return counters->of(Source::kPacket); }
  uint64_t drops(DropReason reason) {
    return packets().dropped_events[static_cast<size_t>(reason)].value();
  }
  uint64_t drop_bytes(DropReason reason) {
    return packets().dropped_bytes[static_cast<size_t>(reason)].value();
  }
  uint64_t missing() {
    return packets().missing_bytes[static_cast<size_t>(MissingReason::kPacketCaplen)].value();
  }
  uint64_t not_tcp() { return counters->packets_not_tcp.value(); }

  std::unique_ptr<Counters> counters = std::make_unique<Counters>();
  test::RecordingSink sink;
  PacketDecoder decoder;
  uint64_t number = 0;
};

// The packet came out whole: addresses, numbers, payload.
inline void expect_delivered(Bench& bench, const TcpPacket& packet) {
  ASSERT_EQ(bench.sink.kept.size(), 1u);
  const Segment& segment = bench.sink.kept[0].segment;
  EXPECT_EQ(segment.source, packet.source);
  EXPECT_EQ(segment.destination, packet.destination);
  EXPECT_EQ(segment.sequence, packet.sequence);
  EXPECT_EQ(segment.acknowledgment, packet.acknowledgment);
  EXPECT_EQ(segment.flags.bits, packet.flags);
  EXPECT_EQ(segment.window, packet.window);
  EXPECT_EQ(segment.window_scale, packet.window_scale);
  EXPECT_EQ(segment.time.ns, 123'456'789);
  EXPECT_EQ(segment.packet_number, 1u);
  EXPECT_FALSE(segment.checksum_bad);
  EXPECT_EQ(bench.sink.kept[0].payload, packet.payload);
  EXPECT_EQ(segment.payload_wire_bytes, packet.payload.size());
  EXPECT_EQ(bench.missing(), 0u);
}
inline void expect_delivered_from(uint32_t link_type, const std::string& frame,
                                  const TcpPacket& packet) {
  Bench bench;
  bench.decode(link_type, frame);
  expect_delivered(bench, packet);
}

}  // namespace wiretally::pcap
