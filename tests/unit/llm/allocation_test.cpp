// After warm-up neither events nor calls allocate; counted by this binary's operator new.
#include <gtest/gtest.h>

#include "llm_room.h"
#include "support/allocation_counter.h"
#include "unit/llm/socket.h"

namespace wiretally::llm {
namespace {

class NobodysCredentials final : public CredentialReader {
 public:
  Caller read(const Headers&, std::string_view) const override { return {}; }
};

class CountingSink final : public UsageSink {
 public:
  void on_call_opened(const CallOpened&) override {}
  void on_record(const UsageRecord&) override { ++records; }
  void on_call_closed(ExchangeId, uint32_t, EventTime) override {}
  void on_time(EventTime) override {}
  void on_suspect(Dialect) override {}
  uint64_t records = 0;
};

void play_call(LlmRoom& room, uint64_t number) {
  static const FlowInfo flow;
  const ExchangeId id{number};
  const HeaderField type[] = {{"content-type", "text/event-stream"}};
  RequestHead asked;
  asked.flow = &flow;
  asked.method = "POST";
  asked.target = "/v1/chat/completions";
  room.on_request(id, asked);
  room.on_body(id, Message::kRequest,
               as_bytes(R"({"model":"m","messages":[{"role":"user"}],"stream":true})"), {});
  room.on_message_end(id, Message::kRequest, MessageEnd::kComplete, {});
  ResponseHead answered;
  answered.flow = &flow;
  answered.status = 200;
  answered.headers.fields = type;
  room.on_response(id, answered);
  for (int i = 0; i < 50; ++i) {
    room.on_body(id, Message::kResponse,
                 as_bytes("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"model\":\"a model"
                          " with a long name\"}\n\n"),
                 {});
  }
  room.on_body(id, Message::kResponse,
               as_bytes(R"(data: {"choices":[{"delta":{"tool_calls":[{"function":{"name":"f"}}]}}]}

)"),
               {});
  room.on_message_end(id, Message::kResponse, MessageEnd::kComplete, {});
  room.on_exchange_end(id, {});
}

TEST(LlmRoomAllocation, NoneAfterWarmUp) {
  NobodysCredentials credentials;
  CountingSink sink;
  LlmRoom room(Limits{}, 0, credentials, sink);
  uint64_t id = 0;
  for (int i = 0; i < 20; ++i) play_call(room, ++id);
  const uint64_t before = test::allocations.load();
  EXPECT_GT(before, 0u);
  for (int i = 0; i < 100; ++i) play_call(room, ++id);
  EXPECT_EQ(test::allocations.load(), before);
  EXPECT_EQ(sink.records, 120u);
}

TEST(AgentSessions, NoAllocationForEventsAfterWarmUp) {
  NobodysCredentials credentials;
  CountingSink sink;
  LlmRoom room(Limits{}, 0, credentials, sink);
  const FlowInfo flow;
  const ExchangeId id{1};
  const HeaderField host[] = {{"host", "api.anthropic.com"}};
  RequestHead asked;
  asked.flow = &flow;
  asked.method = "GET";
  asked.target = "/v1/sessions/sesn_01Long/events/stream";
  asked.headers.fields = host;
  room.on_request(id, asked);
  ResponseHead answered;
  answered.flow = &flow;
  answered.status = 200;
  room.on_response(id, answered);
  const auto feed = [&](std::string_view event) {
    room.on_body(id, Message::kResponse, as_bytes(event), {});
  };
  const auto request = [&] {
    feed("data: {\"type\":\"span.model_request_start\",\"id\":\"sevt_0123456789abcdef\"}\n\n");
    for (int i = 0; i < 100; ++i) {
      feed("event: message\ndata: {\"type\":\"agent.message\",\"content\":[{\"text\":\"x\"}]}\n\n");
    }
    feed(
        "data: {\"type\":\"span.model_request_end\",\"id\":\"sevt_0123456789abcdeg\","
        "\"model_request_start_id\":\"sevt_0123456789abcdef\",\"model_usage\":{\"input_tokens\":1,"
        "\"output_tokens\":2}}\n\n");
  };
  request();
  const uint64_t before = test::allocations;
  for (int i = 0; i < 10; ++i) request();
  EXPECT_EQ(test::allocations - before, 0u);
  EXPECT_EQ(sink.records, 11u);
}

TEST(SocketCalls, NoAllocationForEventsAndTurnsAfterWarmUp) {
  Socket s;
  const std::string asked = ask();
  const std::string begun[] = {created("resp_0"), created("resp_1")};
  const std::string delta = R"({"type":"response.output_text.delta","delta":"x"})";
  const std::string failed[] = {R"({"type":"response.failed","response":{"id":"resp_0"}})",
                                R"({"type":"response.failed","response":{"id":"resp_1"}})"};
  size_t turns = 0;
  const auto turn = [&] {
    s.client(asked).server(begun[turns % 2]);
    for (int i = 0; i < 100; ++i) s.server(delta);
    s.server(failed[turns++ % 2]);
    EXPECT_EQ(s.sink.records.size(), 1u);
    s.sink.records.clear();
  };
  turn();
  const uint64_t before = test::allocations;
  for (int i = 0; i < 10; ++i) turn();
  EXPECT_EQ(test::allocations - before, 0u);
  s.end();
}

}  // namespace
}  // namespace wiretally::llm
