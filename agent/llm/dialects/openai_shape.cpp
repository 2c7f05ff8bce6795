#include "dialects/openai_shape.h"

namespace wiretally::llm {

void end_choices_document(AnswerNotes& notes, bool is_event) {
  Document& doc = notes.document;
  const bool had_finished = notes.finish_reason != FinishReason::kUnknown;
  if (!is_event) doc.spare_usage.clear();  // Groq's x_groq.usage means something else there
  const bool has_numbers = !doc.usage.empty() || !doc.spare_usage.empty();
  notes.take_usage();
  // A frame of its own behind the finish reason states the total; on frames with choices it may be
  // a running count.
  if (is_event && has_numbers && doc.has_choices && !doc.has_choice && had_finished) {
    notes.usage_final = true;
  }
  const bool error_object = notes.object.view() == "error";
  // Cerebras and others tell an error at the root, and nothing else.
  const bool error_alone =
      !is_event && !notes.has_choices && !notes.has_body && !doc.error_name.empty();
  if (error_object || error_alone) doc.note_error(doc.type.view(), 0);
  if (doc.error || error_object || error_alone) notes.fail();
}

void note_response_status(AnswerNotes& notes, std::string_view status) {
  if (status == "completed" && notes.finish_reason == FinishReason::kUnknown) {
    notes.finish_reason = notes.tools.count() > 0 ? FinishReason::kToolCalls : FinishReason::kStop;
  }
  if (status == "incomplete" && notes.finish_reason == FinishReason::kUnknown) {
    notes.finish_reason = FinishReason::kOther;
  }
  if (status == "failed") {
    notes.finish_reason = FinishReason::kError;
    notes.fail();
  }
}

void normalise_openai_answer(const AnswerNotes& notes, const UsageContext& context,
                             UsageRecord& record) {
  TokenCounts& tokens = record.tokens;
  record.server_tool_requests = notes.usage.get(UsageField::kServerTools);
  if (!notes.has_usage) return;
  // Zeros that never became numbers are a placeholder, not a statement.
  if (notes.usage.all_zero() && !notes.usage.malformed() && !context.settled) return;
  // Its host is not always known; its usage has members that nobody else's has.
  const bool is_perplexity = context.provider == "perplexity" ||
                             notes.usage.get(UsageField::kCitation).has_value() ||
                             notes.cost.by == CostStatement::kUsageTotal;
  const OpenaiUsageHints hints{.reasoning_outside_total = is_perplexity,
                               .cache_may_be_outside = context.provider == "x_ai"};
  normalise_openai(notes.usage, hints, tokens, record.flags);
  note_sources(context, tokens);
}

}  // namespace wiretally::llm
