// A CaptureSink that keeps copies of the segments it is given.
#pragma once

#include <string>
#include <vector>

#include "ignoring_sink.h"
#include "wiretally/capture.h"

namespace wiretally::test {

class RecordingSink final : public IgnoringSink {
 public:
  struct Kept {
    Segment segment;  // its payload view is dead; the copy is `payload`
    std::string payload;
  };

  FlowDemand on_segment(const Segment& segment) override {
    kept.push_back({segment, std::string(as_text(segment.payload))});
    return FlowDemand::kMore;
  }

  std::vector<Kept> kept;
};

}  // namespace wiretally::test
