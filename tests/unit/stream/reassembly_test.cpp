#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/stream/table.h"

namespace wiretally::stream {
namespace {

constexpr uint8_t kAckFin = TcpFlags::kAck | TcpFlags::kFin;
constexpr uint8_t kAckRst = TcpFlags::kAck | TcpFlags::kRst;

// Whatever a test does, the bytes add up and the order of events is kept.
class Reassembly : public testing::Test {
 protected:
  ~Reassembly() override {
    EXPECT_EQ(table.sink.violation, "");
    EXPECT_EQ(table.sink.unaccounted(Source::kPacket), 0);
    table.end();
    EXPECT_EQ(table.sink.violation, "");
    EXPECT_EQ(table.sink.unaccounted(Source::kPacket), 0);
    EXPECT_EQ(table.buffered(), 0u);
    EXPECT_EQ(table.room.pieces_in_use(), 0u);
  }
  void handshake() {
    table.send(talk.syn());
    table.send(talk.syn_ack());
  }
  bool open_flow(uint64_t id = 1) { return !table.flow(id).closed; }

  Table table;
  Talk talk;
};

TEST_F(Reassembly, InOrderPassesThrough) {
  handshake();
  table.send(talk.ask(0, "GET /"));
  EXPECT_EQ(table.asked(), "GET /");
  table.send(talk.answer(0, "200 ", {.ack = 5}));
  table.send(talk.answer(4, "OK", {.ack = 5}));
  EXPECT_EQ(table.answered(), "200 OK");
  EXPECT_EQ(table.last().peer_offset, 5u);
  EXPECT_FALSE(table.flow().info.joined_midstream);
  EXPECT_EQ(table.flow().info.a, talk.client);
  EXPECT_EQ(table.flow().info.b, talk.server);
}

TEST_F(Reassembly, ConnectionsWithoutPayloadAreNeverSeen) {
  handshake();
  table.send(talk.ask(0, "", {.flags = kAckFin}));
  table.send(talk.answer(0, "", {.flags = kAckFin, .ack = 1}));
  EXPECT_TRUE(table.sink.flows.empty());
}

TEST_F(Reassembly, OutOfOrderIsPutInOrderWithItsOwnAck) {
  handshake();
  table.send(talk.answer(0, "welcome"));
  table.send(talk.ask(5, "fghij", {.ack = 3}));
  EXPECT_EQ(table.asked(), "");
  EXPECT_EQ(table.buffered(), 5u);
  table.send(talk.ask(0, "abcde", {.ack = 7}));
  EXPECT_EQ(table.asked(), "abcdefghij");
  EXPECT_EQ(table.last().peer_offset, 3u);
  EXPECT_EQ(table.buffered(), 0u);
  EXPECT_EQ(table.lost(), 0u);
}

TEST_F(Reassembly, RetransmissionsAndSecondCapturesAreDuplicates) {
  handshake();
  for (int copy = 0; copy < 2; ++copy) table.send(talk.ask(0, "abcde"));
  table.send(talk.ask(0, "abcdefg"));
  EXPECT_EQ(table.asked(), "abcdefg");
  EXPECT_EQ(table.skipped(SkipReason::kStreamDuplicate), 10u);
  EXPECT_FALSE(table.last().conflict);
}

TEST_F(Reassembly, OfOverlappingCopiesTheFirstIsKept) {
  handshake();
  table.send(talk.ask(3, "DEF"));
  table.send(talk.ask(8, "IJ"));
  table.send(talk.ask(2, "cdefghijk"));  // around both
  EXPECT_EQ(table.buffered(), 9u);
  EXPECT_EQ(table.dropped(DropReason::kStreamConflict), 5u);
  table.send(talk.ask(0, "ab"));
  EXPECT_EQ(table.asked(), "abcDEFghIJk");
}

TEST_F(Reassembly, ConflictIsFlaggedOnThePieceItConcerns) {
  handshake();
  table.send(talk.ask(2, "cd"));
  table.send(talk.ask(2, "xy"));
  table.send(talk.ask(0, "ab"));
  EXPECT_EQ(table.asked(), "abcd");
  const auto& events = table.flow().events;
  EXPECT_FALSE(events[events.size() - 2].conflict);
  EXPECT_TRUE(events.back().conflict);
}

TEST_F(Reassembly, InOrderSegmentOverHeldPiecesKeepsThem) {
  handshake();
  table.send(talk.ask(2, "CD"));
  table.send(talk.ask(6, "GH"));
  table.send(talk.ask(0, "abcdefghij"));
  EXPECT_EQ(table.asked(), "abCDefGHij");
  EXPECT_EQ(table.dropped(DropReason::kStreamConflict), 4u);
}

TEST_F(Reassembly, RetransmissionWithOtherContentIsAConflict) {
  handshake();
  table.send(talk.answer(0, "tokens: 10"));
  table.send(talk.answer(0, "tokens: 99"));
  table.send(talk.answer(10, "!"));
  EXPECT_EQ(table.answered(), "tokens: 10!");
  EXPECT_TRUE(table.last().conflict);
  EXPECT_EQ(table.dropped(DropReason::kStreamConflict), 10u);
  table.send(talk.answer(11, "!"));
  EXPECT_FALSE(table.last().conflict);
}

TEST_F(Reassembly, CorruptCopyIsNoConflict) {
  handshake();
  table.send(talk.answer(0, "good"));
  table.send(talk.answer(0, "b@d!", {.checksum_bad = true}));
  table.send(talk.answer(8, "b@d!", {.checksum_bad = true}));
  table.send(talk.answer(8, "good"));
  table.send(talk.answer(4, "more"));
  EXPECT_EQ(table.answered(), "goodmoregood");
  EXPECT_FALSE(table.last().conflict);
  EXPECT_EQ(table.dropped(DropReason::kStreamConflict), 0u);
}

// The receiver has not taken a segment with a bad checksum: its good copy wins, also when it comes
// later, is cut otherwise, or the bad one came ahead of its turn.
TEST_F(Reassembly, GoodCopyWinsOverABadOneThatCameFirst) {
  handshake();
  table.send(talk.answer(0, "b@d!", {.checksum_bad = true}));
  EXPECT_EQ(table.sink.flows.size(), 0u);
  table.send(talk.answer(4, "more"));
  table.send(talk.answer(0, "good"));
  EXPECT_EQ(table.answered(), "goodmore");
  table.send(talk.answer(8, "b@d!", {.checksum_bad = true}));
  table.send(talk.answer(8, "good and more"));
  EXPECT_EQ(table.answered(), "goodmoregood and more");
  for (const StreamEvent& event : table.flow().events) EXPECT_FALSE(event.conflict);
  EXPECT_EQ(table.dropped(DropReason::kStreamConflict), 0u);
  EXPECT_EQ(table.buffered(), 0u);
  EXPECT_EQ(table.sink.unaccounted(Source::kPacket), 0);
}

TEST_F(Reassembly, BadChecksumAmongGoodOnesGoesOutMarkedOnceNoCopyCanCome) {
  handshake();
  table.send(talk.answer(0, "good"));
  table.send(talk.answer(4, "b@d!", {.checksum_bad = true}));
  EXPECT_EQ(table.answered(), "good");
  table.send(talk.ask(0, {}, {.ack = 8}));
  table.send(talk.answer(8, "good"));
  EXPECT_EQ(table.answered(), "good") << "another interface may show the good copy";
  table.now_ns += PacketFlows::kHoleAgeNs;
  table.send(talk.answer(12, "good"));
  EXPECT_EQ(table.answered(), "goodb@d!goodgood");
  size_t marked = 0;
  for (const StreamEvent& event : table.flow().events) marked += event.conflict ? 1 : 0;
  EXPECT_EQ(marked, 1u);
  EXPECT_EQ(table.lost(), 0u);
}

TEST_F(Reassembly, BadChecksumAtTheEndOfInputGoesOutMarked) {
  handshake();
  table.send(talk.answer(0, "good"));
  table.send(talk.answer(4, "b@d!", {.checksum_bad = true}));
  table.end();
  EXPECT_EQ(table.answered(), "goodb@d!");
  EXPECT_EQ(table.lost(), 0u);
  EXPECT_EQ(table.sink.unaccounted(Source::kPacket), 0);
}

TEST_F(Reassembly, WhereAllChecksumsAreBadNoneSaysAnything) {
  Segment syn = talk.syn();
  syn.checksum_bad = true;
  table.send(syn);
  for (int i = 0; i < 4; ++i) {
    table.send(talk.ask(4 * i, "data", {.checksum_bad = true}));
    EXPECT_EQ(table.asked().size(), 4u * (static_cast<size_t>(i) + 1));
    EXPECT_FALSE(table.last().conflict);
  }
}

// The handshake's are good, and those of the data are not: offload of another kind.
TEST_F(Reassembly, WhereAllDataHasBadChecksumsNoneSaysAnything) {
  handshake();
  for (int i = 0; i < 6; ++i) table.send(talk.ask(4 * i, "data", {.checksum_bad = true}));
  EXPECT_EQ(table.asked(), "datadatadatadatadatadata");
  for (const StreamEvent& event : table.flow().events) EXPECT_FALSE(event.conflict);
  // One good one proves nothing back: the bad ones were no damage.
  table.send(talk.ask(24, "good"));
  EXPECT_EQ(table.asked().size(), 28u);
}

// Offload puts segments together and keeps the first one's checksum.
TEST_F(Reassembly, BadChecksumOfASuperSegmentIsNoSuspicion) {
  handshake();
  table.send(talk.answer(0, "good"));
  const std::string large(3000, 'x');
  table.send(talk.answer(4, large, {.checksum_bad = true}));
  EXPECT_EQ(table.answered(), "good" + large);
  EXPECT_FALSE(table.last().conflict);
}

// Found by the fuzzer: the rest of the second copy went unaccounted.
TEST_F(Reassembly, ASuperSegmentWithABadChecksumOverASuspect) {
  handshake();
  table.send(talk.answer(0, "good"));
  table.send(talk.answer(4, "b@d!", {.checksum_bad = true}));
  const std::string large(3000, 'x');
  table.send(talk.answer(4, large, {.checksum_bad = true}));
  EXPECT_EQ(table.sink.unaccounted(Source::kPacket), 0);
  EXPECT_EQ(table.answered(), "goodb@d!" + large.substr(4));
  EXPECT_TRUE(table.dropped(DropReason::kStreamConflict) > 0);
}

TEST_F(Reassembly, SuspectsStayInTheMemoryOfReordering) {
  Limits limits;
  limits.reorder_segments_per_direction = 4;
  Table small(limits);
  small.send(talk.syn());
  small.send(talk.syn_ack());
  std::string sent = "good";
  small.send(talk.answer(0, sent));
  for (int i = 0; i < 50; ++i) {
    small.send(talk.answer(static_cast<int64_t>(sent.size()), "b@d!", {.checksum_bad = true}));
    sent += "b@d!";
    ASSERT_EQ(small.sink.unaccounted(Source::kPacket), 0);
    ASSERT_LE(small.room.pieces_in_use(), 4u);
  }
  small.end();
  EXPECT_EQ(small.answered(), sent);
}

TEST_F(Reassembly, SequenceNumbersWrap) {
  talk.client_isn = 0xFFFFFFF0;
  handshake();
  std::string whole;
  for (int i = 0; i < 10; ++i) {
    const std::string part(7, static_cast<char>('a' + i));
    table.send(talk.ask(i * 7, part));
    whole += part;
  }
  table.send(talk.ask(77, "late"));
  table.send(talk.ask(70, "missing"));
  EXPECT_EQ(table.asked(), whole + "missinglate");
}

TEST_F(Reassembly, OffsetsGoBeyondFourGigabytes) {
  talk.window = 65'535;
  handshake();
  const std::string part(1 << 20, 'x');
  for (uint64_t offset = 0; offset < (5ull << 30); offset += part.size()) {
    Segment segment = talk.ask(static_cast<int64_t>(offset), part);
    segment.payload = segment.payload.first(1);  // as captured with a tiny snap length
    table.send(segment);
  }
  EXPECT_EQ(table.flow().next[0], 5ull << 30);
  EXPECT_EQ(table.lost(), 0u);
}

TEST_F(Reassembly, AcknowledgedHoleIsGivenUpAfterFurtherSegments) {
  handshake();
  table.send(talk.answer(0, "head"));
  // bytes 4…9 are lost
  for (int i = 0; i < 200 && table.flow().gap_bytes[1] == 0; ++i) {
    table.send(talk.answer(9 + i, "x"));
    table.send(talk.ask(0, "", {.ack = 10 + static_cast<uint64_t>(i)}));
  }
  EXPECT_THAT(table.answered(), testing::StartsWith("head[5]xxx"));
  EXPECT_LE(table.flow().next[1], 9u + 64u);
  EXPECT_EQ(table.lost(), 5u);
}

TEST_F(Reassembly, AcknowledgedHoleIsGivenUpInTime) {
  handshake();
  table.send(talk.answer(0, "head"));
  table.send(talk.answer(9, "tail"));
  table.send(talk.ask(0, "", {.ack = 13}));
  EXPECT_EQ(table.answered(), "head");
  table.now_ns += 2'900 * kMs;
  table.send(talk.ask(0, "", {.ack = 13}));
  EXPECT_EQ(table.answered(), "head");
  table.now_ns += 100 * kMs;
  table.send(talk.ask(0, "", {.ack = 13}));
  EXPECT_EQ(table.answered(), "head[5]tail");
}

TEST_F(Reassembly, TimeAloneGivesUpAnAcknowledgedHole) {
  handshake();
  table.send(talk.answer(0, "head"));
  table.send(talk.answer(9, "tail"));
  table.send(talk.ask(0, "", {.ack = 13}));
  for (int i = 0; i < 40; ++i) {
    table.now_ns += 100 * kMs;
    table.room.on_time({.ns = table.now_ns, .clock = Clock::kCapture});
  }
  EXPECT_EQ(table.answered(), "head[5]tail");
  EXPECT_EQ(table.sink.last_time.ns, table.now_ns);
}

TEST_F(Reassembly, UnacknowledgedHoleWaitsForItsRetransmission) {
  handshake();
  table.send(talk.answer(0, "head"));
  for (int i = 0; i < 500; ++i) {
    table.send(talk.answer(9 + i, "x"));
    table.send(talk.ask(0, "", {.ack = 4}));
    table.now_ns += 100 * kMs;
  }
  EXPECT_EQ(table.answered(), "head");
  table.send(talk.answer(4, "again"));
  EXPECT_EQ(table.answered(), "headagain" + std::string(500, 'x'));
  EXPECT_EQ(table.lost(), 0u);
}

TEST_F(Reassembly, DirectionWithoutAcksGivesUpLater) {
  for (int i = 0; i < 400; ++i) {
    if (i == 1) continue;
    table.send(talk.answer(i, "x"));
  }
  EXPECT_EQ(table.flow().gap_bytes[0], 1u);
  EXPECT_EQ(table.lost(), 1u);
  EXPECT_EQ(table.flow().next[0], 400u);
}

TEST_F(Reassembly, MoreThanTheWindowAboveAHoleProvesIt) {
  handshake();
  table.send(talk.answer(0, "head"));
  const std::string part(20'000, 'y');
  for (int i = 0; i < 3; ++i) table.send(talk.answer(9 + i * 20'000, part));
  EXPECT_EQ(table.flow().gap_bytes[1], 0u);
  table.send(talk.answer(9 + 60'000, part));
  EXPECT_EQ(table.flow().gap_bytes[1], 5u);
  EXPECT_EQ(table.flow().next[1], 80'009u);
}

TEST_F(Reassembly, EveryHoleIsDeclaredOnceLowestFirst) {
  handshake();
  table.send(talk.answer(10, "b"));
  table.send(talk.answer(20, "c"));
  table.send(talk.answer(5, "a"));
  table.end();
  EXPECT_EQ(table.answered(), "[5]a[4]b[9]c");
  EXPECT_EQ(table.lost(), 18u);
  EXPECT_EQ(table.last().reason, CloseReason::kEndOfInput);
  EXPECT_FALSE(table.last().incomplete);
}

TEST_F(Reassembly, AcknowledgedAndNeverCapturedShowsAtTheEnd) {
  handshake();
  table.send(talk.ask(0, "question"));
  table.send(talk.answer(0, "ans", {.ack = 8}));
  table.send(talk.ask(8, "", {.ack = 10}));
  EXPECT_EQ(table.answered(), "ans");
  table.end();
  EXPECT_EQ(table.answered(), "ans[7]");
  EXPECT_TRUE(table.last().incomplete);
  EXPECT_EQ(table.lost(), 7u);
}

TEST_F(Reassembly, AcksOfSynAndFinAreNoBytes) {
  handshake();
  table.send(talk.ask(0, "question", {.flags = kAckFin}));
  table.send(talk.answer(0, "answer", {.flags = kAckFin, .ack = 9}));
  table.send(talk.ask(9, "", {.ack = 7}));
  EXPECT_EQ(table.asked(), "question");
  EXPECT_EQ(table.answered(), "answer");
  EXPECT_FALSE(table.last().incomplete);
  EXPECT_EQ(table.lost(), 0u);
  for (const StreamEvent& event : table.flow().events) {
    EXPECT_LE(event.peer_offset.value_or(0), 8u) << "a FIN is no byte";
  }
}

TEST_F(Reassembly, AckOfAnUnseenFinIsNoByte) {
  handshake();
  table.send(talk.answer(0, "answer"));
  table.send(talk.ask(0, "", {.ack = 7}));  // the server's FIN was not captured
  table.end();
  EXPECT_EQ(table.answered(), "answer");
  EXPECT_FALSE(table.last().incomplete);
}

TEST_F(Reassembly, LostRequestIsDeclaredOnceItsAnswerHasProvenIt) {
  handshake();
  for (int i = 0; i < 100; ++i) table.send(talk.answer(i, "x", {.ack = 30}));
  EXPECT_EQ(table.asked(), "[30]");
  table.send(talk.ask(30, "next", {.ack = 100}));
  EXPECT_EQ(table.asked(), "[30]next");
}

TEST_F(Reassembly, FinOvertakesTheLastSegment) {
  handshake();
  table.send(talk.answer(0, "first"));
  table.send(talk.answer(9, "", {.flags = kAckFin}));
  EXPECT_FALSE(table.flow().ended[1]);
  table.send(talk.answer(5, "last"));
  EXPECT_EQ(table.answered(), "firstlast");
  EXPECT_TRUE(table.flow().ended[1]);
  EXPECT_TRUE(open_flow());
}

TEST_F(Reassembly, HalfCloseLeavesTheOtherDirectionOpen) {
  handshake();
  table.send(talk.ask(0, "question", {.flags = kAckFin}));
  EXPECT_TRUE(table.flow().ended[0]);
  table.send(talk.answer(0, "answer", {.ack = 9}));
  EXPECT_EQ(table.answered(), "answer");
  EXPECT_TRUE(open_flow());
  table.send(talk.answer(6, "", {.flags = kAckFin, .ack = 9}));
  EXPECT_FALSE(open_flow());
  EXPECT_EQ(table.last().reason, CloseReason::kFin);
  EXPECT_EQ(table.last().closed_by, Direction::kAToB);
}

TEST_F(Reassembly, SimultaneousCloseAndTrailingCopiesOpenNothing) {
  handshake();
  table.send(talk.ask(0, "q"));
  table.send(talk.answer(0, "a", {.ack = 1}));
  table.send(talk.ask(1, "", {.flags = kAckFin, .ack = 1}));
  table.send(talk.answer(1, "", {.flags = kAckFin, .ack = 1}));
  EXPECT_FALSE(open_flow());
  table.send(talk.ask(0, "q", {.flags = kAckFin, .ack = 2}));
  table.send(talk.answer(0, "a", {.flags = kAckFin, .ack = 2}));
  table.send(talk.ask(2, "", {.ack = 2}));
  table.send(talk.syn());
  EXPECT_EQ(table.sink.flows.size(), 1u);
  EXPECT_EQ(table.skipped(SkipReason::kStreamDuplicate), 2u);
}

TEST_F(Reassembly, BytesPastTheFinAreDropped) {
  handshake();
  table.send(talk.answer(0, "all", {.flags = kAckFin}));
  table.send(talk.answer(3, "more"));
  table.send(talk.answer(1, "llX"));
  EXPECT_EQ(table.answered(), "all");
  EXPECT_EQ(table.dropped(DropReason::kStreamPastFin), 5u);
}

TEST_F(Reassembly, BytesPastTheCloseAreDroppedUnlessTheyBeginSomethingNew) {
  handshake();
  table.send(talk.ask(0, "q", {.flags = kAckFin}));
  table.send(talk.answer(0, "a", {.flags = kAckFin}));
  table.send(talk.answer(2, "ghost"));
  EXPECT_EQ(table.dropped(DropReason::kStreamPastFin), 5u);
  EXPECT_EQ(table.sink.flows.size(), 1u);
  table.send(talk.ask(0x40000000, "another connection"));
  EXPECT_EQ(table.asked(2), "another connection");
  EXPECT_TRUE(table.flow(2).info.joined_midstream);
}

TEST_F(Reassembly, ResetClosesAfterDataInFlightWasRead) {
  handshake();
  table.send(talk.ask(0, "q"));
  table.send(talk.answer(0, "a", {.ack = 1}));
  table.send(talk.ask(1, "why", {.flags = kAckRst, .ack = 1}));
  table.send(talk.answer(1, "in flight", {.ack = 1}));
  EXPECT_EQ(table.answered(), "ain flight");
  EXPECT_EQ(table.asked(), "q");
  EXPECT_EQ(table.dropped(DropReason::kStreamPastFin), 3u);
  table.now_ns += 1'000 * kMs;
  table.room.on_time({.ns = table.now_ns, .clock = Clock::kCapture});
  EXPECT_FALSE(open_flow());
  EXPECT_EQ(table.last().reason, CloseReason::kReset);
  EXPECT_EQ(table.last().closed_by, Direction::kAToB);
  table.send(talk.answer(10, "nobody reads this", {.ack = 1}));
  EXPECT_EQ(table.dropped(DropReason::kStreamPastFin), 20u);
}

TEST_F(Reassembly, ResetAtTheEndOfInputIsAReset) {
  handshake();
  table.send(talk.ask(0, "q"));
  table.send(talk.ask(1, "", {.flags = kAckRst}));
  table.end();
  EXPECT_EQ(table.last().reason, CloseReason::kReset);
}

TEST_F(Reassembly, ForgedResetsAreNotBelieved) {
  table.send(talk.syn());
  table.send(talk.build(talk.server, talk.client, 0, talk.client_isn + 1, "", {.flags = kAckRst}));
  table.send(talk.syn_ack());
  table.send(talk.ask(0, "q"));
  table.send(talk.ask(100'000'000, "", {.flags = kAckRst}));  // outside the window
  table.now_ns += 2'000 * kMs;
  table.send(talk.answer(0, "a", {.ack = 1}));
  table.send(talk.answer(1, "", {.flags = kAckRst, .ack = 1}));
  table.send(talk.answer(1, "b", {.ack = 1}));  // its sender goes on
  table.now_ns += 2'000 * kMs;
  table.send(talk.answer(2, "c", {.ack = 1}));
  EXPECT_EQ(table.answered(), "abc");
  EXPECT_TRUE(open_flow());
}

TEST_F(Reassembly, BareFinInsideTheHandshakeIsNotBelieved) {
  table.send(talk.syn());
  table.send(talk.ask(0, "", {.flags = TcpFlags::kFin}));
  table.send(talk.syn_ack());
  table.send(talk.ask(0, "question"));
  EXPECT_EQ(table.asked(), "question");
}

TEST_F(Reassembly, FastOpenDataStartsBehindTheSyn) {
  table.send(talk.syn("early"));
  table.send(talk.syn_ack(5));
  table.send(talk.ask(5, "later"));
  EXPECT_EQ(table.asked(), "earlylater");
}

TEST_F(Reassembly, RejectedFastOpenDataComesAgain) {
  table.send(talk.syn("early"));
  table.send(talk.syn_ack(0));
  table.send(talk.ask(0, "early"));
  EXPECT_EQ(table.asked(), "early");
  EXPECT_EQ(table.skipped(SkipReason::kStreamDuplicate), 5u);
}

TEST_F(Reassembly, FastOpenSynBehindItsAnswer) {
  table.send(talk.syn_ack(5));
  table.send(talk.syn("early"));
  table.send(talk.ask(5, "later"));
  EXPECT_EQ(table.asked(), "earlylater");
  EXPECT_EQ(table.flow().info.a, talk.client);
}

TEST_F(Reassembly, KeepAliveBytesAreNoData) {
  handshake();
  table.send(talk.ask(-1, "\xAA"));  // right after the handshake
  table.send(talk.ask(0, "abc"));
  table.send(talk.ask(2, "\xAA"));
  table.send(talk.ask(2, ""));
  table.send(talk.ask(3, "def"));
  EXPECT_EQ(table.asked(), "abcdef");
  EXPECT_EQ(table.skipped(SkipReason::kStreamDuplicate), 2u);
  EXPECT_EQ(table.dropped(DropReason::kStreamConflict), 0u);
}

TEST_F(Reassembly, KeepAliveOfAJoinedConnectionIsNoData) {
  table.send(talk.answer(0, "", {.ack = 50}));
  table.send(talk.ask(49, "\xAA"));
  table.send(talk.ask(50, "real"));
  EXPECT_EQ(table.answered(), "real") << "the first segment seen was the server's";
}

TEST_F(Reassembly, ZeroWindowStopsNothing) {
  handshake();
  talk.window = 0;
  table.send(talk.answer(0, ""));
  talk.window = 65'535;
  table.send(talk.ask(0, "p"));  // window probe with a real byte
  table.send(talk.ask(0, "probe"));
  EXPECT_EQ(table.asked(), "probe");
}

TEST_F(Reassembly, CutPayloadIsAGapThatTheSourceHasCounted) {
  handshake();
  table.send(talk.answer(0, "head", {.cut = 6}));
  table.send(talk.answer(10, "tail"));
  EXPECT_EQ(table.answered(), "head[6]tail");
  EXPECT_EQ(table.lost(), 0u);
}

TEST_F(Reassembly, CutPayloadOutOfOrder) {
  handshake();
  table.send(talk.answer(10, "mid", {.cut = 7}));
  table.send(talk.answer(30, "", {.cut = 5}));
  table.send(talk.answer(35, "end"));
  table.send(talk.answer(20, "0123456789"));
  table.send(talk.answer(0, "head", {.cut = 6}));
  EXPECT_EQ(table.answered(), "head[6]mid[7]0123456789[5]end");
  EXPECT_EQ(table.lost(), 0u);
}

// What was on the wire behind the captured bytes was sent, too: a FIN before it is none.
TEST_F(Reassembly, FinInsideWhatWasCutOffIsNotTheEnd) {
  handshake();
  table.send(talk.answer(10, "mid", {.cut = 7}));
  table.send(talk.answer(14, "", {.flags = kAckFin}));
  table.send(talk.answer(0, "head", {.cut = 6}));
  table.send(talk.answer(20, "tail"));
  EXPECT_EQ(table.answered(), "head[6]mid[7]tail");
  EXPECT_EQ(table.dropped(DropReason::kStreamPastFin), 0u);
}

TEST_F(Reassembly, CutBehindAFinIsNoLoss) {
  handshake();
  table.send(talk.answer(4, "", {.flags = kAckFin}));
  table.send(talk.answer(0, "head", {.cut = 6}));
  table.end();
  EXPECT_EQ(table.answered(), "head");
  EXPECT_FALSE(table.last().incomplete);
}

TEST_F(Reassembly, CutInsideWhatIsHeld) {
  handshake();
  table.send(talk.answer(5, "0123456789"));
  table.send(talk.answer(3, "xx0123", {.cut = 20}));
  table.send(talk.answer(10, "56789"));
  table.send(talk.answer(0, "abcxx012345678"));
  EXPECT_EQ(table.answered(), "abcxx0123456789[14]");
  EXPECT_EQ(table.skipped(SkipReason::kStreamDuplicate), 4u + 5u + 11u);
}

TEST_F(Reassembly, WildSequenceNumberProvesNothing) {
  handshake();
  table.send(talk.answer(0, "head"));
  table.send(talk.answer(9, "tail"));
  table.send(talk.answer(500'000'000, "wild"));
  table.send(talk.answer(1'500'000'000, "wild"));
  EXPECT_EQ(table.answered(), "head");
  EXPECT_EQ(table.dropped(DropReason::kStreamOutOfWindow), 8u);
  table.send(talk.answer(4, "again"));
  EXPECT_EQ(table.answered(), "headagaintail");
  EXPECT_EQ(table.lost(), 0u);
}

TEST_F(Reassembly, LongOutageIsAGapOfItsExactSize) {
  handshake();
  table.send(talk.answer(0, "head"));
  table.send(talk.answer(9, "tail"));
  for (int i = 0; i < 6; ++i) {
    for (int copy = 0; copy < 2; ++copy) table.send(talk.answer(50'000'000 + i * 4, "wxyz"));
  }
  EXPECT_EQ(table.answered(), "head[5]tail[49999999]wxyzwxyzwxyz");
  EXPECT_EQ(table.dropped(DropReason::kStreamOutOfWindow), 24u);
  EXPECT_EQ(table.lost(), 5u + 49'999'999u - 12u) << "12 bytes were captured and dropped";
}

TEST_F(Reassembly, OutageOfBothDirectionsIsBelievedAtOnce) {
  handshake();
  table.send(talk.answer(0, "head"));
  table.send(talk.ask(0, "", {.ack = 50'000'000}));
  table.send(talk.answer(50'000'000, "tail"));
  EXPECT_EQ(table.answered(), "head[49999996]tail");
  EXPECT_EQ(table.lost(), 49'999'996u);
}

TEST_F(Reassembly, OutageOfOneDirectionIsFollowedByItsAcks) {
  handshake();
  table.send(talk.answer(0, "head"));
  for (uint64_t ack = 4; ack < 20'000'000; ack += 50'000) {
    table.send(talk.ask(0, "", {.ack = ack}));
  }
  EXPECT_GT(table.flow().gap_bytes[1], 10'000'000u);
  table.send(talk.answer(20'000'000, "tail"));
  table.end();
  EXPECT_EQ(table.flow().next[1], 20'000'004u);
  EXPECT_EQ(table.lost(), 19'999'996u);
}

TEST_F(Reassembly, IgnoredFlowIsCountedAndNotDelivered) {
  handshake();
  table.sink.ignore_from_event = 2;  // the first data
  EXPECT_EQ(table.send(talk.ask(0, "SSH-2.0")), FlowDemand::kIgnoreFlow);
  EXPECT_EQ(table.send(talk.ask(9, "far")), FlowDemand::kIgnoreFlow);
  EXPECT_EQ(table.send(talk.answer(0, "SSH-2.0", {.ack = 7})), FlowDemand::kIgnoreFlow);
  EXPECT_EQ(table.asked(), "SSH-2.0");
  EXPECT_EQ(table.answered(), "");
  EXPECT_EQ(table.skipped(SkipReason::kFlowIgnored), 10u);
  table.send(talk.ask(12, "", {.flags = kAckFin}));
  EXPECT_TRUE(open_flow());
  table.send(talk.answer(7, "", {.flags = kAckFin}));
  EXPECT_FALSE(open_flow());
  EXPECT_EQ(table.last().reason, CloseReason::kFin);
}

TEST_F(Reassembly, IgnoringFreesWhatWasHeld) {
  handshake();
  table.send(talk.ask(9, "far"));
  table.send(talk.answer(5, "far"));
  table.sink.ignore_from_event = 2;
  table.send(talk.ask(0, "SSH"));
  EXPECT_EQ(table.buffered(), 0u);
  EXPECT_EQ(table.room.pieces_in_use(), 0u);
  EXPECT_EQ(table.skipped(SkipReason::kFlowIgnored), 6u);
}

TEST_F(Reassembly, HeadsOnlyFlowsGoOn) {
  table.sink.demand = FlowDemand::kHeadsOnly;
  handshake();
  EXPECT_EQ(table.send(talk.ask(0, "GET ")), FlowDemand::kHeadsOnly);
  table.send(talk.ask(4, "/"));
  EXPECT_EQ(table.asked(), "GET /");
}

TEST_F(Reassembly, TimesMayRunBackwards) {
  handshake();
  table.send(talk.answer(0, "head"));
  table.send(talk.answer(9, "tail"));
  table.now_ns = -5'000 * kMs;
  table.send(talk.ask(0, "", {.ack = 13}));
  table.now_ns = 0;
  table.send(talk.answer(4, "again"));
  EXPECT_EQ(table.answered(), "headagaintail");
}

}  // namespace
}  // namespace wiretally::stream
