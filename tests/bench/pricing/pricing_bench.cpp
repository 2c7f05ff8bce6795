// What pricing one call costs, by the built-in catalog: a name that is listed, a snapshot, a model
// that nobody lists; and through the book of a running agent. And reading the built-in catalog.
#include <benchmark/benchmark.h>

#include "live_price_book.h"

namespace {

using wiretally::UsageRecord;
using wiretally::pricing::Catalog;
using wiretally::pricing::LivePriceBook;

UsageRecord call(const char* provider, const char* model) {
  UsageRecord record;
  record.provider.assign(provider);
  record.response_model.assign(model);
  record.tokens.input = 23'012;
  record.tokens.cache_read = 20'000;
  record.tokens.output = 500;
  record.tokens.input_source = record.tokens.output_source = wiretally::UsageSource::kReported;
  return record;
}

void price(benchmark::State& state, const char* provider, const char* model) {
  const Catalog catalog = Catalog::built_in();
  const UsageRecord record = call(provider, model);
  for (auto _ : state) benchmark::DoNotOptimize(catalog.price_at(record, 0));
}
BENCHMARK_CAPTURE(price, listed, "openai", "gpt-5.5");
BENCHMARK_CAPTURE(price, snapshot, "openai", "gpt-5.5-2026-04-23");
BENCHMARK_CAPTURE(price, bedrock, "aws.bedrock", "us.anthropic.claude-opus-4-7");
BENCHMARK_CAPTURE(price, unknown, "openai", "gpt-99");

void price_by_live_book(benchmark::State& state) {
  const auto book = LivePriceBook::open({});
  const UsageRecord record = call("openai", "gpt-5.5");
  for (auto _ : state) benchmark::DoNotOptimize((*book)->price_at(record, 0));
}
BENCHMARK(price_by_live_book);

void read_built_in(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(Catalog::built_in());
}
BENCHMARK(read_built_in)->Unit(benchmark::kMillisecond);

}  // namespace
