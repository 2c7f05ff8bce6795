// Cohere's API, version 2: chat as JSON or SSE, embed, rerank.
//
//   message-start                             the answer's id
//   content-delta, tool-call-start / delta    generated text, a tool's name, arguments
//   message-end                               finish reason and usage; the stream's end
//
// `tokens` is what the model processed, its template included; `billed_units` is what is charged.
#include "dialect_table.h"
#include "dialects/cohere_shape.h"

namespace wiretally::llm {
namespace {

constexpr std::string_view kChatTails[] = {"/v2/chat"};
constexpr std::string_view kEmbedTails[] = {"/v2/embed"};
constexpr std::string_view kRerankTails[] = {"/v2/rerank"};

constexpr RequestPath kRequest[] = {
    {"model", RequestSlot::kModel},        {"stream", RequestSlot::kStream},
    {"input_type", RequestSlot::kPrompt},  {"documents", RequestSlot::kPrompt},
    {"safety_mode", RequestSlot::kPrompt}, {"messages[].content[].type", RequestSlot::kPartType},
};

constexpr AnswerPath kAnswer[] = {
    {"type", AnswerSlot::kType},
    {"id", AnswerSlot::kResponseId},
    {"finish_reason", AnswerSlot::kFinishReason},
    {"message.role", AnswerSlot::kRole},
    {"message", AnswerSlot::kBody},
    {"message.tool_calls[]", AnswerSlot::kToolItem},
    {"message.tool_calls[].id", AnswerSlot::kToolId},
    {"message.tool_calls[].function.name", AnswerSlot::kToolName},
    WIRETALLY_COHERE_USAGE("usage"),
    visible_text("delta.message.content.text", AnswerSlot::kContent),
    visible_text("message.content[].text", AnswerSlot::kText),
    {"delta.message.content.thinking", AnswerSlot::kContent},
    {"delta.message.tool_plan", AnswerSlot::kContent},
    {"delta.message.tool_calls", AnswerSlot::kToolItem},
    {"delta.message.tool_calls.id", AnswerSlot::kToolId},
    {"delta.message.tool_calls.function.name", AnswerSlot::kToolName},
    {"delta.message.tool_calls.function.arguments", AnswerSlot::kContent},
    {"delta.finish_reason", AnswerSlot::kFinishReason},
    {"delta.error", AnswerSlot::kError},
    WIRETALLY_COHERE_USAGE("delta.usage"),
    {"embeddings.float[]", AnswerSlot::kVector},
    {"embeddings.float[][]", AnswerSlot::kVectorNumber},
    {"embeddings.base64[]", AnswerSlot::kVector},
    WIRETALLY_COHERE_LISTS,
};

void end_document(AnswerNotes& notes, bool is_event) {
  Document& doc = notes.document;
  const std::string_view type = doc.type.view();
  notes.take_usage();
  if (is_event && (type == "message-end" || type == "content-delta")) notes.type_known = true;
  if (is_event && type == "message-end") {
    notes.end_answer();
  }
  const bool failed = doc.finished && notes.finish_reason == FinishReason::kError;
  if (doc.error || failed || !doc.error_name.empty()) notes.fail();
}

DialectSpec spec_of(Operation operation, std::span<const std::string_view> tails) {
  static const CohereVersion version{.dialect = Dialect::kCohereV2,
                                     .request_paths = path_set<kRequest>(),
                                     .request_slots = kRequest,
                                     .answer_paths = path_set<kAnswer>(),
                                     .answer_slots = kAnswer,
                                     .end_document = end_document};
  return cohere_spec(version, operation, tails);
}

}  // namespace

const DialectSpec& cohere_v2_chat() {
  static const DialectSpec spec = spec_of(Operation::kChat, kChatTails);
  return spec;
}

const DialectSpec& cohere_v2_embed() {
  static const DialectSpec spec = spec_of(Operation::kEmbeddings, kEmbedTails);
  return spec;
}

const DialectSpec& cohere_v2_rerank() {
  static const DialectSpec spec = spec_of(Operation::kRerank, kRerankTails);
  return spec;
}

}  // namespace wiretally::llm
