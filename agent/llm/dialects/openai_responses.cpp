// OpenAI Responses: one JSON document, or SSE whose events carry their kind in `type` too (some
// servers send no `event:` lines, so only the JSON counts).
//
//   response.created / queued / in_progress   the same wrapper as at the end, usage null
//   response.output_item.added                an item of the output, with its name if it is a call
//   response.*.delta                          generated text, reasoning or arguments in `delta`
//   response.completed / incomplete / failed  the whole answer with its usage; the stream's end
//   error                                     {code, message} at the root
//
// A request with background:true is answered at once (queued, no usage); GET /responses/{id} shows
// how it stands, and its usage again each time once it has ended.
//
// Over a WebSocket the client sends {"type":"response.create", …} and the server the same events, a
// message each; `stream_id` tells parallel streams apart.
//
// `tool_usage` stands before `usage` and holds token names of its own: only paths tell them apart.
#include <algorithm>

#include "dialect_table.h"
#include "dialects/openai_shape.h"

namespace wiretally::llm {
namespace {

// Perplexity calls it an agent.
constexpr std::string_view kPathTails[] = {"/responses", "/responses/compact", "/v1/agent"};

constexpr std::string_view kSocketTails[] = {"/responses"};

// The members of a request; over a WebSocket some clients put them into `response`.
#define WIRETALLY_RESPONSES_REQUEST(root)                                                        \
  {root "model", RequestSlot::kModel}, {root "user", RequestSlot::kUser},                        \
      {root "safety_identifier", RequestSlot::kSafetyIdentifier},                                \
      {root "metadata.user_id", RequestSlot::kMetadataUserId},                                   \
      {root "session_id", RequestSlot::kSession},                                                \
      {root "metadata.session_id", RequestSlot::kSession}, {root "input", RequestSlot::kPrompt}, \
      {root "prompt", RequestSlot::kElsewhere}, {root "input[].type", RequestSlot::kPartType},   \
      {root "input[].content[].type", RequestSlot::kPartType},                                   \
      {root "input[].output[].type", RequestSlot::kPartType},                                    \
      {root "previous_response_id", RequestSlot::kElsewhere},                                    \
      {root "conversation.id", RequestSlot::kSession}, {                                         \
    root "conversation", RequestSlot::kConversation                                              \
  }

constexpr RequestPath kRequest[] = {
    {"stream", RequestSlot::kStream},      {"background", RequestSlot::kBackground},
    WIRETALLY_RESPONSES_REQUEST(""),       WIRETALLY_RESPONSES_REQUEST("response."),
    {"type", RequestSlot::kEventType},     {"event_id", RequestSlot::kEventId},
    {"stream_id", RequestSlot::kStreamId}, {"preset", RequestSlot::kElsewhere},
};

// How often the server called its own tools: xAI's total and its kinds, Perplexity's kinds.
#define WIRETALLY_SERVERS_TOOLS(root)                                                          \
  {root ".num_server_side_tools_used", AnswerSlot::kUsageNumber, UsageField::kServerToolsRun}, \
      WIRETALLY_TOOL_KIND(root ".server_side_tool_usage_details.web_search_calls"),            \
      WIRETALLY_TOOL_KIND(root ".server_side_tool_usage_details.x_search_calls"),              \
      WIRETALLY_TOOL_KIND(root ".server_side_tool_usage_details.code_interpreter_calls"),      \
      WIRETALLY_TOOL_KIND(root ".server_side_tool_usage_details.file_search_calls"),           \
      WIRETALLY_TOOL_KIND(root ".server_side_tool_usage_details.document_search_calls"),       \
      WIRETALLY_TOOL_KIND(root ".server_side_tool_usage_details.mcp_calls"),                   \
      WIRETALLY_TOOL_KIND(root ".tool_calls_details.search_web.invocation"),                   \
      WIRETALLY_TOOL_KIND(root ".tool_calls_details.web_search.invocation"),                   \
      WIRETALLY_TOOL_KIND(root ".tool_calls_details.fetch_url.invocation"),                    \
      WIRETALLY_TOOL_KIND(root ".tool_calls_details.people_search.invocation"),                \
      WIRETALLY_TOOL_KIND(root ".tool_calls_details.finance_search.invocation")
#define WIRETALLY_TOOL_KIND(path) \
  { path, AnswerSlot::kUsageAddend, UsageField::kServerToolParts }

#define WIRETALLY_RESPONSE(root)                                                                  \
  {root "id", AnswerSlot::kResponseId}, {root "object", AnswerSlot::kObject},                     \
      {root "model", AnswerSlot::kModel}, {root "status", AnswerSlot::kStatus},                   \
      {root "service_tier", AnswerSlot::kServiceTier},                                            \
      {root "background", AnswerSlot::kBackground},                                               \
      {root "incomplete_details.reason", AnswerSlot::kFinishReason},                              \
      {root "output[]", AnswerSlot::kToolItem}, {root "output[].type", AnswerSlot::kToolType},    \
      {root "output[].name", AnswerSlot::kToolName}, {root "output[].id", AnswerSlot::kToolId},   \
      {root "output[].action.type", AnswerSlot::kToolAction},                                     \
      {root "output[].environment.type", AnswerSlot::kToolEnvironment},                           \
      {root "output[].execution", AnswerSlot::kToolEnvironment},                                  \
      visible_text(root "output[].content[].text", AnswerSlot::kText),                            \
      {root "tool_usage.web_search.num_requests", AnswerSlot::kServerToolNumber},                 \
      {root "usage", AnswerSlot::kUsage},                                                         \
      WIRETALLY_RESPONSES_USAGE(root "usage", AnswerSlot::kUsageNumber),                          \
      WIRETALLY_SERVERS_TOOLS(root "usage"),                                                      \
      {root "usage.server_tool_use_details.web_search_requests", AnswerSlot::kUsageNumber,        \
       UsageField::kServerTools},                                                                 \
      {root "tool_usage.image_gen.input_tokens", AnswerSlot::kApartNumber, UsageField::kInput},   \
      {root "tool_usage.image_gen.output_tokens", AnswerSlot::kApartNumber, UsageField::kOutput}, \
      WIRETALLY_STATED_COST(root "usage"), {root "error", AnswerSlot::kError},                    \
      {root "error.code", AnswerSlot::kErrorCode}, {root "error.type", AnswerSlot::kErrorType}, { \
    root "error.status", AnswerSlot::kErrorStatus                                                 \
  }

constexpr AnswerPath kAnswer[] = {
    {"type", AnswerSlot::kType},
    {"code", AnswerSlot::kErrorCode},
    {"delta", AnswerSlot::kDelta},
    WIRETALLY_RESPONSE(""),
    WIRETALLY_RESPONSE("response."),
    {"output_index", AnswerSlot::kItemIndex},
    {"item", AnswerSlot::kStreamItem},
    {"item.type", AnswerSlot::kToolType},
    {"item.name", AnswerSlot::kToolName},
    {"item.id", AnswerSlot::kToolId},
    {"item.action.type", AnswerSlot::kToolAction},
    {"item.environment.type", AnswerSlot::kToolEnvironment},
    {"item.execution", AnswerSlot::kToolEnvironment},
    {"stream_id", AnswerSlot::kStreamId},
    {"error.event_id", AnswerSlot::kErrorEventId},
};

bool request_has_shape(const RequestNotes& notes, bool /*model_in_path*/) {
  return !notes.model.empty() && notes.has_prompt;
}

bool answer_has_shape(const AnswerNotes& notes) {
  const std::string_view object = notes.object.view();
  return object == "response" || object == "response.compaction" || notes.type_known;
}

// An item is announced, and told again when it is done: Perplexity announces a call of its own tool
// as a function's, and puts what the tool found in its place.
void end_item(AnswerNotes& notes) {
  Document& doc = notes.document;
  if (doc.item_index) notes.tools.set_index(*doc.item_index);
  const bool is_call = notes.end_tool_item(doc.item_index.has_value());
  if (doc.type.view() == "response.output_item.done" && doc.item_index && !is_call) {
    notes.tools.drop(*doc.item_index);
  }
}

void end_event(AnswerNotes& notes) {
  Document& doc = notes.document;
  const std::string_view type = doc.type.view();
  if (type == "error") {
    notes.fail();
    return;
  }
  if (!type.starts_with("response.")) {
    if (doc.error) notes.fail();
    return;
  }
  notes.type_known = true;
  if (doc.has_item) end_item(notes);
  if (type.ends_with(".delta") && doc.delta) doc.content = true;
  if (type == "response.output_item.done") notes.searches += doc.searches;
  const bool terminal =
      type == "response.completed" || type == "response.incomplete" || type == "response.failed";
  if (!terminal) return;
  // The whole answer shows all items again; some servers leave them out there.
  notes.searches = std::max(notes.searches, doc.searches);
  notes.take_usage();
  notes.end_answer();
  note_response_status(notes, type.substr(std::string_view("response.").size()));
}

void end_document(AnswerNotes& notes, bool is_event) {
  if (is_event) {
    end_event(notes);
    return;
  }
  notes.searches = notes.document.searches;
  notes.take_usage();
  const std::string_view status = notes.document.status.view();
  notes.pending = status == "queued" || status == "in_progress";
  note_response_status(notes, status);
  if (notes.document.error) notes.fail();
}

TurnStep client_step(std::string_view type, const RequestNotes& /*notes*/) {
  return type == "response.create" ? TurnStep::kAsk : TurnStep::kNothing;
}

TurnStep server_step(std::string_view type) {
  if (type == "error") return TurnStep::kError;
  if (type == "response.created") return TurnStep::kBegin;
  if (type == "response.completed" || type == "response.incomplete" || type == "response.failed") {
    return TurnStep::kEnd;
  }
  return type.starts_with("response.") ? TurnStep::kPart : TurnStep::kNothing;
}

}  // namespace

const DialectSpec& openai_responses() {
  static const DialectSpec spec{
      .dialect = Dialect::kOpenaiResponses,
      .operation = Operation::kChat,
      .path_tails = kPathTails,
      .answer_decides = true,
      .prompt_is_body = true,
      .request_paths = path_set<kRequest>(),
      .request_slots = kRequest,
      .answer_paths = path_set<kAnswer>(),
      .answer_slots = kAnswer,
      .request_has_shape = request_has_shape,
      .answer_has_shape = answer_has_shape,
      .end_document = end_document,
      .normalise = normalise_openai_answer,
      .socket_tails = kSocketTails,
      .client_step = client_step,
      .server_step = server_step,
      .one_turn_at_a_time = true,
  };
  return spec;
}

}  // namespace wiretally::llm
