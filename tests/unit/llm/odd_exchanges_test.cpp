// Exchanges that are odd and yet within what providers document or send: members in unusual order,
// null where a number could stand, usage in unexpected places, frames of other kinds between.
#include "dialogue.h"

namespace wiretally::llm {
namespace {

constexpr const char* kChat = R"({"model":"m-1","messages":[{"role":"user","content":"hi"}]})";
constexpr const char* kStream =
    R"({"messages":[{"role":"user","content":"hi"}],"stream_options":{"include_usage":true},"stream":true,"model":"m-1"})";

Dialogue chat(const char* request = kChat) { return Dialogue("/v1/chat/completions", request); }

std::string tail_of(const std::string& line) {
  const size_t at = line.find(" in=");
  return at == line.npos ? line : line.substr(at + 1);
}

// --- OpenAI and compatibles ----------------------------------------------------------------------

TEST(OddExchanges, MembersOfAnAnswerInAnyOrder) {
  const std::string usage =
      R"("usage":{"total_tokens":12,"completion_tokens_details":{"reasoning_tokens":1},"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":4},"prompt_tokens":10})";
  const std::string choices =
      R"("choices":[{"finish_reason":"stop","message":{"content":"x","role":"assistant"},"index":0}])";
  const std::string rest = R"("model":"m-1","object":"chat.completion","id":"chatcmpl-1")";
  const std::string expected = chat().json("{" + rest + "," + choices + "," + usage + "}").play();
  EXPECT_EQ(tail_of(expected), "in=10 read=4 out=2 reasoning=1 source=reported/reported");
  EXPECT_EQ(chat().json("{" + usage + "," + rest + "," + choices + "}").play(), expected);
  EXPECT_EQ(chat().json("{" + choices + "," + usage + "," + rest + "}").play(), expected);
  EXPECT_EQ(chat().json("\n\n \r\n{" + usage + "," + choices + "," + rest + "}\n").play(),
            expected);
}

TEST(OddExchanges, NullEverywhere) {
  const std::string line =
      chat()
          .json(
              R"({"id":null,"object":"chat.completion","model":null,"service_tier":null,"system_fingerprint":null,"choices":[{"index":0,"message":{"role":"assistant","content":null,"refusal":null,"tool_calls":null,"function_call":null,"audio":null},"logprobs":null,"finish_reason":null}],"usage":{"prompt_tokens":null,"completion_tokens":null,"total_tokens":null,"prompt_tokens_details":null,"completion_tokens_details":null},"error":null})")
          .play();
  EXPECT_EQ(line,
            "provider=unknown dialect=openai_chat outcome=ok status=200 asked=m-1 "
            "missing=not_in_answer flags=usage_missing");
}

TEST(OddExchanges, VllmCountsInEveryChunkAndAgainAtTheEnd) {
  const std::string line =
      chat(kStream)
          .events(
              frame(
                  R"({"id":"chatcmpl-v","object":"chat.completion.chunk","model":"m-1","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":{"prompt_tokens":9,"total_tokens":9,"completion_tokens":0}})") +
              frame(
                  R"({"id":"chatcmpl-v","object":"chat.completion.chunk","model":"m-1","choices":[{"index":0,"delta":{"content":"a"}}],"usage":{"prompt_tokens":9,"total_tokens":10,"completion_tokens":1}})") +
              frame(
                  R"({"id":"chatcmpl-v","object":"chat.completion.chunk","model":"m-1","choices":[{"index":0,"delta":{"content":"bc"},"finish_reason":"stop","stop_reason":null}],"usage":{"prompt_tokens":9,"total_tokens":13,"completion_tokens":4}})") +
              frame(
                  R"({"id":"chatcmpl-v","object":"chat.completion.chunk","model":"m-1","choices":[],"usage":{"prompt_tokens":9,"total_tokens":13,"completion_tokens":4,"prompt_tokens_details":null}})") +
              "data: [DONE]\n\n")
          .play();
  EXPECT_EQ(tail_of(line), "in=9 out=4 source=reported/reported");
}

TEST(OddExchanges, OpenRouterCommentsAndProcessing) {
  const std::string line =
      chat(kStream)
          .host("openrouter.ai")
          .answer_header("X-Generation-Id", "gen-1")
          .events(
              ": OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\n" +
              frame(
                  R"({"id":"gen-1","provider":"Anthropic","model":"anthropic/claude-opus-4.7","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":"a"},"finish_reason":null,"native_finish_reason":null}]})") +
              ": OPENROUTER PROCESSING\n\n" +
              frame(
                  R"({"id":"gen-1","provider":"Anthropic","model":"anthropic/claude-opus-4.7","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":"stop","native_finish_reason":"end_turn"}],"usage":{"prompt_tokens":1200,"completion_tokens":90,"total_tokens":1290,"cost":0.00912,"is_byok":false,"prompt_tokens_details":{"cached_tokens":1000,"cache_write_tokens":0,"audio_tokens":0},"cost_details":{"upstream_inference_cost":null,"upstream_inference_prompt_cost":0.007},"completion_tokens_details":{"reasoning_tokens":0,"image_tokens":0}}})") +
              "data: [DONE]\n\n")
          .play();
  EXPECT_EQ(tail_of(line),
            "in=1200 read=1000 write5m=0 out=90 reasoning=0 in_audio=0 source=reported/reported "
            "stated=9120000000000/1 flags=model_mismatch");
}

TEST(OddExchanges, AzureFilterFramesFirstBetweenAndLast) {
  const std::string line =
      Dialogue(
          "/openai/deployments/prod/chat/completions?api-version=2024-10-21",
          R"({"messages":[{"role":"user","content":"hi"}],"stream":true,"stream_options":{"include_usage":true}})")
          .host("x.openai.azure.com")
          .events(
              frame(
                  R"({"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0,"content_filter_results":{}}]})") +
              frame(
                  R"({"choices":[{"content_filter_results":{},"delta":{"content":"Hi there","refusal":null},"finish_reason":null,"index":0,"logprobs":null}],"created":1,"id":"chatcmpl-3","model":"gpt-4o-2024-11-20","object":"chat.completion.chunk","usage":null})") +
              frame(
                  R"({"choices":[{"content_filter_offsets":{"check_offset":1,"start_offset":1,"end_offset":9},"content_filter_results":{},"finish_reason":null,"index":0}],"created":0,"id":"","model":"","object":""})") +
              frame(
                  R"({"choices":[{"delta":{},"finish_reason":"stop","index":0}],"id":"chatcmpl-3","model":"gpt-4o-2024-11-20","object":"chat.completion.chunk","usage":null})") +
              frame(
                  R"({"choices":[],"id":"chatcmpl-3","model":"gpt-4o-2024-11-20","object":"chat.completion.chunk","usage":{"completion_tokens":3,"prompt_tokens":11,"total_tokens":14}})") +
              frame(R"({"choices":[],"created":0,"id":"","model":"","object":"","usage":null})") +
              "data: [DONE]\n\n")
          .play();
  EXPECT_EQ(line,
            "provider=azure.ai.openai dialect=openai_chat outcome=ok status=200 stream=yes "
            "asked=prod served=gpt-4o-2024-11-20 id=chatcmpl-3 finish=stop in=11 out=3 "
            "source=reported/reported");
}

