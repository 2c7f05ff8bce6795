// DashScope, the own API of Alibaba's Model Studio: generation (of text, and with pictures and
// sound), embeddings and rerank. One JSON document; generation also as SSE of the same, which a
// header asks for.
//
// Every event states the usage so far, and its finish reason is the word "null" until the end,
// behind which nothing comes. What an answer holds, the whole text so far or what is new, is the
// client's choice. Errors are {code, message}, in JSON or as the one event of SSE, whatever the
// content type says; both members may stand, empty, in an answer that is none.
//
// Sound of Qwen-Audio, which states no total, stands outside the input; pictures stand in it.
// Models that make pictures, speak or transcribe are asked at the same path, and counted in pieces,
// characters and seconds.
#include "dialect_table.h"
#include "dialects/openai_shape.h"

namespace wiretally::llm {
namespace {

constexpr std::string_view kGenerationTails[] = {
    "/services/aigc/text-generation/generation",
    "/services/aigc/multimodal-generation/generation",
};
constexpr std::string_view kEmbedTails[] = {
    "/services/embeddings/text-embedding/text-embedding",
    "/services/embeddings/multimodal-embedding/multimodal-embedding",
};
constexpr std::string_view kRerankTails[] = {"/services/rerank/text-rerank/text-rerank"};

constexpr RequestPath kRequest[] = {
    {"model", RequestSlot::kModel},
    {"input.messages", RequestSlot::kPrompt},
    {"input.prompt", RequestSlot::kPrompt},
    {"input.text", RequestSlot::kPrompt},
    {"input.texts", RequestSlot::kPrompt},
    {"input.contents", RequestSlot::kPrompt},
    {"input.query", RequestSlot::kPrompt},
    {"input.messages[].content[].image", RequestSlot::kNotText},
    {"input.messages[].content[].audio", RequestSlot::kNotText},
    {"input.messages[].content[].video", RequestSlot::kNotText},
};

// The words of notes.object, for what is no chat.
constexpr std::string_view kImage = "image";
constexpr std::string_view kSpeech = "speech";

constexpr AnswerPath kAnswer[] = {
    {"request_id", AnswerSlot::kResponseId},
    {"output.choices", AnswerSlot::kChoices},
    {"output.choices[]", AnswerSlot::kChoice},
    {"output.choices[].index", AnswerSlot::kToolChoice},
    {"output.choices[].finish_reason", AnswerSlot::kFinishReason},
    {"output.choices[].message", AnswerSlot::kBody},
    visible_text("output.choices[].message.content", AnswerSlot::kContent),
    visible_text("output.choices[].message.content[].text", AnswerSlot::kContent),
    {"output.choices[].message.content[].image", AnswerSlot::kContentData},
    {"output.choices[].message.reasoning_content", AnswerSlot::kContent},
    {"output.choices[].message.tool_calls[]", AnswerSlot::kToolItem},
    {"output.choices[].message.tool_calls[].index", AnswerSlot::kToolIndex},
    {"output.choices[].message.tool_calls[].id", AnswerSlot::kToolId},
    {"output.choices[].message.tool_calls[].function.name", AnswerSlot::kToolName},
    {"output.choices[].message.tool_calls[].function.arguments", AnswerSlot::kContent},
    visible_text("output.text", AnswerSlot::kBodyText),
    {"output.finish_reason", AnswerSlot::kFinishReason},
    {"output.audio", AnswerSlot::kStreamItem},
    {"output.audio.data", AnswerSlot::kContentData},
    {"output.embeddings[].embedding", AnswerSlot::kVector},
    {"output.embeddings[].embedding[]", AnswerSlot::kVectorNumber},
    {"output.results", AnswerSlot::kBody},
    {"usage", AnswerSlot::kUsage},
    WIRETALLY_RESPONSES_USAGE("usage", AnswerSlot::kUsageNumber),
    {"usage.prompt_tokens_details.cached_tokens", AnswerSlot::kUsageNumber, UsageField::kCacheRead},
    {"usage.prompt_tokens_details.cache_creation_input_tokens", AnswerSlot::kUsageNumber,
     UsageField::kCacheWrite},
    {"usage.image_tokens", AnswerSlot::kUsageNumber, UsageField::kInputImage},
    {"usage.audio_tokens", AnswerSlot::kUsageNumber, UsageField::kInputAudio},
    {"usage.image_count", AnswerSlot::kDetailCount},
    {"usage.seconds", AnswerSlot::kBilledSeconds},
    {"code", AnswerSlot::kErrorCode},
};

bool request_has_shape(const RequestNotes& notes, bool /*model_in_path*/) {
  return !notes.model.empty() && notes.has_prompt;
}

bool generation_has_shape(const AnswerNotes& notes) {
  const bool generates =
      notes.has_choices || !notes.object.empty() || notes.finish_reason != FinishReason::kUnknown;
  return generates && !notes.response_id.empty() && (notes.has_body || notes.has_usage);
}

bool lists_have_shape(const AnswerNotes& notes) {
  return notes.has_body && notes.has_usage && !notes.response_id.empty();
}

void end_document(AnswerNotes& notes, bool is_event) {
  Document& doc = notes.document;
  const bool answers = doc.has_choices || doc.content || doc.has_item || !doc.usage.empty();
  if (doc.error || (!doc.error_name.empty() && !answers)) {
    const std::string_view name = doc.error_name.view();
    if (name == "Throttling.RateQuota") notes.requests_limited = true;
    if (name == "Throttling.AllocationQuota") notes.tokens_limited = true;
    notes.fail();
    return;
  }
  if (doc.has_item) notes.object.assign(kSpeech);
  const bool in_tokens = doc.usage.get(UsageField::kOutput).has_value();
  if (doc.detail_count.has_value() && !in_tokens) notes.object.assign(kImage);
  notes.take_usage();
  if (is_event && notes.finish_reason != FinishReason::kUnknown) notes.end_answer();
}

Operation operation_of_answer(const AnswerNotes& notes, Operation by_path) {
  if (by_path != Operation::kChat) return by_path;
  if (notes.object.view() == kImage) return Operation::kImageGeneration;
  if (notes.object.view() == kSpeech) return Operation::kSpeech;
  const bool by_time = notes.billed_audio_ms.has_value() && !notes.usage.get(UsageField::kInput);
  return by_time ? Operation::kTranscription : by_path;
}

void normalise_generation(const AnswerNotes& notes, const UsageContext& context,
                          UsageRecord& record) {
  if (!notes.has_usage) return;
  UsageSheet sheet = notes.usage;
  // What is billed by the character says nothing with its zeros.
  if (notes.object.view() == kSpeech && sheet.all_zero()) return;
  const auto input = sheet.get(UsageField::kInput), audio = sheet.get(UsageField::kInputAudio);
  // A total would tell where the sound stands.
  if (input.has_value() && audio.has_value() && !sheet.get(UsageField::kTotal).has_value()) {
    sheet.set(UsageField::kInput, *input + *audio);
  }
  normalise_openai(sheet, {}, record.tokens, record.flags);
  note_sources(context, record.tokens);
}

// Without output the total is the input.
void normalise_lists(const AnswerNotes& notes, const UsageContext& context, UsageRecord& record) {
  if (!notes.has_usage) return;
  if (notes.usage.malformed()) record.flags.set(RecordFlag::kUsageMalformed);
  record.tokens.input = notes.usage.get(UsageField::kInput);
  if (!record.tokens.input.has_value()) record.tokens.input = notes.usage.get(UsageField::kTotal);
  record.tokens.input_image = notes.usage.get(UsageField::kInputImage);
  note_sources(context, record.tokens);
}

DialectSpec spec_of(Operation operation, std::span<const std::string_view> tails) {
  const bool chat = operation == Operation::kChat;
  return {
      .dialect = Dialect::kDashscope,
      .operation = operation,
      .path_tails = tails,
      .has_tokens = operation != Operation::kRerank,
      .operation_of_answer = operation_of_answer,
      .joins = chat,
      .answer_decides = true,
      .prompt_is_body = chat,
      .request_paths = path_set<kRequest>(),
      .request_slots = kRequest,
      .answer_paths = path_set<kAnswer>(),
      .answer_slots = kAnswer,
      .request_has_shape = request_has_shape,
      .answer_has_shape = chat ? generation_has_shape : lists_have_shape,
      .end_document = end_document,
      .normalise = chat ? normalise_generation : normalise_lists,
  };
}

}  // namespace

const DialectSpec& dashscope_generation() {
  static const DialectSpec spec = spec_of(Operation::kChat, kGenerationTails);
  return spec;
}

const DialectSpec& dashscope_embed() {
  static const DialectSpec spec = spec_of(Operation::kEmbeddings, kEmbedTails);
  return spec;
}

const DialectSpec& dashscope_rerank() {
  static const DialectSpec spec = spec_of(Operation::kRerank, kRerankTails);
  return spec;
}

}  // namespace wiretally::llm
