// What odd captures hold, one trap a test: handshakes, clocks, silences, windows, paths.
#include <gtest/gtest.h>

#include <limits>

#include "unit/stream/table.h"

namespace wiretally::stream {
namespace {

class Traps : public testing::Test {
 protected:
  ~Traps() override {
    table.end();
    EXPECT_EQ(table.sink.violation, "");
    EXPECT_EQ(table.sink.unaccounted(Source::kPacket), 0);
    EXPECT_EQ(table.buffered(), 0u);
  }
  void handshake() {
    table.send(talk.syn());
    table.send(talk.syn_ack());
  }

  Table table;
  Talk talk;
};

constexpr int64_t kMinute = 60'000 * kMs;

TEST_F(Traps, TenMinutesOfSilenceLoseNothing) {
  handshake();
  table.send(talk.ask(0, "think hard"));
  table.send(talk.answer(0, "", {.ack = 10}));
  for (int minute = 0; minute < 10; ++minute) {
    table.now_ns += kMinute;
    table.room.on_time({.ns = table.now_ns, .clock = Clock::kCapture});
  }
  table.send(talk.answer(0, "42", {.ack = 10}));
  EXPECT_EQ(table.asked(), "think hard");
  EXPECT_EQ(table.answered(), "42");
  EXPECT_FALSE(table.flow().closed);
  EXPECT_EQ(table.lost(), 0u);
}

TEST_F(Traps, TenMinutesOfSilenceWithAHoleThatNobodyHasAcknowledged) {
  handshake();
  table.send(talk.answer(0, "one"));
  table.send(talk.ask(0, "", {.ack = 3}));
  table.send(talk.answer(6, "three"));
  table.now_ns += 10 * kMinute;
  table.room.on_time({.ns = table.now_ns, .clock = Clock::kCapture});
  table.send(talk.answer(3, "two"));
  EXPECT_EQ(table.answered(), "onetwothree");
}

// RFC 9293 section 3.5 allows it, and some systems answer a SYN with an ACK, then a SYN of their
// own: one connection, whose client is the first sender.
TEST_F(Traps, SplitHandshakes) {
  table.send(talk.syn());
  table.send(talk.build(talk.server, talk.client, talk.server_isn, talk.client_isn + 1, "", {}));
  table.send(
      talk.build(talk.server, talk.client, talk.server_isn, 0, "", {.flags = TcpFlags::kSyn}));
  table.send(talk.build(talk.client, talk.server, talk.client_isn, talk.server_isn + 1, "",
                        {.flags = TcpFlags::kSyn | TcpFlags::kAck}));
  table.send(talk.answer(0, ""));
  table.send(talk.ask(0, "request"));
  table.send(talk.answer(0, "response", {.ack = 7}));
  EXPECT_EQ(table.sink.flows.size(), 1u);
  EXPECT_EQ(table.asked(), "request");
  EXPECT_EQ(table.answered(), "response");
  EXPECT_EQ(table.lost(), 0u);
}

TEST_F(Traps, ForgedRstAndFinBetweenSynAndSynAck) {
  for (const uint8_t flag : {TcpFlags::kRst, TcpFlags::kFin}) {
    Table one;
    one.send(talk.syn());
    for (const bool ack : {false, true}) {
      const auto flags = static_cast<uint8_t>(flag | (ack ? TcpFlags::kAck : 0));
      one.send(talk.ask(0, "", {.flags = flags}));
      one.send(talk.build(talk.server, talk.client, 0, talk.client_isn + 1, "", {.flags = flags}));
    }
    one.send(talk.syn_ack());
    one.send(talk.ask(0, "request"));
    one.send(talk.answer(0, "response", {.ack = 7}));
    one.now_ns += 10'000 * kMs;
    one.send(talk.answer(8, "!", {.ack = 7}));
    EXPECT_EQ(one.sink.flows.size(), 1u);
    EXPECT_EQ(one.asked(), "request");
    EXPECT_EQ(one.answered(), "response!");
    EXPECT_EQ(one.lost(), 0u);
    one.end();
  }
}

TEST_F(Traps, ReorderingAsDeepAsTheScaledWindow) {
  constexpr size_t kSegment = 1448;
  constexpr size_t kSegments = 8000;  // 11 MiB
  Segment syn = talk.syn();
  syn.window_scale = 10;
  syn.window = 16'000;  // 16 MB
  table.send(syn);
  table.send(talk.syn_ack());
  talk.window = 16'000;
  table.send(talk.ask(0, "request"));
  std::string sent;
  for (size_t i = 0; i < kSegments * kSegment; ++i) sent += static_cast<char>('a' + i / 997 % 26);
  const std::string_view all(sent);
  table.now_ns += kMs;
  for (size_t i = 1; i < kSegments; ++i) {
    const auto at = static_cast<int64_t>(i * kSegment);
    table.send(talk.answer(at, all.substr(i * kSegment, kSegment), {.ack = 7}));
    table.now_ns -= kMs;  // all within one
  }
  table.send(talk.answer(0, all.substr(0, kSegment), {.ack = 7}));
  EXPECT_TRUE(table.answered() == sent);
  EXPECT_EQ(table.lost(), 0u);
  EXPECT_EQ(table.drops(DropReason::kStreamReorderFull), 0u);
}

TEST_F(Traps, MirroredCopiesMillisecondsLaterEvenOfTheClose) {
  std::vector<Segment> packets = {
      talk.syn(),
      talk.syn_ack(),
      talk.ask(0, "request"),
      talk.answer(0, "response", {.ack = 7}),
      talk.ask(7, "", {.flags = TcpFlags::kFin | TcpFlags::kAck, .ack = 8}),
      talk.answer(8, "", {.flags = TcpFlags::kFin | TcpFlags::kAck, .ack = 8}),
      talk.ask(8, "", {.ack = 9})};
  for (size_t i = 0; i < packets.size() + 2; ++i) {
    if (i < packets.size()) table.send(packets[i]);
    if (i >= 2) table.send(packets[i - 2]);
  }
  EXPECT_EQ(table.sink.flows.size(), 1u);
  EXPECT_EQ(table.asked(), "request");
  EXPECT_EQ(table.answered(), "response");
  EXPECT_EQ(table.skipped(SkipReason::kStreamDuplicate), 15u);
}

TEST_F(Traps, AConnectionThatChangesItsVlanOrTunnelOnTheWay) {
  handshake();
  table.send(talk.ask(0, "one"));
  table.send(talk.answer(0, "ONE", {.ack = 3}));
  for (const uint64_t encapsulation : {11u, 12u, 0u}) {
    const auto at = static_cast<int64_t>(table.asked().size());
    table.send(talk.ask(at, "more", {.encapsulation = encapsulation}));
    table.send(talk.answer(at, "MORE", {.encapsulation = encapsulation + 100}));
  }
  EXPECT_EQ(table.sink.flows.size(), 1u);
  EXPECT_EQ(table.asked(), "onemoremoremore");
  EXPECT_EQ(table.answered(), "ONEMOREMOREMORE");
}

// A probe of a closed window carries the next byte, which the receiver does not take.
TEST_F(Traps, ZeroWindowProbesCarryAByteThatComesAgain) {
  handshake();
  table.send(talk.answer(0, "full"));
  Segment closed = talk.ask(0, "", {.ack = 4});
  closed.window = 0;
  table.send(closed);
  for (int i = 0; i < 3; ++i) {
    table.now_ns += 1000 * kMs;
    table.send(talk.answer(4, "a"));
    table.send(closed);
  }
  table.send(talk.ask(0, "", {.ack = 4}));
  table.send(talk.answer(4, "and more"));
  EXPECT_EQ(table.answered(), "fulland more");
  EXPECT_EQ(table.lost(), 0u);
  EXPECT_EQ(table.dropped(DropReason::kStreamConflict), 0u);
}

TEST_F(Traps, ClocksThatJumpAndTimesAtTheEndsOfTheirRange) {
  const int64_t kTimes[] = {0,
                            5,
                            1,
                            std::numeric_limits<int64_t>::max(),
                            -7,
                            std::numeric_limits<int64_t>::min(),
                            (int64_t{1} << 32) * 1'000'000'000,
                            ((int64_t{1} << 32) - 1) * 1'000'000'000,
                            3};
  handshake();
  std::string expected;
  for (const int64_t time : kTimes) {
    const auto at = static_cast<int64_t>(expected.size());
    table.now_ns = time - (time == std::numeric_limits<int64_t>::max() ? kMs : 0);
    Segment segment = talk.answer(at + 4, "late");
    segment.time = {.ns = time, .clock = Clock::kCapture};
    segment.packet_number = ++table.packets;
    table.counters->capture(Source::kPacket, 4);
    table.room.on_segment(segment);
    segment = talk.answer(at, "then");
    segment.time = {.ns = time, .clock = Clock::kCapture};
    table.counters->capture(Source::kPacket, 4);
    table.room.on_segment(segment);
    expected += "thenlate";
  }
  table.now_ns = 4;
  EXPECT_EQ(table.answered(), expected);
  EXPECT_EQ(table.lost(), 0u);
}

TEST_F(Traps, APayloadOnARstIsNoData) {
  handshake();
  table.send(talk.ask(0, "request"));
  table.send(talk.answer(0, "go away", {.flags = TcpFlags::kRst | TcpFlags::kAck, .ack = 7}));
  table.now_ns += 5000 * kMs;
  table.room.on_time({.ns = table.now_ns, .clock = Clock::kCapture});
  EXPECT_EQ(table.answered(), "");
  EXPECT_EQ(table.dropped(DropReason::kStreamPastFin), 7u);
  EXPECT_TRUE(table.flow().closed);
}

TEST_F(Traps, KeepAliveWithAGarbageByteRightAfterTheHandshake) {
  handshake();
  table.send(talk.ask(-1, "\x5a"));
  table.send(talk.answer(-1, "\x5a"));
  table.send(talk.ask(0, "request"));
  table.send(talk.ask(6, "\x5a"));
  table.send(talk.answer(0, "response", {.ack = 7}));
  EXPECT_EQ(table.asked(), "request");
  EXPECT_EQ(table.answered(), "response");
  EXPECT_EQ(table.dropped(DropReason::kStreamConflict), 0u);
}

}  // namespace
}  // namespace wiretally::stream
