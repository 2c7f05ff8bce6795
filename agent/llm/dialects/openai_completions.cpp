// OpenAI legacy completions: text in `choices[].text`, otherwise as chat completions.
#include "dialect_table.h"
#include "dialects/openai_shape.h"

namespace wiretally::llm {
namespace {

constexpr std::string_view kPathTails[] = {"/completions"};

constexpr RequestPath kRequest[] = {
    {"model", RequestSlot::kModel},
    {"stream", RequestSlot::kStream},
    {"stream_options.include_usage", RequestSlot::kIncludeUsage},
    {"user", RequestSlot::kUser},
    {"prompt", RequestSlot::kPrompt},
    {"prompt[]", RequestSlot::kTokenIds},
};

constexpr AnswerPath kAnswer[] = {
    {"id", AnswerSlot::kResponseId},
    {"object", AnswerSlot::kObject},
    {"model", AnswerSlot::kModel},
    {"service_tier", AnswerSlot::kServiceTier},
    {"system_fingerprint", AnswerSlot::kFingerprint},
    {"type", AnswerSlot::kType},
    {"choices", AnswerSlot::kChoices},
    {"choices[]", AnswerSlot::kChoice},
    {"choices[].finish_reason", AnswerSlot::kFinishReason},
    visible_text("choices[].text", AnswerSlot::kBodyText),
    {"usage", AnswerSlot::kUsage},
    WIRETALLY_CHAT_USAGE("usage", AnswerSlot::kUsageNumber),
    WIRETALLY_CHAT_USAGE("x_groq.usage", AnswerSlot::kSpareUsageNumber),
    WIRETALLY_STATED_COST("usage"),
    WIRETALLY_LLAMACPP_TIMINGS,
    WIRETALLY_OPENAI_ERRORS,
};

bool request_has_shape(const RequestNotes& notes, bool model_in_path) {
  return (model_in_path || !notes.model.empty()) && notes.has_prompt;
}

bool answer_has_shape(const AnswerNotes& notes) {
  if (notes.object.view() == "text_completion") return true;
  return notes.has_choices && notes.has_body && notes.has_usage;
}

}  // namespace

const DialectSpec& openai_completions() {
  static const DialectSpec spec{
      .dialect = Dialect::kOpenaiCompletions,
      .operation = Operation::kTextCompletion,
      .path_tails = kPathTails,
      .usage_on_request = true,
      .other_by_answer = openai_chat,  // Mistral: /agents/completions, /fim/completions
      .answer_decides = true,
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
