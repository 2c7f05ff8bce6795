// OpenAI chat completions and its imitators.
#include "dialogue.h"

namespace wiretally::llm {
namespace {

constexpr std::string_view kRequest =
    R"({"model":"gpt-5.5","messages":[{"role":"user","content":"\"usage\":{\"prompt_tokens\":77}"}]})";
constexpr std::string_view kStreamRequest =
    R"({"messages":[{"role":"user","content":"hi"}],"model":"gpt-5.5","stream":true,"stream_options":{"include_usage":true}})";
constexpr std::string_view kPlainStreamRequest =
    R"({"model":"gpt-5.5","messages":[{"role":"user","content":"hi"}],"stream":true})";

Dialogue chat(std::string_view body = kRequest) {
  Dialogue dialogue("/v1/chat/completions", std::string(body));
  dialogue.host("api.openai.com");
  return dialogue;
}

std::string chunk(std::string_view choices, std::string_view rest = "") {
  return frame(
      std::string(
          R"({"id":"chatcmpl-2","object":"chat.completion.chunk","model":"gpt-5.5-2026-04-23","choices":[)")
          .append(choices)
          .append("]")
          .append(rest)
          .append("}"));
}
const std::string kRole =
    chunk(R"({"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null})",
          R"(,"usage":null)");
const std::string kHi = chunk(R"({"index":0,"delta":{"content":"Hi"},"finish_reason":null})",
                              R"(,"usage":null,"obfuscation":"9sQ")");
const std::string kStop =
    chunk(R"({"index":0,"delta":{},"finish_reason":"stop"})", R"(,"usage":null)");
const std::string kUsage =
    chunk("", R"(,"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11})");
const std::string kDone = "data: [DONE]\n\n";

constexpr std::string_view kStreamHead =
    "provider=openai dialect=openai_chat outcome=ok status=200 stream=yes asked=gpt-5.5 "
    "served=gpt-5.5-2026-04-23 id=chatcmpl-2";

std::string stream_of(std::string_view rest) {
  return std::string(kStreamHead).append(" ").append(rest);
}

TEST(OpenaiChat, JsonAnswer) {
  EXPECT_EQ(
      chat()
          .json(
              R"({"id":"chatcmpl-1","object":"chat.completion","model":"gpt-5.5-2026-04-23","service_tier":"default",
 "choices":[{"index":0,"message":{"role":"assistant","content":"\"usage\":{\"prompt_tokens\":1}"},"finish_reason":"stop"}],
 "us\u0061ge":{"prompt_tokens":1200,"completion_tokens":310,"total_tokens":1510,
  "prompt_tokens_details":{"cached_tokens":1024,"audio_tokens":0},
  "completion_tokens_details":{"reasoning_tokens":256}}})")
          .play(),
      "provider=openai dialect=openai_chat outcome=ok status=200 asked=gpt-5.5 "
      "served=gpt-5.5-2026-04-23 id=chatcmpl-1 finish=stop in=1200 read=1024 out=310 "
      "reasoning=256 in_audio=0 source=reported/reported tier=default");
}

TEST(OpenaiChat, StreamWithUsageBehindTheFinish) {
  EXPECT_EQ(chat(kStreamRequest).events(kRole + kHi + kStop + kUsage + kDone).play(),
            stream_of("finish=stop in=9 out=2 source=reported/reported"));
}

TEST(OpenaiChat, StreamWithUsageBeforeTheFinish) {
  EXPECT_EQ(chat(kStreamRequest).events(kRole + kUsage + kHi + kStop + kDone).play(),
            stream_of("finish=stop in=9 out=2 source=reported/reported"));
}

TEST(OpenaiChat, UsageNullBehindUsageDoesNotOverwrite) {
  EXPECT_EQ(chat(kStreamRequest).events(kHi + kStop + kUsage + kStop + kDone).play(),
            stream_of("finish=stop in=9 out=2 source=reported/reported"));
}

TEST(OpenaiChat, StreamWithoutUsageIsUnknownNotZero) {
  EXPECT_EQ(chat(kPlainStreamRequest).events(kRole + kHi + kStop + kDone).play(),
            stream_of("finish=stop missing=not_requested flags=usage_missing"));
  EXPECT_EQ(chat(kStreamRequest).events(kRole + kHi + kStop + kDone).play(),
            stream_of("finish=stop missing=not_in_answer flags=usage_missing"));
}

