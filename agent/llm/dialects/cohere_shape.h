// What both versions of Cohere's API share.
#pragma once

#include "dialect.h"
#include "dialects/stated_cost.h"

namespace wiretally::llm {

// The rows of an object that holds `billed_units`, `tokens` and `cached_tokens`.
#define WIRETALLY_COHERE_USAGE(root)                                                               \
  {root, AnswerSlot::kUsage},                                                                      \
      {root ".tokens.input_tokens", AnswerSlot::kUsageNumber, UsageField::kInput},                 \
      {root ".tokens.output_tokens", AnswerSlot::kUsageNumber, UsageField::kOutput},               \
      {root ".tokens.image_tokens", AnswerSlot::kUsageNumber, UsageField::kInputImage},            \
      {root ".tokens.reasoning_tokens", AnswerSlot::kUsageNumber, UsageField::kReasoning},         \
      {root ".cached_tokens", AnswerSlot::kUsageNumber, UsageField::kCacheRead},                   \
      {root ".billed_units.input_tokens", AnswerSlot::kUsageNumber, UsageField::kBilledInput},     \
      {root ".billed_units.output_tokens", AnswerSlot::kUsageNumber, UsageField::kBilledOutput}, { \
    root ".billed_units.search_units", AnswerSlot::kUsageNumber, UsageField::kServerTools          \
  }

// The rows of embeddings and reranks, which are those of both versions, and of others that speak
// them: OpenRouter, Jina and vLLM state a `usage` of their own.
#define WIRETALLY_COHERE_LISTS                                                    \
  {"model", AnswerSlot::kModel}, {"embeddings", AnswerSlot::kBody},               \
      {"results", AnswerSlot::kBody}, WIRETALLY_COHERE_USAGE("meta"),             \
      WIRETALLY_STATED_COST("usage"),                                             \
      {"usage.search_units", AnswerSlot::kUsageNumber, UsageField::kServerTools}, \
      {"usage.total_tokens", AnswerSlot::kUsageNumber, UsageField::kTotal}, {     \
    "error_type", AnswerSlot::kErrorType                                          \
  }

// Numbers and sources; searches of a rerank are the record's server-side requests.
inline void normalise_cohere_answer(const AnswerNotes& notes, const UsageContext& context,
                                    UsageRecord& record) {
  if (!notes.has_usage) return;
  TokenCounts& tokens = record.tokens;
  record.server_tool_requests = notes.usage.get(UsageField::kServerTools);
  normalise_cohere(notes.usage, tokens, record.flags);
  note_sources(context, tokens);
}

// Everybody's chats have a model and messages: only what Cohere alone has proves one.
inline bool cohere_request_has_shape(const RequestNotes& notes, bool /*model_in_path*/) {
  return !notes.model.empty() && notes.has_prompt;
}

inline bool cohere_answer_has_shape(const AnswerNotes& notes) {
  const bool billed = notes.usage.get(UsageField::kBilledInput).has_value() ||
                      notes.usage.get(UsageField::kBilledOutput).has_value() ||
                      notes.usage.get(UsageField::kServerTools).has_value() ||
                      notes.usage.get(UsageField::kTotal).has_value();
  return notes.type_known || (notes.has_body && billed);
}

// An embedding or a rerank charges no output.
inline bool cohere_chat_answer_has_shape(const AnswerNotes& notes) {
  return cohere_answer_has_shape(notes) &&
         (notes.type_known || notes.usage.get(UsageField::kBilledOutput).has_value());
}

// What only a version has: its tables, and how its documents end.
struct CohereVersion {
  Dialect dialect;
  const PathSet* request_paths;
  std::span<const RequestPath> request_slots;
  const PathSet* answer_paths;
  std::span<const AnswerPath> answer_slots;
  void (*end_document)(AnswerNotes& notes, bool is_event);
  JsonSeries series = JsonSeries::kNone;
  const DialectSpec& (*other_chat)() = nullptr;
};

inline DialectSpec cohere_spec(const CohereVersion& version, Operation operation,
                               std::span<const std::string_view> tails) {
  const bool chat = operation == Operation::kChat;
  return {
      .dialect = version.dialect,
      .operation = operation,
      .path_tails = tails,
      .has_tokens = operation != Operation::kRerank,
      .joins = chat,
      .other_by_answer = chat ? version.other_chat : nullptr,
      .answer_decides = true,
      .series = version.series,
      .prompt_is_body = chat,
      .request_paths = version.request_paths,
      .request_slots = version.request_slots,
      .answer_paths = version.answer_paths,
      .answer_slots = version.answer_slots,
      .request_has_shape = cohere_request_has_shape,
      .answer_has_shape = chat ? cohere_chat_answer_has_shape : cohere_answer_has_shape,
      .end_document = version.end_document,
      .normalise = normalise_cohere_answer,
  };
}

}  // namespace wiretally::llm
