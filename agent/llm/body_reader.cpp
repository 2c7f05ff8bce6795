#include "body_reader.h"

#include <algorithm>
#include <cstring>

#include "byte_scan.h"
#include "field_text.h"

namespace wiretally::llm {

namespace {

// What a dialect without JSON reads of it.
const PathSet& paths_or_none(const PathSet* paths) {
  static const PathSet kNone{std::initializer_list<std::string_view>{}};
  return paths == nullptr ? kNone : *paths;
}

}  // namespace

RequestReader::RequestReader(const DialectSpec& spec)
    : spec_(spec), scanner_(paths_or_none(spec.request_paths), *this), form_model_("model") {
  if (spec.request_fields != nullptr) {
    rpc_body_.reset(new RpcBody(*spec.request_fields, *this, *this));  // private bases
  }
}

void RequestReader::read_rpc(const Rpc& rpc, RpcInflaters* inflaters) {
  rpc_body_->use_inflaters(inflaters);
  rpc_body_->reset(rpc.request);
  notes_.stream = rpc.streams;
  notes_.background = rpc.deferred;
}

void RequestReader::put_aside() {
  if (rpc_body_ != nullptr) rpc_body_->give_inflater_back();
}

void RequestReader::reset() {
  scanner_.reset();
  form_model_.reset();
  notes_ = {};
  digest_.reset();
  stopped_ = false;
}

void RequestReader::feed(ByteView body) {
  digest_.feed(body);
  if (stopped_) return;
  if (rpc_body_ != nullptr) {
    rpc_body_->feed(body);
    return;
  }
  if (spec_.takes_forms) {
    form_model_.feed(body);
    notes_.has_form = form_model_.is_form();
    if (form_model_.found()) notes_.model = form_model_.value();
  }
  scanner_.feed(body);
}

void RequestReader::on_json(PathId path, const JsonEvent& event) {
  notes_.note(spec_.request_slots[path], event);
}

// The content type of gRPC, its messages in any coding; gRPC-Web is another protocol.
bool is_grpc_content_type(std::string_view content_type) {
  static constexpr std::string_view kGrpc = "application/grpc";
  return content_type.size() >= kGrpc.size() &&
         same_but_for_case(content_type.substr(0, kGrpc.size()), kGrpc) &&
         (content_type.size() == kGrpc.size() || content_type[kGrpc.size()] == '+' ||
          content_type[kGrpc.size()] == ';');
}

BodyForm form_of_content_type(std::string_view content_type) {
  const auto contains = [&](std::string_view word) {
    const auto same_letter = [](char a, char b) {
      return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + ('a' - 'A')) : a) == b;
    };
    return std::search(content_type.begin(), content_type.end(), word.begin(), word.end(),
                       same_letter) != content_type.end();
  };
  if (contains("amazon.eventstream")) return BodyForm::kAwsEvents;
  if (is_grpc_content_type(content_type)) return BodyForm::kGrpc;
  if (contains("event-stream")) return BodyForm::kEvents;
  if (contains("ndjson") || contains("stream+json") || contains("jsonl")) return BodyForm::kSeries;
  if (contains("json")) return BodyForm::kJson;
  return BodyForm::kOther;
}