TEST(OddExchanges, GroqInEveryPlace) {
  const std::string line =
      chat(kStream)
          .host("api.groq.com")
          .events(
              frame(
                  R"({"id":"chatcmpl-g","object":"chat.completion.chunk","model":"m-1","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"x_groq":{"id":"req_01","seed":7}})") +
              frame(
                  R"({"id":"chatcmpl-g","object":"chat.completion.chunk","model":"m-1","choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]})") +
              frame(
                  R"({"id":"chatcmpl-g","object":"chat.completion.chunk","model":"m-1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"x_groq":{"id":"req_01","usage":{"queue_time":0.02,"prompt_tokens":80,"prompt_time":0.1,"completion_tokens":40,"completion_time":0.2,"total_tokens":120,"total_time":0.3,"prompt_tokens_details":{"cached_tokens":64}}},"usage":{"queue_time":0.02,"prompt_tokens":80,"completion_tokens":40,"total_tokens":120,"prompt_tokens_details":{"cached_tokens":64}}})") +
              "data: [DONE]\n\n")
          .play();
  EXPECT_EQ(tail_of(line), "in=80 read=64 out=40 source=reported/reported");
  EXPECT_EQ(
      tail_of(
          chat()
              .host("api.groq.com")
              .json(
                  R"({"id":"chatcmpl-g","object":"chat.completion","model":"m-1","x_groq":{"id":"req_01","usage":{"dram_cached_tokens":0,"sram_cached_tokens":5}},"choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}],"usage":{"prompt_tokens":80,"completion_tokens":40,"total_tokens":120},"usage_breakdown":{"models":[{"model":"a","usage":{"prompt_tokens":70,"completion_tokens":39,"total_tokens":109}}]},"service_tier":"on_demand"})")
              .play()),
      "in=80 out=40 source=reported/reported tier=on_demand");
}

