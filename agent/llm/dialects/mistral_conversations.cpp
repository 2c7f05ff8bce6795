// Mistral's conversations: one JSON document of object `conversation.response`, or SSE whose events
// carry their kind in `type` too. Usage has the names of chat completions.
//
//   conversation.response.started     conversation_id
//   message.output.delta              generated text, and the model
//   function.call.delta               a tool's name, and its arguments in fragments
//   conversation.response.done        usage; the stream's end
//   conversation.response.error       {code, message}; the stream's end
//
// OpenAI has an API of this name too, in which nothing is generated: only answers prove a call.
#include "dialect_table.h"
#include "dialects/openai_shape.h"

namespace wiretally::llm {
namespace {

constexpr std::string_view kPathTails[] = {"/conversations"};

constexpr RequestPath kRequest[] = {
    {"model", RequestSlot::kModel},
    {"stream", RequestSlot::kStream},
    {"inputs", RequestSlot::kPrompt},
};

constexpr AnswerPath kAnswer[] = {
    {"type", AnswerSlot::kType},
    {"object", AnswerSlot::kObject},
    {"conversation_id", AnswerSlot::kResponseId},
    {"model", AnswerSlot::kModel},
    {"content", AnswerSlot::kContent},
    {"content.text", AnswerSlot::kContent},
    {"outputs[]", AnswerSlot::kToolItem},
    {"outputs[].type", AnswerSlot::kToolType},
    {"outputs[].name", AnswerSlot::kToolName},
    {"outputs[].tool_call_id", AnswerSlot::kToolId},
    {"outputs[].model", AnswerSlot::kModel},
    {"name", AnswerSlot::kToolName},
    {"tool_call_id", AnswerSlot::kToolId},
    {"arguments", AnswerSlot::kContent},
    {"usage", AnswerSlot::kUsage},
    WIRETALLY_CHAT_USAGE("usage", AnswerSlot::kUsageNumber),
    {"usage.connector_tokens", AnswerSlot::kUsageNumber, UsageField::kToolUsePrompt},
    {"usage.connectors.web_search", AnswerSlot::kUsageNumber, UsageField::kServerTools},
    {"code", AnswerSlot::kErrorNumber},
    WIRETALLY_OPENAI_ERRORS,
};

bool request_has_shape(const RequestNotes& /*notes*/, bool /*model_in_path*/) { return false; }

bool answer_has_shape(const AnswerNotes& notes) {
  return notes.type_known || notes.object.view() == "conversation.response";
}

void end_document(AnswerNotes& notes, bool is_event) {
  Document& doc = notes.document;
  const std::string_view type = doc.type.view();
  if (is_event && type == "function.call.delta") notes.tools.end_item(true);
  notes.tools.begin_item();
  if (is_event && (type.starts_with("conversation.response.") || type == "message.output.delta")) {
    notes.type_known = true;
  }
  notes.take_usage();
  const bool done = is_event ? type == "conversation.response.done" : answer_has_shape(notes);
  if (done) {
    notes.end_answer();
    notes.finish_reason = notes.tools.count() > 0 ? FinishReason::kToolCalls : FinishReason::kStop;
  }
  if (doc.error || type == "conversation.response.error") notes.fail();
}

}  // namespace

const DialectSpec& mistral_conversations() {
  static const DialectSpec spec{
      .dialect = Dialect::kOpenaiChat,
      .operation = Operation::kChat,
      .path_tails = kPathTails,
      .joins = false,
      .heads_prove = false,
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
