// What must hold of every dialect that states usage, whatever the numbers:
//   - what a record says adds up to what the provider says in all, and its parts are as stated
//   - a stream says what its twin in one piece says
//   - usage that is spread over several events is merged to the same
//   - the order of members says nothing
// Each dialect is one function below, which writes an answer down as its provider would.
#include <gtest/gtest.h>
#include <zlib.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "unit/llm/dialogue.h"

namespace wiretally::llm {
namespace {

using Json = nlohmann::ordered_json;
using Random = std::minstd_rand;

// What a call used, by kinds that do not overlap.
struct Used {
  uint64_t text = 0, cache_read = 0, cache_write_5m = 0, cache_write_1h = 0, input_audio = 0;
  uint64_t visible = 0, reasoning = 0, output_audio = 0;
  uint64_t tool_prompt = 0;  // Gemini: fed back by tools

  uint64_t input() const {
    return text + cache_read + cache_write_5m + cache_write_1h + input_audio + tool_prompt;
  }
  uint64_t output() const { return visible + reasoning + output_audio; }
};

enum class Framing { kEvents, kLines, kArray, kAws, kPackedAws };

// An answer, whole and as a stream of JSON documents.
struct Written {
  Json whole;
  std::vector<Json> stream;
  size_t usage_at = 0;  // which of the documents has the usage
  std::string usage_member = "usage";
};

struct Form {
  const char* name;
  const char* target;
  const char* host;
  Json request;
  Framing framing = Framing::kEvents;
  // Which of the kinds this dialect tells apart; the others are 0.
  bool read = false, write_5m = false, write_1h = false, reasoning = false, audio = false,
       out_audio = false, tool_prompt = false;
  std::function<Written(const Used&)> write;
  const char* stream_target = nullptr;
  bool spreads = false;  // usage may be spread over events
  bool streams = true;
};

// --- the dialects --------------------------------------------------------------------------------

Json chat_usage(const Used& u) {
  return {{"prompt_tokens", u.input()},
          {"completion_tokens", u.output()},
          {"total_tokens", u.input() + u.output()},
          {"prompt_tokens_details",
           {{"cached_tokens", u.cache_read},
            {"cache_write_tokens", u.cache_write_5m},
            {"audio_tokens", u.input_audio}}},
          {"completion_tokens_details",
           {{"reasoning_tokens", u.reasoning}, {"audio_tokens", u.output_audio}}}};
}

Written chat(const Json& usage) {
  const Json head = {{"id", "chatcmpl-Twin00000001"}, {"model", "m-1"}, {"created", 1}};
  Written w;
  w.whole = head;
  w.whole["object"] = "chat.completion";
  w.whole["choices"] = {{{"index", 0},
                         {"message", {{"role", "assistant"}, {"content", "Hello you"}}},
                         {"finish_reason", "stop"}}};
  w.whole["usage"] = usage;
  const auto chunk = [&](Json delta, Json finish) {
    Json c = head;
    c["object"] = "chat.completion.chunk";
    c["choices"] = {{{"index", 0}, {"delta", delta}, {"finish_reason", finish}}};
    w.stream.push_back(c);
  };
  chunk({{"role", "assistant"}, {"content", ""}}, nullptr);
  chunk({{"content", "Hello"}}, nullptr);
  chunk({{"content", " you"}}, nullptr);
  chunk(Json::object(), "stop");
  Json last = head;
  last["object"] = "chat.completion.chunk";
  last["choices"] = Json::array();
  last["usage"] = usage;
  w.stream.push_back(last);
  w.usage_at = w.stream.size() - 1;
  return w;
}

Written openai_chat_of(const Used& u) { return chat(chat_usage(u)); }

// xAI: reasoning stands outside completion_tokens, and within the total.
Written xai_of(const Used& u) {
  Json usage = chat_usage(u);
  usage["completion_tokens"] = u.output() - u.reasoning;
  return chat(usage);
}

// Perplexity: outside both.
Written perplexity_of(const Used& u) {
  return chat({{"prompt_tokens", u.input()},
               {"completion_tokens", u.visible},
               {"total_tokens", u.input() + u.visible},
               {"reasoning_tokens", u.reasoning},
               {"cost", {{"total_cost", 0.0125}}}});
}

Written deepseek_of(const Used& u) {
  return chat({{"prompt_tokens", u.input()},
               {"completion_tokens", u.output()},
               {"total_tokens", u.input() + u.output()},
               {"prompt_cache_hit_tokens", u.cache_read},
               {"prompt_cache_miss_tokens", u.text},
               {"completion_tokens_details", {{"reasoning_tokens", u.reasoning}}}});
}

// Mistral: audio stands outside prompt_tokens.
Written mistral_of(const Used& u) {
  Json usage = {{"prompt_tokens", u.input() - u.input_audio},
                {"completion_tokens", u.output()},
                {"total_tokens", u.input() + u.output()},
                {"num_cached_tokens", u.cache_read}};
  if (u.input_audio > 0) usage["prompt_tokens_details"] = {{"audio_tokens", u.input_audio}};
  return chat(usage);
}

Written completions_of(const Used& u) {
  Written w = chat(chat_usage(u));
  for (Json* answer : {&w.whole, &w.stream[1], &w.stream[2], &w.stream[3]}) {
    (*answer)["object"] = "text_completion";
    (*answer)["choices"] = {{{"index", 0}, {"text", "Hi"}, {"finish_reason", nullptr}}};
  }
  w.stream[0]["object"] = w.stream[4]["object"] = "text_completion";
  w.stream[0]["choices"] = Json::array();
  w.whole["choices"][0]["finish_reason"] = w.stream[3]["choices"][0]["finish_reason"] = "stop";
  return w;
}

Written responses_of(const Used& u) {
  const Json usage = {{"input_tokens", u.input()},
                      {"output_tokens", u.output()},
                      {"total_tokens", u.input() + u.output()},
                      {"input_tokens_details", {{"cached_tokens", u.cache_read}}},
                      {"output_tokens_details", {{"reasoning_tokens", u.reasoning}}}};
  Written w;
  w.whole = {{"id", "resp_Twin000000000001"},
             {"object", "response"},
             {"status", "completed"},
             {"model", "m-1"},
             {"output", {{{"type", "function_call"}, {"id", "fc_1"}, {"name", "look"}}}},
             {"tool_usage", {{"image_gen", {{"input_tokens", 0}}}}},
             {"usage", usage}};
  Json begun = w.whole;
  begun["status"] = "in_progress";
  begun["usage"] = nullptr;
  begun["output"] = Json::array();
  w.stream = {{{"type", "response.created"}, {"response", begun}},
              {{"type", "response.output_item.added"}, {"item", w.whole["output"][0]}},
              {{"type", "response.function_call_arguments.delta"}, {"delta", "{}"}},
              {{"type", "response.completed"}, {"response", w.whole}}};
  w.usage_at = 3;
  return w;
}

Json anthropic_usage(const Used& u) {
  return {{"input_tokens", u.text},
          {"cache_creation_input_tokens", u.cache_write_5m + u.cache_write_1h},
          {"cache_read_input_tokens", u.cache_read},
          {"cache_creation",
           {{"ephemeral_5m_input_tokens", u.cache_write_5m},
            {"ephemeral_1h_input_tokens", u.cache_write_1h}}},
          {"output_tokens", u.output()},
          {"output_tokens_details", {{"thinking_tokens", u.reasoning}}}};
}

Written anthropic_of(const Used& u) {
  const Json usage = anthropic_usage(u);
  Written w;
  w.whole = {{"id", "msg_Twin0000000000001"},
             {"type", "message"},
             {"role", "assistant"},
             {"model", "m-1"},
             {"content", {{{"type", "text"}, {"text", "Hello"}}}},
             {"stop_reason", "end_turn"},
             {"usage", usage}};
  Json begun = w.whole;
  begun["content"] = Json::array();
  begun["stop_reason"] = nullptr;
  begun["usage"]["output_tokens"] = 1;  // a placeholder
  begun["usage"].erase("output_tokens_details");
  const Json end = {{"output_tokens", u.output()},
                    {"output_tokens_details", {{"thinking_tokens", u.reasoning}}}};
  w.stream = {{{"type", "message_start"}, {"message", begun}},
              {{"type", "content_block_start"},
               {"index", 0},
               {"content_block", {{"type", "text"}, {"text", ""}}}},
              {{"type", "content_block_delta"},
               {"index", 0},
               {"delta", {{"type", "text_delta"}, {"text", "Hello"}}}},
              {{"type", "content_block_stop"}, {"index", 0}},
              {{"type", "message_delta"}, {"delta", {{"stop_reason", "end_turn"}}}, {"usage", end}},
              {{"type", "message_stop"}}};
  w.usage_at = 4;
  return w;
}

Written gemini_of(const Used& u) {
  const Json usage = {
      {"promptTokenCount", u.input() - u.tool_prompt},
      {"toolUsePromptTokenCount", u.tool_prompt},
      {"cachedContentTokenCount", u.cache_read},
      {"candidatesTokenCount", u.visible},
      {"thoughtsTokenCount", u.reasoning},
      {"totalTokenCount", u.input() + u.output()},
      {"promptTokensDetails", {{{"modality", "AUDIO"}, {"tokenCount", u.input_audio}}}}};
  const auto part = [](const char* text, Json finish) {
    Json candidate = {{"content", {{"parts", {{{"text", text}}}}, {"role", "model"}}},
                      {"index", 0}};
    if (!finish.is_null()) candidate["finishReason"] = finish;
    return Json{{"candidates", Json::array({candidate})},
                {"modelVersion", "m-1"},
                {"responseId", "twin-1"}};
  };
  Written w;
  w.whole = part("Hello", "STOP");
  w.whole["usageMetadata"] = usage;
  w.stream = {part("Hel", nullptr), part("lo", "STOP")};
  w.stream[0]["usageMetadata"] = {{"promptTokenCount", u.input() + 7},
                                  {"totalTokenCount", u.input() + 9}};
  w.stream[1]["usageMetadata"] = usage;
  w.usage_at = 1;
  w.usage_member = "usageMetadata";
  return w;
}

Written interactions_of(const Used& u) {
  Written w;
  w.whole = {{"id", "int-1"},
             {"object", "interaction"},
             {"status", "completed"},
             {"model", "m-1"},
             {"outputs", {{{"type", "text"}, {"text", "Hi"}}}},
             {"usage",
              {{"total_input_tokens", u.input() - u.tool_prompt},
               {"total_cached_tokens", u.cache_read},
               {"total_tool_use_tokens", u.tool_prompt},
               {"total_output_tokens", u.visible},
               {"total_thought_tokens", u.reasoning},
               {"total_tokens", u.input() + u.output()}}}};
  w.stream = {{{"event_type", "step.delta"}, {"delta", {{"type", "text"}, {"text", "Hi"}}}},
              {{"event_type", "interaction.completed"}, {"interaction", w.whole}}};
  w.usage_at = 1;
  return w;
}

Written converse_of(const Used& u) {
  const Json usage = {{"inputTokens", u.text},
                      {"outputTokens", u.output()},
                      {"totalTokens", u.input() + u.output()},
                      {"cacheReadInputTokens", u.cache_read},
                      {"cacheWriteInputTokens", u.cache_write_5m + u.cache_write_1h},
                      {"cacheDetails",
                       {{{"ttl", "5m"}, {"inputTokens", u.cache_write_5m}},
                        {{"ttl", "1h"}, {"inputTokens", u.cache_write_1h}}}}};
  Written w;
  w.whole = {{"output", {{"message", {{"role", "assistant"}, {"content", {{{"text", "Hi"}}}}}}}},
             {"stopReason", "end_turn"},
             {"usage", usage}};
  w.stream = {{{"messageStart", {{"role", "assistant"}}}},
              {{"contentBlockDelta", {{"contentBlockIndex", 0}, {"delta", {{"text", "Hi"}}}}}},
              {{"messageStop", {{"stopReason", "end_turn"}}}},
              {{"metadata", {{"usage", usage}, {"metrics", {{"latencyMs", 7}}}}}}};
  w.usage_at = 3;
  return w;
}

Json cohere_usage(const Used& u) {
  return {{"billed_units", {{"input_tokens", 3}, {"output_tokens", 2}}},
          {"tokens",
           {{"input_tokens", u.input()},
            {"output_tokens", u.output()},
            {"reasoning_tokens", u.reasoning}}},
          {"cached_tokens", u.cache_read}};
}

Written cohere_v1_of(const Used& u) {
  Written w;
  w.whole = {{"text", "Hi"},
             {"generation_id", "g1"},
             {"finish_reason", "COMPLETE"},
             {"meta", cohere_usage(u)}};
  w.stream = {{{"is_finished", false}, {"event_type", "stream-start"}, {"generation_id", "g1"}},
              {{"is_finished", false}, {"event_type", "text-generation"}, {"text", "Hi"}},
              {{"is_finished", true},
               {"event_type", "stream-end"},
               {"finish_reason", "COMPLETE"},
               {"response", w.whole}}};
  w.usage_at = 2;
  return w;
}

Written cohere_v2_of(const Used& u) {
  Written w;
  w.whole = {
      {"id", "c1"},
      {"finish_reason", "COMPLETE"},
      {"message", {{"role", "assistant"}, {"content", {{{"type", "text"}, {"text", "Hi"}}}}}},
      {"usage", cohere_usage(u)}};
  w.stream = {
      {{"type", "message-start"}, {"id", "c1"}, {"delta", {{"message", {{"role", "assistant"}}}}}},
      {{"type", "content-delta"},
       {"index", 0},
       {"delta", {{"message", {{"content", {{"text", "Hi"}}}}}}}},
      {{"type", "message-end"},
       {"delta", {{"finish_reason", "COMPLETE"}, {"usage", cohere_usage(u)}}}}};
  w.usage_at = 2;
  return w;
}

Written ollama_of(const Used& u) {
  Written w;
  const auto line = [](const char* text, bool done) {
    return Json{{"model", "m-1"},
                {"created_at", "2026-05-28T10:00:00Z"},
                {"message", {{"role", "assistant"}, {"content", text}}},
                {"done", done}};
  };
  w.whole = line("Hi", true);
  w.whole["done_reason"] = "stop";
  w.whole["prompt_eval_count"] = u.input();
  w.whole["eval_count"] = u.output();
  w.stream = {line("H", false), line("i", false), w.whole};
  w.usage_at = 2;
  return w;
}

Written tgi_of(const Used& u) {
  Written w;
  const Json details = {
      {"finish_reason", "length"}, {"generated_tokens", u.output()}, {"input_length", u.input()}};
  w.whole = {{"generated_text", "Hi"}, {"details", details}};
  w.stream = {{{"index", 1},
               {"token", {{"id", 1}, {"text", "H"}}},
               {"generated_text", nullptr},
               {"details", nullptr}},
              {{"index", 2},
               {"token", {{"id", 2}, {"text", "i"}}},
               {"generated_text", "Hi"},
               {"details", details}}};
  w.usage_at = 1;
  return w;
}

// Every event states all so far.
Written sglang_of(const Used& u) {
  const auto answer = [&](const char* text, uint64_t output, Json finish) {
    return Json{{"text", text},
                {"output_ids", {1}},
                {"meta_info",
                 {{"id", "s-1"},
                  {"finish_reason", std::move(finish)},
                  {"prompt_tokens", u.input()},
                  {"completion_tokens", output},
                  {"cached_tokens", u.cache_read},
                  {"reasoning_tokens", std::min(output, u.reasoning)}}}};
  };
  const Json finish = {{"type", "length"}, {"length", 8}};
  Written w;
  w.whole = answer("Hi", u.output(), finish);
  w.stream = {answer("H", u.output() / 2, nullptr), answer("Hi", u.output(), finish)};
  return w;
}

Written dashscope_of(const Used& u) {
  const auto answer = [&](const char* text, uint64_t output, const char* finish) {
    return Json{
        {"request_id", "r-1"},
        {"output",
         {{"choices",
           {{{"finish_reason", finish},
             {"message", {{"role", "assistant"}, {"content", text}}}}}}}},
        {"usage",
         {{"input_tokens", u.input()},
          {"output_tokens", output},
          {"total_tokens", u.input() + output},
          {"prompt_tokens_details",
           {{"cached_tokens", u.cache_read}, {"cache_creation_input_tokens", u.cache_write_5m}}},
          {"input_tokens_details", {{"audio_tokens", u.input_audio}}},
          {"output_tokens_details", {{"reasoning_tokens", std::min(output, u.reasoning)}}}}}};
  };
  Written w;
  w.whole = answer("Hi", u.output(), "stop");
  w.stream = {answer("H", u.output() / 2, "null"), answer("i", u.output(), "stop")};
  return w;
}

Written llamacpp_of(const Used& u) {
  Written w;
  w.whole = {{"model", "m-1"},
             {"content", "Hi"},
             {"stop", true},
             {"stop_type", "eos"},
             {"tokens_evaluated", u.input()},
             {"tokens_predicted", u.output()},
             {"timings", {{"cache_n", u.cache_read}}}};
  Json last = w.whole;
  last["content"] = "";
  w.stream = {{{"content", "H"}, {"stop", false}}, {{"content", "i"}, {"stop", false}}, last};
  w.usage_at = 2;
  return w;
}

Written embeddings_of(const Used& u) {
  Written w;
  w.whole = {{"object", "list"},
             {"model", "m-1"},
             {"data", {{{"object", "embedding"}, {"index", 0}, {"embedding", {0.5, 0.25}}}}},
             {"usage", {{"prompt_tokens", u.input()}, {"total_tokens", u.input()}}}};
  return w;
}

Written transcription_of(const Used& u) {
  const Json usage = {{"type", "tokens"},
                      {"total_tokens", u.input() + u.output()},
                      {"input_tokens", u.input()},
                      {"input_token_details", {{"audio_tokens", u.input_audio}}},
                      {"output_tokens", u.output()}};
  Written w;
  w.whole = {{"text", "hello"}, {"usage", usage}};
  w.stream = {{{"type", "transcript.text.delta"}, {"delta", "hel"}},
              {{"type", "transcript.text.done"}, {"text", "hello"}, {"usage", usage}}};
  w.usage_at = 1;
  return w;
}

Written images_of(const Used& u) {
  const Json usage = {{"total_tokens", u.input() + u.output()},
                      {"input_tokens", u.input()},
                      {"output_tokens", u.output()},
                      {"input_tokens_details", {{"text_tokens", u.text}, {"image_tokens", 0}}}};
  Written w;
  w.whole = {{"created", 1}, {"data", {{{"b64_json", "aGk="}}}}, {"usage", usage}};
  w.stream = {{{"type", "image_generation.partial_image"}, {"b64_json", "aA=="}},
              {{"type", "image_generation.completed"}, {"b64_json", "aGk="}, {"usage", usage}}};
  w.usage_at = 1;
  return w;
}

// The numbers of each event are its own.
Written triton_of(const Used& u) {
  const auto part = [&](const char* text, uint64_t output) {
    return Json{{"model_name", "m-1"},
                {"model_version", "1"},
                {"text_output", text},
                {"num_input_tokens", u.input()},
                {"num_output_tokens", output}};
  };
  Written w;
  w.whole = part("Hi", u.output());
  w.stream = {part("H", u.output() / 3), part("i", u.output() - u.output() / 3)};
  w.usage_at = 1;
  return w;
}

Written lmstudio_of(const Used& u) {
  Written w;
  w.whole = {{"model_instance_id", "m-1"},
             {"output", {{{"type", "message"}, {"content", "Hi"}}}},
             {"stats",
              {{"input_tokens", u.input()},
               {"total_output_tokens", u.output()},
               {"reasoning_output_tokens", u.reasoning}}}};
  w.stream = {{{"type", "chat.start"}, {"model_instance_id", "m-1"}},
              {{"type", "message.delta"}, {"content", "Hi"}},
              {{"type", "chat.end"}, {"result", w.whole}}};
  w.usage_at = 2;
  return w;
}

Written conversations_of(const Used& u) {
  const Json usage = {{"prompt_tokens", u.input() - u.tool_prompt},
                      {"completion_tokens", u.output()},
                      {"total_tokens", u.input() + u.output()},
                      {"connector_tokens", u.tool_prompt}};
  Written w;
  w.whole = {{"object", "conversation.response"},
             {"conversation_id", "conv_1"},
             {"outputs", {{{"type", "message.output"}, {"model", "m-1"}, {"content", "Hi"}}}},
             {"usage", usage}};
  w.stream = {{{"type", "conversation.response.started"}, {"conversation_id", "conv_1"}},
              {{"type", "message.output.delta"}, {"model", "m-1"}, {"content", "Hi"}},
              {{"type", "conversation.response.done"}, {"usage", usage}}};
  w.usage_at = 2;
  return w;
}

// Nova: Converse's names, its events as members of packed ones.
Written nova_of(const Used& u) {
  const Json usage = {{"inputTokens", u.text},
                      {"outputTokens", u.output()},
                      {"totalTokens", u.input() + u.output()},
                      {"cacheReadInputTokenCount", u.cache_read},
                      {"cacheWriteInputTokenCount", u.cache_write_5m}};
  Written w;
  w.whole = {{"output", {{"message", {{"content", {{{"text", "Hi"}}}}, {"role", "assistant"}}}}},
             {"stopReason", "end_turn"},
             {"usage", usage}};
  w.stream = {{{"messageStart", {{"role", "assistant"}}}},
              {{"contentBlockDelta", {{"delta", {{"text", "Hi"}}}, {"contentBlockIndex", 0}}}},
              {{"messageStop", {{"stopReason", "end_turn"}}}},
              {{"metadata", {{"usage", usage}, {"metrics", Json::object()}}}}};
  w.usage_at = 3;
  return w;
}

// Llama on Bedrock: a running output, and the input in the first event alone.
Written llama_of(const Used& u) {
  Written w;
  w.whole = {{"generation", "Hi"},
             {"prompt_token_count", u.input()},
             {"generation_token_count", u.output()},
             {"stop_reason", "stop"}};
  w.stream = {{{"generation", "H"},
               {"prompt_token_count", u.input()},
               {"generation_token_count", 1},
               {"stop_reason", nullptr}},
              {{"generation", "i"},
               {"prompt_token_count", nullptr},
               {"generation_token_count", u.output()},
               {"stop_reason", "stop"},
               {"amazon-bedrock-invocationMetrics",
                {{"inputTokenCount", u.input()}, {"outputTokenCount", u.output()}}}}};
  w.usage_at = 1;
  return w;
}

const Json kChatRequest = {{"model", "m-1"},
                           {"stream_options", {{"include_usage", true}}},
                           {"messages", {{{"role", "user"}, {"content", "hi"}}}}};

const std::vector<Form>& forms() {
  static const std::vector<Form> kForms = {
      {.name = "openai_chat",
       .target = "/v1/chat/completions",
       .host = "api.openai.com",
       .request = kChatRequest,
       .read = true,
       .write_5m = true,
       .reasoning = true,
       .audio = true,
       .out_audio = true,
       .write = openai_chat_of,
       .spreads = true},
      {.name = "xai",
       .target = "/v1/chat/completions",
       .host = "api.x.ai",
       .request = kChatRequest,
       .read = true,
       .reasoning = true,
       .write = xai_of,
       .spreads = true},
      {.name = "perplexity",
       .target = "/chat/completions",
       .host = "api.perplexity.ai",
       .request = kChatRequest,
       .reasoning = true,
       .write = perplexity_of,
       .spreads = true},
      {.name = "deepseek",
       .target = "/chat/completions",
       .host = "api.deepseek.com",
       .request = kChatRequest,
       .read = true,
       .reasoning = true,
       .write = deepseek_of,
       .spreads = true},
      {.name = "mistral",
       .target = "/v1/chat/completions",
       .host = "api.mistral.ai",
       .request = kChatRequest,
       .read = true,
       .audio = true,
       .write = mistral_of,
       .spreads = true},
      {.name = "openai_completions",
       .target = "/v1/completions",
       .host = "api.openai.com",
       .request = {{"model", "m-1"}, {"prompt", "hi"}},
       .read = true,
       .reasoning = true,
       .write = completions_of,
       .spreads = true},
      {.name = "openai_responses",
       .target = "/v1/responses",
       .host = "api.openai.com",
       .request = {{"model", "m-1"}, {"input", "hi"}},
       .read = true,
       .reasoning = true,
       .write = responses_of},
      {.name = "anthropic_messages",
       .target = "/v1/messages",
       .host = "api.anthropic.com",
       .request = {{"model", "m-1"}, {"messages", {{{"role", "user"}, {"content", "hi"}}}}},
       .read = true,
       .write_5m = true,
       .write_1h = true,
       .reasoning = true,
       .write = anthropic_of,
       .spreads = true},
      {.name = "gemini_generate",
       .target = "/v1beta/models/m-1:generateContent",
       .host = "generativelanguage.googleapis.com",
       .request = {{"contents", {{{"parts", {{{"text", "hi"}}}}}}}},
       .read = true,
       .reasoning = true,
       .audio = true,
       .tool_prompt = true,
       .write = gemini_of,
       .stream_target = "/v1beta/models/m-1:streamGenerateContent?alt=sse"},
      {.name = "gemini_array",
       .target = "/v1beta/models/m-1:generateContent",
       .host = "generativelanguage.googleapis.com",
       .request = {{"contents", {{{"parts", {{{"text", "hi"}}}}}}}},
       .framing = Framing::kArray,
       .read = true,
       .reasoning = true,
       .write = gemini_of,
       .stream_target = "/v1beta/models/m-1:streamGenerateContent"},
      {.name = "gemini_interactions",
       .target = "/v1beta/interactions",
       .host = "generativelanguage.googleapis.com",
       .request = {{"model", "m-1"}, {"input", "hi"}},
       .read = true,
       .reasoning = true,
       .tool_prompt = true,
       .write = interactions_of},
      {.name = "bedrock_converse",
       .target = "/model/anthropic.m-1/converse",
       .host = "bedrock-runtime.us-east-1.amazonaws.com",
       .request = {{"messages", {{{"role", "user"}, {"content", {{{"text", "hi"}}}}}}}},
       .framing = Framing::kAws,
       .read = true,
       .write_5m = true,
       .write_1h = true,
       .write = converse_of,
       .stream_target = "/model/anthropic.m-1/converse-stream",
       .spreads = true},
      {.name = "bedrock_invoke",
       .target = "/model/anthropic.m-1/invoke",
       .host = "bedrock-runtime.us-east-1.amazonaws.com",
       .request = {{"anthropic_version", "bedrock-2023-05-31"},
                   {"messages", {{{"role", "user"}, {"content", "hi"}}}}},
       .framing = Framing::kPackedAws,
       .read = true,
       .write_5m = true,
       .write_1h = true,
       .reasoning = true,
       .write = anthropic_of,
       .stream_target = "/model/anthropic.m-1/invoke-with-response-stream",
       .spreads = true},
      {.name = "cohere_v1",
       .target = "/v1/chat",
       .host = "api.cohere.com",
       .request = {{"model", "m-1"}, {"message", "hi"}},
       .framing = Framing::kLines,
       .read = true,
       .reasoning = true,
       .write = cohere_v1_of},
      {.name = "cohere_v2",
       .target = "/v2/chat",
       .host = "api.cohere.com",
       .request = {{"model", "m-1"}, {"messages", {{{"role", "user"}, {"content", "hi"}}}}},
       .read = true,
       .reasoning = true,
       .write = cohere_v2_of},
      {.name = "ollama",
       .target = "/api/chat",
       .host = "localhost:11434",
       .request = {{"model", "m-1"}, {"messages", {{{"role", "user"}, {"content", "hi"}}}}},
       .framing = Framing::kLines,
       .write = ollama_of},
      {.name = "tgi",
       .target = "/generate",
       .host = "tgi.internal",
       .request = {{"inputs", "hi"}},
       .write = tgi_of,
       .stream_target = "/generate_stream"},
      {.name = "sglang",
       .target = "/generate",
       .host = "sglang.internal",
       .request = {{"text", "hi"}, {"sampling_params", {{"n", 1}}}},
       .read = true,
       .reasoning = true,
       .write = sglang_of},
      {.name = "dashscope",
       .target = "/api/v1/services/aigc/text-generation/generation",
       .host = "dashscope-intl.aliyuncs.com",
       .request = {{"model", "m-1"}, {"input", {{"prompt", "hi"}}}},
       .read = true,
       .write_5m = true,
       .reasoning = true,
       .audio = true,
       .write = dashscope_of},
      {.name = "llamacpp",
       .target = "/completion",
       .host = "llama.internal",
       .request = {{"prompt", "hi"}},
       .read = true,
       .write = llamacpp_of},
      {.name = "openai_images",
       .target = "/v1/images/generations",
       .host = "api.openai.com",
       .request = {{"model", "m-1"}, {"prompt", "a cat"}},
       .write = images_of},
      {.name = "triton",
       .target = "/v2/models/m-1/generate",
       .host = "triton.internal",
       .request = {{"text_input", "hi"}},
       .write = triton_of,
       .stream_target = "/v2/models/m-1/generate_stream"},
      {.name = "lmstudio",
       .target = "/api/v1/chat",
       .host = "127.0.0.1:1234",
       .request = {{"model", "m-1"}, {"input", "hi"}},
       .reasoning = true,
       .write = lmstudio_of},
      {.name = "mistral_conversations",
       .target = "/v1/conversations",
       .host = "api.mistral.ai",
       .request = {{"model", "m-1"}, {"inputs", "hi"}},
       .tool_prompt = true,
       .write = conversations_of},
      {.name = "bedrock_nova",
       .target = "/model/amazon.nova-pro-v1%3A0/invoke",
       .host = "bedrock-runtime.us-east-1.amazonaws.com",
       .request = {{"messages", {{{"role", "user"}, {"content", {{{"text", "hi"}}}}}}}},
       .framing = Framing::kPackedAws,
       .read = true,
       .write_5m = true,
       .write = nova_of,
       .stream_target = "/model/amazon.nova-pro-v1%3A0/invoke-with-response-stream"},
      {.name = "bedrock_llama",
       .target = "/model/meta.llama3-70b-instruct-v1%3A0/invoke",
       .host = "bedrock-runtime.us-east-1.amazonaws.com",
       .request = {{"prompt", "hi"}},
       .framing = Framing::kPackedAws,
       .write = llama_of,
       .stream_target = "/model/meta.llama3-70b-instruct-v1%3A0/invoke-with-response-stream"},
      {.name = "openai_embeddings",
       .target = "/v1/embeddings",
       .host = "api.openai.com",
       .request = {{"model", "m-1"}, {"input", "hi"}},
       .write = embeddings_of,
       .streams = false},
      {.name = "openai_audio",
       .target = "/v1/audio/transcriptions",
       .host = "api.openai.com",
       .request = {{"model", "m-1"}, {"file", "…"}},
       .audio = true,
       .write = transcription_of},
  };
  return kForms;
}

// --- playing them --------------------------------------------------------------------------------

Used any_use(const Form& form, Random& random) {
  const auto some = [&](bool has) -> uint64_t {
    if (!has) return 0;
    return random() % 4 == 0 ? 0 : 1 + random() % 3'000;
  };
  Used u;
  u.text = 1 + random() % 100'000;
  u.visible = form.streams || form.name == std::string("openai_audio") ? 1 + random() % 5'000 : 0;
  u.cache_read = some(form.read);
  u.cache_write_5m = some(form.write_5m);
  u.cache_write_1h = some(form.write_1h);
  u.reasoning = some(form.reasoning);
  u.input_audio = some(form.audio);
  u.output_audio = some(form.out_audio);
  u.tool_prompt = some(form.tool_prompt);
  return u;
}

// Members in another order, at every depth.
Json shuffled(const Json& value, Random& random) {
  if (value.is_array()) {
    Json list = Json::array();
    for (const Json& element : value) list.push_back(shuffled(element, random));
    return list;
  }
  if (!value.is_object()) return value;
  std::vector<std::string> names;
  for (const auto& [name, member] : value.items()) names.push_back(name);
  std::shuffle(names.begin(), names.end(), random);
  Json object = Json::object();
  for (const std::string& name : names) object[name] = shuffled(value[name], random);
  return object;
}

std::string big_endian(uint32_t n) {
  return {static_cast<char>(n >> 24), static_cast<char>(n >> 16), static_cast<char>(n >> 8),
          static_cast<char>(n)};
}
std::string crc_of(const std::string& bytes) {
  return big_endian(static_cast<uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size()))));
}
std::string aws_message(const std::string& type, const std::string& payload) {
  const auto header = [](const std::string& name, const std::string& value) {
    return std::string(1, static_cast<char>(name.size())) + name + '\x07' +
           std::string(1, static_cast<char>(value.size() >> 8)) +
           static_cast<char>(value.size() & 255) + value;
  };
  const std::string headers = header(":event-type", type) + header(":message-type", "event");
  std::string bytes = big_endian(static_cast<uint32_t>(headers.size() + payload.size() + 16)) +
                      big_endian(static_cast<uint32_t>(headers.size()));
  bytes += crc_of(bytes);
  bytes += headers + payload;
  return bytes + crc_of(bytes);
}
std::string base64(const std::string& bytes) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; ++k) {
      bits = bits << 8 | (i + k < bytes.size() ? static_cast<uint8_t>(bytes[i + k]) : 0u);
    }
    for (size_t k = 0; k < 4; ++k) {
      text += i + k <= bytes.size() ? kDigits[bits >> (18 - 6 * k) & 63] : '=';
    }
  }
  return text;
}