TEST(OddExchanges, DeepseekKeepAlivesAndHitMiss) {
  const std::string body =
      R"({"id":"d1","object":"chat.completion","model":"deepseek-chat","choices":[{"index":0,"message":{"role":"assistant","content":"x","reasoning_content":"y"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1100,"completion_tokens":90,"total_tokens":1190,"prompt_tokens_details":{"cached_tokens":1024},"completion_tokens_details":{"reasoning_tokens":60},"prompt_cache_hit_tokens":1024,"prompt_cache_miss_tokens":76},"system_fingerprint":"fp_1"})";
  EXPECT_EQ(tail_of(chat().host("api.deepseek.com").json("\n\n\n\n" + body).play()),
            "in=1100 read=1024 out=90 reasoning=60 source=reported/reported flags=model_mismatch");
  const std::string line =
      chat(kStream)
          .host("api.deepseek.com")
          .events(
              ": keep-alive\n\n: keep-alive\n\n" +
              frame(
                  R"({"id":"d1","object":"chat.completion.chunk","model":"m-1","choices":[{"index":0,"delta":{"content":null,"reasoning_content":"y"},"finish_reason":null}],"usage":null})") +
              frame(
                  R"({"id":"d1","object":"chat.completion.chunk","model":"m-1","choices":[{"index":0,"delta":{"content":"","reasoning_content":null},"finish_reason":"insufficient_system_resource"}],"usage":{"prompt_tokens":1100,"completion_tokens":90,"total_tokens":1190,"prompt_cache_hit_tokens":1024,"prompt_cache_miss_tokens":76}})") +
              "data: [DONE]\n\n")
          .play();
  EXPECT_EQ(tail_of(line), "in=1100 read=1024 out=90 source=reported/reported");
  EXPECT_NE(line.find("finish=error"), line.npos) << line;
}

TEST(OddExchanges, MistralAtTheRootAndAudioOutside) {
  EXPECT_EQ(
      tail_of(
          chat()
              .host("api.mistral.ai")
              .json(
                  R"({"id":"m1","object":"chat.completion","model":"m-1","usage":{"prompt_tokens":20,"total_tokens":23,"completion_tokens":3,"num_cached_tokens":16,"prompt_audio_seconds":null},"choices":[{"index":0,"finish_reason":"model_length","message":{"role":"assistant","tool_calls":null,"content":[{"type":"thinking","thinking":[{"type":"text","text":"x"}]},{"type":"text","text":"Hi"}]}}]})")
              .play()),
      "in=20 read=16 out=3 source=reported/reported");
  EXPECT_EQ(
      tail_of(
          chat()
              .host("api.mistral.ai")
              .json(
                  R"({"id":"m1","object":"chat.completion","model":"m-1","usage":{"prompt_audio_seconds":30,"prompt_tokens":9,"total_tokens":632,"completion_tokens":248,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":375}},"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Hi"}}]})")
              .play()),
      "in=384 read=0 out=248 in_audio=375 source=reported/reported");
}

TEST(OddExchanges, PerplexityRunningCostsAndPings) {
  const std::string line =
      chat(kStream)
          .host("api.perplexity.ai")
          .events(
              ": ping - 2026-11-20\r\n\r\n"
              "data: "
              "{\"id\":\"p1\",\"model\":\"sonar-pro\",\"object\":\"chat.completion.chunk\","
              "\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"A\"}}],"
              "\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":1,\"total_tokens\":11,"
              "\"search_context_size\":\"low\",\"cost\":{\"input_tokens_cost\":0.0,\"output_tokens_"
              "cost\":0.0,\"request_cost\":0.0,\"total_cost\":0.0}}}\r\n\r\n"
              "data: "
              "{\"id\":\"p1\",\"model\":\"sonar-pro\",\"object\":\"chat.completion.done\","
              "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"},\"message\":{\"role\":"
              "\"assistant\",\"content\":\"A\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_"
              "tokens\":10,\"completion_tokens\":55,\"total_tokens\":65,\"reasoning_tokens\":20,"
              "\"num_search_queries\":3,\"search_context_size\":\"low\",\"cost\":{\"input_tokens_"
              "cost\":3e-05,\"output_tokens_cost\":0.000825,\"request_cost\":0.006,\"total_cost\":"
              "0.006855}}}\r\n\r\n")
          .play();
  EXPECT_EQ(tail_of(line),
            "in=10 out=75 reasoning=20 source=reported/reported server_tools=3 "
            "stated=6855000000000/2 flags=model_mismatch");
}

