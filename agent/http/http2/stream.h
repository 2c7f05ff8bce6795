// One stream of HTTP/2 (RFC 9113 section 5): an exchange, and its two bodies while they are open.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "body_delivery.h"
#include "exchange.h"
#include "http2/grpc_reader.h"

namespace wiretally::http::http2 {

struct Stream {
  // What its DATA frames carry.
  enum class Carries : uint8_t {
    kBodies,
    kTunnel,     // CONNECT, RFC 9113 section 8.5: another protocol
    kWebSocket,  // extended CONNECT, RFC 8441
  };

  struct Body {
    BodyDelivery delivery;
    std::optional<uint64_t> content_length;
    uint64_t received = 0;
    GrpcReader grpc;
    bool is_grpc = false;
    bool coding_unknown = false;  // Content-Encoding was lost: the first byte decides
    bool in_doubt = false;        // frames of it may have been missed
    BodyInterest interest = BodyInterest::kNotLlm;  // until the coding is known
  };

  uint32_t id = 0;
  Exchange* exchange = nullptr;
  Carries carries = Carries::kBodies;
  bool pushed = false;
  std::array<Body, 2> bodies;  // by Message

  Body& body(Message message) { return bodies[static_cast<size_t>(message)]; }
};

// The open streams of one connection by their number, and the memory of those that ended: open
// addressing with linear probing, because it is asked once a frame.
class StreamTable {
 public:
  Stream* find(uint32_t id) const { return slots_.empty() ? nullptr : slots_[slot_of(id)]; }

  // The stream must not be in the table.
  Stream* insert(uint32_t id) {
    if ((size_ + 1) * 2 > slots_.size()) grow();
    Stream* stream = nullptr;
    if (free_.empty()) {
      all_.push_back(std::make_unique<Stream>());
      free_.reserve(all_.size());
      stream = all_.back().get();
    } else {
      stream = free_.back();
      free_.pop_back();
    }
    *stream = Stream();
    stream->id = id;
    slots_[slot_of(id)] = stream;
    ++size_;
    return stream;
  }

  void erase(Stream* stream) {
    size_t hole = slot_of(stream->id);
    if (slots_[hole] != stream) return;
    slots_[hole] = nullptr;
    --size_;
    free_.push_back(stream);
    // Closes the hole: whatever probed past it moves up.
    for (size_t at = next(hole); slots_[at] != nullptr; at = next(at)) {
      const size_t distance = (at - home(slots_[at]->id)) & (slots_.size() - 1);
      const size_t reach = (at - hole) & (slots_.size() - 1);
      if (distance < reach) continue;
      slots_[hole] = std::exchange(slots_[at], nullptr);
      hole = at;
    }
  }

  // Calls `visit` with each stream, in order of their numbers, so that a replay is the same
  // whatever the table's history; `visit` may erase it.
  template <typename Visit>
  void for_each(Visit visit) {
    order_.clear();
    for (Stream* stream : slots_) {
      if (stream != nullptr) order_.push_back(stream);
    }
    std::sort(order_.begin(), order_.end(),
              [](const Stream* a, const Stream* b) { return a->id < b->id; });
    for (Stream* stream : order_) visit(*stream);
  }

  size_t size() const { return size_; }

 private:
  static constexpr size_t kSlotsMin = 8;  // a power of two

  size_t home(uint32_t id) const {
    constexpr uint32_t kGoldenRatio = 0x9e37'79b1;
    return ((id * kGoldenRatio) >> 12) & (slots_.size() - 1);
  }
  size_t next(size_t at) const { return (at + 1) & (slots_.size() - 1); }
  size_t slot_of(uint32_t id) const {
    size_t at = home(id);
    while (slots_[at] != nullptr && slots_[at]->id != id) at = next(at);
    return at;
  }
  void grow() {
    std::vector<Stream*> old(std::max(kSlotsMin, slots_.size() * 2));
    old.swap(slots_);
    for (Stream* stream : old) {
      if (stream != nullptr) slots_[slot_of(stream->id)] = stream;
    }
  }

  std::vector<Stream*> slots_;
  std::vector<std::unique_ptr<Stream>> all_;
  std::vector<Stream*> free_;
  std::vector<Stream*> order_;
  size_t size_ = 0;
};

}  // namespace wiretally::http::http2
