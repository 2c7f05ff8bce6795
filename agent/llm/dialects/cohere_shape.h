// What both versions of Cohere's API share.
#pragma once

#include "dialect.h"

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

// Numbers and sources; searches of a rerank are the record's server-side requests.
inline void normalise_cohere_answer(const AnswerNotes& notes, const UsageContext& context,
                                    UsageRecord& record) {
  if (!notes.has_usage) return;
  TokenCounts& tokens = record.tokens;
  record.server_tool_requests = notes.usage.get(UsageField::kServerTools);
  normalise_cohere(notes.usage, tokens, record.flags);
  const UsageSource source = context.settled ? UsageSource::kReported : UsageSource::kPartial;
  if (tokens.input.has_value()) tokens.input_source = source;
  if (tokens.output.has_value()) tokens.output_source = source;
}

// Everybody's chats have a model and messages: only what Cohere alone has proves one.
inline bool cohere_request_has_shape(const RequestNotes& notes, bool /*model_in_path*/) {
  return !notes.model.empty() && notes.has_prompt;
}

inline bool cohere_answer_has_shape(const AnswerNotes& notes) {
  const bool billed = notes.usage.get(UsageField::kBilledInput).has_value() ||
                      notes.usage.get(UsageField::kBilledOutput).has_value() ||
                      notes.usage.get(UsageField::kServerTools).has_value();
  return notes.type_known || (notes.has_body && billed);
}

// An embedding or a rerank charges no output.
inline bool cohere_chat_answer_has_shape(const AnswerNotes& notes) {
  return cohere_answer_has_shape(notes) &&
         (notes.type_known || notes.usage.get(UsageField::kBilledOutput).has_value());
}

inline auto cohere_answer_shape(Operation operation) {
  return operation == Operation::kChat ? cohere_chat_answer_has_shape : cohere_answer_has_shape;
}

}  // namespace wiretally::llm
