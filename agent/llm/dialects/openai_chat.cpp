// OpenAI chat completions, and the many servers that speak it.
//
// JSON: one document with `usage` at its root. SSE: chunks without an event name, then
// `data: [DONE]` (some servers leave it out). Usage is in a chunk of its own with empty `choices`
// (OpenAI, only if asked for), on the chunk with the finish reason (Mistral, DeepSeek, Together),
// in every chunk as a running count (Perplexity, vLLM), in x_groq (Groq), or in the choice
// (Moonshot). Empty `choices` alone mean nothing: Azure's first chunk has them. Snowflake's own API
// has neither `object` nor `[DONE]`, MiniMax tells its errors with status 200.
#include "dialect_table.h"
#include "dialects/openai_shape.h"

namespace wiretally::llm {
namespace {

constexpr std::string_view kPathTails[] = {"/chat/completions",
                                           "/v1/sonar",                   // Perplexity
                                           "/text/chatcompletion_v2",     // MiniMax
                                           "/cortex/inference:complete",  // Snowflake
                                           ":rawPredict",
                                           ":streamRawPredict"};

constexpr RequestPath kRequest[] = {
    {"model", RequestSlot::kModel},
    {"stream", RequestSlot::kStream},
    {"stream_options.include_usage", RequestSlot::kIncludeUsage},
    {"user", RequestSlot::kUser},
    {"safety_identifier", RequestSlot::kSafetyIdentifier},
    {"metadata.user_id", RequestSlot::kMetadataUserId},
    {"session_id", RequestSlot::kSession},
    {"metadata.session_id", RequestSlot::kSession},
    {"messages", RequestSlot::kPrompt},
    {"messages[].role", RequestSlot::kTurnRole},
    {"messages[].content[].type", RequestSlot::kPartType},
    {"messages[].audio", RequestSlot::kNotText},
};

#define WIRETALLY_TOOL_CALLS(root)                                                         \
  {root, AnswerSlot::kToolItem}, {root ".index", AnswerSlot::kToolIndex},                  \
      {root ".id", AnswerSlot::kToolId}, {root ".function.name", AnswerSlot::kToolName}, { \
    root ".custom.name", AnswerSlot::kToolName                                             \
  }

// Meta's own form, at the path of everybody: no choices, and numbers as a list of named metrics.
#define WIRETALLY_META_METRICS(root)                    \
  {root "[]", AnswerSlot::kDetail, UsageField::kTotal}, \
      {root "[].metric", AnswerSlot::kDetailName}, {    \
    root "[].value", AnswerSlot::kDetailCount           \
  }

constexpr AnswerPath kAnswer[] = {
    {"id", AnswerSlot::kResponseId},
    {"object", AnswerSlot::kObject},
    {"model", AnswerSlot::kModel},
    {"service_tier", AnswerSlot::kServiceTier},
    {"system_fingerprint", AnswerSlot::kFingerprint},
    {"type", AnswerSlot::kType},
    {"choices", AnswerSlot::kChoices},
    {"choices[]", AnswerSlot::kChoice},
    {"choices[].index", AnswerSlot::kToolChoice},
    {"choices[].finish_reason", AnswerSlot::kFinishReason},
    {"choices[].message", AnswerSlot::kBody},
    {"choices[].delta", AnswerSlot::kBody},
    visible_text("choices[].delta.content", AnswerSlot::kContent),
    visible_text("choices[].delta.content[].text", AnswerSlot::kContent),
    {"choices[].delta.content[].thinking[].text", AnswerSlot::kContent},
    visible_text("choices[].message.content", AnswerSlot::kText),
    visible_text("choices[].message.content[].text", AnswerSlot::kText),
    {"choices[].delta.reasoning_content", AnswerSlot::kContent},
    {"choices[].delta.reasoning", AnswerSlot::kContent},
    {"choices[].delta.refusal", AnswerSlot::kContent},
    {"choices[].delta.audio.data", AnswerSlot::kContentData},
    {"choices[].delta.audio.transcript", AnswerSlot::kContent},
    {"choices[].delta.function_call.arguments", AnswerSlot::kContent},
    {"choices[].delta.function_call.name", AnswerSlot::kLoneToolName},
    {"choices[].delta.tool_calls[].function.arguments", AnswerSlot::kContent},
    {"choices[].delta.tool_calls[].custom.input", AnswerSlot::kContent},
    WIRETALLY_TOOL_CALLS("choices[].delta.tool_calls[]"),
    {"choices[].message.function_call.name", AnswerSlot::kLoneToolName},
    // Snowflake's tools
    {"choices[].delta.input", AnswerSlot::kContent},
    {"choices[].delta.content_list[].name", AnswerSlot::kLoneToolName},
    {"choices[].message.content_list[].tool_use.name", AnswerSlot::kLoneToolName},
    WIRETALLY_TOOL_CALLS("choices[].message.tool_calls[]"),
    {"usage", AnswerSlot::kUsage},
    {"usage.service_tier", AnswerSlot::kServiceTier},  // Mistral's place for it
    WIRETALLY_CHAT_USAGE("usage", AnswerSlot::kUsageNumber),
    {"usage.precached_prompt_tokens", AnswerSlot::kUsageNumber, UsageField::kCacheReadDeducted},
    {"x_groq", AnswerSlot::kGroq},
    {"x_groq.error", AnswerSlot::kError},
    WIRETALLY_CHAT_USAGE("x_groq.usage", AnswerSlot::kSpareUsageNumber),
    WIRETALLY_CHAT_USAGE("choices[].usage", AnswerSlot::kSpareUsageNumber),
    WIRETALLY_STATED_COST("usage"),
    {"usage.num_search_queries", AnswerSlot::kUsageNumber, UsageField::kServerTools},
    {"usage.server_tool_use.web_search_requests", AnswerSlot::kUsageNumber,
     UsageField::kServerTools},
    {"usage.server_tool_use_details.web_search_requests", AnswerSlot::kUsageNumber,
     UsageField::kServerTools},
    {"cost.usd", AnswerSlot::kCost, UsageField::kCount, CostStatement::kUsageCost},  // Venice
    WIRETALLY_LLAMACPP_TIMINGS,
    WIRETALLY_OPENAI_ERRORS,
    {"completion_message", AnswerSlot::kBody},
    {"completion_message.stop_reason", AnswerSlot::kFinishReason},
    visible_text("completion_message.content.text", AnswerSlot::kText),
    WIRETALLY_TOOL_CALLS("completion_message.tool_calls[]"),
    WIRETALLY_META_METRICS("metrics"),
    {"event.delta", AnswerSlot::kBody},
    visible_text("event.delta.text", AnswerSlot::kContent),
    {"event.delta.function.arguments", AnswerSlot::kContent},
    {"event.delta.function.name", AnswerSlot::kLoneToolName},
    {"event.stop_reason", AnswerSlot::kFinishReason},
    WIRETALLY_META_METRICS("event.metrics"),
    {"base_resp.status_code", AnswerSlot::kResultCode},  // MiniMax
    {"choices[].error", AnswerSlot::kError},             // OpenRouter, of one choice
    {"choices[].error.code", AnswerSlot::kErrorCode},
    {"choices[].error.metadata.error_type", AnswerSlot::kErrorType},
};

// Vertex serves Mistral's models in this dialect, by a verb that all makers share.
bool path_fits(std::string_view path) {
  const bool by_verb = path.ends_with(":rawPredict") || path.ends_with(":streamRawPredict");
  return !by_verb || path.find("/mistralai/") != std::string_view::npos;
}

bool request_has_shape(const RequestNotes& notes, bool model_in_path) {
  return (model_in_path || !notes.model.empty()) && notes.has_turns;
}

bool answer_has_shape(const AnswerNotes& notes) {
  const std::string_view object = notes.object.view();
  if (object == "chat.completion" || object == "chat.completion.chunk") return true;
  return notes.has_choices && notes.has_body &&
         (notes.has_usage || !notes.model.empty() || !notes.response_id.empty());
}

}  // namespace

const DialectSpec& openai_chat() {
  static const DialectSpec spec{
      .dialect = Dialect::kOpenaiChat,
      .operation = Operation::kChat,
      .path_tails = kPathTails,
      .usage_on_request = true,
      .path_fits = path_fits,
      .answer_decides = true,
      .prompt_is_body = true,
      .request_paths = path_set<kRequest>(),
      .request_slots = kRequest,
      .answer_paths = path_set<kAnswer>(),
      .answer_slots = kAnswer,
      .request_has_shape = request_has_shape,
      .answer_has_shape = answer_has_shape,
      .end_document = end_choices_document,
      .normalise = normalise_openai_answer,
  };
  return spec;
}

}  // namespace wiretally::llm
