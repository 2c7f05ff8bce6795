// A capture sink for sources that have segments and nothing else.
#pragma once

#include "wiretally/capture.h"

namespace wiretally {

class SegmentSink : public CaptureSink {
 public:
  FlowDemand on_chunk(const Chunk&) override { return FlowDemand::kMore; }
  void on_connection_close(const ConnectionClose&) override {}
  void on_connection_eof(const ConnectionEof&) override {}
  void on_connection_audit(const ConnectionAudit&) override {}
  void on_time(EventTime) override {}
  void on_end(EventTime) override {}
};

}  // namespace wiretally
