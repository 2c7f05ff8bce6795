#include "llm_room.h"

#include <algorithm>

#include "field_text.h"
#include "provider.h"
#include "record_facts.h"
#include "target.h"

namespace wiretally::llm {
namespace {

bool is_success(uint16_t status) { return status >= 200 && status < 300; }

// Spares of each kind: enough for a steady load, and a burst's memory goes back.
constexpr size_t kSparesMax = 256;

size_t row_of(const DialectSpec& spec) {
  size_t row = 0;
  while (dialects()[row] != &spec) ++row;
  return row;
}

template <typename T>
std::unique_ptr<T> take_from(std::vector<std::unique_ptr<T>>& spares) {
  if (spares.empty()) return nullptr;
  std::unique_ptr<T> taken = std::move(spares.back());
  spares.pop_back();
  return taken;
}

template <typename T>
void keep(std::unique_ptr<T> spare, std::vector<std::unique_ptr<T>>& spares) {
  if (spares.size() < kSparesMax) spares.push_back(std::move(spare));
}

}  // namespace

// One exchange that is, or may be, a call.
//
// Its record is packed while it waits for bytes, because thousands of calls may be open and a
// record is wide; AwakeRecord is the way to it. The counts that every body part moves stand beside
// it.
struct LlmRoom::Call {
  const DialectSpec* spec = nullptr;  // nothing while an answer without request is undecided
  Packed<UsageRecord> record;
  uint64_t request_bytes = 0;
  uint64_t response_bytes = 0;
  // Of both, [0], or one a candidate. Of the answer to a request at a shared path both, [0] and
  // [1].
  std::array<std::unique_ptr<RequestReader>, kJsonDialectCount> requests;
  std::array<std::unique_ptr<AnswerReader>, kJsonDialectCount> answers;
  BodyDigest answer_digest;
  AnswerState answer;
  Text<256> served_model;  // by a header
  bool served_model_rules = false;
  bool opened = false;
  bool model_in_path = false;
  bool asked_for_usage = false;
  bool server_side = false;  // RequestNotes::server_side
  bool background = false;   // RequestNotes::background
  uint64_t choices = 1;      // RequestNotes::choices
  const Rpc* rpc = nullptr;  // of a dialect over gRPC
  std::optional<uint32_t> rpc_status;
  bool fetch = false;  // a GET or an RPC: of interest if it shows what a background call has become
  bool proven = false;          // by heads, or by the shape of an answer without request
  bool request_shaped = false;  // by the request's shape
  bool read_as_both = false;
  bool only_arranges = false;
  bool request_ended = false;
  bool request_complete = false;
  bool request_lost = false;
  bool request_corrupt = false;  // what was read of its body may be wrong
  bool request_body_begun = false;
  bool head_lost = false;     // of the request; its body may begin anywhere
  bool target_known = false;  // method and path
  bool answer_ended = false;
  bool answer_framed = false;  // its message says where its body ends

  RequestReader* request() const { return requests[0].get(); }
  AnswerReader* reader() const { return answers[0].get(); }
  // As the dialect that shares the path.
  AnswerReader* other_reader() const { return read_as_both ? answers[1].get() : nullptr; }
};

// A call's record, unpacked as long as this lives.
class LlmRoom::AwakeRecord {
 public:
  explicit AwakeRecord(Call& call) : call_(call), record_(call.record.unpack()) {}
  ~AwakeRecord() { call_.record.pack(record_); }
  AwakeRecord(const AwakeRecord&) = delete;
  AwakeRecord& operator=(const AwakeRecord&) = delete;

  UsageRecord& operator*() { return record_; }

