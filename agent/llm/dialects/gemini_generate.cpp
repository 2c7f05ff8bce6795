// Gemini and Vertex generateContent: one JSON document; SSE (`?alt=sse`) without event names and
// without a last event; or one JSON array whose elements come one after the other.
//
// Each document may carry `usageMetadata`. With server-side tools its numbers begin anew at each
// inner step, so the last object that counts anything is taken whole; earlier ones of Vertex hold
// nothing but trafficType. An error may stand in a stream without its frame. Over REST with
// `enum-encoding=int` enumerations are numbers.
#include "dialect_table.h"
#include "dialects/gemini_shape.h"

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
    WIRETALLY_GEMINI_ANSWER(""),
    WIRETALLY_GOOGLE_ERRORS,
    {"error.details[].violations[].quotaId", AnswerSlot::kQuota},
};

bool request_has_shape(const RequestNotes& notes, bool model_in_path) {
  return model_in_path && notes.has_prompt;
}

bool answer_has_shape(const AnswerNotes& notes) {
  return notes.has_choices && (notes.has_usage || !notes.model.empty());
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
      .end_document = end_gemini_document,
      .normalise = normalise_gemini_answer,
  };
  return spec;
}

}  // namespace wiretally::llm
