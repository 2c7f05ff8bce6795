// The way out of the room: keeps the order of events of a flow (kOpen first, kClose last), gives
// out flow ids and remembers what the stages downstream still want.
//
// A flow is opened by its first data or gap, so connections that never carry a byte stay unseen. Of
// an ignored flow only kClose is sent.
#pragma once

#include "flow.h"
#include "wiretally/stream_event.h"

namespace wiretally::stream {

class FlowOutput {
 public:
  explicit FlowOutput(StreamSink& next) : next_(next) {}

  struct Data {
    Direction direction = Direction::kAToB;
    EventTime time;
    uint64_t offset = 0;
    ByteView bytes;  // not empty
    std::optional<uint64_t> peer_offset;
    bool conflict = false;
  };
  // False when the flow is ignored: nobody took the bytes.
  bool data(Flow& flow, const Data& data);
  void gap(Flow& flow, Direction direction, EventTime time, uint64_t offset, uint64_t gap_bytes);
  void end(Flow& flow, Direction direction, EventTime time, uint64_t offset);

  struct Close {
    EventTime time;
    CloseReason reason = CloseReason::kFin;
    std::optional<Direction> closed_by;
    bool incomplete = false;
  };
  void close(Flow& flow, const Close& close);

  void time(EventTime now) { next_.on_time(now); }

  // Of the event that was sent last, or is being sent; nullptr before the first.
  const FlowInfo* const& current() const { return current_; }

 private:
  using Kind = StreamEvent::Kind;

  void open(Flow& flow, Direction direction, EventTime time);

  StreamSink& next_;
  const FlowInfo* current_ = nullptr;
  uint64_t flows_opened_ = 0;
};

}  // namespace wiretally::stream