// One document as an event of its framing.
std::string framed(const Form& form, const Json& document, bool first) {
  switch (form.framing) {
    case Framing::kEvents: {
      const Json& type = document.contains("type") ? document["type"] : Json();
      return type.is_string() ? named_frame(type.get<std::string>(), document.dump())
                              : frame(document.dump());
    }
    case Framing::kLines:
      return document.dump() + "\n";
    case Framing::kArray:
      return (first ? "[" : ",\r\n") + document.dump();
    case Framing::kAws:
      return aws_message(document.begin().key(), document.begin().value().dump());
    case Framing::kPackedAws:
      return aws_message("chunk", Json{{"bytes", base64(document.dump())}, {"p", "abc"}}.dump());
  }
  return {};
}

std::string content_type(const Form& form) {
  switch (form.framing) {
    case Framing::kEvents:
      return "text/event-stream";
    case Framing::kLines:
      return form.name == std::string("ollama") ? "application/x-ndjson"
                                                : "application/stream+json";
    case Framing::kArray:
      return "application/json";
    case Framing::kAws:
    case Framing::kPackedAws:
      return "application/vnd.amazon.eventstream";
  }
  return {};
}

UsageRecord record_of(const Dialogue& dialogue, uint32_t seed) {
  KeepingSink sink;
  NoCredentials credentials;
  LlmRoom room(Limits{}, 0, credentials, sink);
  dialogue.play(room, ExchangeId{1},
                seed % 2 == 0 ? Dialogue::Cuts::kWhole : Dialogue::Cuts::kRandom, seed);
  EXPECT_EQ(sink.records.size(), 1u);
  return sink.records.empty() ? UsageRecord{} : sink.records[0];
}

