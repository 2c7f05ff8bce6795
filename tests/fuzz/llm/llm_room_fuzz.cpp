// Arbitrary exchanges through an LlmRoom, each played whole and cut up.
//
// Input: four bytes of choices, then request body, 0x1E, answer body; in the answer 0x1F stands for
// lost bytes. What must hold: one record or none; the same record however the bodies are cut; every
// call that was opened is closed; parts never exceed their wholes; a number has a source and a
// source has a number; what is lost or broken is flagged.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include "llm_room.h"

namespace {

using namespace wiretally;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

class NoCredentials final : public CredentialReader {
 public:
  Caller read(const Headers&, std::string_view) const override { return {}; }
};

class Sink final : public UsageSink {
 public:
  void on_call_opened(const CallOpened&) override { ++opened; }
  void on_record(const UsageRecord& record) override { records.push_back(record); }
  void on_call_closed(ExchangeId, uint32_t, EventTime) override { ++closed; }
  void on_time(EventTime) override {}
  void on_suspect(Dialect) override { ++suspects; }

  std::vector<UsageRecord> records;
  int opened = 0, closed = 0, suspects = 0;
};

struct Plan {
  std::string_view target;
  bool has_request = true;
  bool has_answer = true;
  bool complete = true;
  std::string_view content_type;
  uint16_t status = 200;
  uint8_t step = 1;
  std::string_view request;
  std::string_view answer;
};

Plan plan_of(std::string_view input) {
  static constexpr std::string_view kTargets[] = {"/v1/chat/completions",
                                                  "/v1/completions",
                                                  "/v1/responses",
                                                  "/v1/embeddings",
                                                  "/v1/messages",
                                                  "/v1beta/models/m:streamGenerateContent",
                                                  "/v1beta/models/m:embedContent",
                                                  "/v1beta/interactions",
                                                  "/model/a.b/converse-stream",
                                                  "/model/a.b/invoke-with-response-stream",
                                                  "/v1/chat",
                                                  "/v2/chat",
                                                  "/v2/rerank",
                                                  "/api/chat",
                                                  "/v1/images/edits",
                                                  "/v1/audio/transcriptions",
                                                  "/generate",
                                                  "/completion",
                                                  "/mcp"};
  static constexpr std::string_view kTypes[] = {"application/json", "text/event-stream", "",
                                                "application/x-ndjson",
                                                "application/vnd.amazon.eventstream"};
  static constexpr uint16_t kStatuses[] = {200, 200, 429, 500};
  Plan plan;
  const auto choice = [&](size_t i) { return static_cast<uint8_t>(input[i]); };
  plan.target = kTargets[choice(0) % std::size(kTargets)];
  plan.has_request = (choice(1) & 1) == 0;
  plan.has_answer = (choice(1) & 2) == 0;
  plan.complete = (choice(1) & 4) == 0;
  plan.content_type = kTypes[choice(2) % std::size(kTypes)];
  plan.status = kStatuses[choice(2) / std::size(kTypes) % 4];
  plan.step = static_cast<uint8_t>(1 + choice(3) % 64);
  input.remove_prefix(4);
  const size_t border = input.find('\x1E');
  plan.request = input.substr(0, border);
  if (border != std::string_view::npos) plan.answer = input.substr(border + 1);
  return plan;
}

void feed(llm::LlmRoom& room, Message message, std::string_view text, size_t step) {
  const EventTime time{.ns = 5, .clock = Clock::kBoot};
  while (!text.empty()) {
    const size_t loss = text.find('\x1F');
    if (loss == 0) {
      room.on_body_loss(ExchangeId{1}, message, BodyLoss::kGap, 1, time);
      text.remove_prefix(1);
      continue;
    }
    const std::string_view part = text.substr(0, std::min(step, loss));
    room.on_body(ExchangeId{1}, message, as_bytes(part), time);
    text.remove_prefix(part.size());
  }
}

std::optional<UsageRecord> play(const Plan& plan, size_t step) {
  Sink sink;
  NoCredentials credentials;
  llm::LlmRoom room(Limits{}, 0, credentials, sink);
  FlowInfo flow;
  const HeaderField host[] = {{"host", "h"}};
  const HeaderField type[] = {{"content-type", plan.content_type}};
  const MessageEnd end_of_message = plan.complete ? MessageEnd::kComplete : MessageEnd::kCut;
  if (plan.has_request) {
    RequestHead head;
    head.flow = &flow;
    head.method = "POST";
    head.target = plan.target;
    head.headers.fields = host;
    room.on_request(ExchangeId{1}, head);
    feed(room, Message::kRequest, plan.request, step);
    room.on_message_end(ExchangeId{1}, Message::kRequest, MessageEnd::kComplete, {});
  }
  if (plan.has_answer) {
    ResponseHead head;
    head.flow = &flow;
    head.status = plan.status;
    head.headers.fields = type;
    room.on_response(ExchangeId{1}, head);
    feed(room, Message::kResponse, plan.answer, step);
    room.on_message_end(ExchangeId{1}, Message::kResponse, end_of_message, {});
  }
  ExchangeEnd end;
  end.outcome = plan.complete ? ExchangeOutcome::kComplete : ExchangeOutcome::kClientClosed;
  room.on_exchange_end(ExchangeId{1}, end);
  require(sink.records.size() <= 1, "one record at most");
  require(sink.opened == sink.closed, "what was opened is closed");
  require(room.open() == 0, "nothing is left open");
  require(sink.records.empty() || sink.suspects == 0, "a call is no suspect");
  if (sink.records.empty()) return std::nullopt;
  return sink.records[0];
}

void check_tokens(const UsageRecord& record) {
  const TokenCounts& tokens = record.tokens;
  const auto part_of = [](std::optional<uint64_t> part, std::optional<uint64_t> whole) {
    return !part.has_value() || !whole.has_value() || *part <= *whole;
  };
  require(part_of(tokens.cache_read, tokens.input), "cache read within input");
  require(part_of(tokens.cache_read.value_or(0) + tokens.cache_write_5m.value_or(0) +
                      tokens.cache_write_1h.value_or(0),
                  tokens.input),
          "cache within input");
  require(part_of(tokens.reasoning, tokens.output), "reasoning within output");
  require(tokens.input.has_value() == (tokens.input_source != UsageSource::kNone), "input source");
  require(tokens.output.has_value() == (tokens.output_source != UsageSource::kNone),
          "output source");
  require(
      (record.usage_missing != UsageMissing::kNot) == record.flags.has(RecordFlag::kUsageMissing),
      "missing usage is flagged");
}

void check_same(const UsageRecord& a, const UsageRecord& b) {
  require(a.dialect == b.dialect && a.outcome == b.outcome && a.stream == b.stream, "kind");
  require(a.tokens.input == b.tokens.input && a.tokens.output == b.tokens.output &&
              a.tokens.cache_read == b.tokens.cache_read &&
              a.tokens.cache_write_5m == b.tokens.cache_write_5m &&
              a.tokens.reasoning == b.tokens.reasoning &&
              a.tokens.input_source == b.tokens.input_source &&
              a.tokens.output_source == b.tokens.output_source,
          "tokens");
  require(a.response_id.view() == b.response_id.view() &&
              a.response_model.view() == b.response_model.view() &&
              a.request_model.view() == b.request_model.view() &&
              a.error_type.view() == b.error_type.view(),
          "names");
  require(a.tool_call_count == b.tool_call_count && a.finish_reason == b.finish_reason, "ends");
  require(a.usage_missing == b.usage_missing, "reason");
  require(a.request_digest == b.request_digest && a.response_digest == b.response_digest,
          "digests");
  require(a.response_bytes == b.response_bytes, "bytes");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size < 4) return 0;
  const Plan plan = plan_of({reinterpret_cast<const char*>(bytes), size});
  const std::optional<UsageRecord> whole = play(plan, size);
  const std::optional<UsageRecord> cut = play(plan, plan.step);
  require(whole.has_value() == cut.has_value(), "a record or none");
  if (!whole.has_value()) return 0;
  check_tokens(*whole);
  check_same(*whole, *cut);
  if (plan.has_answer && plan.answer.find('\x1F') != std::string_view::npos) {
    require(whole->flags.has(RecordFlag::kGapInBody), "losses are flagged");
    require(!whole->response_digest.known(), "no digest of half an answer");
  }
  return 0;
}
