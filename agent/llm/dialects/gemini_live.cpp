// Gemini Live: a WebSocket of JSON messages, each with one member that names its kind, in either of
// protobuf's two spellings. Servers send them as binary messages.
//
//   ▲ setup                               the session's model
//   ▲ clientContent with turnComplete     asks for a turn; audio (realtimeInput) makes the server
//                                         begin one by itself
//   ▼ serverContent.modelTurn             generated audio or text; the first begins a turn
//   ▼ toolCall.functionCalls[]            within a turn; ▲ toolResponse lets it go on
//   ▼ serverContent.turnComplete          the turn's end, or, without usage, all but that
//   ▼ usageMetadata                       beside turnComplete, or in a message of its own behind it
//
// Each turn states what it read anew, history included. The total leaves thoughts out.
#include "dialect_table.h"
#include "dialects/gemini_shape.h"

namespace wiretally::llm {
namespace {

constexpr std::string_view kSocketTails[] = {".BidiGenerateContent",
                                             ".BidiGenerateContentConstrained",
                                             "LlmBidiService/BidiGenerateContent"};

constexpr RequestPath kRequest[] = {
    {"setup.model", RequestSlot::kModel},
    {"clientContent.turnComplete", RequestSlot::kStream},
    {"client_content.turn_complete", RequestSlot::kStream},
};

// Transcriptions of either side keep no order with the rest.
#define WIRETALLY_LIVE_CONTENT(content, turn, data, code, complete)                                \
  {content "." turn, AnswerSlot::kBody}, {content "." turn ".parts[].text", AnswerSlot::kContent}, \
      {content "." turn ".parts[]." data, AnswerSlot::kContentItem},                               \
      {content "." turn ".parts[]." code, AnswerSlot::kContentItem},                               \
      {content "." complete, AnswerSlot::kDone}, {                                                 \
    content ".interrupted", AnswerSlot::kInterrupted                                               \
  }

constexpr AnswerPath kAnswer[] = {
    WIRETALLY_LIVE_CONTENT("serverContent", "modelTurn", "inlineData", "executableCode",
                           "turnComplete"),
    WIRETALLY_LIVE_CONTENT("server_content", "model_turn", "inline_data", "executable_code",
                           "turn_complete"),
    {"toolCall.functionCalls[]", AnswerSlot::kContentItem},
    {"toolCall.functionCalls[].name", AnswerSlot::kLoneToolName},
    {"tool_call.function_calls[]", AnswerSlot::kContentItem},
    {"tool_call.function_calls[].name", AnswerSlot::kLoneToolName},
    WIRETALLY_GEMINI_USAGE(""),
    WIRETALLY_GOOGLE_ERRORS,
};

bool request_has_shape(const RequestNotes& /*notes*/, bool /*model_in_path*/) { return false; }
bool answer_has_shape(const AnswerNotes& notes) { return notes.has_body; }

// A message has no type of its own: it gets one here, for server_step.
void end_document(AnswerNotes& notes, bool /*is_event*/) {
  Document& doc = notes.document;
  notes.take_usage();
  note_traffic_type(notes);
  if (doc.last) notes.terminal = true;
  if (doc.error) {
    notes.fail();
    doc.type.assign("error");
  } else if (notes.has_body || notes.has_usage || doc.last ||
             notes.finish_reason != FinishReason::kUnknown) {
    doc.type.assign("part");
  }
}

void normalise(const AnswerNotes& notes, const UsageContext& context, UsageRecord& record) {
  if (notes.terminal && record.finish_reason == FinishReason::kUnknown) {
    record.finish_reason = FinishReason::kStop;
  }
  normalise_gemini_live_answer(notes, context, record);
}

TurnStep client_step(std::string_view /*type*/, const RequestNotes& notes) {
  if (!notes.model.empty()) return TurnStep::kSession;
  return notes.stream ? TurnStep::kAsk : TurnStep::kNothing;
}

TurnStep server_step(std::string_view type) {
  if (type == "error") return TurnStep::kError;
  return type == "part" ? TurnStep::kPart : TurnStep::kNothing;
}

}  // namespace

const DialectSpec& gemini_live() {
  static const DialectSpec spec{
      .dialect = Dialect::kGeminiLive,
      .operation = Operation::kChat,
      .request_paths = path_set<kRequest>(),
      .request_slots = kRequest,
      .answer_paths = path_set<kAnswer>(),
      .answer_slots = kAnswer,
      .request_has_shape = request_has_shape,
      .answer_has_shape = answer_has_shape,
      .end_document = end_document,
      .normalise = normalise,
      .socket_tails = kSocketTails,
      .client_step = client_step,
      .server_step = server_step,
      .one_turn_at_a_time = true,
      .parts_begin_turns = true,
      .binary_messages = true,
  };
  return spec;
}

}  // namespace wiretally::llm