TEST(OpenaiChat, EmptyChoicesWithoutUsage) {
  const std::string filter = frame(
      R"({"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0}]})");
  EXPECT_EQ(chat(kStreamRequest).events(filter + kHi + kStop + kUsage + kDone).play(),
            stream_of("finish=stop in=9 out=2 source=reported/reported"));
}

TEST(OpenaiChat, NullFinishReasonOnly) {
  EXPECT_EQ(chat(kStreamRequest).events(kRole + kHi + kUsage + kDone).play(),
            stream_of("in=9 out=2 source=reported/reported"));
}

TEST(OpenaiChat, RunningUsageIsNotSummed) {
  const auto running = [](int out) {
    return chunk(R"({"index":0,"delta":{"content":"a"}})",
                 R"(,"usage":{"prompt_tokens":9,"total_tokens":)" + std::to_string(9 + out) +
                     R"(,"completion_tokens":)" + std::to_string(out) + "}");
  };
  EXPECT_EQ(chat(kStreamRequest).events(running(1) + running(2) + running(3) + kDone).play(),
            stream_of("in=9 out=3 source=reported/reported"));
  EXPECT_EQ(chat(kStreamRequest)
                .events(running(1) + running(2))
                .cut(ExchangeOutcome::kClientClosed)
                .play(),
            "provider=openai dialect=openai_chat outcome=client_abort status=200 stream=yes "
            "asked=gpt-5.5 served=gpt-5.5-2026-04-23 id=chatcmpl-2 in=9 out=2 "
            "source=partial/partial");
}

TEST(OpenaiChat, FramingEndsAStreamWithoutDone) {
  const std::string last =
      chunk(R"({"index":0,"delta":{"content":"."},"finish_reason":"stop"})",
            R"(,"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11})");
  EXPECT_EQ(chat(kStreamRequest).events("\xEF\xBB\xBF" + kHi + ": ping\r\n\r\n" + last).play(),
            stream_of("finish=stop in=9 out=2 source=reported/reported"));
  // Without the blank line behind it, the last event still counts.
  EXPECT_EQ(chat(kStreamRequest).events(kHi + last.substr(0, last.size() - 2)).play(),
            stream_of("finish=stop in=9 out=2 source=reported/reported"));
}

TEST(OpenaiChat, TotalsStayExactWhenOnlyTheEndIsLost) {
  EXPECT_EQ(chat(kStreamRequest)
                .events(kHi + kStop + kUsage)
                .lose()
                .cut(ExchangeOutcome::kUnknown)
                .play(),
            "provider=openai dialect=openai_chat outcome=incomplete status=200 stream=yes "
            "asked=gpt-5.5 served=gpt-5.5-2026-04-23 id=chatcmpl-2 finish=stop in=9 out=2 "
            "source=reported/reported flags=gap_in_body");
  const std::string running =
      chunk(R"({"index":0,"delta":{"content":"."}})",
            R"(,"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11})");
  EXPECT_EQ(chat(kStreamRequest).events(kHi + running).lose().play(),
            stream_of("in=9 out=2 source=partial/partial flags=gap_in_body"));
}

TEST(OpenaiChat, ZeroedUsageThenReal) {
  const std::string zeroed =
      chunk(R"({"index":0,"delta":{"content":"a"}})",
            R"(,"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0})");
  EXPECT_EQ(chat(kStreamRequest).events(zeroed + kStop + kUsage + zeroed + kDone).play(),
            stream_of("finish=stop in=9 out=2 source=reported/reported"));
  // Cut before the real numbers: the zeros say nothing.
  EXPECT_EQ(chat(kStreamRequest).events(zeroed).cut(ExchangeOutcome::kServerClosed).play(),
            "provider=openai dialect=openai_chat outcome=server_abort status=200 stream=yes "
            "asked=gpt-5.5 served=gpt-5.5-2026-04-23 id=chatcmpl-2 missing=aborted "
            "flags=usage_missing");
}

TEST(OpenaiChat, ClosedAtDoneIsOk) {
  EXPECT_EQ(chat(kStreamRequest)
                .events(kHi + kStop + kUsage + kDone)
                .cut(ExchangeOutcome::kClientClosed)
                .play(),
            stream_of("finish=stop in=9 out=2 source=reported/reported"));
}

