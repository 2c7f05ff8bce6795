// Bedrock InvokeModel: the body is the model's own, and so are its events in an AWS event stream
// (kind `chunk`, packed as base64 into {"bytes":…,"p":padding}).
//
//   Claude           Anthropic Messages, whole or as its events
//   Titan            inputTextTokenCount, results[].tokenCount; streams totalOutputTextTokenCount
//   Nova             Converse's names, its events as members
//   Llama            prompt_token_count, generation_token_count
//   OpenAI, AI21, …  chat completions
//   Cohere           its own version 1, without its counts
//   images           priced by the image
//   others           the headers x-amzn-bedrock-input-token-count … alone
//
// The last event of a stream repeats the numbers as amazon-bedrock-invocationMetrics, whose input
// leaves the cache out; each counts only where the model does not state it. So do the headers.
#include <vector>

#include "dialect_table.h"
#include "dialects/anthropic_shape.h"
#include "dialects/openai_shape.h"
#include "target.h"

namespace wiretally::llm {
namespace {

constexpr std::string_view kPathTails[] = {"/invoke", "/invoke-with-response-stream"};

constexpr RequestPath kRequest[] = {
    {"messages", RequestSlot::kPrompt},
    {"prompt", RequestSlot::kPrompt},
    {"inputText", RequestSlot::kPrompt},
    {"texts", RequestSlot::kPrompt},
    {"query", RequestSlot::kPrompt},
    {"message", RequestSlot::kPrompt},
    {"anthropic_version", RequestSlot::kPrompt},
    {"taskType", RequestSlot::kPrompt},
    {"inputs", RequestSlot::kPrompt},
    {"tools[].type", RequestSlot::kServerTool},
    {"messages[].content[].type", RequestSlot::kPartType},
    {"messages[].content[].content[].type", RequestSlot::kPartType},
    {"messages[].content[].image", RequestSlot::kNotText},
    {"messages[].content[].video", RequestSlot::kNotText},
    {"images", RequestSlot::kNotText},
    {"inputImage", RequestSlot::kNotText},
};

#define WIRETALLY_NOVA_USAGE(root)                                                            \
  {root ".inputTokens", AnswerSlot::kUsageNumber, UsageField::kInput},                        \
      {root ".outputTokens", AnswerSlot::kUsageNumber, UsageField::kOutput},                  \
      {root ".cacheReadInputTokenCount", AnswerSlot::kUsageNumber, UsageField::kCacheRead}, { \
    root ".cacheWriteInputTokenCount", AnswerSlot::kUsageNumber, UsageField::kCacheWrite      \
  }

constexpr AnswerPath kNative[] = {
    {"inputTextTokenCount", AnswerSlot::kUsageNumber, UsageField::kInput},
    {"results[].tokenCount", AnswerSlot::kUsageAddend, UsageField::kOutput},
    {"results[].completionReason", AnswerSlot::kFinishReason},
    {"totalOutputTextTokenCount", AnswerSlot::kUsageNumber, UsageField::kOutput},
    {"completionReason", AnswerSlot::kFinishReason},
    visible_text("outputText", AnswerSlot::kContent),
    {"prompt_token_count", AnswerSlot::kUsageNumber, UsageField::kInput},
    {"generation_token_count", AnswerSlot::kUsageNumber, UsageField::kOutput},
    visible_text("generation", AnswerSlot::kContent),
    visible_text("outputs[].text", AnswerSlot::kContent),
    {"outputs[].stop_reason", AnswerSlot::kFinishReason},
    {"generations[].finish_reason", AnswerSlot::kFinishReason},
    visible_text("generations[].text", AnswerSlot::kContent),
    visible_text("completion", AnswerSlot::kContent),  // Claude before Messages
    {"finish_reason", AnswerSlot::kFinishReason},
    {"text", AnswerSlot::kContent},
    {"stopReason", AnswerSlot::kFinishReason},
    {"completions[].finishReason.reason", AnswerSlot::kFinishReason},  // AI21 before Jamba
    {"amazon-bedrock-guardrailAction", AnswerSlot::kGuardrailAction},
    {"generation_id", AnswerSlot::kResponseId},
    {"response.generation_id", AnswerSlot::kResponseId},
    {"tool_calls[].name", AnswerSlot::kLoneToolName},
    WIRETALLY_NOVA_USAGE("usage"),
    WIRETALLY_NOVA_USAGE("metadata.usage"),
    visible_text("contentBlockDelta.delta.text", AnswerSlot::kContent),
    {"contentBlockDelta.delta.toolUse.input", AnswerSlot::kContent},
    {"messageStop.stopReason", AnswerSlot::kFinishReason},
    {"output.message.content[].toolUse.name", AnswerSlot::kLoneToolName},
    {"contentBlockStart.start.toolUse.name", AnswerSlot::kLoneToolName},
    {"choices", AnswerSlot::kChoices},
    visible_text("choices[].delta.content", AnswerSlot::kContent),
    visible_text("choices[].text", AnswerSlot::kContent),
    {"choices[].finish_reason", AnswerSlot::kFinishReason},
    // Mistral's reason; beside a finish reason, the token or the text that the model stopped at.
    {"choices[].stop_reason", AnswerSlot::kSpareFinishReason},
    {"choices[]", AnswerSlot::kChoice},
    {"choices[].index", AnswerSlot::kToolChoice},
    {"choices[].delta.tool_calls[]", AnswerSlot::kToolItem},
    {"choices[].delta.tool_calls[].index", AnswerSlot::kToolIndex},
    {"choices[].delta.tool_calls[].id", AnswerSlot::kToolId},
    {"choices[].delta.tool_calls[].function.name", AnswerSlot::kToolName},
    {"choices[].delta.tool_calls[].function.arguments", AnswerSlot::kContent},
    {"service_tier", AnswerSlot::kServiceTier},
    {"choices[].message.tool_calls[].function.name", AnswerSlot::kLoneToolName},
    {"usage.prompt_tokens", AnswerSlot::kUsageNumber, UsageField::kInput},
    {"usage.completion_tokens", AnswerSlot::kUsageNumber, UsageField::kOutput},
    {"usage.total_tokens", AnswerSlot::kUsageNumber, UsageField::kTotal},
    {"usage.prompt_tokens_details.cached_tokens", AnswerSlot::kUsageNumber, UsageField::kCacheRead},
    {"usage.prompt_tokens_details.cache_write_tokens", AnswerSlot::kUsageNumber,
     UsageField::kCacheWrite},
    {"usage.completion_tokens_details.reasoning_tokens", AnswerSlot::kUsageNumber,
     UsageField::kReasoning},
    {"embedding", AnswerSlot::kVector},
    {"embedding[]", AnswerSlot::kVectorNumber},
    {"embeddings[]", AnswerSlot::kVector},
    {"embeddings[][]", AnswerSlot::kVectorNumber},
    {"embeddings.float[]", AnswerSlot::kVector},
    {"embeddings.float[][]", AnswerSlot::kVectorNumber},
    {"embeddings.int8[]", AnswerSlot::kVector},
    {"embeddings.int8[][]", AnswerSlot::kVectorNumber},
    {"embeddings[].embedding", AnswerSlot::kVector},
    {"embeddings[].embedding[]", AnswerSlot::kVectorNumber},
    {"amazon-bedrock-invocationMetrics", AnswerSlot::kBody},
    {"amazon-bedrock-invocationMetrics.inputTokenCount", AnswerSlot::kSpareUsageNumber,
     UsageField::kInput},
    {"amazon-bedrock-invocationMetrics.outputTokenCount", AnswerSlot::kSpareUsageNumber,
     UsageField::kOutput},
    {"amazon-bedrock-invocationMetrics.cacheReadInputTokenCount", AnswerSlot::kSpareUsageNumber,
     UsageField::kCacheRead},
    {"amazon-bedrock-invocationMetrics.cacheWriteInputTokenCount", AnswerSlot::kSpareUsageNumber,
     UsageField::kCacheWrite},
    {"__type", AnswerSlot::kErrorType},
    {"Output.__type", AnswerSlot::kErrorType},
};

const std::vector<AnswerPath>& answer_slots() {
  static const std::vector<AnswerPath> slots = [] {
    const std::span<const AnswerPath> claude = anthropic_answer_paths();
    std::vector<AnswerPath> all(claude.begin(), claude.end());
    all.insert(all.end(), std::begin(kNative), std::end(kNative));
    return all;
  }();
  return slots;
}

Operation operation_of(std::string_view path) {
  if (path.find("embed") != path.npos) return Operation::kEmbeddings;
  for (std::string_view maker : {"nova-canvas", "titan-image", "stability."}) {
    if (path.find(maker) != path.npos) return Operation::kImageGeneration;
  }
  return path.find("rerank") != path.npos ? Operation::kRerank : Operation::kChat;
}

// An inference profile's id does not say what it does.
Operation operation_of_answer(const AnswerNotes& notes, Operation by_path) {
  return notes.vectors.any_number() ? Operation::kEmbeddings : by_path;
}

bool request_has_shape(const RequestNotes& notes, bool model_in_path) {
  return model_in_path && notes.has_prompt;
}

// Without its request an answer may be anybody's, but for the metrics.
bool answer_has_shape(const AnswerNotes& notes) { return notes.spare_usage; }

bool is_claude(std::string_view type) {
  return type == "message" || type.starts_with("message_") || type.starts_with("content_block") ||
         type == "ping" || type == "error";
}

// The document's own numbers, and those of the metrics that the model has not stated.
void take_usage(AnswerNotes& notes) {
  using F = UsageField;
  UsageSheet& metrics = notes.document.spare_usage;
  const std::optional<uint64_t> input = metrics.get(F::kInput);
  if (notes.has_choices && input.has_value()) {  // as prompt_tokens would have it
    metrics.set(F::kInput,
                *input + metrics.get_or_zero(F::kCacheRead) + metrics.get_or_zero(F::kCacheWrite));
  }
  notes.take_usage();
  if (notes.spare_usage) return;
  const bool has_writes = notes.usage.get(F::kCacheWrite5m).has_value() ||
                          notes.usage.get(F::kCacheWrite1h).has_value();
  for (F field : {F::kInput, F::kOutput, F::kCacheRead, F::kCacheWrite}) {
    const std::optional<uint64_t> value = metrics.get(field);
    const bool stated = notes.usage.get(field).has_value() || notes.usage.malformed(field) ||
                        (field == F::kCacheWrite && has_writes);
    if (value.has_value() && !stated) notes.usage.set(field, *value);
  }
}

void end_document(AnswerNotes& notes, bool is_event) {
  Document& doc = notes.document;
  if (!doc.spare_usage.empty()) notes.terminal = true;
  if (is_claude(doc.type.view())) {
    if (doc.type.view() == "message_stop") take_usage(notes);
    end_anthropic_document(notes, is_event);
    return;
  }
  take_usage(notes);
  if (doc.error || !doc.error_name.empty()) notes.fail();
}

// The cache, where the body does not state it: beside the input of the headers and of the models of
// others, inside of prompt_tokens.
void take_cache_of_headers(const TokenCounts& headers, bool has_choices, TokenCounts& tokens) {
  const bool stated = tokens.cache_read.has_value() || tokens.cache_write_5m.has_value() ||
                      tokens.cache_write_1h.has_value();
  const uint64_t cached = headers.cache_read.value_or(0) + headers.cache_write_5m.value_or(0);
  if (stated || !tokens.input.has_value()) return;
  if (has_choices && cached > *tokens.input) return;
  tokens.cache_read = headers.cache_read;
  tokens.cache_write_5m = headers.cache_write_5m;
  if (!has_choices && cached > 0) tokens.input = headers.input.value_or(*tokens.input + cached);
}

void normalise(const AnswerNotes& notes, const UsageContext& context, UsageRecord& record) {
  if (notes.intervened) record.finish_reason = FinishReason::kContentFilter;
  if (!notes.has_usage) return;
  TokenCounts& tokens = record.tokens;
  const TokenCounts by_headers = tokens;
  tokens = {};
  if (notes.has_choices) {
    normalise_openai_answer(notes, context, record);
  } else {
    normalise_anthropic_answer(notes, context, record);
  }
  take_cache_of_headers(by_headers, notes.has_choices, tokens);
  // Each number that the body leaves out.
  if (!tokens.input.has_value()) {
    tokens.input = by_headers.input;
    tokens.input_source = by_headers.input_source;
  }
  if (!tokens.output.has_value()) {
    tokens.output = by_headers.output;
    tokens.output_source = by_headers.output_source;
  }
}

}  // namespace

const DialectSpec& bedrock_invoke() {
  static const PathSet answer_paths = paths_of(std::span<const AnswerPath>(answer_slots()));
  static const DialectSpec spec{
      .dialect = Dialect::kBedrockInvoke,
      .operation = Operation::kChat,
      .path_tails = kPathTails,
      .path_fits = names_bedrock_model,
      .operation_of = operation_of,
      .operation_of_answer = operation_of_answer,
      .is_packed = true,
      .prompt_is_body = true,
      .request_paths = path_set<kRequest>(),
      .request_slots = kRequest,
      .answer_paths = &answer_paths,
      .answer_slots = answer_slots(),
      .request_has_shape = request_has_shape,
      .answer_has_shape = answer_has_shape,
      .end_document = end_document,
      .normalise = normalise,
  };
  return spec;
}

}  // namespace wiretally::llm
