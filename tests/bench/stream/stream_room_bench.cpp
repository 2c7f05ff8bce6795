// What one segment costs in the room, with a sink that does nothing.
#include <benchmark/benchmark.h>

#include <memory>
#include <vector>

#include "stream_room.h"

namespace wiretally::stream {
namespace {

struct Nobody final : StreamSink {
  FlowDemand on_stream(const StreamEvent& event) override {
    bytes += event.bytes.size();
    return FlowDemand::kMore;
  }
  void on_time(EventTime) override {}
  uint64_t bytes = 0;
};

struct Load {
  Load(size_t flows, size_t payload_bytes) : payload(payload_bytes, 'x'), segments(flows) {
    for (size_t i = 0; i < flows; ++i) {
      Segment& segment = segments[i];
      segment.source.address.version = segment.destination.address.version = 4;
      segment.source.address.bytes = {10, 1, static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i)};
      segment.destination.address.bytes = {10, 2, 0, 1};
      segment.source.port = static_cast<uint16_t>(1024 + i % 50'000);
      segment.destination.port = 8000;
      segment.flags.bits = TcpFlags::kAck;
      segment.window = 500;
      segment.payload = payload;
      segment.payload_wire_bytes = static_cast<uint32_t>(payload.size());
      room.on_segment(segment);
    }
  }
  void send(size_t flow, uint32_t ahead) {
    Segment& segment = segments[flow];
    segment.time.ns += 1000;
    segment.sequence += ahead;
    room.on_segment(segment);
  }

  std::vector<uint8_t> payload;
  std::vector<Segment> segments;
  std::unique_ptr<Counters> counters = std::make_unique<Counters>();
  Nobody nobody;
  StreamRoom room{Limits{}, *counters, nobody};
};

void in_order(benchmark::State& state) {
  Load load(static_cast<size_t>(state.range(0)), static_cast<size_t>(state.range(1)));
  const auto size = static_cast<uint32_t>(load.payload.size());
  size_t flow = 0;
  for (auto _ : state) {
    load.send(flow, size);
    if (++flow == load.segments.size()) flow = 0;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(in_order)->Args({1, 200})->Args({5000, 200})->Args({5000, 1448})->Args({50'000, 200});

// Each second pair of segments comes in reverse order: half of the segments are held and drained.
void out_of_order(benchmark::State& state) {
  Load load(static_cast<size_t>(state.range(0)), static_cast<size_t>(state.range(1)));
  const auto size = static_cast<uint32_t>(load.payload.size());
  size_t flow = 0;
  for (auto _ : state) {
    load.send(flow, 2 * size);
    load.send(flow, 0 - size);
    load.segments[flow].sequence += size;
    if (++flow == load.segments.size()) flow = 0;
  }
  state.SetItemsProcessed(2 * state.iterations());
}
BENCHMARK(out_of_order)->Args({1, 200})->Args({5000, 200})->Args({5000, 1448});

void chunks(benchmark::State& state) {
  const auto connections = static_cast<uint64_t>(state.range(0));
  auto counters = std::make_unique<Counters>();
  Nobody nobody;
  StreamRoom room(Limits{}, *counters, nobody);
  const std::vector<uint8_t> payload(200, 'x');
  std::vector<Chunk> all(connections);
  for (uint64_t i = 0; i < connections; ++i) {
    all[i].connection = {.pid = 1, .process_start_ns = 1, .handle = i * 64, .generation = 1};
    all[i].bytes = payload;
  }
  size_t at = 0;
  for (auto _ : state) {
    room.on_chunk(all[at]);
    all[at].offset += payload.size();
    if (++at == all.size()) at = 0;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(chunks)->Arg(1)->Arg(5000);

}  // namespace
}  // namespace wiretally::stream
