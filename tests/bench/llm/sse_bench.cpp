// The reader against memchr over the same bytes: one huge chunk must cost no more than many small.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "framing/sse_reader.h"

namespace wiretally::llm {
namespace {

constexpr size_t kStreamBytes = 1 << 20;

class Count : public SseEvents {
 public:
  void on_sse_data(ByteView part) override { bytes += part.size(); }
  void on_sse_end(std::string_view type) override { bytes += type.size() + 1; }
  void on_sse_error_field(ByteView part, bool) override { bytes += part.size(); }
  uint64_t bytes = 0;
};

// Events of `event_bytes` each, read in feeds of `feed_bytes`.
void sse(benchmark::State& state) {
  const auto event_bytes = static_cast<size_t>(state.range(0));
  const auto feed_bytes = static_cast<size_t>(state.range(1));
  std::string stream;
  while (stream.size() < kStreamBytes) {
    stream += "event: message\ndata: " + std::string(event_bytes, 'x') + "\n\n";
  }
  Count count;
  SseReader reader(count);
  const ByteView bytes = as_bytes(stream);
  for (auto _ : state) {
    for (size_t at = 0; at < bytes.size(); at += feed_bytes) {
      reader.feed(bytes.subspan(at, std::min(feed_bytes, bytes.size() - at)));
    }
    reader.finish();
  }
  benchmark::DoNotOptimize(count.bytes);
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * stream.size()));
  state.counters["events"] =
      benchmark::Counter(static_cast<double>(state.iterations() * (stream.size() / event_bytes)),
                         benchmark::Counter::kIsRate);
}
BENCHMARK(sse)
    ->ArgNames({"event", "feed"})
    ->Args({250, 272})
    ->Args({250, 16 << 10})
    ->Args({64 << 10, 16 << 10})
    ->Args({1 << 20, 1 << 20})
    ->Args({1, 16 << 10});

void memchr_stream(benchmark::State& state) {
  const std::string stream(kStreamBytes, 'x');
  for (auto _ : state) {
    benchmark::DoNotOptimize(std::memchr(stream.data(), '\n', stream.size()));
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * stream.size()));
}
BENCHMARK(memchr_stream);

}  // namespace
}  // namespace wiretally::llm
