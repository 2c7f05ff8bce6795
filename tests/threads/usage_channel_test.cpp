#include "usage_channel.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace wiretally {
namespace {

// Writes down what comes out.
class Log final : public UsageSink {
 public:
  std::vector<std::string> lines;
  uint64_t records = 0;
  uint64_t next_index = 0;
  bool in_order = true;

  void on_call_opened(const CallOpened& call) override {
    lines.push_back("opened " + std::string(call.request_model.view()));
  }
  void on_record(const UsageRecord& record) override {
    in_order = in_order && static_cast<uint64_t>(record.exchange) >= next_index;
    next_index = static_cast<uint64_t>(record.exchange) + 1;
    ++records;
  }
  void on_call_closed(ExchangeId exchange, uint32_t lane, EventTime time) override {
    lines.push_back("closed " + std::to_string(static_cast<uint64_t>(exchange)) + " " +
                    std::to_string(lane) + " " + std::to_string(time.ns));
  }
  void on_time(EventTime now) override { lines.push_back("time " + std::to_string(now.ns)); }
  void on_suspect(Dialect dialect) override {
    lines.push_back("suspect " + std::string(dialect_name(dialect)));
  }
  void on_connection(const ConnectionSeen& seen) override {
    lines.push_back("connection " + std::string(seen.server_name.view()));
  }
};

TEST(UsageChannel, CarriesEveryKindInOrder) {
  UsageChannel channel(1 << 16);
  CallOpened call;
  call.request_model.assign("gpt-5.5");
  channel.on_call_opened(call);
  channel.on_call_closed(ExchangeId{7}, 3, {.ns = 99});
  channel.on_time({.ns = 100});
  channel.on_suspect(Dialect::kAnthropicMessages);
  ConnectionSeen seen;
  seen.server_name.assign("api.x.ai");
  channel.on_connection(seen);
  Log log;
  EXPECT_EQ(channel.drain(log), 5u);
  EXPECT_EQ(log.lines,
            (std::vector<std::string>{"opened gpt-5.5", "closed 7 3 99", "time 100",
                                      "suspect anthropic_messages", "connection api.x.ai"}));
  EXPECT_EQ(channel.drain(log), 0u);
}

TEST(UsageChannel, DropsWholeMessagesWhenFullAndCountsThem) {
  UsageChannel channel(1 << 14);
  UsageRecord record;
  constexpr uint64_t kRecords = 100;
  for (uint64_t i = 0; i < kRecords; ++i) {
    record.exchange = ExchangeId{i};
    channel.on_record(record);
  }
  Log log;
  channel.drain(log);
  EXPECT_GT(log.records, 0u);
  EXPECT_EQ(log.records + channel.dropped_messages(), kRecords);
  // What was full is free again.
  channel.on_record(record);
  EXPECT_EQ(channel.drain(log), 1u);
}

TEST(UsageChannel, OneWriterOneReaderLoseNothing) {
  UsageChannel channel(1 << 20);
  constexpr uint64_t kRecords = 20'000;
  std::jthread writer([&] {
    UsageRecord record;
    for (uint64_t i = 0; i < kRecords; ++i) {
      record.exchange = ExchangeId{i};
      uint64_t dropped = channel.dropped_messages();
      channel.on_record(record);
      while (channel.dropped_messages() != dropped) {
        dropped = channel.dropped_messages();
        std::this_thread::yield();
        channel.on_record(record);
      }
    }
  });
  Log log;
  while (log.records < kRecords) {
    if (channel.drain(log) == 0) std::this_thread::yield();
  }
  EXPECT_TRUE(log.in_order);
  EXPECT_EQ(log.next_index, kRecords);
}

}  // namespace
}  // namespace wiretally
