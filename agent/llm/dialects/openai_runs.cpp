// OpenAI's Assistants: a run is one call, however many answers tell of it. Each is the run as one
// JSON document, or SSE whose events carry their kind in `event:` alone and in `object` what they
// hold. Usage has the names of chat completions.
//
//   POST /threads/{id}/runs, /threads/runs      begins one: queued, or a stream of it
//   POST …/runs/{id}/submit_tool_outputs        goes on with one that waits for its client's tools
//   GET …/runs/{id}                             how it stands
//
//   thread.run             null for its usage until it has ended
//   thread.run.step        parts of the same usage, passed over
//   thread.message.delta   generated text
//
// Others have runs of threads too (LangGraph), and threads hold stored text: only answers prove a
// call.
#include "dialect_table.h"
#include "dialects/openai_shape.h"

namespace wiretally::llm {
namespace {

constexpr std::string_view kPathTails[] = {"/runs", "/submit_tool_outputs"};

constexpr RequestPath kRequest[] = {
    {"model", RequestSlot::kModel},
    {"stream", RequestSlot::kStream},
    {"metadata.user_id", RequestSlot::kMetadataUserId},
    {"assistant_id", RequestSlot::kElsewhere},
    {"tool_outputs", RequestSlot::kElsewhere},
};

constexpr AnswerPath kAnswer[] = {
    {"object", AnswerSlot::kType},
    {"id", AnswerSlot::kRunId},
    {"model", AnswerSlot::kModel},
    {"status", AnswerSlot::kStatus},
    {"incomplete_details.reason", AnswerSlot::kFinishReason},
    {"delta.content[].text.value", AnswerSlot::kContent},
    {"required_action.submit_tool_outputs.tool_calls[]", AnswerSlot::kToolItem},
    {"required_action.submit_tool_outputs.tool_calls[].id", AnswerSlot::kToolId},
    {"required_action.submit_tool_outputs.tool_calls[].type", AnswerSlot::kToolType},
    {"required_action.submit_tool_outputs.tool_calls[].function.name", AnswerSlot::kToolName},
    {"usage", AnswerSlot::kUsage},
    WIRETALLY_CHAT_USAGE("usage", AnswerSlot::kUsageNumber),
    {"last_error.code", AnswerSlot::kErrorCode},
    WIRETALLY_OPENAI_ERRORS,
};

bool path_fits(std::string_view path) { return path.find("/threads/") != std::string_view::npos; }

bool fetches(std::string_view path) { return path.ends_with("/submit_tool_outputs"); }

bool request_has_shape(const RequestNotes& /*notes*/, bool /*model_in_path*/) { return false; }

bool answer_has_shape(const AnswerNotes& notes) {
  return notes.type_known || notes.document.type.view() == "thread.run";
}

void end_document(AnswerNotes& notes, bool is_event) {
  Document& doc = notes.document;
  if (doc.type.view() != "thread.run") {
    doc.usage.clear();
    if (doc.error) notes.fail();
    return;
  }
  notes.type_known = true;
  const std::string_view status = doc.status.view();
  const bool ended = status == "completed" || status == "failed" || status == "incomplete" ||
                     status == "cancelled" || status == "expired";
  notes.pending = !ended;
  if (status == "requires_action") notes.finish_reason = FinishReason::kToolCalls;
  if (!ended) {
    if (!is_event && doc.error) notes.fail();
    return;
  }
  notes.take_usage();
  notes.end_answer();
  if (status == "completed") {
    notes.finish_reason = FinishReason::kStop;
  } else if (status == "failed") {
    notes.finish_reason = FinishReason::kError;
    notes.fail();
  } else if (!doc.finished) {
    notes.finish_reason = FinishReason::kOther;
  }
}

}  // namespace

const DialectSpec& openai_runs() {
  static const DialectSpec spec{
      .dialect = Dialect::kOpenaiChat,
      .operation = Operation::kChat,
      .path_tails = kPathTails,
      .path_fits = path_fits,
      .joins = false,
      .fetched_says_nothing = true,
      .heads_prove = false,
      .always_background = true,
      .fetches = fetches,
      .request_paths = path_set<kRequest>(),
      .request_slots = kRequest,
      .answer_paths = path_set<kAnswer>(),
      .answer_slots = kAnswer,
      .request_has_shape = request_has_shape,
      .answer_has_shape = answer_has_shape,
      .end_document = end_document,
      .normalise = normalise_openai_answer,
  };
  return spec;
}

}  // namespace wiretally::llm
