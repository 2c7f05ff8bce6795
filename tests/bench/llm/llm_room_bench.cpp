// The cost of one token event of a stream, from body bytes to the noted content, and of whole
// bodies; beside them memchr over the same bytes.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

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
  void on_record(const UsageRecord& record) override {
    benchmark::DoNotOptimize(&record);
    input_tokens += record.tokens.input.value_or(0);
  }
  void on_call_closed(ExchangeId, uint32_t, EventTime) override {}
  void on_time(EventTime) override {}
  void on_suspect(Dialect) override {}

  uint64_t input_tokens = 0;
};

struct Call {
  Call(std::string_view target, std::string_view request, std::string_view content_type) {
    begin(ExchangeId{1}, target, request, content_type);
  }
  // Up to the answer's head.
  void begin(ExchangeId exchange, std::string_view target, std::string_view request,
             std::string_view content_type) {
    const HeaderField type[] = {{"content-type", content_type}};
    RequestHead asked;
    asked.flow = &flow;
    asked.method = "POST";
    asked.target = target;
    room.on_request(exchange, asked);
    room.on_body(exchange, Message::kRequest, as_bytes(request), {});
    room.on_message_end(exchange, Message::kRequest, MessageEnd::kComplete, {});
    ResponseHead answered;
    answered.flow = &flow;
    answered.status = 200;
    answered.headers.fields = type;
    room.on_response(exchange, answered);
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

// A stream of the chat API as it comes: each event its own token, each in its own place in memory.
std::vector<std::string> chat_stream() {
  static constexpr const char* kTokens[] = {
      " The", " light", "house", " keeper",        ",", " who",   " had", " not", " seen",
      " a",   " ship",  " in",   " \\\"years\\\"", ".", "\\n\\n", " Then"};
  std::vector<std::string> events;
  for (size_t i = 0; i < 4'000; ++i) {
    std::string event(kChatEvent);
    const std::string_view token = " token";
    event.replace(event.find(token), token.size(), kTokens[i * 7 % std::size(kTokens)]);
    events.push_back(std::move(event));
  }
  return events;
}

// Per item: one event.
void BM_ChatStream(benchmark::State& state) {
  Call call("/v1/chat/completions", R"({"model":"m","messages":[{"role":"user"}]})",
            "text/event-stream");
  const std::vector<std::string> events = chat_stream();
  int64_t ns = 0;
  for (auto _ : state) {
    for (const std::string& event : events) {
      call.room.on_body(ExchangeId{1}, Message::kResponse, as_bytes(event),
                        {.ns = ++ns, .clock = Clock::kBoot});
    }
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * events.size()));
}
BENCHMARK(BM_ChatStream);

// The same, but that no event is like the one before it: members change places.
void BM_ChatStreamOfChangingShape(benchmark::State& state) {
  Call call("/v1/chat/completions", R"({"model":"m","messages":[{"role":"user"}]})",
            "text/event-stream");
  std::vector<std::string> events = chat_stream();
  constexpr std::string_view kMember = R"("object":"chat.completion.chunk",)";
  for (size_t i = 0; i < events.size(); i += 2) {
    events[i].erase(events[i].find(kMember), kMember.size());
    events[i].insert(events[i].find(R"("choices")"), kMember);
  }
  int64_t ns = 0;
  for (auto _ : state) {
    for (const std::string& event : events) {
      call.room.on_body(ExchangeId{1}, Message::kResponse, as_bytes(event),
                        {.ns = ++ns, .clock = Clock::kBoot});
    }
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * events.size()));
}
BENCHMARK(BM_ChatStreamOfChangingShape);

void BM_MemchrOverChatStream(benchmark::State& state) {
  const std::vector<std::string> events = chat_stream();
  for (auto _ : state) {
    for (const std::string& event : events) {
      benchmark::DoNotOptimize(std::memchr(event.data(), '\0', event.size()));
    }
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * events.size()));
}
BENCHMARK(BM_MemchrOverChatStream);

// A whole answer of 1 MB, in parts of 16 KiB, with its call.
void BM_Embeddings(benchmark::State& state, std::string_view before, std::string_view piece,
                   std::string_view after) {
  std::string body = R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":)";
  body += before;
  while (body.size() < 1'000'000) body += piece;
  body += after;
  body += R"(}],"model":"text-embedding-3-large","usage":{"prompt_tokens":8,"total_tokens":8}})";
  Call call("/v1/embeddings", R"({"model":"m","input":"x"})", "application/json");
  uint64_t id = 1;
  for (auto _ : state) {
    const ExchangeId exchange{++id};
    call.begin(exchange, "/v1/embeddings", R"({"model":"m","input":"x"})", "application/json");
    constexpr size_t kPartBytes = 16 << 10;
    for (size_t at = 0; at < body.size(); at += kPartBytes) {
      call.room.on_body(exchange, Message::kResponse,
                        as_bytes(std::string_view(body).substr(at, kPartBytes)), {});
    }
    call.room.on_message_end(exchange, Message::kResponse, MessageEnd::kComplete, {});
    call.room.on_exchange_end(exchange, {});
  }
  if (call.sink.input_tokens != 8 * (id - 1)) state.SkipWithError("read something else");
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * body.size()));
}
BENCHMARK_CAPTURE(BM_Embeddings, numbers, "[0.0", ",-0.0069292834", "]");
BENCHMARK_CAPTURE(BM_Embeddings, base64, "\"", "zczMPc3MTD6amZk+zczMPgAAAD+amRk/MzMzP83MTD9mZmY/",
                  "\"");

void BM_WholeCall(benchmark::State& state) {
  Call call("/v1/messages", "{}", "application/json");
  uint64_t id = 1;
  for (auto _ : state) {
    const ExchangeId exchange{++id};
    call.begin(exchange, "/v1/messages", R"({"model":"m","messages":[{"role":"user"}]})",
               "application/json");
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
