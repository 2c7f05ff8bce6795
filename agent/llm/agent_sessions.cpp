#include "agent_sessions.h"

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <string_view>

#include "body_digest.h"
#include "dialect.h"
#include "framing/sse_reader.h"
#include "json/json_scanner.h"
#include "packed.h"
#include "provider.h"
#include "record_facts.h"
#include "target.h"
#include "usage_merge.h"

namespace wiretally::llm {
namespace {

enum class Form : uint8_t { kStream, kPage };

struct Place {
  std::string_view session;
  Form form;
};

// The first segment of `path`, which is taken off; empty if it has none.
std::string_view take_segment(std::string_view& path) {
  if (!path.starts_with('/')) return {};
  const std::string_view segment = path.substr(1, path.find('/', 1) - 1);
  path.remove_prefix(1 + segment.size());
  return segment;
}

std::optional<Place> place_of(std::string_view path) {
  static constexpr std::string_view kFolder = "/sessions";
  const size_t folder = path.rfind("/sessions/");
  if (folder == path.npos) return std::nullopt;
  path.remove_prefix(folder + kFolder.size());
  const std::string_view session = take_segment(path);
  if (session.empty()) return std::nullopt;
  if (path == "/events/stream") return Place{session, Form::kStream};
  std::string_view thread = path;
  if (take_segment(thread) == "threads" && !take_segment(thread).empty()) {
    path = thread;
    if (path == "/stream") return Place{session, Form::kStream};
  }
  if (path == "/events") return Place{session, Form::kPage};
  return std::nullopt;
}

// Others have sessions with events, too.
bool is_anthropic(const RequestHead& head, std::string_view path) {
  return provider_of_host(host_of(head), path) == "anthropic" ||
         head.headers.find("anthropic-version").has_value() ||
         head.headers.find("anthropic-beta").has_value();
}

// What a member of an event says.
enum class Member : uint8_t { kEvent, kType, kId, kStartId, kIsError, kModel, kSpeed, kNumber };

struct MemberPath {
  std::string_view pattern;
  Member member;
  UsageField field = UsageField::kCount;
};

#define WIRETALLY_SESSION_EVENT(event, member)                                                    \
  {event, Member::kEvent}, {member "type", Member::kType}, {member "id", Member::kId},            \
      {member "model_request_start_id", Member::kStartId}, {member "is_error", Member::kIsError}, \
      {member "model", Member::kModel}, {member "model.id", Member::kModel},                      \
      {member "agent.model", Member::kModel}, {member "agent.model.id", Member::kModel},          \
      {member "model_usage.speed", Member::kSpeed},                                               \
      {member "model_usage.input_tokens", Member::kNumber, UsageField::kInput},                   \
      {member "model_usage.output_tokens", Member::kNumber, UsageField::kOutput},                 \
      {member "model_usage.cache_creation_input_tokens", Member::kNumber,                         \
       UsageField::kCacheWrite},                                                                  \
      {member "model_usage.cache_read_input_tokens", Member::kNumber, UsageField::kCacheRead},    \
      {member "model_usage.cache_creation.ephemeral_5m_input_tokens", Member::kNumber,            \
       UsageField::kCacheWrite5m},                                                                \
  {                                                                                               \
    member "model_usage.cache_creation.ephemeral_1h_input_tokens", Member::kNumber,               \
        UsageField::kCacheWrite1h                                                                 \
  }

constexpr MemberPath kEvent[] = {WIRETALLY_SESSION_EVENT("", "")};
constexpr MemberPath kPage[] = {WIRETALLY_SESSION_EVENT("data[]", "data[].")};
static_assert(std::size(kEvent) == std::size(kPage));

const PathSet& paths_for(Form form) {
  return form == Form::kStream ? *path_set<kEvent>() : *path_set<kPage>();
}

// Names that only have to be told apart; 0 is none.
uint64_t name_of(std::string_view text) {
  return text.empty() ? 0 : std::hash<std::string_view>{}(text) | 1;
}

// The event that is open.
struct SessionEvent {
  enum class Kind : uint8_t { kOther, kOfSession, kStart, kEnd };

