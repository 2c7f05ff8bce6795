// llama.cpp's own completion endpoint: JSON, or SSE whose last event has stop:true and the counts.
// tokens_evaluated is the whole prompt; timings say how much of it came out of the cache.
#include "dialect_table.h"
#include "dialects/self_hosted.h"

namespace wiretally::llm {
namespace {

constexpr std::string_view kPathTails[] = {"/completion", "/infill"};

constexpr RequestPath kRequest[] = {
    {"prompt", RequestSlot::kPrompt},     {"input_prefix", RequestSlot::kPrompt},
    {"prompt[]", RequestSlot::kTokenIds}, {"image_data", RequestSlot::kNotText},
    {"stream", RequestSlot::kStream},
};

constexpr AnswerPath kAnswer[] = {
    {"model", AnswerSlot::kModel},
    visible_text("content", AnswerSlot::kBodyText),
    {"stop", AnswerSlot::kDone},
    {"stop_type", AnswerSlot::kFinishReason},
    {"tokens_evaluated", AnswerSlot::kUsageNumber, UsageField::kInput},
    {"tokens_predicted", AnswerSlot::kUsageNumber, UsageField::kOutput},
    {"timings.cache_n", AnswerSlot::kUsageNumber, UsageField::kCacheRead},
    {"error", AnswerSlot::kError},
    {"error.type", AnswerSlot::kErrorType},
};

bool request_has_shape(const RequestNotes& /*notes*/, bool /*model_in_path*/) { return false; }

bool answer_has_shape(const AnswerNotes& notes) {
  return notes.has_body && notes.has_done && notes.has_usage;
}

void end_document(AnswerNotes& notes, bool is_event) {
  Document& doc = notes.document;
  notes.take_usage();
  if (is_event && doc.last) {
    notes.end_answer();
  }
  if (doc.error) notes.fail();
}

}  // namespace

const DialectSpec& llamacpp() {
  static const DialectSpec spec{
      .dialect = Dialect::kLlamacpp,
      .operation = Operation::kTextCompletion,
      .path_tails = kPathTails,
      .joins = false,
      .prompt_is_body = true,
      .request_paths = path_set<kRequest>(),
      .request_slots = kRequest,
      .answer_paths = path_set<kAnswer>(),
      .answer_slots = kAnswer,
      .request_has_shape = request_has_shape,
      .answer_has_shape = answer_has_shape,
      .end_document = end_document,
      .normalise = normalise_plain_counts,
  };
  return spec;
}

}  // namespace wiretally::llm
