// IP fragments: put together in every order, of inner and outer packets, and dropped by name where
// that cannot be.
#include <gmock/gmock.h>

#include <algorithm>
#include <random>

#include "unit/pcap/decoder_bench.h"

namespace wiretally::pcap {
namespace {

// The IP packet cut at these offsets of its payload (multiples of 8).
std::vector<std::string> fragments_of(const std::string& ip, const std::vector<size_t>& cuts,
                                      uint32_t id = 77) {
  const bool v6 = static_cast<uint8_t>(ip[0]) >> 4 == 6;
  const size_t header_bytes = v6 ? 40 : 20;
  const std::string payload = ip.substr(header_bytes);
  std::vector<std::string> result;
  size_t from = 0;
  for (size_t i = 0; i <= cuts.size(); ++i) {
    const size_t until = i < cuts.size() ? cuts[i] : payload.size();
    const bool more = i < cuts.size();
    const std::string part = payload.substr(from, until - from);
    std::string fragment = ip.substr(0, header_bytes);
    if (v6) {
      fragment.replace(4, 2, be16(static_cast<uint32_t>(part.size() + 8)));
      fragment[6] = 44;
      fragment += ip.substr(6, 1) + '\0' + be16(static_cast<uint32_t>(from | (more ? 1 : 0))) +
                  be32(id) + part;
    } else {
      fragment.replace(2, 2, be16(static_cast<uint32_t>(20 + part.size())));
      fragment.replace(4, 2, be16(id));
      fragment.replace(6, 2, be16(static_cast<uint32_t>(from / 8 | (more ? 0x2000 : 0))));
      fragment += part;
    }
    result.push_back(fragment);
    from = until;
  }
  return result;
}

TcpPacket long_request(bool v6) {
  TcpPacket packet = v6 ? request_v6() : request_v4();
  packet.payload.clear();
  for (int i = 0; i < 3000; ++i) packet.payload += static_cast<char>('a' + i * 7 % 26);
  return packet;
}

// A bench whose clock can be set.
struct Table : Bench {
  using Bench::Bench;
  void decode_at(int64_t ns, const std::string& bytes, size_t wire_bytes = 0) {
    RawPacket raw;
    raw.time.ns = ns;
    raw.link_type = 12;
    raw.bytes = as_bytes(bytes);
    raw.wire_bytes = static_cast<uint32_t>(wire_bytes != 0 ? wire_bytes : bytes.size());
    raw.number = ++number;
    decoder.decode(raw);
    check_identity();
  }
  void feed(const std::vector<std::string>& packets) {
    for (const std::string& packet : packets) decode_at(1'000'000'000, packet);
  }
  uint64_t copies() {
    return packets().skipped_bytes[static_cast<size_t>(SkipReason::kStreamDuplicate)].value();
  }
  void finish() {
    decoder.finish();
    check_identity();
  }
};

TEST(Fragments, OfBothFamiliesInEveryOrder) {
  for (const bool v6 : {false, true}) {
    const TcpPacket packet = long_request(v6);
    std::vector<std::string> parts = fragments_of(ip_bytes(packet), {8, 1000, 2008});
    std::vector<size_t> order = {0, 1, 2, 3};
    size_t orders = 0;
    do {
      Table table;
      for (const size_t part : order) table.decode_at(123'456'789, parts[part]);
      ASSERT_EQ(table.sink.kept.size(), 1u);
      EXPECT_EQ(table.sink.kept[0].payload, packet.payload);
      EXPECT_EQ(table.sink.kept[0].segment.source, packet.source);
      EXPECT_EQ(table.sink.kept[0].segment.sequence, packet.sequence);
      EXPECT_FALSE(table.sink.kept[0].segment.checksum_bad);
      table.finish();
      EXPECT_EQ(table.packets().captured_events.value(), 1u);
      ++orders;
    } while (std::next_permutation(order.begin(), order.end()));
    EXPECT_EQ(orders, 24u);
  }
}

TEST(Fragments, AFirstOneShorterThanTheTcpHeaderIsNoHeaderYet) {
  Table table;
  table.feed(fragments_of(ip_bytes(long_request(false)), {8, 16}));
  ASSERT_EQ(table.sink.kept.size(), 1u);
  EXPECT_EQ(table.sink.kept[0].payload, long_request(false).payload);
}

TEST(Fragments, FramesHavePadding) {
  const TcpPacket packet = request_v4();
  Bench bench;
  for (const std::string& part : fragments_of(ip_bytes(packet), {32}))
    bench.decode(1, frame_bytes(Link::kEthernet, part) + std::string(18, '\0'));
  ASSERT_EQ(bench.sink.kept.size(), 1u);
  EXPECT_EQ(bench.sink.kept[0].payload, packet.payload);
}

TEST(Fragments, OfOuterPackets) {
  const TcpPacket packet = long_request(false);
  const std::string frame = frame_bytes(Link::kEthernet, packet);
  const IpAddress a = endpoint("fd00:1::1", 0).address;
  const IpAddress b = endpoint("fd00:1::2", 0).address;
  for (const std::string& outer :
       {outer_udp(4789, vxlan_bytes(7, frame)), outer_udp(8472, vxlan_bytes(7, frame)),
        outer_udp(6081, be32(0x0000'6558) + be32(0x700) + frame),
        ip_bytes(kOuterA, kOuterB, 4, ip_bytes(packet)),
        ip_bytes(kOuterA, kOuterB, kGre, be32(0x0800) + ip_bytes(packet)),
        ip_bytes(a, b, kUdp, udp_bytes(4789, vxlan_bytes(7, frame)))}) {
    Table table;
    std::vector<std::string> parts = fragments_of(outer, {1480});
    table.feed({parts[1], parts[0]});
    ASSERT_EQ(table.sink.kept.size(), 1u);
    EXPECT_EQ(table.sink.kept[0].payload, packet.payload);
    EXPECT_EQ(table.sink.kept[0].segment.source, packet.source);
  }
}

TEST(Fragments, InsideFragments) {
  const TcpPacket packet = long_request(false);
  Table table;
  for (const std::string& inner : fragments_of(ip_bytes(packet), {1400}))
    table.feed(fragments_of(outer_udp(4789, vxlan_bytes(7, frame_bytes(Link::kEthernet, inner))),
                            {800}, static_cast<uint32_t>(inner.size())));
  ASSERT_EQ(table.sink.kept.size(), 1u);
  EXPECT_EQ(table.sink.kept[0].payload, packet.payload);
}

TEST(Fragments, NestedWithoutEndAreLimited) {
  const TcpPacket packet = request_v6();
  // A last fragment of everything, whose content is a fragment header again, and again.
  std::string content = test::tcp_bytes(packet);
  std::vector<std::string> packets;
  for (uint32_t level = 0; level < 6; ++level) {
    const std::string whole =
        ip_bytes(packet.source.address, packet.destination.address, level == 0 ? 6 : 44, content);
    const std::vector<std::string> parts = fragments_of(whole, {8}, 100 + level);
    packets.insert(packets.begin(), parts[1]);
    content = parts[0].substr(40);
    if (level == 5) packets.push_back(parts[0]);
  }
  Table table;
  table.feed(packets);
  table.finish();
  EXPECT_TRUE(table.sink.kept.empty());
  EXPECT_EQ(table.drops(DropReason::kPacketTunnelDepth), 1u);
}

TEST(Fragments, CopiesOfThemArePassedOver) {
  const TcpPacket packet = long_request(false);
  const std::vector<std::string> parts = fragments_of(ip_bytes(packet), {1480});
  Table table;
  table.feed({parts[0], parts[0], parts[1], parts[1]});  // as veth and bridge show them
  EXPECT_EQ(table.sink.kept.size(), 1u);
  EXPECT_EQ(table.copies(), packet.payload.size());
  table.finish();
  EXPECT_EQ(table.packets().captured_bytes.value(), 2 * packet.payload.size());
  EXPECT_EQ(table.drops(DropReason::kPacketFragment), 0u);
}

TEST(Fragments, OneIdentificationForManyPackets) {
  TcpPacket packet = long_request(false);
  Table table;
  for (uint32_t i = 0; i < 20; ++i) {
    packet.sequence += 3000;
    packet.payload[2900] = static_cast<char>('A' + i);
    table.feed(fragments_of(ip_bytes(packet), {1480}, 1));
    ASSERT_EQ(table.sink.kept.size(), i + 1);
    EXPECT_EQ(table.sink.kept[i].payload, packet.payload);
  }
}

TEST(Fragments, OverlapsThatAgreeDoNoHarm) {
  const TcpPacket packet = long_request(false);
  const std::string ip = ip_bytes(packet);
  const std::vector<std::string> some = fragments_of(ip, {800, 1600});
  const std::vector<std::string> others = fragments_of(ip, {400, 1200});
  Table table;
  table.feed({some[0], others[1], some[2], others[0], some[1]});
  ASSERT_EQ(table.sink.kept.size(), 1u);
  EXPECT_EQ(table.sink.kept[0].payload, packet.payload);
}

TEST(Fragments, ContradictionsDropTheWholePacket) {
  const TcpPacket packet = long_request(false);
  const std::string ip = ip_bytes(packet);
  const std::vector<std::string> parts = fragments_of(ip, {800, 1600});
  const uint64_t payload = packet.payload.size();

  // Another byte for one place: nobody knows which the receiver takes.
  std::string forged = parts[1];
  forged[100] = static_cast<char>(forged[100] ^ 1);
  Table table;
  table.feed({parts[0], parts[1], forged, parts[2]});
  EXPECT_TRUE(table.sink.kept.empty());
  EXPECT_EQ(table.drop_bytes(DropReason::kPacketFragmentConflict), payload + 800);

  // An end before bytes that came; another end; bytes behind the end; a length that is no multiple
  // of 8 though more follow; an end beyond what IP can say.
  const std::vector<std::string> shorter = fragments_of(ip.substr(0, 20 + 1000), {800}, 77);
  std::string odd = parts[1];
  odd.replace(2, 2, be16(20 + 799));
  std::string huge = parts[1];
  huge.replace(6, 2, be16(0x2000 | 8191));
  for (const std::vector<std::string>& contradicting :
       std::vector<std::vector<std::string>>{{parts[0], parts[1], shorter[1]},
                                             {shorter[1], parts[1]},
                                             {parts[2], shorter[1]},
                                             {parts[0], odd},
                                             {parts[0], huge}}) {
    Table other;
    other.feed(contradicting);
    other.finish();
    EXPECT_TRUE(other.sink.kept.empty());
    EXPECT_EQ(other.drops(DropReason::kPacketFragmentConflict), 2u);
    EXPECT_EQ(other.drops(DropReason::kPacketFragment), 0u);
  }
  // A second later the identification may be another packet's.
  table.decode_at(3'000'000'000, parts[0]);
  table.decode_at(3'000'000'000, parts[1]);
  table.decode_at(3'000'000'000, parts[2]);
  EXPECT_EQ(table.sink.kept.size(), 1u);
}

TEST(Fragments, LostOnesAreAGapThatIsNamed) {
  const TcpPacket packet = long_request(false);
  const std::vector<std::string> parts = fragments_of(ip_bytes(packet), {800, 1600});
  Table table;
  table.feed({parts[0], parts[2]});
  EXPECT_EQ(table.packets().captured_events.value(), 0u) << "they may still be put together";
  table.finish();
  EXPECT_EQ(table.drops(DropReason::kPacketFragment), 1u);
  EXPECT_EQ(table.drop_bytes(DropReason::kPacketFragment), packet.payload.size() - 800);
  Table without_first;
  without_first.feed({parts[1]});
  without_first.finish();
  EXPECT_EQ(without_first.drop_bytes(DropReason::kPacketFragment), 800u);
  Table tunnel;  // of which the payload is not known
  tunnel.feed({fragments_of(ip_bytes(kOuterA, kOuterB, 4, ip_bytes(packet)), {1480})[1]});
  tunnel.finish();
  EXPECT_EQ(tunnel.drops(DropReason::kPacketFragment), 1u);
  EXPECT_EQ(tunnel.drop_bytes(DropReason::kPacketFragment), 0u);
}

TEST(Fragments, TooOldOnesMakeNoPacketWithNewOnes) {
  const std::vector<std::string> parts = fragments_of(ip_bytes(long_request(false)), {1480});
  Table table;
  table.decode_at(1'000'000'000, parts[0]);
  table.decode_at(32'000'000'000, parts[1]);
  EXPECT_TRUE(table.sink.kept.empty());
  EXPECT_EQ(table.drops(DropReason::kPacketFragment), 1u);
  table.decode_at(10'000'000'000, parts[0]);  // the clock runs backwards
  EXPECT_EQ(table.sink.kept.size(), 1u);
}

TEST(Fragments, CutByTheCaptureAreMissingBytesNotData) {
  const TcpPacket packet = long_request(false);
  const std::vector<std::string> parts = fragments_of(ip_bytes(packet), {1480});
  Table table;
  table.decode_at(1, parts[0].substr(0, 100), parts[0].size());
  table.decode_at(2, parts[1]);
  ASSERT_EQ(table.sink.kept.size(), 1u);
  EXPECT_EQ(table.sink.kept[0].payload, packet.payload.substr(0, 100 - 40));
  EXPECT_EQ(table.sink.kept[0].segment.payload_wire_bytes, packet.payload.size());
  EXPECT_EQ(table.missing(), packet.payload.size() - 60);
}

TEST(Fragments, OfUdpThatIsNoTunnelAreNoTcp) {
  Table table;
  const std::vector<std::string> parts =
      fragments_of(outer_udp(53, std::string(3000, 'd')), {1480});
  table.feed(parts);
  EXPECT_EQ(table.not_tcp(), 2u);
  table.feed({fragments_of(outer_udp(53, std::string(3000, 'd')), {1480}, 78)[1]});
  table.feed(fragments_of(ip_bytes(kOuterA, kOuterB, 1, std::string(3000, 'e')), {1480}, 79));
  table.finish();
  EXPECT_EQ(table.not_tcp(), 5u);
  EXPECT_EQ(table.packets().captured_events.value(), 0u);
}

TEST(Fragments, TheOldestMakesRoomAndIsCounted) {
  Limits limits;
  limits.fragment_packets_max = 4;
  Table table(limits);
  const TcpPacket packet = long_request(false);
  for (uint32_t id = 1; id <= 6; ++id) table.feed({fragments_of(ip_bytes(packet), {1480}, id)[0]});
  EXPECT_EQ(table.drops(DropReason::kPacketFragmentsFull), 2u);
  EXPECT_EQ(table.drop_bytes(DropReason::kPacketFragmentsFull), 2u * 1460);
  table.feed({fragments_of(ip_bytes(packet), {1480}, 3)[1]});
  EXPECT_EQ(table.sink.kept.size(), 1u) << "the others are still there";
}

TEST(Fragments, MemoryIsLimited) {
  Limits limits;
  limits.fragment_bytes_total = 200'000;
  auto counters = std::make_unique<Counters>();
  FragmentTable table(limits, *counters);
  const std::string bytes(1480, 'x');
  FragmentTable::Packet packet;
  for (uint32_t id = 0; id < 2000; ++id) {
    for (const uint32_t offset : {0u, 60'000u}) {
      EXPECT_FALSE(table.add({.key = {{id}},
                              .protocol = 6,
                              .offset = offset,
                              .more = true,
                              .bytes = as_bytes(bytes),
                              .wire_bytes = bytes.size()},
                             packet));
      ASSERT_LE(table.bytes_reserved(), limits.fragment_bytes_total);
    }
  }
  const SourceCounters& counted = counters->of(Source::kPacket);
  EXPECT_GT(counted.dropped_events[static_cast<size_t>(DropReason::kPacketFragmentsFull)].value(),
            1900u);
}

TEST(Fragments, MoreThanTheWholeMemoryIsRefused) {
  Limits limits;
  limits.fragment_bytes_total = 4096;
  Table table(limits);
  table.feed(fragments_of(ip_bytes(long_request(false)), {1480}));
  EXPECT_EQ(table.sink.kept.size(), 1u);
  TcpPacket large = long_request(false);
  large.payload += large.payload;
  table.feed(fragments_of(ip_bytes(large), {1480, 4000}, 5));
  table.finish();
  EXPECT_EQ(table.sink.kept.size(), 1u);
  EXPECT_EQ(table.drop_bytes(DropReason::kPacketFragmentsFull), large.payload.size());
}

TEST(Fragments, OfRandomCutsOrdersAndCopies) {
  std::mt19937 random(7);
  const auto pick = [&](size_t from, size_t to) {
    return std::uniform_int_distribution<size_t>(from, to)(random);
  };
  for (int round = 0; round < 300; ++round) {
    TcpPacket packet = long_request(round % 2 == 1);
    packet.payload.resize(pick(0, 3000));
    const std::string ip = ip_bytes(packet);
    const size_t blocks = (ip.size() - (round % 2 == 1 ? 40 : 20) - 1) / 8;
    std::vector<std::string> parts;
    for (int copy = 0; copy < 3; ++copy) {
      std::vector<size_t> cuts;
      for (size_t block = pick(1, 60); block <= blocks; block += pick(1, 60))
        cuts.push_back(block * 8);
      for (std::string& part : fragments_of(ip, cuts)) parts.push_back(part);
    }
    std::shuffle(parts.begin(), parts.end(), random);
    Bench bench;
    for (const std::string& part : parts) {
      RawPacket raw;
      raw.link_type = 12;
      raw.bytes = as_bytes(part);
      raw.wire_bytes = static_cast<uint32_t>(part.size());
      bench.decoder.decode(raw);
    }
    // Whether put together once or, behind its completion, again from copies.
    ASSERT_GE(bench.sink.kept.size(), 1u);
    for (const auto& kept : bench.sink.kept) ASSERT_EQ(kept.payload, packet.payload);
    bench.decoder.finish();
    EXPECT_EQ(bench.drops(DropReason::kPacketFragmentConflict), 0u);
  }
}

}  // namespace
}  // namespace wiretally::pcap
