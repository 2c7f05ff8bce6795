// Text Generation Inference, its own API: generate (JSON, whose numbers are in headers, and in
// `details` if asked for) and generate_stream (SSE, one event a token; the last one has `details`,
// and of a stream that was cut the events are counted). At the root, and with older ones at
// generate, the document stands in a list. SGLang has a generate of its own at the same path.
#include "dialect_table.h"
#include "dialects/self_hosted.h"

namespace wiretally::llm {
namespace {

constexpr std::string_view kPathTails[] = {"/generate", "/generate_stream"};

constexpr RequestPath kRequest[] = {
    {"inputs", RequestSlot::kPrompt},
    {"stream", RequestSlot::kStream},
    // SGLang's:
    {"text", RequestSlot::kOther},
    {"input_ids", RequestSlot::kOther},
    {"input_ids[]", RequestSlot::kNotText},
    {"image_data", RequestSlot::kNotText},
    {"sampling_params", RequestSlot::kPrompt},
    {"sampling_params.n", RequestSlot::kChoices},
    {"sampling_params[].n", RequestSlot::kChoices},
};

constexpr AnswerPath kAnswer[] = {
    visible_text("generated_text", AnswerSlot::kBody),
    {"token", AnswerSlot::kContentItem},
    {"details", AnswerSlot::kUsage},
    {"details.input_length", AnswerSlot::kUsageNumber, UsageField::kInput},
    {"details.generated_tokens", AnswerSlot::kUsageNumber, UsageField::kOutput},
    {"details.finish_reason", AnswerSlot::kFinishReason},
    visible_text("[].generated_text", AnswerSlot::kBody),
    {"[].details", AnswerSlot::kUsage},
    {"[].details.input_length", AnswerSlot::kUsageNumber, UsageField::kInput},
    {"[].details.generated_tokens", AnswerSlot::kUsageNumber, UsageField::kOutput},
    {"[].details.finish_reason", AnswerSlot::kFinishReason},
    {"error", AnswerSlot::kError},
    {"error_type", AnswerSlot::kErrorType},
};

bool request_has_shape(const RequestNotes& /*notes*/, bool /*model_in_path*/) { return false; }

bool answer_has_shape(const AnswerNotes& notes) {
  return notes.has_body && (notes.has_usage || notes.type_known);
}

void end_document(AnswerNotes& notes, bool is_event) {
  Document& doc = notes.document;
  notes.take_usage();
  if (is_event && doc.content) notes.type_known = true;
  if (is_event && !doc.usage.empty()) {
    notes.usage_final = true;
    notes.terminal = true;
  }
  if (doc.error) notes.fail();
}

void normalise(const AnswerNotes& notes, const UsageContext& context, UsageRecord& record) {
  const TokenCounts by_headers = record.tokens;
  normalise_plain_counts(notes, context, record);
  if (!notes.has_usage && notes.content_events > 0) {
    record.tokens.output = notes.content_events;
    record.tokens.output_source = UsageSource::kPartial;
  }
  if (record.tokens.input.has_value() || !by_headers.input.has_value()) return;
  record.tokens.input = by_headers.input;
  record.tokens.input_source = by_headers.input_source;
}

}  // namespace

const DialectSpec& tgi() {
  static const DialectSpec spec{
      .dialect = Dialect::kTgi,
      .operation = Operation::kTextCompletion,
      .path_tails = kPathTails,
      .other_by_request = sglang,
      .other_by_head = false,
      .joins = false,
      .other_by_answer = sglang,
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
