#include "socket_calls.h"

#include <algorithm>
#include <functional>

#include "body_digest.h"
#include "json/json_scanner.h"
#include "packed.h"
#include "record_facts.h"
#include "target.h"

namespace wiretally::llm {
namespace {

// Names that only have to be told apart; 0 is none.
uint64_t name_of(std::string_view text) {
  return text.empty() ? 0 : std::hash<std::string_view>{}(text) | 1;
}

// One message of one party while it is scanned.
struct SocketMessage {
  bool broken = false;  // bytes of it are missing, or cannot be read
  uint64_t bytes = 0;
  BodyDigest digest;
  // What only messages on sockets say.
  Text<64> type;
  uint64_t event_id = 0;  // of the client's message, or the one that an error is about
  uint64_t stream_id = 0;
  uint64_t item_id = 0;
  bool client_cancelled = false;
};

// A turn from its beginning to its record.
struct Turn {
  uint32_t index = 0;
  uint64_t response_id = 0;  // 0: not known yet
  uint64_t event_id = 0;     // of the message that asked
  uint64_t stream_id = 0;
  bool asked = false;
  bool begun = false;
  bool lost = false;
  bool unreadable = false;
  bool client_cancelled = false;
  bool uncertain = false;  // what the server says may be about another turn that was asked for
  EventTime start;
  EventTime last;
  std::optional<EventTime> answered;
  Text<256> request_model;
  Text<256> end_user;
  Text<128> session;
  uint64_t request_bytes = 0;
  uint64_t response_bytes = 0;
  uint64_t lost_bytes = 0;
  BodyDigest up;
  BodyDigest down;
  AnswerNotes notes;
};

void feed_digest(BodyDigest& of, const BodyDigest& message) {
  const Digest value = message.value();
  of.feed({reinterpret_cast<const uint8_t*>(&value), sizeof value});
}

// What one event says becomes a part of what its turn's answer says.
void merge(const AnswerNotes& event, EventTime time, bool usage_whole, AnswerNotes& notes) {
  const auto take = [](auto& to, const auto& from) {
    if (!from.empty()) to = from;
  };
  take(notes.response_id, event.response_id);
  take(notes.model, event.model);
  take(notes.service_tier, event.service_tier);
  take(notes.object, event.object);
  if (event.finish_reason != FinishReason::kUnknown) notes.finish_reason = event.finish_reason;
  if (event.has_usage) {
    if (usage_whole) notes.usage.clear();
    notes.usage.merge(event.usage);
    notes.has_usage = true;
  }
  notes.usage_final |= event.usage_final;
  notes.terminal |= event.terminal;
  notes.text_cut |= event.text_cut;
  if (event.failed) {
    notes.failed = true;
    take(notes.error_type, event.error_type);
  }
  if (event.terminal) notes.apart = event.apart;
  notes.searches =
      event.terminal ? std::max(notes.searches, event.searches) : notes.searches + event.searches;
  // The last event lists all of them again.
  if (event.terminal && event.tools.count() > 0) notes.tools.clear();
  for (size_t i = 0; i < event.tools.count(); ++i) notes.tools.add(event.tools.name(i));
  if (event.document.content) notes.note_content(time, event.document.text_bytes);
}

}  // namespace

class SocketCalls::Session {
 public:
  Session(SocketCalls& calls, ExchangeId id, const DialectSpec& spec)
      : calls_(calls),
        id_(id),
        spec_(spec),
        client_events_(*this),
        server_events_(*this),
        client_scanner_(*spec.request_paths, client_events_),
        server_scanner_(*spec.answer_paths, server_events_) {}

  void on_request(const RequestHead& head);
  BodyInterest on_response(const ResponseHead& head);
  BodyInterest on_message(Message sender, WebSocketContent content);
  BodyInterest on_part(Message sender, ByteView part);
  void on_loss(Message sender, BodyLoss loss, uint64_t wire_bytes);
  void on_message_end(Message sender, MessageEnd end, EventTime time);
  void on_close(Message sender, EventTime time);
  void on_end(const ExchangeEnd& end);

