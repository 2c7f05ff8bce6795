// Cohere's API, version 1: chat as JSON, or as NDJSON or SSE whose documents carry their kind in
// `event_type`; generate, which came before it; embed; rerank, which others speak too.
//
//   stream-start                              generation_id
//   text-generation, tool-calls-chunk         generated text
//   tool-calls-generation                     the names of all tool calls
//   stream-end                                the whole answer with its meta; the stream's end
#include "dialect_table.h"
#include "dialects/cohere_shape.h"
#include "target.h"

namespace wiretally::llm {
namespace {

constexpr std::string_view kChatTails[] = {"/v1/chat"};
constexpr std::string_view kEmbedTails[] = {"/v1/embed"};
constexpr std::string_view kRerankTails[] = {"/v1/rerank", "/rerank", "/reranking"};
constexpr std::string_view kGenerateTails[] = {"/v1/generate"};

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
    {"generations", AnswerSlot::kChoices},  // of no chat
    visible_text("generations[].text", AnswerSlot::kText),
    {"generations[].finish_reason", AnswerSlot::kFinishReason},
    {"data[]", AnswerSlot::kBody},  // Mixedbread's reranks
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

// A model of Triton's may be called v1.
bool is_not_of_triton(std::string_view path) { return triton_model(path).empty(); }

bool generate_has_shape(const AnswerNotes& notes) {
  return notes.type_known ||
         (notes.has_choices && notes.usage.get(UsageField::kBilledOutput).has_value());
}

}  // namespace

const DialectSpec& cohere_v1_generate() {
  static const DialectSpec spec = [] {
    DialectSpec generate = spec_of(Operation::kTextCompletion, kGenerateTails);
    generate.path_fits = is_not_of_triton;
    generate.other_by_answer = tgi;  // mounted under /v1
    generate.prompt_is_body = true;
    generate.answer_has_shape = generate_has_shape;
    return generate;
  }();
  return spec;
}

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
