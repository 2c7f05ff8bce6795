#include "flow_output.h"

namespace wiretally::stream {
namespace {

StreamEvent event_of(const Flow& flow, StreamEvent::Kind kind, Direction direction,
                     EventTime time) {
  StreamEvent event;
  event.flow = flow.id;
  event.info = &flow.info;
  event.kind = kind;
  event.direction = direction;
  event.time = time;
  return event;
}

}  // namespace

bool FlowOutput::data(Flow& flow, const Data& data) {
  current_ = &flow.info;
  if (!flow.opened) open(flow, data.direction, data.time);
  if (flow.ignored()) return false;
  StreamEvent event = event_of(flow, Kind::kData, data.direction, data.time);
  event.offset = data.offset;
  event.bytes = ByteView(data.bytes.data(), data.bytes.size());
  if (data.peer_offset.has_value()) event.peer_offset = *data.peer_offset;
  event.conflict = data.conflict;
  flow.demand = next_.on_stream(event);
  return true;
}

void FlowOutput::gap(Flow& flow, Direction direction, EventTime time, uint64_t offset,
                     uint64_t gap_bytes) {
  current_ = &flow.info;
  if (!flow.opened) open(flow, direction, time);
  if (flow.ignored()) return;
  StreamEvent event = event_of(flow, Kind::kGap, direction, time);
  event.offset = offset;
  event.gap_bytes = gap_bytes;
  flow.demand = next_.on_stream(event);
}

void FlowOutput::end(Flow& flow, Direction direction, EventTime time, uint64_t offset) {
  current_ = &flow.info;
  StreamEvent event = event_of(flow, Kind::kEnd, direction, time);
  event.offset = offset;
  flow.demand = next_.on_stream(event);
}

void FlowOutput::close(Flow& flow, const Close& close) {
  flow.closed = true;
  if (!flow.opened) return;
  current_ = &flow.info;
  StreamEvent event =
      event_of(flow, Kind::kClose, close.closed_by.value_or(Direction::kAToB), close.time);
  event.reason = close.reason;
  event.closed_by = close.closed_by;
  event.incomplete = close.incomplete;
  next_.on_stream(event);
}

void FlowOutput::open(Flow& flow, Direction direction, EventTime time) {
  flow.opened = true;
  flow.id = FlowId{++flows_opened_};
  flow.demand = next_.on_stream(event_of(flow, Kind::kOpen, direction, time));
}

}  // namespace wiretally::stream
