// Triton's generate extension: one JSON document, or SSE of the same (generate_stream), each with a
// piece of the text. The model stands in the path: /v2/models/{model}[/versions/{v}]/generate.
//
// Nothing is counted unless the request asks the vLLM backend for it; then num_output_tokens of
// each event counts that event alone. A stream that lost one has a lower bound.
#include "dialect_table.h"
#include "dialects/self_hosted.h"
#include "target.h"

namespace wiretally::llm {
namespace {

constexpr std::string_view kPathTails[] = {"/generate", "/generate_stream"};

constexpr RequestPath kRequest[] = {
    {"text_input", RequestSlot::kPrompt},
    {"stream", RequestSlot::kStream},
};

constexpr AnswerPath kAnswer[] = {
    {"model_name", AnswerSlot::kModel},
    {"text_output", AnswerSlot::kBodyText},
    {"finish_reason", AnswerSlot::kFinishReason},
    {"num_input_tokens", AnswerSlot::kUsageNumber, UsageField::kInput},
    {"num_output_tokens", AnswerSlot::kUsageNumber, UsageField::kOutput},
    {"error", AnswerSlot::kError},
};

bool path_fits(std::string_view path) { return !triton_model(path).empty(); }

bool request_has_shape(const RequestNotes& notes, bool model_in_path) {
  return model_in_path && notes.has_prompt;
}

bool answer_has_shape(const AnswerNotes& notes) { return notes.has_body && !notes.model.empty(); }

void end_document(AnswerNotes& notes, bool is_event) {
  Document& doc = notes.document;
  const std::optional<uint64_t> counted = doc.usage.get(UsageField::kOutput);
  const std::optional<uint64_t> before = notes.usage.get(UsageField::kOutput);
  if (is_event && counted.has_value() && before.has_value()) {
    doc.usage.set(UsageField::kOutput, *counted + *before);
  }
  notes.take_usage();
  if (doc.error) notes.fail();
}

}  // namespace

const DialectSpec& triton() {
  static const DialectSpec spec{
      .dialect = Dialect::kTriton,
      .operation = Operation::kTextCompletion,
      .path_tails = kPathTails,
      .path_fits = path_fits,
      .counts_by_event = true,
      .joins = false,
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
