// What a connection is to the stages downstream, whichever way it was captured.
#pragma once

#include "wiretally/stream_event.h"

namespace wiretally::stream {

struct Flow {
  FlowInfo info;
  FlowId id{};  // given out with the first event
  FlowDemand demand = FlowDemand::kMore;
  bool opened = false;  // kOpen was sent
  bool closed = false;  // the connection is over; kClose was sent if kOpen was

  bool ignored() const { return demand == FlowDemand::kIgnoreFlow; }
};

}  // namespace wiretally::stream
