// What answers say they cost reaches the record to the last decimal.
#include "dialogue.h"

namespace wiretally::llm {
namespace {

constexpr std::string_view kRequest =
    R"({"model":"m","messages":[{"role":"user","content":"hi"}],"stream":false})";

std::string answer(std::string_view usage) {
  return std::string(
             R"({"id":"gen-1","object":"chat.completion","model":"m","choices":[{"index":0,)")
      .append(R"("message":{"role":"assistant","content":"A"},"finish_reason":"stop"}],"usage":{)")
      .append(R"("prompt_tokens":10,"completion_tokens":2,"total_tokens":12)")
      .append(usage)
      .append("}}");
}

Dialogue chat(std::string host = "openrouter.ai") {
  Dialogue dialogue("/api/v1/chat/completions", std::string(kRequest));
  dialogue.host(std::move(host));
  return dialogue;
}

// The amount in 1e-15 USD, and how it was stated (CostStatement's number); "" for none.
std::string stated(Dialogue dialogue) {
  const std::string line = dialogue.play();
  const size_t at = line.find("stated=");
  if (at == line.npos) return "";
  return line.substr(at + 7, line.find(' ', at) - at - 7);
}

TEST(StatedCost, IsReadFromTheTextOfTheNumber) {
  EXPECT_EQ(stated(chat().json(answer(R"(,"cost":0.00912)"))), "9120000000000/1");
  EXPECT_EQ(stated(chat().json(answer(R"(,"cost":1.23456789012345e-05)"))), "12345678901/1");
  EXPECT_EQ(stated(chat().json(answer(R"(,"cost":0)"))), "0/1");
  EXPECT_EQ(stated(chat().json(answer(R"(,"cost":0.1)"))), "100000000000000/1")
      << "no tenth of any float";
  for (const char* nothing : {R"(,"cost":null)", R"(,"cost":"0.1")", R"(,"cost":-1)",
                              R"(,"cost":{})", R"(,"cost":1e99)", R"(,"cost":true)", ""}) {
    EXPECT_EQ(stated(chat().json(answer(nothing))), "") << nothing;
  }
}

TEST(StatedCost, VercelQuotesItWhereItAnswersAsAnthropic) {
  Dialogue dialogue("/v1/messages",
                    R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]})");
  dialogue.host("ai-gateway.vercel.sh");
  EXPECT_EQ(stated(dialogue.json(
                R"({"id":"g","type":"message","role":"assistant","model":"m","content":[],)"
                R"("stop_reason":"end_turn","usage":{"input_tokens":17,"output_tokens":6},)"
                R"("provider_metadata":{"gateway":{"cost":"0.0000640"}}})")),
            "64000000000/1");
}

// The call's own tokens stay as they are stated; what the images took has no place in the record.
TEST(StatedCost, ImagesThatAToolMadeAreSetApart) {
  const auto play = [](std::string_view images) {
    Dialogue dialogue("/v1/responses", R"({"model":"gpt-5","input":"Draw"})");
    dialogue.json(
        std::string(R"({"id":"resp_1","object":"response","status":"completed","model":"gpt-5",)")
            .append(R"("output":[],"tool_usage":{"image_gen":)")
            .append(images)
            .append(R"(},"usage":{"input_tokens":3000,"output_tokens":700,"total_tokens":3700}})"));
    return dialogue.play();
  };
  const std::string drawn = play(R"({"input_tokens":600,"output_tokens":2000})");
  EXPECT_NE(drawn.find(" in=3000 out=700 "), drawn.npos) << drawn;
  EXPECT_NE(drawn.find(" unpriced=600+2000"), drawn.npos) << drawn;
  const std::string none = play(R"({"input_tokens":0,"output_tokens":0})");
  EXPECT_EQ(none.find("unpriced"), none.npos) << none;
}

TEST(StatedCost, OfAKeyOfOnesOwnHasTheUpstreamPart) {
  EXPECT_EQ(
      stated(chat().json(answer(
          R"(,"cost":0.0005,"is_byok":true,"cost_details":{"upstream_inference_cost":0.01})"))),
      "10500000000000/1");
  EXPECT_EQ(stated(chat().json(answer(R"(,"cost":0.0005,"is_byok":true)"))), "")
      << "the upstream part is not known";
  EXPECT_EQ(
      stated(chat().json(answer(
          R"(,"cost":0.0105,"is_byok":false,"cost_details":{"upstream_inference_cost":0.01})"))),
      "10500000000000/1");
}

