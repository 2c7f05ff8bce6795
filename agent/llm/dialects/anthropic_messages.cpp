// Anthropic Messages: one JSON document of type `message`, or SSE whose events carry their kind in
// `type` too.
//
//   message_start                     the message with its input and cache counts; its output count
//                                     is a placeholder
//   content_block_start / _delta      a tool's name; generated text, thinking or arguments
//   message_delta (one or more)       stop reason; cumulative usage, which may replace the input
//   message_stop                      the stream's end
//   error                             {error:{type}} after HTTP 200
//   ping                              any time
//
// A proxy that asked for one document and was asked for a stream may put the whole message into
// message_start, and nothing but message_stop behind it.
#include "dialect_table.h"
#include "dialects/anthropic_shape.h"
#include "dialects/gemini_shape.h"
#include "dialects/stated_cost.h"

namespace wiretally::llm {
namespace {

constexpr std::string_view kPathTails[] = {"/messages", ":rawPredict", ":streamRawPredict"};

constexpr RequestPath kRequest[] = {
    {"model", RequestSlot::kModel},
    {"stream", RequestSlot::kStream},
    {"metadata.user_id", RequestSlot::kMetadataUserId},
    {"messages", RequestSlot::kPrompt},
    {"messages[].role", RequestSlot::kTurnRole},
    {"messages[].content[].type", RequestSlot::kPartType},
    {"messages[].content[].content[].type", RequestSlot::kPartType},
    {"container", RequestSlot::kNotText},
    {"tools[].type", RequestSlot::kServerTool},
    {"mcp_servers[]", RequestSlot::kServerSide},
    {"context_management.edits[].type", RequestSlot::kContextEdit},
};

#define WIRETALLY_ANTHROPIC_USAGE(root, slot)                                 \
  {root ".input_tokens", slot, UsageField::kInput},                           \
      {root ".output_tokens", slot, UsageField::kOutput},                     \
      {root ".cache_creation_input_tokens", slot, UsageField::kCacheWrite}, { \
    root ".cache_read_input_tokens", slot, UsageField::kCacheRead             \
  }

// Web fetches are counted beside web searches but not billed by the request.
#define WIRETALLY_ANTHROPIC_USAGE_DETAILS(root)                                               \
  {root, AnswerSlot::kUsage},                                                                 \
      {root ".cache_creation.ephemeral_5m_input_tokens", AnswerSlot::kUsageNumber,            \
       UsageField::kCacheWrite5m},                                                            \
      {root ".cache_creation.ephemeral_1h_input_tokens", AnswerSlot::kUsageNumber,            \
       UsageField::kCacheWrite1h},                                                            \
      {root ".output_tokens_details.thinking_tokens", AnswerSlot::kUsageNumber,               \
       UsageField::kReasoning},                                                               \
      {root ".server_tool_use.web_search_requests", AnswerSlot::kUsageNumber,                 \
       UsageField::kServerTools},                                                             \
      {root ".inference_geo", AnswerSlot::kGeography}, {root ".speed", AnswerSlot::kSpeed}, { \
    root ".service_tier", AnswerSlot::kServiceTier                                            \
  }

constexpr AnswerPath kAnswer[] = {
    {"type", AnswerSlot::kType},
    {"id", AnswerSlot::kResponseId},
    {"model", AnswerSlot::kModel},
    {"role", AnswerSlot::kRole},
    {"stop_reason", AnswerSlot::kFinishReason},
    {"content[]", AnswerSlot::kToolItem},
    {"content[].type", AnswerSlot::kToolType},
    {"content[].name", AnswerSlot::kToolName},
    {"content[].id", AnswerSlot::kToolId},
    {"message", AnswerSlot::kBody},
    {"message.id", AnswerSlot::kResponseId},
    {"message.model", AnswerSlot::kModel},
    {"message.stop_reason", AnswerSlot::kFinishReason},
    {"message.content[]", AnswerSlot::kToolItem},
    {"message.content[].type", AnswerSlot::kToolType},
    {"message.content[].name", AnswerSlot::kToolName},
    {"message.content[].id", AnswerSlot::kToolId},
    visible_text("message.content[].text", AnswerSlot::kText),
    {"content_block", AnswerSlot::kToolItem},
    {"content_block.type", AnswerSlot::kToolType},
    {"content_block.name", AnswerSlot::kToolName},
    {"content_block.id", AnswerSlot::kToolId},
    {"content_block.to.model", AnswerSlot::kModel},  // a fallback: who answers from here on
    visible_text("delta.text", AnswerSlot::kDelta),
    visible_text("content[].text", AnswerSlot::kText),
    visible_text("content_block.text", AnswerSlot::kText),
    {"delta.thinking", AnswerSlot::kDelta},
    {"delta.partial_json", AnswerSlot::kDelta},
    {"delta.stop_reason", AnswerSlot::kFinishReason},
    WIRETALLY_ANTHROPIC_USAGE("usage", AnswerSlot::kUsageNumber),
    WIRETALLY_ANTHROPIC_USAGE_DETAILS("usage"),
    {"usage.iterations", AnswerSlot::kIterations},
    {"usage.iterations[]", AnswerSlot::kIteration},
    {"usage.iterations[].type", AnswerSlot::kIterationType},
    {"usage.iterations[].model", AnswerSlot::kIterationModel},
    WIRETALLY_ANTHROPIC_USAGE("usage.iterations[]", AnswerSlot::kIterationNumber),
    WIRETALLY_ANTHROPIC_USAGE("message.usage", AnswerSlot::kUsageNumber),
    WIRETALLY_ANTHROPIC_USAGE_DETAILS("message.usage"),
    WIRETALLY_STATED_COST("usage"),
    {"provider_metadata.gateway.cost", AnswerSlot::kQuotedCost, UsageField::kCount,
     CostStatement::kUsageCost},  // Vercel
    WIRETALLY_GOOGLE_ERRORS,      // Vertex' own
    {"[].error", AnswerSlot::kError},
    {"[].error.status", AnswerSlot::kErrorStatus},
    {"error.type", AnswerSlot::kErrorType},
    {"error.code", AnswerSlot::kErrorCode},
};

bool request_has_shape(const RequestNotes& notes, bool model_in_path) {
  return (model_in_path || !notes.model.empty()) && notes.has_turns;
}

// Vertex serves all makers' models by the same verbs, and counts tokens by a model's name.
bool path_fits(std::string_view path) {
  return path.ends_with("/messages") ||
         (path.find("/anthropic/") != std::string_view::npos &&
          path.find("/models/count-tokens") == std::string_view::npos);
}

// A document of type `message` alone could be anybody's.
bool answer_has_shape(const AnswerNotes& notes) {
  if (notes.type_known) return true;
  return notes.document.type.view() == "message" && notes.has_role && !notes.document.usage.empty();
}

void end_event(AnswerNotes& notes) {
  Document& doc = notes.document;
  const std::string_view type = doc.type.view();
  if (type == "message_start") {
    // One that says why it stopped is the whole message, and its numbers are meant.
    if (!doc.finished) {
      doc.usage.forget(UsageField::kOutput);
      // Gateways that learn the input at the end begin with zeros, which no prompt has.
      if (doc.usage.all_zero() && !doc.usage.malformed()) doc.usage.clear();
    }
    if (notes.has_body) notes.type_known = true;
    notes.take_usage();
  } else if (type == "message_delta") {
    notes.type_known = true;
    notes.take_usage();
  } else if (type == "content_block_delta") {
    notes.type_known = true;
    doc.content = doc.delta;
  } else if (type == "message_stop") {
    notes.terminal = true;
  } else if (type == "error" || doc.error) {
    notes.fail();
  }
}

void end_document(AnswerNotes& notes, bool is_event) {
  if (is_event) {
    end_event(notes);
    return;
  }
  const bool known_error =
      notes.document.type.view() == "error" && !notes.document.error_name.empty();
  if (answer_has_shape(notes) || known_error) notes.type_known = true;
  notes.take_usage();
  if (notes.document.error) notes.fail();
}

void normalise(const AnswerNotes& notes, const UsageContext& context, UsageRecord& record) {
  record.server_tool_requests = notes.usage.get(UsageField::kServerTools);
  if (!notes.has_usage) return;
  TokenCounts& tokens = record.tokens;
  const BilledApart& apart = notes.apart.get();
  normalise_anthropic(notes.usage, apart.usage, tokens, record.flags);
  if (!apart.usage.malformed()) {
    const uint64_t written = apart.usage.get_or_zero(UsageField::kCacheWrite);
    const uint64_t read = apart.usage.get_or_zero(UsageField::kCacheRead);
    record.apart.input = apart.usage.get_or_zero(UsageField::kInput) + read + written;
    record.apart.cache_read = read;
    record.apart.cache_write_5m = written;
    record.apart.output = apart.usage.get_or_zero(UsageField::kOutput);
    record.apart.model = apart.model;
    record.apart.several_models = apart.several_models;
  }
  note_sources(context, tokens);
  if (tokens.input.has_value() && !context.input_may_grow) {
    tokens.input_source = UsageSource::kReported;
  }
}

}  // namespace

std::span<const AnswerPath> anthropic_answer_paths() { return kAnswer; }
bool anthropic_answer_has_shape(const AnswerNotes& notes) { return answer_has_shape(notes); }
void end_anthropic_document(AnswerNotes& notes, bool is_event) { end_document(notes, is_event); }
void normalise_anthropic_answer(const AnswerNotes& notes, const UsageContext& context,
                                UsageRecord& record) {
  normalise(notes, context, record);
}

const DialectSpec& anthropic_messages() {
  static const DialectSpec spec{
      .dialect = Dialect::kAnthropicMessages,
      .operation = Operation::kChat,
      .path_tails = kPathTails,
      .path_fits = path_fits,
      .answer_decides = true,
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
