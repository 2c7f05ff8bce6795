// The ledger's ears for several lanes: each hears one lane's channel and passes on what it says,
// but for the time. The ledger is told only how far every lane has come.
#pragma once

#include <algorithm>
#include <limits>
#include <vector>

#include "usage_channel.h"
#include "wiretally/usage_record.h"

namespace wiretally {

class LaneEars {
 public:
  LaneEars(size_t lanes, UsageSink& ledger) : ledger_(ledger), ears_(lanes, Ear(ledger)) {}

  void drain(size_t lane, UsageChannel& channel) { channel.drain(ears_[lane]); }

  // Tells the ledger the time that every lane has reached, where it has changed: after somebody set
  // the clock back it is an earlier one.
  void pass_time() {
    EventTime slowest = ears_.front().now;
    for (const Ear& ear : ears_) {
      if (ear.now.ns < slowest.ns) slowest = ear.now;
    }
    if (slowest.ns == told_ns_) return;
    told_ns_ = slowest.ns;
    ledger_.on_time(slowest);
  }

 private:
  struct Ear final : UsageSink {
    explicit Ear(UsageSink& to) : ledger(&to) {}
    void on_call_opened(const CallOpened& call) override { ledger->on_call_opened(call); }
    void on_record(const UsageRecord& record) override { ledger->on_record(record); }
    void on_call_closed(ExchangeId exchange, uint32_t lane, EventTime time) override {
      ledger->on_call_closed(exchange, lane, time);
    }
    void on_suspect(Dialect dialect) override { ledger->on_suspect(dialect); }
    void on_connection(const ConnectionSeen& connection) override {
      ledger->on_connection(connection);
    }
    // Sources tell the time on one clock, the capture clock.
    void on_time(EventTime time) override { now = time; }

    UsageSink* ledger;
    EventTime now{.ns = std::numeric_limits<int64_t>::min(), .clock = Clock::kCapture};
  };

  UsageSink& ledger_;
  std::vector<Ear> ears_;
  int64_t told_ns_ = std::numeric_limits<int64_t>::min();
};

}  // namespace wiretally
