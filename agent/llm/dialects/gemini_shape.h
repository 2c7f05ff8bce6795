// What Gemini's answers have in common, whether they stand alone or in a batch's results.
#pragma once

#include "dialect.h"

namespace wiretally::llm {

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
      {root "promptFeedback.blockReason", AnswerSlot::kBlocked},                                   \
      {root "usageMetadata", AnswerSlot::kUsage},                                                  \
      {root "usageMetadata.promptTokenCount", AnswerSlot::kUsageNumber, UsageField::kInput},       \
      {root "usageMetadata.toolUsePromptTokenCount", AnswerSlot::kUsageNumber,                     \
       UsageField::kToolUsePrompt},                                                                \
      {root "usageMetadata.cachedContentTokenCount", AnswerSlot::kUsageNumber,                     \
       UsageField::kCacheRead},                                                                    \
      {root "usageMetadata.candidatesTokenCount", AnswerSlot::kUsageNumber, UsageField::kOutput},  \
      {root "usageMetadata.responseTokenCount", AnswerSlot::kUsageNumber, UsageField::kOutput},    \
      {root "usageMetadata.thoughtsTokenCount", AnswerSlot::kUsageNumber, UsageField::kReasoning}, \
      {root "usageMetadata.totalTokenCount", AnswerSlot::kUsageNumber, UsageField::kTotal},        \
      {root "usageMetadata.promptTokensDetails[]", AnswerSlot::kDetail, UsageField::kInput},       \
      {root "usageMetadata.promptTokensDetails[].modality", AnswerSlot::kDetailName},              \
      {root "usageMetadata.promptTokensDetails[].tokenCount", AnswerSlot::kDetailCount},           \
      {root "usageMetadata.cacheTokensDetails[]", AnswerSlot::kDetail, UsageField::kCacheRead},    \
      {root "usageMetadata.cacheTokensDetails[].modality", AnswerSlot::kDetailName},               \
      {root "usageMetadata.cacheTokensDetails[].tokenCount", AnswerSlot::kDetailCount},            \
      {root "usageMetadata.candidatesTokensDetails[]", AnswerSlot::kDetail, UsageField::kOutput},  \
      {root "usageMetadata.candidatesTokensDetails[].modality", AnswerSlot::kDetailName},          \
      {root "usageMetadata.candidatesTokensDetails[].tokenCount", AnswerSlot::kDetailCount},       \
      {root "usageMetadata.trafficType", AnswerSlot::kServiceTier}, {                              \
    root "usageMetadata.serviceTier", AnswerSlot::kServiceTier                                     \
  }

// A document has ended: its usage is taken whole.
void note_gemini_answer(AnswerNotes& notes);

// Numbers and sources.
void normalise_gemini_answer(const AnswerNotes& notes, const UsageContext& context,
                             UsageRecord& record);

}  // namespace wiretally::llm
