// What a scrape and an entry cost the metrics of many callers.
#include <benchmark/benchmark.h>

#include <string>
#include <utility>

#include "ndjson/ndjson_sink.h"
#include "prometheus/prometheus_sink.h"
#include "unit/sinks/fixtures.h"

namespace wiretally::sinks {
namespace {

void fill(PrometheusSink& sink, int64_t callers) {
  LedgerEntry entry = rich_entry();
  for (int64_t i = 0; i < callers; ++i) {
    entry.record.caller.subject.assign("user" + std::to_string(i));
    entry.record.caller.key_id.assign("key" + std::to_string(i));
    entry.process->workload.assign("workload" + std::to_string(i));
    sink.on_entry(entry);
  }
}

void BM_Scrape(benchmark::State& state) {
  Limits limits;
  limits.series_per_family_max = limits.subject_series_max = 1'000'000;
  limits.exposition_bytes_max = size_t{1} << 30;
  PrometheusSink sink(limits);
  fill(sink, state.range(0));
  std::string text;
  for (auto _ : state) {
    Scrape scrape = sink.scrape(Reader::kPrometheus);
    sink.delivered(scrape);
    text = std::move(scrape.text);
  }
  state.counters["text_bytes"] = static_cast<double>(text.size());
  double series = 0;
  for (size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) series += text[at] != '#';
  state.counters["series"] = series;
}
BENCHMARK(BM_Scrape)->Arg(100)->Arg(4'000)->Unit(benchmark::kMillisecond);

void BM_Entry(benchmark::State& state) {
  PrometheusSink sink(Limits{});
  fill(sink, 1'000);
  const LedgerEntry entry = rich_entry();
  for (auto _ : state) sink.on_entry(entry);
}
BENCHMARK(BM_Entry);

void BM_Ndjson(benchmark::State& state) {
  const LedgerEntry entry = rich_entry();
  std::string line;
  for (auto _ : state) {
    line.clear();
    write_usage_record(entry, line);
    benchmark::DoNotOptimize(line.data());
  }
}
BENCHMARK(BM_Ndjson);

}  // namespace
}  // namespace wiretally::sinks