 private:
  struct ClientEvents final : JsonEvents {
    explicit ClientEvents(Session& of) : session(of) {}
    void on_json(PathId path, const JsonEvent& event) override {
      session.note_client(session.spec_.request_slots[path], event);
    }
    Session& session;
  };
  struct ServerEvents final : JsonEvents {
    explicit ServerEvents(Session& of) : session(of) {}
    void on_json(PathId path, const JsonEvent& event) override {
      session.note_server(session.spec_.answer_slots[path], event);
    }
    Session& session;
  };

  SocketMessage& message_of(Message sender) { return messages_[static_cast<size_t>(sender)]; }
  JsonScanner& scanner_of(Message sender) {
    return sender == Message::kRequest ? client_scanner_ : server_scanner_;
  }
  void note_client(const RequestPath& path, const JsonEvent& event);
  void note_server(const AnswerPath& path, const JsonEvent& event);

  void client_message(const SocketMessage& message, EventTime time);
  void server_message(const SocketMessage& message, EventTime time);
  void ask(const SocketMessage& message, EventTime time);
  Turn* turn_begun(const SocketMessage& message, EventTime time);
  Turn* turn_at_hand(const SocketMessage& message);
  Turn* turn_in_error(const SocketMessage& message);
  void add_event(Turn& turn, const SocketMessage& message, EventTime time);
  void transcript(const SocketMessage& message, EventTime time);
  void note_session();

  Turn& new_turn(uint64_t stream_id, EventTime start, EventTime time);
  void finish_damaged(uint64_t stream_id, EventTime time);
  void finish(Turn& turn, ExchangeOutcome end, EventTime time);
  void write(const Turn& turn, Operation operation, ExchangeOutcome end, EventTime time);

  SocketCalls& calls_;
  const ExchangeId id_;
  const DialectSpec& spec_;
  ClientEvents client_events_;
  ServerEvents server_events_;
  JsonScanner client_scanner_;
  JsonScanner server_scanner_;
  RequestNotes client_notes_;
  AnswerNotes server_notes_;
  SocketMessage messages_[2];

