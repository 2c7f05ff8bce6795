// The room `stream`: captured segments and probed chunks in, ordered bytes of each connection's two
// directions out, with every loss stated as a gap.
//
// Of each source: captured bytes = bytes handed to `next` + skipped + dropped + buffered, where the
// last three are counted here, and `next` accounts for what it was handed. One thread; nothing is
// allocated per event once the tables have their working size; payload is copied only while it
// waits for a missing segment. At the end packet flows close before probed ones, each in the order
// in which they began.
#pragma once

#include "flow_output.h"
#include "packet_flows.h"
#include "probed_flows.h"
#include "wiretally/capture.h"
#include "wiretally/counters.h"
#include "wiretally/limits.h"
#include "wiretally/stream_event.h"

namespace wiretally::stream {

class StreamRoom final : public CaptureSink {
 public:
  // `counters` and `next` must outlive the room.
  StreamRoom(const Limits& limits, Counters& counters, StreamSink& next)
      : output_(next), packets_(limits, counters, output_), probed_(limits, counters, output_) {}
  StreamRoom(const StreamRoom&) = delete;
  StreamRoom& operator=(const StreamRoom&) = delete;

  FlowDemand on_segment(const Segment& segment) override { return packets_.on_segment(segment); }
  FlowDemand on_chunk(const Chunk& chunk) override { return probed_.on_chunk(chunk); }
  void on_connection_close(const ConnectionClose& close) override {
    probed_.on_connection_close(close);
  }
  void on_connection_eof(const ConnectionEof& eof) override { probed_.on_connection_eof(eof); }
  void on_connection_audit(const ConnectionAudit& audit) override {
    probed_.on_connection_audit(audit);
  }
  void on_time(EventTime now) override {
    packets_.on_time(now);
    output_.time(now);
  }
  void on_end(EventTime now) override {
    packets_.on_end(now);
    probed_.on_end(now);
  }

  // The connection whose events are being sent on, or were last.
  const FlowInfo* const& current() const { return output_.current(); }

  // Levels, for tests and self-observation.
  size_t flows() const { return packets_.flows() + probed_.flows(); }
  size_t pieces_in_use() { return packets_.pieces_in_use(); }

  // The most that a room with these limits takes.
  static uint64_t worst_case_bytes(const Limits& limits) {
    return sizeof(StreamRoom) + FlowTable<TcpFlow>::worst_case_bytes(limits.flows_max) +
           FlowTable<ProbedFlow>::worst_case_bytes(limits.flows_max) +
           ReorderMemory::worst_case_bytes(limits);
  }

 private:
  FlowOutput output_;
  PacketFlows packets_;
  ProbedFlows probed_;
};

}  // namespace wiretally::stream
