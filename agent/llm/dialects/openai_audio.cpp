// OpenAI audio: transcriptions and translations (forms in; JSON, SSE or plain text out) and speech
// (JSON in; sound or SSE out).
//
//   {"text":…, "usage":{"type":"tokens", …}}     or {"type":"duration","seconds":…}: no tokens
//   transcript.text.delta / .done                text, and at its end the usage
//   speech.audio.delta / .done                   sound, and at its end the usage
//
// Details are spelt input_token_details here, without an s. Sound alone states nothing. Mistral
// counts in the names of chat completions, and ends its streams with transcription.done.
#include "dialect_table.h"
#include "dialects/openai_shape.h"

namespace wiretally::llm {
namespace {

constexpr std::string_view kTranscriptionTails[] = {"/audio/transcriptions", "/audio/translations"};
constexpr std::string_view kSpeechTails[] = {"/audio/speech"};

constexpr RequestPath kRequest[] = {
    {"model", RequestSlot::kModel},
    {"stream", RequestSlot::kStream},
    {"input", RequestSlot::kPrompt},
    {"file", RequestSlot::kPrompt},
};

constexpr AnswerPath kAnswer[] = {
    {"type", AnswerSlot::kType},
    {"model", AnswerSlot::kModel},
    {"text", AnswerSlot::kBody},
    {"delta", AnswerSlot::kContent},
    {"audio", AnswerSlot::kContentData},
    {"usage", AnswerSlot::kUsage},
    {"usage.input_tokens", AnswerSlot::kUsageNumber, UsageField::kInput},
    {"usage.output_tokens", AnswerSlot::kUsageNumber, UsageField::kOutput},
    {"usage.seconds", AnswerSlot::kBilledSeconds},
    {"usage.total_tokens", AnswerSlot::kUsageNumber, UsageField::kTotal},
    {"usage.input_token_details.audio_tokens", AnswerSlot::kUsageNumber, UsageField::kInputAudio},
    {"usage.output_token_details.audio_tokens", AnswerSlot::kUsageNumber, UsageField::kOutputAudio},
    WIRETALLY_CHAT_USAGE("usage", AnswerSlot::kUsageNumber),  // Mistral
    WIRETALLY_OPENAI_ERRORS,
};

bool request_has_shape(const RequestNotes& notes, bool model_in_path) {
  return (model_in_path || !notes.model.empty()) && (notes.has_prompt || notes.has_form);
}

bool answer_has_shape(const AnswerNotes& notes) {
  return notes.type_known || (notes.has_body && notes.has_usage);
}

void end_document(AnswerNotes& notes, bool is_event) {
  Document& doc = notes.document;
  const std::string_view type = doc.type.view();
  notes.take_usage();
  if (is_event && (type.starts_with("transcript.") || type.starts_with("speech.audio.") ||
                   type.starts_with("transcription."))) {
    notes.type_known = true;
  }
  if (is_event && (type == "transcript.text.done" || type == "speech.audio.done" ||
                   type == "transcription.done")) {
    notes.end_answer();
  }
  if (doc.error) notes.fail();
}

DialectSpec spec_of(Operation operation, std::span<const std::string_view> tails) {
  return {
      .dialect = Dialect::kOpenaiAudio,
      .operation = operation,
      .path_tails = tails,
      .has_tokens = false,
      .takes_forms = operation == Operation::kTranscription,
      .joins = false,
      .request_paths = path_set<kRequest>(),
      .request_slots = kRequest,
      .answer_paths = path_set<kAnswer>(),
      .answer_slots = kAnswer,
      .request_has_shape = request_has_shape,
      .answer_has_shape = answer_has_shape,
      .end_document = end_document,
      .normalise = normalise_openai_answer,
  };
}

}  // namespace

const DialectSpec& openai_transcription() {
  static const DialectSpec spec = spec_of(Operation::kTranscription, kTranscriptionTails);
  return spec;
}

const DialectSpec& openai_speech() {
  static const DialectSpec spec = spec_of(Operation::kSpeech, kSpeechTails);
  return spec;
}

}  // namespace wiretally::llm
