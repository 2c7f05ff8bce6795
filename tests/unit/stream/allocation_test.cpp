// Once its tables have their working size, the room allocates nothing: not for segments in order,
// not for held ones, not for connections that come and go.
#include <gtest/gtest.h>

#include "support/allocation_counter.h"
#include "unit/stream/table.h"

namespace wiretally::stream {
namespace {

struct Nobody final : StreamSink {
  FlowDemand on_stream(const StreamEvent&) override { return FlowDemand::kMore; }
  void on_time(EventTime) override {}
};

TEST(Allocation, NothingIsAllocatedAfterWarmUp) {
  Limits limits;
  limits.flows_max = 500;
  auto counters = std::make_unique<Counters>();
  Nobody nobody;
  StreamRoom room(limits, *counters, nobody);
  const auto round = [&](uint32_t isn) {
    for (uint16_t port = 1; port <= 600; ++port) {
      Talk talk;
      talk.client.port = port;
      talk.client_isn = isn;
      room.on_segment(talk.syn());
      room.on_segment(talk.syn_ack());
      room.on_segment(talk.ask(0, "in order"));
      room.on_segment(talk.ask(13, "later"));
      room.on_segment(talk.ask(8, "first"));
      room.on_segment(talk.answer(9, "held until the connection is replaced"));
    }
  };
  round(1);
  round(1'000'000'000);
  const size_t before = test::allocations;
  round(2'000'000'000);
  EXPECT_EQ(test::allocations, before);
}

}  // namespace
}  // namespace wiretally::stream
