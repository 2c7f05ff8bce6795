// The WebSocket that a stream of HTTP/2 carries, RFC 8441: an extended CONNECT asks for it, a 2xx
// answer grants it, and the stream's DATA is its frames from then on. END_STREAM stands for TCP's
// FIN there (section 5).
//
// Clients wait for the answer; where it was captured behind their first frames, these are held, up
// to http_head_bytes_max; more than that is dropped by name (websocket_early), and so are frames
// of a WebSocket that is refused.
#pragma once

#include <optional>

#include "websocket.h"

namespace wiretally::http::http2 {

class SocketStream {
 public:
  SocketStream(Source source, ExchangeId exchange) : source_(source), exchange_(exchange) {}

  // `server_framed`: the next byte of the server's DATA begins a frame.
  void grant(Lane& lane, const WebSocketTerms& terms, bool server_framed, EventTime time);
  // DATA payload.
  void feed(Lane& lane, Message sender, ByteView bytes, EventTime time);
  // So many bytes of DATA payload were lost here.
  void gap(Lane& lane, Message sender, uint64_t bytes, EventTime time);
  // Frames of HTTP/2 were lost: up to `bytes` of this stream, anywhere from here on.
  void lose(Lane& lane, Message sender, uint64_t bytes, EventTime time);
  // END_STREAM.
  void finish(Lane& lane, Message sender, EventTime time);
  // Nothing more will come. Before on_exchange_end.
  void end(Lane& lane, EventTime time);

  bool has_ended(Message sender) const { return ended_[index(sender)]; }
  bool is_over() const { return ended_[0] && ended_[1]; }
  // A Close frame says more than the stream's ends do, and these more than what ended the stream.
  ExchangeOutcome outcome(ExchangeOutcome of_stream) const;

 private:
  static size_t index(Message sender) { return static_cast<size_t>(sender); }
  bool waits(Message sender) const { return !granted_ && sender == Message::kRequest; }
  void hold(Lane& lane, ByteView bytes);
  void drop_held(Lane& lane);

  const Source source_;
  const ExchangeId exchange_;
  bool granted_ = false;
  bool client_framed_ = true;            // nothing before the answer was lost or dropped
  HeadBuffers::Buffer* held_ = nullptr;  // the client's frames before the answer
  bool ended_[2] = {false, false};
  std::optional<Message> first_end_;
  WebSocket socket_;
};

}  // namespace wiretally::http::http2
