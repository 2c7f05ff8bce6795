// Messages of one WebSocket through an LlmRoom: events of both dialects in any order, with ids that
// collide, losses, and raw text.
//
// Input: a byte for the dialect, then operations. An operation is one byte: bit 7 the sender, bits
// 0-4 what, and for some a byte with two ids (stream, response). What must hold: every call that
// was opened is closed; no more records than turns can have been; indices are unique; numbers have
// a source; what is stated stays within what was said.
#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>
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
  void on_call_opened(const CallOpened&) override {
    require(opened == closed, "one opening at a time");
    ++opened;
  }
  void on_record(const UsageRecord& record) override {
    require(indices.insert(record.index).second, "an index of its own");
    const TokenCounts& tokens = record.tokens;
    require(tokens.input.has_value() == (tokens.input_source != UsageSource::kNone), "a source");
    require(!tokens.input.has_value() || *tokens.input <= 400, "a number that was said");
    require(tokens.cache_read.value_or(0) <= tokens.input.value_or(UINT64_MAX), "parts in a whole");
    lost += record.lost_bytes;
  }
  void on_call_closed(ExchangeId, uint32_t, EventTime) override {
    ++closed;
    require(opened == closed, "what was opened is closed");
  }
  void on_time(EventTime) override {}
  void on_suspect(Dialect) override {}

  std::set<uint32_t> indices;
  int opened = 0, closed = 0;
  uint64_t lost = 0;
};

std::string event(unsigned what, unsigned ids) {
  static constexpr std::string_view kTypes[] = {
      "response.create",
      "response.created",
      "response.output_text.delta",
      "response.completed",
      "response.done",
      "response.failed",
      "response.incomplete",
      "error",
      "session.created",
      "session.updated",
      "input_audio_buffer.committed",
      "conversation.item.input_audio_transcription.completed"};
  std::string text = R"({"type":")";
  text += kTypes[what % std::size(kTypes)];
  text += "\"";
  const std::string id = std::to_string(ids & 7);
  const std::string stream = std::to_string(ids >> 3 & 3);
  if (ids & 0x20) text += R"(,"stream_id":"s)" + stream + "\"";
  if (ids & 0x40)
    text += R"(,"response_id":"resp_)" + id + R"(","delta":"x","item_id":"i)" + id + "\"";
  if (ids & 0x80)
    text += R"(,"event_id":"e)" + id + R"(","error":{"code":"c","event_id":"e)" + id + "\"}";
  text += R"(,"usage":{"input_tokens":)" + std::to_string(ids) + R"(,"output_tokens":1})";
  text +=
      R"(,"response":{"id":"resp_)" + id +
      R"(","status":"completed","output":[{"type":"function_call","name":"f"}],"usage":{"input_tokens":)" +
      std::to_string(100 + ids) +
      R"(,"output_tokens":7,"input_tokens_details":{"cached_tokens":3},"input_token_details":{"cached_tokens":9}}}})";
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const std::string_view target = data[0] & 1 ? "/v1/realtime?model=m" : "/v1/responses";
  Limits limits;
  limits.socket_turns_max = 1 + (data[0] >> 4);
  const NoCredentials credentials;
  Sink sink;
  llm::LlmRoom room(limits, 0, credentials, sink);
  const FlowInfo flow;
  const ExchangeId id{1};
  EventTime now{.ns = 1, .clock = Clock::kCapture};
  room.on_request(id, {.flow = &flow,
                       .time = now,
                       .method = "GET",
                       .target = target,
                       .headers = {},
                       .websocket = true});
  room.on_response(id,
                   {.flow = &flow, .time = now, .status = 101, .headers = {}, .websocket = true});
  size_t turns = 0;
  uint64_t lost = 0;
  for (size_t at = 1; at < size; ++at) {
    const uint8_t operation = data[at];
    const Message sender = operation & 0x80 ? Message::kResponse : Message::kRequest;
    const unsigned ids = at + 1 < size ? data[at + 1] : 0;
    now.ns += 1000;
    const unsigned what = operation & 0x1f;
    if (what == 31) {
      room.on_websocket_close(id, sender, 1000, now);
      continue;
    }
    if (what == 30) {
      lost += ids;
      room.on_websocket_loss(id, sender, BodyLoss::kGap, ids, now);
      continue;
    }
    ++turns;
    ++at;
    std::string text = event(what, ids);
    if (what == 29)
      text = std::string(reinterpret_cast<const char*>(data) + at,
                         std::min<size_t>(ids, size - std::min(at, size)));
    room.on_websocket_message(id, sender, WebSocketContent::kText, now);
    // Memory of its own, so that a view that outlives the call is found.
    const std::vector<uint8_t> bytes(text.begin(), text.end());
    const size_t half = bytes.size() / 2;
    if (half > 0) room.on_websocket_part(id, sender, ByteView(bytes).first(half), now);
    if (what == 28) {
      room.on_websocket_loss(id, sender, BodyLoss::kDecodeFailed, 0, now);
    } else if (half < bytes.size()) {
      room.on_websocket_part(id, sender, ByteView(bytes).subspan(half), now);
    }
    room.on_websocket_message_end(id, sender, MessageEnd::kComplete, now);
  }
  room.on_exchange_end(id,
                       {.time = now, .last_byte = now, .outcome = ExchangeOutcome::kClientClosed});
  require(sink.opened == sink.closed, "every call that was opened is closed");
  require(sink.indices.size() <= turns, "no more records than messages");
  require(sink.lost <= lost, "no more is lost than was");
  require(room.open() == 0, "nothing stays open");
  return 0;
}
