// The cost of one token event of a stream, from body bytes to the noted content.
#include <benchmark/benchmark.h>

#include <string>

#include "llm_room.h"

namespace wiretally::llm {
namespace {

class NoCredentials final : public CredentialReader {
 public:
  Caller read(const Headers&, std::string_view) const override { return {}; }
};

class NoSink final : public UsageSink {
 public:
  void on_call_opened(const CallOpened&) override {}
  void on_record(const UsageRecord& record) override { benchmark::DoNotOptimize(&record); }
  void on_call_closed(ExchangeId, uint32_t, EventTime) override {}
  void on_time(EventTime) override {}
  void on_suspect(Dialect) override {}
};

struct Call {
  Call(std::string_view target, std::string_view request, std::string_view content_type) {
    const HeaderField type[] = {{"content-type", content_type}};
    RequestHead asked;
    asked.flow = &flow;
    asked.method = "POST";
    asked.target = target;
    room.on_request(ExchangeId{1}, asked);
    room.on_body(ExchangeId{1}, Message::kRequest, as_bytes(request), {});
    room.on_message_end(ExchangeId{1}, Message::kRequest, MessageEnd::kComplete, {});
    ResponseHead answered;
    answered.flow = &flow;
    answered.status = 200;
    answered.headers.fields = type;
    room.on_response(ExchangeId{1}, answered);
  }

  FlowInfo flow;
  NoCredentials credentials;
  NoSink sink;
  LlmRoom room{Limits{}, 0, credentials, sink};
};

constexpr std::string_view kChatEvent =
    R"(data: {"id":"chatcmpl-BxQe5yJtq0wVnYyH0c1","object":"chat.completion.chunk","created":1763700000,"model":"gpt-5.5-2026-04-23","service_tier":"default","system_fingerprint":"fp_44709d6fcb","choices":[{"index":0,"delta":{"content":" token"},"logprobs":null,"finish_reason":null}],"usage":null}

)";
constexpr std::string_view kAnthropicEvent =
    "event: content_block_delta\n"
    R"(data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" token"}}

)";

// One event a body part, as a stream arrives token by token.
void stream_events(benchmark::State& state, Call& call, std::string_view event) {
  int64_t ns = 0;
  for (auto _ : state) {
    call.room.on_body(ExchangeId{1}, Message::kResponse, as_bytes(event),
                      {.ns = ++ns, .clock = Clock::kBoot});
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * event.size()));
}

void BM_ChatEvent(benchmark::State& state) {
  Call call("/v1/chat/completions", R"({"model":"m","messages":[{"role":"user"}]})",
            "text/event-stream");
  stream_events(state, call, kChatEvent);
}
BENCHMARK(BM_ChatEvent);

void BM_AnthropicEvent(benchmark::State& state) {
  Call call("/v1/messages", R"({"model":"m","messages":[{"role":"user"}]})", "text/event-stream");
  stream_events(state, call, kAnthropicEvent);
}
BENCHMARK(BM_AnthropicEvent);

void BM_EmbeddingNumbers(benchmark::State& state) {
  Call call("/v1/embeddings", R"({"model":"m","input":"x"})", "application/json");
  std::string numbers;
  while (numbers.size() < 16 * 1024) numbers += "-0.01234567,";
  call.room.on_body(ExchangeId{1}, Message::kResponse,
                    as_bytes(R"({"object":"list","data":[{"embedding":[)"), {});
  for (auto _ : state) {
    call.room.on_body(ExchangeId{1}, Message::kResponse, as_bytes(numbers), {});
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * numbers.size()));
}
BENCHMARK(BM_EmbeddingNumbers);

void BM_WholeCall(benchmark::State& state) {
  Call call("/v1/messages", "{}", "application/json");
  const HeaderField type[] = {{"content-type", "application/json"}};
  uint64_t id = 1;
  for (auto _ : state) {
    const ExchangeId exchange{++id};
    RequestHead asked;
    asked.flow = &call.flow;
    asked.method = "POST";
    asked.target = "/v1/messages";
    call.room.on_request(exchange, asked);
    call.room.on_body(exchange, Message::kRequest,
                      as_bytes(R"({"model":"m","messages":[{"role":"user"}]})"), {});
    call.room.on_message_end(exchange, Message::kRequest, MessageEnd::kComplete, {});
    ResponseHead answered;
    answered.flow = &call.flow;
    answered.status = 200;
    answered.headers.fields = type;
    call.room.on_response(exchange, answered);
    call.room.on_body(
        exchange, Message::kResponse,
        as_bytes(
            R"({"type":"message","role":"assistant","usage":{"input_tokens":1,"output_tokens":2}})"),
        {});
    call.room.on_message_end(exchange, Message::kResponse, MessageEnd::kComplete, {});
    call.room.on_exchange_end(exchange, {});
  }
}
BENCHMARK(BM_WholeCall);

}  // namespace
}  // namespace wiretally::llm
