// Connections seen by probes inside TLS libraries. Their plaintext comes in order; what is missing
// shows as a jump of the offset, and the probe has counted it under its cause already.
//
// The key is (process, its start, the library's object); a higher generation of it ends the
// connection before. Direction a→b is what the process wrote. Events of one lane are in order of
// time, so bytes that the other direction had delivered by now and that have not come are lost.
#pragma once

#include "flow.h"
#include "flow_output.h"
#include "flow_table.h"
#include "wiretally/counters.h"
#include "wiretally/limits.h"

namespace wiretally::stream {

struct ProbedFlow : Flow {
  ConnectionKey key;
  uint64_t next[2] = {};  // by direction: offset up to which everything was delivered or lost
  uint64_t serial = 0;    // in order of creation
  EventTime last_time;
  uint32_t slot = 0;
};

class ProbedFlows {
 public:
  ProbedFlows(const Limits& limits, Counters& counters, FlowOutput& output);

  FlowDemand on_chunk(const Chunk& chunk);
  void on_connection_close(const ConnectionClose& close);
  void on_connection_eof(const ConnectionEof& eof);
  void on_connection_audit(const ConnectionAudit& audit);
  void on_end(EventTime now);

  size_t flows() const { return table_.size(); }

 private:
  ProbedFlow* find(const ConnectionKey& key);
  ProbedFlow& create(const Chunk& chunk);
  void evict_one();
  bool advance(ProbedFlow& flow, Direction direction, EventTime time, uint64_t offset);
  void finish(ProbedFlow& flow, EventTime time, CloseReason reason, bool incomplete);
  uint64_t hash_of(const ConnectionKey& key) const;

  Counters& counters_;
  FlowOutput& output_;
  FlowTable<ProbedFlow> table_;
  uint64_t hash_seed_;
  uint64_t flows_created_ = 0;
};

}  // namespace wiretally::stream