namespace {

// Text that is read only for being there.
bool counts_by_presence(AnswerSlot slot) {
  return slot == AnswerSlot::kContent || slot == AnswerSlot::kContentData ||
         slot == AnswerSlot::kDelta || slot == AnswerSlot::kBodyText || slot == AnswerSlot::kText;
}

// Whether a value at this slot changes nothing when the same event comes again at once.
bool says_nothing_new(AnswerSlot slot, const JsonEvent& event) {
  switch (slot) {
    case AnswerSlot::kResponseId:
    case AnswerSlot::kRunId:
    case AnswerSlot::kModel:
    case AnswerSlot::kServiceTier:
    case AnswerSlot::kFingerprint:
    case AnswerSlot::kObject:
    case AnswerSlot::kType:
    case AnswerSlot::kRole:
    case AnswerSlot::kStatus:
    case AnswerSlot::kDelta:
    case AnswerSlot::kContent:
    case AnswerSlot::kContentData:
    case AnswerSlot::kText:
    case AnswerSlot::kBackground:
    case AnswerSlot::kChoices:
    case AnswerSlot::kChoice:
    case AnswerSlot::kBody:
    case AnswerSlot::kBodyText:
    case AnswerSlot::kToolChoice:
    case AnswerSlot::kToolItem:  // a fragment of a tool call; names are not plain
    case AnswerSlot::kToolIndex:
    case AnswerSlot::kItemIndex:
    case AnswerSlot::kContentItem:
    case AnswerSlot::kGroq:
      return true;
    case AnswerSlot::kFinishReason:
    case AnswerSlot::kSpareFinishReason:
    case AnswerSlot::kGuardrailAction:
    case AnswerSlot::kUsage:
    case AnswerSlot::kError:
    case AnswerSlot::kErrorCode:
    case AnswerSlot::kErrorType:
    case AnswerSlot::kErrorStatus:
    case AnswerSlot::kToolId:
    case AnswerSlot::kToolType:
    case AnswerSlot::kToolName:
    case AnswerSlot::kLoneToolName:
    case AnswerSlot::kBlocked:
      return event.kind == JsonEvent::Kind::kNull;
    case AnswerSlot::kUsageNumber:
    case AnswerSlot::kSpareUsageNumber:
    case AnswerSlot::kUsageAddend:
    case AnswerSlot::kDetail:
    case AnswerSlot::kDetailName:
    case AnswerSlot::kDetailCount:
    case AnswerSlot::kInterrupted:
    case AnswerSlot::kDone:
    case AnswerSlot::kErrorNumber:
    case AnswerSlot::kFailed:
    case AnswerSlot::kServerToolNumber:
    case AnswerSlot::kSearchQuery:
    case AnswerSlot::kIterations:
    case AnswerSlot::kIteration:
    case AnswerSlot::kIterationType:
    case AnswerSlot::kIterationModel:
    case AnswerSlot::kIterationNumber:
    case AnswerSlot::kApartNumber:
    case AnswerSlot::kStreamItem:
    case AnswerSlot::kToolAction:
    case AnswerSlot::kToolEnvironment:
    case AnswerSlot::kCost:
    case AnswerSlot::kQuotedCost:
    case AnswerSlot::kUpstreamCost:
    case AnswerSlot::kOwnKey:
    case AnswerSlot::kGeography:
    case AnswerSlot::kSpeed:
    case AnswerSlot::kVector:
    case AnswerSlot::kVectorNumber:
    case AnswerSlot::kBilledSeconds:
    case AnswerSlot::kResultCode:
    case AnswerSlot::kQuota:
    case AnswerSlot::kStreamId:
    case AnswerSlot::kErrorEventId:
    case AnswerSlot::kSessionModel:
    case AnswerSlot::kTranscriber:
    case AnswerSlot::kItemId:
    case AnswerSlot::kCancelReason:
      return false;
  }
  return false;
}

}  // namespace

AnswerReader::AnswerReader(const DialectSpec& spec, bool repetitions)
    : spec_(spec),
      sse_(*this),
      series_(*this),
      aws_(*this),
      packed_("bytes", *this),
      scanner_(paths_or_none(spec.answer_paths), *this),
      repetitions_(repetitions) {
  if (spec.answer_fields != nullptr) {
    rpc_body_.reset(new RpcBody(*spec.answer_fields, *this, *this));  // private bases
  }
}

void AnswerReader::read_rpc(const Rpc& rpc, RpcInflaters* inflaters) {
  rpc_ = &rpc;
  rpc_body_->use_inflaters(inflaters);
  rpc_body_->reset(rpc.answer);
  notes_.pending = rpc.deferred;
}

void AnswerReader::reset(BodyForm expected) {
  sse_.reset();
  series_.reset();
  aws_.reset();
  scanner_.reset();
  notes_.clear();
  expected_ = expected;
  form_ = BodyForm::kUndecided;
  events_ = 0;
  data_bytes_ = 0;
  in_document_ = json_ended_ = cut_ = in_packed_ = false;
  give_tail_back();
  learned_.forget();
}

void AnswerReader::feed(ByteView body, EventTime time) {
  now_ = time;
  if (form_ == BodyForm::kUndecided) decide(body);
  if (body.empty()) return;
  if (form_ == BodyForm::kEvents) {
    sse_.feed(body);
  } else if (form_ == BodyForm::kSeries) {
    series_.feed(body);
  } else if (form_ == BodyForm::kAwsEvents) {
    aws_.feed(body);
  } else if (form_ == BodyForm::kGrpc) {
    rpc_body_->feed(body);
  } else if (tail_ != nullptr) {
    tail_->feed(body);
  } else if (form_ == BodyForm::kJson && !json_ended_) {
    const JsonScanner::Verdict verdict = scanner_.feed(body);
    if (verdict != JsonScanner::Verdict::kMore) {
      const bool complete = verdict == JsonScanner::Verdict::kComplete;
      end_json(complete, !complete);
    }
  }
}

