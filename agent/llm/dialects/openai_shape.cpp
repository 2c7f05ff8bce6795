#include "dialects/openai_shape.h"

#include <algorithm>

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
    notes.finish_reason = notes.calls_client() ? FinishReason::kToolCalls : FinishReason::kStop;
  }
  if (status == "incomplete" && notes.finish_reason == FinishReason::kUnknown) {
    notes.finish_reason = FinishReason::kOther;
  }
  if (status == "failed") {
    notes.finish_reason = FinishReason::kError;
    notes.fail();
  }
}

namespace {

// As it is stated; else the searches that the whole answer shows.
std::optional<uint64_t> servers_tools(const AnswerNotes& notes, const UsageContext& context) {
  for (const UsageField field :
       {UsageField::kServerTools, UsageField::kServerToolsRun, UsageField::kServerToolParts}) {
    if (const auto stated = notes.usage.get(field)) return stated;
  }
  if (notes.searches == 0 || !context.settled) return std::nullopt;
  return notes.searches;
}

// Images that a tool of the server made are billed by tokens of another model, which stand beside
// the answer's own and are priced as text and as images. The record has no place for them, so that
// what the call cost is not known.
void note_images_apart(const UsageSheet& images, UsageRecord& record) {
  if (images.all_zero() && !images.malformed()) return;
  record.apart.input = std::max<uint64_t>(images.get_or_zero(UsageField::kInput), 1);
  record.apart.output = images.get_or_zero(UsageField::kOutput);
  record.apart.several_models = true;
}

}  // namespace

void normalise_openai_answer(const AnswerNotes& notes, const UsageContext& context,
                             UsageRecord& record) {
  TokenCounts& tokens = record.tokens;
  record.server_tool_requests = servers_tools(notes, context);
  if (!notes.has_usage) return;
  // Zeros that never became numbers are a placeholder, not a statement.
  if (notes.usage.all_zero() && !notes.usage.malformed() && !context.settled) return;
  // Its host is not always known; its usage has members that nobody else's has.
  const bool is_perplexity = context.provider == "perplexity" ||
                             notes.usage.get(UsageField::kCitation).has_value() ||
                             notes.cost.by == CostStatement::kUsageTotal;
  // Its Responses are OpenAI's: there reasoning is a part of the output.
  const bool at_root = notes.usage.get(UsageField::kReasoningAtRoot).has_value();
  const OpenaiUsageHints hints{.reasoning_outside_total = is_perplexity && at_root,
                               .cache_may_be_outside = context.provider == "x_ai"};
  normalise_openai(notes.usage, hints, tokens, record.flags);
  note_images_apart(notes.apart.get().usage, record);
  note_sources(context, tokens);
}

}  // namespace wiretally::llm