TEST(OddExchanges, ToolNamesOfEveryShape) {
  // In fragments with a custom tool, ids repeated in every fragment, and an index left out.
  EXPECT_NE(
      chat(kStream)
          .events(
              frame(
                  R"({"object":"chat.completion.chunk","model":"m-1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"one","arguments":""}},{"index":1,"id":"b","type":"custom","custom":{"name":"two","input":""}}]}}]})") +
              frame(
                  R"({"object":"chat.completion.chunk","model":"m-1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"one","arguments":"{}"}}]}}]})") +
              frame(
                  R"({"object":"chat.completion.chunk","model":"m-1","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"custom":{"input":"x"}}]},"finish_reason":"tool_calls"}]})") +
              "data: [DONE]\n\n")
          .play()
          .find("tools=one,two"),
      std::string::npos);
  // Two choices that call the same tool are two calls.
  EXPECT_NE(
      chat()
          .json(
              R"({"object":"chat.completion","model":"m-1","choices":[{"index":0,"message":{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"one","arguments":"{}"}},{"id":"b","function":{"name":"one","arguments":"{}"}}]},"finish_reason":"tool_calls"},{"index":1,"message":{"role":"assistant","tool_calls":[{"id":"c","function":{"name":"two","arguments":"{}"}}]},"finish_reason":"tool_calls"}]})")
          .play()
          .find("tools=one,one,two"),
      std::string::npos);
}

TEST(OddExchanges, MoreToolsThanARecordHoldsAreFlagged) {
  std::string calls;
  for (int i = 0; i < 20; ++i) {
    calls += (i > 0 ? "," : "") + std::string(R"({"id":"c)") + std::to_string(i) +
             R"(","type":"function","function":{"name":"t)" + std::to_string(i) + R"("}})";
  }
  const std::string line =
      chat()
          .json(
              R"({"object":"chat.completion","model":"m-1","choices":[{"index":0,"message":{"role":"assistant","tool_calls":[)" +
              calls +
              R"(]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}})")
          .play();
  EXPECT_NE(line.find("t14,t15 flags=text_cut"), line.npos) << line;
}

TEST(OddExchanges, TextCompletionsFinishWords) {
  static constexpr std::pair<const char*, const char*> kWords[] = {
      {"stop", "stop"},
      {"eos", "stop"},
      {"length", "length"},
      {"tool_calls", "tool_calls"},
      {"function_call", "tool_calls"},
      {"content_filter", "content_filter"},
      {"error", "error"},
      {"model_length", "length"},
      {"abort", "other"},
      {"repetition", "other"}};
  for (const auto& [word, reason] : kWords) {
    const std::string line =
        chat()
            .json(
                R"({"object":"chat.completion","model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":")" +
                std::string(word) + R"("}]})")
            .play();
    EXPECT_NE(line.find("finish=" + std::string(reason) + " "), line.npos) << word << line;
  }
}

// --- Anthropic -----------------------------------------------------------------------------------

Dialogue messages(const char* request = kChat) {
  return Dialogue("/v1/messages?beta=true", request).header("anthropic-version", "2023-06-01");
}

TEST(OddExchanges, AnthropicNullsAndUnknownEvents) {
  const std::string line =
      messages()
          .events(
              named_frame(
                  "message_start",
                  R"({"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m-1","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":12,"cache_creation_input_tokens":null,"cache_read_input_tokens":null,"cache_creation":null,"output_tokens":1,"server_tool_use":null,"service_tier":null}}})") +
              named_frame("ping", R"({"type": "ping"})") +
              named_frame("future_event",
                          R"({"type":"future_event","usage":{"output_tokens":999}})") +
              named_frame(
                  "content_block_delta",
                  R"({"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"x"}})") +
              named_frame(
                  "content_block_delta",
                  R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"x"}})") +
              named_frame(
                  "message_delta",
                  R"({"type":"message_delta","usage":{"output_tokens":57,"input_tokens":null,"cache_read_input_tokens":null},"delta":{"stop_sequence":null,"stop_reason":"pause_turn"}})") +
              named_frame("message_stop", R"({"type":"message_stop"})"))
          .play();
  EXPECT_EQ(line,
            "provider=unknown dialect=anthropic_messages outcome=ok status=200 stream=yes "
            "asked=m-1 served=m-1 id=msg_1 finish=other in=12 out=57 source=reported/reported");
}

