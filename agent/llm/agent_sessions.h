// What a session of Claude Managed Agents says of the model requests that its agent makes on the
// server. The client's own POSTs (agents, sessions, events) ask no model: the events do, where a
// client reads them by GET.
//
//   …/sessions/{id}/events/stream             SSE, perhaps for hours; one event in each
//   …/sessions/{id}/threads/{id}/stream       likewise, of a subagent
//   …/sessions/{id}/events                    a page: {"data": [event, …], …}
//   …/sessions/{id}/threads/{id}/events       likewise
//
//   span.model_request_start   {id}: the request begins
//   span.model_request_end     {id, model_request_start_id, is_error, model_usage}: a record, known
//                              by the event's id, however often it is read
//   all others                 nothing; the `usage` of a session is cumulative, and holds the same
//
// The record begins where the start was seen in the same stream; elsewhere its time is that of the
// event, and saw_request is false: it has no duration. A request whose end was not seen leaves
// nothing. Behind lost bytes a stream is read on, and its next record is marked; a page is not.
//
// Events name no model as yet: it is unknown, unless one does ({"model": "…"} or {"model":
// {"id": "…"}}, of the event itself or of its `agent`).
//
// Bounded by Limits::open_calls_max, like the calls, with which `http` counts it; a further one is
// not read (counted).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <unordered_map>

#include "wiretally/http_exchange.h"
#include "wiretally/identity.h"
#include "wiretally/limits.h"
#include "wiretally/usage_record.h"

namespace wiretally::llm {

class AgentSessions {
 public:
  AgentSessions(const Limits& limits, uint32_t lane, const CredentialReader& credentials,
                UsageSink& next);
  ~AgentSessions();

  // False if it is of no interest.
  bool on_request(ExchangeId id, const RequestHead& head);
  BodyInterest on_response(ExchangeId id, const ResponseHead& head);
  BodyInterest on_body(ExchangeId id, Message message, ByteView body, EventTime time);
  void on_loss(ExchangeId id, Message message, BodyLoss loss, uint64_t wire_bytes);
  void on_message_end(ExchangeId id, Message message, EventTime time);
  bool has(ExchangeId id) const { return readings_.contains(static_cast<uint64_t>(id)); }
  // False if the exchange is none of these.
  bool on_exchange_end(ExchangeId id);

  uint64_t refused() const { return refused_; }
  size_t open() const { return readings_.size(); }

 private:
  class Reading;

  Reading* find(ExchangeId id) const;

  const Limits& limits_;
  const uint32_t lane_;
  const CredentialReader& credentials_;
  UsageSink& next_;
  std::atomic<uint64_t> refused_ = 0;  // read by other threads
  std::unordered_map<uint64_t, std::unique_ptr<Reading>> readings_;
};

}  // namespace wiretally::llm
