#include "packet_decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "capture_file.h"
#include "unit/pcap/decoder_bench.h"

namespace wiretally::pcap {
namespace {

using testing::HasSubstr;

uint64_t encapsulation_of(const std::string& frame) {
  Bench bench;
  bench.decode(1, frame);
  return bench.sink.kept.empty() ? 0 : bench.sink.kept[0].segment.encapsulation;
}

TEST(PacketLink, EveryLinkTypeInBothFamilies) {
  for (const TcpPacket& packet : {request_v4(), request_v6()}) {
    for (const Link link : test::kAllLinks) {
      SCOPED_TRACE(test::link_name(link));
      expect_delivered_from(link_type_of(link), frame_bytes(link, packet), packet);
    }
  }
  expect_delivered_from(228, ip_bytes(request_v4()), request_v4());
  expect_delivered_from(229, ip_bytes(request_v6()), request_v6());
  expect_delivered_from(14, ip_bytes(request_v4()), request_v4());
}

TEST(PacketLink, LoopbackFamiliesOfEverySystemInBothByteOrders) {
  const std::string ip = ip_bytes(request_v6());
  for (const uint32_t link_type : {0u, 108u}) {
    for (const char family : {10, 24, 28, 30}) {
      expect_delivered_from(link_type, be32(static_cast<uint64_t>(family)) + ip, request_v6());
      expect_delivered_from(link_type, std::string(1, family) + std::string(3, '\0') + ip,
                            request_v6());
    }
  }
  Bench bench;
  bench.decode(0, be32(7) + ip);
  EXPECT_EQ(bench.not_tcp(), 1u);
}

TEST(PacketLink, VlanTagsOfAllKindsAndTheirHash) {
  const TcpPacket packet = request_v4();
  const std::string inner = be16(0x0800) + ip_bytes(packet);
  const auto tagged = [&](uint16_t type, uint16_t tag) {
    return ethernet_bytes(type, be16(tag) + inner);
  };
  for (const uint16_t type : {0x8100, 0x88a8, 0x9100})
    expect_delivered_from(1, tagged(type, 0x2005), packet);  // with a priority

  EXPECT_EQ(encapsulation_of(frame_bytes(Link::kEthernet, packet)), 0u);
  EXPECT_EQ(encapsulation_of(tagged(0x8100, 0x6000)), 0u) << "VLAN 0 is only a priority";
  const uint64_t five = encapsulation_of(tagged(0x8100, 5));
  EXPECT_NE(five, 0u);
  EXPECT_EQ(five, encapsulation_of(tagged(0x8100, 0xe005))) << "the priority does not count";
  EXPECT_NE(five, encapsulation_of(tagged(0x8100, 6)));
  const auto twice = [&](uint16_t outer, uint16_t tag) {
    return ethernet_bytes(0x88a8, be16(outer) + be16(0x8100) + be16(tag) + inner);
  };
  EXPECT_NE(encapsulation_of(twice(5, 6)), encapsulation_of(twice(6, 5)));
  EXPECT_NE(encapsulation_of(twice(5, 5)), five);
}

// A tag of VLAN 0 says nothing, but takes a packet the long way.
TEST(PacketLink, APlainPacketReadsAsOneWithATagThatSaysNothing) {
  std::mt19937 random(7);
  size_t delivered = 0;
  for (int round = 0; round < 40'000; ++round) {
    const TcpPacket packet = round % 2 == 0 ? request_v4() : request_v6();
    std::string ip = ip_bytes(packet);
    const size_t headers = ip.size() - packet.payload.size();
    for (size_t changes = random() % 4; changes > 0; --changes) {
      ip[random() % headers] = static_cast<char>(random() >> random() % 8);
    }
    const size_t wire_bytes = ip.size();
    if (random() % 4 == 0) ip.resize(random() % (ip.size() + 12));  // cut, or padded
    const uint16_t type = round % 2 == 0 ? 0x0800 : 0x86dd;
    Bench plain, tagged;
    const size_t wire = std::max(wire_bytes, ip.size());
    plain.decode(1, ethernet_bytes(type, ip), 14 + wire);
    tagged.decode(1, ethernet_bytes(0x8100, be16(0) + be16(type) + ip), 18 + wire);
    ASSERT_EQ(plain.sink.kept.size(), tagged.sink.kept.size());
    ASSERT_EQ(plain.not_tcp(), tagged.not_tcp());
    ASSERT_EQ(plain.missing(), tagged.missing());
    for (size_t i = 0; i < static_cast<size_t>(DropReason::kCount); ++i) {
      const auto reason = static_cast<DropReason>(i);
      ASSERT_EQ(plain.drops(reason), tagged.drops(reason));
      ASSERT_EQ(plain.drop_bytes(reason), tagged.drop_bytes(reason));
    }
    if (plain.sink.kept.empty()) continue;
    ++delivered;
    const Segment& one = plain.sink.kept[0].segment;
    const Segment& other = tagged.sink.kept[0].segment;
    ASSERT_EQ(one.source, other.source);
    ASSERT_EQ(one.destination, other.destination);
    ASSERT_EQ(one.sequence, other.sequence);
    ASSERT_EQ(one.acknowledgment, other.acknowledgment);
    ASSERT_EQ(one.flags.bits, other.flags.bits);
    ASSERT_EQ(one.window, other.window);
    ASSERT_EQ(one.window_scale, other.window_scale);
    ASSERT_EQ(one.payload_hash, other.payload_hash);
    ASSERT_EQ(one.payload_wire_bytes, other.payload_wire_bytes);
    ASSERT_EQ(one.encapsulation, other.encapsulation);
    ASSERT_EQ(one.checksum_bad, other.checksum_bad);
    ASSERT_EQ(plain.sink.kept[0].payload, tagged.sink.kept[0].payload);
  }
  EXPECT_GT(delivered, 10'000u);
}

TEST(PacketLink, CookedWithVlanTag) {
  const std::string frame = frame_bytes(Link::kSll, request_v4());
  const std::string tagged =
      frame.substr(0, 14) + be16(0x8100) + be16(42) + be16(0x0800) + frame.substr(16);
  expect_delivered_from(113, tagged, request_v4());
}

TEST(PacketLink, CookedWithATagLeftBetweenHeaderAndPacket) {
  for (const TcpPacket& packet : {request_v4(), request_v6()}) {
    const uint16_t type = packet.source.address.version == 6 ? 0x86dd : 0x0800;
    for (const Link link : {Link::kSll, Link::kSll2}) {
      std::string frame = frame_bytes(link, packet);
      frame.insert(link == Link::kSll ? 16 : 20, be16(42) + be16(type));
      expect_delivered_from(link_type_of(link), frame, packet);
    }
  }
}

TEST(PacketLink, CookedNetlinkIsNoPacket) {
  std::string frame = frame_bytes(Link::kSll, request_v4());
  frame.replace(2, 2, be16(824));
  Bench bench;
  bench.decode(113, frame);
  frame = frame_bytes(Link::kSll2, request_v4());
  frame.replace(8, 2, be16(824));
  bench.decode(276, frame);
  EXPECT_EQ(bench.not_tcp(), 2u);
  EXPECT_TRUE(bench.sink.kept.empty());
}

TEST(PacketLink, SnapMplsAndPppoe) {
  const TcpPacket packet = request_v4();
  const std::string ip = ip_bytes(packet);
  const std::string snap = std::string("\xaa\xaa\x03\0\0\0", 6) + be16(0x0800) + ip;
  expect_delivered_from(1, ethernet_bytes(static_cast<uint16_t>(snap.size()), snap) + "trailer",
                        packet);
  expect_delivered_from(1, ethernet_bytes(0x8847, be32(0x0001'0040) + be32(0x0002'0140) + ip),
                        packet);
  const std::string ppp = be16(0x0021) + ip;
  const std::string pppoe =
      be16(0x1100) + be16(7) + be16(static_cast<uint32_t>(ppp.size())) + ppp + "trailer";
  expect_delivered_from(1, ethernet_bytes(0x8864, pppoe), packet);
}

TEST(PacketLink, EthernetOverMplsWithAndWithoutControlWord) {
  const TcpPacket packet = request_v4();
  const std::string frame = frame_bytes(Link::kEthernet, packet);
  expect_delivered_from(1, ethernet_bytes(0x8847, be32(0x0001'0140) + be32(9) + frame), packet);
  expect_delivered_from(1, ethernet_bytes(0x8847, be32(0x0001'0140) + frame), packet);
}

TEST(PacketLink, PppNflogAndPktap) {
  for (const TcpPacket& packet : {request_v4(), request_v6()}) {
    const bool v6 = packet.source.address.version == 6;
    const std::string ip = ip_bytes(packet);
    const std::string ppp = be16(v6 ? 0x0057 : 0x0021) + ip;
    for (const uint32_t link : {9, 50}) {
      expect_delivered_from(link, ppp, packet);
      expect_delivered_from(link, be16(0xff03) + ppp, packet);
    }
    expect_delivered_from(
        51, be16(0x1100) + be16(7) + be16(static_cast<uint32_t>(ppp.size())) + ppp, packet);
    // As the kernel's log group writes it: an attribute of 10 bytes and its padding come first.
    for (const bool big_endian : {false, true}) {
      const test::FileNumbers numbers(big_endian);
      const std::string log = std::string("\x02\0\0\x05", 4) + numbers.u16(10) + numbers.u16(10) +
                              "prefix\0\0" + std::string(2, '\0') + numbers.u16(4 + ip.size()) +
                              numbers.u16(9) + ip + "padding";
      expect_delivered_from(239, log, packet);
    }
    const test::FileNumbers little(false);
    const auto pktap = [&](uint32_t dlt, const std::string& content) {
      return little.u32(108) + little.u32(1) + little.u32(dlt) + std::string(96, 'n') + content;
    };
    for (const uint32_t link : {258, 149}) {
      expect_delivered_from(link, pktap(1, frame_bytes(Link::kEthernet, packet)), packet);
      expect_delivered_from(link, pktap(12, ip), packet);
      expect_delivered_from(link, pktap(0, frame_bytes(Link::kNull, packet)), packet);
    }
  }
  Bench bench;
  bench.decode(149, "somebody else's");
  EXPECT_THAT(bench.decoder.link_type_error(), HasSubstr("link type 149"));
  const test::FileNumbers little(false);
  bench.decode(258, little.u32(108) + little.u32(1) + little.u32(258) + std::string(200, 'n'));
  bench.decode(258, little.u32(400) + little.u32(1) + little.u32(1) + std::string(200, 'n'));
  EXPECT_EQ(bench.drops(DropReason::kPacketMalformed), 2u);
  bench.decode(239, std::string("\x02\0\0\x05\0\0\0\x09", 8) + ip_bytes(request_v4()));
  EXPECT_EQ(bench.drops(DropReason::kPacketMalformed), 3u) << "an attribute of no length";
}

TEST(PacketLink, WhatIsNotIpIsCountedAndNothingElse) {
  Bench bench;
  bench.decode(1, ethernet_bytes(0x0806, std::string(28, 'a')));
  bench.decode(1, ethernet_bytes(38, std::string("\x42\x42\x03", 3) + std::string(43, '\0')));
  bench.decode(1, frame_bytes(Link::kEthernet, ip_bytes(kOuterA, kOuterB, 1, "echo")));
  bench.decode(1, frame_bytes(Link::kEthernet, outer_udp(53, "query")));
  EXPECT_EQ(bench.not_tcp(), 4u);
  EXPECT_EQ(bench.packets().captured_events.value(), 0u);
}

TEST(PacketLink, UnknownLinkTypesAreNamedOnce) {
  Bench bench;
  EXPECT_EQ(bench.decoder.link_type_error(), "");
  bench.decode(105, "radio");
  bench.decode(1, frame_bytes(Link::kEthernet, request_v4()));
  bench.decode(105, "radio");
  EXPECT_EQ(bench.decoder.link_type_error(),
            "link type 105 (IEEE802_11) in 2 packets is not supported; everything else was read");
  bench.decode(9999, "?");
  EXPECT_THAT(bench.decoder.link_type_error(), HasSubstr(", link type 9999 in 1 packet are not"));
  EXPECT_EQ(bench.drops(DropReason::kPacketLinkType), 3u);
  EXPECT_EQ(bench.sink.kept.size(), 1u) << "nothing else is lost";
  for (uint32_t i = 0; i < 1000; ++i) bench.decode(20'000 + i, "many");
  EXPECT_LT(bench.decoder.link_type_error().size(), 1000u);
}

TEST(PacketIp, FramesLongerThanThePacket) {
  TcpPacket packet = request_v4();
  packet.payload = "x";
  expect_delivered_from(1, frame_bytes(Link::kEthernet, packet) + "paddingFCS", packet);
  packet.payload = "";
  expect_delivered_from(1, frame_bytes(Link::kEthernet, packet) + std::string(6, '\0'), packet);
  TcpPacket v6 = request_v6();
  expect_delivered_from(1, frame_bytes(Link::kEthernet, v6) + "trailer of a switch", v6);
}

TEST(PacketIp, LengthZeroMeansToTheEndOfTheFrame) {
  TcpPacket packet = request_v4();
  packet.payload = std::string(100'000, 'b');  // more than the field could say
  std::string ip = ip_bytes(packet);
  ip.replace(2, 2, be16(0));
  expect_delivered_from(1, frame_bytes(Link::kEthernet, ip), packet);

  TcpPacket v6 = request_v6();
  v6.payload = packet.payload;
  ip = ip_bytes(v6);
  ip.replace(4, 2, be16(0));
  expect_delivered_from(1, frame_bytes(Link::kEthernet, ip), v6);

  // The same inside VXLAN, where the UDP length is 0 too.
  std::string inner = ip_bytes(request_v4());
  inner.replace(2, 2, be16(0));
  std::string outer = outer_udp(4789, vxlan_bytes(9, ethernet_bytes(0x0800, inner)));
  outer.replace(2, 2, be16(0));
  outer.replace(24, 2, be16(0));
  expect_delivered_from(1, frame_bytes(Link::kEthernet, outer), request_v4());
}

TEST(PacketIp, EnclosingLengthsEndThePayloadWhereTheIpLengthSaysNothing) {
  std::string ip = ip_bytes(request_v4());
  ip.replace(2, 2, be16(0));
  const std::string snap = std::string("\xaa\xaa\x03\0\0\0", 6) + be16(0x0800) + ip;
  expect_delivered_from(1, ethernet_bytes(static_cast<uint16_t>(snap.size()), snap) + "trailer",
                        request_v4());
  const std::string ppp = be16(0x0021) + ip;
  const std::string pppoe = be16(0x1100) + be16(7) + be16(static_cast<uint32_t>(ppp.size())) + ppp;
  expect_delivered_from(1, ethernet_bytes(0x8864, pppoe + "trailer"), request_v4());
  const std::string vxlan =
      ip_bytes(kOuterA, kOuterB, kUdp,
               udp_bytes(4789, vxlan_bytes(9, ethernet_bytes(0x0800, ip))) + "trailer");
  expect_delivered_from(12, vxlan, request_v4());
}

TEST(PacketIp, LengthZeroOfAnAbsurdFrameIsMalformed) {
  std::string ip = ip_bytes(request_v4());
  ip.replace(2, 2, be16(0));
  Bench bench;
  bench.decode(12, ip, 0xffff'0000);
  ip = ip_bytes(request_v6());
  ip.replace(4, 2, be16(0));
  bench.decode(12, ip, 0xffff'0000);
  EXPECT_EQ(bench.drops(DropReason::kPacketMalformed), 2u);
  EXPECT_EQ(bench.missing(), 0u);
}

TEST(PacketIp, LengthZeroReachesUpToTheLimit) {
  std::string ip = ip_bytes(request_v4());
  ip.replace(2, 2, be16(0));
  Bench bench;
  bench.decode(12, ip, Limits{}.packet_wire_bytes_max);
  EXPECT_EQ(bench.sink.kept.size(), 1u);
  EXPECT_EQ(bench.drops(DropReason::kPacketMalformed), 0u);
  bench.decode(12, ip, Limits{}.packet_wire_bytes_max + 1);
  EXPECT_EQ(bench.sink.kept.size(), 1u);
  EXPECT_EQ(bench.drops(DropReason::kPacketMalformed), 1u);
}

TEST(PacketIp, BigTcpBeyondTheSnapLengthIsCutNotMalformed) {
  std::string ip = ip_bytes(request_v6());
  ip.replace(4, 2, be16(0));
  Bench bench;
  bench.decode(12, ip, 524'280);
  ASSERT_EQ(bench.sink.kept.size(), 1u);
  EXPECT_EQ(bench.sink.kept[0].segment.payload_wire_bytes, 524'280u - 40 - 20);
}

TEST(PacketIp, Jumbograms) {
  TcpPacket packet = request_v6();
  const std::string tcp = test::tcp_bytes(packet);
  const std::string options = std::string("\x06\0\xc2\x04", 4) + be32(8 + tcp.size());
  std::string ip =
      ip_bytes(packet.source.address, packet.destination.address, 0, options + tcp) + "trailer";
  ip.replace(4, 2, be16(0));
  expect_delivered_from(12, ip, packet);
}

TEST(PacketIp, CutPacketsAreMissingBytesNotData) {
  const TcpPacket packet = request_v4();
  const std::string frame = frame_bytes(Link::kEthernet, packet);
  {
    Bench bench;  // cut by the snap length
    bench.decode(1, frame.substr(0, frame.size() - 5), frame.size());
    ASSERT_EQ(bench.sink.kept.size(), 1u);
    EXPECT_EQ(bench.sink.kept[0].payload, packet.payload.substr(0, packet.payload.size() - 5));
    EXPECT_EQ(bench.sink.kept[0].segment.payload_wire_bytes, packet.payload.size());
    EXPECT_EQ(bench.missing(), 5u);
  }
  {
    Bench bench;  // the capture does not say so, only the IP header does
    bench.decode(1, frame.substr(0, frame.size() - 5));
    ASSERT_EQ(bench.sink.kept.size(), 1u);
    EXPECT_EQ(bench.sink.kept[0].segment.payload_wire_bytes, packet.payload.size());
    EXPECT_EQ(bench.missing(), 5u);
  }
  {
    Bench bench;  // in the middle of the TCP options, which say nothing that the gap needs
    TcpPacket syn = packet;
    syn.flags = TcpFlags::kSyn;
    syn.window_scale = 7;
    bench.decode(1, frame_bytes(Link::kEthernet, syn).substr(0, 14 + 20 + 22), 200);
    ASSERT_EQ(bench.sink.kept.size(), 1u);
    EXPECT_EQ(bench.sink.kept[0].payload, "");
    EXPECT_EQ(bench.sink.kept[0].segment.payload_wire_bytes, packet.payload.size());
    EXPECT_EQ(bench.sink.kept[0].segment.window_scale, std::nullopt);
  }
}

TEST(PacketIp, EveryCutOfEveryKindOfFrame) {
  const std::string inner = frame_bytes(Link::kVlan, request_v4());
  std::vector<std::pair<uint32_t, std::string>> frames;
  for (const Link link : test::kAllLinks) {
    frames.emplace_back(link_type_of(link), frame_bytes(link, request_v4()));
    frames.emplace_back(link_type_of(link), frame_bytes(link, request_v6()));
  }
  frames.emplace_back(12, outer_udp(8472, vxlan_bytes(7, inner)));
  frames.emplace_back(12,
                      outer_udp(6081, be32(0x0200'6558) + be32(0x700) + be32(1) + be32(2) + inner));
  frames.emplace_back(12, ip_bytes(kOuterA, kOuterB, kGre,
                                   be32(0xb000'6558) + be32(0) + be32(5) + be32(6) + inner));
  for (const auto& [link_type, frame] : frames) {
    for (size_t size = 0; size <= frame.size(); ++size) {
      Bench bench;
      bench.decode(link_type, frame.substr(0, size), frame.size());
      const bool delivered = !bench.sink.kept.empty();
      if (delivered) {
        EXPECT_EQ(bench.sink.kept[0].segment.payload_wire_bytes, request_v4().payload.size());
      }
      EXPECT_EQ(delivered + bench.drops(DropReason::kPacketMalformed) + bench.not_tcp(), 1u)
          << link_type << " cut at " << size;
    }
  }
}

TEST(PacketIp, Ipv4Options) {
  TcpPacket packet = request_v4();
  std::string ip = ip_bytes(packet);
  ip[0] = '\x47';
  ip.insert(20, std::string("\x94\x04\0\0\x01\x01\x01\0", 8));
  ip.replace(2, 2, be16(static_cast<uint32_t>(ip.size())));
  expect_delivered_from(12, ip, packet);
}

TEST(PacketIp, Ipv6ExtensionHeadersInAnyNumber) {
  const TcpPacket packet = request_v6();
  const auto around = [&](uint8_t first, const std::string& headers) {
    return ip_bytes(packet.source.address, packet.destination.address, first,
                    headers + test::tcp_bytes(packet));
  };
  const auto generic = [](uint8_t next, uint8_t eights) {
    return std::string(1, static_cast<char>(next)) + static_cast<char>(eights) +
           std::string(6 + eights * 8, '\0');
  };
  const std::string atomic = std::string(1, '\x06') + '\0' + be16(0) + be32(77);
  const std::string authentication =
      std::string(1, '\x06') + '\x04' + be16(0) + std::string(20, 'h');
  expect_delivered_from(12, around(0, generic(kTcp, 0)), packet);
  expect_delivered_from(12, around(0, generic(43, 1) + generic(60, 2) + generic(kTcp, 0)), packet);
  expect_delivered_from(12, around(44, atomic), packet);
  expect_delivered_from(12, around(51, authentication), packet);
  std::string many;
  for (int i = 0; i < 200; ++i) many += generic(60, 0);
  expect_delivered_from(12, around(60, many + generic(kTcp, 0)), packet);

  Bench bench;
  bench.decode(12, around(0, std::string("\x06\xff\0\0\0\0\0\0", 8)));  // longer than the packet
  EXPECT_EQ(bench.drops(DropReason::kPacketMalformed), 1u);
  bench.decode(12, around(59, ""));
  EXPECT_EQ(bench.not_tcp(), 1u);
}

TEST(PacketIp, AuthenticationHeaderOverIpv4) {
  const TcpPacket packet = request_v4();
  const std::string authentication =
      std::string(1, '\x06') + '\x04' + be16(0) + std::string(20, 'h');
  expect_delivered_from(12,
                        ip_bytes(packet.source.address, packet.destination.address, 51,
                                 authentication + test::tcp_bytes(packet)),
                        packet);
}

TEST(PacketIp, HeadersThatContradictThemselves) {
  const std::string good = ip_bytes(request_v4());
  Bench bench;
  std::string bad = good;
  bad[0] = '\x44';  // header of 16 bytes
  bench.decode(12, bad);
  bad = good;
  bad.replace(2, 2, be16(19));  // total below the header
  bench.decode(12, bad);
  bad = good;
  bad[0] = '\x55';  // version 5
  bench.decode(12, bad);
  bad = good;
  bad[32] = '\x40';  // data offset of 16 bytes
  bench.decode(12, bad);
  bad = good;
  bad[32] = '\xf0';  // data offset of 60 bytes, beyond the packet
  bad.replace(2, 2, be16(20 + 30));
  bench.decode(12, bad);
  bad = good;
  bad.replace(2, 2, be16(20 + 19));  // a packet too short for TCP
  bench.decode(12, bad);
  bench.decode(1, "short");
  EXPECT_EQ(bench.drops(DropReason::kPacketMalformed), 7u);
  EXPECT_TRUE(bench.sink.kept.empty());
}

TEST(PacketTcp, WindowScaleOnlyOnSyn) {
  TcpPacket packet = request_v4();
  packet.flags = TcpFlags::kSyn;
  packet.window_scale = 7;
  expect_delivered_from(12, ip_bytes(packet), packet);

  Bench bench;
  packet.flags = TcpFlags::kAck;
  bench.decode(12, ip_bytes(packet));
  packet.flags = TcpFlags::kSyn | TcpFlags::kAck;
  packet.window_scale = 200;
  bench.decode(12, ip_bytes(packet));
  std::string hostile = ip_bytes(packet);
  hostile[40] = '\x02';  // an option of length 3 that reaches beyond the header ...
  hostile[41] = '\x2f';
  bench.decode(12, hostile);
  hostile[41] = '\0';  // ... and one of length 0
  bench.decode(12, hostile);
  ASSERT_EQ(bench.sink.kept.size(), 4u);
  EXPECT_EQ(bench.sink.kept[0].segment.window_scale, std::nullopt);
  EXPECT_EQ(bench.sink.kept[1].segment.window_scale, 14) << "RFC 7323: no more than 14";
  EXPECT_EQ(bench.sink.kept[2].segment.window_scale, std::nullopt);
  EXPECT_EQ(bench.sink.kept[3].segment.window_scale, std::nullopt);
}

TEST(PacketTcp, BadChecksumsAreNormalCountedAndMarked) {
  for (TcpPacket packet : {request_v4(), request_v6()}) {
    // Of every length, so that every tail of the sum is met.
    for (size_t length = 0; length < 70; ++length) {
      packet.payload = std::string(length, 'p');
      std::string ip = ip_bytes(packet);
      Bench bench;
      bench.decode(12, ip);
      ASSERT_EQ(bench.counters->packets_bad_checksum.value(), 0u) << length;
      ip.back() = static_cast<char>(ip.back() ^ 0x40);
      bench.decode(12, ip);
      ASSERT_EQ(bench.sink.kept.size(), 2u);
      EXPECT_FALSE(bench.sink.kept[0].segment.checksum_bad);
      EXPECT_TRUE(bench.sink.kept[1].segment.checksum_bad);
      EXPECT_EQ(bench.counters->packets_bad_checksum.value(), 1u);
    }
  }
}

// What Linux and Windows leave to the network card: the pseudo header's sum with or without the
// length, or nothing.
TEST(PacketTcp, ChecksumsLeftToTheNetworkCardAreCountedNotMarked) {
  for (const TcpPacket& packet : {request_v4(), request_v6()}) {
    const size_t at = packet.source.address.version == 6 ? 56 : 36;
    const std::string ip = ip_bytes(packet);
    const size_t length = ip.size() - at + 16;
    for (const size_t stated : {length, size_t{0}}) {
      const uint16_t sum = static_cast<uint16_t>(~test::internet_checksum(
          test::address_bytes(packet.source.address) +
          test::address_bytes(packet.destination.address) + be32(6) + be32(stated)));
      std::string offloaded = ip;
      offloaded.replace(at, 2, be16(sum));
      std::string empty = ip;
      empty.replace(at, 2, be16(0));
      Bench bench;
      bench.decode(12, offloaded);
      bench.decode(12, empty);
      ASSERT_EQ(bench.sink.kept.size(), 2u);
      EXPECT_FALSE(bench.sink.kept[0].segment.checksum_bad);
      EXPECT_FALSE(bench.sink.kept[1].segment.checksum_bad);
      EXPECT_EQ(bench.counters->packets_bad_checksum.value(), 2u);
    }
  }
}

TEST(PacketTcp, WhatCannotBeVerifiedIsNoBadChecksum) {
  const std::string ip = ip_bytes(request_v4());
  Bench bench;
  bench.decode(12, ip.substr(0, ip.size() - 1), ip.size());  // cut by the capture
  // IPv4 routed by its source: the sum is over the last address of the route.
  TcpPacket packet = request_v4();
  std::string tcp = test::tcp_bytes(packet);
  tcp[16] = static_cast<char>(tcp[16] ^ 1);
  const std::string route = std::string("\x83\x07\x04", 3) + be32(0x0a00'0009) + '\0';
  std::string routed =
      ip_bytes(packet.source.address, packet.destination.address, kTcp, route + tcp);
  routed[0] = '\x47';
  bench.decode(12, routed);
  // IPv6 with a routing header that has segments left.
  packet = request_v6();
  tcp = test::tcp_bytes(packet);
  tcp[16] = static_cast<char>(tcp[16] ^ 1);
  const std::string routing = std::string("\x06\x02\x04\x01", 4) + std::string(20, 'r');
  bench.decode(12, ip_bytes(packet.source.address, packet.destination.address, 43, routing + tcp));
  EXPECT_EQ(bench.sink.kept.size(), 3u);
  EXPECT_EQ(bench.counters->packets_bad_checksum.value(), 0u);
}

TEST(PacketTcp, PortFilter) {
  Bench bench;
  const uint16_t ports[] = {8080, 9090};
  bench.decoder.only_ports(ports);
  TcpPacket packet = request_v4();
  bench.decode(12, ip_bytes(packet));
  std::swap(packet.source, packet.destination);
  bench.decode(12, ip_bytes(packet));
  packet.source.port = 443;
  bench.decode(12, ip_bytes(packet));
  std::string broken = ip_bytes(packet);
  broken[32] = '\x10';
  bench.decode(12, broken);
  EXPECT_EQ(bench.sink.kept.size(), 2u);
  EXPECT_EQ(bench.packets().captured_events.value(), 2u);
  std::string later = ip_bytes(kOuterA, kOuterB, kTcp, "of which ports?");
  later.replace(6, 2, be16(3));
  bench.decode(12, later);
  bench.decoder.finish();
  EXPECT_EQ(bench.drops(DropReason::kPacketFragment), 1u) << "it may have been a wanted one's";
  bench.decoder.only_ports({});
  bench.decode(12, ip_bytes(packet));
  EXPECT_EQ(bench.sink.kept.size(), 3u);
}

TEST(PacketTunnel, EachKindAndTheInnerAddresses) {
  for (const TcpPacket& packet : {request_v4(), request_v6()}) {
    const std::string ip = ip_bytes(packet);
    const uint8_t protocol = packet.source.address.version == 6 ? 41 : 4;
    const uint16_t type = packet.source.address.version == 6 ? 0x86dd : 0x0800;
    const std::string frame = frame_bytes(Link::kEthernet, packet);
    const auto gre = [&](const std::string& content) {
      return ip_bytes(kOuterA, kOuterB, kGre, content);
    };
    expect_delivered_from(12, ip_bytes(kOuterA, kOuterB, protocol, ip), packet);
    expect_delivered_from(12, gre(be32(type) + ip), packet);
    expect_delivered_from(12, gre(be32(0xb000'0000 | type) + be32(1) + be32(2) + be32(3) + ip),
                          packet);
    expect_delivered_from(12, gre(be32(0x2000'6558) + be32(99) + frame), packet);
    expect_delivered_from(12, gre(be32(0x0000'88be) + frame), packet);
    expect_delivered_from(12, gre(be32(0x1000'88be) + be32(1) + be32(2) + be32(3) + frame), packet);
    // ERSPAN III, with and without its optional part, and with an IP packet instead of a frame.
    const std::string three = be32(0x2000'0001) + be32(77);
    expect_delivered_from(12, gre(be32(0x1000'22eb) + be32(1) + three + be32(0) + frame), packet);
    expect_delivered_from(
        12, gre(be32(0x1000'22eb) + be32(1) + three + be32(1) + be32(5) + be32(6) + frame), packet);
    expect_delivered_from(12, gre(be32(0x1000'22eb) + be32(1) + three + be32(2 << 10) + ip),
                          packet);
    // GTP-U: plain, with a sequence number, with two extension headers.
    const auto gtp = [&](uint32_t flags, const std::string& content) {
      const auto length = static_cast<uint32_t>(content.size());
      return outer_udp(2152, be16(0x30ff | flags << 8) + be16(length) + be32(0xabc) + content);
    };
    expect_delivered_from(12, gtp(0, ip), packet);
    expect_delivered_from(12, gtp(2, be32(0x0007'0000) + ip), packet);
    expect_delivered_from(
        12, gtp(4, be32(0x0000'0085) + be32(0x0100'0085) + be32(0x0100'0000) + ip), packet);
    for (const uint16_t port : {4789, 8472})
      expect_delivered_from(12, outer_udp(port, vxlan_bytes(7, frame)), packet);
    expect_delivered_from(12, outer_udp(6081, be32(0x0100'6558) + be32(0x700) + be32(1) + frame),
                          packet);
    expect_delivered_from(12, outer_udp(6081, be32(type) + be32(0x700) + ip), packet);
  }
}

TEST(PacketTunnel, NetworksAreToldApart) {
  const std::string frame = frame_bytes(Link::kEthernet, request_v4());
  const auto in_network = [&](uint32_t network) {
    return encapsulation_of(
        frame_bytes(Link::kEthernet, outer_udp(4789, vxlan_bytes(network, frame))));
  };
  EXPECT_NE(in_network(1), in_network(2));
  EXPECT_EQ(in_network(1), in_network(1));
  EXPECT_NE(in_network(0), 0u);
}

TEST(PacketTunnel, DepthIsLimited) {
  std::string ip = ip_bytes(request_v4());
  for (size_t depth = 1; depth <= 6; ++depth) {
    ip = ip_bytes(kOuterA, kOuterB, 4, ip);
    Bench bench;
    bench.decode(12, ip);
    const bool within = depth <= Limits{}.packet_tunnel_depth_max;
    EXPECT_EQ(bench.sink.kept.size(), within ? 1u : 0u) << depth;
    EXPECT_EQ(bench.drops(DropReason::kPacketTunnelDepth), within ? 0u : 1u) << depth;
  }
}

TEST(PacketTunnel, FramesFullOfTagsDoNotRecurse) {
  std::string tags;
  const std::string llc = std::string("\xaa\xaa\x03\0\0\0", 6);
  for (int i = 0; i < 20'000; ++i) tags += be16(5) + be16(0x8100);
  Bench bench;
  bench.decode(1, ethernet_bytes(0x8100, tags));
  EXPECT_EQ(bench.drops(DropReason::kPacketMalformed), 1u);
  std::string mixed;
  for (int i = 0; i < 20'000; ++i) mixed += llc + be16(0x8100) + be16(5) + be16(1500);
  bench.decode(1, ethernet_bytes(1500, mixed));
  bench.decode(1, ethernet_bytes(0x8847, std::string(200'000, '\0')));
  EXPECT_EQ(bench.number, 3u);
}

TEST(PacketTunnel, OtherUsersOfTheTunnelsPorts) {
  Bench bench;
  bench.decode(12, outer_udp(8472, std::string(40, '\0')));
  bench.decode(12, outer_udp(4789, "tiny"));
  bench.decode(12, outer_udp(6081, std::string(40, '\xff')));
  bench.decode(12, ip_bytes(kOuterA, kOuterB, kGre, be32(0x3001'880b) + std::string(40, 'p')));
  EXPECT_EQ(bench.not_tcp(), 4u);
}

TEST(PacketDecoder, TheSameConversationInEveryShapeOfFile) {
  using test::CaptureFormat;
  std::vector<TcpPacket> packets;
  for (uint32_t i = 0; i < 5; ++i) {
    TcpPacket packet = i % 2 == 0 ? request_v4() : request_v6();
    packet.sequence = i * 1000;
    packet.payload = "piece " + std::to_string(i);
    packet.time_ns = 1'000'000'000 + i * 1'000'000;
    packets.push_back(packet);
  }
  for (const auto format :
       {CaptureFormat::kPcapMicro, CaptureFormat::kPcapNano, CaptureFormat::kPcapng}) {
    for (const Link link : test::kAllLinks) {
      for (const bool big_endian : {false, true}) {
        SCOPED_TRACE(test::link_name(link));
        const std::string bytes =
            make_capture({.format = format, .link = link, .big_endian = big_endian}, packets);
        auto file = CaptureFile::open_memory(as_bytes(bytes));
        ASSERT_TRUE(file);
        Bench bench;
        RawPacket raw;
        while (file->next(raw) == CaptureFile::Step::kPacket) bench.decoder.decode(raw);
        ASSERT_EQ(bench.sink.kept.size(), packets.size());
        for (size_t i = 0; i < packets.size(); ++i) {
          EXPECT_EQ(bench.sink.kept[i].payload, packets[i].payload);
          EXPECT_EQ(bench.sink.kept[i].segment.time.ns, packets[i].time_ns);
          EXPECT_EQ(bench.sink.kept[i].segment.sequence, packets[i].sequence);
          EXPECT_EQ(bench.sink.kept[i].segment.source, packets[i].source);
          EXPECT_EQ(bench.sink.kept[i].segment.packet_number, i + 1);
        }
      }
    }
  }
}

TEST(PacketDecoder, OneUnknownInterfaceAmongKnownOnes) {
  test::PcapngWriter writer;
  writer.add_interface(1);
  writer.add_interface(147);
  writer.add(0, 1, frame_bytes(Link::kEthernet, request_v4()));
  writer.add(1, 2, "private");
  writer.add(0, 3, frame_bytes(Link::kEthernet, request_v4()));
  auto file = CaptureFile::open_memory(as_bytes(writer.bytes()));
  ASSERT_TRUE(file);
  Bench bench;
  RawPacket raw;
  while (file->next(raw) == CaptureFile::Step::kPacket) bench.decoder.decode(raw);
  EXPECT_EQ(bench.sink.kept.size(), 2u);
  EXPECT_THAT(bench.decoder.link_type_error(), HasSubstr("link type 147"));
}

// --- dealing out ---------------------------------------------------------------------------------

// Has a decoder of its own for what it is given, as a lane has.
class Lane final : public PacketTaker {
 public:
  void on_packet(const RawPacket& packet, const Endpoint& source,
                 const Endpoint& destination) override {
    ++taken;
    const size_t before = bench.sink.kept.size();
    bench.decoder.decode(packet);
    bench.check_identity();
    if (bench.sink.kept.size() == before) return;
    EXPECT_EQ(bench.sink.kept.back().segment.source, source);
    EXPECT_EQ(bench.sink.kept.back().segment.destination, destination);
  }

  Bench bench;
  size_t taken = 0;
};

// A decoder that deals out, its lane, and one decoder that does everything: they see the same.
struct Dealing {
  Dealing() { dealing.decoder.deal_out_to(lane); }
  void decode(uint32_t link_type, const std::string& frame, size_t wire_bytes = 0) {
    dealing.decode(link_type, frame, wire_bytes);
    alone.decode(link_type, frame, wire_bytes);
    EXPECT_EQ(dealing.sink.kept.size() + lane.bench.sink.kept.size(), alone.sink.kept.size());
    EXPECT_EQ(dealing.not_tcp() + lane.bench.not_tcp(), alone.not_tcp());
    EXPECT_EQ(dealing.missing() + lane.bench.missing(), alone.missing());
    for (size_t i = 0; i < static_cast<size_t>(DropReason::kCount); ++i) {
      const auto reason = static_cast<DropReason>(i);
      EXPECT_EQ(dealing.drops(reason) + lane.bench.drops(reason), alone.drops(reason));
    }
  }

  Lane lane;
  Bench dealing, alone;
};

TEST(PacketDealing, PlainTcpIsDealtOutAndNothingElse) {
  const auto taken = [](uint32_t link_type, const std::string& frame) {
    Dealing both;
    both.decode(link_type, frame);
    return both.lane.taken;
  };
  for (const TcpPacket& packet : {request_v4(), request_v6()}) {
    for (const Link link : {Link::kEthernet, Link::kSll2, Link::kRaw101}) {
      EXPECT_EQ(taken(link_type_of(link), frame_bytes(link, packet)), 1u) << test::link_name(link);
    }
    for (const Link link : {Link::kVlan, Link::kQinq, Link::kSll, Link::kNull}) {
      EXPECT_EQ(taken(link_type_of(link), frame_bytes(link, packet)), 0u) << test::link_name(link);
    }
  }
  const std::string inner = frame_bytes(Link::kEthernet, request_v4());
  EXPECT_EQ(taken(1, ethernet_bytes(0x0800, outer_udp(4789, vxlan_bytes(7, inner)))), 0u);
  EXPECT_EQ(taken(1, ethernet_bytes(0x0800, ip_bytes(kOuterA, kOuterB, 4, inner.substr(14)))), 0u);
  std::string fragment = inner;
  fragment[20] = '\x20';  // more fragments
  EXPECT_EQ(taken(1, fragment), 0u);
  std::string netlink = frame_bytes(Link::kSll2, request_v4());
  netlink.replace(8, 2, be16(824));
  EXPECT_EQ(taken(276, netlink), 0u);
}

TEST(PacketDealing, PortsThatDoNotCountAreNotDealtOut) {
  const uint16_t other[] = {9};
  Dealing both;
  both.dealing.decoder.only_ports(other);
  both.alone.decoder.only_ports(other);
  both.decode(1, frame_bytes(Link::kEthernet, request_v4()));
  EXPECT_EQ(both.lane.taken, 0u);
}

TEST(PacketDealing, WhateverBytesThereAreLaneAndAddressesAgree) {
  std::mt19937 random(7);
  size_t taken = 0;
  for (const Link link : {Link::kEthernet, Link::kVlan, Link::kSll2, Link::kRaw101}) {
    for (const TcpPacket& packet : {request_v4(), request_v6()}) {
      const std::string frame = frame_bytes(link, packet);
      Dealing both;
      for (size_t size = 0; size <= frame.size(); ++size) {
        both.decode(link_type_of(link), frame.substr(0, size), frame.size());
      }
      for (int round = 0; round < 3'000; ++round) {
        std::string changed = frame;
        for (int i = 0; i < 1 + round % 3; ++i) {
          changed[random() % std::min<size_t>(changed.size(), 76)] = static_cast<char>(random());
        }
        both.decode(link_type_of(link), changed);
        if (testing::Test::HasFailure()) return;
      }
      taken += both.lane.taken;
    }
  }
  EXPECT_GT(taken, 5'000u);
}

}  // namespace
}  // namespace wiretally::pcap