TEST(OddExchanges, AnthropicDataWithoutEventNames) {
  const std::string line =
      messages()
          .events(
              frame(
                  R"({"message":{"usage":{"output_tokens":1,"input_tokens":12,"cache_read_input_tokens":100,"cache_creation_input_tokens":30,"cache_creation":{"ephemeral_1h_input_tokens":10,"ephemeral_5m_input_tokens":20}},"id":"msg_1","role":"assistant","model":"m-1","type":"message","content":[]},"type":"message_start"})") +
              frame(
                  R"({"usage":{"output_tokens":5},"delta":{"stop_reason":"end_turn"},"type":"message_delta"})") +
              frame(R"({"usage":{"output_tokens":7},"delta":{},"type":"message_delta"})") +
              frame(R"({"type":"message_stop"})"))
          .play();
  EXPECT_EQ(tail_of(line), "in=142 read=100 write5m=20 write1h=10 out=7 source=reported/reported");
}

// --- Gemini --------------------------------------------------------------------------------------

Dialogue gemini(const char* verb) {
  return Dialogue("/v1beta/models/gemini-2.5-pro:" + std::string(verb),
                  R"({"contents":[{"parts":[{"text":"hi"}]}]})");
}

TEST(OddExchanges, GeminiThoughtsToolsAndCacheAddUp) {
  EXPECT_EQ(
      tail_of(
          gemini("generateContent")
              .json(
                  R"({"usageMetadata":{"totalTokenCount":456,"thoughtsTokenCount":300,"toolUsePromptTokenCount":100,"candidatesTokenCount":6,"promptTokenCount":50,"cachedContentTokenCount":40,"toolUsePromptTokensDetails":[{"modality":"TEXT","tokenCount":100}],"cacheTokensDetails":[{"modality":"TEXT","tokenCount":40}],"promptTokensDetails":[{"tokenCount":30,"modality":"TEXT"},{"tokenCount":20,"modality":"AUDIO"}]},"modelVersion":"gemini-2.5-pro","candidates":[{"finishReason":"MAX_TOKENS","content":{"parts":[{"text":"x","thought":true}]}}]})")
              .play()),
      "in=150 read=40 out=306 reasoning=300 in_audio=20 source=reported/reported");
}

TEST(OddExchanges, GeminiArrayWithBlanksAndAnEmptyElement) {
  EXPECT_EQ(
      tail_of(
          gemini("streamGenerateContent")
              .json("[{\n  \"candidates\": [{\"content\": {\"parts\": [{\"text\": \"a\"}]}}],\n  "
                    "\"usageMetadata\": {\"promptTokenCount\": 8,\"totalTokenCount\": 8},\n  "
                    "\"modelVersion\": \"gemini-2.5-pro\"\n}\n,\r\n{}\n,\r\n{\n  \"candidates\": "
                    "[{\"finishReason\": \"STOP\"}],\n  \"usageMetadata\": {\"promptTokenCount\": "
                    "8,\"candidatesTokenCount\": 5,\"thoughtsTokenCount\": 20,\"totalTokenCount\": "
                    "33}\n}\n]")
              .play()),
      "in=8 out=25 reasoning=20 source=reported/reported");
}

TEST(OddExchanges, GeminiBlockedPrompt) {
  EXPECT_EQ(
      gemini("generateContent")
          .json(
              R"({"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{"promptTokenCount":50,"totalTokenCount":50},"modelVersion":"gemini-2.5-pro","responseId":"r1"})")
          .play(),
      "provider=unknown dialect=gemini_generate outcome=ok status=200 asked=gemini-2.5-pro "
      "served=gemini-2.5-pro id=r1 finish=content_filter in=50 out=0 source=reported/reported");
}

