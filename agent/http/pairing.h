// Which answer belongs to which request, on one HTTP/1 connection.
//
// As long as nothing was lost: in order (RFC 9112 section 9.3). After a loss outside a body's
// framing the order is in doubt, and a pair is made on proof only:
//
//   proof           an answer whose sender had received p request bytes answers the latest
//                   unanswered request that begins before p, if the client does not pipeline.
//                   While a hole holds requests back, that one may still be to come
//   idle connection without p: the only unanswered request, if nothing was under way at its start
//                   and no byte of an answer was lost since
//   neither         the answer becomes an exchange of its own, marked pairing_uncertain
//
// That a client does not pipeline is taken for granted until a request shows that it does: one that
// was sent before anything was received behind the request before it, or before an answer whose
// sender had not got it. From then on nothing is paired on this connection behind a loss, and what
// had been paired behind one is uncertain. A client that pipelines only among bytes that were never
// captured cannot be told from one that does not.
//
// A proven pair behind the loss ends the doubt. What a lost message leaves over ends with
// ExchangeOutcome::kUnknown, so that one lost message costs its own call and none after it.
#pragma once

#include "lane.h"

namespace wiretally::http {

class Pairing {
 public:
  // `owner` of the exchanges, for their eviction; it calls evict() here.
  Pairing(Lane& lane, ExchangeOwner& owner) : lane_(lane), owner_(owner) {}

  // A request's head is complete. `answers_seen`: offset reached by the answers' direction. Nothing
  // if more requests wait than Limits::http_pipeline_max.
  Exchange* request_begins(const MessageStart& start, uint64_t answers_seen);
  // The answers' direction is not captured, so that none may ever come: if as many requests wait as
  // Limits::http_pipeline_max allows, the oldest ends unanswered. True if it did.
  bool make_room_for_request(EventTime time);
  // A final answer's head is complete. `requests_known`: offset up to which the bytes of the
  // requests' direction are known to belong to the requests seen.
  Exchange* answer_begins(const MessageStart& start, uint64_t requests_known);
  // An answer began, but its head is bad, or `lost_bytes` of it were lost: its request gets no
  // other one. False if it cannot be told which request that is.
  bool answer_ruined(const MessageStart& start, uint64_t requests_known, uint64_t lost_bytes,
                     EventTime time);

  // The message is over; ends the exchange if nothing more can come for it.
  void message_ends(Exchange& exchange, Message message, MessageEnd end, EventTime time);

  // Bytes were lost between messages or in a head.
  void gap_between(Message message, uint64_t offset, uint64_t bytes, EventTime time);
  // Bytes of this direction could not be attributed to messages.
  void doubt(Message message);
  // Bytes of the requests' direction are in no message. Their sender had received so much; nothing
  // where that is not known.
  void unread_requests(uint64_t offset, std::optional<uint64_t> peer_offset);
  // Bytes of the answers' direction up to here are in no message, or were lost.
  void unread_answers(uint64_t until) { answers_known_from_ = until; }
  // What was lost or unread behind the beginning of this message turned out to be of it.
  void lost_was_in(Exchange& exchange, Message message);
  // The connection's first bytes were not seen.
  void join_midstream() { doubt_ = true; }

  // No more requests will come.
  void requests_end(EventTime time);
  // No more answers will come; `outcome` is why.
  void answers_end(ExchangeOutcome outcome, EventTime time);
  // The connection is over: ends everything.
  void close(ExchangeOutcome outcome, EventTime time);

  // The only request that waits for its answer, which another protocol will bring: it is this
  // object's no more. Nothing if it cannot be told which it is.
  Exchange* release_only_waiting();

  // Ends this exchange, because there are too many; an answer to it that comes later is nobody's.
  void evict(Exchange& exchange);

  // The wire carried two versions of some byte.
  void conflict();

  // Whether bytes sent with this proof, after a gap in the message's body, can only belong to it.
  bool proves_same_message(const Exchange& exchange, Message message,
                           std::optional<uint64_t> peer_offset, uint64_t requests_known) const;

  // Its request waits behind a hole, but its server has received nothing since it began this
  // answer: no reason for another one. No proof, for what is held may be pipelined.
  bool may_go_on(const Exchange& exchange, Message message,
                 std::optional<uint64_t> peer_offset) const;

  // False where a server has no reason to answer: every request that it has received is answered.
  bool answer_is_due(const MessageStart& start, uint64_t requests_known) const;
  // Requests whose answers are not over.
  size_t answers_open() const;
  // Whether an unanswered request begins in [from, until).
  bool request_waits_between(uint64_t from, uint64_t until) const;

  bool any_wanted() const;
  bool empty() const { return first_ == nullptr; }

 private:
  static constexpr uint64_t kOpenEnd = UINT64_MAX;

  Exchange* append(EventTime time);
  void unlink(Exchange& exchange);
  Exchange* first_waiting() const;
  Exchange* answered_by(std::optional<uint64_t> proof, uint64_t requests_known) const;
  Exchange* attach_to_early_answer(const MessageStart& start);
  Exchange* answer_in_doubt(const MessageStart& start, uint64_t requests_known);
  Exchange* answer_alone(const MessageStart& start, uint64_t requests_known);
  void lose_answers(uint64_t offset, uint64_t bytes);
  void notice_pipelining(const MessageStart& start, uint64_t answers_seen);
  void notice_pipelining_before(const MessageStart& answer);
  void pipelines();
  bool is_answered_next(const MessageStart& request, const Exchange& answered) const;
  void give_up_before(const Exchange* kept, bool uncertain, EventTime time);
  void give_up(Exchange& exchange, bool uncertain, EventTime time);
  void settle(Exchange& exchange, EventTime time);
  void end(Exchange& exchange, ExchangeOutcome outcome, EventTime time);

  Lane& lane_;
  ExchangeOwner& owner_;
  Exchange* first_ = nullptr;
  Exchange* last_ = nullptr;
  size_t open_ = 0;
  bool doubt_ = false;
  bool pipelining_ = false;
  bool assumed_ = false;   // a doubt was ended because the client was not seen to pipeline
  bool conflict_ = false;  // for the next exchange
  // Requests that begin before this offset may be missing among those seen.
  uint64_t doubt_end_ = 0;
  // From here on every byte of the answers' direction was read, and no other answer began.
  uint64_t answers_known_from_ = 0;
  uint64_t lost_at_ = 0;  // request bytes lost between messages that no exchange has yet
  uint64_t lost_bytes_ = 0;
};

}  // namespace wiretally::http
