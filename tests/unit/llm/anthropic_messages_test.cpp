// Anthropic Messages.
#include "dialogue.h"

namespace wiretally::llm {
namespace {

constexpr std::string_view kRequest =
    R"({"model":"claude-opus-4-7","max_tokens":1024,"messages":[{"role":"user","content":"hi"}],"metadata":{"user_id":"a1b2"}})";
constexpr std::string_view kStreamRequest =
    R"({"model":"claude-opus-4-7","max_tokens":1024,"stream":true,"messages":[{"role":"user","content":"hi"}],"tools":[{"name":"f","input_schema":{}},{"type":"bash_20250124","name":"bash"}]})";
constexpr std::string_view kSearchRequest =
    R"({"model":"claude-opus-4-7","stream":true,"messages":[{"role":"user","content":"hi"}],"tools":[{"type":"web_search_20250305","name":"web_search"}]})";

Dialogue messages(std::string_view body) {
  Dialogue dialogue("/v1/messages?beta=true", std::string(body));
  dialogue.host("api.anthropic.com").header("anthropic-version", "2023-06-01");
  return dialogue;
}

std::string typed(std::string_view type, std::string_view rest = "") {
  return named_frame(
      type, std::string(R"({"type":")").append(type).append("\"").append(rest).append("}"));
}
std::string start(std::string_view usage) {
  return typed(
      "message_start",
      std::string(
          R"(,"message":{"id":"msg_02","type":"message","role":"assistant","model":"claude-opus-4-7","content":[],"usage":)")
          .append(usage)
          .append("}"));
}
std::string delta(std::string_view usage) {
  return typed("message_delta",
               std::string(R"(,"delta":{"stop_reason":"end_turn"},"usage":)").append(usage));
}
const std::string kStart = start(
    R"({"input_tokens":12,"cache_creation_input_tokens":0,"cache_read_input_tokens":20000,"output_tokens":1})");
const std::string kPing = typed("ping");
const std::string kText =
    typed("content_block_start", R"(,"index":0,"content_block":{"type":"text","text":""})") +
    typed("content_block_delta", R"(,"index":0,"delta":{"type":"text_delta","text":"Hi"})");
const std::string kDelta = delta(R"({"output_tokens":57})");
const std::string kStop = typed("message_stop");

std::string head(std::string_view outcome, std::string_view rest) {
  return std::string("provider=anthropic dialect=anthropic_messages outcome=")
      .append(outcome)
      .append(" status=200 stream=yes asked=claude-opus-4-7 ")
      .append(rest);
}
constexpr std::string_view kServed = "served=claude-opus-4-7 id=msg_02 ";

std::string ok(std::string_view rest) {
  return head("ok", std::string(kServed).append("finish=stop ").append(rest));
}

TEST(AnthropicMessages, JsonAnswerCountsCachesIntoTheInput) {
  EXPECT_EQ(
      messages(kRequest)
          .json(
              R"({"id":"msg_01","type":"message","role":"assistant","model":"claude-opus-4-7","content":[{"type":"text","text":"\"usage\":{\"input_tokens\":1}"},{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{"usage":{"input_tokens":9}}},{"type":"tool_use","id":"toolu_1","name":"get_weather","input":{}}],"stop_reason":"tool_use",
 "usage":{"input_tokens":12,"cache_creation_input_tokens":3000,"cache_read_input_tokens":20000,
 "cache_creation":{"ephemeral_5m_input_tokens":2000,"ephemeral_1h_input_tokens":1000},"output_tokens":500,
 "output_tokens_details":{"thinking_tokens":90},"server_tool_use":{"web_search_requests":1,"web_fetch_requests":4},"service_tier":"standard"}})")
          .play(),
      "provider=anthropic dialect=anthropic_messages outcome=ok status=200 asked=claude-opus-4-7 "
      "served=claude-opus-4-7 id=msg_01 finish=tool_calls in=23012 read=20000 write5m=2000 "
      "write1h=1000 out=500 reasoning=90 source=reported/reported tier=standard "
      "tools=web_search,get_weather server_tools=1 user=a1b2");
}

TEST(AnthropicMessages, StreamTakesOutputFromTheDelta) {
  EXPECT_EQ(messages(kStreamRequest).events(kStart + kPing + kText + kDelta + kStop).play(),
            ok("in=20012 read=20000 write5m=0 out=57 source=reported/reported"));
}

TEST(AnthropicMessages, WriteWithoutStatedLifetimeIsFiveMinutes) {
  EXPECT_EQ(
      messages(kStreamRequest)
          .events(
              start(R"({"input_tokens":0,"output_tokens":0})") +
              delta(R"({"input_tokens":5,"cache_creation_input_tokens":70,"output_tokens":57})") +
              kStop)
          .play(),
      ok("in=75 write5m=70 out=57 source=reported/reported"));
}

TEST(AnthropicMessages, DeltaMayReplaceTheInput) {
  EXPECT_EQ(
      messages(kSearchRequest)
          .events(
              kStart + kText +
              delta(
                  R"({"input_tokens":404500,"cache_read_input_tokens":0,"output_tokens":57,"server_tool_use":{"web_search_requests":3}})") +
              kStop)
          .play(),
      ok("in=404500 read=0 write5m=0 out=57 source=reported/reported server_tools=3"));
}

