// What capture sources say, written down so that a lane's thread can be told it later, in order.
//
// Bytes (of a kernel's ring, a pipe's buffer) are copied into the batch, once. Its memory is used
// again after clear().
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "raw_packet.h"
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
  // Nearly all entries are packets, and each is written by one processor and read by another: they
  // are kept small. The others' events stand apart.
  struct Entry {
    static constexpr uint32_t kIsPacket = UINT32_MAX;

    pcap::RawPacket packet() const {
      return {.time = {.ns = time_ns, .clock = Clock::kCapture},
              .link_type = link_type,
              .bytes = {bytes, size},
              .wire_bytes = wire_bytes,
              .number = number,
              .file_offset = 0};
    }

    uint64_t position;  // in the order of all lanes' events
    uint32_t event;     // which of events(), or kIsPacket
    // Of a packet.
    uint32_t link_type;
    int64_t time_ns;
    uint64_t number;
    const uint8_t* bytes;
    uint32_t size;
    uint32_t wire_bytes;
  };

  // The event as it stands in the batch, until the next one is added.
  template <typename What>
  What& add(uint64_t position, const What& what) {
    Entry entry{};
    entry.position = position;
    entry.event = static_cast<uint32_t>(events_.size());
    entries_.push_back(entry);
    return *std::get_if<What>(&events_.emplace_back(std::in_place_type<What>, what));
  }
  void add_packet(uint64_t position, const pcap::RawPacket& packet) {
    const ByteView bytes = keep(packet.bytes);
    entries_.push_back({.position = position,
                        .event = Entry::kIsPacket,
                        .link_type = packet.link_type,
                        .time_ns = packet.time.ns,
                        .number = packet.number,
                        .bytes = bytes.data(),
                        .size = static_cast<uint32_t>(bytes.size()),
                        .wire_bytes = packet.wire_bytes});
  }
  // A copy that lives as long as the batch, or until clear().
  ByteView keep(ByteView bytes);
  void clear();

  const std::vector<Entry>& entries() const { return entries_; }
  const Event& event_of(const Entry& entry) const { return events_[entry.event]; }
  bool empty() const { return entries_.empty(); }

 private:
  static constexpr size_t kBlockBytes = 256 * 1024;
  static constexpr size_t kBlocksKept = 8;
  struct Block {
    std::unique_ptr<uint8_t[]> bytes;
    size_t size;
  };

  std::vector<Entry> entries_;
  std::vector<Event> events_;
  std::vector<Block> blocks_;
  size_t block_ = 0;  // the one that is filled
  size_t used_ = 0;   // of it
};

}  // namespace wiretally
