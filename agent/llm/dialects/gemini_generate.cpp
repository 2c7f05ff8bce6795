// Gemini and Vertex generateContent: one JSON document; SSE (`?alt=sse`) without event names and
// without a last event; or one JSON array whose elements come one after the other.
//
// Each document may carry `usageMetadata`. With server-side tools its numbers begin anew at each
// inner step, so the last object that counts anything is taken whole; earlier ones of Vertex hold
// nothing but trafficType. An error may stand in a stream without its frame. Over REST with
// `enum-encoding=int` enumerations are numbers.
#include "dialect_table.h"

namespace wiretally::llm {
namespace {

constexpr std::string_view kPathTails[] = {":generateContent", ":streamGenerateContent"};

constexpr RequestPath kRequest[] = {
    {"model", RequestSlot::kModel},
    {"contents[].parts", RequestSlot::kPrompt},
    {"contents.parts", RequestSlot::kPrompt},
    {"contents[].parts[].inlineData", RequestSlot::kNotText},
    {"contents[].parts[].inline_data", RequestSlot::kNotText},
    {"contents[].parts[].fileData", RequestSlot::kNotText},
    {"contents[].parts[].file_data", RequestSlot::kNotText},
    {"cachedContent", RequestSlot::kNotText},
    {"cached_content", RequestSlot::kNotText},
};

constexpr AnswerPath kAnswer[] = {
    {"responseId", AnswerSlot::kResponseId},
    {"modelVersion", AnswerSlot::kModel},
    {"candidates", AnswerSlot::kChoices},
    {"candidates[].content", AnswerSlot::kBody},
    visible_text("candidates[].content.parts[].text", AnswerSlot::kContent),
    {"candidates[].content.parts[].functionCall", AnswerSlot::kContentItem},
    {"candidates[].content.parts[].functionCall.name", AnswerSlot::kLoneToolName},
    {"candidates[].content.parts[].inlineData", AnswerSlot::kContentItem},
    {"candidates[].content.parts[].executableCode", AnswerSlot::kContentItem},
    {"candidates[].finishReason", AnswerSlot::kFinishReason},
    {"promptFeedback.blockReason", AnswerSlot::kBlocked},
    {"usageMetadata", AnswerSlot::kUsage},
    {"usageMetadata.promptTokenCount", AnswerSlot::kUsageNumber, UsageField::kInput},
    {"usageMetadata.toolUsePromptTokenCount", AnswerSlot::kUsageNumber, UsageField::kToolUsePrompt},
    {"usageMetadata.cachedContentTokenCount", AnswerSlot::kUsageNumber, UsageField::kCacheRead},
    {"usageMetadata.candidatesTokenCount", AnswerSlot::kUsageNumber, UsageField::kOutput},
    {"usageMetadata.responseTokenCount", AnswerSlot::kUsageNumber, UsageField::kOutput},
    {"usageMetadata.thoughtsTokenCount", AnswerSlot::kUsageNumber, UsageField::kReasoning},
    {"usageMetadata.totalTokenCount", AnswerSlot::kUsageNumber, UsageField::kTotal},
    {"usageMetadata.promptTokensDetails[]", AnswerSlot::kDetail, UsageField::kInput},
    {"usageMetadata.promptTokensDetails[].modality", AnswerSlot::kDetailName},
    {"usageMetadata.promptTokensDetails[].tokenCount", AnswerSlot::kDetailCount},
    {"usageMetadata.cacheTokensDetails[]", AnswerSlot::kDetail, UsageField::kCacheRead},
    {"usageMetadata.cacheTokensDetails[].modality", AnswerSlot::kDetailName},
    {"usageMetadata.cacheTokensDetails[].tokenCount", AnswerSlot::kDetailCount},
    {"usageMetadata.candidatesTokensDetails[]", AnswerSlot::kDetail, UsageField::kOutput},
    {"usageMetadata.candidatesTokensDetails[].modality", AnswerSlot::kDetailName},
    {"usageMetadata.candidatesTokensDetails[].tokenCount", AnswerSlot::kDetailCount},
    {"usageMetadata.trafficType", AnswerSlot::kServiceTier},
    {"usageMetadata.serviceTier", AnswerSlot::kServiceTier},
    {"error", AnswerSlot::kError},
    {"error.status", AnswerSlot::kErrorStatus},
};

bool request_has_shape(const RequestNotes& notes, bool model_in_path) {
  return model_in_path && notes.has_prompt;
}

bool answer_has_shape(const AnswerNotes& notes) {
  return notes.has_choices && (notes.has_usage || !notes.model.empty());
}

// Words that no other provider's price rows know.
void note_tier(AnswerNotes& notes) {
  struct Word {
    std::string_view traffic;
    std::string_view tier;
  };
  static constexpr Word kWords[] = {{"ON_DEMAND", "on_demand"},
                                    {"ON_DEMAND_PRIORITY", "priority"},
                                    {"ON_DEMAND_FLEX", "flex"},
                                    {"PROVISIONED_THROUGHPUT", "provisioned_throughput"}};
  for (const Word& word : kWords) {
    if (notes.service_tier.view() == word.traffic) notes.service_tier.assign(word.tier);
  }
}

void end_document(AnswerNotes& notes, bool /*is_event*/) {
  notes.replace_usage();
  note_tier(notes);
  if (notes.finish_reason == FinishReason::kStop && notes.tools.count() > 0) {
    notes.finish_reason = FinishReason::kToolCalls;
  }
  if (notes.document.error) notes.fail();
}

void normalise(const AnswerNotes& notes, const UsageContext& context, UsageRecord& record) {
  if (!notes.has_usage) return;
  TokenCounts& tokens = record.tokens;
  normalise_gemini(notes.usage, tokens, record.flags);
  const UsageSource source = context.settled ? UsageSource::kReported : UsageSource::kPartial;
  if (tokens.input.has_value()) tokens.input_source = source;
  if (tokens.output.has_value()) tokens.output_source = source;
}

}  // namespace

const DialectSpec& gemini_generate() {
  static const DialectSpec spec{
      .dialect = Dialect::kGeminiGenerate,
      .operation = Operation::kChat,
      .path_tails = kPathTails,
      .series = JsonSeries::kArray,
      .prompt_is_body = true,
      .request_paths = path_set<kRequest>(),
      .request_slots = kRequest,
      .answer_paths = path_set<kAnswer>(),
      .answer_slots = kAnswer,
      .request_has_shape = request_has_shape,
      .answer_has_shape = answer_has_shape,
      .end_document = end_document,
      .normalise = normalise,
  };
  return spec;
}

}  // namespace wiretally::llm
