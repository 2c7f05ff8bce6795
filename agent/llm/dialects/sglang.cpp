// SGLang's own generate, at TGI's path: one JSON document, an array of them for several prompts or
// choices, or SSE of the same. No model is named on either side.
//
// Every event states its part's numbers so far, in `meta_info`, and its finish reason is null until
// that part ends; `index` tells the parts of an array apart, whose events come mixed. All parts are
// one call, and their numbers add up; but each choice states its prompt again, which was read once
// and then found in the cache. The stream ends with [DONE].
#include "dialect_table.h"
#include "dialects/self_hosted.h"

namespace wiretally::llm {
namespace {

#define WIRETALLY_SGLANG_PART(root, number)                                             \
  visible_text(root "text", AnswerSlot::kText), {root "meta_info", AnswerSlot::kUsage}, \
      {root "meta_info.id", AnswerSlot::kResponseId},                                   \
      {root "meta_info.finish_reason.type", AnswerSlot::kFinishReason},                 \
      {root "meta_info.prompt_tokens", AnswerSlot::number, UsageField::kInput},         \
      {root "meta_info.completion_tokens", AnswerSlot::number, UsageField::kOutput},    \
      {root "meta_info.cached_tokens", AnswerSlot::number, UsageField::kCacheRead}, {   \
    root "meta_info.reasoning_tokens", AnswerSlot::number, UsageField::kReasoning       \
  }

constexpr AnswerPath kAnswer[] = {
    {"index", AnswerSlot::kItemIndex}, WIRETALLY_SGLANG_PART("", kUsageNumber),
    {"[]", AnswerSlot::kStreamItem},   WIRETALLY_SGLANG_PART("[].", kUsageAddend),
    {"error", AnswerSlot::kError},     {"error.type", AnswerSlot::kErrorType},
};

// By what TGI's table notes of it: a prompt in SGLang's words, and how to sample.
bool request_has_shape(const RequestNotes& notes, bool /*model_in_path*/) {
  return notes.of_other && notes.has_prompt;
}

bool answer_has_shape(const AnswerNotes& notes) {
  return notes.has_usage && !notes.response_id.empty();
}

// What one event says. Of several parts, those that have ended are added up in `apart`.
void end_event(AnswerNotes& notes) {
  Document& doc = notes.document;
  if (doc.usage.empty()) return;
  doc.content = doc.usage.get_or_zero(UsageField::kOutput) > 0;
  // The text is the whole of it, each time.
  if (!doc.finished) notes.text = TextDigest();
  if (!doc.item_index.has_value()) {
    notes.take_usage();
    if (doc.finished) notes.end_answer();
    return;
  }
  notes.has_choices = true;
  const UsageSheet part = doc.usage;
  doc.usage = notes.apart.get().usage;
  doc.usage.add(part);
  if (doc.finished) notes.apart.make().usage = doc.usage;
  notes.replace_usage();
}

void end_document(AnswerNotes& notes, bool is_event) {
  Document& doc = notes.document;
  if (doc.error) notes.fail();
  if (is_event) {
    end_event(notes);
    return;
  }
  notes.has_choices = doc.has_item && !doc.usage.empty();
  if (doc.has_item && !notes.terminal) doc.usage.clear();  // nobody knows how many more there were
  notes.take_usage();
}

void normalise(const AnswerNotes& notes, const UsageContext& context, UsageRecord& record) {
  normalise_plain_counts(notes, context, record);
  TokenCounts& tokens = record.tokens;
  if (!notes.has_choices || context.choices == uint64_t{1}) return;
  tokens.cache_read.reset();
  if (context.choices.has_value() && context.settled && tokens.input.has_value()) {
    *tokens.input /= *context.choices;
  } else {
    tokens.input.reset();
    tokens.input_source = UsageSource::kNone;
  }
}

}  // namespace

const DialectSpec& sglang() {
  static const DialectSpec spec{
      .dialect = Dialect::kSglang,
      .operation = Operation::kTextCompletion,
      .counts_by_event = true,
      .joins = false,
      .answer_decides = true,
      .prompt_is_body = true,
      .request_paths = tgi().request_paths,
      .request_slots = tgi().request_slots,
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
