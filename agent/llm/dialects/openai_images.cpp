// OpenAI images: generations and edits. One JSON document, or SSE whose last event
// (image_generation.completed, image_edit.completed) has the usage. Older models are priced by the
// image and state none. Edits come as forms.
#include "dialect_table.h"
#include "dialects/openai_shape.h"

namespace wiretally::llm {
namespace {

constexpr std::string_view kPathTails[] = {"/images/generations", "/images/edits"};

constexpr RequestPath kRequest[] = {
    {"model", RequestSlot::kModel},
    {"stream", RequestSlot::kStream},
    {"user", RequestSlot::kUser},
    {"prompt", RequestSlot::kPrompt},
};

constexpr AnswerPath kAnswer[] = {
    {"type", AnswerSlot::kType},
    {"model", AnswerSlot::kModel},
    {"data[].b64_json", AnswerSlot::kBody},
    {"data[].url", AnswerSlot::kBody},
    {"b64_json", AnswerSlot::kContentData},
    {"usage", AnswerSlot::kUsage},
    WIRETALLY_RESPONSES_USAGE("usage", AnswerSlot::kUsageNumber),
    WIRETALLY_STATED_COST("usage"),
    WIRETALLY_OPENAI_ERRORS,
};

bool request_has_shape(const RequestNotes& notes, bool model_in_path) {
  return (model_in_path || !notes.model.empty()) && (notes.has_prompt || notes.has_form);
}

bool answer_has_shape(const AnswerNotes& notes) {
  return notes.type_known || (notes.has_body && notes.has_usage);
}

void end_document(AnswerNotes& notes, bool is_event) {
  Document& doc = notes.document;
  const std::string_view type = doc.type.view();
  notes.take_usage();
  if (is_event && (type.starts_with("image_generation.") || type.starts_with("image_edit."))) {
    notes.type_known = true;
  }
  if (is_event && type.ends_with(".completed")) {
    notes.end_answer();
  }
  if (doc.error) notes.fail();
}

}  // namespace

const DialectSpec& openai_images() {
  static const DialectSpec spec{
      .dialect = Dialect::kOpenaiImages,
      .operation = Operation::kImageGeneration,
      .path_tails = kPathTails,
      .has_tokens = false,
      .takes_forms = true,
      .joins = false,
      .answer_decides = true,
      .request_paths = path_set<kRequest>(),
      .request_slots = kRequest,
      .answer_paths = path_set<kAnswer>(),
      .answer_slots = kAnswer,
      .request_has_shape = request_has_shape,
      .answer_has_shape = answer_has_shape,
      .end_document = end_document,
      .normalise = normalise_openai_answer,
  };
  return spec;
}

}  // namespace wiretally::llm
