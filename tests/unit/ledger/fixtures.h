// Records to feed a ledger with, and a sink that keeps what comes out.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ledger.h"

namespace wiretally::ledger {

inline constexpr int64_t kMs = 1'000'000;
inline constexpr int64_t kSecond = 1'000 * kMs;
inline constexpr int64_t kEpoch = 1'760'000'000 * kSecond;

inline EventTime at_ms(int64_t ms) { return {.ns = kEpoch + ms * kMs}; }

inline Endpoint endpoint(uint8_t host, uint16_t port) {
  Endpoint e;
  e.address.version = 4;
  e.address.bytes = {10, 0, 0, host};
  e.port = port;
  return e;
}

// Each record gets a connection of its own.
class RecordMaker {
 public:
  UsageRecord make(int64_t start_ms, int64_t finish_ms, std::string_view content = "") {
    ++serial_;
    UsageRecord r;
    r.exchange = ExchangeId{serial_};
    r.flow = FlowId{serial_};
    r.start = at_ms(start_ms);
    r.finish = r.last_byte = at_ms(finish_ms);
    r.outcome = Outcome::kOk;
    r.status_code = 200;
    r.saw_request = r.saw_response = true;
    r.response_bytes = 100;
    const std::string bytes = content.empty() ? std::to_string(serial_) : std::string(content);
    r.request_digest = digest_of("request " + bytes);
    r.response_digest = digest_of("answer " + bytes);
    r.tokens.input = 10;
    r.tokens.output = 5;
    r.tokens.input_source = r.tokens.output_source = UsageSource::kReported;
    r.provider.assign("openai");
    return r;
  }

  UsageRecord probe(Side side, uint32_t pid, int64_t start_ms, int64_t finish_ms,
                    std::string_view content = "") {
    UsageRecord r = make(start_ms, finish_ms, content);
    r.source = Source::kTls;
    r.side = side;
    r.pid = pid;
    r.process_start_ns = pid;
    return r;
  }

  UsageRecord packet(Endpoint client, Endpoint server, int64_t start_ms, int64_t finish_ms,
                     std::string_view content = "") {
    UsageRecord r = make(start_ms, finish_ms, content);
    r.client = client;
    r.server = server;
    return r;
  }

 private:
  uint64_t serial_ = 0;
};

inline UsageRecord answer_only(UsageRecord r) {
  r.saw_request = false;
  r.request_digest = {};
  return r;
}

inline CallOpened opened(const UsageRecord& r) {
  CallOpened call;
  call.exchange = r.exchange;
  call.flow = r.flow;
  call.lane = r.lane;
  call.start = r.start;
  call.provider = r.provider;
  return call;
}

struct Collector final : EntrySink {
  std::vector<LedgerEntry> entries;
  std::vector<std::string> late;
  int open = 0;
  int suspects = 0;
  bool finished = false;

  void on_entry(const LedgerEntry& entry) override { entries.push_back(entry); }
  void on_call_opened(const CallOpened&) override { ++open; }
  void on_call_closed(const CallOpened&) override { --open; }
  void on_suspect(Dialect) override { ++suspects; }
  void on_late_twin(std::string_view kind) override { late.emplace_back(kind); }
  void on_time(EventTime) override {}
  void on_finish() override { finished = true; }
};

struct Bench {
  explicit Bench(LedgerOptions options = {}, Limits limits = {})
      : ledger(limits, options, {&out}) {}
  void feed(std::initializer_list<UsageRecord> records) {
    for (const UsageRecord& r : records) ledger.on_record(r);
  }
  Collector out;
  Ledger ledger;
};

}  // namespace wiretally::ledger
