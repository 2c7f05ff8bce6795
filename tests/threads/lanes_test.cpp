// Lanes on threads of their own: a replay's, whose calls are told in one order, and the running
// agent's, whose calls go through channels. Both against one lane on one thread.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <string>
#include <thread>
#include <vector>

#include "capture_file.h"
#include "captures/busy_hour.h"
#include "captures/calls.h"
#include "credential_reader.h"
#include "lane_crew.h"
#include "lane_ears.h"
#include "ledger.h"
#include "ndjson/ndjson_sink.h"
#include "replay_lanes.h"
#include "support/encoder.h"
#include "usage_channel.h"

namespace wiretally {
namespace {

class Lines final : public EntrySink {
 public:
  void on_entry(const LedgerEntry& entry) override {
    std::string line;
    sinks::write_usage_record(entry, line);
    lines.push_back(std::move(line));
  }
  void on_call_opened(const CallOpened&) override {}
  void on_call_closed(const CallOpened&) override {}
  void on_suspect(Dialect) override {}
  void on_late_twin(std::string_view) override {}
  void on_time(EventTime) override {}
  void on_finish() override {}

  std::vector<std::string> lines;
};

const identity::HeaderCredentialReader& credentials() {
  static const identity::HeaderCredentialReader reader(identity::public_replay_key(),
                                                       identity::SubjectPrivacy::kPlain);
  return reader;
}

// --- replay --------------------------------------------------------------------------------------

std::vector<std::string> replayed(ByteView capture, uint32_t lanes) {
  const Limits limits;
  Lines lines;
  ledger::Ledger ledger(limits, {}, {&lines});
  ReplayLanes replay(limits, lanes, credentials(), ledger);
  auto file = pcap::CaptureFile::open_memory(capture);
  EXPECT_TRUE(file);
  EXPECT_TRUE(replay.read(*file, {}));
  ledger.drain();
  return lines.lines;
}

TEST(Lanes, AReplayIsTheSameOnTwoAndFour) {
  std::vector<test::TcpPacket> packets;
  // Longer than lanes may be apart.
  for (size_t bytes = 0; bytes < (20u << 20);) {
    for (const test::TcpPacket& packet : test::damaged(test::busy_hour(1), 1)) {
      bytes += packet.payload.size();
      packets.push_back(packet);
    }
  }
  const std::string capture = test::make_capture({}, packets);
  const std::string packed = test::encode(test::Coding::kGzip, capture);
  const std::vector<std::string> one = replayed(as_bytes(capture), 1);
  EXPECT_GE(one.size(), 100u);
  for (const uint32_t lanes : {2u, 4u}) {
    SCOPED_TRACE(std::to_string(lanes) + " lanes");
    EXPECT_TRUE(replayed(as_bytes(capture), lanes) == one);
    EXPECT_TRUE(replayed(as_bytes(packed), lanes) == one);  // unpacked on the way: dealt out
  }
}

// --- live ----------------------------------------------------------------------------------------

constexpr int kConnections = 24;
constexpr int kCalls = 25;  // on each
constexpr int64_t kStepNs = 1'000'000;

// A probed process's connection. What is told lives in a buffer that is used again at once, as a
// ring's is.
class Probed {
 public:
  Probed(CaptureSink& capture, uint64_t handle, int64_t& now_ns)
      : capture_(capture), handle_(handle), now_ns_(now_ns) {}

  FlowDemand tell(Transfer transfer, std::string_view bytes) {
    const auto side = static_cast<size_t>(transfer);
    buffer_.assign(bytes);
    const FlowDemand demand = capture_.on_chunk({.time = now(),
                                                 .connection = key(),
                                                 .transfer = transfer,
                                                 .offset = offset_[side],
                                                 .peer_offset = offset_[1 - side],
                                                 .joined = false,
                                                 .bytes = as_bytes(buffer_),
                                                 .library = 0});
    offset_[side] += bytes.size();
    std::fill(buffer_.begin(), buffer_.end(), '#');
    return demand;
  }
  void call(const test::Call& call) {
    tell(Transfer::kWritten, test::chat_request(call));
    const std::string answer = test::chat_answer(call);
    for (size_t at = 0; at < answer.size(); at += 150) {
      tell(Transfer::kRead, std::string_view(answer).substr(at, 150));
    }
  }
  uint64_t told_bytes() const { return offset_[0] + offset_[1]; }
  void eof() {
    capture_.on_connection_eof({.time = now(),
                                .connection = key(),
                                .transfer = Transfer::kRead,
                                .offset = offset_[static_cast<size_t>(Transfer::kRead)]});
  }
  void close() {
    capture_.on_connection_close(
        {.time = now(),
         .connection = key(),
         .reason = CloseReason::kFreed,
         .written_offset = offset_[static_cast<size_t>(Transfer::kWritten)],
         .read_offset = offset_[static_cast<size_t>(Transfer::kRead)]});
  }

