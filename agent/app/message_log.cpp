#include "message_log.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace wiretally {
namespace {

struct Teller {
  UsageSink& sink;
  void operator()(const CallOpened& call) const { sink.on_call_opened(call); }
  void operator()(const Packed<UsageRecord>& record) const { sink.on_record(record.unpack()); }
  void operator()(const MessageLog::Closed& closed) const {
    sink.on_call_closed(closed.exchange, closed.lane, closed.time);
  }
  void operator()(Dialect dialect) const { sink.on_suspect(dialect); }
  void operator()(const ConnectionSeen& connection) const { sink.on_connection(connection); }
};

}  // namespace

template <typename What>
void MessageLog::put(What&& what) {
  const bool known = told_to_all_ && connection_ != nullptr && *connection_ != nullptr;
  messages_.push_back(
      {position_, known ? (*connection_)->first_packet : 0, std::forward<What>(what)});
}

void MessageLog::on_call_opened(const CallOpened& call) {
  if (passes()) return direct_->on_call_opened(call);
  put(call);
}

void MessageLog::on_record(const UsageRecord& record) {
  if (passes()) return direct_->on_record(record);
  put(Packed<UsageRecord>(record));
}

void MessageLog::on_call_closed(ExchangeId exchange, uint32_t lane, EventTime time) {
  if (passes()) return direct_->on_call_closed(exchange, lane, time);
  put(Closed{exchange, lane, time});
}

void MessageLog::on_suspect(Dialect dialect) {
  if (passes()) return direct_->on_suspect(dialect);
  put(dialect);
}

void MessageLog::on_connection(const ConnectionSeen& connection) {
  if (passes()) return direct_->on_connection(connection);
  put(connection);
}

void MessageLog::tell(Messages& messages, UsageSink& sink) {
  const auto before = [](const Message* a, const Message* b) {
    return std::tie(a->position, a->first_packet) < std::tie(b->position, b->first_packet);
  };
  std::vector<const Message*> order;
  order.reserve(messages.size());
  for (const Message& message : messages) order.push_back(&message);
  std::stable_sort(order.begin(), order.end(), before);
  for (const Message* message : order) std::visit(Teller{sink}, message->what);
  messages.clear();
}

}  // namespace wiretally
