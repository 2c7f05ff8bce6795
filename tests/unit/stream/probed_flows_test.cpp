#include <gtest/gtest.h>

#include "unit/stream/table.h"

namespace wiretally::stream {
namespace {

class Probed : public testing::Test {
 protected:
  ~Probed() override {
    EXPECT_EQ(table.sink.violation, "");
    EXPECT_EQ(table.sink.unaccounted(Source::kTls), 0);
    table.end();
    EXPECT_EQ(table.sink.violation, "");
    for (const auto& [id, log] : table.sink.flows) EXPECT_TRUE(log.closed) << id;
    for (const Cell& cell : table.counters->of(Source::kTls).missing_bytes) {
      EXPECT_EQ(cell.value(), 0u) << "the probe counts what is missing";
    }
  }
  EventTime tick() { return {.ns = table.now_ns += kMs, .clock = Clock::kBoot}; }

  FlowDemand chunk(Transfer transfer, uint64_t offset, uint64_t peer_offset,
                   std::string_view text) {
    Chunk chunk;
    chunk.time = tick();
    chunk.connection = key;
    chunk.transfer = transfer;
    chunk.offset = offset;
    chunk.peer_offset = peer_offset;
    chunk.joined = joined;
    chunk.bytes = as_bytes(text);
    table.counters->capture(Source::kTls, text.size());
    return table.room.on_chunk(chunk);
  }
  FlowDemand wrote(uint64_t offset, uint64_t peer_offset, std::string_view text) {
    return chunk(Transfer::kWritten, offset, peer_offset, text);
  }
  FlowDemand read(uint64_t offset, uint64_t peer_offset, std::string_view text) {
    return chunk(Transfer::kRead, offset, peer_offset, text);
  }
  void close(uint64_t written, uint64_t read_bytes, CloseReason reason = CloseReason::kFreed) {
    table.room.on_connection_close({.time = tick(),
                                    .connection = key,
                                    .reason = reason,
                                    .written_offset = written,
                                    .read_offset = read_bytes});
  }
  uint64_t skipped(SkipReason reason) const {
    return table.counters->of(Source::kTls).skipped_bytes[static_cast<size_t>(reason)].value();
  }