TEST(OddExchanges, GeminiFinishWords) {
  static constexpr std::pair<const char*, const char*> kWords[] = {
      {R"("STOP")", "stop"},
      {R"("MAX_TOKENS")", "length"},
      {R"("SAFETY")", "content_filter"},
      {R"("RECITATION")", "content_filter"},
      {R"("LANGUAGE")", "other"},
      {R"("SPII")", "content_filter"},
      {R"("MALFORMED_FUNCTION_CALL")", "other"},
      {R"("IMAGE_SAFETY")", "content_filter"},
      {R"("IMAGE_RECITATION")", "content_filter"},
      {R"("MODEL_ARMOR")", "content_filter"},
      {"1", "stop"},
      {"2", "length"},
      {"3", "content_filter"}};
  for (const auto& [word, reason] : kWords) {
    const std::string line =
        gemini("generateContent")
            .json(
                R"({"candidates":[{"finishReason":)" + std::string(word) +
                R"(}],"modelVersion":"gemini-2.5-pro","usageMetadata":{"promptTokenCount":1,"totalTokenCount":1}})")
            .play();
    EXPECT_NE(line.find("finish=" + std::string(reason) + " "), line.npos) << word << line;
  }
}

// With it the price of cached audio is known.
TEST(OddExchanges, CachedAudioIsTold) {
  UsageSheet sheet;
  TokenCounts tokens;
  RecordFlags flags;
  sheet.set(UsageField::kInput, 132);
  sheet.set(UsageField::kOutput, 80);
  sheet.set(UsageField::kCacheRead, 64);
  sheet.set(UsageField::kInputAudio, 13);
  sheet.set(UsageField::kCacheReadAudio, 10);
  normalise_openai(sheet, {}, tokens, flags);
  EXPECT_EQ(tokens.cache_read_audio, 10u);
  EXPECT_TRUE(flags.empty());
  sheet.set(UsageField::kCacheReadAudio, 14);
  normalise_openai(sheet, {}, tokens, flags);
  EXPECT_EQ(tokens.cache_read_audio, 13u);
  EXPECT_TRUE(flags.has(RecordFlag::kUsageMalformed));
}

// --- Bedrock, Cohere, Ollama ---------------------------------------------------------------------

TEST(OddExchanges, ConverseCacheUnderTwoNamesAndAGuardrailTrace) {
  EXPECT_EQ(
      tail_of(
          Dialogue("/model/us.anthropic.claude-opus-4-7/converse",
                   R"({"messages":[{"role":"user","content":[{"text":"hi"}]}]})")
              .json(
                  R"({"trace":{"guardrail":{"inputAssessment":{"x":{"invocationMetrics":{"usage":{"inputTokens":777,"outputTokens":777}}}}}},"usage":{"serverToolUsage":{},"totalTokens":2193,"outputTokens":401,"inputTokens":3,"cacheReadInputTokens":1789,"cacheReadInputTokenCount":1789,"cacheWriteInputTokens":0,"cacheWriteInputTokenCount":0},"stopReason":"guardrail_intervened","output":{"message":{"content":[{"text":"Hi"}],"role":"assistant"}},"metrics":{"latencyMs":640}})")
              .play()),
      "in=1792 read=1789 write5m=0 out=401 source=reported/reported");
}

TEST(OddExchanges, CohereToolPlanThenEnd) {
  const std::string line =
      Dialogue("/v2/chat", kChat)
          .host("api.cohere.com")
          .events(
              named_frame(
                  "message-start",
                  R"({"id":"c1","type":"message-start","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}})") +
              named_frame(
                  "tool-plan-delta",
                  R"({"type":"tool-plan-delta","delta":{"message":{"tool_plan":"I will"}}})") +
              named_frame(
                  "tool-call-start",
                  R"({"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"t1","type":"function","function":{"name":"get_weather","arguments":""}}}}})") +
              named_frame(
                  "tool-call-delta",
                  R"({"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"{}"}}}}})") +
              named_frame("tool-call-end", R"({"type":"tool-call-end","index":0})") +
              named_frame(
                  "message-end",
                  R"({"type":"message-end","delta":{"finish_reason":"TOOL_CALL","usage":{"tokens":{"output_tokens":14,"input_tokens":66},"billed_units":{"output_tokens":12,"input_tokens":8},"cached_tokens":48}}})") +
              "data: [DONE]\n\n")
          .play();
  EXPECT_EQ(tail_of(line), "in=66 read=48 out=14 source=reported/reported tools=get_weather");
  EXPECT_NE(line.find("finish=tool_calls"), line.npos) << line;
}

