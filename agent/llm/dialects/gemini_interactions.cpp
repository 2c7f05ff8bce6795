// Gemini Interactions: one JSON document with `usage`, or SSE.
//
//   interaction.created               the interaction, without usage
//   step.start / delta / stop         a part, its tool's name in `step`; what is generated in
//   `delta` interaction.completed             the interaction with its usage, and with its steps or
//   without
//                                     them; the stream's end
//   error                             {error:{code}}
//
// Until May 2026 `outputs` held what `steps` do, and events were content.start / delta / stop with
// `content` for `step`. A call stands in the event that begins it and, by the same id, at the end.
//
// Events may carry `metadata.usage`, the usage so far: the last object is taken whole.
//
// A request with background:true is answered at once (in_progress, no usage); GET
// /interactions/{id} shows how it stands and later its usage, as it does of any stored one.
//
// By the names alone: cached tokens are part of the input, those of tools stand beside it, thoughts
// beside the output, and the total holds all.
#include "dialect_table.h"
#include "dialects/gemini_shape.h"

namespace wiretally::llm {
namespace {

constexpr std::string_view kPathTails[] = {"/interactions"};

constexpr RequestPath kRequest[] = {
    {"model", RequestSlot::kModel},           {"agent", RequestSlot::kModel},
    {"stream", RequestSlot::kStream},         {"input", RequestSlot::kPrompt},
    {"background", RequestSlot::kBackground},
};

// What may be a call of a tool, by the names that stand in front of its members.
#define WIRETALLY_STEP(at)                                                                        \
  {at, AnswerSlot::kToolItem}, {at ".type", AnswerSlot::kToolType},                               \
      {at ".name", AnswerSlot::kToolName}, {at ".arguments.queries[]", AnswerSlot::kSearchQuery}, \
  {                                                                                               \
    at ".id", AnswerSlot::kToolId                                                                 \
  }

// The rows of a list of counts by modality: [{modality, tokens}].
#define WIRETALLY_INTERACTION_DETAILS(list, field)                                          \
  {list "[]", AnswerSlot::kDetail, field}, {list "[].modality", AnswerSlot::kDetailName}, { \
    list "[].tokens", AnswerSlot::kDetailCount                                              \
  }

// A search is told in `usage.grounding_tool_count`, and else by the step's queries.
#define WIRETALLY_INTERACTION_USAGE(usage)                                                       \
  {usage, AnswerSlot::kUsage},                                                                   \
      {usage ".total_input_tokens", AnswerSlot::kUsageNumber, UsageField::kInput},               \
      {usage ".total_output_tokens", AnswerSlot::kUsageNumber, UsageField::kOutput},             \
      {usage ".total_thought_tokens", AnswerSlot::kUsageNumber, UsageField::kReasoning},         \
      {usage ".total_cached_tokens", AnswerSlot::kUsageNumber, UsageField::kCacheRead},          \
      {usage ".total_tool_use_tokens", AnswerSlot::kUsageNumber, UsageField::kToolUsePrompt},    \
      {usage ".total_tokens", AnswerSlot::kUsageNumber, UsageField::kTotal},                     \
      {usage ".grounding_tool_count[]", AnswerSlot::kDetail, UsageField::kServerTools},          \
      {usage ".grounding_tool_count[].type", AnswerSlot::kDetailName},                           \
      {usage ".grounding_tool_count[].count", AnswerSlot::kDetailCount},                         \
      WIRETALLY_INTERACTION_DETAILS(usage ".input_tokens_by_modality", UsageField::kInput),      \
      WIRETALLY_INTERACTION_DETAILS(usage ".cached_tokens_by_modality", UsageField::kCacheRead), \
      WIRETALLY_INTERACTION_DETAILS(usage ".output_tokens_by_modality", UsageField::kOutput)

#define WIRETALLY_INTERACTION(root)                                                      \
  {root "id", AnswerSlot::kResponseId}, {root "model", AnswerSlot::kModel},              \
      {root "object", AnswerSlot::kObject}, {root "status", AnswerSlot::kStatus},        \
      {root "service_tier", AnswerSlot::kServiceTier}, WIRETALLY_STEP(root "outputs[]"), \
      WIRETALLY_STEP(root "steps[]"), WIRETALLY_INTERACTION_USAGE(root "usage")

constexpr AnswerPath kAnswer[] = {
    {"event_type", AnswerSlot::kType},
    {"type", AnswerSlot::kType},
    WIRETALLY_INTERACTION(""),
    WIRETALLY_INTERACTION("interaction."),
    WIRETALLY_INTERACTION_USAGE("metadata.usage"),
    WIRETALLY_STEP("step"),
    WIRETALLY_STEP("content"),
    // Without its type, because each event has one and only few name a tool.
    {"delta", AnswerSlot::kToolItem},
    {"delta.name", AnswerSlot::kToolName},
    {"delta.id", AnswerSlot::kToolId},
    {"delta.text", AnswerSlot::kDelta},
    {"delta.content.text", AnswerSlot::kDelta},
    {"delta.partial_arguments", AnswerSlot::kDelta},
    {"delta.data", AnswerSlot::kContentData},
    {"delta.arguments", AnswerSlot::kContentItem},
    WIRETALLY_GOOGLE_ERRORS,
    {"error.code", AnswerSlot::kErrorCode},
};

bool request_has_shape(const RequestNotes& notes, bool /*model_in_path*/) {
  return !notes.model.empty() && notes.has_prompt;
}

bool answer_has_shape(const AnswerNotes& notes) {
  return notes.type_known || (notes.object.view() == "interaction" && notes.has_usage);
}

// incomplete: the limit of tokens was met.
void note_status(AnswerNotes& notes, std::string_view status) {
  FinishReason& reason = notes.finish_reason;
  if (status == "completed") {
    reason = notes.calls_client() ? FinishReason::kToolCalls : FinishReason::kStop;
  }
  if (status == "requires_action") reason = FinishReason::kToolCalls;
  if (status == "incomplete") reason = FinishReason::kLength;
  if (status == "cancelled") reason = FinishReason::kOther;
  if (status == "failed") notes.fail();
}

void end_document(AnswerNotes& notes, bool is_event) {
  Document& doc = notes.document;
  const std::string_view type = doc.type.view();
  if (type.starts_with("interaction.")) notes.type_known = true;
  if (doc.delta) doc.content = true;
  notes.replace_usage();
  const bool completed = type == "interaction.completed" || type == "interaction.complete";
  if (!is_event || completed) {
    notes.end_answer();
    notes.pending = doc.status.view() == "in_progress";
    note_status(notes, doc.status.view());
  }
  if (doc.error) notes.fail();
}

}  // namespace

const DialectSpec& gemini_interactions() {
  static const DialectSpec spec{
      .dialect = Dialect::kGeminiInteractions,
      .operation = Operation::kChat,
      .path_tails = kPathTails,
      .fetched_says_nothing = true,
      .request_paths = path_set<kRequest>(),
      .request_slots = kRequest,
      .answer_paths = path_set<kAnswer>(),
      .answer_slots = kAnswer,
      .request_has_shape = request_has_shape,
      .answer_has_shape = answer_has_shape,
      .end_document = end_document,
      .normalise = normalise_gemini_answer,
  };
  return spec;
}

}  // namespace wiretally::llm