TEST(OpenaiChat, AbortedStream) {
  EXPECT_EQ(
      chat(kStreamRequest).events(kRole + kHi).cut(ExchangeOutcome::kClientClosed).play(),
      "provider=openai dialect=openai_chat outcome=client_abort status=200 stream=yes "
      "asked=gpt-5.5 served=gpt-5.5-2026-04-23 id=chatcmpl-2 missing=aborted flags=usage_missing");
  EXPECT_EQ(
      chat(kStreamRequest).events(kRole + kHi).cut(ExchangeOutcome::kEndOfInput).play(),
      "provider=openai dialect=openai_chat outcome=incomplete status=200 stream=yes "
      "asked=gpt-5.5 served=gpt-5.5-2026-04-23 id=chatcmpl-2 missing=aborted flags=usage_missing");
}

TEST(OpenaiChat, NeverAnswered) {
  EXPECT_EQ(chat().host("10.0.0.7:8080").cut(ExchangeOutcome::kClientClosed).play(),
            "provider=unknown dialect=openai_chat outcome=client_abort asked=gpt-5.5");
  EXPECT_EQ(chat(kStreamRequest).cut(ExchangeOutcome::kEndOfInput).play(),
            "provider=openai dialect=openai_chat outcome=incomplete stream=yes asked=gpt-5.5");
}

TEST(OpenaiChat, StreamAskedJsonGiven) {
  EXPECT_EQ(
      chat(kStreamRequest)
          .events(
              R"({"id":"c1","object":"chat.completion","model":"gpt-5.5","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}})")
          .play(),
      "provider=openai dialect=openai_chat outcome=ok status=200 asked=gpt-5.5 served=gpt-5.5 "
      "id=c1 in=3 out=1 source=reported/reported");
}

TEST(OpenaiChat, EventsUnderAnOddContentType) {
  EXPECT_EQ(
      chat(kStreamRequest).answer(200, "text/plain", "\r\n" + kHi + kStop + kUsage + kDone).play(),
      stream_of("finish=stop in=9 out=2 source=reported/reported"));
}

TEST(OpenaiChat, WhiteSpaceAndByteOrderMarkBeforeJson) {
  EXPECT_EQ(
      chat()
          .json(
              "\xEF\xBB\xBF   \n \n"
              R"({"id":"c1","choices":[{"message":{}}],"usage":{"prompt_tokens":3,"completion_tokens":1}})")
          .play(),
      "provider=openai dialect=openai_chat outcome=ok status=200 asked=gpt-5.5 id=c1 in=3 out=1 "
      "source=reported/reported");
}

TEST(OpenaiChat, HttpErrors) {
  const auto error = [](uint16_t status, std::string body) {
    return chat(kStreamRequest).answer(status, "application/json", std::move(body)).play();
  };
  const auto expected = [](std::string status, std::string type) {
    return "provider=openai dialect=openai_chat outcome=http_error status=" + status +
           (type.empty() ? "" : " error=" + type) + " asked=gpt-5.5";
  };
  EXPECT_EQ(
      error(
          429,
          R"({"error":{"message":"m","type":"requests","param":null,"code":"rate_limit_exceeded"}})"),
      expected("429", "rate_limit_exceeded"));
  EXPECT_EQ(error(400, R"({"error":{"message":"m","type":"invalid_request_error","code":null}})"),
            expected("400", "invalid_request_error"));
  EXPECT_EQ(error(400, R"({"code":"invalid-argument","error":"text"})"),
            expected("400", "invalid-argument"));
  EXPECT_EQ(error(429, R"({"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED"}})"),
            expected("429", "RESOURCE_EXHAUSTED"));
  EXPECT_EQ(error(400, R"({"object":"error","message":"m","type":"BadRequestError","code":400})"),
            expected("400", "BadRequestError"));
  EXPECT_EQ(error(422, R"({"detail":[{"loc":["body"]}]})"), expected("422", ""));
  EXPECT_EQ(error(502, "<html>"), expected("502", ""));
}

TEST(OpenaiChat, ErrorEventInside200) {
  const std::string failed =
      " outcome=stream_error status=200 stream=yes error=server_error asked=gpt-5.5 "
      "served=gpt-5.5-2026-04-23 id=chatcmpl-2 missing=not_in_answer flags=usage_missing";
  const std::string error = R"({"error":{"message":"m","type":"server_error","code":null}})";
  EXPECT_EQ(chat(kStreamRequest).events(kHi + frame(error)).play(),
            "provider=openai dialect=openai_chat" + failed);
  EXPECT_EQ(chat(kStreamRequest)
                .events(kHi + named_frame("error",
                                          R"({"error":{"type":"server_error","status_code":500}})"))
                .play(),
            "provider=openai dialect=openai_chat" + failed);
  EXPECT_EQ(
      chat(kStreamRequest)
          .events(kHi + "error: {\"code\":500,\"message\":\"m\",\"type\":\"server_error\"}\n\n")
          .play(),
      "provider=openai dialect=openai_chat" + failed);
}