  Table table;
  ConnectionKey key{.pid = 42, .process_start_ns = 7, .handle = 0xABCDEF, .generation = 1};
  bool joined = false;
};

TEST_F(Probed, BothDirectionsInOrder) {
  EXPECT_EQ(wrote(0, 0, "question"), FlowDemand::kMore);
  read(0, 8, "ans");
  read(3, 8, "wer");
  close(8, 6);
  EXPECT_EQ(table.asked(), "question");
  EXPECT_EQ(table.answered(), "answer");
  EXPECT_EQ(table.flow().info.source, Source::kTls);
  EXPECT_EQ(table.flow().info.pid, 42u);
  EXPECT_FALSE(table.flow().info.a.known());
  EXPECT_EQ(table.last().reason, CloseReason::kFreed);
  EXPECT_EQ(table.last().closed_by, Direction::kAToB);
  EXPECT_FALSE(table.last().incomplete);
  EXPECT_EQ(table.flow().events[2].peer_offset, 8u);
  EXPECT_EQ(table.room.flows(), 0u);
}

TEST_F(Probed, JumpIsAGap) {
  wrote(0, 0, "abc");
  wrote(10, 0, "xyz");
  EXPECT_EQ(table.asked(), "abc[7]xyz");
}

TEST_F(Probed, FirstBytesLost) {
  joined = true;
  wrote(4, 0, "abc");
  EXPECT_EQ(table.asked(), "[4]abc");
  EXPECT_TRUE(table.flow().info.joined_midstream);
}

TEST_F(Probed, OverlapIsADuplicate) {
  wrote(0, 0, "abcdef");
  wrote(3, 0, "defgh");
  wrote(0, 0, "abc");
  EXPECT_EQ(table.asked(), "abcdefgh");
  EXPECT_EQ(skipped(SkipReason::kStreamDuplicate), 6u);
}

TEST_F(Probed, OtherDirectionBehindIsLostBeforeTheChunk) {
  wrote(0, 0, "abc");
  read(0, 20, "answer");
  EXPECT_EQ(table.asked(), "abc[17]");
  const auto& events = table.flow().events;
  EXPECT_EQ(events[events.size() - 2].kind, StreamEvent::Kind::kGap);
  EXPECT_EQ(events.back().kind, StreamEvent::Kind::kData);
}

TEST_F(Probed, TailsLostShowAtTheClose) {
  wrote(0, 0, "abc");
  read(0, 3, "answer");
  close(5, 10, CloseReason::kExit);
  EXPECT_EQ(table.asked(), "abc[2]");
  EXPECT_EQ(table.answered(), "answer[4]");
  EXPECT_TRUE(table.last().incomplete);
  EXPECT_EQ(table.last().reason, CloseReason::kExit);
}

TEST_F(Probed, AuditShowsLostTailsWithoutClosing) {
  wrote(0, 0, "abc");
  table.room.on_connection_audit(
      {.time = tick(), .connection = key, .written_offset = 5, .read_offset = 9});
  EXPECT_EQ(table.asked(), "abc[2]");
  EXPECT_EQ(table.answered(), "[9]");
  EXPECT_FALSE(table.flow().closed);
}

TEST_F(Probed, NewGenerationEndsTheOneBefore) {
  wrote(0, 0, "old");
  ++key.generation;
  wrote(0, 0, "new");
  EXPECT_EQ(table.asked(1), "old");
  EXPECT_EQ(table.last(1).reason, CloseReason::kFreed);
  EXPECT_EQ(table.asked(2), "new");
  --key.generation;
  wrote(3, 0, "late");
  close(3, 0);
  EXPECT_FALSE(table.flow(2).closed);
  EXPECT_EQ(table.counters->of(Source::kTls)
                .dropped_bytes[static_cast<size_t>(DropReason::kStreamOutOfWindow)]
                .value(),
            4u);
}

TEST_F(Probed, ProcessesAreKeptApart) {
  wrote(0, 0, "one");
  key.process_start_ns = 8;
  wrote(0, 0, "two");
  key.pid = 43;
  wrote(0, 0, "three");
  EXPECT_EQ(table.asked(1), "one");
  EXPECT_EQ(table.asked(2), "two");
  EXPECT_EQ(table.asked(3), "three");
}

TEST_F(Probed, IgnoredConnectionIsCountedAndNotDelivered) {
  table.sink.ignore_from_event = 2;
  EXPECT_EQ(wrote(0, 0, "SSH"), FlowDemand::kIgnoreFlow);
  EXPECT_EQ(read(0, 9, "SSH"), FlowDemand::kIgnoreFlow);
  EXPECT_EQ(table.asked(), "SSH");
  EXPECT_EQ(skipped(SkipReason::kFlowIgnored), 3u);
  close(9, 3);
  EXPECT_TRUE(table.flow().closed);
}

TEST_F(Probed, FullTableEvictsTheLeastRecentlyActive) {
  Limits limits;
  limits.flows_max = 2;
  Table small(limits);
  const auto write = [&](uint64_t handle, uint64_t offset) {
    Chunk chunk;
    chunk.connection = {.pid = 1, .process_start_ns = 1, .handle = handle, .generation = 0};
    chunk.offset = offset;
    chunk.bytes = as_bytes("x");
    small.room.on_chunk(chunk);
  };
  write(1, 0);
  write(2, 0);
  write(1, 1);
  write(3, 0);
  EXPECT_FALSE(small.flow(1).closed);
  EXPECT_EQ(small.last(2).reason, CloseReason::kEvicted);
  EXPECT_EQ(small.room.flows(), 2u);
}

}  // namespace
}  // namespace wiretally::stream
