// However many lanes: the same bytes come out, in every format, of damaged and doubled traffic too.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "binary.h"
#include "busy_hour.h"
#include "calls.h"
#include "goldens.h"
#include "support/encoder.h"

namespace wiretally::test {
namespace {

// Lanes read a file by themselves, and are handed what comes through a pipe.
void expect_same_on_any_lanes(const std::string& capture,
                              const std::vector<std::string>& options = {}) {
  const TemporaryFolder folder;
  const std::string file = folder.save("capture", capture);
  for (const char* format : {"ndjson", "csv", "prometheus"}) {
    for (const std::vector<std::string>& legs :
         {std::vector<std::string>{}, std::vector<std::string>{"--all-legs"}}) {
      std::vector<std::string> given = options;
      given.insert(given.end(), legs.begin(), legs.end());
      const Outcome one = replay_bytes(capture, format, given);
      EXPECT_EQ(one.exit_status, 0) << one.err;
      for (const char* lanes : {"2", "4", "7"}) {
        SCOPED_TRACE(std::string(format) + " on " + lanes + " lanes");
        std::vector<std::string> more = given;
        more.insert(more.end(), {"--lanes", lanes});
        const Outcome several = replay_bytes(capture, format, more);
        EXPECT_EQ(several.exit_status, 0) << several.err;
        EXPECT_TRUE(several.out == one.out);
        more.insert(more.begin(), {"replay", "--format", format, file});
        const Outcome of_file = wiretally(more);
        EXPECT_EQ(of_file.exit_status, 0) << of_file.err;
        EXPECT_TRUE(of_file.out == one.out);
      }
    }
  }
}

// --- tunnels and fragments -----------------------------------------------------------------------

// RFC 791 section 3.2: the packet in parts of so many bytes of content, a multiple of 8.
std::vector<std::string> fragments(const std::string& ip, uint16_t id, size_t part_bytes) {
  constexpr size_t kHead = 20;
  const std::string content = ip.substr(kHead);
  std::vector<std::string> parts;
  for (size_t at = 0; at < content.size(); at += part_bytes) {
    const std::string part = content.substr(at, part_bytes);
    const uint32_t more = at + part_bytes < content.size() ? 0x2000 : 0;
    std::string head = ip.substr(0, kHead);
    head.replace(2, 2, be16(static_cast<uint32_t>(kHead + part.size())));
    head.replace(4, 2, be16(id));
    head.replace(6, 2, be16(static_cast<uint32_t>(at / 8) | more));
    head.replace(10, 2, be16(0));
    head.replace(10, 2, be16(internet_checksum(head)));
    parts.push_back(head + part);
  }
  return parts;
}

// As a node sends it to another one: RFC 7348.
std::string in_vxlan(const std::string& ip, uint16_t port) {
  const IpAddress from = endpoint("172.16.0.1", 0).address;
  const IpAddress to = endpoint("172.16.0.2", 0).address;
  const std::string head = be32(0x0800'0000) + be32(77 << 8);
  return ip_bytes(from, to, 17, udp_bytes(port, head + frame_bytes(Link::kEthernet, ip)));
}

enum class Path {
  kPlain,
  kVxlan,
  kFlannel,         // VXLAN on the port of old
  kInnerFragments,  // cut, then put into the tunnel
  kOuterFragments,  // put into the tunnel, then cut
  kBackwards,       // fragments that come last one first
};
constexpr Path kAllPaths[] = {Path::kPlain,          Path::kVxlan,          Path::kFlannel,
                              Path::kInnerFragments, Path::kOuterFragments, Path::kBackwards};

std::vector<std::string> frames_of(const TcpPacket& packet, Path path, uint16_t id) {
  constexpr size_t kPartBytes = 488;
  const std::string ip = ip_bytes(packet);
  std::vector<std::string> packets;
  switch (path) {
    case Path::kPlain:
      packets = {ip};
      break;
    case Path::kVxlan:
      packets = {in_vxlan(ip, 4789)};
      break;
    case Path::kFlannel:
      packets = {in_vxlan(ip, 8472)};
      break;
    case Path::kInnerFragments:
      for (const std::string& part : fragments(ip, id, kPartBytes)) {
        packets.push_back(in_vxlan(part, 4789));
      }
      break;
    case Path::kOuterFragments:
      packets = fragments(in_vxlan(ip, 4789), id, kPartBytes);
      break;
    case Path::kBackwards:
      packets = fragments(ip, id, kPartBytes);
      std::reverse(packets.begin(), packets.end());
      break;
  }
  for (std::string& each : packets) each = frame_bytes(Link::kEthernet, each);
  return packets;
}

// Each connection takes a path of its own.
template <typename PathOf>
std::string capture_on_paths(const std::vector<TcpPacket>& packets, const PathOf& path_of) {
  PcapWriter writer({.nanoseconds = true});
  uint16_t id = 0;
  for (const TcpPacket& packet : packets) {
    for (const std::string& frame : frames_of(packet, path_of(packet), ++id)) {
      writer.add(packet.time_ns, frame);
    }
  }
  return writer.bytes();
}

std::set<std::string> response_ids(const std::string& capture) {
  std::set<std::string> ids;
  for (const Json& record : records_of(replay_bytes(capture, "ndjson").out)) {
    if (record["response_id"].is_string()) ids.insert(record["response_id"]);
  }
  return ids;
}

TEST(Lanes, TunnelledAndFragmentedTrafficComesOutTheSame) {
  for (uint32_t seed = 1; seed <= 2; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::vector<TcpPacket> packets = busy_hour(seed);
    const auto path_of = [](const TcpPacket& packet) {
      const bool v4 = packet.source.address.version == 4;
      const uint32_t pick = (packet.source.port + packet.destination.port) % std::size(kAllPaths);
      return v4 ? kAllPaths[pick] : pick % 2 == 0 ? Path::kVxlan : Path::kPlain;
    };
    EXPECT_EQ(response_ids(capture_on_paths(packets, path_of)),
              response_ids(make_capture({}, packets)));
    expect_same_on_any_lanes(capture_on_paths(packets, path_of));
    expect_same_on_any_lanes(capture_on_paths(damaged(packets, seed), path_of));
  }
}

// Whether a packet is of such a port its own lane says, or the one that decodes it for all.
TEST(Lanes, APortFilterLeavesTheSame) {
  const std::vector<TcpPacket> packets = busy_hour(3);
  const auto path_of = [](const TcpPacket& packet) {
    return kAllPaths[(packet.source.port + packet.destination.port) % std::size(kAllPaths)];
  };
  const std::string capture = capture_on_paths(packets, path_of);
  // All talk to one server: half of the clients' ports.
  std::set<uint16_t> ports;
  for (const TcpPacket& packet : packets) {
    const uint16_t client = std::max(packet.source.port, packet.destination.port);
    if (client % 2 == 0) ports.insert(client);
  }
  std::string list;
  for (const uint16_t port : ports) list += (list.empty() ? "" : ",") + std::to_string(port);
  const std::vector<std::string> filter = {"--port", list};
  expect_same_on_any_lanes(capture, filter);
  const size_t left = records_of(replay_bytes(capture, "ndjson", filter).out).size();
  EXPECT_GT(left, 0u);
  EXPECT_LT(left, records_of(replay_bytes(capture, "ndjson").out).size());
}

TEST(Lanes, OneCallOnAnyPathIsOneRecord) {
  const Call call{.number = 7, .stream = true};
  Connection connection(Connection::Options{});
  connection.open();
  connection.send(Party::kClient, chat_request(call));
  connection.wait_ms(5);
  connection.send(Party::kServer, chat_answer(call));
  connection.close(Party::kClient);
  for (const Path path : kAllPaths) {
    SCOPED_TRACE("path " + std::to_string(static_cast<int>(path)));
    const std::string capture =
        capture_on_paths(connection.packets(), [path](const TcpPacket&) { return path; });
    for (const char* lanes : {"1", "2", "4"}) {
      const Outcome run = replay_bytes(capture, "ndjson", {"--lanes", lanes});
      const std::vector<Json> records = records_of(run.out);
      ASSERT_EQ(records.size(), 1u) << lanes << run.out << run.err;
      EXPECT_EQ(records[0]["subject"], subject_of(call));
      EXPECT_EQ(records[0]["output_tokens"], call.number + 1);
      EXPECT_EQ(records[0]["lost_bytes"], 0);
      EXPECT_TRUE(records[0]["flags"].empty()) << records[0].dump();
    }
  }
}

// The same packet on the way into the tunnel and out of it, as a capture on `any` has it.
TEST(Lanes, OneCallInsideAndOutsideItsTunnelIsOneRecord) {
  const Call call{.number = 9};
  Connection connection(Connection::Options{});
  connection.open();
  connection.send(Party::kClient, chat_request(call));
  connection.wait_ms(5);
  connection.send(Party::kServer, chat_answer(call));
  connection.close(Party::kClient);
  PcapWriter writer({.nanoseconds = true});
  uint16_t id = 0;
  for (const TcpPacket& packet : connection.packets()) {
    ++id;
    for (const Path path : {Path::kPlain, Path::kOuterFragments, Path::kVxlan}) {
      for (const std::string& frame : frames_of(packet, path, id)) {
        writer.add(packet.time_ns, frame);
      }
    }
  }
  for (const char* lanes : {"1", "2", "4"}) {
    const Outcome run = replay_bytes(writer.bytes(), "ndjson", {"--lanes", lanes});
    const std::vector<Json> records = records_of(run.out);
    ASSERT_EQ(records.size(), 1u) << lanes << run.out;
    EXPECT_EQ(records[0]["output_tokens"], call.number + 1);
    EXPECT_TRUE(records[0]["flags"].empty()) << records[0].dump();
  }
}

// --- traffic of all kinds
// --------------------------------------------------------------------------

TEST(Lanes, BusyTrafficComesOutTheSame) {
  const std::string capture = make_capture({}, busy_hour(1));
  EXPECT_GE(records_of(replay_bytes(capture, "ndjson").out).size(), 150u);
  expect_same_on_any_lanes(capture);
}

TEST(Lanes, DamagedTrafficComesOutTheSame) {
  for (uint32_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    expect_same_on_any_lanes(make_capture({}, damaged(busy_hour(seed), seed)));
  }
}

TEST(Lanes, EveryGoldenComesOutTheSame) {
  for (const Golden& golden : goldens()) {
    SCOPED_TRACE(golden.file);
    expect_same_on_any_lanes(golden.bytes);
  }
}

TEST(Lanes, SeveralFilesComeOutTheSame) {
  const TemporaryFolder folder;
  const std::string first = folder.save("first", make_capture({}, damaged(busy_hour(5), 5)));
  const std::string packed =
      folder.save("packed.gz", encode(Coding::kGzip, make_capture({}, busy_hour(7))));
  const std::string second = folder.save("second", make_capture({}, busy_hour(6)));
  const auto replayed = [&](const char* lanes) {
    const Outcome run =
        wiretally({"replay", "--format", "ndjson", "--lanes", lanes, first, packed, second});
    EXPECT_EQ(run.exit_status, 0) << run.err;
    return run.out;
  };
  const std::string one = replayed("1");
  EXPECT_GE(records_of(one).size(), 150u);
  for (const char* lanes : {"2", "4"}) EXPECT_TRUE(replayed(lanes) == one) << lanes;
}

// As long as it takes the lanes to wait for each other: calls of many rounds, and connections that
// last through all of them.
TEST(Lanes, ALongFileComesOutTheSame) {
  PcapWriter writer({.nanoseconds = true});
  for (uint32_t seed = 1; writer.bytes().size() < (40u << 20); ++seed) {
    for (const TcpPacket& packet : busy_hour(seed % 3)) {
      TcpPacket later = packet;
      later.time_ns += static_cast<int64_t>(seed) * 3'600'000'000'000;
      writer.add(later.time_ns, frame_bytes(Link::kEthernet, ip_bytes(later)));
    }
  }
  const TemporaryFolder folder;
  const std::string file = folder.save("long", writer.bytes());
  const auto replayed = [&](const char* lanes) {
    const Outcome run = wiretally({"replay", "--format", "ndjson", "--lanes", lanes, file});
    EXPECT_EQ(run.exit_status, 0) << run.err;
    return run.out;
  };
  const std::string one = replayed("1");
  EXPECT_GE(records_of(one).size(), 150u);
  for (const char* lanes : {"2", "3"}) EXPECT_TRUE(replayed(lanes) == one) << lanes;
}

// What is wrong with a file is said once, whoever reads it.
TEST(Lanes, ACutFileIsSaidAsByOneLane) {
  const TemporaryFolder folder;
  std::string capture = make_capture({}, busy_hour(2));
  const std::string file = folder.save("cut", capture.substr(0, capture.size() * 2 / 3));
  const auto replayed = [&](const char* lanes) {
    return wiretally({"replay", "--format", "ndjson", "--lanes", lanes, file});
  };
  const Outcome one = replayed("1");
  EXPECT_NE(one.exit_status, 0);
  for (const char* lanes : {"2", "4"}) {
    const Outcome several = replayed(lanes);
    EXPECT_EQ(several.exit_status, one.exit_status);
    EXPECT_TRUE(several.out == one.out) << lanes;
    EXPECT_EQ(several.errors(), one.errors());
    EXPECT_EQ(several.errors().size(), 1u);
  }
}

}  // namespace
}  // namespace wiretally::test