// Drops white space and a byte order mark in front of the body.
void AnswerReader::decide(ByteView& body) {
  if (rpc_body_ != nullptr) {
    // A proxy in between may have answered with a page of its own.
    const bool may_be = expected_ == BodyForm::kGrpc || expected_ == BodyForm::kUndecided;
    form_ = may_be ? BodyForm::kGrpc : BodyForm::kOther;
    return;
  }
  // Where the content type is unknown: messages of AWS begin with their length, of 16 MiB at most.
  const bool may_be_aws = expected_ == BodyForm::kUndecided && !body.empty() && body[0] == 0;
  if (may_be_aws || expected_ == BodyForm::kAwsEvents) {
    form_ = BodyForm::kAwsEvents;
    return;
  }
  static constexpr std::string_view kBefore = " \t\r\n\xEF\xBB\xBF";
  const size_t first = as_text(body).find_first_not_of(kBefore);
  if (first == std::string_view::npos) {
    body = {};
    return;
  }
  body = body.subspan(first);
  const char c = static_cast<char>(body[0]);
  const bool begins_field = c == ':' || c == 'd' || c == 'e' || c == 'i' || c == 'r';
  const bool series =
      (c == '{' && (spec_.series == JsonSeries::kLines || expected_ == BodyForm::kSeries)) ||
      (c == '[' && spec_.series == JsonSeries::kArray);
  if (series) {
    form_ = BodyForm::kSeries;
  } else if (c == '{' || c == '[') {
    form_ = BodyForm::kJson;
  } else if (begins_field || expected_ == BodyForm::kEvents) {
    form_ = BodyForm::kEvents;
  } else {
    form_ = BodyForm::kOther;
  }
}

namespace {

// Bodies of events, of which one can be lost and the next be found.
bool takes_gaps(BodyForm form) {
  return form == BodyForm::kEvents || form == BodyForm::kSeries || form == BodyForm::kAwsEvents;
}

}  // namespace

bool AnswerReader::streamed() const {
  if (rpc_ != nullptr) return rpc_->streams;
  if (form_ == BodyForm::kSeries) {
    return series_.is_array() || expected_ == BodyForm::kSeries || events_ > 1;
  }
  return form_ == BodyForm::kEvents || form_ == BodyForm::kAwsEvents;
}

void AnswerReader::put_aside() {
  give_tail_back();
  if (rpc_body_ != nullptr) rpc_body_->give_inflater_back();
}

void AnswerReader::give_tail_back() {
  if (tail_ != nullptr) tails_->give_back(std::move(tail_));
}

void AnswerReader::gap() {
  const bool undecided = form_ == BodyForm::kUndecided;
  if (undecided && expected_ == BodyForm::kEvents) form_ = BodyForm::kEvents;
  if (undecided && expected_ == BodyForm::kAwsEvents) form_ = BodyForm::kAwsEvents;
  if (undecided && expected_ == BodyForm::kSeries) form_ = BodyForm::kSeries;
  if (form_ == BodyForm::kJson && !json_ended_ && tails_ != nullptr) {
    if (tail_ == nullptr) tail_ = tails_->take();
    if (tail_ != nullptr) {
      tail_->gap();
      return;
    }
  }
  if (!takes_gaps(form_)) {
    stop();
    return;
  }
  if (form_ == BodyForm::kEvents) sse_.gap();
  if (form_ == BodyForm::kSeries) series_.gap();
  if (form_ == BodyForm::kAwsEvents) aws_.gap();
  in_document_ = false;
  notes_.usage_stale = notes_.has_usage;
}

void AnswerReader::stop() {
  if (form_ == BodyForm::kJson) {
    end_json(false, false);
    return;
  }
  if (rpc_body_ != nullptr) rpc_body_->gap();
  notes_.usage_stale = notes_.has_usage;
  in_document_ = false;
  form_ = BodyForm::kOther;
}

void AnswerReader::finish(bool cut, bool framed) {
  cut_ = cut;
  if (tail_ != nullptr && !json_ended_) {
    forget_open_usage();
    const auto members = !cut && framed ? tail_->finish() : std::nullopt;
    if (members.has_value()) read_tail(*members);
  }
  if (form_ == BodyForm::kEvents) sse_.finish();
  if (form_ == BodyForm::kSeries) series_.finish();
  if (form_ == BodyForm::kAwsEvents) aws_.finish();
  if (form_ == BodyForm::kJson) end_json(false, false);
}