TEST(OpenaiChat, ErrorInA200JsonBody) {
  EXPECT_EQ(chat().json(R"({"error":{"message":"m","code":"overloaded"}})").play(),
            "provider=openai dialect=openai_chat outcome=stream_error status=200 error=overloaded "
            "asked=gpt-5.5 missing=not_in_answer flags=usage_missing");
}

TEST(OpenaiChat, NoAnswerBody) {
  EXPECT_EQ(chat().answer(204, "").play(),
            "provider=openai dialect=openai_chat outcome=ok status=204 asked=gpt-5.5 "
            "missing=not_in_answer flags=usage_missing");
}

TEST(OpenaiChat, ToolCallsInAStreamCountTheirFirstFragment) {
  const std::string stream =
      chunk(
          R"({"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_a","type":"function","function":{"name":"get_weather","arguments":""}}]}})") +
      chunk(
          R"({"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"usage\":{\"prompt_tokens\":5}}"}}]}})") +
      chunk(
          R"({"index":0,"delta":{"tool_calls":[{"index":0,"function":{"name":"get_weather","arguments":"x"}}]}})") +
      chunk(
          R"({"index":0,"delta":{"tool_calls":[{"index":1,"id":"call_b","function":{"name":"get_time","arguments":"{}"}}]}})") +
      chunk(R"({"index":0,"delta":{},"finish_reason":"tool_calls"})");
  EXPECT_EQ(chat(kStreamRequest).events(stream + kUsage + kDone).play(),
            stream_of("finish=tool_calls in=9 out=2 source=reported/reported "
                      "tools=get_weather,get_time"));
}

TEST(OpenaiChat, ToolCallsInJson) {
  EXPECT_EQ(
      chat()
          .json(
              R"({"id":"c1","object":"chat.completion","model":"gpt-5.5","choices":[{"message":{"tool_calls":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"f"}},{"id":"z","type":"custom","custom":{"name":"g"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":3,"completion_tokens":0,"total_tokens":3}})")
          .play(),
      "provider=openai dialect=openai_chat outcome=ok status=200 asked=gpt-5.5 served=gpt-5.5 "
      "id=c1 finish=tool_calls in=3 out=0 source=reported/reported tools=f,f,g");
}

TEST(OpenaiChat, AzureNamesTheModelInThePath) {
  Dialogue dialogue("/openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21",
                    R"({"messages":[{"role":"user","content":"x"}]})");
  EXPECT_EQ(
      dialogue.host("acme.openai.azure.com")
          .json(
              R"({"id":"chatcmpl-3","object":"chat.completion","model":"gpt-4o-2024-11-20","choices":[],"usage":{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14}})")
          .play(),
      "provider=azure.ai.openai dialect=openai_chat outcome=ok status=200 asked=my gpt "
      "served=gpt-4o-2024-11-20 id=chatcmpl-3 in=11 out=3 source=reported/reported");
}

// --- usage in other servers' shapes --------------------------------------------------------------

std::string usage_of(std::string_view host, std::string_view usage) {
  const std::string line =
      Dialogue("/chat/completions", R"({"model":"m","messages":[{"role":"user"}]})")
          .host(std::string(host))
          .json(std::string(R"({"id":"x","model":"m","choices":[{"message":{}}],"usage":)")
                    .append(usage)
                    .append("}"))
          .play();
  const size_t begin = line.find("id=x ");
  return begin == std::string::npos ? line : line.substr(begin + 5);
}

TEST(OpenaiChat, ReasoningOutsideCompletion) {
  EXPECT_EQ(
      usage_of(
          "api.x.ai",
          R"({"prompt_tokens":32,"completion_tokens":9,"total_tokens":180,"prompt_tokens_details":{"cached_tokens":6},"completion_tokens_details":{"reasoning_tokens":139}})"),
      "in=32 read=6 out=148 reasoning=139 source=reported/reported");
  EXPECT_EQ(
      usage_of(
          "api.perplexity.ai",
          R"({"prompt_tokens":10,"completion_tokens":55,"total_tokens":65,"citation_tokens":7,"reasoning_tokens":20})"),
      "in=10 out=75 reasoning=20 source=reported/reported");
  EXPECT_EQ(
      usage_of(
          "api.x.ai",
          R"({"prompt_tokens":10,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":30}})"),
      "in=40 read=30 out=1 source=reported/reported");
  EXPECT_EQ(usage_of("h", R"({"prompt_tokens":50,"completion_tokens":6,"total_tokens":356})"),
            "in=50 out=306 source=reported/reported flags=usage_malformed");
}

