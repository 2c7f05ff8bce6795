// Ollama's own API: chat, generate, embed, and embeddings, which came before embed and counts
// nothing. NDJSON unless the request says stream:false; the line
// with done:true holds the counts, and a line {"error":text} is the end.
//
// Counts that are 0 are left out, and so is the prompt's when all of it was in the prefix cache:
// what is missing is unknown. A request without a prompt only loads or unloads a model. Web
// applications have an /api/chat too: only the answer, or a request to Ollama's port or from its
// clients, proves a call.
#include "dialect_table.h"

namespace wiretally::llm {
namespace {

constexpr std::string_view kChatTails[] = {"/api/chat"};
constexpr std::string_view kGenerateTails[] = {"/api/generate"};
constexpr std::string_view kEmbedTails[] = {"/api/embed"};
constexpr std::string_view kEmbeddingsTails[] = {"/api/embeddings"};

constexpr RequestPath kRequest[] = {
    {"model", RequestSlot::kModel},
    {"stream", RequestSlot::kStream},
    {"keep_alive", RequestSlot::kPrompt},
    {"options.num_ctx", RequestSlot::kPrompt},
    {"messages[].images", RequestSlot::kNotText},
    {"images", RequestSlot::kNotText},
    {"context", RequestSlot::kNotText},
};

// Where others have OpenAI's embeddings.
constexpr RequestPath kEmbeddingsRequest[] = {
    {"model", RequestSlot::kModel},       {"user", RequestSlot::kUser},
    {"keep_alive", RequestSlot::kPrompt}, {"options.num_ctx", RequestSlot::kPrompt},
    {"input", RequestSlot::kOther},
};

constexpr AnswerPath kAnswer[] = {
    {"model", AnswerSlot::kModel},
    {"created_at", AnswerSlot::kObject},
    {"message", AnswerSlot::kBody},
    visible_text("message.content", AnswerSlot::kContent),
    {"message.thinking", AnswerSlot::kContent},
    {"message.tool_calls", AnswerSlot::kContentItem},
    {"message.tool_calls[].function.name", AnswerSlot::kLoneToolName},
    visible_text("response", AnswerSlot::kBodyText),
    {"thinking", AnswerSlot::kBodyText},
    {"embeddings", AnswerSlot::kBody},
    {"embeddings[]", AnswerSlot::kVector},
    {"embeddings[][]", AnswerSlot::kVectorNumber},
    {"embedding", AnswerSlot::kVector},
    {"embedding[]", AnswerSlot::kVectorNumber},
    {"done", AnswerSlot::kDone},
    {"done_reason", AnswerSlot::kFinishReason},
    {"prompt_eval_count", AnswerSlot::kUsageNumber, UsageField::kInput},
    {"eval_count", AnswerSlot::kUsageNumber, UsageField::kOutput},
    {"load_duration", AnswerSlot::kDetailCount},
    {"error", AnswerSlot::kError},
};

bool request_has_shape(const RequestNotes& notes, bool /*model_in_path*/) {
  return !notes.model.empty() && notes.has_prompt;
}

bool answer_has_shape(const AnswerNotes& notes) {
  return notes.has_body && !notes.model.empty() && (notes.has_done || notes.has_usage);
}

void end_document(AnswerNotes& notes, bool /*is_event*/) {
  Document& doc = notes.document;
  notes.take_usage();
  // Imitators tell no time: neither when it was made nor how long its model took to load.
  const bool tells_time = notes.has_done ? !notes.object.empty() : doc.detail_count.has_value();
  if (tells_time) notes.fingerprint.assign("fp_ollama");
  if (doc.last) {
    notes.end_answer();
    notes.bills_nothing = doc.loads;
  }
  if (doc.error) notes.fail();
}

void normalise(const AnswerNotes& notes, const UsageContext& context, UsageRecord& record) {
  if (notes.usage.malformed()) record.flags.set(RecordFlag::kUsageMalformed);
  if (!notes.has_usage) return;
  TokenCounts& tokens = record.tokens;
  tokens.input = notes.usage.get(UsageField::kInput);
  tokens.output = notes.usage.get(UsageField::kOutput);
  note_sources(context, tokens);
}

bool embeddings_answer_has_shape(const AnswerNotes& notes) {
  return notes.has_body && notes.vectors.any_number();
}

// Without a prompt the vector is empty.
void end_embeddings(AnswerNotes& notes, bool is_event) {
  end_document(notes, is_event);
  notes.bills_nothing = notes.has_body && !notes.vectors.any_number();
}

DialectSpec spec_of(Operation operation, std::span<const std::string_view> tails) {
  return {
      .dialect = Dialect::kOllama,
      .operation = operation,
      .path_tails = tails,
      .joins = operation == Operation::kChat,
      .series = JsonSeries::kLines,
      .prompt_is_body = operation != Operation::kEmbeddings,
      .request_paths = path_set<kRequest>(),
      .request_slots = kRequest,
      .answer_paths = path_set<kAnswer>(),
      .answer_slots = kAnswer,
      .request_has_shape = request_has_shape,
      .answer_has_shape = answer_has_shape,
      .end_document = end_document,
      .normalise = normalise,
  };
}

}  // namespace

const DialectSpec& ollama_chat() {
  static const DialectSpec spec = spec_of(Operation::kChat, kChatTails);
  return spec;
}

const DialectSpec& ollama_generate() {
  static const DialectSpec spec = spec_of(Operation::kTextCompletion, kGenerateTails);
  return spec;
}

const DialectSpec& ollama_embed() {
  static const DialectSpec spec = spec_of(Operation::kEmbeddings, kEmbedTails);
  return spec;
}

const DialectSpec& ollama_embeddings() {
  static const DialectSpec spec = [] {
    DialectSpec embeddings = spec_of(Operation::kEmbeddings, kEmbeddingsTails);
    embeddings.other_by_request = openai_embeddings;
    embeddings.other_by_head = false;
    embeddings.other_by_answer = openai_embeddings;
    embeddings.series = JsonSeries::kNone;
    embeddings.request_paths = path_set<kEmbeddingsRequest>();
    embeddings.request_slots = kEmbeddingsRequest;
    embeddings.answer_has_shape = embeddings_answer_has_shape;
    embeddings.end_document = end_embeddings;
    return embeddings;
  }();
  return spec;
}

}  // namespace wiretally::llm
