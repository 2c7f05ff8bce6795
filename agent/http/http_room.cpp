#include "http_room.h"

#include <algorithm>

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
  // `stream` keeps as many of each source, so this is reached by nobody else.
  if (connections_.size() >= 2 * lane_.limits.flows_max) {
    if (event.kind == StreamEvent::Kind::kData) {
      lane_.counters.drop(event.info->source, DropReason::kStreamFlowsFull, event.bytes.size());
    }
    return nullptr;
  }
  return connections_.emplace(lane_, event.flow, *event.info);
}

uint64_t HttpRoom::worst_case_bytes(const Limits& limits) {
  constexpr uint64_t kBlock = 16;  // what an allocation costs besides its bytes
  const uint64_t connections = 2 * limits.flows_max;
  const uint64_t halves = 2 * connections;
  const uint64_t a_connection = sizeof(Connection) + kBlock + 4 * sizeof(void*);
  const uint64_t exchanges = limits.http_exchanges_max + 1;
  const uint64_t a_stream =
      http2::StreamPool::bytes_of_one() + kBlock + http2::StreamTable::bytes_of_one();
  const uint64_t a_session =
      sizeof(http2::Session) + kBlock + http2::StreamTable::bytes_of_table() + 2 * kBlock;
  const uint64_t http2 = connections * a_session + (limits.http_exchanges_max + 1) * a_stream +
                         http2::HpackMemory::worst_case_bytes(limits.hpack_bytes_max);
  // On a connection of its own or on a stream; each is a call.
  static_assert(sizeof(http2::SocketStream) > sizeof(WebSocket));
  const uint64_t sockets = (limits.open_calls_max + 1) * (sizeof(http2::SocketStream) + kBlock);
  return sizeof(HttpRoom) + connections * a_connection + http2 + sockets +
         exchanges * (ExchangePool::bytes_of_one() + kBlock) + limits.http_head_bytes_total +
         2 * limits.http_head_bytes_max +
         (halves + limits.open_calls_max) * (HeadBuffers::bytes_of_one() + kBlock) +
         std::min<uint64_t>(halves, limits.http_hellos_max) * (sizeof(ClientHelloReader) + kBlock) +
         limits.decoder_bytes_max + limits.http_headers_max * sizeof(HeaderField);
}

void HttpRoom::on_time(EventTime now) { lane_.sink.on_time(now); }

}  // namespace wiretally::http
