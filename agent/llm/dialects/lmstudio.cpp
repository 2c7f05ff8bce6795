// LM Studio's own chat (/api/v1/chat): one JSON document, or SSE whose events carry their kind in
// `type` too.
//
//   chat.start                        the instance of the model
//   reasoning.delta, message.delta    generated text
//   tool_call.start                   the tool that the server calls by itself
//   error                             what failed; chat.end comes all the same
//   chat.end                          the whole answer with its stats; the stream's end
//
// total_output_tokens holds the reasoning.
#include "dialect_table.h"
#include "dialects/self_hosted.h"

namespace wiretally::llm {
namespace {

constexpr std::string_view kPathTails[] = {"/api/v1/chat"};

constexpr RequestPath kRequest[] = {
    {"model", RequestSlot::kModel},
    {"stream", RequestSlot::kStream},
    {"input", RequestSlot::kPrompt},
    {"message", RequestSlot::kOther},  // Cohere's /v1/chat, mounted under /api
    {"chat_history", RequestSlot::kOther},
};

#define WIRETALLY_LMSTUDIO_ANSWER(root)                                                          \
  {root "model_instance_id", AnswerSlot::kModel}, {root "response_id", AnswerSlot::kResponseId}, \
      {root "output", AnswerSlot::kBody}, {root "output[]", AnswerSlot::kToolItem},              \
      {root "output[].type", AnswerSlot::kToolType},                                             \
      {root "output[].tool", AnswerSlot::kToolName}, {root "stats", AnswerSlot::kUsage},         \
      {root "stats.input_tokens", AnswerSlot::kUsageNumber, UsageField::kInput},                 \
      {root "stats.total_output_tokens", AnswerSlot::kUsageNumber, UsageField::kOutput}, {       \
    root "stats.reasoning_output_tokens", AnswerSlot::kUsageNumber, UsageField::kReasoning       \
  }

constexpr AnswerPath kAnswer[] = {
    {"type", AnswerSlot::kType},
    {"content", AnswerSlot::kDelta},
    WIRETALLY_LMSTUDIO_ANSWER(""),
    WIRETALLY_LMSTUDIO_ANSWER("result."),
    {"error", AnswerSlot::kError},
    {"error.type", AnswerSlot::kErrorType},
    {"error.code", AnswerSlot::kErrorCode},
};

// Everybody has a chat with a model and an input.
bool request_has_shape(const RequestNotes& /*notes*/, bool /*model_in_path*/) { return false; }

bool answer_has_shape(const AnswerNotes& notes) {
  return notes.type_known || (notes.has_body && notes.has_usage && !notes.model.empty());
}

void end_document(AnswerNotes& notes, bool is_event) {
  Document& doc = notes.document;
  const std::string_view type = doc.type.view();
  const bool known = type == "chat.start" || type == "chat.end" || type == "message.delta" ||
                     type == "prompt_processing.start";
  if (is_event && known) notes.type_known = true;
  if (type.ends_with(".delta") && doc.delta) doc.content = true;
  notes.take_usage();
  if (type == "chat.end") {
    notes.end_answer();
  }
  if (doc.error) notes.fail();
}

}  // namespace

const DialectSpec& lmstudio() {
  static const DialectSpec spec{
      .dialect = Dialect::kLmstudio,
      .operation = Operation::kChat,
      .path_tails = kPathTails,
      .other_by_request = cohere_v1_chat,
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
