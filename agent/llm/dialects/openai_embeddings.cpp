// OpenAI embeddings: one JSON document of any size, vectors as numbers or as one base64 string,
// `usage` before or behind them. There is no output to count. Voyage has two more of the kind: what
// they read stands in `inputs`, and chunks of one document in a list of their own.
#include "dialect_table.h"
#include "dialects/openai_shape.h"

namespace wiretally::llm {
namespace {

constexpr std::string_view kPathTails[] = {"/embeddings", "/multimodalembeddings",
                                           "/contextualizedembeddings"};

constexpr RequestPath kRequest[] = {
    {"model", RequestSlot::kModel},
    {"user", RequestSlot::kUser},
    {"input", RequestSlot::kPrompt},
    {"inputs", RequestSlot::kPrompt},
};

constexpr AnswerPath kAnswer[] = {
    {"id", AnswerSlot::kResponseId},
    {"object", AnswerSlot::kObject},
    {"model", AnswerSlot::kModel},
    {"type", AnswerSlot::kType},
    {"data[].embedding", AnswerSlot::kVector},
    {"data[].embedding[]", AnswerSlot::kVectorNumber},
    {"data[].data[].embedding", AnswerSlot::kVector},
    {"data[].data[].embedding[]", AnswerSlot::kVectorNumber},
    {"usage", AnswerSlot::kUsage},
    {"usage.prompt_tokens", AnswerSlot::kUsageNumber, UsageField::kInput},
    {"usage.total_tokens", AnswerSlot::kUsageNumber, UsageField::kTotal},
    {"usage.prompt_tokens_details.cached_tokens", AnswerSlot::kUsageNumber, UsageField::kCacheRead},
    WIRETALLY_STATED_COST("usage"),
    WIRETALLY_OPENAI_ERRORS,
};

bool request_has_shape(const RequestNotes& notes, bool model_in_path) {
  // `of_other`: at Ollama's path its input told that it is of this dialect.
  return (model_in_path || !notes.model.empty()) && (notes.has_prompt || notes.of_other);
}

bool answer_has_shape(const AnswerNotes& notes) {
  return notes.has_body && (notes.object.view() == "list" || !notes.model.empty());
}

// Some servers (Voyage) state the total alone: without output it is the input.
void normalise(const AnswerNotes& notes, const UsageContext& context, UsageRecord& record) {
  if (!notes.has_usage) return;
  TokenCounts& tokens = record.tokens;
  normalise_openai(notes.usage, {}, tokens, record.flags);
  if (!tokens.input.has_value() && !notes.usage.malformed(UsageField::kInput)) {
    tokens.input = notes.usage.get(UsageField::kTotal);
  }
  note_sources(context, tokens);
}

}  // namespace

const DialectSpec& openai_embeddings() {
  static const DialectSpec spec{
      .dialect = Dialect::kOpenaiEmbeddings,
      .operation = Operation::kEmbeddings,
      .path_tails = kPathTails,
      .answer_decides = true,
      .request_paths = path_set<kRequest>(),
      .request_slots = kRequest,
      .answer_paths = path_set<kAnswer>(),
      .answer_slots = kAnswer,
      .request_has_shape = request_has_shape,
      .answer_has_shape = answer_has_shape,
      .end_document = end_choices_document,
      .normalise = normalise,
  };
  return spec;
}

}  // namespace wiretally::llm