TEST(OpenaiChat, CachesAndAudioElsewhere) {
  EXPECT_EQ(
      usage_of(
          "api.deepseek.com",
          R"({"prompt_tokens":1100,"completion_tokens":90,"total_tokens":1190,"prompt_cache_hit_tokens":1024,"prompt_cache_miss_tokens":76})"),
      "in=1100 read=1024 out=90 source=reported/reported");
  EXPECT_EQ(
      usage_of(
          "api.mistral.ai",
          R"({"prompt_tokens":9,"completion_tokens":248,"total_tokens":632,"num_cached_tokens":4,"prompt_tokens_details":{"audio_tokens":375}})"),
      "in=384 read=4 out=248 in_audio=375 source=reported/reported");
  EXPECT_EQ(
      usage_of(
          "api.together.xyz",
          R"({"prompt_tokens":12,"completion_tokens":30,"total_tokens":42,"cached_tokens":8})"),
      "in=12 read=8 out=30 source=reported/reported");
  EXPECT_EQ(
      usage_of(
          "h",
          R"({"prompt_tokens":10,"completion_tokens":1,"total_tokens":11,"prompt_tokens_details":{"cached_tokens":161}})"),
      "in=10 read=10 out=1 source=reported/reported flags=usage_malformed");
  EXPECT_EQ(
      usage_of(
          "openrouter.ai",
          R"({"prompt_tokens":2168,"completion_tokens":1,"total_tokens":2169,"prompt_tokens_details":{"cached_tokens":2161,"cache_write_tokens":2161}})"),
      "in=2168 read=2161 write5m=7 out=1 source=reported/reported flags=usage_malformed");
}

TEST(OpenaiChat, NumbersThatAreNone) {
  EXPECT_EQ(usage_of("h", R"({"prompt_tokens":12.0,"completion_tokens":1.2e1,"total_tokens":24})"),
            "in=12 out=12 source=reported/reported");
  EXPECT_EQ(usage_of("h", R"({"prompt_tokens":-3,"completion_tokens":5})"),
            "out=5 source=none/reported missing=malformed flags=usage_missing,usage_malformed");
  EXPECT_EQ(usage_of("h", R"({"prompt_tokens":"7","completion_tokens":1.5})"),
            "missing=malformed flags=usage_missing,usage_malformed");
  EXPECT_EQ(usage_of("h", R"({"prompt_tokens":7,"completion_tokens":null})"),
            "in=7 source=reported/none missing=not_in_answer flags=usage_missing");
  EXPECT_EQ(usage_of("h", R"({"prompt_tokens":1,"prompt_tokens":2,"completion_tokens":3})"),
            "in=2 out=3 source=reported/reported");
}

TEST(OpenaiChat, GroqStatesUsageOnceOrTwice) {
  const std::string spare = chunk(
      R"({"index":0,"delta":{},"finish_reason":"stop"})",
      R"(,"x_groq":{"id":"r","usage":{"prompt_tokens":80,"completion_tokens":40,"total_tokens":120}})");
  const std::string end = " in=80 out=40 source=reported/reported";
  EXPECT_EQ(chat(kPlainStreamRequest).events(kHi + spare + kDone).play(),
            stream_of("finish=stop" + end));
  const std::string root = chunk(
      "",
      R"(,"usage":{"prompt_tokens":80,"completion_tokens":40,"total_tokens":120,"prompt_tokens_details":{"cached_tokens":64}})");
  EXPECT_EQ(chat(kStreamRequest).events(kHi + spare + root + kDone).play(),
            stream_of("finish=stop in=80 read=64 out=40 source=reported/reported"));
  EXPECT_EQ(
      usage_of(
          "api.groq.com",
          R"({"prompt_tokens":8,"completion_tokens":4,"total_tokens":12},"x_groq":{"usage":{"prompt_tokens":1,"dram_cached_tokens":5}})"),
      "in=8 out=4 source=reported/reported");
}

// --- losses --------------------------------------------------------------------------------------

TEST(OpenaiChat, GapInsideAStreamLosesOneEvent) {
  EXPECT_EQ(chat(kStreamRequest)
                .events(kRole + kHi.substr(0, 40))
                .lose()
                .more(kHi.substr(60) + kStop + kUsage + kDone)
                .play(),
            stream_of("finish=stop in=9 out=2 source=reported/reported flags=gap_in_body"));
}

