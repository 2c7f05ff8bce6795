// One sender's half of a TCP connection: where its bytes stand in the sequence space, what its peer
// has acknowledged, and which bytes wait behind a hole.
//
// Sequence numbers are 32 bits and wrap; offsets are 64 bits, count payload only and start at 0
// with the first byte behind the SYN, or with the first byte seen where no SYN was.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "byte_sums.h"
#include "reorder_buffer.h"
#include "wiretally/capture.h"

namespace wiretally::stream {

struct TcpSide {
  static constexpr uint64_t kNoFin = std::numeric_limits<uint64_t>::max();
  // A sender is never believed to be further ahead than its peer's window, or this where the window
  // is smaller or not known well.
  static constexpr uint64_t kAheadMin = 1 << 20;
  // Copies of old bytes may come late (a second mirror port), but not later than this.
  static constexpr int64_t kBehindMax = 64 << 20;

  static constexpr uint32_t kSegmentUsual = 1460;
  // So many data segments with bad checksums and none with a good one: they say nothing.
  static constexpr uint8_t kBadDataIsUsual = 3;

  // How it is known which sequence number is offset 0.
  enum class Base : uint8_t {
    kUnknown,
    kGuessed,    // joined: the peer's first ACK names the byte it waits for; nothing sent seen yet
    kHandshake,  // from the peer's SYN-ACK
    kKnown,      // own SYN or own data
  };

  // --- what every segment touches
  uint64_t next = 0;            // offset up to which everything was delivered or declared lost
  uint32_t next_sequence = 0;   // its sequence number
  uint32_t first_sequence = 0;  // of offset 0
  Base base = Base::kUnknown;
  bool ended = false;             // kEnd was sent, or nobody was there to hear it
  bool fin_seen = false;          // for ignored flows, whose offsets are not followed
  bool conflict_pending = false;  // the next data carries StreamEvent::conflict
  bool ack_seen = false;
  bool encapsulation_seen = false;
  bool good_sum_seen = false;   // its sender's checksums are not left to a network card ...
  bool good_data_seen = false;  // ... nor those of its data
  uint8_t bad_data = 0;         // bad ones of data before any good one
  uint8_t window_scale = kScaleUnknown;
  uint8_t strays = 0;       // consecutive segments at a far away place
  uint32_t latest_ack = 0;  // as the peer sent it, plausible or not
  uint64_t acked = 0;       // offset the peer has acknowledged; a FIN counts for one
  uint64_t fin_offset = kNoFin;
  uint32_t good_size_max = kSegmentUsual;  // of payloads with a good checksum
  uint64_t window_max = 0;                 // largest window this sender has advertised to its peer
  ReorderBuffer* held = nullptr;

  // --- bytes acknowledged and not seen, with nothing behind them: next…tail_until
  uint64_t tail_until = 0;
  uint64_t tail_segment = 0;  // the flow's segment that showed it
  EventTime tail_time;

  // --- the last segment delivered, to recognise a retransmission with other content
  uint64_t last_offset = 0;
  uint64_t last_hash = 0;
  uint32_t last_size = 0;
  bool last_checksum_bad = false;

  // --- a far away place where the sender may have gone on while nothing was captured
  uint32_t stray_first = 0;
  uint32_t stray_next = 0;

  uint64_t encapsulation = 0;

  static constexpr uint8_t kScaleUnknown = 0xFF;

  bool checksums_tell() const {
    return good_sum_seen && (good_data_seen || bad_data < kBadDataIsUsual);
  }
  bool based() const { return base >= Base::kHandshake; }

  void start_at(uint32_t sequence, Base how) {
    base = how;
    next_sequence = sequence;
    first_sequence = sequence;
    next = 0;
    acked = 0;
    tail_until = 0;
  }

  // The furthest offset known to have been sent; sequence numbers are read as the nearest to it.
  uint64_t reference() const { return std::max(next, acked); }
  uint32_t sequence_at(uint64_t offset) const {
    return next_sequence + static_cast<uint32_t>(offset - next);
  }
  // Negative: before the first byte seen.
  int64_t offset_of(uint32_t sequence) const {
    const uint64_t near = reference();
    return static_cast<int64_t>(near) + static_cast<int32_t>(sequence - sequence_at(near));
  }
  void advance_to(uint64_t offset) {
    next_sequence = sequence_at(offset);
    next = offset;
  }

  bool holds() const { return held != nullptr && !held->empty(); }
  bool has_hole() const { return holds() || tail_until > next; }
  // Its place is known, nothing is missing, held or acknowledged unseen, and no end was announced.
  bool is_plain() const {
    return based() && held == nullptr && acked <= next && fin_offset == kNoFin;
  }
  bool at_fin() const { return next >= fin_offset; }

  // What its segments tell of it:
  void note_window(const Segment& segment) {
    constexpr uint8_t kScaleMax = 14;     // RFC 7323 section 2.3
    constexpr uint8_t kScaleAssumed = 7;  // joined without SYN: what common systems announce
    if (segment.flags.syn()) window_scale = std::min(segment.window_scale.value_or(0), kScaleMax);
    const uint8_t known = window_scale == kScaleUnknown ? kScaleAssumed : window_scale;
    const uint8_t scale = segment.flags.syn() ? 0 : known;
    window_max = std::max(window_max, uint64_t{segment.window} << scale);
  }
  // True when it shows that this sender's checksums say nothing.
  bool note_checksum(const Segment& segment) {
    const uint32_t size = segment.payload_wire_bytes;
    if (segment.payload.size() != size) return false;
    if (segment.checksum_bad) {
      if (size == 0 || good_data_seen || bad_data >= kBadDataIsUsual) return false;
      return ++bad_data == kBadDataIsUsual;
    }
    good_sum_seen = true;
    good_data_seen = good_data_seen || size > 0;
    good_size_max = std::max(good_size_max, size);
    return false;
  }
  // It is delivered whole, from this offset on.
  void remember(uint64_t offset, const Segment& segment) {
    last_offset = offset;
    last_size = static_cast<uint32_t>(segment.payload.size());
    last_hash = hash_of_payload(segment);
    last_checksum_bad = segment.checksum_bad;
  }
  static uint64_t hash_of_payload(const Segment& segment) {
    return segment.payload_hash.has_value() ? *segment.payload_hash
                                            : ByteSums(segment.payload).hash();
  }

  // What the ACKs prove about payload: a FIN's sequence number is no byte. Where the FIN itself was
  // not captured, one byte more than expected is taken for it.
  uint64_t acked_bytes() const {
    if (fin_offset != kNoFin) return std::min(acked, fin_offset);
    return acked == next + 1 && !holds() ? next : acked;
  }
};

}  // namespace wiretally::stream
