// Bedrock Converse: one JSON document, or an AWS event stream whose messages name their kind:
//
//   messageStart, contentBlockStart / Delta / Stop, messageStop     text, tool names, stop reason
//   metadata                                                        usage; the stream's end
//   …Exception                                                      an error after HTTP 200
//
// The model stands in the path alone. Both cache numbers stand outside inputTokens; they come under
// one or both of two names each, with the same number. Guardrail traces hold usage objects of their
// own. `p` is padding of random length.
#include "dialect_table.h"
#include "target.h"

namespace wiretally::llm {
namespace {

constexpr std::string_view kPathTails[] = {"/converse", "/converse-stream"};

constexpr RequestPath kRequest[] = {
    {"messages[].role", RequestSlot::kTurnRole},
    {"promptVariables", RequestSlot::kElsewhere},
    {"messages[].content[].image", RequestSlot::kNotText},
    {"messages[].content[].document", RequestSlot::kNotText},
    {"messages[].content[].video", RequestSlot::kNotText},
    {"messages[].content[].audio", RequestSlot::kNotText},
    {"messages[].content[].toolResult.content[].image", RequestSlot::kNotText},
    {"messages[].content[].toolResult.content[].document", RequestSlot::kNotText},
    {"messages[].content[].toolResult.content[].video", RequestSlot::kNotText},
};

constexpr AnswerPath kAnswer[] = {
    {"output.message", AnswerSlot::kBody},
    {"output.message.role", AnswerSlot::kRole},
    {"output.message.content[].toolUse", AnswerSlot::kToolItem},
    {"output.message.content[].toolUse.type", AnswerSlot::kToolType},
    {"output.message.content[].toolUse.name", AnswerSlot::kToolName},
    {"output.message.content[].toolUse.toolUseId", AnswerSlot::kToolId},
    {"role", AnswerSlot::kRole},
    {"start.toolUse", AnswerSlot::kToolItem},
    {"start.toolUse.type", AnswerSlot::kToolType},
    {"start.toolUse.name", AnswerSlot::kToolName},
    {"start.toolUse.toolUseId", AnswerSlot::kToolId},
    visible_text("delta.text", AnswerSlot::kContent),
    visible_text("output.message.content[].text", AnswerSlot::kText),
    {"delta.reasoningContent.text", AnswerSlot::kContent},
    {"delta.toolUse.input", AnswerSlot::kContent},
    {"stopReason", AnswerSlot::kFinishReason},
    {"serviceTier.type", AnswerSlot::kServiceTier},
    {"trace.promptRouter.invokedModelId", AnswerSlot::kModel},
    {"usage", AnswerSlot::kUsage},
    {"usage.inputTokens", AnswerSlot::kUsageNumber, UsageField::kInput},
    {"usage.outputTokens", AnswerSlot::kUsageNumber, UsageField::kOutput},
    {"usage.totalTokens", AnswerSlot::kUsageNumber, UsageField::kTotal},
    {"usage.cacheReadInputTokens", AnswerSlot::kUsageNumber, UsageField::kCacheRead},
    {"usage.cacheWriteInputTokens", AnswerSlot::kUsageNumber, UsageField::kCacheWrite},
    // The names that Nova's answers to InvokeModel have alone, else like these.
    {"usage.cacheReadInputTokenCount", AnswerSlot::kUsageNumber, UsageField::kCacheRead},
    {"usage.cacheWriteInputTokenCount", AnswerSlot::kUsageNumber, UsageField::kCacheWrite},
    {"usage.cacheDetails[]", AnswerSlot::kDetail, UsageField::kCacheWrite},
    {"usage.cacheDetails[].ttl", AnswerSlot::kDetailName},
    {"usage.cacheDetails[].inputTokens", AnswerSlot::kDetailCount},
    {"__type", AnswerSlot::kErrorType},
};

bool request_has_shape(const RequestNotes& notes, bool model_in_path) {
  return model_in_path && (notes.has_turns || notes.has_prompt);
}

bool answer_has_shape(const AnswerNotes& notes) {
  return notes.type_known || (notes.has_body && notes.has_role && notes.has_usage);
}

void end_document(AnswerNotes& notes, bool is_event) {
  Document& doc = notes.document;
  const std::string_view type = doc.type.view();
  if (is_event && (type == "contentBlockDelta" || type == "messageStop" || type == "metadata")) {
    notes.type_known = true;
  }
  notes.searches += doc.searches;
  notes.take_usage();
  if (type == "metadata") {
    notes.end_answer();
  }
  if (!doc.error_name.empty()) notes.fail();
}

// For OpenAI's models the stream has been seen to count what was read from and written to the cache
// in inputTokens as well: where they fit into it, they are taken to be part of it.
bool input_holds_cache(const UsageSheet& usage, std::string_view model) {
  const bool of_openai = model.starts_with("openai.") || model.find(".openai.") != model.npos;
  const uint64_t cached =
      usage.get_or_zero(UsageField::kCacheRead) + usage.get_or_zero(UsageField::kCacheWrite);
  return of_openai && cached > 0 && usage.get_or_zero(UsageField::kInput) >= cached;
}

void normalise(const AnswerNotes& notes, const UsageContext& context, UsageRecord& record) {
  if (notes.searches > 0) record.server_tool_requests = notes.searches;
  if (!notes.has_usage) return;
  TokenCounts& tokens = record.tokens;
  UsageSheet usage = notes.usage;
  if (input_holds_cache(usage, context.request_model)) {
    usage.set(UsageField::kInput, usage.get_or_zero(UsageField::kInput) -
                                      usage.get_or_zero(UsageField::kCacheRead) -
                                      usage.get_or_zero(UsageField::kCacheWrite));
  }
  normalise_anthropic(usage, {}, tokens, record.flags);
  note_sources(context, tokens);
}

}  // namespace

const DialectSpec& bedrock_converse() {
  static const DialectSpec spec{
      .dialect = Dialect::kBedrockConverse,
      .operation = Operation::kChat,
      .path_tails = kPathTails,
      .path_fits = names_bedrock_model,
      .prompt_is_body = true,
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
