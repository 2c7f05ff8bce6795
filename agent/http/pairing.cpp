#include "pairing.h"

namespace wiretally::http {

Exchange* Pairing::request_begins(const MessageStart& start, uint64_t answers_seen) {
  Exchange* exchange = attach_to_early_answer(start);
  if (exchange == nullptr) {
    notice_pipelining(start, answers_seen);
    if (open_ >= lane_.limits.http_pipeline_max) {
      pipelines();
      doubt(Message::kRequest);
      return nullptr;
    }
    bool idle = true;
    for (const Exchange* x = first_; x != nullptr; x = x->next) {
      if (!Exchange::is_over(x->answer)) idle = false;
    }
    exchange = append(start.time);
    exchange->began_idle = idle;
  }
  if (doubt_end_ == kOpenEnd) doubt_end_ = start.offset;
  exchange->request = Exchange::Side::kOpen;
  exchange->request_may_come = false;
  exchange->request_start = start;
  exchange->answers_seen = answers_seen;
  return exchange;
}

bool Pairing::make_room_for_request(EventTime time) {
  if (open_ < lane_.limits.http_pipeline_max) return false;
  Exchange* const oldest = first_waiting();
  if (oldest == nullptr || !Exchange::is_over(oldest->request)) return false;
  doubt(Message::kRequest);
  give_up(*oldest, false, time);
  return true;
}

Exchange* Pairing::attach_to_early_answer(const MessageStart& start) {
  Exchange* x = first_;
  while (x != nullptr) {
    Exchange* const next = x->next;
    if (x->waits_for_request()) {
      const bool before = x->answer_proof.has_value() && start.offset < *x->answer_proof;
      if (doubt_ ? before && is_answered_next(start, *x) : before || !x->answer_proof.has_value()) {
        assumed_ = assumed_ || doubt_;
        return x;
      }
      if (doubt_ && before && start.peer_offset.value_or(UINT64_MAX) < x->answer_known_from) {
        x = next;  // a later one may be its request
        continue;
      }
      x->request_may_come = false;
      settle(*x, start.time);
    }
    x = next;
  }
  return nullptr;
}

// The first answer behind what a client had received when it asked is its request's, if it does not
// pipeline and nothing in between was lost.
bool Pairing::is_answered_next(const MessageStart& request, const Exchange& answered) const {
  return !pipelining_ && request.peer_offset.has_value() &&
         *request.peer_offset >= answered.answer_known_from &&
         *request.peer_offset <= answered.answer_offset;
}

// A request that was sent before the previous one's answer was over. With loss, an unanswered
// request alone shows nothing: only that the client had received nothing in between does.
void Pairing::notice_pipelining(const MessageStart& start, uint64_t answers_seen) {
  // A request among bytes that could not be read, or were lost, was not answered before this one.
  if (doubt_ && start.offset > 0 && start.peer_offset.has_value() &&
      *start.peer_offset <= start.peer_offset_before) {
    pipelines();
  }
  if (last_ == nullptr || last_->request == Exchange::Side::kAbsent ||
      Exchange::is_over(last_->answer)) {
    return;
  }
  if (start.peer_offset.has_value()) {
    const std::optional<uint64_t> before = last_->request_start.peer_offset;
    const bool nothing_between = doubt_ ? before.has_value() && *start.peer_offset <= *before
                                        : *start.peer_offset <= answers_seen;
    if (nothing_between) pipelines();
  } else if (!doubt_ && last_->waits_for_answer()) {
    pipelines();
  }
}

// A request that was sent before an answer whose sender had not got it.
void Pairing::notice_pipelining_before(const MessageStart& answer) {
  if (pipelining_ || !answer.peer_offset.has_value()) return;
  for (const Exchange* x = first_; x != nullptr; x = x->next) {
    if (!x->waits_for_answer() || x->request_start.offset < *answer.peer_offset) continue;
    const std::optional<uint64_t> received = x->request_start.peer_offset;
    if (received.has_value() && *received <= answer.offset) pipelines();
  }
}

// What was paired in doubt was paired because the client did not seem to pipeline: the order that
// followed from it is in doubt again.
void Pairing::pipelines() {
  pipelining_ = true;
  if (!assumed_) return;
  doubt(Message::kRequest);
  for (Exchange* x = first_; x != nullptr; x = x->next) {
    const bool paired =
        x->request != Exchange::Side::kAbsent && x->answer != Exchange::Side::kAbsent;
    if (paired) x->pairing_uncertain = true;
  }
}

Exchange* Pairing::answer_begins(const MessageStart& start, uint64_t requests_known) {
  notice_pipelining_before(start);
  Exchange* exchange = doubt_ ? answer_in_doubt(start, requests_known) : first_waiting();
  if (exchange == nullptr) exchange = answer_alone(start, requests_known);
  exchange->answer = Exchange::Side::kOpen;
  exchange->answer_proof = start.peer_offset;
  exchange->answer_offset = start.offset;
  exchange->answer_known_from = answers_known_from_;
  answers_known_from_ = start.offset + 1;
  return exchange;
}

Exchange* Pairing::answer_in_doubt(const MessageStart& start, uint64_t requests_known) {
  if (pipelining_) {
    Exchange* const oldest = first_waiting();
    Exchange* const alone = answer_alone(start, requests_known);
    alone->pairing_uncertain = oldest != nullptr;
    alone->request_may_come = alone->request_may_come && oldest == nullptr;
    if (oldest != nullptr) give_up(*oldest, true, start.time);
    return alone;
  }
  Exchange* const paired = answered_by(start.peer_offset, requests_known);
  if (paired != nullptr) {
    give_up_before(paired, false, start.time);
    if (paired->request_start.offset >= lost_at_) lost_bytes_ = 0;
    if (paired->request_start.offset >= doubt_end_) doubt_ = false;
    assumed_ = true;
    return paired;
  }
  if (start.peer_offset.has_value() || first_waiting() == nullptr) return nullptr;
  give_up_before(nullptr, true, start.time);
  Exchange* const alone = answer_alone(start, requests_known);
  alone->pairing_uncertain = true;
  return alone;
}

Exchange* Pairing::answer_alone(const MessageStart& start, uint64_t requests_known) {
  if (open_ >= lane_.limits.http_pipeline_max) {
    doubt(Message::kRequest);
    requests_end(start.time);
  }
  Exchange* const exchange = append(start.time);
  exchange->request_may_come =
      start.peer_offset.has_value() ? *start.peer_offset > requests_known : !doubt_;
  if (lost_bytes_ > 0 && (!start.peer_offset.has_value() || *start.peer_offset > lost_at_)) {
    exchange->lost_bytes += lost_bytes_;
    lost_bytes_ = 0;
  }
  return exchange;
}

bool Pairing::answer_ruined(const MessageStart& start, uint64_t requests_known, uint64_t lost_bytes,
                            EventTime time) {
  notice_pipelining_before(start);
  Exchange* exchange = nullptr;
  if (!doubt_) {
    exchange = first_waiting();
  } else if (!pipelining_) {
    exchange = answered_by(start.peer_offset, requests_known);
  }
  if (exchange == nullptr) return false;
  exchange->lost_bytes += lost_bytes;
  give_up_before(exchange, false, time);
  give_up(*exchange, false, time);
  return true;
}

void Pairing::message_ends(Exchange& exchange, Message message, MessageEnd end_of_message,
                           EventTime time) {
  const Exchange::Side side =
      end_of_message == MessageEnd::kComplete ? Exchange::Side::kComplete : Exchange::Side::kCut;
  (message == Message::kRequest ? exchange.request : exchange.answer) = side;
  settle(exchange, time);
}

void Pairing::gap_between(Message message, uint64_t offset, uint64_t bytes, EventTime time) {
  doubt(message);
  if (message == Message::kResponse) {
    lose_answers(offset, bytes);
    return;
  }
  unread_requests(offset, std::nullopt);
  for (Exchange* x = first_; x != nullptr; x = x->next) {
    if (!x->waits_for_request() || (x->answer_proof.has_value() && *x->answer_proof <= offset)) {
      continue;
    }
    x->lost_bytes += bytes;
    // All the request bytes that its answer had seen are lost: nothing is left to come.
    if (x->answer_proof.has_value() && *x->answer_proof <= offset + bytes) {
      x->request_may_come = false;
      settle(*x, time);
    }
    return;
  }
  if (lost_bytes_ == 0) lost_at_ = offset;
  lost_bytes_ += bytes;
}

// Of the lost bytes each waiting request gets those behind what its client had received when it
// asked: there its answer begins, unless the client pipelines.
void Pairing::lose_answers(uint64_t offset, uint64_t bytes) {
  Exchange* loser = first_waiting();
  if (loser == nullptr) return;
  const uint64_t end = offset + bytes;
  for (Exchange* x = loser->next; x != nullptr && !pipelining_; x = x->next) {
    const std::optional<uint64_t> begin = x->request_start.peer_offset;
    if (!x->waits_for_answer() || !begin.has_value() || *begin >= end) continue;
    if (*begin > offset) {
      loser->lost_bytes += *begin - offset;
      offset = *begin;
    }
    loser = x;
  }
  loser->lost_bytes += end - offset;
}

// A client that does not pipeline sends no request before it has received something behind the one
// before.
void Pairing::unread_requests(uint64_t offset, std::optional<uint64_t> peer_offset) {
  for (Exchange* x = first_; x != nullptr; x = x->next) {
    if (!x->waits_for_answer() || x->unread_behind.has_value()) continue;
    const std::optional<uint64_t> received = x->request_start.peer_offset;
    if (peer_offset.has_value() && received.has_value() && *peer_offset <= *received) continue;
    x->unread_behind = offset;
  }
}

void Pairing::lost_was_in(Exchange& exchange, Message message) {
  if (message == Message::kRequest) exchange.unread_behind.reset();
}

void Pairing::doubt(Message message) {
  doubt_ = true;
  if (message == Message::kRequest) doubt_end_ = kOpenEnd;
}

void Pairing::requests_end(EventTime time) {
  Exchange* x = first_;
  while (x != nullptr) {
    Exchange* const next = x->next;
    if (x->waits_for_request()) {
      x->request_may_come = false;
      settle(*x, time);
    }
    x = next;
  }
}

void Pairing::answers_end(ExchangeOutcome outcome, EventTime time) {
  Exchange* x = first_;
  while (x != nullptr) {
    Exchange* const next = x->next;
    if (x->request != Exchange::Side::kOpen && !x->waits_for_request()) end(*x, outcome, time);
    x = next;
  }
}

void Pairing::close(ExchangeOutcome outcome, EventTime time) {
  while (first_ != nullptr) end(*first_, outcome, time);
}

Exchange* Pairing::release_only_waiting() {
  Exchange* const waiting = first_waiting();
  if (doubt_ || open_ != 1 || waiting == nullptr) return nullptr;
  unlink(*waiting);
  return waiting;
}

void Pairing::evict(Exchange& exchange) {
  if (exchange.waits_for_answer() || exchange.waits_for_request()) doubt(Message::kRequest);
  exchange.evidence_lost = true;
  end(exchange, ExchangeOutcome::kUnknown, exchange.last_byte);
}

void Pairing::conflict() {
  conflict_ = first_ == nullptr;
  for (Exchange* x = first_; x != nullptr; x = x->next) x->overlap_conflict = true;
}

bool Pairing::proves_same_message(const Exchange& exchange, Message message,
                                  std::optional<uint64_t> peer_offset,
                                  uint64_t requests_known) const {
  if (pipelining_ || !peer_offset.has_value()) return false;
  if (message == Message::kResponse) {
    // Its own request may still wait behind a hole.
    const bool asking = exchange.request == Exchange::Side::kOpen;
    if (!asking && !exchange.request_end.has_value()) return false;
    return *peer_offset <= (asking ? requests_known : *exchange.request_end);
  }
  const std::optional<uint64_t> at_start = exchange.request_start.peer_offset;
  return at_start.has_value() && *peer_offset <= *at_start;
}

bool Pairing::may_go_on(const Exchange& exchange, Message message,
                        std::optional<uint64_t> peer_offset) const {
  return message == Message::kResponse && !pipelining_ && exchange.waits_for_request() &&
         peer_offset.has_value() && exchange.answer_proof.has_value() &&
         *peer_offset <= *exchange.answer_proof;
}

bool Pairing::answer_is_due(const MessageStart& start, uint64_t requests_known) const {
  const bool all_received_are_known =
      start.peer_offset.has_value() && *start.peer_offset <= requests_known;
  return doubt_ || !all_received_are_known || first_waiting() != nullptr;
}

size_t Pairing::answers_open() const {
  size_t open = 0;
  for (const Exchange* x = first_; x != nullptr; x = x->next) {
    if (x->request != Exchange::Side::kAbsent && !Exchange::is_over(x->answer)) ++open;
  }
  return open;
}

bool Pairing::request_waits_between(uint64_t from, uint64_t until) const {
  for (const Exchange* x = first_; x != nullptr; x = x->next) {
    const uint64_t at = x->request_start.offset;
    if (x->waits_for_answer() && at >= from && at < until) return true;
  }
  return false;
}

bool Pairing::any_wanted() const {
  for (const Exchange* x = first_; x != nullptr; x = x->next) {
    if (x->wanted) return true;
  }
  return false;
}

Exchange* Pairing::append(EventTime time) {
  Exchange* const exchange = lane_.exchanges.create();
  exchange->owner = &owner_;
  exchange->last_byte = time;
  exchange->overlap_conflict = conflict_;
  conflict_ = false;
  (last_ == nullptr ? first_ : last_->next) = exchange;
  last_ = exchange;
  ++open_;
  return exchange;
}

Exchange* Pairing::first_waiting() const {
  for (Exchange* x = first_; x != nullptr; x = x->next) {
    if (x->waits_for_answer()) return x;
  }
  return nullptr;
}

// In doubt and without pipelining: the request that this answer is for, if that can be told. Not
// where its sender had received bytes that did not come here yet: they may be a later request.
Exchange* Pairing::answered_by(std::optional<uint64_t> proof, uint64_t requests_known) const {
  if (proof.has_value() && *proof > requests_known) return nullptr;
  Exchange* latest = nullptr;
  size_t waiting = 0;
  for (Exchange* x = first_; x != nullptr; x = x->next) {
    if (!x->waits_for_answer()) continue;
    ++waiting;
    if (!proof.has_value() || x->request_start.offset < *proof) latest = x;
  }
  if (proof.has_value()) {
    const bool maybe_of_another =
        latest != nullptr && latest->unread_behind.has_value() && *latest->unread_behind < *proof;
    return maybe_of_another ? nullptr : latest;
  }
  // Its answer may have been among what was lost, and another request be still to come.
  const bool only_one = waiting == 1 && !latest->unread_behind.has_value() &&
                        answers_known_from_ <= latest->answers_seen;
  return only_one && latest->began_idle ? latest : nullptr;
}

void Pairing::give_up_before(const Exchange* kept, bool uncertain, EventTime time) {
  Exchange* x = first_;
  while (x != nullptr && x != kept) {
    Exchange* const next = x->next;
    if (x->waits_for_answer()) give_up(*x, uncertain, time);
    x = next;
  }
}

// No answer will be attributed to this request.
void Pairing::give_up(Exchange& exchange, bool uncertain, EventTime time) {
  exchange.answer = Exchange::Side::kCut;
  exchange.evidence_lost = true;
  exchange.pairing_uncertain = exchange.pairing_uncertain || uncertain;
  settle(exchange, time);
}

void Pairing::settle(Exchange& exchange, EventTime time) {
  using Side = Exchange::Side;
  if (exchange.is_websocket) return;  // until answers_end() or close()
  const bool request_over = Exchange::is_over(exchange.request) ||
                            (exchange.request == Side::kAbsent && !exchange.request_may_come);
  if (!request_over || !Exchange::is_over(exchange.answer)) return;
  if (exchange.request == Side::kComplete && exchange.answer == Side::kComplete) {
    end(exchange, ExchangeOutcome::kComplete, time);
  } else if (exchange.evidence_lost ||
             (exchange.request == Side::kAbsent && exchange.answer == Side::kComplete)) {
    end(exchange, ExchangeOutcome::kUnknown, time);
  }
  // Otherwise the end of the connection cut it: close() or answers_end() say who did.
}

void Pairing::unlink(Exchange& exchange) {
  Exchange* before = nullptr;
  for (Exchange* x = first_; x != &exchange; x = x->next) before = x;
  (before == nullptr ? first_ : before->next) = exchange.next;
  if (last_ == &exchange) last_ = before;
  --open_;
}

void Pairing::end(Exchange& exchange, ExchangeOutcome outcome, EventTime time) {
  using Side = Exchange::Side;
  const bool unexplained =
      exchange.evidence_lost || (exchange.answer == Side::kAbsent && exchange.lost_bytes > 0) ||
      (exchange.request == Side::kAbsent && exchange.answer == Side::kComplete);
  if (unexplained) outcome = ExchangeOutcome::kUnknown;

  unlink(exchange);
  lane_.sink.on_exchange_end(exchange.id, {.time = time,
                                           .last_byte = exchange.last_byte,
                                           .outcome = outcome,
                                           .lost_bytes = exchange.lost_bytes,
                                           .pairing_uncertain = exchange.pairing_uncertain,
                                           .overlap_conflict = exchange.overlap_conflict});
  lane_.exchanges.destroy(&exchange);
}

}  // namespace wiretally::http