  Kind kind = Kind::kOther;
  bool is_error = false;
  bool text_cut = false;
  uint64_t start = 0;  // names the event at which the request began
  Text<256> id;
  Text<256> model;
  Text<16> speed;
  UsageSheet usage;

  // Kept small, because it runs once an event.
  void clear() {
    kind = Kind::kOther;
    is_error = false;
    text_cut = false;
    start = 0;
    id.clear();
    model.clear();
    speed.clear();
    usage.clear();
  }
  void note(const MemberPath& path, const JsonEvent& event);
};

SessionEvent::Kind kind_of(std::string_view type) {
  if (type == "span.model_request_end") return SessionEvent::Kind::kEnd;
  if (type == "span.model_request_start") return SessionEvent::Kind::kStart;
  // What threads are said to run is another agent.
  const bool of_session = type.starts_with("session.") && !type.starts_with("session.thread");
  return of_session ? SessionEvent::Kind::kOfSession : SessionEvent::Kind::kOther;
}

void SessionEvent::note(const MemberPath& path, const JsonEvent& event) {
  const bool is_text = event.kind == JsonEvent::Kind::kString;
  switch (path.member) {
    case Member::kEvent:
      break;
    case Member::kType:
      kind = kind_of(is_text ? event.text : std::string_view());
      break;
    case Member::kId:
      if (is_text) id.assign(event.text);
      text_cut = event.text_cut;
      break;
    case Member::kStartId:
      if (is_text) start = name_of(event.text);
      break;
    case Member::kIsError:
      is_error = event.kind == JsonEvent::Kind::kBool && event.boolean;
      break;
    case Member::kModel:
      if (is_text) model.assign(event.text);
      break;
    case Member::kSpeed:
      if (is_text) speed.assign(event.text);
      break;
    case Member::kNumber:
      usage.note(path.field, event);
      break;
  }
}

}  // namespace

// One GET and its answer.
class AgentSessions::Reading final : private SseEvents, private JsonEvents {
 public:
  Reading(AgentSessions& all, Form form)
      : all_(all), form_(form), sse_(*this), scanner_(paths_for(form), *this) {}

  void on_request(ExchangeId id, const RequestHead& head, std::string_view session);
  BodyInterest on_response(const ResponseHead& head);
  BodyInterest feed(ByteView body, EventTime time);
  void lose(BodyLoss loss, uint64_t wire_bytes);
  void finish(EventTime time);

 private:
  // Requests of one session that run at once: its subagents'.
  static constexpr size_t kStartsMax = 8;

  struct Start {
    uint64_t name = 0;
    EventTime time;
  };

  void on_sse_data(ByteView part) override;
  void on_sse_end(std::string_view type) override;
  void on_sse_error_field(ByteView /*part*/, bool /*last*/) override {}
  void on_json(PathId path, const JsonEvent& event) override;

  void end_event();
  void give_out();
  std::optional<EventTime> start_of_request() const;

