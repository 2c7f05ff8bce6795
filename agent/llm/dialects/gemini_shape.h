// What Gemini's answers have in common, whether they stand alone, in a batch's results, on a socket
// or in messages of gRPC: candidates, usage, errors, tiers.
#pragma once

#include "dialect.h"

namespace wiretally::llm {

// The rows of a list of counts by modality: [{modality, tokenCount}].
#define WIRETALLY_GEMINI_DETAILS(list, field)                                               \
  {list "[]", AnswerSlot::kDetail, field}, {list "[].modality", AnswerSlot::kDetailName}, { \
    list "[].tokenCount", AnswerSlot::kDetailCount                                          \
  }

// The rows of `usageMetadata`, whose members' names have `root` in front. Live says "response"
// where the others say "candidates", but not through Vertex.
#define WIRETALLY_GEMINI_USAGE(root)                                                               \
  {root "usageMetadata", AnswerSlot::kUsage},                                                      \
      {root "usageMetadata.promptTokenCount", AnswerSlot::kUsageNumber, UsageField::kInput},       \
      {root "usageMetadata.toolUsePromptTokenCount", AnswerSlot::kUsageNumber,                     \
       UsageField::kToolUsePrompt},                                                                \
      {root "usageMetadata.cachedContentTokenCount", AnswerSlot::kUsageNumber,                     \
       UsageField::kCacheRead},                                                                    \
      {root "usageMetadata.candidatesTokenCount", AnswerSlot::kUsageNumber, UsageField::kOutput},  \
      {root "usageMetadata.responseTokenCount", AnswerSlot::kUsageNumber, UsageField::kOutput},    \
      {root "usageMetadata.thoughtsTokenCount", AnswerSlot::kUsageNumber, UsageField::kReasoning}, \
      {root "usageMetadata.totalTokenCount", AnswerSlot::kUsageNumber, UsageField::kTotal},        \
      WIRETALLY_GEMINI_DETAILS(root "usageMetadata.promptTokensDetails", UsageField::kInput),      \
      WIRETALLY_GEMINI_DETAILS(root "usageMetadata.cacheTokensDetails", UsageField::kCacheRead),   \
      WIRETALLY_GEMINI_DETAILS(root "usageMetadata.candidatesTokensDetails", UsageField::kOutput), \
      WIRETALLY_GEMINI_DETAILS(root "usageMetadata.responseTokensDetails", UsageField::kOutput),   \
      {root "usageMetadata.trafficType", AnswerSlot::kServiceTier}, {                              \
    root "usageMetadata.serviceTier", AnswerSlot::kServiceTier                                     \
  }

// The rows of a GenerateContentResponse whose members' names have `root` in front.
#define WIRETALLY_GEMINI_ANSWER(root)                                                              \
  {root "responseId", AnswerSlot::kResponseId}, {root "modelVersion", AnswerSlot::kModel},         \
      {root "candidates", AnswerSlot::kChoices}, {root "candidates[].content", AnswerSlot::kBody}, \
      visible_text(root "candidates[].content.parts[].text", AnswerSlot::kContent),                \
      {root "candidates[].content.parts[].functionCall", AnswerSlot::kContentItem},                \
      {root "candidates[].content.parts[].functionCall.name", AnswerSlot::kLoneToolName},          \
      {root "candidates[].content.parts[].inlineData", AnswerSlot::kContentItem},                  \
      {root "candidates[].content.parts[].executableCode", AnswerSlot::kContentItem},              \
      {root "candidates[].finishReason", AnswerSlot::kFinishReason},                               \
      {root "candidates[].groundingMetadata.webSearchQueries[]", AnswerSlot::kSearchQuery},        \
      {root "promptFeedback.blockReason", AnswerSlot::kBlocked}, WIRETALLY_GEMINI_USAGE(root)

// {"error":{code: the HTTP status again, message, status}}, in streams that are arrays an element.
#define WIRETALLY_GOOGLE_ERRORS \
  {"error", AnswerSlot::kError}, { "error.status", AnswerSlot::kErrorStatus }

// Vertex' words for a tier, or the numbers of its enumeration, become those that price rows know.
void note_traffic_type(AnswerNotes& notes);

// A document has ended: its usage is taken whole.
void note_gemini_answer(AnswerNotes& notes);

// The same, and an error ends the answer.
void end_gemini_document(AnswerNotes& notes, bool is_event);

// Numbers and sources.
void normalise_gemini_answer(const AnswerNotes& notes, const UsageContext& context,
                             UsageRecord& record);
// The same where the total leaves thoughts out.
void normalise_gemini_live_answer(const AnswerNotes& notes, const UsageContext& context,
                                  UsageRecord& record);

}  // namespace wiretally::llm
