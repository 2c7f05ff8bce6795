// IBM watsonx.ai, its own API below /ml/v1/: text generation as one JSON document, or as SSE of the
// same; and chat, which is OpenAI's but for `model_id` in the request.
//
// Of a stream the first event states the input, and later ones a 0 in its place; the generated
// tokens are a running count. The reason of all events but the last is not_finished.
#include "dialect_table.h"
#include "dialects/openai_shape.h"

namespace wiretally::llm {
namespace {

constexpr std::string_view kGenerationTails[] = {"/text/generation", "/text/generation_stream"};
constexpr std::string_view kChatTails[] = {"/text/chat", "/text/chat_stream"};

constexpr RequestPath kRequest[] = {
    {"model_id", RequestSlot::kModel},
    {"input", RequestSlot::kPrompt},
    {"messages", RequestSlot::kPrompt},
    {"messages[].role", RequestSlot::kTurnRole},
    {"messages[].content[].type", RequestSlot::kPartType},
};

constexpr AnswerPath kAnswer[] = {
    {"model_id", AnswerSlot::kModel},
    {"results", AnswerSlot::kBody},
    visible_text("results[].generated_text", AnswerSlot::kContent),
    {"results[].input_token_count", AnswerSlot::kUsageNumber, UsageField::kInput},
    {"results[].generated_token_count", AnswerSlot::kUsageNumber, UsageField::kOutput},
    {"results[].stop_reason", AnswerSlot::kFinishReason},
    {"errors[]", AnswerSlot::kError},
    {"errors[].code", AnswerSlot::kErrorCode},
};

bool path_fits(std::string_view path) { return path.find("/ml/v1/") != path.npos; }

bool request_has_shape(const RequestNotes& notes, bool /*model_in_path*/) {
  return !notes.model.empty() && notes.has_prompt;
}

bool answer_has_shape(const AnswerNotes& notes) { return notes.has_body && notes.has_usage; }

void end_document(AnswerNotes& notes, bool is_event) {
  Document& doc = notes.document;
  const bool stated = notes.usage.get(UsageField::kInput).has_value();
  if (is_event && stated && doc.usage.get(UsageField::kInput) == uint64_t{0}) {
    doc.usage.forget(UsageField::kInput);
  }
  notes.take_usage();
  if (is_event && notes.finish_reason != FinishReason::kUnknown) notes.end_answer();
  if (doc.error) notes.fail();
}

}  // namespace

const DialectSpec& watsonx_generation() {
  static const DialectSpec spec{
      .dialect = Dialect::kOpenaiCompletions,
      .operation = Operation::kTextCompletion,
      .path_tails = kGenerationTails,
      .path_fits = path_fits,
      .joins = false,
      .answer_decides = true,
      .prompt_is_body = true,
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

const DialectSpec& watsonx_chat() {
  static const DialectSpec spec = [] {
    DialectSpec chat = openai_chat();
    chat.path_tails = kChatTails;
    chat.path_fits = path_fits;
    chat.usage_on_request = false;
    chat.joins = false;
    chat.request_paths = path_set<kRequest>();
    chat.request_slots = kRequest;
    return chat;
  }();
  return spec;
}

}  // namespace wiretally::llm
