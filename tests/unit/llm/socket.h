// One WebSocket of an LlmRoom, message by message, and events of Responses to send over it.
#pragma once

#include "unit/llm/dialogue.h"

namespace wiretally::llm {

class Socket {
 public:
  explicit Socket(std::string target = "/v1/responses", Limits limits = {})
      : room_(limits, 0, credentials_, sink) {
    const HeaderField fields[] = {{"Host", "localhost"}, {"Sec-WebSocket-Key", "k"}};
    EXPECT_EQ(room_.on_request(kId, {.flow = &flow_,
                                     .time = now(),
                                     .method = "GET",
                                     .target = target,
                                     .headers = {.fields = fields},
                                     .first_on_flow = true,
                                     .websocket = true}),
              BodyInterest::kWanted);
    EXPECT_EQ(
        room_.on_response(
            kId, {.flow = &flow_, .time = now(), .status = 101, .headers = {}, .websocket = true}),
        BodyInterest::kWanted);
  }

  Socket& client(std::string_view text) { return message(Message::kRequest, text); }
  Socket& server(std::string_view text) { return message(Message::kResponse, text); }
  Socket& lose(Message sender, uint64_t bytes) {
    room_.on_websocket_loss(kId, sender, BodyLoss::kGap, bytes, now());
    return *this;
  }
  Socket& unreadable(Message sender) {
    room_.on_websocket_message(kId, sender, WebSocketContent::kText, now());
    room_.on_websocket_loss(kId, sender, BodyLoss::kDecodeFailed, 0, now());
    room_.on_websocket_message_end(kId, sender, MessageEnd::kComplete, now());
    return *this;
  }
  Socket& end(ExchangeOutcome outcome = ExchangeOutcome::kClientClosed) {
    room_.on_exchange_end(kId, {.time = now(), .last_byte = now_, .outcome = outcome});
    EXPECT_EQ(sink.opened, sink.closed);
    EXPECT_EQ(room_.open(), 0u);
    return *this;
  }
  std::string ids() const {
    std::string text;
    for (const UsageRecord& record : sink.records) {
      const std::string_view id = record.response_id.view();
      text += (id.empty() ? "-" : std::string(id)) + ":" +
              std::string(outcome_name(record.outcome)) + " ";
    }
    return text;
  }

  KeepingSink sink;

 private:
  static constexpr ExchangeId kId{7};

  Socket& message(Message sender, std::string_view text) {
    room_.on_websocket_message(kId, sender, WebSocketContent::kText, now());
    room_.on_websocket_part(kId, sender, as_bytes(text), now_);
    room_.on_websocket_message_end(kId, sender, MessageEnd::kComplete, now_);
    return *this;
  }
  EventTime now() {
    now_.ns += 1'000'000;
    return now_;
  }

  NoCredentials credentials_;
  FlowInfo flow_;
  EventTime now_{.ns = 1, .clock = Clock::kCapture};
  LlmRoom room_;
};

inline std::string ask(std::string_view more = "") {
  return R"({"type":"response.create","model":"m","input":"x")" + std::string(more) + "}";
}
inline std::string created(std::string_view id) {
  return R"({"type":"response.created","response":{"id":")" + std::string(id) +
         R"(","object":"response","model":"m"}})";
}
inline std::string completed(std::string_view id, int input = 5) {
  return R"({"type":"response.completed","response":{"id":")" + std::string(id) +
         R"(","object":"response","status":"completed","model":"m","usage":{"input_tokens":)" +
         std::to_string(input) + R"(,"output_tokens":2,"total_tokens":)" +
         std::to_string(input + 2) + "}}}";
}

}  // namespace wiretally::llm
