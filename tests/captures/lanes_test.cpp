// However many lanes: the same bytes come out, in every format, of damaged and doubled traffic too.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "binary.h"
#include "calls.h"
#include "goldens.h"

namespace wiretally::test {
namespace {

// Connections that go on at the same time, some of them seen a second time under a pod's address,
// some never closed, some reset, with long pauses and equal calls among them.
std::vector<TcpPacket> busy_hour(uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<std::vector<TcpPacket>> connections;
  for (int i = 0; i < 60; ++i) {
    Connection::Options options;
    options.client =
        endpoint("10.1.0." + std::to_string(1 + i % 7), static_cast<uint16_t>(40'000 + i));
    options.server = endpoint("10.96.0." + std::to_string(1 + i % 3), 80);
    options.start_ns = kCaptureStartNs + i * 7'000'000;
    options.segment_bytes = i % 4 == 0 ? 90 : 1'400;
    Connection connection(options);
    connection.open();
    for (int call = 0; call < 4; ++call) {
      const Call details{.number = (i / 2) * 10 + call, .stream = call % 2 == 1};
      connection.send(Party::kClient, chat_request(details));
      connection.wait_ms(static_cast<int64_t>(random() % 4'000));
      connection.send(Party::kServer, chat_answer(details));
    }
    if (i % 5 == 0) connection.reset(Party::kServer);
    if (i % 5 == 1) connection.close(Party::kClient);
    connections.push_back(connection.packets());
    if (i % 6 == 0) {
      const AddressChange to_pod{options.server, endpoint("10.244.1.5", 8'080)};
      connections.push_back(seen_as(connection.packets(), {to_pod}, 4'000));
    }
  }
  return merged(connections);
}

// Loses, doubles (some with other bytes) and swaps packets.
std::vector<TcpPacket> damaged(std::vector<TcpPacket> packets, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<TcpPacket> out;
  for (const TcpPacket& packet : packets) {
    const uint32_t dice = random() % 100;
    if (dice < 3) continue;
    out.push_back(packet);
    if (dice < 6) out.push_back(packet);
    // A copy that contradicts the first.
    if (dice < 4 && !out.back().payload.empty()) out.back().payload[0] ^= 1;
    if (dice >= 94 && out.size() > 1) std::swap(out.back(), out[out.size() - 2]);
  }
  return out;
}

void expect_same_on_any_lanes(const std::string& capture) {
  for (const char* format : {"ndjson", "csv", "prometheus"}) {
    for (const std::vector<std::string>& legs :
         {std::vector<std::string>{}, std::vector<std::string>{"--all-legs"}}) {
      const Outcome one = replay_bytes(capture, format, legs);
      EXPECT_EQ(one.exit_status, 0) << one.err;
      for (const char* lanes : {"2", "4", "7"}) {
        SCOPED_TRACE(std::string(format) + " on " + lanes + " lanes");
        std::vector<std::string> more = legs;
        more.insert(more.end(), {"--lanes", lanes});
        const Outcome several = replay_bytes(capture, format, more);
        EXPECT_EQ(several.exit_status, 0) << several.err;
        EXPECT_TRUE(several.out == one.out);
      }
    }
  }
}

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

// A pipe's bytes do not last: they are copied to the lanes.
TEST(Lanes, AFileAndAPipeAndTwoFilesComeOutTheSame) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("wiretally-lanes-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const auto write = [&](const char* name, const std::string& bytes) {
    const std::string path = (folder / name).string();
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  };
  const std::string first = write("first.pcap", make_capture({}, damaged(busy_hour(5), 5)));
  const std::string second = write("second.pcap", make_capture({}, busy_hour(6)));
  const auto replayed = [&](const std::vector<std::string>& files, const char* lanes) {
    std::vector<std::string> arguments = {"replay", "--format", "ndjson", "--lanes", lanes};
    arguments.insert(arguments.end(), files.begin(), files.end());
    const Outcome run = wiretally(arguments);
    EXPECT_EQ(run.exit_status, 0) << run.err;
    return run.out;
  };
  EXPECT_TRUE(
      replayed({first}, "3") ==
      replay_bytes(make_capture({}, damaged(busy_hour(5), 5)), "ndjson", {"--lanes", "2"}).out);
  EXPECT_TRUE(replayed({first, second}, "4") == replayed({first, second}, "1"));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace wiretally::test