  AgentSessions& all_;
  const Form form_;
  SseReader sse_;
  JsonScanner scanner_;
  Packed<UsageRecord> base_;  // what all its records have in common
  SessionEvent event_;
  bool open_ = false;   // of a stream: the event's data has begun
  bool whole_ = false;  // it was one object
  uint64_t event_bytes_ = 0;
  BodyDigest digest_;  // of the event
  Text<256> model_;    // that the session's agent runs
  std::array<Start, kStartsMax> starts_;
  size_t next_start_ = 0;
  uint32_t records_ = 0;
  EventTime now_;
  // For the record that comes next.
  bool lost_ = false;
  uint64_t lost_bytes_ = 0;
  bool given_up_ = false;
};

void AgentSessions::Reading::on_request(ExchangeId id, const RequestHead& head,
                                        std::string_view session) {
  UsageRecord record;
  record.exchange = id;
  record.lane = all_.lane_;
  record.flow = head.flow_id;
  record.dialect = Dialect::kAnthropicMessages;
  record.operation = Operation::kChat;
  record.part = CallPart::kFetched;
  record.stream = form_ == Form::kStream;
  note_flow(*head.flow, head.direction, record);
  note_request_head(head, record);
  if (head.headers.unknown) record.flags.set(RecordFlag::kH2HeadersUnknown);
  note_caller(head, all_.credentials_, record);
  if (record.session.empty()) record.session.assign(session);
  // Of the GET, not of what the server asks its models.
  record.attempt_key = {};
  record.earlier_attempts.reset();
  base_.pack(record);
}

BodyInterest AgentSessions::Reading::on_response(const ResponseHead& head) {
  UsageRecord record = base_.unpack();
  note_answer_head(head, record);
  if (record.provider.empty()) record.provider.assign("anthropic");
  record.response_start.reset();
  record.rate_limit_remaining_requests.reset();
  record.rate_limit_remaining_tokens.reset();
  record.rate_limit_requests_reset_ns.reset();
  record.rate_limit_tokens_reset_ns.reset();
  base_.pack(record);
  given_up_ = head.status != 200;
  return given_up_ ? BodyInterest::kNotLlm : BodyInterest::kWanted;
}

BodyInterest AgentSessions::Reading::feed(ByteView body, EventTime time) {
  if (given_up_) return BodyInterest::kNotLlm;
  now_ = time;
  if (form_ == Form::kStream) {
    sse_.feed(body);
  } else if (scanner_.feed(body) != JsonScanner::Verdict::kMore) {
    given_up_ = true;
  }
  return given_up_ ? BodyInterest::kNotLlm : BodyInterest::kWanted;
}

void AgentSessions::Reading::lose(BodyLoss loss, uint64_t wire_bytes) {
  if (form_ == Form::kPage || loss != BodyLoss::kGap) {
    given_up_ = true;
    return;
  }
  sse_.gap();
  open_ = false;
  lost_ = true;
  lost_bytes_ += wire_bytes;
}

void AgentSessions::Reading::finish(EventTime time) {
  if (given_up_) return;
  now_ = time;
  if (form_ == Form::kStream) sse_.finish();
  given_up_ = true;
}

// --- events --------------------------------------------------------------------------------------

void AgentSessions::Reading::on_sse_data(ByteView part) {
  if (!open_) {
    open_ = true;
    whole_ = false;
    event_.clear();
    event_bytes_ = 0;
    digest_.reset();
    scanner_.reset();
  }
  event_bytes_ += part.size();
  digest_.feed(part);
  scanner_.feed(part);
}

void AgentSessions::Reading::on_sse_end(std::string_view /*type*/) {
  if (open_ && whole_) end_event();
  open_ = false;
}

void AgentSessions::Reading::on_json(PathId path, const JsonEvent& event) {
  const MemberPath& row = form_ == Form::kStream ? kEvent[path] : kPage[path];
  if (row.member != Member::kEvent) return event_.note(row, event);
  if (event.kind == JsonEvent::Kind::kObjectBegin) event_.clear();
  if (event.kind != JsonEvent::Kind::kObjectEnd) return;
  whole_ = true;
  if (form_ == Form::kPage) end_event();
}

void AgentSessions::Reading::end_event() {
  switch (event_.kind) {
    case SessionEvent::Kind::kOther:
      break;
    case SessionEvent::Kind::kOfSession:
      if (form_ == Form::kStream && !event_.model.empty()) model_ = event_.model;
      break;
    case SessionEvent::Kind::kStart:
      starts_[next_start_] = {.name = name_of(event_.id.view()), .time = now_};
      next_start_ = (next_start_ + 1) % kStartsMax;
      break;
    case SessionEvent::Kind::kEnd:
      // Without an id nothing tells it from itself, read once more.
      if (!event_.id.empty()) give_out();
      break;
  }
}

// The events of a page came all at once.
std::optional<EventTime> AgentSessions::Reading::start_of_request() const {
  if (form_ == Form::kPage || event_.start == 0) return std::nullopt;
  const auto start = std::find_if(starts_.begin(), starts_.end(),
                                  [this](const Start& seen) { return seen.name == event_.start; });
  return start == starts_.end() ? std::nullopt : std::optional(start->time);
}

void AgentSessions::Reading::give_out() {
  UsageRecord record = base_.unpack();
  const std::optional<EventTime> start = start_of_request();
  record.start = start.value_or(now_);
  record.saw_request = start.has_value();
  record.finish = record.last_byte = now_;
  record.index = records_++;
  record.response_id = event_.id;
  record.response_model = event_.model.empty() ? model_ : event_.model;
  record.speed = event_.speed;
  // Of the event's own: thousands of them come of one request.
  BodyDigest request;
  for (const std::string_view part : {record.method.view(), record.path.view(), event_.id.view()}) {
    request.feed_part(part);
  }
  record.request_digest = request.value();
  if (form_ == Form::kStream) {
    record.response_bytes = event_bytes_;
    record.response_digest = digest_.value();
  }
  if (event_.text_cut) record.flags.set(RecordFlag::kTextCut);
  if (lost_) record.flags.set(RecordFlag::kGapInBody);
  record.lost_bytes = lost_bytes_;
  lost_ = false;
  lost_bytes_ = 0;

  normalise_anthropic(event_.usage, {}, record.tokens, record.flags);
  note_sources({.provider = record.provider.view(), .streamed = record.stream, .settled = true},
               record.tokens);
  const AnswerState answer{.seen = true, .complete = true, .refused = event_.is_error};
  record.outcome = event_.is_error ? Outcome::kStreamError : Outcome::kOk;
  record.usage_missing = missing_of(record, answer);
  if (record.usage_missing != UsageMissing::kNot) record.flags.set(RecordFlag::kUsageMissing);
  set_final_flags(record);
  all_.next_.on_record(record);
}

// --- all of them ---------------------------------------------------------------------------------

AgentSessions::AgentSessions(const Limits& limits, uint32_t lane,
                             const CredentialReader& credentials, UsageSink& next)
    : limits_(limits), lane_(lane), credentials_(credentials), next_(next) {}

AgentSessions::~AgentSessions() = default;

AgentSessions::Reading* AgentSessions::find(ExchangeId id) const {
  const auto found = readings_.find(static_cast<uint64_t>(id));
  return found == readings_.end() ? nullptr : found->second.get();
}

bool AgentSessions::on_request(ExchangeId id, const RequestHead& head) {
  if (head.method != "GET" || head.websocket) return false;
  const std::string_view path = split_target(head.target).path;
  const auto place = place_of(path);
  if (!place || !is_anthropic(head, path)) return false;
  if (readings_.size() > limits_.open_calls_max) {
    ++refused_;
    return false;
  }
  auto& reading = readings_[static_cast<uint64_t>(id)];
  reading = std::make_unique<Reading>(*this, place->form);
  reading->on_request(id, head, place->session);
  return true;
}

BodyInterest AgentSessions::on_response(ExchangeId id, const ResponseHead& head) {
  Reading* const reading = find(id);
  return reading == nullptr ? BodyInterest::kNotLlm : reading->on_response(head);
}

BodyInterest AgentSessions::on_body(ExchangeId id, Message message, ByteView body, EventTime time) {
  Reading* const reading = find(id);
  if (reading == nullptr || message == Message::kRequest) return BodyInterest::kNotLlm;
  return reading->feed(body, time);
}

void AgentSessions::on_loss(ExchangeId id, Message message, BodyLoss loss, uint64_t wire_bytes) {
  Reading* const reading = find(id);
  if (reading != nullptr && message == Message::kResponse) reading->lose(loss, wire_bytes);
}

void AgentSessions::on_message_end(ExchangeId id, Message message, EventTime time) {
  Reading* const reading = find(id);
  if (reading != nullptr && message == Message::kResponse) reading->finish(time);
}

bool AgentSessions::on_exchange_end(ExchangeId id) {
  return readings_.erase(static_cast<uint64_t>(id)) > 0;
}

}  // namespace wiretally::llm
