// What a record costs the ledger, with and without a twin, beside a thousand held calls.
#include <benchmark/benchmark.h>

#include "unit/ledger/fixtures.h"

namespace wiretally::ledger {
namespace {

struct Nothing final : EntrySink {
  void on_entry(const LedgerEntry& entry) override { benchmark::DoNotOptimize(&entry); }
  void on_call_opened(const CallOpened&) override {}
  void on_call_closed(const CallOpened&) override {}
  void on_suspect(Dialect) override {}
  void on_late_twin(std::string_view) override {}
  void on_time(EventTime) override {}
  void on_finish() override {}
};

void BM_Records(benchmark::State& state) {
  const bool twins = state.range(0) != 0;
  Nothing sink;
  Ledger ledger(Limits{}, {}, {&sink});
  RecordMaker make;
  int64_t now_us = 0;
  const auto feed = [&](Side side, uint32_t pid, const std::string& content) {
    UsageRecord r = make.probe(side, pid, 0, 0, content);
    r.start.ns = kEpoch + now_us * 1000;
    r.finish.ns = r.last_byte.ns = r.start.ns + 400 * kMs;
    ledger.on_record(r);
  };
  for (auto _ : state) {
    now_us += 500;
    const std::string content = std::to_string(now_us);
    feed(Side::kServer, 2, content);
    if (twins) feed(Side::kClient, 1, content);
  }
  state.SetItemsProcessed(state.iterations() * (twins ? 2 : 1));
}
BENCHMARK(BM_Records)->Arg(0)->Arg(1);

}  // namespace
}  // namespace wiretally::ledger