  Packed<UsageRecord> base_;  // what both heads say
  BodyDigest prefix_;         // of each turn's request digest
  Text<256> model_;           // of the session, as the server says
  Text<256> transcriber_;
  std::vector<std::unique_ptr<Turn>> turns_;  // open, in order of birth
  std::vector<std::unique_ptr<Turn>> spares_;
  uint32_t next_index_ = 0;
  uint64_t last_ended_ = 0;  // response id
  std::optional<EventTime> input_taken_;
  // For the turn that comes next.
  uint64_t client_bytes_ = 0;
  uint64_t lost_bytes_ = 0;
  bool lost_ = false;
  bool known_ = false;  // some message showed the dialect
  std::optional<Message> first_close_;
};

// --- heads ---------------------------------------------------------------------------------------

void SocketCalls::Session::on_request(const RequestHead& head) {
  const Target target = split_target(head.target);
  UsageRecord record;
  record.exchange = id_;
  record.lane = calls_.lane_;
  record.flow = head.flow_id;
  record.dialect = spec_.dialect;
  record.stream = true;
  note_flow(*head.flow, head.direction, record);
  note_request_head(head, record);
  for (const char* name : {"model", "deployment"}) {
    if (record.request_model.empty()) record.request_model = query_value(head.target, name);
  }
  note_caller(head, calls_.credentials_, record);
  if (head.headers.incomplete && head.version == HttpVersion::kHttp2) {
    record.flags.set(RecordFlag::kH2HeadersUnknown);
  }
  prefix_.feed_part(head.method);
  prefix_.feed_part(target.path);
  // Clients ask alike on many sockets; this tells the sockets apart (RFC 6455 section 4.1).
  prefix_.feed_part(head.headers.find("sec-websocket-key").value_or(""));
  base_.pack(record);
}

BodyInterest SocketCalls::Session::on_response(const ResponseHead& head) {
  if (!head.websocket) return BodyInterest::kNotLlm;
  UsageRecord record = base_.unpack();
  note_answer_head(head, record);
  if (record.provider.empty()) record.provider.assign("unknown");
  base_.pack(record);
  return BodyInterest::kWanted;
}

// --- messages ------------------------------------------------------------------------------------

BodyInterest SocketCalls::Session::on_message(Message sender, WebSocketContent content) {
  message_of(sender) = SocketMessage();
  if (content == WebSocketContent::kBinary && !spec_.binary_messages) {
    message_of(sender).broken = true;
    return BodyInterest::kUnwanted;
  }
  scanner_of(sender).reset();
  if (sender == Message::kRequest) {
    client_notes_ = {};
  } else {
    server_notes_.clear();
  }
  return BodyInterest::kWanted;
}

BodyInterest SocketCalls::Session::on_part(Message sender, ByteView part) {
  SocketMessage& message = message_of(sender);
  message.bytes += part.size();
  message.digest.feed(part);
  if (!message.broken) scanner_of(sender).feed(part);
  return BodyInterest::kWanted;
}

void SocketCalls::Session::on_loss(Message sender, BodyLoss loss, uint64_t wire_bytes) {
  message_of(sender).broken = true;
  for (const std::unique_ptr<Turn>& turn : turns_) {
    (loss == BodyLoss::kGap ? turn->lost : turn->unreadable) = true;
  }
  if (loss == BodyLoss::kDecodeFailed) return;
  // Each lost byte is some turn's, and no more than one's.
  if (turns_.empty()) {
    lost_ = true;
    lost_bytes_ += wire_bytes;
  } else {
    turns_.front()->lost_bytes += wire_bytes;
  }
}

void SocketCalls::Session::on_message_end(Message sender, MessageEnd end, EventTime time) {
  SocketMessage& message = message_of(sender);
  if (message.broken || end == MessageEnd::kCut) return;
  if (scanner_of(sender).finish() != JsonScanner::Verdict::kComplete) return;
  if (sender == Message::kRequest) {
    client_message(message, time);
  } else {
    server_message(message, time);
  }
}

void SocketCalls::Session::note_client(const RequestPath& path, const JsonEvent& event) {
  SocketMessage& message = message_of(Message::kRequest);
  switch (path.slot) {
    case RequestSlot::kEventType:
      message.type.assign(event.text);
      break;
    case RequestSlot::kEventId:
      message.event_id = name_of(event.text);
      break;
    case RequestSlot::kStreamId:
      message.stream_id = name_of(event.text);
      break;
    default:
      client_notes_.note(path, event);
  }
}

void SocketCalls::Session::note_server(const AnswerPath& path, const JsonEvent& event) {
  SocketMessage& message = message_of(Message::kResponse);
  switch (path.slot) {
    case AnswerSlot::kStreamId:
      message.stream_id = name_of(event.text);
      break;
    case AnswerSlot::kErrorEventId:
      message.event_id = name_of(event.text);
      break;
    case AnswerSlot::kSessionModel:
      if (!event.text.empty()) model_.assign(event.text);
      break;
    case AnswerSlot::kTranscriber:
      if (!event.text.empty()) transcriber_.assign(event.text);
      break;
    case AnswerSlot::kItemId:
      if (server_notes_.response_id.empty()) server_notes_.response_id.assign(event.text);
      break;
    case AnswerSlot::kCancelReason:
      message.client_cancelled = event.text == "client_cancelled";
      server_notes_.finish_reason = finish_reason_of(event.text);
      break;
    default:
      server_notes_.note(path, event);
  }
}

void SocketCalls::Session::client_message(const SocketMessage& message, EventTime time) {
  client_bytes_ += message.bytes;
  const TurnStep step = spec_.client_step(message.type.view(), client_notes_);
  if (step == TurnStep::kAsk) ask(message, time);
  if (step == TurnStep::kSession) {
    UsageRecord record = base_.unpack();
    // "models/…" or "projects/…/models/…" in front of the name.
    const std::string_view name = client_notes_.model.view();
    record.request_model.assign(name.substr(name.rfind('/') + 1));
    base_.pack(record);
  }
}

void SocketCalls::Session::ask(const SocketMessage& message, EventTime time) {
  known_ = true;
  finish_damaged(message.stream_id, time);
  Turn& turn = new_turn(message.stream_id, time, time);
  turn.asked = true;
  turn.event_id = message.event_id;
  turn.request_model = client_notes_.model;
  for (const Text<256>* user :
       {&client_notes_.user, &client_notes_.safety_identifier, &client_notes_.metadata_user_id}) {
    if (turn.end_user.empty()) turn.end_user = calls_.credentials_.shown_end_user(*user);
  }
  turn.session = client_notes_.session;
  feed_digest(turn.up, message.digest);
}

void SocketCalls::Session::server_message(const SocketMessage& message, EventTime time) {
  spec_.end_document(server_notes_, true);
  const TurnStep step = spec_.server_step(server_notes_.document.type.view());
  Turn* turn = nullptr;
  switch (step) {
    case TurnStep::kNothing:
    case TurnStep::kAsk:
    case TurnStep::kSession:
      return;
    case TurnStep::kInput:
      input_taken_ = time;
      return;
    case TurnStep::kTranscript:
      transcript(message, time);
      return;
    case TurnStep::kBegin:
      turn = turn_begun(message, time);
      break;
    case TurnStep::kPart:
      turn = turn_at_hand(message);
      if (!spec_.parts_begin_turns) break;
      // Behind a turn's end there is nothing of it but its usage.
      if (turn != nullptr && turn->notes.terminal && !server_notes_.has_usage) {
        finish(*turn, ExchangeOutcome::kUnknown, time);
        turn = nullptr;
      }
      if (turn == nullptr && server_notes_.has_body) turn = turn_begun(message, time);
      break;
    case TurnStep::kEnd:
    case TurnStep::kCancelled:
      turn = turn_at_hand(message);
      if (turn == nullptr) turn = turn_begun(message, time);
      break;
    case TurnStep::kError:
      turn = turn_in_error(message);
      break;
  }
  if (turn == nullptr) return;
  known_ = true;
  add_event(*turn, message, time);
  const bool told_all = spec_.parts_begin_turns && turn->notes.terminal && turn->notes.has_usage;
  if (step == TurnStep::kEnd || step == TurnStep::kError || told_all) {
    finish(*turn, ExchangeOutcome::kUnknown, time);
  }
}

void SocketCalls::Session::add_event(Turn& turn, const SocketMessage& message, EventTime time) {
  merge(server_notes_, time, spec_.parts_begin_turns, turn.notes);
  turn.response_bytes += message.bytes;
  turn.client_cancelled |= message.client_cancelled;
  turn.last = time;
  if (!turn.answered.has_value()) turn.answered = time;
  feed_digest(turn.down, message.digest);
}

// The turn that waits longest, or one that the server began by itself. Nothing if it has ended
// already.
Turn* SocketCalls::Session::turn_begun(const SocketMessage& message, EventTime time) {
  const uint64_t id = name_of(server_notes_.response_id.view());
  if (id != 0 && id == last_ended_) return nullptr;
  if (spec_.one_turn_at_a_time) {
    // The end of the one before was lost.
    for (size_t i = 0; i < turns_.size(); ++i) {
      if (!turns_[i]->begun || turns_[i]->stream_id != message.stream_id) continue;
      finish(*turns_[i], ExchangeOutcome::kUnknown, time);
      break;
    }
  }
  const auto waiting = std::find_if(turns_.begin(), turns_.end(), [&](const auto& turn) {
    return !turn->begun && turn->stream_id == message.stream_id;
  });
  Turn* turn = nullptr;
  if (waiting != turns_.end()) {
    turn = waiting->get();
    const bool alone = std::none_of(std::next(waiting), turns_.end(), [&](const auto& other) {
      return !other->begun && other->stream_id == message.stream_id;
    });
    // The server may have said of this one what was lost, and be at the next.
    turn->uncertain = (turn->lost || turn->unreadable) && !alone;
  } else {
    turn = &new_turn(message.stream_id, input_taken_.value_or(time), time);
    input_taken_.reset();
  }
  turn->begun = true;
  turn->response_id = id;
  return turn;
}

// By the response's id, or, for events that name none, the one that runs.
Turn* SocketCalls::Session::turn_at_hand(const SocketMessage& message) {
  const uint64_t id = name_of(server_notes_.response_id.view());
  Turn* running = nullptr;
  for (const std::unique_ptr<Turn>& turn : turns_) {
    if (id != 0 && turn->response_id == id) return turn.get();
    if (turn->begun && turn->stream_id == message.stream_id) running = turn.get();
  }
  return id == 0 ? running : nullptr;
}

// The turn that asked with the message that the error names. Without a name an error is about the
// turn at hand only where there is one at a time; elsewhere it may be about any message.
Turn* SocketCalls::Session::turn_in_error(const SocketMessage& message) {
  if (message.event_id != 0) {
    for (const std::unique_ptr<Turn>& turn : turns_) {
      if (turn->event_id == message.event_id) return turn.get();
    }
  }
  if (spec_.one_turn_at_a_time) {
    for (const std::unique_ptr<Turn>& turn : turns_) {
      if (turn->stream_id == message.stream_id) return turn.get();
    }
    return nullptr;
  }
  // Said of the latest request alone.
  if (server_notes_.error_type.view() != "conversation_already_has_active_response") return nullptr;
  return turns_.empty() || turns_.back()->begun ? nullptr : turns_.back().get();
}

void SocketCalls::Session::transcript(const SocketMessage& message, EventTime time) {
  known_ = true;
  Turn turn;
  turn.index = next_index_++;
  turn.start = input_taken_.value_or(time);
  turn.request_model = transcriber_;
  turn.up = prefix_;
  add_event(turn, message, time);
  turn.notes.model = transcriber_;
  write(turn, Operation::kTranscription, ExchangeOutcome::kUnknown, time);
}

// --- turns ---------------------------------------------------------------------------------------

Turn& SocketCalls::Session::new_turn(uint64_t stream_id, EventTime start, EventTime time) {
  if (turns_.size() >= calls_.limits_.socket_turns_max) {
    finish(*turns_.front(), ExchangeOutcome::kUnknown, time);
  }
  std::unique_ptr<Turn> turn;
  if (spares_.empty()) {
    turn = std::make_unique<Turn>();
  } else {
    turn = std::move(spares_.back());
    spares_.pop_back();
  }
  turn->index = next_index_++;
  turn->stream_id = stream_id;
  turn->start = turn->last = start;
  turn->request_bytes = client_bytes_;
  turn->lost_bytes = lost_bytes_;
  turn->lost = lost_;
  turn->up = prefix_;
  client_bytes_ = lost_bytes_ = 0;
  lost_ = false;
  turns_.push_back(std::move(turn));
  if (turns_.size() == 1) {
    const UsageRecord record = base_.unpack();
    CallOpened opened;
    opened.exchange = id_;
    opened.flow = record.flow;
    opened.lane = calls_.lane_;
    opened.start = time;
    opened.provider = record.provider;
    opened.request_model = record.request_model;
    opened.pid = record.pid;
    opened.process_start_ns = record.process_start_ns;
    calls_.next_.on_call_opened(opened);
  }
  return *turns_.back();
}

// A client asks for the next turn when it has seen the one before end: if that end may have been
// among what was lost, it was.
void SocketCalls::Session::finish_damaged(uint64_t stream_id, EventTime time) {
  for (size_t i = 0; i < turns_.size();) {
    Turn& turn = *turns_[i];
    if (turn.stream_id == stream_id && (turn.lost || turn.unreadable)) {
      finish(turn, ExchangeOutcome::kUnknown, time);
    } else {
      ++i;
    }
  }
}

void SocketCalls::Session::finish(Turn& turn, ExchangeOutcome end, EventTime time) {
  write(turn, spec_.operation, end, time);
  if (turn.response_id != 0) last_ended_ = turn.response_id;
  const auto place = std::find_if(turns_.begin(), turns_.end(),
                                  [&](const auto& open) { return open.get() == &turn; });
  std::unique_ptr<Turn> ended = std::move(*place);
  turns_.erase(place);
  *ended = Turn();
  spares_.push_back(std::move(ended));
  if (turns_.empty()) calls_.next_.on_call_closed(id_, calls_.lane_, time);
}

void SocketCalls::Session::write(const Turn& turn, Operation operation, ExchangeOutcome end,
                                 EventTime time) {
  const AnswerNotes& notes = turn.notes;
  UsageRecord record = base_.unpack();
  record.index = turn.index;
  record.operation = operation;
  record.start = turn.start;
  record.finish = time;
  record.last_byte = turn.last;
  record.response_start = turn.answered;
  record.first_content = notes.first_content;
  record.last_content = notes.last_content;
  record.longest_stall_ns = notes.longest_stall_ns;
  if (!turn.request_model.empty()) record.request_model = turn.request_model;
  record.response_model = notes.model.empty() ? model_ : notes.model;
  record.response_id = notes.response_id;
  record.service_tier = notes.service_tier;
  record.finish_reason = notes.finish_reason;
  if (record.end_user.empty()) record.end_user = turn.end_user;
  if (record.session.empty() && !turn.uncertain) record.session = turn.session;
  record.tool_call_count = notes.tools.count();
  for (size_t i = 0; i < record.tool_call_count; ++i) {
    record.tool_calls[i].assign(notes.tools.name(i));
  }
  record.request_bytes = turn.request_bytes;
  record.response_bytes = turn.response_bytes;
  record.lost_bytes = turn.lost_bytes;
  record.saw_response = turn.answered.has_value();
  if (turn.lost) record.flags.set(RecordFlag::kGapInBody);
  if (turn.uncertain) {
    record.flags.set(RecordFlag::kPairingUncertain);
    record.request_model.clear();
    record.end_user.clear();
  }
  if (turn.unreadable) record.flags.set(RecordFlag::kDecodeFailed);
  if (notes.text_cut || notes.tools.cut()) record.flags.set(RecordFlag::kTextCut);
  if (!turn.lost && !turn.unreadable && !turn.uncertain) {
    record.request_digest = turn.up.value();
    if (notes.terminal) record.response_digest = turn.down.value();
  }

  AnswerState answer;
  answer.seen = turn.answered.has_value() || turn.unreadable || turn.lost;
  answer.terminal = notes.terminal;
  answer.failed = notes.failed;
  answer.lost = turn.lost;
  answer.decode_failed = turn.unreadable;
  if (notes.failed) record.error_type = notes.error_type;
  note_limits_and_sound(notes, record);
  spec_.normalise(notes,
                  {.provider = record.provider.view(),
                   .streamed = true,
                   .settled = notes.usage_final || (spec_.parts_begin_turns && notes.terminal)},
                  record);
  // What a turn reads is kept by the server: its input cannot be measured.
  if (!answer.lost && !answer.decode_failed && !turn.uncertain) {
    note_words(notes, record);
  }
  record.outcome = outcome_of(record, answer, end);
  if (turn.client_cancelled) record.outcome = Outcome::kClientAbort;
  record.usage_missing = missing_of(record, answer);
  if (record.usage_missing != UsageMissing::kNot) record.flags.set(RecordFlag::kUsageMissing);
  set_final_flags(record);
  calls_.next_.on_record(record);
}

// Behind the server's Close frame no event can come, and connections often outlive it.
void SocketCalls::Session::on_close(Message sender, EventTime time) {
  if (!first_close_.has_value()) first_close_ = sender;
  if (sender == Message::kRequest) return;
  const bool client_first = *first_close_ == Message::kRequest;
  while (!turns_.empty()) {
    finish(*turns_.front(),
           client_first ? ExchangeOutcome::kClientClosed : ExchangeOutcome::kServerClosed, time);
  }
}

void SocketCalls::Session::on_end(const ExchangeEnd& end) {
  UsageRecord record = base_.unpack();
  if (end.overlap_conflict) record.flags.set(RecordFlag::kOverlapConflict);
  if (end.pairing_uncertain) record.flags.set(RecordFlag::kPairingUncertain);
  base_.pack(record);
  while (!turns_.empty()) finish(*turns_.front(), end.outcome, end.time);
  const bool upgraded = record.status_code.has_value();
  if (!known_ && upgraded && record.provider.view() == "unknown") {
    calls_.next_.on_suspect(spec_.dialect);
  }
}

// --- the room's side -----------------------------------------------------------------------------

SocketCalls::SocketCalls(const Limits& limits, uint32_t lane, const CredentialReader& credentials,
                         UsageSink& next)
    : limits_(limits), lane_(lane), credentials_(credentials), next_(next) {}

SocketCalls::~SocketCalls() = default;

SocketCalls::Session* SocketCalls::find(ExchangeId id) const {
  const auto found = sessions_.find(static_cast<uint64_t>(id));
  return found == sessions_.end() ? nullptr : found->second.get();
}

bool SocketCalls::on_request(ExchangeId id, const RequestHead& head) {
  const DialectSpec* spec = suspect_socket_dialect(split_target(head.target).path);
  if (spec == nullptr) return false;
  if (sessions_.size() >= limits_.open_calls_max) {
    ++refused_;
    return false;
  }
  auto session = std::make_unique<Session>(*this, id, *spec);
  session->on_request(head);
  sessions_[static_cast<uint64_t>(id)] = std::move(session);
  return true;
}

BodyInterest SocketCalls::on_response(ExchangeId id, const ResponseHead& head) {
  Session* const session = find(id);
  return session == nullptr ? BodyInterest::kNotLlm : session->on_response(head);
}

BodyInterest SocketCalls::on_message(ExchangeId id, Message sender, WebSocketContent content,
                                     EventTime /*time*/) {
  Session* const session = find(id);
  return session == nullptr ? BodyInterest::kUnwanted : session->on_message(sender, content);
}

BodyInterest SocketCalls::on_part(ExchangeId id, Message sender, ByteView part,
                                  EventTime /*time*/) {
  Session* const session = find(id);
  return session == nullptr ? BodyInterest::kUnwanted : session->on_part(sender, part);
}

void SocketCalls::on_loss(ExchangeId id, Message sender, BodyLoss loss, uint64_t wire_bytes,
                          EventTime /*time*/) {
  if (Session* const session = find(id)) session->on_loss(sender, loss, wire_bytes);
}

void SocketCalls::on_message_end(ExchangeId id, Message sender, MessageEnd end, EventTime time) {
  if (Session* const session = find(id)) session->on_message_end(sender, end, time);
}

void SocketCalls::on_close(ExchangeId id, Message sender, EventTime time) {
  if (Session* const session = find(id)) session->on_close(sender, time);
}

bool SocketCalls::on_exchange_end(ExchangeId id, const ExchangeEnd& end) {
  const auto found = sessions_.find(static_cast<uint64_t>(id));
  if (found == sessions_.end()) return false;
  found->second->on_end(end);
  sessions_.erase(found);
  return true;
}

}  // namespace wiretally::llm
