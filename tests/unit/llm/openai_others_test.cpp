// OpenAI Responses, legacy completions, embeddings.
#include "dialogue.h"

namespace wiretally::llm {
namespace {

constexpr std::string_view kRequest = R"({"model":"gpt-5.5","input":"hi"})";
constexpr std::string_view kStreamRequest = R"({"input":[],"stream":true,"model":"gpt-5.5"})";

Dialogue responses(std::string_view body) {
  Dialogue dialogue("/v1/responses", std::string(body));
  dialogue.host("api.openai.com").header("X-Stainless-Lang", "python");
  return dialogue;
}
std::string typed(std::string_view type, std::string_view rest) {
  return named_frame(
      type, std::string(R"({"type":")").append(type).append("\",").append(rest).append("}"));
}
std::string wrapper(std::string_view type, std::string_view rest) {
  return typed(type,
               std::string(R"("response":{"id":"resp_1","object":"response","model":"gpt-5.5",)")
                   .append(rest)
                   .append("}"));
}
const std::string kCreated =
    wrapper("response.created", R"("status":"in_progress","output":[],"usage":null)");
const std::string kText = typed("response.output_text.delta", R"("delta":"Hi")");
constexpr std::string_view kUsage =
    R"("tool_usage":{"image_gen":{"input_tokens":0,"output_tokens":0},"web_search":{"num_requests":2}},"usage":{"input_tokens":1200,"input_tokens_details":{"cached_tokens":1024},"output_tokens":310,"output_tokens_details":{"reasoning_tokens":256},"total_tokens":1510})";
constexpr std::string_view kNumbers =
    "in=1200 read=1024 out=310 reasoning=256 source=reported/reported";

std::string head(std::string_view outcome, std::string_view rest) {
  return std::string("provider=openai dialect=openai_responses outcome=")
      .append(outcome)
      .append(" status=200 stream=yes ")
      .append(rest);
}
constexpr std::string_view kServed = "asked=gpt-5.5 served=gpt-5.5 id=resp_1 ";

TEST(OpenaiResponses, JsonAnswer) {
  EXPECT_EQ(
      responses(kRequest)
          .json(
              std::string(
                  R"({"id":"resp_1","object":"response","model":"gpt-5.5","status":"completed","error":null,"incomplete_details":null,"output":[{"type":"reasoning","id":"rs_1"},{"type":"function_call","id":"fc_1","name":"get_weather"},{"type":"web_search_call","id":"ws_1"}],"service_tier":"default",)")
                  .append(kUsage)
                  .append("}"))
          .play(),
      "provider=openai dialect=openai_responses outcome=ok status=200 asked=gpt-5.5 "
      "served=gpt-5.5 id=resp_1 finish=tool_calls in=1200 read=1024 out=310 reasoning=256 "
      "source=reported/reported tier=default tools=get_weather server_tools=2");
}

TEST(OpenaiResponses, Stream) {
  const std::string item = R"({"type":"function_call","id":"fc_1","call_id":"call_1","name":"f"})";
  const std::string added =
      typed("response.output_item.added", "\"output_index\":0,\"item\":" + item);
  const std::string done =
      typed("response.output_item.done", "\"output_index\":0,\"item\":" + item);
  const std::string completed =
      wrapper("response.completed",
              R"("status":"completed","output":[)" + item + "]," + std::string(kUsage));
  EXPECT_EQ(responses(kStreamRequest).events(kCreated + kText + added + done + completed).play(),
            head("ok", std::string(kServed) + "finish=tool_calls " + std::string(kNumbers) +
                           " tools=f server_tools=2"));
}

TEST(OpenaiResponses, StreamWithoutEventLines) {
  const std::string completed = frame(
      R"({"type":"response.incomplete","response":{"id":"resp_1","model":"gpt-5.5","status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},)" +
      std::string(kUsage) + "}}");
  EXPECT_EQ(responses(kStreamRequest).events(completed).cut(ExchangeOutcome::kClientClosed).play(),
            head("ok", std::string(kServed) + "finish=length " + std::string(kNumbers) +
                           " server_tools=2"));
}

TEST(OpenaiResponses, Failures) {
  const std::string failed =
      wrapper("response.failed",
              R"("status":"failed","error":{"code":"server_error","message":"m"},"usage":null)");
  const std::string tail =
      std::string("error=server_error asked=gpt-5.5 served=gpt-5.5 id=resp_1 ");
  EXPECT_EQ(responses(kStreamRequest).events(kCreated + kText + failed).play(),
            head("stream_error", tail + "finish=error missing=not_in_answer flags=usage_missing"));
  const std::string error =
      typed("error", R"("code":"server_error","message":"m","param":null,"sequence_number":3)");
  EXPECT_EQ(responses(kStreamRequest).events(kCreated + error).play(),
            head("stream_error", tail + "missing=not_in_answer flags=usage_missing"));
}