TEST(OddExchanges, OllamaDoneLineWithContextAndRemoteModel) {
  EXPECT_EQ(
      Dialogue("/api/generate", R"({"model":"gpt-oss:120b-cloud","prompt":"hi","stream":true})")
          .host("127.0.0.1:11434")
          .answer(200, "application/x-ndjson",
                  "{\"model\":\"gpt-oss:120b-cloud\",\"remote_model\":\"gpt-oss:120b\",\"remote_"
                  "host\":\"https://"
                  "ollama.com:443\",\"created_at\":\"2026-11-20T10:00:00Z\",\"response\":\"\","
                  "\"thinking\":\"hm\",\"done\":false}\n"
                  "{\"model\":\"gpt-oss:120b-cloud\",\"created_at\":\"2026-11-20T10:00:01Z\","
                  "\"response\":\"Hi\",\"done\":false}\n"
                  "{\"model\":\"gpt-oss:120b-cloud\",\"created_at\":\"2026-11-20T10:00:01Z\","
                  "\"response\":\"\",\"done\":true,\"done_reason\":\"length\",\"context\":[1,2,3],"
                  "\"total_duration\":812000000,\"prompt_eval_count\":26,\"eval_count\":12}\n")
          .play(),
      "provider=ollama dialect=ollama outcome=ok status=200 stream=yes asked=gpt-oss:120b-cloud "
      "served=gpt-oss:120b-cloud finish=length in=26 out=12 source=reported/reported");
}

// --- errors --------------------------------------------------------------------------------------

// Each provider's form of an error, and the name that the record gives it.
TEST(OddExchanges, ErrorNames) {
  struct Row {
    const char* path;
    const char* host;
    uint16_t status;
    const char* body;
    const char* name;
  };
  // clang-format off
  static constexpr Row kRows[] = {
      {"/v1/chat/completions", "api.openai.com", 429, R"({"error":{"message":"m","type":"insufficient_quota","param":null,"code":"insufficient_quota"}})", "insufficient_quota"},
      {"/v1/chat/completions", "api.openai.com", 429, R"({"error":{"message":"m","type":"tokens","param":null,"code":"rate_limit_exceeded"}})", "rate_limit_exceeded"},
      {"/v1/chat/completions", "api.openai.com", 429, R"({"error":{"message":"m","type":"requests","param":null,"code":null}})", "requests"},
      {"/v1/chat/completions", "api.openai.com", 503, R"({"error":{"message":"m","type":"server_error","param":null,"code":null}})", "server_error"},
      {"/openai/deployments/d/chat/completions", "x.openai.azure.com", 429, R"({"error":{"code":"429","message":"Requests to the ChatCompletions_Create Operation …"}})", "429"},
      {"/openai/deployments/d/chat/completions", "x.openai.azure.com", 404, R"({"error":{"code":"DeploymentNotFound","message":"m"}})", "DeploymentNotFound"},
      {"/openai/deployments/d/chat/completions", "x.openai.azure.com", 400, R"({"error":{"message":"m","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation"}}})", "content_filter"},
      {"/v1/messages", "api.anthropic.com", 529, R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded","details":null},"request_id":"req_1"})", "overloaded_error"},
      {"/v1/messages", "api.anthropic.com", 429, R"({"type":"error","error":{"type":"rate_limit_error","message":"m"}})", "rate_limit_error"},
      {"/v1/chat/completions", "api.x.ai", 400, R"({"code":"invalid-argument","error":"text"})", "invalid-argument"},
      {"/api/v1/chat/completions", "openrouter.ai", 402, R"({"error":{"message":"m","code":402,"metadata":{"error_type":"payment_required"}},"user_id":"u"})", "payment_required"},
      {"/chat/completions", "api.perplexity.ai", 401, R"({"error":{"message":"m","type":"invalid_api_key","code":401}})", "invalid_api_key"},
      {"/v1/chat/completions", "api.mistral.ai", 422, R"({"detail":[{"loc":["body"],"msg":"m","type":"missing"}]})", "missing"},
      {"/v1/chat/completions", "api.mistral.ai", 429, R"({"object":"error","message":"m","type":"rate_limited","param":null,"code":"1300"})", "rate_limited"},
      {"/v1/chat/completions", "api.mistral.ai", 401, R"({"detail":"Unauthorized"})", ""},
      {"/v1/chat/completions", "127.0.0.1:8000", 400, R"({"object":"error","message":"m","type":"BadRequestError","param":null,"code":400})", "BadRequestError"},
      {"/v1/chat/completions", "127.0.0.1:8000", 400, R"({"error":{"message":"m","type":"BadRequestError","param":null,"code":400}})", "BadRequestError"},
      {"/v2/chat", "api.cohere.com", 429, R"({"id":"e1","message":"m","error_type":"trial_rate_limit"})", "trial_rate_limit"},
      {"/v1beta/models/gemini-2.5-pro:generateContent", "generativelanguage.googleapis.com", 429, R"({"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure"}]}})", "RESOURCE_EXHAUSTED"},
      {"/v1beta/openai/chat/completions", "generativelanguage.googleapis.com", 400, R"([{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT"}}])", "INVALID_ARGUMENT"},
      {"/model/meta.llama3/converse", "bedrock-runtime.us-east-1.amazonaws.com", 400, R"({"__type":"com.amazon.coral.service#UnrecognizedClientException","message":"m"})", "UnrecognizedClientException"},
      {"/api/chat", "127.0.0.1:11434", 404, R"({"error":"model 'x' not found"})", ""},
      {"/generate", "127.0.0.1:3000", 424, R"({"error":"Request failed","error_type":"generation"})", ""},
  };
  // clang-format on
  for (const Row& row : kRows) {
    const std::string line = Dialogue(row.path, kChat)
                                 .host(row.host)
                                 .answer(row.status, "application/json", row.body)
                                 .play();
    const size_t at = line.find(" error=");
    const std::string name =
        at == line.npos ? "" : line.substr(at + 7, line.find(' ', at + 7) - at - 7);
    EXPECT_EQ(name, row.name) << row.body << "\n" << line;
  }
}

