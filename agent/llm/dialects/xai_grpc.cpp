// xAI's own API over gRPC (package xai_api, as the descriptors of xai-sdk have it): chat, whole and
// as a stream of chunks, deferred and fetched; compaction of a context; text samples; images;
// embeddings.
//
// Usage is a message of its own in every answer, in a stream in every chunk, as a running total:
// the last one counts. Version 3 of protobuf leaves out numbers that are 0, so what such a message
// does not state is 0, not unknown. completion_tokens leaves reasoning out, total_tokens does not.
// Embeddings are counted in inputs, which are no tokens. The list of tools that the server ran has
// an element for each run.
//
// A deferred call is asked for by StartDeferredCompletion, which is answered with an id alone;
// GetDeferredCompletion names that id, and is answered with the whole once it is there. Its record
// has that id. GetStoredCompletion repeats what was counted before: it is none of the methods.
#include "dialect_table.h"

namespace wiretally::llm {
namespace {

using enum AnswerSlot;

constexpr Rpc kRpcs[] = {
    {.tail = "/xai_api.Chat/GetCompletion", .request = 1, .answer = 1},
    {.tail = "/xai_api.Chat/GetCompletionChunk", .request = 1, .answer = 2, .streams = true},
    {.tail = "/xai_api.Chat/StartDeferredCompletion", .request = 1, .answer = 3, .deferred = true},
    {.tail = "/xai_api.Chat/GetDeferredCompletion", .request = 2, .answer = 4, .fetches = true},
    {.tail = "/xai_api.Chat/CompactContext", .request = 3, .answer = 5},
    {.tail = "/xai_api.Image/GenerateImage",
     .request = 4,
     .answer = 6,
     .operation = Operation::kImageGeneration},
    {.tail = "/xai_api.Embedder/Embed",
     .request = 5,
     .answer = 7,
     .operation = Operation::kEmbeddings},
    {.tail = "/xai_api.Sample/SampleText",
     .request = 6,
     .answer = 8,
     .operation = Operation::kTextCompletion},
    {.tail = "/xai_api.Sample/SampleTextStreaming",
     .request = 6,
     .answer = 9,
     .operation = Operation::kTextCompletion,
     .streams = true},
};

constexpr RequestPath kRequest[] = {
    // GetCompletionsRequest
    {"1.2", RequestSlot::kModel},
    {"1.16", RequestSlot::kUser},
    {"1.34", RequestSlot::kSafetyIdentifier},
    {"1.1", RequestSlot::kPrompt},
    {"1.1.1.2{}", RequestSlot::kNotText},  // an image
    {"1.1.1.3{}", RequestSlot::kNotText},  // a file
    {"1.17.3{}", RequestSlot::kServerSide},
    {"1.17.4{}", RequestSlot::kServerSide},
    {"1.17.5{}", RequestSlot::kServerSide},
    {"1.17.6{}", RequestSlot::kServerSide},
    {"1.17.7{}", RequestSlot::kServerSide},
    {"1.17.8{}", RequestSlot::kServerSide},
    {"1.17.10{}", RequestSlot::kServerSide},
    {"1.20{}", RequestSlot::kServerSide},  // live search
    {"1.22", RequestSlot::kElsewhere},     // previous_response_id
    // GetDeferredRequest
    {"2.1", RequestSlot::kFetchedId},
    // CompactContextRequest
    {"3.1", RequestSlot::kModel},
    {"3.2", RequestSlot::kPrompt},
    {"3.2.1.2{}", RequestSlot::kNotText},
    {"3.2.1.3{}", RequestSlot::kNotText},
    // GenerateImageRequest
    {"4.2", RequestSlot::kModel},
    {"4.1", RequestSlot::kPrompt},
    {"4.5{}", RequestSlot::kNotText},
    {"4.17{}", RequestSlot::kNotText},
    {"4.4", RequestSlot::kUser},
    // EmbedRequest
    {"5.2", RequestSlot::kModel},
    {"5.1", RequestSlot::kPrompt},
    {"5.1.2{}", RequestSlot::kNotText},
    {"5.4", RequestSlot::kUser},
    // SampleTextRequest
    {"6.3", RequestSlot::kModel},
    {"6.1", RequestSlot::kPrompt},
    {"6.17", RequestSlot::kUser},
};

// FinishReason: a length in tokens, the context's, a stop, tool calls, a limit in time.
constexpr std::string_view kFinishWords[] = {"", "length", "length", "stop", "tool_calls"};
constexpr std::string_view kTierWords[] = {"", "default", "priority"};
constexpr std::string_view kDeferredWords[] = {"", "done", "expired", "pending", "failed"};

constexpr AnswerPath words(std::string_view pattern, AnswerSlot slot,
                           std::span<const std::string_view> of_values) {
  AnswerPath path{pattern, slot};
  path.words = of_values;
  return path;
}

// SamplingUsage.
#define WIRETALLY_XAI_USAGE(root)                                     \
  {root, kUsage}, {root ".1", kUsageNumber, UsageField::kOutput},     \
      {root ".2", kUsageNumber, UsageField::kInput},                  \
      {root ".3", kUsageNumber, UsageField::kTotal},                  \
      {root ".5", kUsageNumber, UsageField::kInputImage},             \
      {root ".6", kUsageNumber, UsageField::kReasoning},              \
      {root ".7", kUsageNumber, UsageField::kCacheRead},              \
      {root ".9[]", kUsageAddend, UsageField::kServerTools}, {        \
    root ".11", kCost, UsageField::kCount, CostStatement::kUsageTicks \
  }

// ToolCall.
#define WIRETALLY_XAI_TOOLS(root) \
  {root, kToolItem}, {root ".1", kToolId}, { root ".10.1", kToolName }

// GetChatCompletionResponse, where it stands by itself and in what was deferred.
#define WIRETALLY_XAI_ANSWER(root)                                               \
  {root "1", kResponseId}, {root "6", kModel}, {root "7", kFingerprint},         \
      words(root "15", kServiceTier, kTierWords), {root "2", kChoice},           \
      words(root "2.1", kFinishReason, kFinishWords), {root "2.2", kToolChoice}, \
      visible_text(root "2.3.1", kText), WIRETALLY_XAI_TOOLS(root "2.3.3"),      \
      WIRETALLY_XAI_USAGE(root "9")

constexpr AnswerPath kAnswer[] = {
    WIRETALLY_XAI_ANSWER("1."),
    // GetChatCompletionChunk
    {"2.1", kResponseId},
    {"2.4", kModel},
    {"2.5", kFingerprint},
    words("2.12", kServiceTier, kTierWords),
    {"2.2", kChoice},
    visible_text("2.2.1.1", kContent),
    {"2.2.1.4", kContent},       // reasoning
    {"2.2.1.3.10.2", kContent},  // arguments of a call
    WIRETALLY_XAI_TOOLS("2.2.1.3"),
    words("2.2.3", kFinishReason, kFinishWords),
    {"2.2.4", kToolChoice},
    WIRETALLY_XAI_USAGE("2.6"),
    // StartDeferredResponse
    {"3.1", kResponseId},
    // GetDeferredCompletionResponse
    words("4.2", kStatus, kDeferredWords),
    WIRETALLY_XAI_ANSWER("4.1."),
    // CompactContextResponse
    {"5.1", kResponseId},
    WIRETALLY_XAI_USAGE("5.4"),
    // ImageResponse
    {"6.2", kModel},
    WIRETALLY_XAI_USAGE("6.3"),
    // EmbedResponse
    {"7.1", kResponseId},
    {"7.4", kModel},
    {"7.5", kFingerprint},
    // SampleTextResponse, whole
    {"8.1", kResponseId},
    {"8.6", kModel},
    {"8.7", kFingerprint},
    {"8.2", kChoice},
    words("8.2.1", kFinishReason, kFinishWords),
    visible_text("8.2.3", kText),
    WIRETALLY_XAI_USAGE("8.9"),
    // and as a stream
    {"9.1", kResponseId},
    {"9.6", kModel},
    {"9.7", kFingerprint},
    {"9.2", kChoice},
    words("9.2.1", kFinishReason, kFinishWords),
    visible_text("9.2.3", kContent),
    WIRETALLY_XAI_USAGE("9.9"),
};

bool request_has_shape(const RequestNotes& notes, bool /*model_in_path*/) {
  return !notes.model.empty() && notes.has_prompt;
}

bool answer_has_shape(const AnswerNotes& notes) {
  return notes.has_usage || notes.background || !notes.response_id.empty();
}

void end_document(AnswerNotes& notes, bool /*is_event*/) {
  using F = UsageField;
  Document& doc = notes.document;
  if (doc.usage_closed) {
    for (const F field : {F::kInput, F::kOutput, F::kReasoning, F::kCacheRead}) {
      const bool stated = doc.usage.get(field).has_value() || doc.usage.malformed(field);
      if (!stated) doc.usage.set(field, 0);
    }
  }
  notes.take_usage();
  const std::string_view status = doc.status.view();
  if (status.empty()) return;
  notes.background = true;
  notes.pending = status == "pending";
  notes.terminal = !notes.pending;
  if (status == "done" || notes.pending) return;
  doc.note_error(status, 1);
  notes.fail();
}

void normalise(const AnswerNotes& notes, const UsageContext& context, UsageRecord& record) {
  record.server_tool_requests = notes.usage.get(UsageField::kServerTools);
  if (!notes.has_usage) return;
  // Zeros that never became numbers are a placeholder, not a statement.
  if (notes.usage.all_zero() && !notes.usage.malformed() && !context.settled) return;
  const bool states_total = notes.usage.get(UsageField::kTotal).has_value();
  const OpenaiUsageHints hints{.reasoning_outside_total = !states_total,
                               .cache_may_be_outside = true};
  TokenCounts& tokens = record.tokens;
  normalise_openai(notes.usage, hints, tokens, record.flags);
  const UsageSource source = context.settled ? UsageSource::kReported : UsageSource::kPartial;
  if (tokens.input.has_value()) tokens.input_source = source;
  if (tokens.output.has_value()) tokens.output_source = source;
}

}  // namespace

const DialectSpec& xai_grpc() {
  static const DialectSpec spec{
      .dialect = Dialect::kXaiGrpc,
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
      .normalise = normalise,
  };
  return spec;
}

}  // namespace wiretally::llm