UsageRecord whole_record(const Form& form, const Json& answer, uint32_t seed) {
  Dialogue dialogue(form.target, form.request.dump());
  dialogue.host(form.host).json(answer.dump());
  return record_of(dialogue, seed);
}

std::string stream_body(const Form& form, const std::vector<Json>& documents) {
  std::string body;
  for (size_t i = 0; i < documents.size(); ++i) body += framed(form, documents[i], i == 0);
  if (form.framing == Framing::kArray) body += "]";
  return body;
}

UsageRecord stream_record(const Form& form, const std::vector<Json>& documents, uint32_t seed) {
  Json request = form.request;
  if (form.stream_target == nullptr) request["stream"] = true;
  Dialogue dialogue(form.stream_target != nullptr ? form.stream_target : form.target,
                    request.dump());
  dialogue.host(form.host).answer(200, content_type(form), stream_body(form, documents));
  return record_of(dialogue, seed);
}

// Without what only one of a stream and its twin has.
std::string said(UsageRecord record) {
  record.stream = false;
  return summary(record);
}

class Property : public testing::TestWithParam<size_t> {
 protected:
  const Form& form() const { return forms()[GetParam()]; }
  static constexpr uint32_t kRounds = 60;
};

// Of those that stream; and of those whose usage may be more than one event's.
class StreamProperty : public Property {};
class SpreadProperty : public Property {};