 private:
  Call& call_;
  UsageRecord record_;
};

LlmRoom::LlmRoom(const Limits& limits, uint32_t lane, const CredentialReader& credentials,
                 UsageSink& next)
    : limits_(limits),
      lane_(lane),
      credentials_(credentials),
      next_(next),
      tails_(limits.json_tails_max),
      inflaters_(limits_),
      sockets_(limits_, lane, credentials, next),
      batches_(limits_, lane, credentials, next),
      agents_(limits_, lane, credentials, next),
      exchanges_(&memory_) {}

LlmRoom::~LlmRoom() = default;

// --- exchanges and spare memory ------------------------------------------------------------------

[[gnu::always_inline]] inline LlmRoom::CallPtr* LlmRoom::find(ExchangeId id) {
  const auto key = static_cast<uint64_t>(id);
  Recent& recent = recent_of(key);
  if (recent.entry != nullptr && recent.id == key) return recent.entry;
  const auto found = exchanges_.find(key);
  if (found == exchanges_.end()) return nullptr;
  recent = {key, &found->second};
  return recent.entry;
}

LlmRoom::CallPtr* LlmRoom::insert(ExchangeId id, bool undecided) {
  const auto key = static_cast<uint64_t>(id);
  const bool full = undecided ? undecided_ >= limits_.undecided_answers_max
                              : calls_ - undecided_ > limits_.open_calls_max;
  if (full) {
    ++refused_;
    forgotten_up_to_ = std::max(forgotten_up_to_, key);
    return nullptr;
  }
  ++calls_;
  if (undecided) ++undecided_;
  CallPtr& entry = exchanges_[key];
  entry = take_call();
  return &entry;
}

// Remembers an exchange that is no call, so that its answer is not taken for one without request.
void LlmRoom::ignore(ExchangeId id) {
  const auto key = static_cast<uint64_t>(id);
  if (exchanges_.size() - calls_ < limits_.http_exchanges_max) {
    exchanges_[key] = nullptr;
  } else {
    forgotten_up_to_ = std::max(forgotten_up_to_, key);
  }
}

void LlmRoom::erase(ExchangeId id) {
  const auto key = static_cast<uint64_t>(id);
  recent_of(key) = {};
  exchanges_.erase(key);
}

LlmRoom::CallPtr LlmRoom::take_call() {
  CallPtr call = take_from(spare_calls_);
  return call != nullptr ? std::move(call) : std::make_unique<Call>();
}

std::unique_ptr<RequestReader> LlmRoom::take_request_reader(const DialectSpec& spec) {
  std::unique_ptr<RequestReader> reader = take_from(spare_request_readers_[row_of(spec)]);
  if (reader == nullptr) reader = std::make_unique<RequestReader>(spec);
  reader->reset();
  return reader;
}

std::unique_ptr<AnswerReader> LlmRoom::take_answer_reader(const DialectSpec& spec,
                                                          BodyForm expected) {
  std::unique_ptr<AnswerReader> reader = take_from(spare_answer_readers_[row_of(spec)]);
  if (reader == nullptr) reader = std::make_unique<AnswerReader>(spec);
  reader->use_tails(&tails_);
  reader->reset(expected);
  return reader;
}

void LlmRoom::give_back(std::unique_ptr<RequestReader> reader) {
  if (reader == nullptr) return;
  reader->put_aside();
  auto& spares = spare_request_readers_[row_of(reader->spec())];
  keep(std::move(reader), spares);
}

void LlmRoom::give_back(std::unique_ptr<AnswerReader> reader) {
  if (reader == nullptr) return;
  reader->put_aside();
  auto& spares = spare_answer_readers_[row_of(reader->spec())];
  keep(std::move(reader), spares);
}

void LlmRoom::give_back(CallPtr call) {
  if (call->spec == nullptr) --undecided_;
  if (call->read_as_both) --read_as_both_;
  for (std::unique_ptr<RequestReader>& reader : call->requests) give_back(std::move(reader));
  for (std::unique_ptr<AnswerReader>& reader : call->answers) give_back(std::move(reader));
  Packed<UsageRecord> memory = std::move(call->record);
  memory.clear();
  *call = Call();
  call->record = std::move(memory);
  keep(std::move(call), spare_calls_);
  --calls_;
}

// --- heads ---------------------------------------------------------------------------------------

namespace {

// A path of a gRPC service, where the field may have been lost.
bool may_be_grpc(const Headers& headers) {
  const std::optional<std::string_view> type = headers.find("content-type");
  return type.has_value() ? is_grpc_content_type(*type) : headers.unknown;
}

}  // namespace

BodyInterest LlmRoom::on_request(ExchangeId id, const RequestHead& head) {
  if (head.first_on_flow) note_connection(head);
  const bool may_post = head.method == "POST" || (head.method.empty() && head.headers.unknown);
  if (may_post && head.target.empty() && head.headers.unknown) {
    return request_without_path(id, head);
  }
  const Target target = split_target(head.target);
  const DialectSpec* spec = may_post ? suspect_dialect(target.path) : nullptr;
  if (spec == nullptr && may_post) spec = suspect_dialect_of(head.headers);
  if (spec == nullptr && may_post) {
    spec = suspect_dialect_of(host_of(head), target.path, head.headers);
  }
  if (spec != nullptr && spec->other_by_request != nullptr && spec->other_by_head &&
      request_head_proves(spec->other_by_request().dialect, provider_of_host(host_of(head), {}),
                          head.headers)) {
    spec = &spec->other_by_request();
  }
  const Rpc* const rpc = spec == nullptr ? nullptr : rpc_of(*spec, target.path);
  if (rpc != nullptr && !may_be_grpc(head.headers)) spec = nullptr;
  CallPtr* entry = find(id);
  if (head.websocket && entry == nullptr && sockets_.on_request(id, head)) {
    return BodyInterest::kWanted;
  }
  if (entry == nullptr && (batches_.on_request(id, head) || agents_.on_request(id, head))) {
    return BodyInterest::kWanted;
  }
  const bool fetch = head.method == "GET" && !head.websocket;
  if (spec == nullptr && fetch && entry == nullptr) spec = fetched_dialect(target.path);
  const bool answered_before = entry != nullptr && *entry != nullptr;
  if (spec == nullptr) {
    if (answered_before) dismiss(*entry, id, head.time);
    ignore(id);
    return BodyInterest::kNotLlm;
  }
  if (answered_before) {
    settle_dialect(**entry, *spec);
  } else {
    entry = insert(id, false);
    if (entry == nullptr) return BodyInterest::kNotLlm;
    (*entry)->spec = spec;
  }
  Call& call = **entry;
  call.rpc = rpc;
  call.fetch = fetch || (rpc != nullptr && rpc->fetches) ||
               (spec->fetches != nullptr && spec->fetches(target.path));
  AwakeRecord awake(call);
  (*awake).exchange = id;
  read_request_head(call, head, target, *awake);
  if (!call.opened) open_call(call, *awake);
  return BodyInterest::kWanted;
}

// HTTP/2 whose header table is unknown: no more than the bodies can say what this is.
BodyInterest LlmRoom::request_without_path(ExchangeId id, const RequestHead& head) {
  CallPtr* entry = find(id);
  if (entry != nullptr && *entry == nullptr) return BodyInterest::kNotLlm;
  if (entry == nullptr) entry = insert(id, true);
  if (entry == nullptr) return BodyInterest::kNotLlm;
  Call& call = **entry;
  call.head_lost = head.headers.fields.empty();
  call.request_lost = call.head_lost;
  AwakeRecord awake(call);
  (*awake).exchange = id;
  read_request_head(call, head, {}, *awake);
  if (call.spec != nullptr) return BodyInterest::kWanted;
  for (size_t row = 0; row < kJsonDialectCount; ++row) {
    if (!dialects()[row]->joins) continue;
    call.requests[row] = take_request_reader(*dialects()[row]);
  }
  return BodyInterest::kWanted;
}

void LlmRoom::read_request_head(Call& call, const RequestHead& head, const Target& target,
                                UsageRecord& record) {
  record.lane = lane_;
  record.flow = head.flow_id;
  note_flow(*head.flow, head.direction, record);
  // What an answer that came first has told.
  const auto provider = record.provider;
  const auto organization = record.organization;
  note_request_head(head, record);
  if (record.provider.empty()) record.provider = provider;
  if (record.organization.empty()) record.organization = organization;
  // Of several credentials `authorization` is the caller's; one that is unknown may have been sent.
  const bool may_lack_it = head.headers.unknown && !head.headers.find("authorization").has_value();
  note_caller(head, credentials_, record);
  if (may_lack_it) record.caller = {};
  if (head.headers.unknown) record.flags.set(RecordFlag::kH2HeadersUnknown);
  call.model_in_path = !record.request_model.empty();
  call.target_known = !head.method.empty() && !head.target.empty();
  call.request_ended = false;
  call.answer.midstream = false;
  if (call.spec == nullptr) return;
  call.proven = call.proven ||
                (call.spec->heads_prove &&
                 request_head_proves(call.spec->dialect, record.provider.view(), head.headers));
  call.requests[0] = take_request_reader(*call.spec);
  if (call.rpc != nullptr) call.request()->read_rpc(*call.rpc, &inflaters_);
  call.request()->digest().feed_part(head.method);
  call.request()->digest().feed_part(target.path);
}

// A call whose answer came first (its request waited behind a hole): the request's path chooses the
// dialect, unless the answer has shown it.
void LlmRoom::settle_dialect(Call& call, const DialectSpec& spec) {
  if (call.spec != nullptr) return;
  call.spec = &spec;
  --undecided_;
  const size_t row = row_of(spec);
  if (row < kJsonDialectCount) std::swap(call.answers[0], call.answers[row]);
  give_back_candidates(call, row < kJsonDialectCount ? 1 : 0);
}

void LlmRoom::give_back_candidates(Call& call, size_t from) {
  for (size_t row = from; row < kJsonDialectCount; ++row) {
    give_back(std::move(call.requests[row]));
    give_back(std::move(call.answers[row]));
  }
}

// What was taken for an answer of a call is none.
void LlmRoom::dismiss(CallPtr& entry, ExchangeId id, EventTime time) {
  if (entry->opened) next_.on_call_closed(id, lane_, time);
  give_back(std::move(entry));
}

void LlmRoom::open_call(Call& call, UsageRecord& record) {
  call.opened = true;
  record.dialect = call.spec->dialect;
  record.operation = call.spec->operation_of == nullptr
                         ? call.spec->operation
                         : call.spec->operation_of(record.path.view());
  if (call.rpc != nullptr) record.operation = call.rpc->operation;
  if (call.fetch) return;
  CallOpened opened;
  opened.exchange = record.exchange;
  opened.flow = record.flow;
  opened.lane = lane_;
  opened.start = record.start;
  opened.provider.assign(record.provider.empty() ? "unknown" : record.provider.view());
  opened.request_model = record.request_model;
  opened.pid = record.pid;
  opened.process_start_ns = record.process_start_ns;
  next_.on_call_opened(opened);
}

namespace {

// Where the field may have been lost, the body's first byte decides alone.
BodyForm expected_form(const Headers& headers) {
  const std::optional<std::string_view> type = headers.find("content-type");
  if (!type.has_value() && headers.unknown) return BodyForm::kUndecided;
  return form_of_content_type(type.value_or(""));
}

// Where the body's end is not the connection's, RFC 9112 section 6.3.
bool is_framed(const ResponseHead& head) {
  if (head.version == HttpVersion::kHttp2) return true;
  if (head.headers.find("content-length").has_value()) return true;
  const std::string_view coding = head.headers.find("transfer-encoding").value_or("");
  static constexpr std::string_view kChunked = "chunked";
  return coding.size() >= kChunked.size() &&
         same_but_for_case(coding.substr(coding.size() - kChunked.size()), kChunked);
}

}  // namespace

BodyInterest LlmRoom::on_response(ExchangeId id, const ResponseHead& head) {
  CallPtr* entry = find(id);
  if (entry == nullptr) {
    if (batches_.has(id)) return batches_.on_response(id, head);
    if (agents_.has(id)) return agents_.on_response(id, head);
    return sockets_.has(id) ? sockets_.on_response(id, head) : join(id, head);
  }
  if (*entry == nullptr) return BodyInterest::kNotLlm;

  Call& call = **entry;
  const BodyForm expected = expected_form(head.headers);
  call.answer.seen = true;
  call.answer_framed = is_framed(head);
  note_answer_head(head, *AwakeRecord(call));
  if (call.spec == nullptr) return try_all(call, head);
  call.proven = call.proven || (call.spec->heads_prove && answer_head_proves(head.headers));
  if (const auto served = head.headers.find("x-ms-served-model")) {
    call.served_model.assign(*served);
    call.served_model_rules = true;
  } else if (const auto model = head.headers.find("openai-model")) {
    call.served_model.assign(*model);
  }
  call.answers[0] = take_answer_reader(*call.spec, expected);
  if (call.spec->other_by_answer != nullptr &&
      (call.read_as_both || read_as_both_ < limits_.answers_read_twice_max)) {
    call.answers[1] = take_answer_reader(call.spec->other_by_answer(), expected);
    if (!std::exchange(call.read_as_both, true)) ++read_as_both_;
  }
  if (call.rpc != nullptr) {
    call.reader()->read_rpc(*call.rpc, &inflaters_);
    note_rpc_status(head.headers, call.rpc_status);
  }
  const bool hopeless = call.request_ended && call.request_complete && !call.request_lost &&
                        !call.proven && !call.request_shaped && expected == BodyForm::kOther;
  return hopeless ? BodyInterest::kNotLlm : BodyInterest::kWanted;
}

BodyInterest LlmRoom::join(ExchangeId id, const ResponseHead& head) {
  if (static_cast<uint64_t>(id) <= forgotten_up_to_) return BodyInterest::kNotLlm;
  CallPtr* entry = insert(id, true);
  if (entry == nullptr) return BodyInterest::kNotLlm;

  Call& call = **entry;
  AwakeRecord awake(call);
  UsageRecord& record = *awake;
  record.exchange = id;
  record.lane = lane_;
  record.start = head.time;
  record.flow = head.flow_id;
  note_flow(*head.flow, opposite(head.direction), record);
  note_answer_head(head, record);
  call.answer.seen = true;
  call.answer_framed = is_framed(head);
  call.answer.midstream = true;
  call.request_ended = true;
  return try_all(call, head);
}

BodyInterest LlmRoom::try_all(Call& call, const ResponseHead& head) {
  const BodyForm expected = expected_form(head.headers);
  if (expected == BodyForm::kOther || expected == BodyForm::kGrpc) return BodyInterest::kNotLlm;
  for (size_t row = 0; row < kJsonDialectCount; ++row) {
    if (!dialects()[row]->joins) continue;
    call.answers[row] = take_answer_reader(*dialects()[row], expected);
  }
  return BodyInterest::kWanted;
}

// A request without a path that was seen whole must be of the dialect, too. The model may have
// stood in the path.
bool LlmRoom::request_may_be(const Call& call, size_t row) const {
  const RequestReader* const request = call.requests[row].get();
  const bool whole = call.request_ended && call.request_complete && !call.request_lost;
  return request == nullptr || !whole || request->spec().request_has_shape(request->notes(), true);
}

// Keeps the one candidate whose shape the answer shows. An answer that shows none is not read for
// ever, but it is remembered: its request may still come and say what it is.
BodyInterest LlmRoom::choose_dialect(Call& call) {
  if (call.reader() == nullptr) return BodyInterest::kNotLlm;
  const std::optional<uint16_t> status = call.record.unpack().status_code;
  const bool success = !status.has_value() || is_success(*status);
  for (size_t row = 0; row < kJsonDialectCount; ++row) {
    const AnswerReader* const candidate = call.answers[row].get();
    if (candidate == nullptr || !success || !candidate->has_shape() || !request_may_be(call, row)) {
      continue;
    }
    std::swap(call.answers[row], call.answers[0]);
    std::swap(call.requests[row], call.requests[0]);
    give_back_candidates(call, 1);
    call.spec = &call.reader()->spec();
    --undecided_;
    call.proven = true;
    if (call.request_ended) note_request(call);
    open_call(call, *AwakeRecord(call));
    return BodyInterest::kWanted;
  }
  const AnswerReader& any = *call.reader();
  const bool given_up = call.response_bytes >= kJoinedBytesMax || any.events() > kJoinedEventsMax ||
                        (success && any.document_ended()) || any.form() == BodyForm::kOther;
  if (!given_up) return BodyInterest::kWanted;
  give_back_candidates(call, 0);
  return BodyInterest::kNotLlm;
}

// --- connections ---------------------------------------------------------------------------------

namespace {

ConnectionSeen connection_of(const FlowInfo& flow, Direction request_direction,
                             std::string_view server_name) {
  const bool a_asks = request_direction == Direction::kAToB;
  std::array<char, Text<256>::kCapacity> lower;
  const size_t size = std::min(server_name.size(), lower.size());
  std::transform(
      server_name.begin(), server_name.begin() + static_cast<std::ptrdiff_t>(size), lower.begin(),
      [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  ConnectionSeen seen;
  seen.server_name.assign({lower.data(), size});
  seen.client = a_asks ? flow.a : flow.b;
  seen.server = a_asks ? flow.b : flow.a;
  seen.source = flow.source;
  seen.pid = flow.pid;
  seen.process_start_ns = flow.process_start_ns;
  return seen;
}

}  // namespace

void LlmRoom::note_connection(const RequestHead& head) {
  const std::string_view host = host_of(head);
  // The server's end of a connection is not one to a provider.
  const bool served = head.flow->source == Source::kTls && head.direction != Direction::kAToB;
  if (served || !is_llm_host(host)) return;
  ConnectionSeen seen = connection_of(*head.flow, head.direction, host);
  seen.visibility = Visibility::kPlain;
  seen.flow = head.flow_id;
  seen.lane = lane_;
  seen.time = head.time;
  next_.on_connection(seen);
}

void LlmRoom::on_tls_connection(const TlsHello& hello) {
  if (!is_llm_host(hello.server_name)) return;
  ConnectionSeen seen = connection_of(*hello.flow, hello.direction, hello.server_name);
  seen.visibility = Visibility::kOpaque;
  seen.flow = hello.flow_id;
  seen.lane = lane_;
  seen.time = hello.time;
  seen.hello = hello.random;
  next_.on_connection(seen);
}

// --- bodies --------------------------------------------------------------------------------------

namespace {

bool begins_like_json(ByteView body) {
  const uint8_t first = body[0];
  return first == '{' || first == ' ' || first == '\t' || first == '\r' || first == '\n';
}

}  // namespace

BodyInterest LlmRoom::on_body(ExchangeId id, Message message, ByteView body, EventTime time) {
  CallPtr* entry = find(id);
  if (entry == nullptr) {
    return agents_.has(id) ? agents_.on_body(id, message, body, time)
                           : batches_.on_body(id, message, body, time);
  }
  if (*entry == nullptr) return BodyInterest::kNotLlm;
  Call& call = **entry;
  if (message == Message::kRequest) {
    const bool first = std::exchange(call.request_body_begun, true);
    call.request_bytes += body.size();
    if (call.spec == nullptr && first && !call.head_lost && !begins_like_json(body)) {
      dismiss(*entry, id, time);
      return BodyInterest::kNotLlm;
    }
    for (std::unique_ptr<RequestReader>& reader : call.requests) {
      if (reader != nullptr) reader->feed(body);
    }
    return BodyInterest::kWanted;
  }
  call.answer_digest.feed(body);
  if (call.spec == nullptr) return feed_candidates(call, body, time);
  call.response_bytes += body.size();
  if (call.reader() != nullptr) call.reader()->feed(body, time);
  if (call.other_reader() != nullptr) call.other_reader()->feed(body, time);
  return BodyInterest::kWanted;
}

// Looks at the candidates only at fixed offsets and at the body's end, so that the choice does not
// depend on how the body arrives.
BodyInterest LlmRoom::feed_candidates(Call& call, ByteView body, EventTime time) {
  if (call.reader() == nullptr) return BodyInterest::kNotLlm;
  while (!body.empty() && call.spec == nullptr) {
    const uint64_t to_border = kJoinedStepBytes - call.response_bytes % kJoinedStepBytes;
    const ByteView part = body.first(std::min<uint64_t>(body.size(), to_border));
    body = body.subspan(part.size());
    call.response_bytes += part.size();
    for (std::unique_ptr<AnswerReader>& candidate : call.answers) {
      if (candidate != nullptr) candidate->feed(part, time);
    }
    if (part.size() < to_border) return BodyInterest::kWanted;
    if (choose_dialect(call) == BodyInterest::kNotLlm) return BodyInterest::kNotLlm;
  }
  call.response_bytes += body.size();
  if (!body.empty()) call.reader()->feed(body, time);
  return BodyInterest::kWanted;
}

void LlmRoom::on_body_loss(ExchangeId id, Message message, BodyLoss loss, uint64_t wire_bytes,
                           EventTime /*time*/) {
  CallPtr* entry = find(id);
  if (entry == nullptr) {
    batches_.on_loss(id, message, loss);
    agents_.on_loss(id, message, loss, wire_bytes);
  }
  if (entry == nullptr || *entry == nullptr) return;
  Call& call = **entry;
  (*AwakeRecord(call))
      .flags.set(loss == BodyLoss::kGap ? RecordFlag::kGapInBody : RecordFlag::kDecodeFailed);
  if (message == Message::kRequest) {
    call.request_lost = true;
    if (loss == BodyLoss::kCorrupt) call.request_corrupt = true;
    for (std::unique_ptr<RequestReader>& reader : call.requests) {
      if (reader != nullptr) reader->stop();
    }
    return;
  }
  if (loss == BodyLoss::kGap) call.answer.lost = true;
  if (loss != BodyLoss::kGap) call.answer.decode_failed = true;
  if (loss == BodyLoss::kCorrupt) call.answer.corrupt = true;
  for (std::unique_ptr<AnswerReader>& reader : call.answers) {
    if (reader == nullptr) continue;
    if (loss == BodyLoss::kGap) {
      reader->gap();
    } else {
      reader->stop();
    }
  }
}

void LlmRoom::on_trailers(ExchangeId id, Message message, const Headers& trailers,
                          EventTime /*time*/) {
  CallPtr* entry = find(id);
  if (entry == nullptr || *entry == nullptr || message != Message::kResponse) return;
  if ((*entry)->rpc != nullptr) note_rpc_status(trailers, (*entry)->rpc_status);
}

void LlmRoom::on_message_end(ExchangeId id, Message message, MessageEnd end, EventTime time) {
  CallPtr* entry = find(id);
  if (entry == nullptr) {
    batches_.on_message_end(id, message, time);
    agents_.on_message_end(id, message, time);
  }
  if (entry == nullptr || *entry == nullptr) return;
  const bool complete = end == MessageEnd::kComplete;
  if (message == Message::kRequest) {
    end_request(**entry, complete);
    return;
  }
  end_answer(**entry, complete);
  if ((*entry)->spec == nullptr) choose_dialect(**entry);
}

void LlmRoom::end_request(Call& call, bool complete) {
  if (call.request_ended || call.request() == nullptr) return;
  call.request_ended = true;
  call.request_complete = complete;
  if (call.spec != nullptr) note_request(call);
}

// The request is of the other dialect that has this path. An answer that came before the request's
// end has been read as the first one's.
void LlmRoom::switch_dialect(Call& call) {
  if (call.answer.seen) return;
  call.spec = &call.spec->other_by_request();
  (*AwakeRecord(call)).dialect = call.spec->dialect;
}

// The request has ended, and its dialect is known.
void LlmRoom::note_request(Call& call) {
  if (call.request() == nullptr) return;
  const RequestNotes& notes = call.request()->notes();
  if (notes.of_other && call.spec->other_by_request != nullptr) switch_dialect(call);
  const bool has_shape = call.spec->request_has_shape(notes, call.model_in_path);
  if (has_shape) call.request_shaped = true;
  call.only_arranges =
      call.spec->request_only_arranges != nullptr && call.spec->request_only_arranges(notes);
  // What stands somewhere in a body whose beginning was lost says nothing.
  if (!call.head_lost || has_shape) {
    AwakeRecord awake(call);
    if (!call.request_corrupt) note_request_body(notes, credentials_, *awake);
    call.asked_for_usage = notes.include_usage;
    call.server_side = notes.server_side;
    call.background = notes.background || call.spec->always_background;
    call.choices = notes.choices;
    if (call.request_complete && !call.request_lost) {
      if (call.target_known) (*awake).request_digest = call.request()->digest().value();
      if (call.spec->prompt_is_body && !notes.not_text && !call.request_corrupt) {
        (*awake).words.prompt_bytes = call.request_bytes;
      }
    }
  }
  give_back(std::move(call.requests[0]));
}

void LlmRoom::end_answer(Call& call, bool complete) {
  if (call.answer_ended || !call.answer.seen) return;
  call.answer_ended = true;
  call.answer.complete = complete;
  for (std::unique_ptr<AnswerReader>& reader : call.answers) {
    if (reader != nullptr) reader->finish(!complete, call.answer_framed);
  }
}

// --- the end -------------------------------------------------------------------------------------

void LlmRoom::on_exchange_end(ExchangeId id, const ExchangeEnd& end) {
  if (sockets_.on_exchange_end(id, end) || batches_.on_exchange_end(id) ||
      agents_.on_exchange_end(id)) {
    return;
  }
  CallPtr* entry = find(id);
  if (entry == nullptr) return;
  if (*entry != nullptr) {
    end_request(**entry, false);
    end_answer(**entry, false);
    if ((*entry)->spec == nullptr) choose_dialect(**entry);
  }
  if (*entry != nullptr) {
    if ((*entry)->spec != nullptr) close_call(**entry, end);
    give_back(std::move(*entry));
  }
  erase(id);
}

namespace {

void note_answer_body(const AnswerReader& reader, UsageRecord& record) {
  const AnswerNotes& notes = reader.notes();
  if (record.response_id.empty()) record.response_id = notes.response_id;
  record.response_model = notes.model;
  if (!notes.service_tier.empty()) record.service_tier = notes.service_tier;
  record.inference_geo = notes.geography;
  record.speed = notes.speed;
  note_stated_cost(notes.cost, record);
  record.finish_reason = notes.finish_reason;
  if (record.operation == Operation::kToolCall) {
    record.finish_reason = FinishReason::kUnknown;
  } else {
    record.tool_call_count = notes.tools.count();
  }
  for (size_t i = 0; i < notes.tools.count(); ++i) {
    record.tool_calls[i].assign(notes.tools.name(i));
  }
  record.stream = reader.streamed();
  if (record.stream) {
    record.first_content = notes.first_content;
    record.last_content = notes.last_content;
    record.longest_stall_ns = notes.longest_stall_ns;
  }
  if (notes.text_cut || notes.tools.cut() || notes.queries.cut())
    record.flags.set(RecordFlag::kTextCut);
  if (notes.usage_malformed) record.flags.set(RecordFlag::kUsageMalformed);
  if (record.provider.empty()) record.provider.assign(provider_of_answer_body(notes));
}

// How much of a call this answer to it, or to a GET, shows.
CallPart part_of(bool fetch, bool asked_for_background, const DialectSpec& spec,
                 const AnswerNotes& notes, const UsageRecord& record) {
  if (fetch) return spec.fetched_says_nothing ? CallPart::kStored : CallPart::kFetched;
  const bool pending = notes.pending || (record.stream && !notes.terminal);
  const bool may_be_fetched = asked_for_background && pending && !notes.failed &&
                              is_success(record.status_code.value_or(0)) &&
                              !record.response_id.empty();
  return may_be_fetched ? CallPart::kAsked : CallPart::kWhole;
}

// A GET repeats what is known, but for the end of a background call.
bool shows_background_end(const AnswerReader* reader) {
  if (reader == nullptr || !reader->has_shape()) return false;
  const AnswerNotes& notes = reader->notes();
  const bool may_be = notes.background || reader->spec().fetched_says_nothing;
  return may_be && notes.terminal && !notes.pending;
}

// A whole answer in which nothing is of the dialect that its request seemed to be of.
bool denies(const AnswerReader* reader, const AnswerState& answer, const UsageRecord& record) {
  return reader != nullptr && reader->spec().answer_decides && reader->document_ended() &&
         is_success(record.status_code.value_or(0)) && answer.complete && !answer.lost &&
         !answer.decode_failed && !reader->has_shape() && reader->notes().terminal &&
         reader->notes().says_nothing();
}

// What belongs to the request alone, where nobody knows whether this answer is its own.
void forget_request(UsageRecord& record) {
  record.request_model.clear();
  record.end_user.clear();
  record.session.clear();
  record.marks = {};
  record.caller = {};
  record.request_digest = {};
  record.words.prompt_bytes.reset();
}

}  // namespace

// Of two dialects that share a path, the one whose shape the answer has.
void LlmRoom::let_answer_decide(Call& call, UsageRecord& record) {
  if (call.other_reader() == nullptr || call.reader() == nullptr) return;
  if (call.reader()->has_shape() || !call.other_reader()->has_shape()) return;
  std::swap(call.answers[0], call.answers[1]);
  call.spec = &call.reader()->spec();
  record.dialect = call.spec->dialect;
  record.operation = call.spec->operation;
}

// How the call ended by the status of gRPC; the HTTP status says it only of proxies in between.
void LlmRoom::end_rpc(Call& call, UsageRecord& record) {
  AnswerState& answer = call.answer;
  const AnswerReader* const reader = call.reader();
  if (reader != nullptr && reader->unreadable()) {
    answer.decode_failed = true;
    answer.corrupt = answer.corrupt || reader->corrupt();
    record.flags.set(RecordFlag::kDecodeFailed);
  }
  if (!call.rpc_status.has_value()) {
    answer.complete = false;
    return;
  }
  if (*call.rpc_status == 0) return;
  answer.failed = true;
  answer.refused = reader == nullptr || reader->events() == 0;
  record.error_type.assign(rpc_status_name(*call.rpc_status));
}

void LlmRoom::close_call(Call& call, const ExchangeEnd& end) {
  UsageRecord record = call.record.unpack();
  let_answer_decide(call, record);
  record.request_bytes = call.request_bytes;
  record.response_bytes = call.response_bytes;
  const AnswerReader* reader = call.reader();
  if (call.fetch && !shows_background_end(reader)) return;
  const bool bills_nothing = reader != nullptr && reader->notes().bills_nothing;
  const bool asked_for =
      call.proven || (call.request_shaped && !denies(reader, call.answer, record));
  const bool is_call = (asked_for || (reader != nullptr && reader->has_shape())) && !bills_nothing;
  if (!is_call) {
    if (!bills_nothing && !call.only_arranges) next_.on_suspect(call.spec->dialect);
    next_.on_call_closed(record.exchange, lane_, end.time);
    return;
  }

  AnswerState& answer = call.answer;
  if (call.rpc != nullptr) end_rpc(call, record);
  record.finish = end.time;
  record.last_byte = end.last_byte;
  record.lost_bytes = end.lost_bytes;
  if (answer.midstream) record.flags.set(RecordFlag::kJoinedMidstream);
  if (end.overlap_conflict) record.flags.set(RecordFlag::kOverlapConflict);
  if (end.pairing_uncertain) {
    record.flags.set(RecordFlag::kPairingUncertain);
    if (answer.seen) forget_request(record);
  }
  answer.request_damaged = record.saw_request && (call.request_lost || !call.request_complete);
  answer.usage_not_requested = call.spec->usage_on_request && !call.asked_for_usage &&
                               record.saw_request && !answer.request_damaged;

  if (reader != nullptr && !answer.corrupt) {
    const AnswerNotes& notes = reader->notes();
    const bool asked_for_stream = record.stream;
    if (call.spec->operation_of_answer != nullptr) {
      record.operation = call.spec->operation_of_answer(notes, record.operation);
    }
    note_answer_body(*reader, record);
    if (record.response_bytes == 0) {
      record.stream = asked_for_stream && is_success(record.status_code.value_or(0));
    }
    answer.usage_not_requested = answer.usage_not_requested && record.stream;
    if (call.served_model_rules || record.response_model.empty()) {
      if (!call.served_model.empty()) record.response_model = call.served_model;
    }
    answer.terminal = notes.terminal;
    answer.failed = answer.failed || notes.failed;
    answer.refused = answer.refused || (notes.refused && notes.failed && !notes.has_body);
    record.part = part_of(call.fetch, call.background, *call.spec, notes, record);
    if (notes.failed && !notes.error_type.empty()) record.error_type = notes.error_type;
    note_limits_and_sound(notes, record);
    const bool in_order = (answer.complete || answer.terminal) && !answer.failed;
    call.spec->normalise(
        notes,
        {.provider = record.provider.view(),
         .streamed = record.stream,
         .settled =
             notes.usage_final || !record.stream ||
             (in_order && !notes.usage_stale && !(call.spec->counts_by_event && answer.lost)),
         .request_model = record.request_model.view(),
         .input_may_grow = answer.midstream || answer.request_damaged || call.server_side,
         .choices = answer.midstream || answer.request_damaged ? std::nullopt
                                                               : std::optional(call.choices)},
        record);
    if (!answer.lost && !answer.decode_failed) note_words(notes, record);
    const bool whole =
        (answer.complete || answer.terminal) && !answer.lost && !answer.decode_failed;
    if (whole) {
      record.response_digest = call.answer_digest.value();
      record.text_digest = record.operation == Operation::kEmbeddings
                               ? notes.vectors.value()
                               : notes.text.value(notes.tools);
    }
  }

  record.outcome = outcome_of(record, answer, end.outcome);
  // Of images and sound nothing but what is stated is counted in tokens.
  const bool by_pieces = record.operation == Operation::kImageGeneration ||
                         record.operation == Operation::kTranscription ||
                         record.operation == Operation::kSpeech;
  const bool has_tokens =
      call.spec->has_tokens && operation_has_tokens(record.operation) && !by_pieces;
  if (has_tokens) record.usage_missing = missing_of(record, answer);
  if (record.usage_missing != UsageMissing::kNot) record.flags.set(RecordFlag::kUsageMissing);
  if (record.provider.empty()) record.provider.assign("unknown");
  set_final_flags(record);
  next_.on_record(record);
  next_.on_call_closed(record.exchange, lane_, end.time);
}

// --- WebSocket -----------------------------------------------------------------------------------

BodyInterest LlmRoom::on_websocket_message(ExchangeId id, Message sender, WebSocketContent content,
                                           EventTime time) {
  return sockets_.on_message(id, sender, content, time);
}

BodyInterest LlmRoom::on_websocket_part(ExchangeId id, Message sender, ByteView part,
                                        EventTime time) {
  return sockets_.on_part(id, sender, part, time);
}

void LlmRoom::on_websocket_loss(ExchangeId id, Message sender, BodyLoss loss, uint64_t wire_bytes,
                                EventTime time) {
  sockets_.on_loss(id, sender, loss, wire_bytes, time);
}

void LlmRoom::on_websocket_message_end(ExchangeId id, Message sender, MessageEnd end,
                                       EventTime time) {
  sockets_.on_message_end(id, sender, end, time);
}

void LlmRoom::on_websocket_close(ExchangeId id, Message sender, uint16_t /*code*/, EventTime time) {
  sockets_.on_close(id, sender, time);
}

void LlmRoom::on_time(EventTime now) { next_.on_time(now); }

uint64_t LlmRoom::worst_case_bytes(const Limits& limits) {
  constexpr uint64_t kBlock = 16;  // what an allocation costs besides its bytes
  const uint64_t call = sizeof(Call) + Packed<UsageRecord>::kBytesMax + 2 * kBlock;
  const uint64_t request_reader = sizeof(RequestReader) + kBlock;
  const uint64_t answer_reader =
      sizeof(AnswerReader) + AnswerNotes::more_bytes_max() + (1 + AnswerNotes::kBlocksMax) * kBlock;
  const uint64_t rpc_bodies = 2 * (sizeof(RpcBody) + kBlock);  // of a dialect over gRPC
  const auto candidates = static_cast<uint64_t>(std::count_if(
      dialects().begin(), dialects().end(), [](const DialectSpec* spec) { return spec->joins; }));
  const uint64_t entries =
      limits.open_calls_max + 1 + limits.undecided_answers_max + limits.http_exchanges_max;
  // The map's nodes and buckets; the pool they come from takes memory in ever larger pieces.
  const uint64_t an_entry = 2 * (2 * sizeof(uint64_t) + 2 * sizeof(void*) + 2 * sizeof(void*));
  const uint64_t tails = limits.json_tails_max * (sizeof(JsonTail) + kBlock + sizeof(void*));
  const uint64_t inflaters =
      limits.rpc_inflaters_max * (sizeof(RpcInflater) + RpcInflater::kBytesMax + 3 * kBlock);
  return sizeof(LlmRoom) + tails + inflaters +
         (limits.open_calls_max + 1) * (call + request_reader + answer_reader + rpc_bodies) +
         limits.answers_read_twice_max * answer_reader +
         limits.undecided_answers_max * (call + candidates * (request_reader + answer_reader)) +
         entries * an_entry +
         kSparesMax * (call + kDialectCount * (request_reader + answer_reader) +
                       (kDialectCount - kJsonDialectCount) * rpc_bodies) +
         BatchResults::worst_case_bytes(limits);
}

}  // namespace wiretally::llm
