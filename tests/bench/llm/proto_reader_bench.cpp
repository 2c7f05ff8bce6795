// Reading a stream of xAI's chunks over gRPC, by the table of its dialect; an item is a chunk.
#include <benchmark/benchmark.h>

#include <string>

#include "body_reader.h"
#include "dialect_table.h"
#include "support/proto_text.h"

namespace wiretally::llm {
namespace {

std::string chunk() {
  return test::grpc_message(test::ProtoText::message(
      R"(1:"9f0c1a52-0000-4000-8000-000000000001" 2:{1:{1:" word" 2:2}} 3:{1:1780000000 2:123456789} )"
      R"(4:"grok-4-0709" 5:"fp_0123456789" 6:{1:40 2:1000 3:1100 4:1000 6:60 7:900})"));
}

void BM_Chunks(benchmark::State& state) {
  constexpr size_t kChunks = 100;
  const DialectSpec& spec = xai_grpc();
  const Rpc& rpc = *rpc_of(spec, "/xai_api.Chat/GetCompletionChunk");
  const std::string one = chunk();
  std::string body;
  for (size_t i = 0; i < kChunks; ++i) body += one;
  AnswerReader reader(spec);
  for (auto _ : state) {
    reader.reset(BodyForm::kGrpc);
    reader.read_rpc(rpc, nullptr);
    reader.feed(as_bytes(body), {});
    benchmark::DoNotOptimize(reader.notes().usage);
  }
  if (reader.events() != kChunks || !reader.notes().has_usage) state.SkipWithError("not read");
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * body.size()));
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * kChunks));
}
BENCHMARK(BM_Chunks);

// What nobody reads is skipped by its length.
void BM_LongAnswer(benchmark::State& state) {
  const DialectSpec& spec = xai_grpc();
  const Rpc& rpc = *rpc_of(spec, "/xai_api.Chat/GetCompletion");
  const std::string body = test::grpc_message(
      test::ProtoText::message("12:{3:\"" + std::string(1 << 20, 'a') + "\"} 2:{1:3 3:{1:\"" +
                               std::string(1 << 20, 'a') + "\"}} 9:{1:40 2:1000 3:1040}"));
  AnswerReader reader(spec);
  for (auto _ : state) {
    reader.reset(BodyForm::kGrpc);
    reader.read_rpc(rpc, nullptr);
    for (size_t at = 0; at < body.size(); at += 16'384) {
      reader.feed(as_bytes(std::string_view(body).substr(at, 16'384)), {});
    }
    benchmark::DoNotOptimize(reader.notes().usage);
  }
  if (!reader.notes().has_usage) state.SkipWithError("not read");
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * body.size()));
}
BENCHMARK(BM_LongAnswer);

}  // namespace
}  // namespace wiretally::llm