// --- sessions ------------------------------------------------------------------------------------

TEST(OddExchanges, SessionsThatBodiesName) {
  const auto session_of = [](const char* path, const char* request) {
    const std::string line = Dialogue(path, request).answer(500, "application/json").play();
    const size_t at = line.find(" session=");
    return at == line.npos ? "" : line.substr(at + 9, line.find(' ', at + 9) - at - 9);
  };
  EXPECT_EQ(session_of("/v1/responses", R"({"model":"m","conversation":"conv_1"})"), "conv_1");
  EXPECT_EQ(session_of("/v1/responses", R"({"model":"m","conversation":{"id":"conv_2"}})"),
            "conv_2");
  EXPECT_EQ(session_of("/v1/responses", R"({"model":"m","conversation":null,"input":"x"})"), "");
  EXPECT_EQ(session_of("/v1/chat/completions",
                       R"({"session_id":"s1","model":"m","messages":[{"role":"user"}]})"),
            "s1");
  EXPECT_EQ(
      session_of("/v1/chat/completions",
                 R"({"metadata":{"session_id":"s2"},"model":"m","messages":[{"role":"user"}]})"),
      "s2");
}

// --- Responses -----------------------------------------------------------------------------------

TEST(OddExchanges, ResponsesToolsWithoutIdsAndBuiltIns) {
  const std::string line =
      Dialogue("/v1/responses", R"({"input":"hi","model":"m-1","stream":true})")
          .events(
              frame(
                  R"({"type":"response.created","response":{"id":"resp_1","object":"response","model":"m-1","status":"in_progress","output":[],"usage":null,"error":null}})") +
              frame(
                  R"({"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","name":"one","call_id":"c1","arguments":""}})") +
              frame(
                  R"({"type":"response.output_item.done","output_index":0,"item":{"type":"function_call","name":"one","call_id":"c1","arguments":"{}"}})") +
              frame(
                  R"({"type":"response.output_item.added","output_index":1,"item":{"type":"web_search_call","id":"ws_1","status":"in_progress"}})") +
              frame(
                  R"({"type":"response.output_item.done","output_index":2,"item":{"type":"mcp_call","name":"two","id":"mcp_1","arguments":"{}"}})") +
              frame(
                  R"({"type":"response.output_item.done","output_index":3,"item":{"type":"function_call","name":"three","call_id":"c3","arguments":"{}"}})") +
              frame(
                  R"({"type":"response.completed","response":{"tool_usage":{"image_gen":{"input_tokens":0,"output_tokens":0},"web_search":{"num_requests":1}},"usage":{"total_tokens":12,"output_tokens":2,"input_tokens":10,"input_tokens_details":{"cached_tokens":0}},"object":"response","id":"resp_1","model":"m-1","status":"completed","output":[{"type":"function_call","name":"one","call_id":"c1","arguments":"{}"},{"type":"web_search_call","id":"ws_1"},{"type":"mcp_call","name":"two","id":"mcp_1"},{"type":"function_call","name":"three","call_id":"c3","arguments":"{}"}]}})"))
          .play();
  EXPECT_EQ(tail_of(line),
            "in=10 read=0 out=2 source=reported/reported tools=one,two,three server_tools=1");
}

}  // namespace
}  // namespace wiretally::llm
