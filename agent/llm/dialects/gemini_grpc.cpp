// Gemini's and Vertex AI's generateContent over gRPC, which Google's client libraries speak unless
// they are told otherwise: the messages of gemini_generate.cpp as protobuf. The two APIs number
// their fields differently (descriptors of google-ai-generativelanguage and
// google-cloud-aiplatform).
//
// Usage as there: the last message that counts anything is taken whole; one of Vertex that holds
// nothing but the kind of traffic does not. Version 3 of protobuf leaves out numbers that are 0.
#include "dialect_table.h"
#include "dialects/gemini_shape.h"

namespace wiretally::llm {
namespace {

using enum AnswerSlot;

constexpr uint32_t kOfGemini = 1;
constexpr uint32_t kOfVertex = 2;

constexpr Rpc whole(std::string_view tail, uint32_t api) {
  return {.tail = tail, .request = api, .answer = api};
}
constexpr Rpc streamed(std::string_view tail, uint32_t api) {
  return {.tail = tail, .request = api, .answer = api, .streams = true};
}

#define WIRETALLY_GEMINI_RPCS(service, api) \
  whole(service "/GenerateContent", api), streamed(service "/StreamGenerateContent", api)

constexpr Rpc kRpcs[] = {
    WIRETALLY_GEMINI_RPCS("/google.ai.generativelanguage.v1.GenerativeService", kOfGemini),
    WIRETALLY_GEMINI_RPCS("/google.ai.generativelanguage.v1alpha.GenerativeService", kOfGemini),
    WIRETALLY_GEMINI_RPCS("/google.ai.generativelanguage.v1beta.GenerativeService", kOfGemini),
    WIRETALLY_GEMINI_RPCS("/google.cloud.aiplatform.v1.PredictionService", kOfVertex),
    WIRETALLY_GEMINI_RPCS("/google.cloud.aiplatform.v1beta1.PredictionService", kOfVertex),
};

constexpr RequestPath kRequest[] = {
    {"1.1", RequestSlot::kModelResource}, {"1.2.1", RequestSlot::kPrompt},
    {"1.2.1.3{}", RequestSlot::kNotText},  // inline_data
    {"1.2.1.6{}", RequestSlot::kNotText},  // file_data
    {"1.9", RequestSlot::kNotText},        // cached_content
    {"2.5", RequestSlot::kModelResource}, {"2.2.1", RequestSlot::kPrompt},
    {"2.2.1.2{}", RequestSlot::kNotText}, {"2.2.1.3{}", RequestSlot::kNotText},
    {"2.9", RequestSlot::kNotText},
};

// Enumerations differ, too.
constexpr std::string_view kGeminiFinish[] = {"",
                                              "STOP",
                                              "MAX_TOKENS",
                                              "SAFETY",
                                              "RECITATION",
                                              "OTHER",
                                              "LANGUAGE",
                                              "BLOCKLIST",
                                              "PROHIBITED_CONTENT",
                                              "SPII",
                                              "MALFORMED_FUNCTION_CALL",
                                              "IMAGE_SAFETY",
                                              "UNEXPECTED_TOOL_CALL",
                                              "TOO_MANY_TOOL_CALLS",
                                              "IMAGE_PROHIBITED_CONTENT",
                                              "IMAGE_OTHER",
                                              "NO_IMAGE",
                                              "IMAGE_RECITATION"};
constexpr std::string_view kVertexFinish[] = {
    "",           "STOP",      "MAX_TOKENS",         "SAFETY", "RECITATION",
    "OTHER",      "BLOCKLIST", "PROHIBITED_CONTENT", "SPII",   "MALFORMED_FUNCTION_CALL",
    "MODEL_ARMOR"};
constexpr std::string_view kTraffic[] = {"", "ON_DEMAND", "PROVISIONED_THROUGHPUT",
                                         "ON_DEMAND_PRIORITY", "ON_DEMAND_FLEX"};

constexpr AnswerPath words(std::string_view pattern, AnswerSlot slot,
                           std::span<const std::string_view> of_values) {
  AnswerPath path{pattern, slot};
  path.words = of_values;
  return path;
}

// ModalityTokenCount.
#define WIRETALLY_MODALITIES(root, field) \
  {root, kDetail, field}, {root ".1", kDetailName}, { root ".2", kDetailCount }

constexpr AnswerPath kAnswer[] = {
    // Gemini
    {"1.5", kResponseId},
    {"1.4", kModel},
    {"1.1", kChoice},
    visible_text("1.1.1.1.2", kContent),
    {"1.1.1.1.3{}", kContentItem},  // inline_data
    {"1.1.1.1.4", kContentItem},    // function_call
    {"1.1.1.1.4.1", kLoneToolName},
    {"1.1.1.1.9{}", kContentItem},  // executable_code
    words("1.1.2", kFinishReason, kGeminiFinish),
    {"1.2.1", kBlocked},
    {"1.3", kUsage},
    {"1.3.1", kUsageNumber, UsageField::kInput},
    {"1.3.2", kUsageNumber, UsageField::kOutput},
    {"1.3.3", kUsageNumber, UsageField::kTotal},
    {"1.3.4", kUsageNumber, UsageField::kCacheRead},
    {"1.3.8", kUsageNumber, UsageField::kToolUsePrompt},
    {"1.3.10", kUsageNumber, UsageField::kReasoning},
    WIRETALLY_MODALITIES("1.3.5", UsageField::kInput),
    WIRETALLY_MODALITIES("1.3.6", UsageField::kCacheRead),
    WIRETALLY_MODALITIES("1.3.7", UsageField::kOutput),
    // Vertex
    {"2.13", kResponseId},
    {"2.11", kModel},
    {"2.2", kChoice},
    visible_text("2.2.2.1.1", kContent),
    {"2.2.2.1.2{}", kContentItem},
    {"2.2.2.1.5", kContentItem},
    {"2.2.2.1.5.1", kLoneToolName},
    {"2.2.2.1.8{}", kContentItem},
    words("2.2.3", kFinishReason, kVertexFinish),
    {"2.3.1", kBlocked},
    {"2.4", kUsage},
    {"2.4.1", kUsageNumber, UsageField::kInput},
    {"2.4.2", kUsageNumber, UsageField::kOutput},
    {"2.4.3", kUsageNumber, UsageField::kTotal},
    {"2.4.5", kUsageNumber, UsageField::kCacheRead},
    {"2.4.13", kUsageNumber, UsageField::kToolUsePrompt},
    {"2.4.14", kUsageNumber, UsageField::kReasoning},
    words("2.4.8", kServiceTier, kTraffic),
    WIRETALLY_MODALITIES("2.4.9", UsageField::kInput),
    WIRETALLY_MODALITIES("2.4.10", UsageField::kCacheRead),
    WIRETALLY_MODALITIES("2.4.11", UsageField::kOutput),
};

bool request_has_shape(const RequestNotes& notes, bool /*model_in_path*/) {
  return !notes.model.empty() && notes.has_prompt;
}

bool answer_has_shape(const AnswerNotes& notes) { return notes.has_usage || !notes.model.empty(); }

void end_document(AnswerNotes& notes, bool is_event) {
  using F = UsageField;
  UsageSheet& usage = notes.document.usage;
  if (!usage.empty()) {
    for (const F field : {F::kInput, F::kOutput, F::kReasoning, F::kCacheRead}) {
      if (!usage.get(field).has_value() && !usage.malformed(field)) usage.set(field, 0);
    }
  }
  end_gemini_document(notes, is_event);
}

}  // namespace

const DialectSpec& gemini_grpc() {
  static const DialectSpec spec{
      .dialect = Dialect::kGeminiGenerate,
      .operation = Operation::kChat,
      .joins = false,
      .prompt_is_body = true,
      .rpcs = kRpcs,
      .request_fields = field_set<kRequest>(),
      .answer_fields = field_set<kAnswer>(),
      .request_slots = kRequest,
      .answer_slots = kAnswer,
      .request_has_shape = request_has_shape,
      .answer_has_shape = answer_has_shape,
      .end_document = end_document,
      .normalise = normalise_gemini_answer,
  };
  return spec;
}

}  // namespace wiretally::llm