 private:
  EventTime now() { return {.ns = now_ns_ += kStepNs, .clock = Clock::kBoot}; }
  ConnectionKey key() const {
    return {.pid = 77, .process_start_ns = 1, .handle = handle_, .generation = 1};
  }

  CaptureSink& capture_;
  uint64_t handle_;
  int64_t& now_ns_;
  uint64_t offset_[2] = {};
  std::string buffer_;
};

struct Heard {
  std::vector<std::string> lines;  // sorted: lanes end calls in an order of their own
  uint64_t told_bytes = 0;
  uint64_t accounted_bytes = 0;
  bool told_to_ignore = false;
};

// As in Agent: the reader's thread deals out, each lane has a thread, the ledger's thread drains
// the channels, and somebody scrapes meanwhile.
Heard heard_live(uint32_t lanes) {
  const Limits limits;
  struct Place {
    Place(const Limits& limits, uint32_t index, Counters& counters)
        : channel(limits.usage_channel_bytes),
          lane(limits, index, counters, credentials(), channel) {}
    UsageChannel channel;
    Lane lane;
  };
  Lines lines;
  ledger::LedgerOptions options;
  options.lanes = lanes;
  ledger::Ledger ledger(limits, options, {&lines});
  LaneEars ears(lanes, ledger);
  std::deque<Counters> counters;
  std::deque<Place> places;
  std::vector<LaneCrew::Seat> seats;
  for (uint32_t lane = 0; lane < lanes; ++lane) {
    places.emplace_back(limits, lane, counters.emplace_back());
    seats.push_back({.lane = &places.back().lane});
  }
  std::atomic<bool> over{false};
  std::thread ledger_thread([&] {
    const auto drain = [&] {
      for (size_t lane = 0; lane < lanes; ++lane) ears.drain(lane, places[lane].channel);
      ears.pass_time();
    };
    while (!over) {
      drain();
      std::this_thread::yield();
    }
    drain();
    ledger.drain();
  });
  std::thread scraper([&] {
    while (!over) {
      uint64_t refused = 0;
      for (const Place& place : places) {
        refused += place.lane.refused() + place.channel.dropped_messages();
      }
      EXPECT_EQ(refused, 0u);
      for (const Counters& one : counters) one.of(Source::kTls).parsed_bytes.value();
      std::this_thread::yield();
    }
  });
  Heard heard;
  {
    LaneCrew crew(std::move(seats), nullptr);
    int64_t now_ns = 1'000'000'000;
    std::vector<Probed> connections;
    for (uint64_t i = 1; i <= kConnections; ++i) {
      connections.emplace_back(crew, 0x7f00'0000'1000 + i * 0x240, now_ns);
    }
    Probed other(crew, 0x7f00'dead'0000, now_ns);  // no HTTP: the verdict comes back
    for (int turn = 0; turn < kCalls; ++turn) {
      for (int i = 0; i < kConnections; ++i) {
        connections[i].call({.number = i * kCalls + turn,
                             .text_bytes = 800,
                             .stream = turn % 2 == 1,
                             .gzip = i % 3 == 0});
        if (other.tell(Transfer::kWritten, "\x16\x03\x01 this is no HTTP") ==
            FlowDemand::kIgnoreFlow) {
          heard.told_to_ignore = true;
        }
      }
      crew.on_time({.ns = now_ns, .clock = Clock::kBoot});
      crew.send();
    }
    for (int i = 0; i < kConnections; i += 2) {
      connections[i].eof();
      connections[i].close();
    }
    crew.on_end({.ns = now_ns, .clock = Clock::kBoot});
    heard.told_bytes = other.told_bytes();
    for (const Probed& connection : connections) heard.told_bytes += connection.told_bytes();
  }
  over = true;
  ledger_thread.join();
  scraper.join();
  for (const Place& place : places) EXPECT_EQ(place.channel.dropped_messages(), 0u);
  for (const Counters& one : counters) {
    const SourceCounters& tls = one.of(Source::kTls);
    heard.accounted_bytes += tls.parsed_bytes.value();
    for (const Cell& cell : tls.skipped_bytes) heard.accounted_bytes += cell.value();
    for (const Cell& cell : tls.dropped_bytes) heard.accounted_bytes += cell.value();
  }
  heard.lines = std::move(lines.lines);
  std::sort(heard.lines.begin(), heard.lines.end());
  return heard;
}

TEST(Lanes, LiveChunksAreCountedTheSameOnTwoAndFour) {
  const Heard one = heard_live(1);
  EXPECT_EQ(one.lines.size(), size_t{kConnections} * kCalls);
  EXPECT_EQ(one.told_bytes, one.accounted_bytes);
  EXPECT_TRUE(one.told_to_ignore);
  for (const uint32_t lanes : {2u, 4u}) {
    SCOPED_TRACE(std::to_string(lanes) + " lanes");
    const Heard several = heard_live(lanes);
    EXPECT_EQ(several.told_bytes, several.accounted_bytes);
    EXPECT_TRUE(several.told_to_ignore);
    EXPECT_TRUE(several.lines == one.lines);
  }
}

}  // namespace
}  // namespace wiretally
