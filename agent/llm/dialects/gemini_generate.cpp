// Gemini and Vertex generateContent: one JSON document; SSE (`?alt=sse`) without event names and
// without a last event; or one JSON array whose elements come one after the other.
//
// Each document may carry `usageMetadata`. With server-side tools its numbers begin anew at each
// inner step, so the last object that counts anything is taken whole; earlier ones of Vertex hold
// nothing but trafficType. An error may stand in a stream without its frame. Over REST with
// `enum-encoding=int` enumerations are numbers.
//
// Code Assist (Gemini CLI under a login) puts the same into envelopes, at
// /v1internal:generateContent: {model, project, request: {contents, …}}, answered by {response:
// {candidates, …}, traceId}.
#include "dialect_table.h"
#include "dialects/gemini_shape.h"

namespace wiretally::llm {
namespace {

constexpr std::string_view kPathTails[] = {":generateContent", ":streamGenerateContent"};

// The members of a request, whose names have `root` in front.
#define WIRETALLY_GENERATE_REQUEST(root)                                                          \
  {root "contents[].parts", RequestSlot::kPrompt}, {root "contents.parts", RequestSlot::kPrompt}, \
      {root "contents[].parts[].inlineData", RequestSlot::kNotText},                              \
      {root "contents[].parts[].inline_data", RequestSlot::kNotText},                             \
      {root "contents[].parts[].fileData", RequestSlot::kNotText},                                \
      {root "contents[].parts[].file_data", RequestSlot::kNotText},                               \
      {root "cachedContent", RequestSlot::kNotText}, {                                            \
    root "cached_content", RequestSlot::kNotText                                                  \
  }

constexpr RequestPath kRequest[] = {
    {"model", RequestSlot::kModel},
    WIRETALLY_GENERATE_REQUEST(""),
    WIRETALLY_GENERATE_REQUEST("request."),
};

constexpr AnswerPath kAnswer[] = {
    WIRETALLY_GEMINI_ANSWER(""),
    WIRETALLY_GEMINI_ANSWER("response."),
    WIRETALLY_GOOGLE_ERRORS,
    {"error.details[].violations[].quotaId", AnswerSlot::kQuota},
};

bool request_has_shape(const RequestNotes& notes, bool model_in_path) {
  return (model_in_path || !notes.model.empty()) && notes.has_prompt;
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
