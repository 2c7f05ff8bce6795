#include "dialects/gemini_shape.h"

namespace wiretally::llm {
namespace {

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

}  // namespace

void note_gemini_answer(AnswerNotes& notes) {
  notes.replace_usage();
  note_tier(notes);
  if (notes.finish_reason == FinishReason::kStop && notes.tools.count() > 0) {
    notes.finish_reason = FinishReason::kToolCalls;
  }
}

void normalise_gemini_answer(const AnswerNotes& notes, const UsageContext& context,
                             UsageRecord& record) {
  if (!notes.has_usage) return;
  TokenCounts& tokens = record.tokens;
  normalise_gemini(notes.usage, tokens, record.flags);
  const UsageSource source = context.settled ? UsageSource::kReported : UsageSource::kPartial;
  if (tokens.input.has_value()) tokens.input_source = source;
  if (tokens.output.has_value()) tokens.output_source = source;
}

}  // namespace wiretally::llm
