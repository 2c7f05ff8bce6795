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
#include "http2/socket_stream.h"

namespace wiretally::http::http2 {

struct Stream {
  // What its DATA frames carry.
  enum class Carries : uint8_t {
    kBodies,
    kTunnel,     // CONNECT, RFC 9113 section 8.5: another protocol
    kWebSocket,  // extended CONNECT, RFC 8441: `socket`
  };

  struct Body {
    BodyDelivery delivery;
    std::optional<uint64_t> content_length;
    uint64_t received = 0;
    bool coding_unknown = false;  // Content-Encoding was lost: the first byte decides
    bool in_doubt = false;        // frames of it may have been missed
    uint64_t maybe_lost = 0;      // bytes of it, at most, among those that were lost with framing
    BodyInterest interest = BodyInterest::kNotLlm;  // until the coding is known
  };

  uint32_t id = 0;
  Exchange* exchange = nullptr;
  Carries carries = Carries::kBodies;
  bool pushed = false;
  std::array<Body, 2> bodies;  // by Message
  std::unique_ptr<SocketStream> socket;

  Body& body(Message message) { return bodies[static_cast<size_t>(message)]; }
};

// The memory of the streams of a lane, used again: as many as were open at once.
class StreamPool {
 public:
  Stream* take() {
    if (free_.empty()) {
      all_.push_back(std::make_unique<Stream>());
      free_.reserve(all_.size());
      return all_.back().get();
    }
    Stream* const stream = free_.back();
    free_.pop_back();
    return stream;
  }
  void give_back(Stream* stream) {
    *stream = Stream();
    free_.push_back(stream);
  }

  static constexpr size_t bytes_of_one() { return sizeof(Stream) + 4 * sizeof(void*); }

 private:
  std::vector<std::unique_ptr<Stream>> all_;
  std::vector<Stream*> free_;
};

// The open streams of one connection by their number: open addressing with linear probing, because
// it is asked once a frame. It shrinks when they have ended, so that all tables together are as
// large as the streams that are open.
class StreamTable {
 public:
  explicit StreamTable(StreamPool& pool) : pool_(pool) {}
  ~StreamTable() {
    for (Stream* stream : slots_) {
      if (stream != nullptr) pool_.give_back(stream);
    }
  }
  StreamTable(const StreamTable&) = delete;
  StreamTable& operator=(const StreamTable&) = delete;

  Stream* find(uint32_t id) const { return slots_.empty() ? nullptr : slots_[slot_of(id)]; }

  // The stream must not be in the table.
  Stream* insert(uint32_t id) {
    if ((size_ + 1) * 2 > slots_.size()) resize(std::max(kSlotsMin, slots_.size() * 2));
    Stream* const stream = pool_.take();
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
    pool_.give_back(stream);
    // Closes the hole: whatever probed past it moves up.
    for (size_t at = next(hole); slots_[at] != nullptr; at = next(at)) {
      const size_t distance = (at - home(slots_[at]->id)) & (slots_.size() - 1);
      const size_t reach = (at - hole) & (slots_.size() - 1);
      if (distance < reach) continue;
      slots_[hole] = std::exchange(slots_[at], nullptr);
      hole = at;
    }
    if (slots_.size() > kSlotsMin && size_ * kSlotsPerStreamMax < slots_.size()) {
      resize(slots_.size() / 2);
    }
  }

  // Calls `visit` with each stream, in order of their numbers, so that a replay is the same
  // whatever the table's history; `visit` may erase it.
  template <typename Visit>
  void for_each(Visit visit) {
    if (size_ == 0) return;
    std::vector<Stream*> order = std::move(order_);
    order.clear();
    for (Stream* stream : slots_) {
      if (stream != nullptr) order.push_back(stream);
    }
    std::sort(order.begin(), order.end(),
              [](const Stream* a, const Stream* b) { return a->id < b->id; });
    for (Stream* stream : order) visit(*stream);
    if (order.capacity() <= slots_.size()) order_ = std::move(order);
  }

  size_t size() const { return size_; }

  // Of all tables together: for each stream that is open, and for each table.
  static constexpr size_t bytes_of_one() { return 2 * kSlotsPerStreamMax * sizeof(void*); }
  static constexpr size_t bytes_of_table() { return 2 * kSlotsMin * sizeof(void*); }

 private:
  static constexpr size_t kSlotsMin = 16;  // a power of two
  static constexpr size_t kSlotsPerStreamMax = 16;

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
  void resize(size_t slots) {
    std::vector<Stream*> old(slots);
    old.swap(slots_);
    for (Stream* stream : old) {
      if (stream != nullptr) slots_[slot_of(stream->id)] = stream;
    }
    if (order_.capacity() > slots) std::vector<Stream*>().swap(order_);
  }

  StreamPool& pool_;
  std::vector<Stream*> slots_;
  std::vector<Stream*> order_;
  size_t size_ = 0;
};

}  // namespace wiretally::http::http2