TEST(AnthropicMessages, IterationsBilledApartAreAdded) {
  EXPECT_EQ(
      messages(kStreamRequest)
          .events(
              start(R"({"input_tokens":100,"cache_read_input_tokens":55096,"output_tokens":1})") +
              delta(
                  R"({"input_tokens":181,"cache_read_input_tokens":0,"output_tokens":57,"iterations":[{"type":"compaction","input_tokens":100,"cache_read_input_tokens":55096,"output_tokens":40},{"type":"message","input_tokens":181,"output_tokens":57}]})") +
              kStop)
          .play(),
      ok("in=55377 read=55096 out=97 source=reported/reported"));
}

TEST(AnthropicMessages, CutBeforeTheDelta) {
  // The placeholder of message_start is never output.
  EXPECT_EQ(
      messages(kStreamRequest).events(kStart + kText).cut(ExchangeOutcome::kClientClosed).play(),
      head("client_abort", std::string(kServed) +
                               "in=20012 read=20000 write5m=0 source=reported/none "
                               "missing=aborted flags=usage_missing"));
  // With server tools the input may still grow.
  EXPECT_EQ(
      messages(kSearchRequest).events(kStart + kText).cut(ExchangeOutcome::kServerClosed).play(),
      head("server_abort", std::string(kServed) +
                               "in=20012 read=20000 write5m=0 source=partial/none "
                               "missing=aborted flags=usage_missing"));
}

TEST(AnthropicMessages, CutBehindTheDelta) {
  EXPECT_EQ(
      messages(kStreamRequest).events(kStart + kDelta).cut(ExchangeOutcome::kEndOfInput).play(),
      head("incomplete", std::string(kServed) + "finish=stop in=20012 read=20000 write5m=0 out=57 "
                                                "source=reported/partial"));
}

TEST(AnthropicMessages, GapThatSwallowsTheDelta) {
  EXPECT_EQ(messages(kStreamRequest)
                .events(kStart + kText + kDelta.substr(0, 30))
                .lose()
                .more("57}}\n\n" + kStop)
                .play(),
            head("ok", std::string(kServed) +
                           "in=20012 read=20000 write5m=0 source=reported/none missing=gap "
                           "flags=gap_in_body,usage_missing"));
}

TEST(AnthropicMessages, ErrorEventInside200) {
  EXPECT_EQ(
      messages(kStreamRequest)
          .events(kStart + kText +
                  typed("error", R"(,"error":{"type":"overloaded_error","message":"Overloaded"})"))
          .play(),
      "provider=anthropic dialect=anthropic_messages outcome=stream_error status=200 stream=yes "
      "error=overloaded_error asked=claude-opus-4-7 served=claude-opus-4-7 id=msg_02 in=20012 "
      "read=20000 write5m=0 source=reported/none missing=not_in_answer flags=usage_missing");
}

TEST(AnthropicMessages, HttpError) {
  EXPECT_EQ(
      messages(kStreamRequest)
          .answer(
              529, "application/json",
              R"({"type":"error","error":{"type":"overloaded_error","message":"m"},"request_id":"req_1"})")
          .play(),
      "provider=anthropic dialect=anthropic_messages outcome=http_error status=529 "
      "error=overloaded_error asked=claude-opus-4-7");
}

TEST(AnthropicMessages, WebAppWithTheSamePath) {
  Dialogue app("/messages", R"({"text":"hi","to":"bob"})");
  EXPECT_EQ(app.json(R"({"id":"1","type":"message","text":"hi"})").play(),
            "suspect=anthropic_messages");
  Dialogue page("/messages", "text=hi");
  EXPECT_EQ(page.answer(200, "text/html", "<html>").play(), "suspect=anthropic_messages");
}

TEST(AnthropicMessages, NotInference) {
  EXPECT_EQ(Dialogue("/v1/messages/count_tokens", std::string(kRequest)).json("{}").play(), "");
  EXPECT_EQ(Dialogue("/v1/messages/batches", "{}").json("{}").play(), "");
  EXPECT_EQ(Dialogue("/v1/threads/thread_1/messages", R"({"role":"user"})").json("{}").play(), "");
  EXPECT_EQ(messages(kRequest).method("GET").json("{}").play(), "");
}

TEST(AnthropicMessages, ClaudeCodeNamesItsSession) {
  const auto session_of = [](std::string_view user_id) {
    Dialogue dialogue(
        "/v1/messages",
        std::string(R"({"model":"m","messages":[{"role":"user"}],"metadata":{"user_id":")")
            .append(user_id)
            .append("\"}}"));
    const std::string line = dialogue.play();
    const size_t begin = line.find("session=");
    return begin == std::string::npos ? "" : line.substr(begin);
  };
  EXPECT_EQ(session_of(R"({\"device_id\":\"d\",\"session_id\":\"s-1\"})"), "session=s-1");
  EXPECT_EQ(session_of("user_9f_account_1_session_s-2"), "session=s-2");
  EXPECT_EQ(session_of("a1b2"), "");
}

TEST(AnthropicMessages, JoinedMidstream) {
  EXPECT_EQ(Dialogue::joined().events(kStart + kText + kDelta + kStop).play(),
            "provider=unknown dialect=anthropic_messages outcome=ok status=200 stream=yes "
            "served=claude-opus-4-7 id=msg_02 finish=stop in=20012 read=20000 write5m=0 out=57 "
            "source=reported/reported flags=joined_midstream");
}

}  // namespace
}  // namespace wiretally::llm
