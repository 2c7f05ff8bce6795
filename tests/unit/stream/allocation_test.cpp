// Once its tables have their working size, the room allocates nothing: not for segments in order,
// not for held ones, not for connections that come and go.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "unit/stream/table.h"

namespace {
size_t allocations = 0;
}

// All forms, so that none meets the sanitizers' own. Not inlined: g++ would see free() meet a
// pointer from new, and warn.
[[gnu::noinline]] void* operator new(size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(size);
}
[[gnu::noinline]] void* operator new(size_t size) {
  if (void* memory = operator new(size, std::nothrow)) return memory;
  throw std::bad_alloc();
}
void* operator new[](size_t size) { return operator new(size); }
void* operator new[](size_t size, const std::nothrow_t&) noexcept {
  return operator new(size, std::nothrow);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { operator delete(memory); }
void operator delete[](void* memory) noexcept { operator delete(memory); }
void operator delete[](void* memory, size_t) noexcept { operator delete(memory); }

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
  const size_t before = allocations;
  round(2'000'000'000);
  EXPECT_EQ(allocations, before);
}

}  // namespace
}  // namespace wiretally::stream