TEST_P(Property, KindsAddUpToTheProvidersTotal) {
  for (uint32_t round = 0; round < kRounds; ++round) {
    Random random(round + 1);
    const Used u = any_use(form(), random);
    const Written w = form().write(u);
    for (const bool streamed : {false, true}) {
      if (streamed && !form().streams) continue;
      const UsageRecord r =
          streamed ? stream_record(form(), w.stream, round) : whole_record(form(), w.whole, round);
      SCOPED_TRACE(std::string(form().name) + " " + std::to_string(round) +
                   (streamed ? " streamed " : " whole ") + summary(r));
      const TokenCounts& t = r.tokens;
      ASSERT_EQ(t.input, u.input());
      EXPECT_EQ(t.output.value_or(0), u.output());
      EXPECT_EQ(t.input_source, UsageSource::kReported);
      EXPECT_FALSE(r.flags.has(RecordFlag::kUsageMalformed));
      // Each kind is as stated, so that what is left of the whole is the kind that nobody states.
      const auto part = [](const std::optional<uint64_t>& stated) { return stated.value_or(0); };
      EXPECT_EQ(part(t.cache_read), u.cache_read);
      EXPECT_EQ(part(t.cache_write_5m), u.cache_write_5m);
      EXPECT_EQ(part(t.cache_write_1h), u.cache_write_1h);
      EXPECT_EQ(part(t.input_audio), u.input_audio);
      EXPECT_EQ(part(t.reasoning), u.reasoning);
      EXPECT_EQ(part(t.output_audio), u.output_audio);
      const uint64_t input_parts = part(t.cache_read) + part(t.cache_write_5m) +
                                   part(t.cache_write_1h) + part(t.input_audio);
      EXPECT_EQ(*t.input - input_parts, u.text + u.tool_prompt);
      EXPECT_EQ(part(t.output) - part(t.reasoning) - part(t.output_audio), u.visible);
    }
  }
}

