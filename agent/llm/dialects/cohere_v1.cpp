// Cohere's API, version 1: chat as JSON, or as NDJSON or SSE whose documents carry their kind in
// `event_type`; embed, rerank.
//
//   stream-start                              generation_id
//   text-generation, tool-calls-chunk         generated text
//   tool-calls-generation                     the names of all tool calls
//   stream-end                                the whole answer with its meta; the stream's end
#include "dialect_table.h"
#include "dialects/cohere_shape.h"

namespace wiretally::llm {
namespace {

constexpr std::string_view kChatTails[] = {"/v1/chat"};
constexpr std::string_view kEmbedTails[] = {"/v1/embed"};
constexpr std::string_view kRerankTails[] = {"/v1/rerank"};

constexpr RequestPath kRequest[] = {
    {"model", RequestSlot::kModel},
    {"stream", RequestSlot::kStream},
    {"input_type", RequestSlot::kPrompt},
    {"chat_history", RequestSlot::kPrompt},
    {"documents", RequestSlot::kPrompt},
    {"connectors", RequestSlot::kElsewhere},
    {"conversation_id", RequestSlot::kNotText},
};

constexpr AnswerPath kAnswer[] = {
    {"event_type", AnswerSlot::kType},
    {"generation_id", AnswerSlot::kResponseId},
    {"id", AnswerSlot::kResponseId},
    visible_text("text", AnswerSlot::kBodyText),
    {"finish_reason", AnswerSlot::kFinishReason},
    {"tool_calls[].name", AnswerSlot::kLoneToolName},
    {"tool_call_delta", AnswerSlot::kContentItem},
    {"error", AnswerSlot::kError},
    {"response", AnswerSlot::kBody},
    {"response.generation_id", AnswerSlot::kResponseId},
    {"response.finish_reason", AnswerSlot::kFinishReason},
    WIRETALLY_COHERE_USAGE("response.meta"),
    {"embeddings[]", AnswerSlot::kVector},
    {"embeddings[][]", AnswerSlot::kVectorNumber},
    WIRETALLY_COHERE_LISTS,
};

void end_document(AnswerNotes& notes, bool is_event) {
  Document& doc = notes.document;
  const std::string_view type = doc.type.view();
  if (is_event && (type == "text-generation" || type == "stream-end")) notes.type_known = true;
  if (type == "stream-end" || !is_event) notes.take_usage();
  if (is_event && type.empty()) notes.take_usage();  // one document under NDJSON's content type
  if (type == "stream-end") {
    notes.end_answer();
    doc.content = false;
  }
  const bool failed = doc.finished && notes.finish_reason == FinishReason::kError;
  if (doc.error || failed || !doc.error_name.empty()) notes.fail();
}

DialectSpec spec_of(Operation operation, std::span<const std::string_view> tails) {
  static const CohereVersion version{.dialect = Dialect::kCohereV1,
                                     .request_paths = path_set<kRequest>(),
                                     .request_slots = kRequest,
                                     .answer_paths = path_set<kAnswer>(),
                                     .answer_slots = kAnswer,
                                     .end_document = end_document,
                                     .series = JsonSeries::kLines,
                                     .other_chat = openai_chat};
  return cohere_spec(version, operation, tails);
}

}  // namespace

const DialectSpec& cohere_v1_chat() {
  static const DialectSpec spec = spec_of(Operation::kChat, kChatTails);
  return spec;
}

const DialectSpec& cohere_v1_embed() {
  static const DialectSpec spec = spec_of(Operation::kEmbeddings, kEmbedTails);
  return spec;
}

const DialectSpec& cohere_v1_rerank() {
  static const DialectSpec spec = spec_of(Operation::kRerank, kRerankTails);
  return spec;
}

}  // namespace wiretally::llm
