// A capture sink that takes no notice of anything: the base of those that hear a part.
#pragma once

#include "wiretally/capture.h"

namespace wiretally {

class IgnoringSink : public CaptureSink {
 public:
  FlowDemand on_segment(const Segment&) override { return FlowDemand::kMore; }
  FlowDemand on_chunk(const Chunk&) override { return FlowDemand::kMore; }
  void on_connection_close(const ConnectionClose&) override {}
  void on_connection_eof(const ConnectionEof&) override {}
  void on_connection_audit(const ConnectionAudit&) override {}
  void on_time(EventTime) override {}
  void on_end(EventTime) override {}
};

}  // namespace wiretally