TEST(StatedCost, PerplexityStatesATotalInEveryChunk) {
  const auto chunk = [](std::string_view tokens, std::string_view cost, std::string_view finish) {
    return frame(
        std::string(R"({"id":"p1","model":"sonar-pro","object":"chat.completion.chunk",)")
            .append(R"("choices":[{"index":0,"delta":{"content":"A"},"finish_reason":)")
            .append(finish)
            .append(R"(}],"usage":{"prompt_tokens":10,"completion_tokens":)")
            .append(tokens)
            .append(R"(,"total_tokens":11,"cost":{"input_tokens_cost":0.00003,"total_cost":)")
            .append(cost)
            .append("}}}"));
  };
  EXPECT_EQ(stated(chat("api.perplexity.ai")
                       .events(chunk("1", "0.006045", "null") +
                               chunk("55", "0.006855", "\"stop\"") + "data: [DONE]\n\n")),
            "6855000000000/2");
}

TEST(StatedCost, XaiStatesTicks) {
  EXPECT_EQ(stated(chat("api.x.ai").json(answer(R"(,"cost_in_usd_ticks":22950000)"))),
            "2295000000000/3");
}

// Whatever was asked for.
TEST(StatedCost, OfOtherAnswersThanChats) {
  const auto of = [](const char* host, const char* path, const char* request, const char* body) {
    return stated(Dialogue(path, request).host(host).json(body));
  };
  EXPECT_EQ(
      of("openrouter.ai", "/api/v1/completions", R"({"model":"m","prompt":"x"})",
         R"({"object":"text_completion","model":"m","choices":[{"text":"y"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2,"cost":0.003}})"),
      "3000000000000/1");
  EXPECT_EQ(
      of("openrouter.ai", "/api/v1/embeddings", R"({"model":"m","input":"x"})",
         R"({"object":"list","data":[{"embedding":[1]}],"model":"m","usage":{"prompt_tokens":5,"total_tokens":5,"cost":1e-7}})"),
      "100000000/1");
  EXPECT_EQ(
      of("openrouter.ai", "/api/v1/rerank", R"({"model":"m","query":"q","documents":["x"]})",
         R"({"results":[{"index":0}],"usage":{"search_units":1,"total_tokens":150,"cost":0.002}})"),
      "2000000000000/1");
  EXPECT_EQ(
      of("openrouter.ai", "/api/v1/messages", R"({"model":"m","messages":[{"role":"user"}]})",
         R"({"id":"m1","type":"message","role":"assistant","model":"m","content":[],"usage":{"input_tokens":9,"output_tokens":5,"cost":0.000102}})"),
      "102000000000/1");
  EXPECT_EQ(of("api.x.ai", "/v1/images/generations", R"({"model":"m","prompt":"x"})",
               R"({"data":[{"url":"u"}],"usage":{"cost_in_usd_ticks":700000000}})"),
            "70000000000000/3");
  EXPECT_EQ(
      of("api.x.ai", "/v1/responses", R"({"model":"m","input":"x"})",
         R"({"id":"r","object":"response","status":"completed","model":"m","output":[],"usage":{"input_tokens":9,"output_tokens":5,"total_tokens":14,"cost_in_usd_ticks":318319000}})"),
      "31831900000000/3");
}

TEST(StatedCost, OfAGatewayIsInItsHeader) {
  EXPECT_EQ(
      stated(
          chat("llm.corp").answer_header("x-litellm-response-cost", "0.000123").json(answer(""))),
      "123000000000/4");
  EXPECT_EQ(
      stated(chat("llm.corp").answer_header("x-litellm-response-cost", "0.0").json(answer(""))),
      "0/4");
  EXPECT_EQ(
      stated(chat("llm.corp").answer_header("x-litellm-response-cost", "None").json(answer(""))),
      "");
  EXPECT_EQ(stated(chat("llm.corp")
                       .answer_header("x-litellm-response-cost", "0.000123")
                       .json(answer(R"(,"cost":0)"))),
            "123000000000/4")
      << "a 0 in the body does not outdo it";
  EXPECT_EQ(stated(chat("llm.corp")
                       .answer_header("x-litellm-response-cost", "0.000123")
                       .json(answer(R"(,"cost_in_usd_ticks":10)"))),
            "1000000/3");
}

TEST(StatedCost, AnthropicNamesGeographyAndSpeed) {
  Dialogue dialogue(
      "/v1/messages",
      R"({"model":"claude-opus-4-7","max_tokens":9,"messages":[{"role":"user","content":"x"}]})");
  dialogue.host("api.anthropic.com");
  const std::string line =
      dialogue
          .json(
              R"({"id":"msg_1","type":"message","role":"assistant","model":"claude-opus-4-7","content":[],
"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":4,"inference_geo":"us","speed":"fast"}})")
          .play();
  EXPECT_NE(line.find("geography=us speed=fast"), line.npos) << line;
}

}  // namespace
}  // namespace wiretally::llm
