// Cloudflare's Workers AI, its own API (/ai/run/@cf/{maker}/{model}): one JSON document whose
// `result` holds the text, or a chat completion, with usage in the names of chat completions; SSE
// of
// {"response": text, "p": padding}, whose last event has the usage, then `data: [DONE]`.
//
// Pictures and sounds come at the same path: only an answer with text or usage proves a call.
#include "dialect_table.h"
#include "dialects/openai_shape.h"

namespace wiretally::llm {
namespace {

constexpr std::string_view kPathTails[] = {"/ai/run", "/workers-ai"};

constexpr RequestPath kRequest[] = {
    {"stream", RequestSlot::kStream},   {"prompt", RequestSlot::kPrompt},
    {"messages", RequestSlot::kPrompt}, {"messages[].content[].type", RequestSlot::kPartType},
    {"image", RequestSlot::kNotText},
};

#define WIRETALLY_WORKERS_ANSWER(root)                                                           \
  {root "choices", AnswerSlot::kChoices}, {root "choices[].message", AnswerSlot::kBody},         \
      {root "choices[].finish_reason", AnswerSlot::kFinishReason},                               \
      {root "choices[].message.tool_calls[].function.name", AnswerSlot::kLoneToolName},          \
      {root "tool_calls[].name", AnswerSlot::kLoneToolName}, {root "usage", AnswerSlot::kUsage}, \
      WIRETALLY_CHAT_USAGE(root "usage", AnswerSlot::kUsageNumber)

constexpr AnswerPath kAnswer[] = {
    visible_text("response", AnswerSlot::kBodyText),
    visible_text("result.response", AnswerSlot::kBodyText),
    visible_text("choices[].delta.content", AnswerSlot::kContent),
    visible_text("result.choices[].message.content", AnswerSlot::kText),
    WIRETALLY_WORKERS_ANSWER(""),
    WIRETALLY_WORKERS_ANSWER("result."),
    {"errors[]", AnswerSlot::kError},
    {"errors[].code", AnswerSlot::kErrorNumber},
    {"error", AnswerSlot::kError},
};

bool request_has_shape(const RequestNotes& /*notes*/, bool /*model_in_path*/) { return false; }

bool answer_has_shape(const AnswerNotes& notes) { return notes.has_body && notes.has_usage; }

}  // namespace

const DialectSpec& workers_ai() {
  static const DialectSpec spec{
      .dialect = Dialect::kOpenaiChat,
      .operation = Operation::kChat,
      .path_tails = kPathTails,
      .joins = false,
      .heads_prove = false,
      .prompt_is_body = true,
      .request_paths = path_set<kRequest>(),
      .request_slots = kRequest,
      .answer_paths = path_set<kAnswer>(),
      .answer_slots = kAnswer,
      .request_has_shape = request_has_shape,
      .answer_has_shape = answer_has_shape,
      .end_document = end_choices_document,
      .normalise = normalise_openai_answer,
  };
  return spec;
}

}  // namespace wiretally::llm
