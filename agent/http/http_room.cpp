#include "http_room.h"

namespace wiretally::http {

HttpRoom::HttpRoom(const Limits& limits, Counters& counters, ExchangeSink& next)
    : lane_(limits, counters, next) {}

FlowDemand HttpRoom::on_stream(const StreamEvent& event) {
  Connection* connection = connections_.find(event.flow);
  if (connection == nullptr) {
    if (event.kind == StreamEvent::Kind::kClose) return FlowDemand::kMore;
    connection = open(event);
    if (connection == nullptr) return FlowDemand::kIgnoreFlow;
  }
  const FlowDemand demand = connection->on_event(event);
  if (event.kind == StreamEvent::Kind::kClose) {
    const auto source = static_cast<size_t>(event.info->source);
    lane_.counters.flows[source][static_cast<size_t>(connection->verdict())].add();
    connections_.erase(event.flow);
  }
  return demand;
}

Connection* HttpRoom::open(const StreamEvent& event) {
  if (connections_.size() >= lane_.limits.flows_max) {
    if (event.kind == StreamEvent::Kind::kData) {
      lane_.counters.drop(event.info->source, DropReason::kStreamFlowsFull, event.bytes.size());
    }
    return nullptr;
  }
  return connections_.insert(std::make_unique<Connection>(lane_, event.flow, *event.info));
}

void HttpRoom::on_time(EventTime now) { lane_.sink.on_time(now); }

}  // namespace wiretally::http
