#include "http2/socket_stream.h"

#include "lane.h"

namespace wiretally::http::http2 {

void SocketStream::grant(Lane& lane, const WebSocketTerms& terms, bool server_framed,
                         EventTime time) {
  if (held_ != nullptr && held_->evicted()) drop_held(lane);
  granted_ = true;
  socket_.begin(source_, exchange_, terms, client_framed_, server_framed);
  if (held_ != nullptr) {
    lane.counters.of(source_).buffered_bytes.subtract(held_->size());
    lane.head_buffers.pin(*held_);
    socket_.feed(lane, Message::kRequest, *held_, time);
    lane.head_buffers.release(held_);
  }
  if (has_ended(Message::kRequest)) socket_.finish(lane, Message::kRequest, time);
}

void SocketStream::feed(Lane& lane, Message sender, ByteView bytes, EventTime time) {
  if (waits(sender)) {
    hold(lane, bytes);
  } else {
    socket_.feed(lane, sender, bytes, time);
  }
}

void SocketStream::hold(Lane& lane, ByteView bytes) {
  if (held_ != nullptr && held_->evicted()) drop_held(lane);
  const size_t held = held_ == nullptr ? 0 : held_->size();
  if (client_framed_ && held + bytes.size() <= lane.limits.http_head_bytes_max &&
      lane.head_buffers.append(held_, source_, bytes)) {
    lane.counters.of(source_).buffered_bytes.add(bytes.size());
    return;
  }
  drop_held(lane);
  lane.counters.drop(source_, DropReason::kHttpWebsocketEarly, bytes.size());
}

void SocketStream::drop_held(Lane& lane) {
  client_framed_ = false;
  const size_t held = lane.head_buffers.release(held_);
  if (held == 0) return;
  lane.counters.of(source_).buffered_bytes.subtract(held);
  lane.counters.drop(source_, DropReason::kHttpWebsocketEarly, held);
}

void SocketStream::gap(Lane& lane, Message sender, uint64_t bytes, EventTime time) {
  if (waits(sender)) {
    drop_held(lane);
  } else if (granted_) {
    socket_.gap(lane, sender, bytes, time);
  }
}

void SocketStream::lose(Lane& lane, Message sender, uint64_t bytes, EventTime time) {
  if (waits(sender)) {
    drop_held(lane);
  } else if (granted_) {
    socket_.lose(lane, sender, bytes, time);
  }
}

void SocketStream::finish(Lane& lane, Message sender, EventTime time) {
  if (has_ended(sender)) return;
  ended_[index(sender)] = true;
  if (!first_end_.has_value()) first_end_ = sender;
  if (granted_) socket_.finish(lane, sender, time);
}

void SocketStream::end(Lane& lane, EventTime time) {
  drop_held(lane);
  if (granted_) socket_.end(lane, time);
}

ExchangeOutcome SocketStream::outcome(ExchangeOutcome of_stream) const {
  ExchangeOutcome ended = of_stream;
  if (first_end_.has_value()) {
    ended = *first_end_ == Message::kRequest ? ExchangeOutcome::kClientClosed
                                             : ExchangeOutcome::kServerClosed;
  }
  return granted_ ? socket_.outcome(ended) : ended;
}

}  // namespace wiretally::http::http2
