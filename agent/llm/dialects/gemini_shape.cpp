#include "dialects/gemini_shape.h"

namespace wiretally::llm {

void note_traffic_type(AnswerNotes& notes) {
  struct Word {
    std::string_view traffic;
    std::string_view number;
    std::string_view tier;
  };
  static constexpr Word kWords[] = {{"ON_DEMAND", "1", "on_demand"},
                                    {"PROVISIONED_THROUGHPUT", "2", "provisioned_throughput"},
                                    {"ON_DEMAND_PRIORITY", "3", "priority"},
                                    {"ON_DEMAND_FLEX", "4", "flex"}};
  const std::string_view said = notes.service_tier.view();
  for (const Word& word : kWords) {
    if (said != word.traffic && said != word.number) continue;
    notes.service_tier.assign(word.tier);
    return;
  }
}

void note_gemini_answer(AnswerNotes& notes) {
  notes.replace_usage();
  notes.queries.end_item(true);
  note_traffic_type(notes);
  if (notes.finish_reason == FinishReason::kStop && notes.tools.count() > 0) {
    notes.finish_reason = FinishReason::kToolCalls;
  }
}

namespace {

void normalise(const AnswerNotes& notes, const UsageContext& context, UsageRecord& record,
               bool live) {
  record.server_tool_requests = notes.usage.get(UsageField::kServerTools);
  if (!record.server_tool_requests && notes.queries.count() > 0) {
    record.server_tool_requests = notes.queries.count();
  }
  if (!notes.has_usage) return;
  normalise_gemini(notes.usage, record.tokens, record.flags, live);
  note_sources(context, record.tokens);
}

}  // namespace

void end_gemini_document(AnswerNotes& notes, bool /*is_event*/) {
  note_gemini_answer(notes);
  if (notes.document.error) notes.fail();
}

void normalise_gemini_answer(const AnswerNotes& notes, const UsageContext& context,
                             UsageRecord& record) {
  normalise(notes, context, record, false);
}

void normalise_gemini_live_answer(const AnswerNotes& notes, const UsageContext& context,
                                  UsageRecord& record) {
  normalise(notes, context, record, true);
}

}  // namespace wiretally::llm
