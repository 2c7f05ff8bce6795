// The second door: ordered bytes of one direction, with gaps stated, from `stream` to `http`.
#pragma once

#include <cstdint>
#include <optional>

#include "wiretally/capture.h"

namespace wiretally {

// Unique in its lane, never reused. Ascends in order of the flows' first event, so a replay numbers
// them alike.
enum class FlowId : uint64_t {};

// Who asks is known only when HTTP has seen it. For a probed connection a→b is what the process
// wrote; for packets a is the sender of the SYN, or of the first segment seen.
enum class Direction : uint8_t { kAToB, kBToA };
inline Direction opposite(Direction d) {
  return d == Direction::kAToB ? Direction::kBToA : Direction::kAToB;
}

// Lives as long as its flow is open; handed out by reference with every event.
struct FlowInfo {
  Source source = Source::kPacket;
  Endpoint a;  // unknown for probed connections
  Endpoint b;
  uint32_t pid = 0;  // 0 = unknown (packets)
  uint64_t process_start_ns = 0;
  uint64_t first_packet = 0;  // Segment::packet_number of its first segment; 0 for probes
  bool joined_midstream =
      false;  // no SYN seen, or the probe came late: the first bytes may be the middle of a message
};

struct StreamEvent {
  enum class Kind : uint8_t {
    kOpen,   // first event of a flow
    kData,   // `bytes`, at `offset`
    kGap,    // `gap_bytes` from `offset` on were lost for good; data goes on behind them
    kEnd,    // this direction ended in order (FIN, shutdown); the other may go on
    kClose,  // the flow is over in both directions; the last event of a flow
  };

  FlowId flow{};
  const FlowInfo* info = nullptr;
  Kind kind = Kind::kData;
  Direction direction = Direction::kAToB;
  EventTime time;
  uint64_t offset = 0;  // bytes of this direction before this event, lost ones included
  ByteView bytes;       // kData; never empty there
  uint64_t gap_bytes = 0;
  // Proof for pairing: how many bytes of the *opposite* direction the sender had received when it
  // sent this (TCP: its acknowledgment number as an offset; probes: the library's offset). Nothing
  // where it is not known.
  std::optional<uint64_t> peer_offset;
  // kData: a later copy of some earlier bytes of this direction had other content, or these bytes'
  // checksum is wrong among good ones and no good copy was captured.
  bool conflict = false;
  // kClose:
  CloseReason reason = CloseReason::kFin;
  std::optional<Direction> closed_by;  // who sent FIN or RST first, or freed; nothing if unknown
  bool incomplete =
      false;  // kClose: acknowledged bytes were never captured at the end of a direction
};

class StreamSink {
 public:
  virtual ~StreamSink() = default;
  // The answer is about the flow from here on; for kClose it is not read.
  virtual FlowDemand on_stream(const StreamEvent& event) = 0;
  virtual void on_time(EventTime now) = 0;
};

}  // namespace wiretally
