// Room `http`: ordered bytes in, HTTP exchanges out. One object a lane, one thread.
//
// Each flow's protocol is recognised from its bytes (start_line.h), never from ports. Every byte
// given is counted once: parsed, skipped or dropped under a reason; bytes of a head that is still
// open, and bytes passed over before a flow's protocol is known, stand in
// SourceCounters::buffered_bytes meanwhile.
//
// A flow's verdict, counted at its close: kLlm if any body of it was wanted, kIgnored if it was not
// HTTP or HTTP without an LLM call, kUndecided if it ended before that could be told.
#pragma once

#include <memory>

#include "connection.h"
#include "flow_table.h"
#include "lane.h"
#include "wiretally/counters.h"
#include "wiretally/http_exchange.h"
#include "wiretally/limits.h"
#include "wiretally/stream_event.h"

namespace wiretally::http {

class HttpRoom final : public StreamSink {
 public:
  // All three outlive the room.
  HttpRoom(const Limits& limits, Counters& counters, ExchangeSink& next);

  FlowDemand on_stream(const StreamEvent& event) override;
  void on_time(EventTime now) override;

  // The most that a room with these limits takes.
  static uint64_t worst_case_bytes(const Limits& limits);

 private:
  Connection* open(const StreamEvent& event);

  Lane lane_;
  FlowTable<Connection> connections_;
};

}  // namespace wiretally::http