TEST(OpenaiChat, GapThatSwallowsTheUsage) {
  EXPECT_EQ(chat(kStreamRequest)
                .events(kRole + kHi + kStop + kUsage.substr(0, 130))
                .lose()
                .more("}}\n\n" + kDone)
                .play(),
            stream_of("finish=stop missing=gap flags=gap_in_body,usage_missing"));
}

TEST(OpenaiChat, GapInJson) {
  const std::string head = R"({"id":"c1","object":"chat.completion","model":"gpt-5.5",)";
  const std::string usage = R"("usage":{"prompt_tokens":3,"completion_tokens":1},)";
  const std::string known =
      "provider=openai dialect=openai_chat outcome=ok status=200 asked=gpt-5.5 served=gpt-5.5 "
      "id=c1 ";
  EXPECT_EQ(chat().json(head + usage + R"("choices":[{"mess)").lose().more("}]}").play(),
            known + "in=3 out=1 source=reported/reported flags=gap_in_body");
  EXPECT_EQ(chat().json(head + R"("choices":[{"mess)").lose().more("}]," + usage + "}").play(),
            known + "missing=gap flags=gap_in_body,usage_missing");
  EXPECT_EQ(chat().json(head + R"("usage":{"prompt_tokens":3,)").lose().more("}}").play(),
            known + "missing=gap flags=gap_in_body,usage_missing");
}

TEST(OpenaiChat, UndecodableBody) {
  EXPECT_EQ(chat().json("").lose(BodyLoss::kDecodeFailed).play(),
            "provider=openai dialect=openai_chat outcome=ok status=200 asked=gpt-5.5 "
            "missing=coding flags=decode_failed,usage_missing");
}

// A broken coding was perhaps wrong before it was noticed: nothing of the answer is believed.
TEST(OpenaiChat, CorruptBodyIsUnknown) {
  const std::string whole =
      R"({"id":"c1","object":"chat.completion","model":"gpt-5.5","choices":[{"message":{"content":"x"},)"
      R"("finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1}})";
  EXPECT_EQ(chat().json(whole).lose(BodyLoss::kCorrupt).play(),
            "provider=openai dialect=openai_chat outcome=ok status=200 asked=gpt-5.5 "
            "missing=coding flags=decode_failed,usage_missing");
}

TEST(OpenaiChat, LostRequestCostsOnlyWhatItSaid) {
  EXPECT_EQ(chat(R"({"mess)").lose_request().events(kHi + kStop + kUsage + kDone).play(),
            "provider=openai dialect=openai_chat outcome=ok status=200 stream=yes "
            "served=gpt-5.5-2026-04-23 id=chatcmpl-2 finish=stop in=9 out=2 "
            "source=reported/reported flags=gap_in_body");
}

TEST(OpenaiChat, BrokenEventSaysNothing) {
  EXPECT_EQ(
      chat(kStreamRequest)
          .events(kHi + frame(R"({"usage":{"prompt_tokens":5,"completion_tokens":5}]])") + kDone)
          .play(),
      stream_of("missing=malformed flags=usage_missing,usage_malformed"));
}

TEST(OpenaiChat, JoinedMidstream) {
  EXPECT_EQ(Dialogue::joined().events(kRole + kHi + kStop + kUsage + kDone).play(),
            "provider=unknown dialect=openai_chat outcome=ok status=200 stream=yes "
            "served=gpt-5.5-2026-04-23 id=chatcmpl-2 finish=stop in=9 out=2 "
            "source=reported/reported flags=joined_midstream");
  EXPECT_EQ(Dialogue::joined().events(kRole + kHi + kStop + kDone).play(),
            "provider=unknown dialect=openai_chat outcome=ok status=200 stream=yes "
            "served=gpt-5.5-2026-04-23 id=chatcmpl-2 finish=stop missing=midstream "
            "flags=joined_midstream,usage_missing");
}

TEST(OpenaiChat, UncertainPairingIsNotAttributed) {
  EXPECT_EQ(chat(kStreamRequest).events(kHi + kStop + kUsage + kDone).pairing_uncertain().play(),
            "provider=openai dialect=openai_chat outcome=ok status=200 stream=yes "
            "served=gpt-5.5-2026-04-23 id=chatcmpl-2 finish=stop in=9 out=2 "
            "source=reported/reported flags=pairing_uncertain");
}

}  // namespace
}  // namespace wiretally::llm
