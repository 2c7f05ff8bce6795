// What lanes say about calls, written down with the place of the event that caused it, so that the
// ledger hears it in one order, however many lanes there are.
//
// A packet belongs to one lane: what it causes stands in that lane's order. Time, and the end of a
// file, are told to every lane: what they cause is ordered by the connections' first packets.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "packed.h"
#include "wiretally/stream_event.h"
#include "wiretally/usage_record.h"

namespace wiretally {

class MessageLog final : public UsageSink {
 public:
  struct Closed {
    ExchangeId exchange;
    uint32_t lane;
    EventTime time;
  };
  struct Message {
    uint64_t position = 0;      // of the event
    uint64_t first_packet = 0;  // of the connection; where all lanes were told the event
    std::variant<CallOpened, Packed<UsageRecord>, Closed, Dialect, ConnectionSeen> what;
  };
  using Messages = std::vector<Message>;

  // With `direct`, for a single lane, only what is caused by events for all lanes is written down;
  // the rest goes to `direct` at once.
  explicit MessageLog(UsageSink* direct = nullptr) : direct_(direct) {}

  // The lane is told next an event that is at this place and is its alone, or every lane's.
  void at(uint64_t position) {
    position_ = position;
    told_to_all_ = false;
  }
  void at_all(uint64_t position) {
    position_ = position;
    told_to_all_ = true;
  }
  // Where the lane keeps which connection it is at; outlives the log.
  void follow(const FlowInfo* const* connection) { connection_ = connection; }

  void on_call_opened(const CallOpened& call) override;
  void on_record(const UsageRecord& record) override;
  void on_call_closed(ExchangeId exchange, uint32_t lane, EventTime time) override;
  void on_suspect(Dialect dialect) override;
  void on_connection(const ConnectionSeen& connection) override;
  // In a replay the calls themselves move the ledger's time on.
  void on_time(EventTime) override {}

  Messages& messages() { return messages_; }

  // Tells them to `sink`, in order, and forgets them.
  static void tell(Messages& messages, UsageSink& sink);

 private:
  bool passes() const { return direct_ != nullptr && !told_to_all_; }
  template <typename What>
  void put(What&& what);

  UsageSink* direct_;
  uint64_t position_ = 0;
  bool told_to_all_ = false;
  const FlowInfo* const* connection_ = nullptr;
  Messages messages_;
};

}  // namespace wiretally
