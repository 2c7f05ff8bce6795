// The whole lane, stream → http → llm: after warm-up nothing is allocated for events, calls or
// connections, and bodies that are not coded are handed on where they were captured.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <set>

#include "credential_reader.h"
#include "pipeline.h"
#include "support/allocation_counter.h"
#include "traffic.h"

namespace wiretally::test {
namespace {

constexpr uint64_t kWarmUp = 300'000;
constexpr uint64_t kEvents = 1'000'000;

class CountingSink final : public UsageSink {
 public:
  void on_call_opened(const CallOpened&) override {}
  void on_record(const UsageRecord& record) override {
    ++records;
    whole += record.tokens.output_source == UsageSource::kReported && record.lost_bytes == 0;
  }
  void on_call_closed(ExchangeId, uint32_t, EventTime) override {}
  void on_time(EventTime) override {}
  void on_suspect(Dialect) override {}

  uint64_t records = 0;
  uint64_t whole = 0;  // nothing lost, tokens known
};

const identity::HeaderCredentialReader& credentials() {
  static const identity::HeaderCredentialReader reader(identity::public_replay_key(),
                                                       identity::SubjectPrivacy::kHash);
  return reader;
}

struct Ran {
  uint64_t connections = 0;
  uint64_t swaps = 0;
};

Ran expect_none_after_warm_up(const Traffic::Options& options) {
  const std::vector<Script> all = options.http2 ? Http2Rounds().scripts() : scripts();
  Limits limits;
  limits.flows_max = 512;  // stream remembers connections that are over, up to here
  const auto counters = std::make_unique<Counters>();
  CountingSink usage;
  Lane lane(limits, 0, *counters, credentials(), usage);
  Traffic traffic(all, options, lane.capture());
  traffic.run(kWarmUp);
  const uint64_t calls_before = traffic.calls();
  const uint64_t before = allocations;
  traffic.run(kEvents);
  EXPECT_EQ(allocations - before, 0u);
  EXPECT_GT(traffic.calls() - calls_before, kEvents / 100);
  EXPECT_EQ(usage.records, traffic.calls());
  EXPECT_EQ(usage.whole, traffic.calls());
  return {.connections = traffic.connections(), .swaps = traffic.swaps()};
}

TEST(Lane, AllocatesNothingOnConnectionsThatStay) { expect_none_after_warm_up({}); }

TEST(Lane, AllocatesNothingForNewConnections) {
  EXPECT_GT(expect_none_after_warm_up({.calls_a_connection = 3}).connections, kEvents / 200);
}

TEST(Lane, AllocatesNothingForReorderedSegments) {
  EXPECT_GT(expect_none_after_warm_up({.swaps = true}).swaps, kEvents / 100);
}

// Streams begin and end all the time on these; numbers of streams last for 2^31.
TEST(Lane, AllocatesNothingForStreamsOfHttp2) { expect_none_after_warm_up({.http2 = true}); }

TEST(Lane, AllocatesNothingForReorderedSegmentsOfHttp2) {
  EXPECT_GT(expect_none_after_warm_up({.http2 = true, .swaps = true}).swaps, kEvents / 100);
}

// Between http and llm: where do the bodies lie that are handed on?
class BodyPlaces final : public ExchangeSink {
 public:
  explicit BodyPlaces(ExchangeSink& next) : next_(next) {}
  void watch(const Traffic& traffic) { traffic_ = &traffic; }

  BodyInterest on_request(ExchangeId id, const RequestHead& head) override {
    return next_.on_request(id, head);
  }
  BodyInterest on_response(ExchangeId id, const ResponseHead& head) override {
    if (head.headers.find("content-encoding")) coded_.insert(id);
    return next_.on_response(id, head);
  }
  BodyInterest on_body(ExchangeId id, Message message, ByteView body, EventTime time) override {
    const bool coded = message == Message::kResponse && coded_.contains(id);
    (coded ? decoded_bytes : is_fed(body) ? bytes_in_place : bytes_elsewhere) += body.size();
    return next_.on_body(id, message, body, time);
  }
  void on_body_loss(ExchangeId id, Message message, BodyLoss loss, uint64_t wire_bytes,
                    EventTime time) override {
    next_.on_body_loss(id, message, loss, wire_bytes, time);
  }
  void on_trailers(ExchangeId id, Message message, const Headers& trailers,
                   EventTime time) override {
    next_.on_trailers(id, message, trailers, time);
  }
  void on_message_end(ExchangeId id, Message message, MessageEnd end, EventTime time) override {
    next_.on_message_end(id, message, end, time);
  }
  void on_exchange_end(ExchangeId id, const ExchangeEnd& end) override {
    coded_.erase(id);
    next_.on_exchange_end(id, end);
  }
  void on_time(EventTime now) override { next_.on_time(now); }

  uint64_t bytes_in_place = 0;
  uint64_t bytes_elsewhere = 0;
  uint64_t decoded_bytes = 0;

 private:
  bool is_fed(ByteView body) const {
    const ByteView fed = traffic_->fed();
    const std::less_equal<const uint8_t*> not_behind;
    return not_behind(fed.data(), body.data()) &&
           not_behind(body.data() + body.size(), fed.data() + fed.size());
  }

  ExchangeSink& next_;
  const Traffic* traffic_ = nullptr;
  std::set<ExchangeId> coded_;
};

void expect_bodies_where_they_were_captured(bool http2) {
  const std::vector<Script> all = http2 ? Http2Rounds().scripts() : scripts();
  const Limits limits;
  const auto counters = std::make_unique<Counters>();
  CountingSink usage;
  llm::LlmRoom llm(limits, 0, credentials(), usage);
  BodyPlaces places(llm);
  http::HttpRoom http(limits, *counters, places);
  stream::StreamRoom stream(limits, *counters, http);
  Traffic traffic(all, {.http2 = http2}, stream);
  places.watch(traffic);
  traffic.run(kEvents);
  EXPECT_EQ(places.bytes_elsewhere, 0u);
  EXPECT_GT(places.bytes_in_place, kEvents * 50);
  EXPECT_GT(places.decoded_bytes, kEvents * 10);
  EXPECT_EQ(usage.whole, traffic.calls());
}

TEST(Lane, HandsBodiesOnWhereTheyWereCaptured) { expect_bodies_where_they_were_captured(false); }

TEST(Lane, HandsBodiesOfHttp2OnWhereTheyWereCaptured) {
  expect_bodies_where_they_were_captured(true);
}

}  // namespace
}  // namespace wiretally::test
