// What capture sources say, written down so that a lane's thread can be told it later, in order.
//
// Bytes that outlive the batch (of a mapped file) stay where they are; others (a kernel's ring, a
// pipe's buffer) are copied into the batch, once. Its memory is used again after clear().
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "wiretally/capture.h"

namespace wiretally {

class EventBatch {
 public:
  struct Now {
    EventTime time;
  };
  struct End {
    EventTime time;
  };
  using Event =
      std::variant<Segment, Chunk, ConnectionClose, ConnectionEof, ConnectionAudit, Now, End>;
  struct Entry {
    template <typename What>
    Entry(uint64_t at, const What& what) : position(at), event(std::in_place_type<What>, what) {}

    uint64_t position;  // in the order of all lanes' events
    Event event;
  };

  // The event as it stands in the batch, until the next one is added.
  template <typename What>
  What& add(uint64_t position, const What& what) {
    return *std::get_if<What>(&entries_.emplace_back(position, what).event);
  }
  // A copy that lives as long as the batch, or until clear().
  ByteView keep(ByteView bytes);
  void clear();

  const std::vector<Entry>& entries() const { return entries_; }
  bool empty() const { return entries_.empty(); }

 private:
  static constexpr size_t kBlockBytes = 256 * 1024;
  static constexpr size_t kBlocksKept = 8;
  struct Block {
    std::unique_ptr<uint8_t[]> bytes;
    size_t size;
  };

  std::vector<Entry> entries_;
  std::vector<Block> blocks_;
  size_t block_ = 0;  // the one that is filled
  size_t used_ = 0;   // of it
};

// Which of `lanes` a connection belongs to; the same for both directions.
uint32_t lane_of(const Endpoint& one, const Endpoint& other, uint32_t lanes);
// All generations of a connection's object meet in one lane: a later one ends the one before.
uint32_t lane_of(const ConnectionKey& connection, uint32_t lanes);

}  // namespace wiretally
