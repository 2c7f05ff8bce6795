// What the dialects of OpenAI's family share: usage objects, errors, sources.
#pragma once

#include "dialect.h"
#include "dialects/stated_cost.h"

namespace wiretally::llm {

// The rows of a usage object at `root`, in the names of chat completions. Every detail is a part of
// its whole except where usage_merge.h says otherwise.
#define WIRETALLY_CHAT_USAGE(root, slot)                                                           \
  {root ".prompt_tokens", slot, UsageField::kInput},                                               \
      {root ".completion_tokens", slot, UsageField::kOutput},                                      \
      {root ".total_tokens", slot, UsageField::kTotal},                                            \
      {root ".prompt_tokens_details.cached_tokens", slot, UsageField::kCacheRead},                 \
      {root ".prompt_tokens_details.cache_write_tokens", slot, UsageField::kCacheWrite},           \
      {root ".prompt_tokens_details.cache_creation_tokens", slot, UsageField::kCacheWrite},        \
      {root ".prompt_tokens_details.cache_creation_input_tokens", slot, UsageField::kCacheWrite},  \
      {root ".prompt_tokens_details.audio_tokens", slot, UsageField::kInputAudio},                 \
      {root ".prompt_tokens_details.image_tokens", slot, UsageField::kInputImage},                 \
      {root ".prompt_token_details.cached_tokens", slot, UsageField::kCacheRead},                  \
      {root ".completion_tokens_details.reasoning_tokens", slot, UsageField::kReasoning},          \
      {root ".completion_tokens_details.audio_tokens", slot, UsageField::kOutputAudio},            \
      {root ".completion_tokens_details.image_tokens", slot, UsageField::kOutputImage},            \
      {root ".num_cached_tokens", slot, UsageField::kCacheReadAtRoot},                             \
      {root ".cached_tokens", slot, UsageField::kCacheReadAtRoot},                                 \
      {root ".prompt_cache_hit_tokens", slot, UsageField::kCacheReadAtRoot},                       \
      {root ".cache_read_input_tokens", slot, UsageField::kCacheReadBeside},                       \
      {root ".cache_creation_input_tokens", slot, UsageField::kCacheWriteBeside},                  \
      {root ".cache_created_input_tokens", slot, UsageField::kCacheWriteBeside},                   \
      {root ".cache_creation.ephemeral_1h_input_tokens", slot, UsageField::kCacheWrite1h},         \
      {root ".prompt_tokens_details.cache_creation_token_details.ephemeral_1h_input_tokens", slot, \
       UsageField::kCacheWrite1h},                                                                 \
      {root ".prompt_audio_seconds", slot, UsageField::kInputAudioByTime},                         \
      {root ".reasoning_tokens", slot, UsageField::kReasoningAtRoot}, {                            \
    root ".citation_tokens", slot, UsageField::kCitation                                           \
  }

// The rows of a usage object at `root`, in the names of Responses.
#define WIRETALLY_RESPONSES_USAGE(root, slot)                                                    \
  {root ".input_tokens", slot, UsageField::kInput},                                              \
      {root ".output_tokens", slot, UsageField::kOutput},                                        \
      {root ".total_tokens", slot, UsageField::kTotal},                                          \
      {root ".input_tokens_details.cached_tokens", slot, UsageField::kCacheRead},                \
      {root ".input_tokens_details.cache_write_tokens", slot, UsageField::kCacheWrite},          \
      {root ".input_tokens_details.cache_creation_input_tokens", slot, UsageField::kCacheWrite}, \
      {root ".input_tokens_details.audio_tokens", slot, UsageField::kInputAudio},                \
      {root ".input_tokens_details.image_tokens", slot, UsageField::kInputImage},                \
      {root ".output_tokens_details.reasoning_tokens", slot, UsageField::kReasoning},            \
      {root ".output_tokens_details.audio_tokens", slot, UsageField::kOutputAudio}, {            \
    root ".output_tokens_details.image_tokens", slot, UsageField::kOutputImage                   \
  }

// Errors as the family and its imitators tell them: OpenAI {"error":{code, type}}, xAI {"code",
// "error": text}, Google {"error":{status}} or that in an array, vLLM {"object":"error", "type"},
// OpenRouter {"error":{"metadata":{error_type}}}, Mistral {"detail":[{type}]}, Cerebras {"code",
// "type"}, Databricks {"error_code"} and TGI {"error": text, "error_type"} at the root. An integer
// code is the status again and is passed over.
#define WIRETALLY_OPENAI_ERRORS                                                                \
  {"error", AnswerSlot::kError}, {"error.code", AnswerSlot::kErrorCode},                       \
      {"error_type", AnswerSlot::kErrorType}, {"error.type", AnswerSlot::kErrorType},          \
      {"error.status", AnswerSlot::kErrorStatus},                                              \
      {"error.metadata.error_type", AnswerSlot::kErrorType}, {"[].error", AnswerSlot::kError}, \
      {"[].error.status", AnswerSlot::kErrorStatus}, {"detail[]", AnswerSlot::kError},         \
      {"detail[].type", AnswerSlot::kErrorType}, {"error_code", AnswerSlot::kErrorCode}, {     \
    "code", AnswerSlot::kErrorCode                                                             \
  }

// llama.cpp says these at its end, whether asked or not. Older ones leave cache_n out, and how much
// was read is unknown.
#define WIRETALLY_LLAMACPP_TIMINGS                                                       \
  {"timings.prompt_n", AnswerSlot::kSpareUsageNumber, UsageField::kInputApart},          \
      {"timings.cache_n", AnswerSlot::kSpareUsageNumber, UsageField::kCacheReadApart}, { \
    "timings.predicted_n", AnswerSlot::kSpareUsageNumber, UsageField::kOutput            \
  }

// Shared by chat and legacy completions: usage may stand on any frame.
void end_choices_document(AnswerNotes& notes, bool is_event);

// How a response stands, as Responses and Realtime say it at its end.
void note_response_status(AnswerNotes& notes, std::string_view status);

// Numbers and sources of an OpenAI-shaped answer.
void normalise_openai_answer(const AnswerNotes& notes, const UsageContext& context,
                             UsageRecord& record);

}  // namespace wiretally::llm
