// Readers of one message body each: bytes in, notes out, nothing held. Made for one dialect, used
// again after reset().
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "body_digest.h"
#include "dialect.h"
#include "framing/aws_event_stream_reader.h"
#include "framing/base64_member.h"
#include "framing/form_field.h"
#include "framing/series_reader.h"
#include "framing/sse_reader.h"
#include "json/json_scanner.h"
#include "json/json_tail.h"
#include "notes.h"
#include "protobuf/rpc_body.h"
#include "wiretally/clock.h"

namespace wiretally::llm {

class RequestReader final : private JsonEvents, private RpcMessages {
 public:
  explicit RequestReader(const DialectSpec& spec);

  void reset();
  // Of a dialect over gRPC, behind reset(); `inflaters` outlive the reader.
  void read_rpc(const Rpc& rpc, RpcInflaters* inflaters);
  void put_aside();
  void feed(ByteView body);
  // Bytes are missing here: what was read so far stands, nothing more is read.
  void stop() { stopped_ = true; }

  const DialectSpec& spec() const { return spec_; }
  const RequestNotes& notes() const { return notes_; }
  BodyDigest& digest() { return digest_; }

 private:
  void on_json(PathId path, const JsonEvent& event) override;
  void on_rpc_begin() override {}
  void on_rpc_end(bool /*intact*/) override {}

  const DialectSpec& spec_;
  JsonScanner scanner_;
  std::unique_ptr<RpcBody> rpc_body_;  // of a dialect over gRPC
  FormField form_model_;
  RequestNotes notes_;
  BodyDigest digest_;
  bool stopped_ = false;
};

// What an answer's body is made of. The first byte decides, because servers answer a request for a
// stream with JSON, and errors in JSON under a stream's content type; where that byte is lost the
// content type does.
enum class BodyForm : uint8_t { kUndecided, kJson, kEvents, kSeries, kAwsEvents, kGrpc, kOther };
bool is_grpc_content_type(std::string_view content_type);
BodyForm form_of_content_type(std::string_view content_type);

class AnswerReader final : private JsonEvents,
                           private SseEvents,
                           private SeriesEvents,
                           private AwsEvents,
                           private RpcMessages,
                           private Base64Sink {
 public:
  // `repetitions`: whether events that say what the one before said are told by comparing; the
  // notes are the same without.
  explicit AnswerReader(const DialectSpec& spec, bool repetitions = true);

  void reset(BodyForm expected);
  // Of a dialect over gRPC, behind reset(); `inflaters` outlive the reader.
  void read_rpc(const Rpc& rpc, RpcInflaters* inflaters);
  void feed(ByteView body, EventTime time);
  // Where what stands behind a gap in a JSON document may be read; it outlives the reader. Without
  // it nothing is.
  void use_tails(JsonTails* tails) { tails_ = tails; }
  // The reader is put aside: what it has taken of what is shared goes back.
  void put_aside();
  // Bytes were lost. A stream goes on with the next event; of a JSON document those members count
  // whose depth its end proves.
  void gap();
  // Nothing more can be read of this body.
  void stop();
  // The body has ended, at its end or (`cut`) before. `framed`: its message says where it ends.
  void finish(bool cut, bool framed = false);

  const DialectSpec& spec() const { return spec_; }
  const AnswerNotes& notes() const { return notes_; }
  bool has_shape() const {
    return notes_.packed ? spec_.is_packed : spec_.answer_has_shape(notes_);
  }
  BodyForm form() const { return form_; }
  // The answer came, or was to come, as events.
  bool streamed() const;
  uint64_t events() const { return events_; }
  bool document_ended() const { return json_ended_; }
  // Messages of gRPC could not be decoded; what was read of them may be wrong.
  bool unreadable() const { return rpc_body_ != nullptr && rpc_body_->unreadable(); }
  bool corrupt() const { return rpc_body_ != nullptr && rpc_body_->corrupt(); }

 private:
  static constexpr std::string_view kDone = "[DONE]";

  void give_tail_back();
  void decide(ByteView& body);
  void end_json(bool complete, bool broken);
  void forget_open_usage();
  void read_tail(const JsonTail::Members& members);
  void end_event(std::string_view type);

  void on_json(PathId path, const JsonEvent& event) override;
  size_t on_sse_repetition(ByteView rest) override;
  void on_sse_data(ByteView part) override;
  void on_sse_end(std::string_view type) override;
  void on_sse_error_field(ByteView part, bool last) override;
  void on_series_begin() override;
  Read on_series_part(ByteView part) override;
  void on_series_end(bool intact) override;
  void on_aws_begin(const Kind& kind) override;
  void on_aws_payload(ByteView part) override;
  void on_aws_end(const Kind& kind, bool intact) override;
  void on_rpc_begin() override;
  void on_rpc_end(bool intact) override;
  void on_decoded(ByteView part) override;
  void begin_document();
  void feed_document(ByteView part);
  void read_to_learn(ByteView part);
  bool is_done() const;

  const DialectSpec& spec_;
  SseReader sse_;
  SeriesReader series_;
  AwsEventStreamReader aws_;
  Base64Member packed_;  // the event inside an event of Bedrock's InvokeModel
  JsonScanner scanner_;
  std::unique_ptr<RpcBody> rpc_body_;  // of a dialect over gRPC
  const Rpc* rpc_ = nullptr;
  JsonTails* tails_ = nullptr;
  std::unique_ptr<JsonTail> tail_;  // since a gap in a JSON document
  bool checks_tail_ = false;        // what the scanner reports is not noted
  AnswerNotes notes_;
  BodyForm expected_ = BodyForm::kUndecided;
  BodyForm form_ = BodyForm::kUndecided;
  EventTime now_;
  uint64_t events_ = 0;
  uint64_t data_bytes_ = 0;  // of the event that is open
  char head_[8] = {};        // its first bytes, enough to know [DONE]
  bool in_document_ = false;
  // Events that repeat the one before. What is learned is forgotten with the next event that does
  // not: so the notes are always as the learned event left them.
  const bool repetitions_;
  Repetition learned_;
  SpanLog* spans_ = nullptr;      // of the event that is being read, while it may be learned
  bool plain_ = false;            // nothing in the event does more when it is said again
  bool learned_content_ = false;  // Document::content, before the dialect had its say
  uint64_t learned_text_ = 0;     // Document::text_bytes outside the spans
  bool type_from_field_ = false;  // Document::type is the event field's
  bool json_ended_ = false;
  bool cut_ = false;
  bool in_packed_ = false;
};

}  // namespace wiretally::llm
