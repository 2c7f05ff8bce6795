// Gemini and Vertex embeddings: embedContent, batchEmbedContents, and predict of a text embedding
// model. Vertex counts the tokens of each input (statistics.token_count); the Gemini API may state
// nothing at all. There is no output to count.
#include "dialect_table.h"
#include "dialects/gemini_shape.h"

namespace wiretally::llm {
namespace {

constexpr std::string_view kPathTails[] = {":embedContent", ":batchEmbedContents", ":predict"};

constexpr RequestPath kRequest[] = {
    {"content", RequestSlot::kPrompt},
    {"requests[].content", RequestSlot::kPrompt},
    {"instances[].content", RequestSlot::kPrompt},
};

constexpr AnswerPath kAnswer[] = {
    {"embedding", AnswerSlot::kBody},
    {"embedding.values", AnswerSlot::kVector},
    {"embedding.values[]", AnswerSlot::kVectorNumber},
    {"embeddings", AnswerSlot::kBody},
    {"embeddings[].values", AnswerSlot::kVector},
    {"embeddings[].values[]", AnswerSlot::kVectorNumber},
    {"predictions[].embeddings", AnswerSlot::kBody},
    {"predictions[].embeddings.values", AnswerSlot::kVector},
    {"predictions[].embeddings.values[]", AnswerSlot::kVectorNumber},
    {"predictions[].embeddings.statistics.token_count", AnswerSlot::kUsageAddend,
     UsageField::kInput},
    {"usageMetadata", AnswerSlot::kUsage},
    {"usageMetadata.promptTokenCount", AnswerSlot::kUsageNumber, UsageField::kInput},
    {"usageMetadata.totalTokenCount", AnswerSlot::kUsageNumber, UsageField::kTotal},
    WIRETALLY_GEMINI_DETAILS("usageMetadata.promptTokenDetails", UsageField::kInput),
    WIRETALLY_GEMINI_DETAILS("usageMetadata.promptTokensDetails", UsageField::kInput),
    WIRETALLY_GOOGLE_ERRORS,
};

// Vertex predicts with models of all kinds.
bool path_fits(std::string_view path) {
  if (!path.ends_with(":predict")) return true;
  const std::string_view model = path.substr(path.rfind('/') + 1);
  return model.find("embedding") != model.npos || model.starts_with("textembedding-gecko");
}

bool request_has_shape(const RequestNotes& notes, bool model_in_path) {
  return model_in_path && notes.has_prompt;
}

bool answer_has_shape(const AnswerNotes& notes) { return notes.has_body && notes.has_usage; }

void end_document(AnswerNotes& notes, bool /*is_event*/) {
  // Each prediction counts for itself: of a body that was cut, what came stands.
  notes.take_usage();
  if (notes.document.error) notes.fail();
}

void normalise(const AnswerNotes& notes, const UsageContext& context, UsageRecord& record) {
  if (!notes.has_usage) return;
  TokenCounts& tokens = record.tokens;
  if (notes.usage.malformed()) record.flags.set(RecordFlag::kUsageMalformed);
  tokens.input = notes.usage.get(UsageField::kInput);
  if (!tokens.input.has_value() && !notes.usage.malformed(UsageField::kInput)) {
    tokens.input = notes.usage.get(UsageField::kTotal);
  }
  tokens.input_image = notes.usage.get(UsageField::kInputImage);
  tokens.input_audio = notes.usage.get(UsageField::kInputAudio);
  note_sources(context, tokens);
}

}  // namespace

const DialectSpec& gemini_embeddings() {
  static const DialectSpec spec{
      .dialect = Dialect::kGeminiEmbeddings,
      .operation = Operation::kEmbeddings,
      .path_tails = kPathTails,
      .path_fits = path_fits,
      .joins = false,
      .request_paths = path_set<kRequest>(),
      .request_slots = kRequest,
      .answer_paths = path_set<kAnswer>(),
      .answer_slots = kAnswer,
      .request_has_shape = request_has_shape,
      .answer_has_shape = answer_has_shape,
      .end_document = end_document,
      .normalise = normalise,
  };
  return spec;
}

}  // namespace wiretally::llm