TEST_P(StreamProperty, AStreamSaysWhatItsTwinInOnePieceSays) {
  for (uint32_t round = 0; round < kRounds; ++round) {
    Random random(round + 1000);
    const Written w = form().write(any_use(form(), random));
    const UsageRecord stream = stream_record(form(), w.stream, round);
    EXPECT_TRUE(stream.stream) << form().name;
    EXPECT_EQ(said(stream), said(whole_record(form(), w.whole, round))) << form().name;
  }
}

TEST_P(Property, TheOrderOfMembersSaysNothing) {
  for (uint32_t round = 0; round < kRounds; ++round) {
    Random random(round + 2000);
    const Written w = form().write(any_use(form(), random));
    EXPECT_EQ(summary(whole_record(form(), shuffled(w.whole, random), round)),
              summary(whole_record(form(), w.whole, round)))
        << form().name;
    if (!form().streams) continue;
    std::vector<Json> stream;
    for (const Json& document : w.stream) stream.push_back(shuffled(document, random));
    EXPECT_EQ(summary(stream_record(form(), stream, round)),
              summary(stream_record(form(), w.stream, round)))
        << form().name;
  }
}

// Each leaf of the usage goes to one of the events, the last one's place or one before it.
TEST_P(SpreadProperty, UsageSplitOverAnyEventsMergesToTheSame) {
  for (uint32_t round = 0; round < kRounds; ++round) {
    Random random(round + 3000);
    const Written w = form().write(any_use(form(), random));
    const Json& carrier = w.stream[w.usage_at];
    const bool aws = form().framing == Framing::kAws;
    const Json usage = aws ? carrier.begin().value()["usage"] : carrier["usage"];
    std::vector<Json> stream(w.stream.begin(),
                             w.stream.begin() + static_cast<std::ptrdiff_t>(w.usage_at));
    const size_t parts = 1 + random() % 4;
    std::vector<Json> shares(parts, Json::object());
    const Json leaves = usage.flatten();
    for (const auto& [pointer, leaf] : leaves.items()) {
      // A list is one thing, and so is a detail of it.
      const std::string name = pointer.substr(1, pointer.find('/', 1) - 1);
      if (usage[name].is_array()) continue;
      shares[random() % parts][Json::json_pointer(pointer)] = leaf;
    }
    for (const auto& [name, member] : usage.items()) {
      if (member.is_array()) shares[random() % parts][name] = member;
    }
    for (const Json& share : shares) {
      Json event = carrier;
      (aws ? event.begin().value() : event)["usage"] = share;
      stream.push_back(event);
    }
    stream.insert(stream.end(), w.stream.begin() + static_cast<std::ptrdiff_t>(w.usage_at) + 1,
                  w.stream.end());
    EXPECT_EQ(summary(stream_record(form(), stream, round)),
              summary(stream_record(form(), w.stream, round)))
        << form().name << " in " << Json(shares).dump();
  }
}

