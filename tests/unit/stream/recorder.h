// A StreamSink that writes down what it gets, takes all bytes as parsed, and checks what must hold
// for every input.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "wiretally/counters.h"
#include "wiretally/stream_event.h"

namespace wiretally::stream {

struct FlowLog {
  FlowInfo info;
  std::vector<StreamEvent> events;  // `bytes` and `info` are not kept
  std::string text[2];              // by direction; a gap of n bytes reads "[n]"
  uint64_t next[2] = {};
  uint64_t gap_bytes[2] = {};
  bool ended[2] = {};
  bool closed = false;
};

class Recorder final : public StreamSink {
 public:
  Recorder(Counters& counters, bool keep_events) : counters_(counters), keep_events_(keep_events) {}

  FlowDemand on_stream(const StreamEvent& event) override {
    const auto id = static_cast<uint64_t>(event.flow);
    const auto way = static_cast<size_t>(event.direction);
    if (event.kind == StreamEvent::Kind::kOpen) {
      if (id <= newest_) fail("flow ids do not ascend");
      newest_ = id;
      flows[id].info = *event.info;
    }
    const auto found = flows.find(id);
    if (found == flows.end()) {
      fail("an event before kOpen");
      return FlowDemand::kMore;
    }
    FlowLog& log = found->second;
    if (log.closed) fail("an event behind kClose");
    if (keep_events_) {
      log.events.push_back(event);
      log.events.back().bytes = {};
      log.events.back().info = nullptr;
    }
    switch (event.kind) {
      case StreamEvent::Kind::kOpen:
        break;
      case StreamEvent::Kind::kData:
        if (event.bytes.empty()) fail("empty data");
        if (log.ended[way]) fail("data behind kEnd");
        if (event.offset != log.next[way]) fail("data does not continue its direction");
        log.next[way] += event.bytes.size();
        if (keep_events_) log.text[way] += as_text(event.bytes);
        counters_.parse(event.info->source, event.bytes.size());
        break;
      case StreamEvent::Kind::kGap:
        if (event.gap_bytes == 0) fail("empty gap");
        if (log.ended[way]) fail("a gap behind kEnd");
        if (event.offset != log.next[way]) fail("a gap does not continue its direction");
        log.next[way] += event.gap_bytes;
        log.gap_bytes[way] += event.gap_bytes;
        if (keep_events_) log.text[way] += "[" + std::to_string(event.gap_bytes) + "]";
        break;
      case StreamEvent::Kind::kEnd:
        if (log.ended[way]) fail("kEnd twice");
        if (event.offset != log.next[way]) fail("kEnd is not at the end");
        log.ended[way] = true;
        break;
      case StreamEvent::Kind::kClose:
        log.closed = true;
        if (!keep_events_) flows.erase(found);
        break;
    }
    const bool ignore = ignore_from_event != 0 && ++events_ >= ignore_from_event;
    return ignore ? FlowDemand::kIgnoreFlow : demand;
  }
  void on_time(EventTime now) override { last_time = now; }

  // What the counters say of `source`: 0 when every captured byte is accounted for.
  int64_t unaccounted(Source source) const {
    const SourceCounters& of = counters_.of(source);
    uint64_t seen = of.parsed_bytes.value() + of.buffered_bytes.value();
    for (const Cell& cell : of.skipped_bytes) seen += cell.value();
    for (const Cell& cell : of.dropped_bytes) seen += cell.value();
    return static_cast<int64_t>(of.captured_bytes.value() - seen);
  }

  std::map<uint64_t, FlowLog> flows;
  std::string violation;  // the first
  FlowDemand demand = FlowDemand::kMore;
  uint64_t ignore_from_event = 0;  // 0: never
  EventTime last_time;

 private:
  void fail(const char* what) {
    if (violation.empty()) violation = what;
  }

  Counters& counters_;
  bool keep_events_;
  uint64_t newest_ = 0;
  uint64_t events_ = 0;
};

}  // namespace wiretally::stream