void AnswerReader::end_json(bool complete, bool broken) {
  if (json_ended_) return;
  json_ended_ = true;
  Document& doc = notes_.document;
  if (!complete) forget_open_usage();
  if (broken && !doc.usage.empty()) notes_.usage_malformed = true;
  if (complete) notes_.terminal = true;
  spec_.end_document(notes_, false);
}

// Nobody knows what the rest of the object would have said.
void AnswerReader::forget_open_usage() {
  Document& doc = notes_.document;
  if (doc.usage_closed) return;
  doc.usage.clear();
  doc.iterations.clear();
  doc.has_iterations = false;
}

// The outermost object's last members, as if they were all of it. First it is seen whether they are
// whole: of a broken document nothing is noted.
void AnswerReader::read_tail(const JsonTail::Members& members) {
  static constexpr uint8_t kOpen = '{';
  for (const bool checks : {true, false}) {
    checks_tail_ = checks;
    scanner_.reset();
    scanner_.feed({&kOpen, 1});
    scanner_.feed(members.first);
    if (scanner_.feed(members.second) != JsonScanner::Verdict::kComplete) break;
  }
  checks_tail_ = false;
}

void AnswerReader::on_json(PathId path, const JsonEvent& event) {
  if (checks_tail_) return;
  const AnswerPath& at = spec_.answer_slots[path];
  notes_.note(at, event);
  // Long lists are not read for their beginning's sake.
  if (at.slot == AnswerSlot::kVectorNumber && notes_.vectors.has_enough()) {
    scanner_.skip_rest_of_array();
  }
  if (spans_ == nullptr) return;
  plain_ = plain_ && says_nothing_new(at.slot, event);
  // Plain text is reported where it stands.
  const bool there = event.kind == JsonEvent::Kind::kString && event.text_bytes > 0;
  const bool may_differ = there && event.in_place && counts_by_presence(at.slot);
  if (at.visible && there && !may_differ) plain_ = false;  // each is noted, also an equal one
  if (may_differ) {
    const uint8_t* const begin = as_bytes(event.text).data();
    spans_->add({begin, begin + event.text_bytes,
                 at.visible                            ? SpanLog::Kind::kVisibleText
                 : at.slot == AnswerSlot::kContentData ? SpanLog::Kind::kData
                                                       : SpanLog::Kind::kText,
                 false});
  }
}

void AnswerReader::begin_document() {
  learned_.forget();
  in_document_ = true;
  data_bytes_ = 0;
  scanner_.reset();
  notes_.document.clear();
}

void AnswerReader::feed_document(ByteView part) {
  if (!in_document_) begin_document();
  if (part.empty()) return;
  if (data_bytes_ < sizeof head_) {
    const size_t kept = std::min(part.size(), sizeof head_ - static_cast<size_t>(data_bytes_));
    std::memcpy(head_ + data_bytes_, part.data(), kept);
  }
  data_bytes_ += part.size();
  scanner_.feed(part);
}

bool AnswerReader::is_done() const {
  return data_bytes_ >= kDone.size() && data_bytes_ <= sizeof head_ &&
         std::string_view(head_, kDone.size()) == kDone;
}

void AnswerReader::on_sse_data(ByteView part) {
  if (in_document_ || !repetitions_) {
    feed_document(part);
  } else {
    read_to_learn(part);
  }
}

namespace {

// As the scanner would report it.
void note_visible(const SpanLog::Span& span, TextDigest& text) {
  if (span.decoded) {
    const auto size = static_cast<size_t>(span.end - span.begin);
    text.note({reinterpret_cast<const char*>(span.begin), size}, size);
    return;
  }
  StringDecoder decoder;
  decoder.reset();
  decoder.feed(span.begin, span.end + 1);
  text.note(decoder.text(), decoder.text_bytes());
}

}  // namespace

// Leaves everything as reading the value would: the scanner stands behind a whole document, and
// notes and document are as the learned event left them.
size_t AnswerReader::on_sse_repetition(ByteView rest) {
  if (in_document_ || !repetitions_) return 0;
  SpanLog visible;
  uint64_t text_bytes = 0;
  const size_t size = learned_.match(rest, &visible, &text_bytes);
  if (size == 0 || size == rest.size() || !LineEnd::hit(rest[size])) return 0;
  for (size_t i = 0; i < visible.size(); ++i) note_visible(visible[i], notes_.text);
  in_document_ = true;
  data_bytes_ = size;
  notes_.document.content = learned_content_;
  notes_.document.text_bytes = learned_text_ + text_bytes;
  if (type_from_field_) notes_.document.type.clear();
  return size;
}