// --- joined in the middle
// -------------------------------------------------------------------------

// HTTP/2 with both heads lost: a call is found by its bodies, with what they say and nothing else.
// Those whose bodies could be anybody's are left out.
TEST_P(Property, WithBothHeadsUnknownTheBodiesTellOrThereIsNoRecord) {
  const std::set<std::string> anybodys = {
      "gemini_array",  "tgi",    "llamacpp", "openai_audio",
      "openai_images", "triton", "lmstudio", "mistral_conversations",
      "bedrock_llama", "sglang"};
  for (uint32_t round = 0; round < 12; ++round) {
    Random random(round + 5000);
    const Written w = form().write(any_use(form(), random));
    for (const bool streamed : {false, true}) {
      if (streamed && !form().streams) continue;
      Json request = form().request;
      if (streamed && form().stream_target == nullptr) request["stream"] = true;
      Dialogue dialogue(form().target, request.dump());
      dialogue.answer(200, "", streamed ? stream_body(form(), w.stream) : w.whole.dump())
          .heads_unknown();
      KeepingSink sink;
      NoCredentials credentials;
      LlmRoom room(Limits{}, 0, credentials, sink);
      dialogue.play(room, ExchangeId{1}, Dialogue::Cuts::kRandom, round);
      SCOPED_TRACE(std::string(form().name) + (streamed ? " streamed" : " whole"));
      ASSERT_LE(sink.records.size(), 1u);
      if (sink.records.empty()) {
        EXPECT_TRUE(anybodys.contains(form().name));
        continue;
      }
      const UsageRecord& found = sink.records[0];
      const UsageRecord seen =
          streamed ? stream_record(form(), w.stream, round) : whole_record(form(), w.whole, round);
      SCOPED_TRACE(summary(found));
      EXPECT_TRUE(found.flags.has(RecordFlag::kH2HeadersUnknown));
      // In one piece InvokeModel's answer is the model's own: Anthropic's, or like Converse's.
      const bool handed_on = seen.dialect == Dialect::kBedrockInvoke && !streamed;
      EXPECT_TRUE(handed_on || found.dialect == seen.dialect);
      EXPECT_EQ(found.tokens.input, seen.tokens.input);
      EXPECT_EQ(found.tokens.output, seen.tokens.output);
      EXPECT_EQ(found.tokens.cache_read, seen.tokens.cache_read);
      EXPECT_TRUE(found.path.empty());
      EXPECT_FALSE(found.status_code.has_value());
    }
  }
}

