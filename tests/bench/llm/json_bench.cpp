// The scanner against memchr over the same bytes.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "json/json_scanner.h"

namespace wiretally::llm {
namespace {

constexpr size_t kHuge = 20 << 20;

// As many patterns as a dialect of OpenAI's kind has.
const PathSet& patterns() {
  static const PathSet paths{"id",
                             "object",
                             "model",
                             "service_tier",
                             "choices",
                             "choices[].finish_reason",
                             "choices[].delta.content",
                             "choices[].delta.reasoning_content",
                             "choices[].delta.refusal",
                             "choices[].delta.tool_calls[].id",
                             "choices[].delta.tool_calls[].function.name",
                             "choices[].message.tool_calls[].function.name",
                             "usage",
                             "usage.prompt_tokens",
                             "usage.completion_tokens",
                             "usage.total_tokens",
                             "usage.prompt_tokens_details.cached_tokens",
                             "usage.prompt_tokens_details.cache_write_tokens",
                             "usage.prompt_tokens_details.audio_tokens",
                             "usage.completion_tokens_details.reasoning_tokens",
                             "usage.completion_tokens_details.audio_tokens",
                             "usage.cost",
                             "error",
                             "error.type",
                             "error.code"};
  return paths;
}

class Count : public JsonEvents {
 public:
  void on_json(PathId, const JsonEvent& event) override { bytes += event.text_bytes + 1; }
  uint64_t bytes = 0;
};

std::string content_chunk() {
  return R"({"id":"chatcmpl-BnQ1y2Qh0000000000000000000","object":"chat.completion.chunk",)"
         R"("created":1755600000,"model":"gpt-5.5-2026-04-23","service_tier":"default",)"
         R"("choices":[{"index":0,"delta":{"content":" hello"},"logprobs":null,)"
         R"("finish_reason":null}],"usage":null})";
}

std::string usage_chunk() {
  return R"({"id":"chatcmpl-BnQ1y2Qh0000000000000000000","object":"chat.completion.chunk",)"
         R"("created":1755600000,"model":"gpt-5.5-2026-04-23","choices":[],"usage":{)"
         R"("prompt_tokens":1200,"completion_tokens":310,"total_tokens":1510,)"
         R"("prompt_tokens_details":{"cached_tokens":1024,"audio_tokens":0},)"
         R"("completion_tokens_details":{"reasoning_tokens":256,"audio_tokens":0}}})";
}

std::string document_of(std::string_view before, std::string_view piece, std::string_view after) {
  std::string document(before);
  while (document.size() < kHuge) document += piece;
  document += after;
  return document;
}

void scan(benchmark::State& state, const std::string& document, size_t feed_bytes) {
  Count count;
  JsonScanner scanner(patterns(), count);
  const ByteView bytes = as_bytes(document);
  for (auto _ : state) {
    scanner.reset();
    for (size_t at = 0; at < bytes.size(); at += feed_bytes) {
      scanner.feed(bytes.subspan(at, std::min(feed_bytes, bytes.size() - at)));
    }
    if (scanner.finish() != JsonScanner::Verdict::kComplete) state.SkipWithError("not complete");
  }
  benchmark::DoNotOptimize(count.bytes);
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * document.size()));
}

void json_content_chunk(benchmark::State& state) { scan(state, content_chunk(), SIZE_MAX / 2); }
BENCHMARK(json_content_chunk);

void json_usage_chunk(benchmark::State& state) { scan(state, usage_chunk(), SIZE_MAX / 2); }
BENCHMARK(json_usage_chunk);

void memchr_content_chunk(benchmark::State& state) {
  const std::string document = content_chunk();
  for (auto _ : state) {
    benchmark::DoNotOptimize(std::memchr(document.data(), '\0', document.size()));
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * document.size()));
}
BENCHMARK(memchr_content_chunk);

// 20 MB, as they come off the wire: in pieces of 16 KiB.
void huge(benchmark::State& state, std::string_view before, std::string_view piece,
          std::string_view after) {
  scan(state, document_of(before, piece, after), 16 << 10);
}
BENCHMARK_CAPTURE(huge, skipped_base64, R"({"data":[{"embedding":")",
                  "zczMPc3MTD6amZk+zczMPgAAAD+amRk/MzMzP83MTD9mZmY/", R"("}],"usage":{}})");
BENCHMARK_CAPTURE(huge, skipped_numbers, R"({"data":[{"embedding":[0)", ",-0.0069292834",
                  R"(]}],"usage":{}})");
BENCHMARK_CAPTURE(
    huge, skipped_messages, R"({"messages":[{})",
    R"(,{"role":"user","content":"A line of \"text\".\nAnother line of it, longer."})",
    R"(],"usage":{}})");
BENCHMARK_CAPTURE(huge, matched_text, R"({"id":")", "Some text that is matched, and so counted. ",
                  R"("})");
BENCHMARK_CAPTURE(huge, matched_cjk, R"({"id":")",
                  "\xE4\xBD\xA0\xE5\xA5\xBD\xE4\xB8\x96\xE7\x95\x8C", R"("})");
BENCHMARK_CAPTURE(huge, white_space, "", "                ", "{}");

void memchr_huge(benchmark::State& state) {
  const std::string document(kHuge, 'x');
  for (auto _ : state) {
    benchmark::DoNotOptimize(std::memchr(document.data(), '\0', document.size()));
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * document.size()));
}
BENCHMARK(memchr_huge);

}  // namespace
}  // namespace wiretally::llm