void AnswerReader::read_to_learn(ByteView part) {
  SpanLog spans;
  plain_ = true;
  spans_ = &spans;
  scanner_.log_spans(&spans);
  feed_document(part);
  scanner_.log_spans(nullptr);
  spans_ = nullptr;
  const bool whole = scanner_.verdict() == JsonScanner::Verdict::kComplete;
  if (!whole || !plain_) return;
  learned_.learn(part, spans);
  learned_content_ = notes_.document.content;
  learned_text_ = notes_.document.text_bytes - spans.text_bytes();
  type_from_field_ = notes_.document.type.empty();
}

void AnswerReader::on_sse_end(std::string_view type) {
  ++events_;
  if (!in_document_) return;
  in_document_ = false;
  if (is_done()) {
    notes_.terminal = true;
  } else {
    end_event(type);
  }
}

void AnswerReader::end_event(std::string_view type) {
  Document& doc = notes_.document;
  if (scanner_.finish() != JsonScanner::Verdict::kComplete) {
    // A broken event says nothing; one whose numbers were already read is worth a flag, unless it
    // is only cut off.
    if (!cut_ && !doc.usage.empty()) notes_.usage_malformed = true;
    if (!cut_ && type == "error") notes_.failed = true;
    return;
  }
  if (doc.type.empty() && !type.empty()) doc.type.assign(type);
  if (type == "error") doc.error = true;
  spec_.end_document(notes_, true);
  if (doc.error || notes_.failed) learned_.forget();
  if (doc.content) notes_.note_content(now_, doc.text_bytes);
}

// llama.cpp behind a gateway: `error: {json}`, and the end. The document is the error object, or
// holds it.
void AnswerReader::on_sse_error_field(ByteView part, bool last) {
  feed_document(part);
  learned_.forget();
  if (!last) return;
  in_document_ = false;
  scanner_.finish();
  Document& doc = notes_.document;
  doc.note_error(doc.type.view(), 0);
  notes_.fail();
}

// --- a series of documents -----------------------------------------------------------------------

void AnswerReader::on_series_begin() { begin_document(); }

SeriesEvents::Read AnswerReader::on_series_part(ByteView part) {
  feed_document(part);
  switch (scanner_.verdict()) {
    case JsonScanner::Verdict::kMore:
      break;
    case JsonScanner::Verdict::kComplete:
      return {Progress::kComplete, part.size() - scanner_.unread()};
    case JsonScanner::Verdict::kBad:
      return {Progress::kBad, part.size() - scanner_.unread()};
  }
  return {Progress::kMore, part.size()};
}

void AnswerReader::on_series_end(bool /*intact*/) {
  ++events_;
  in_document_ = false;
  end_event({});
}

// --- events of AWS -------------------------------------------------------------------------------

void AnswerReader::on_aws_begin(const Kind& kind) {
  begin_document();
  in_packed_ = kind.name.view() == "chunk";
  if (in_packed_) packed_.reset();
}

void AnswerReader::on_aws_payload(ByteView part) {
  if (in_packed_) {
    packed_.feed(part);
  } else {
    feed_document(part);
  }
}

void AnswerReader::on_decoded(ByteView part) { feed_document(part); }

void AnswerReader::on_aws_end(const Kind& kind, bool intact) {
  ++events_;
  in_document_ = false;
  if (!intact) {
    if (!cut_ && !notes_.document.usage.empty()) notes_.usage_malformed = true;
    return;
  }
  if (in_packed_) notes_.packed = true;
  const std::string_view message = kind.message.view();
  if (message != "exception" && message != "error") {
    end_event(in_packed_ ? std::string_view() : kind.name.view());
    return;
  }
  scanner_.finish();
  notes_.document.note_error(kind.name.view(), 3);
  notes_.fail();
}

// --- messages of gRPC ----------------------------------------------------------------------------

void AnswerReader::on_rpc_begin() { begin_document(); }

void AnswerReader::on_rpc_end(bool intact) {
  ++events_;
  in_document_ = false;
  if (!intact) {
    if (!notes_.document.usage.empty()) notes_.usage_malformed = true;
    return;
  }
  spec_.end_document(notes_, rpc_->streams);
  if (notes_.document.content) notes_.note_content(now_, notes_.document.text_bytes);
}

}  // namespace wiretally::llm