TEST(OpenaiResponses, Aborted) {
  EXPECT_EQ(
      responses(kStreamRequest).events(kCreated + kText).cut(ExchangeOutcome::kServerClosed).play(),
      head("server_abort", std::string(kServed) + "missing=aborted flags=usage_missing"));
}

TEST(OpenaiResponses, AzureNamesTheServedModelInAHeader) {
  EXPECT_EQ(
      Dialogue("/openai/v1/responses", R"({"model":"prod","input":"x"})")
          .host("acme.services.ai.azure.com")
          .json(
              R"({"id":"resp_1","object":"response","model":"prod","status":"completed","usage":{"input_tokens":1,"output_tokens":2,"total_tokens":3}})")
          .answer_header("x-ms-served-model", "gpt-5.5-2026-04-23")
          .play(),
      "provider=azure.ai.openai dialect=openai_responses outcome=ok status=200 asked=prod "
      "served=gpt-5.5-2026-04-23 id=resp_1 finish=stop in=1 out=2 source=reported/reported");
}

TEST(OpenaiResponses, OtherPaths) {
  EXPECT_EQ(Dialogue("/v1/responses/input_tokens", std::string(kRequest))
                .json(R"({"object":"response.input_tokens","input_tokens":11})")
                .play(),
            "");
  EXPECT_EQ(
      Dialogue("/v1/responses/compact", std::string(kRequest))
          .json(
              R"({"id":"r","object":"response.compaction","usage":{"input_tokens":1,"output_tokens":2,"total_tokens":3}})")
          .play(),
      "provider=unknown dialect=openai_responses outcome=ok status=200 asked=gpt-5.5 id=r in=1 "
      "out=2 source=reported/reported");
  EXPECT_EQ(Dialogue("/survey/responses", R"({"answers":[1,2]})").json(R"({"id":1})").play(),
            "suspect=openai_responses");
}

TEST(OpenaiResponses, JoinedMidstream) {
  EXPECT_EQ(Dialogue::joined().events(kCreated + kText).cut(ExchangeOutcome::kEndOfInput).play(),
            "provider=unknown dialect=openai_responses outcome=incomplete status=200 stream=yes "
            "served=gpt-5.5 id=resp_1 missing=aborted flags=joined_midstream,usage_missing");
}

TEST(OpenaiCompletions, JsonAndStream) {
  const std::string request = R"({"model":"m","prompt":["a"],"stream":true})";
  EXPECT_EQ(
      Dialogue("/v1/completions", request)
          .events(
              frame(
                  R"({"id":"cmpl-1","object":"text_completion","model":"m","choices":[{"text":"Hi","index":0,"finish_reason":"length"}],"usage":{"prompt_tokens":5,"completion_tokens":1,"total_tokens":6}})") +
              "data: [DONE]\n\n")
          .play(),
      "provider=unknown dialect=openai_completions outcome=ok status=200 stream=yes asked=m "
      "served=m id=cmpl-1 finish=length in=5 out=1 source=reported/reported");
  EXPECT_EQ(
      Dialogue::joined()
          .json(
              R"({"id":"cmpl-1","object":"text_completion","model":"m","choices":[{"text":"Hi"}],"usage":{"prompt_tokens":5,"completion_tokens":0,"total_tokens":5}})")
          .play(),
      "provider=unknown dialect=openai_completions outcome=ok status=200 served=m id=cmpl-1 in=5 "
      "out=0 source=reported/reported flags=joined_midstream");
}

TEST(OpenaiEmbeddings, NumbersAndBase64) {
  const std::string request = R"({"input":["a"],"model":"text-embedding-3-small"})";
  const auto answer = [](std::string vector) {
    return R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":)" + vector +
           R"(}],"model":"text-embedding-3-small","usage":{"prompt_tokens":8,"total_tokens":8}})";
  };
  const std::string expected =
      "provider=unknown dialect=openai_embeddings outcome=ok status=200 "
      "asked=text-embedding-3-small served=text-embedding-3-small in=8 source=reported/none";
  EXPECT_EQ(Dialogue("/v1/embeddings", request).json(answer("[0.1,-2e-3,NaN]")).play(), expected);
  EXPECT_EQ(Dialogue("/v1/embeddings", request).json(answer("\"AAAA/w==\"")).play(), expected);
  EXPECT_EQ(Dialogue::joined().json(answer("\"AAAA/w==\"")).play(),
            "provider=unknown dialect=openai_embeddings outcome=ok status=200 "
            "served=text-embedding-3-small in=8 source=reported/none flags=joined_midstream");
}

TEST(OpenaiEmbeddings, TotalAlone) {
  EXPECT_EQ(
      Dialogue("/v1/embeddings", R"({"input":"a","model":"voyage-3"})")
          .json(R"({"data":[{"embedding":[1]}],"model":"voyage-3","usage":{"total_tokens":4}})")
          .play(),
      "provider=unknown dialect=openai_embeddings outcome=ok status=200 asked=voyage-3 "
      "served=voyage-3 in=4 source=reported/none");
}

}  // namespace
}  // namespace wiretally::llm
