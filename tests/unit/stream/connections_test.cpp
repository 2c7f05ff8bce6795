#include <gtest/gtest.h>

#include "unit/stream/table.h"

namespace wiretally::stream {
namespace {

constexpr uint8_t kAckFin = TcpFlags::kAck | TcpFlags::kFin;

class Connections : public testing::Test {
 protected:
  void check(Table& room) {
    room.end();
    EXPECT_EQ(room.sink.violation, "");
    EXPECT_EQ(room.sink.unaccounted(Source::kPacket), 0);
    EXPECT_EQ(room.buffered(), 0u);
    EXPECT_EQ(room.room.pieces_in_use(), 0u);
    for (const auto& [id, log] : room.sink.flows) EXPECT_TRUE(log.closed) << id;
  }
  ~Connections() override { check(table); }

  Table table;
  Talk talk;
};

TEST_F(Connections, JoinedInTheMiddle) {
  table.send(talk.ask(700, "question", {.ack = 300}));
  table.send(talk.answer(300, "answer", {.ack = 708}));
  EXPECT_TRUE(table.flow().info.joined_midstream);
  EXPECT_EQ(table.flow().info.a, talk.client);
  EXPECT_EQ(table.asked(), "question");
  EXPECT_EQ(table.answered(), "answer");
  EXPECT_EQ(table.last().peer_offset, 8u);
  EXPECT_EQ(table.lost(), 0u);
}

TEST_F(Connections, JoinedWithAnAnswerCapturedBeforeItsRequest) {
  table.send(talk.answer(300, "answer", {.ack = 708}));
  EXPECT_EQ(table.last().peer_offset, std::nullopt) << "nothing known of the other direction";
  table.send(talk.ask(700, "question", {.ack = 300}));
  table.send(talk.answer(306, "!", {.ack = 708}));
  EXPECT_EQ(table.answered(), "question");
  EXPECT_EQ(table.asked(), "answer!");
  EXPECT_EQ(table.last().peer_offset, 8u);
  EXPECT_EQ(table.lost(), 0u);
}

TEST_F(Connections, JoinedWithALostRequest) {
  table.send(talk.answer(300, "", {.ack = 700}));
  table.send(talk.ask(708, "second", {.ack = 300}));
  EXPECT_TRUE(table.sink.flows.empty());
  table.end();
  EXPECT_EQ(table.answered(), "[8]second");
}

TEST_F(Connections, DirectionNeverCapturedHasNoGaps) {
  for (int i = 0; i < 300; ++i) {
    table.send(talk.ask(i, "q", {.ack = static_cast<uint64_t>(i) * 1000}));
  }
  table.end();
  EXPECT_EQ(table.answered(), "");
  EXPECT_EQ(table.lost(), 0u);
  EXPECT_FALSE(table.last().incomplete);
}

TEST_F(Connections, DirectionNeverCapturedIsMeasuredByAcksIfItsHandshakeWas) {
  table.send(talk.syn());
  table.send(talk.syn_ack());
  table.send(talk.ask(0, "q"));
  table.send(talk.ask(1, "", {.ack = 1000}));
  table.end();
  EXPECT_EQ(table.answered(), "[1000]");
  EXPECT_TRUE(table.last().incomplete);
}

TEST_F(Connections, SynAckAloneNamesTheClient) {
  table.send(talk.syn_ack());
  table.send(talk.answer(0, "220 hello"));
  table.send(talk.ask(0, "question"));
  EXPECT_EQ(table.flow().info.a, talk.client);
  EXPECT_FALSE(table.flow().info.joined_midstream);
  EXPECT_EQ(table.asked(), "question");
}

TEST_F(Connections, SynBehindItsAnswerIsTheSameConnection) {
  table.send(talk.syn_ack());
  table.send(talk.ask(0, "question"));
  table.send(talk.syn());
  table.send(talk.ask(8, "!"));
  EXPECT_EQ(table.asked(), "question!");
}

TEST_F(Connections, SimultaneousOpenIsOneConnection) {
  table.send(talk.syn());
  table.send(
      talk.build(talk.server, talk.client, talk.server_isn, 0, "", {.flags = TcpFlags::kSyn}));
  table.send(talk.syn_ack());
  table.send(talk.ask(0, "question"));
  table.send(talk.answer(0, "answer", {.ack = 8}));
  EXPECT_EQ(table.asked(), "question");
  EXPECT_EQ(table.answered(), "answer");
  EXPECT_EQ(table.last().peer_offset, 8u);
}

TEST_F(Connections, SynOnAKnownTupleReplacesTheConnection) {
  table.send(talk.syn());
  table.send(talk.syn_ack());
  table.send(talk.ask(0, "one"));
  table.send(talk.syn());  // a retransmission
  table.send(talk.ask(3, "!"));
  Talk next = talk;
  next.client_isn = 900'000'000;
  next.server_isn = 77;
  table.send(next.syn());
  EXPECT_TRUE(table.flow(1).closed);
  EXPECT_EQ(table.last(1).reason, CloseReason::kReplaced);
  EXPECT_EQ(table.last(1).closed_by, std::nullopt);
  table.send(next.syn_ack());
  table.send(next.ask(0, "two"));
  table.send(next.answer(0, "2", {.ack = 3}));
  EXPECT_EQ(table.asked(1), "one!");
  EXPECT_EQ(table.asked(2), "two");
  EXPECT_EQ(table.answered(2), "2");
}

TEST_F(Connections, SynAckAloneReplacesTheConnectionToo) {
  table.send(talk.syn_ack());
  table.send(talk.ask(0, "one"));
  Talk next = talk;
  next.client_isn = 900'000'000;
  next.server_isn = 77;
  table.send(next.syn_ack());
  table.send(next.ask(0, "two"));
  EXPECT_EQ(table.last(1).reason, CloseReason::kReplaced);
  EXPECT_EQ(table.asked(2), "two");
}

TEST_F(Connections, SynOnAFinishedTupleIsANewConnection) {
  table.send(talk.syn());
  table.send(talk.ask(0, "one", {.flags = kAckFin}));
  table.send(talk.answer(0, "1", {.flags = kAckFin, .ack = 4}));
  EXPECT_TRUE(table.flow(1).closed);
  Talk next = talk;
  next.client_isn += 10'000;
  table.send(next.syn());
  table.send(next.ask(0, "two"));
  EXPECT_EQ(table.asked(2), "two");
  EXPECT_FALSE(table.flow(2).info.joined_midstream);
}

TEST_F(Connections, TagInOneDirectionOnlyIsOneConnection) {
  table.send(talk.syn({}, 7));
  table.send(talk.syn_ack());
  table.send(talk.ask(0, "question", {.encapsulation = 7}));
  table.send(talk.answer(0, "answer"));
  table.send(talk.ask(0, "question"));  // captured a second time behind the tunnel
  EXPECT_EQ(table.sink.flows.size(), 1u);
  EXPECT_EQ(table.skipped(SkipReason::kStreamDuplicate), 8u);
}

TEST_F(Connections, SameTupleInTwoVlansIsTwoConnections) {
  Talk other = talk;
  other.client_isn = 800'000'000;
  other.server_isn = 300'000'000;
  table.send(talk.syn({}, 1));
  table.send(talk.syn_ack(0, 1));
  table.send(other.syn({}, 2));
  table.send(other.syn_ack(0, 2));
  table.send(other.ask(0, "red", {.encapsulation = 2}));
  table.send(talk.ask(0, "blue", {.encapsulation = 1}));
  table.send(talk.answer(0, "BLUE", {.encapsulation = 1}));
  table.send(other.answer(0, "RED", {.encapsulation = 2}));
  table.send(other.ask(3, "+", {.encapsulation = 9}));  // by its numbers
  EXPECT_EQ(table.sink.flows.size(), 2u);
  EXPECT_EQ(table.asked(1), "red+");
  EXPECT_EQ(table.answered(1), "RED");
  EXPECT_EQ(table.asked(2), "blue");
  EXPECT_EQ(table.answered(2), "BLUE");
}

TEST_F(Connections, FullTableEvictsTheLeastRecentlyActive) {
  Limits limits;
  limits.flows_max = 3;
  Table small(limits);
  Talk talks[4];
  for (uint16_t i = 0; i < 4; ++i) talks[i].client.port = static_cast<uint16_t>(1000 + i);
  for (int i = 0; i < 3; ++i) small.send(talks[i].ask(0, "a"));
  small.send(talks[1].ask(5, "held"));
  small.send(talks[0].ask(1, "b"));
  small.send(talks[2].ask(1, "b"));
  small.send(talks[3].ask(0, "new"));
  EXPECT_EQ(small.last(2).reason, CloseReason::kEvicted);
  EXPECT_EQ(small.asked(2), "a[4]held");
  EXPECT_EQ(small.drops(DropReason::kStreamFlowsFull), 1u);
  EXPECT_EQ(small.asked(4), "new");
  EXPECT_FALSE(small.flow(1).closed);
  EXPECT_EQ(small.room.flows(), 3u);
  check(small);
}

TEST_F(Connections, AFloodOfSynsEvictsNoLiveConnection) {
  Limits limits;
  limits.flows_max = 8;
  Table small(limits);
  small.send(talk.ask(0, "precious"));
  for (uint16_t port = 1; port < 1000; ++port) {
    Talk flood = talk;
    flood.client = endpoint(9, port);
    small.send(flood.syn());
  }
  small.send(talk.ask(8, "!"));
  EXPECT_EQ(small.asked(), "precious!");
  EXPECT_EQ(small.drops(DropReason::kStreamFlowsFull), 0u);
  check(small);
}

TEST_F(Connections, ReorderLimitsGiveUpTheLowestHole) {
  Limits limits;
  limits.reorder_segments_per_direction = 3;
  Table small(limits);
  small.send(talk.syn());
  small.send(talk.syn_ack());
  for (int i = 1; i <= 3; ++i) small.send(talk.ask(i * 10, "held"));
  small.send(talk.ask(40, "four"));
  EXPECT_EQ(small.asked(), "[10]held");
  EXPECT_EQ(small.drops(DropReason::kStreamReorderFull), 1u);
  small.send(talk.ask(14, "filler"));
  EXPECT_EQ(small.asked(), "[10]heldfillerheld") << "the segment needed next was not given up";
  check(small);
}

TEST_F(Connections, ReorderBytesAreLimited) {
  Limits limits;
  limits.reorder_bytes_per_direction = 10;
  Table small(limits);
  small.send(talk.syn());
  small.send(talk.ask(5, "12345678"));
  small.send(talk.ask(20, "12345678"));
  EXPECT_EQ(small.asked(), "[5]12345678");
  small.send(talk.ask(30, "more than ten bytes"));
  EXPECT_EQ(small.asked(), "[5]12345678[7]12345678[2]more than ten bytes");
  check(small);
}

TEST_F(Connections, ReorderMemoryIsSharedAndLimited) {
  Limits limits;
  limits.reorder_bytes_total = 2 * sizeof(Piece);
  Table small(limits);
  Talk other = talk;
  other.client.port = 1;
  small.send(talk.syn());
  small.send(other.syn());
  small.send(talk.ask(5, "a"));
  small.send(talk.ask(7, "b"));
  small.send(other.ask(5, "c"));
  EXPECT_EQ(small.sink.flows.size(), 1u);
  EXPECT_EQ(small.asked(), "[5]c") << "who needs memory gives up its own hole";
  EXPECT_EQ(small.room.pieces_in_use(), 2u);
  check(small);
}

TEST_F(Connections, FlowsCloseInOrderOfTheirFirstEventAtTheEnd) {
  struct Closing final : StreamSink {
    FlowDemand on_stream(const StreamEvent& event) override {
      if (event.kind == StreamEvent::Kind::kClose) ports.push_back(event.info->a.port);
      return FlowDemand::kMore;
    }
    void on_time(EventTime) override {}
    std::vector<uint16_t> ports;
  } closing;
  auto counters = std::make_unique<Counters>();
  StreamRoom room({}, *counters, closing);
  const auto from = [&](uint16_t port) {
    Talk one = talk;
    one.client.port = port;
    return one;
  };
  for (uint16_t port : {5, 1, 4, 2, 3}) room.on_segment(from(port).syn());
  for (uint16_t port : {3, 5, 1}) room.on_segment(from(port).ask(0, "q"));
  room.on_segment(from(2).ask(9, "behind a hole"));
  room.on_segment(from(4).ask(9, "behind a hole"));
  room.on_end({});
  EXPECT_EQ(closing.ports, (std::vector<uint16_t>{3, 5, 1, 4, 2}));
}

TEST_F(Connections, Ipv6AndIpv4AreKeptApart) {
  Talk six = talk;
  six.client.address.version = six.server.address.version = 6;
  table.send(talk.ask(0, "four"));
  table.send(six.ask(0, "six"));
  EXPECT_EQ(table.asked(1), "four");
  EXPECT_EQ(table.asked(2), "six");
}

TEST_F(Connections, ResetOfAnUnknownConnectionOpensNothing) {
  table.send(talk.ask(0, "why", {.flags = TcpFlags::kRst}));
  EXPECT_EQ(table.room.flows(), 0u);
  EXPECT_EQ(table.dropped(DropReason::kStreamPastFin), 3u);
}

}  // namespace
}  // namespace wiretally::stream
