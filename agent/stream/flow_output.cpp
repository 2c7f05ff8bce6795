#include "flow_output.h"

namespace wiretally::stream {

bool FlowOutput::data(Flow& flow, const Data& data) {
  if (!flow.opened) open(flow, data.direction, data.time);
  if (flow.ignored()) return false;
  StreamEvent event;
  event.kind = StreamEvent::Kind::kData;
  event.direction = data.direction;
  event.time = data.time;
  event.offset = data.offset;
  event.bytes = data.bytes;
  event.peer_offset = data.peer_offset;
  event.conflict = data.conflict;
  send(flow, event);
  return true;
}

void FlowOutput::gap(Flow& flow, Direction direction, EventTime time, uint64_t offset,
                     uint64_t gap_bytes) {
  if (!flow.opened) open(flow, direction, time);
  if (flow.ignored()) return;
  StreamEvent event;
  event.kind = StreamEvent::Kind::kGap;
  event.direction = direction;
  event.time = time;
  event.offset = offset;
  event.gap_bytes = gap_bytes;
  send(flow, event);
}

void FlowOutput::end(Flow& flow, Direction direction, EventTime time, uint64_t offset) {
  StreamEvent event;
  event.kind = StreamEvent::Kind::kEnd;
  event.direction = direction;
  event.time = time;
  event.offset = offset;
  send(flow, event);
}

void FlowOutput::close(Flow& flow, const Close& close) {
  flow.closed = true;
  if (!flow.opened) return;
  StreamEvent event;
  event.flow = flow.id;
  event.info = &flow.info;
  event.kind = StreamEvent::Kind::kClose;
  event.direction = close.closed_by.value_or(Direction::kAToB);
  event.time = close.time;
  event.reason = close.reason;
  event.closed_by = close.closed_by;
  event.incomplete = close.incomplete;
  next_.on_stream(event);
}

void FlowOutput::open(Flow& flow, Direction direction, EventTime time) {
  flow.opened = true;
  flow.id = FlowId{++flows_opened_};
  StreamEvent event;
  event.kind = StreamEvent::Kind::kOpen;
  event.direction = direction;
  event.time = time;
  send(flow, event);
}

void FlowOutput::send(Flow& flow, const StreamEvent& event) {
  StreamEvent addressed = event;
  addressed.flow = flow.id;
  addressed.info = &flow.info;
  flow.demand = next_.on_stream(addressed);
}

}  // namespace wiretally::stream
