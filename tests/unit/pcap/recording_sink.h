// A CaptureSink that keeps copies of the segments it is given.
#pragma once

#include <string>
#include <vector>

#include "wiretally/capture.h"

namespace wiretally::test {

class RecordingSink final : public CaptureSink {
 public:
  struct Kept {
    Segment segment;  // its payload view is dead; the copy is `payload`
    std::string payload;
  };

  FlowDemand on_segment(const Segment& segment) override {
    kept.push_back({segment, std::string(as_text(segment.payload))});
    return FlowDemand::kMore;
  }
  FlowDemand on_chunk(const Chunk&) override { return FlowDemand::kMore; }
  void on_connection_close(const ConnectionClose&) override {}
  void on_connection_eof(const ConnectionEof&) override {}
  void on_connection_audit(const ConnectionAudit&) override {}
  void on_time(EventTime) override {}
  void on_end(EventTime) override {}

  std::vector<Kept> kept;
};

}  // namespace wiretally::test
