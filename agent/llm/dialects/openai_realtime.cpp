// OpenAI Realtime: a WebSocket of JSON events, each with its kind in `type`.
//
//   ▲ response.create                         asks for a turn; the server may begin one by itself,
//                                             when it hears that the speaker has ended
//   ▼ session.created, .updated               the models of the session
//   ▼ input_audio_buffer.committed            audio input was taken
//   ▼ response.created                        a turn begins; several may run side by side, told
//                                             apart by response_id
//   ▼ response.*.delta                        generated audio, text or arguments in `delta`
//   ▼ response.done                           status, output and usage; the turn's end
//   ▼ conversation.item.input_audio_transcription.completed
//                                             usage of another model, a record of its own
//   ▼ error                                   about the client's message error.event_id; the
//   session
//                                             goes on
//
// Each turn states what it read anew, history included. xAI states usage at the root of
// response.done and leaves response.usage empty; so do transcriptions, by tokens or by seconds.
#include "dialect_table.h"
#include "dialects/openai_shape.h"

namespace wiretally::llm {
namespace {

constexpr std::string_view kSocketTails[] = {"/realtime"};

constexpr RequestPath kRequest[] = {
    {"type", RequestSlot::kEventType},
    {"event_id", RequestSlot::kEventId},
    {"response.metadata.user_id", RequestSlot::kMetadataUserId},
};

#define WIRETALLY_REALTIME_USAGE(root, slot)                                           \
  {root ".input_tokens", slot, UsageField::kInput},                                    \
      {root ".output_tokens", slot, UsageField::kOutput},                              \
      {root ".total_tokens", slot, UsageField::kTotal},                                \
      {root ".input_token_details.cached_tokens", slot, UsageField::kCacheRead},       \
      {root ".input_token_details.audio_tokens", slot, UsageField::kInputAudio},       \
      {root ".input_token_details.cached_tokens_details.audio_tokens", slot,           \
       UsageField::kCacheReadAudio},                                                   \
      {root ".input_token_details.image_tokens", slot, UsageField::kInputImage},       \
      {root ".output_token_details.reasoning_tokens", slot, UsageField::kReasoning}, { \
    root ".output_token_details.audio_tokens", slot, UsageField::kOutputAudio          \
  }

constexpr AnswerPath kAnswer[] = {
    {"type", AnswerSlot::kType},
    {"delta", AnswerSlot::kDelta},
    {"item_id", AnswerSlot::kItemId},
    {"response_id", AnswerSlot::kResponseId},
    {"response.id", AnswerSlot::kResponseId},
    {"response.object", AnswerSlot::kObject},
    {"response.model", AnswerSlot::kModel},
    {"response.status", AnswerSlot::kStatus},
    {"response.status_details.reason", AnswerSlot::kCancelReason},
    {"response.status_details.error", AnswerSlot::kError},
    {"response.status_details.error.code", AnswerSlot::kErrorCode},
    {"response.status_details.error.type", AnswerSlot::kErrorType},
    {"response.output[]", AnswerSlot::kToolItem},
    {"response.output[].type", AnswerSlot::kToolType},
    {"response.output[].name", AnswerSlot::kToolName},
    {"response.output[].id", AnswerSlot::kToolId},
    {"item", AnswerSlot::kToolItem},
    {"item.type", AnswerSlot::kToolType},
    {"item.name", AnswerSlot::kToolName},
    {"item.id", AnswerSlot::kToolId},
    {"response.usage", AnswerSlot::kUsage},
    WIRETALLY_REALTIME_USAGE("response.usage", AnswerSlot::kUsageNumber),
    WIRETALLY_REALTIME_USAGE("usage", AnswerSlot::kSpareUsageNumber),
    {"usage.seconds", AnswerSlot::kBilledSeconds},
    {"session.model", AnswerSlot::kSessionModel},
    {"session.audio.input.transcription.model", AnswerSlot::kTranscriber},
    {"session.input_audio_transcription.model", AnswerSlot::kTranscriber},
    {"error", AnswerSlot::kError},
    {"error.code", AnswerSlot::kErrorCode},
    {"error.type", AnswerSlot::kErrorType},
    {"error.event_id", AnswerSlot::kErrorEventId},
};

constexpr std::string_view kTranscribed = "conversation.item.input_audio_transcription.completed";

bool request_has_shape(const RequestNotes& /*notes*/, bool /*model_in_path*/) { return false; }
bool answer_has_shape(const AnswerNotes& notes) {
  return notes.object.view() == "realtime.response";
}

void end_document(AnswerNotes& notes, bool /*is_event*/) {
  Document& doc = notes.document;
  const std::string_view type = doc.type.view();
  if (type == "error") notes.fail();
  if (type.starts_with("response.") && type.ends_with(".delta") && doc.delta) doc.content = true;
  if (type.ends_with("audio.delta")) doc.text_bytes = 0;  // base64
  if (type != "response.done" && type != kTranscribed) return;
  notes.take_usage();
  notes.end_answer();
  if (type == "response.done") note_response_status(notes, doc.status.view());
}

TurnStep client_step(std::string_view type, const RequestNotes& /*notes*/) {
  return type == "response.create" ? TurnStep::kAsk : TurnStep::kNothing;
}

TurnStep server_step(std::string_view type) {
  if (type == "response.created") return TurnStep::kBegin;
  if (type == "response.done") return TurnStep::kEnd;
  if (type == "error") return TurnStep::kError;
  if (type == "input_audio_buffer.committed") return TurnStep::kInput;
  if (type == kTranscribed) return TurnStep::kTranscript;
  if (type.starts_with("response.")) return TurnStep::kPart;
  const bool session = type.starts_with("session.") || type.starts_with("transcription_session.");
  return session ? TurnStep::kSession : TurnStep::kNothing;
}

}  // namespace

const DialectSpec& openai_realtime() {
  static const DialectSpec spec{
      .dialect = Dialect::kOpenaiRealtime,
      .operation = Operation::kChat,
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
  };
  return spec;
}

}  // namespace wiretally::llm
