// One WebSocket: its two directions, and who closed it. Attached to an exchange when its handshake
// is done, by HTTP/1.1 (a 101) or by an HTTP/2 stream (http2/socket_stream.h).
#pragma once

#include <optional>

#include "websocket_reader.h"

namespace wiretally::http {

class WebSocket {
 public:
  // `framed`, by Message: that direction's next byte begins a frame.
  void begin(Source source, ExchangeId exchange, const WebSocketTerms& terms, bool client_framed,
             bool server_framed) {
    of(Message::kRequest).begin(source, exchange, Message::kRequest, terms, client_framed);
    of(Message::kResponse).begin(source, exchange, Message::kResponse, terms, server_framed);
    first_close_.reset();
  }

  void feed(Lane& lane, Message sender, ByteView bytes, EventTime time) {
    of(sender).feed(lane, bytes, time);
    if (!first_close_.has_value() && of(sender).closed()) first_close_ = sender;
  }
  void gap(Lane& lane, Message sender, uint64_t bytes, EventTime time) {
    of(sender).gap(lane, bytes, time);
  }
  void lose(Lane& lane, Message sender, uint64_t bytes, EventTime time) {
    of(sender).lose(lane, bytes, time);
  }
  void finish(Lane& lane, Message sender, EventTime time) { of(sender).finish(lane, time); }
  void end(Lane& lane, EventTime time) {
    for (WebSocketReader& reader : readers_) reader.finish(lane, time);
  }

  // How the exchange ends: a Close frame says more than the connection's end does.
  ExchangeOutcome outcome(ExchangeOutcome of_connection) const {
    if (!first_close_.has_value()) return of_connection;
    return *first_close_ == Message::kRequest ? ExchangeOutcome::kClientClosed
                                              : ExchangeOutcome::kServerClosed;
  }

 private:
  WebSocketReader& of(Message sender) { return readers_[static_cast<size_t>(sender)]; }

  WebSocketReader readers_[2];
  std::optional<Message> first_close_;
};

}  // namespace wiretally::http