// --- streams that were cut
// ------------------------------------------------------------------------

// Cut after every event: what is stated then is said, as far as it is stated, and what is a
// placeholder never.
TEST_P(StreamProperty, AStreamCutAfterAnyEventSaysNothingWrong) {
  for (uint32_t round = 0; round < 12; ++round) {
    Random random(round + 4000);
    const Used u = any_use(form(), random);
    const Written w = form().write(u);
    Json request = form().request;
    if (form().stream_target == nullptr) request["stream"] = true;
    for (size_t events = 0; events < w.stream.size(); ++events) {
      std::string body;
      for (size_t i = 0; i < events; ++i) body += framed(form(), w.stream[i], i == 0);
      Dialogue dialogue(form().stream_target != nullptr ? form().stream_target : form().target,
                        request.dump());
      dialogue.host(form().host)
          .answer(200, content_type(form()), body)
          .cut(ExchangeOutcome::kClientClosed);
      KeepingSink sink;
      NoCredentials credentials;
      LlmRoom room(Limits{}, 0, credentials, sink);
      dialogue.play(room, ExchangeId{1}, Dialogue::Cuts::kWhole, 0);
      if (sink.records.empty()) continue;  // what is not yet proven to be a call
      const UsageRecord& r = sink.records[0];
      SCOPED_TRACE(std::string(form().name) + " after " + std::to_string(events) + " " +
                   summary(r));
      const bool usage_seen = events > w.usage_at;
      // Running totals are counted as far as they go.
      const bool counted = r.dialect == Dialect::kTgi || r.dialect == Dialect::kGeminiGenerate ||
                           r.dialect == Dialect::kTriton ||
                           form().name == std::string("bedrock_llama");
      if (!usage_seen && counted) {
        EXPECT_NE(r.tokens.output_source, UsageSource::kReported);
      } else if (!usage_seen) {
        EXPECT_FALSE(r.tokens.output.has_value());
        // Transcriptions may be billed by the second.
        const bool by_tokens =
            r.dialect != Dialect::kOpenaiAudio && r.dialect != Dialect::kOpenaiImages;
        EXPECT_EQ(r.usage_missing, by_tokens ? UsageMissing::kAborted : UsageMissing::kNot);
      }
      const bool anthropic = r.response_id.view().starts_with("msg_");
      if (anthropic) {  // stated at the beginning
        EXPECT_EQ(r.tokens.input, u.input());
        EXPECT_EQ(r.tokens.input_source, UsageSource::kReported);
      }
      if (events > 0) {
        ASSERT_TRUE(r.words.content_events.has_value());
        EXPECT_LE(*r.words.content_events, events);
      }
    }
  }
}

std::vector<size_t> places_of(bool Form::*which) {
  std::vector<size_t> places;
  for (size_t i = 0; i < forms().size(); ++i) {
    if (which == nullptr || forms()[i].*which) places.push_back(i);
  }
  return places;
}
std::string name_of(const testing::TestParamInfo<size_t>& one) { return forms()[one.param].name; }

INSTANTIATE_TEST_SUITE_P(EveryDialect, Property, testing::ValuesIn(places_of(nullptr)), name_of);
INSTANTIATE_TEST_SUITE_P(EveryDialect, StreamProperty, testing::ValuesIn(places_of(&Form::streams)),
                         name_of);
INSTANTIATE_TEST_SUITE_P(EveryDialect, SpreadProperty, testing::ValuesIn(places_of(&Form::spreads)),
                         name_of);

}  // namespace
}  // namespace wiretally::llm
