// Calls on WebSockets: one exchange, a record for each turn.
//
//   client asks (response.create)            → a turn that waits
//   server begins one (response.created)     → the turn that waits longest, or a new one (the
//   server
//                                              may begin by itself)
//   events that name it, or come meanwhile   → content, tools, errors
//   the server's last event of it            → its record
//   the server's Close frame, or the end     → records of the turns that are open, as aborted by
//   who
//                                              closed first
//
// What each message means says its dialect (DialectSpec::client_step, server_step). Messages are
// scanned as they come and never held; what one says is merged into its turn at its end.
//
// Bytes that were lost mark the turns that are open. Turns whose end may have been lost are closed,
// with their numbers unknown, when the next one begins; so a direction that cannot be read any more
// still leaves a record for each turn that was asked for.
//
// Open turns are bounded by Limits::socket_turns_max: beyond, the oldest is closed. A socket that
// no message shows to be an LLM's leaves no record.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "dialect_table.h"
#include "wiretally/http_exchange.h"
#include "wiretally/identity.h"
#include "wiretally/limits.h"
#include "wiretally/usage_record.h"

namespace wiretally::llm {

class SocketCalls {
 public:
  SocketCalls(const Limits& limits, uint32_t lane, const CredentialReader& credentials,
              UsageSink& next);
  ~SocketCalls();

  // A request for a WebSocket. False if it is of no interest.
  bool on_request(ExchangeId id, const RequestHead& head);
  BodyInterest on_response(ExchangeId id, const ResponseHead& head);
  BodyInterest on_message(ExchangeId id, Message sender, WebSocketContent content, EventTime time);
  BodyInterest on_part(ExchangeId id, Message sender, ByteView part, EventTime time);
  void on_loss(ExchangeId id, Message sender, BodyLoss loss, uint64_t wire_bytes, EventTime time);
  void on_message_end(ExchangeId id, Message sender, MessageEnd end, EventTime time);
  void on_close(ExchangeId id, Message sender, EventTime time);
  bool has(ExchangeId id) const { return sessions_.contains(static_cast<uint64_t>(id)); }
  // False if the exchange is none of these.
  bool on_exchange_end(ExchangeId id, const ExchangeEnd& end);

  uint64_t refused() const { return refused_; }
  size_t open() const { return sessions_.size(); }

 private:
  class Session;

  Session* find(ExchangeId id) const;

  const Limits& limits_;
  const uint32_t lane_;
  const CredentialReader& credentials_;
  UsageSink& next_;
  std::atomic<uint64_t> refused_ = 0;  // read by other threads
  std::unordered_map<uint64_t, std::unique_ptr<Session>> sessions_;
};

}  // namespace wiretally::llm
