// After warm-up neither events nor exchanges allocate.
#include <gtest/gtest.h>

#include <memory>

#include "support/allocation_counter.h"
#include "unit/http/scenario.h"

namespace wiretally::http {
namespace {

class QuietSink final : public ExchangeSink {
 public:
  BodyInterest on_request(ExchangeId, const RequestHead&) override { return BodyInterest::kWanted; }
  BodyInterest on_response(ExchangeId, const ResponseHead&) override {
    return BodyInterest::kWanted;
  }
  BodyInterest on_body(ExchangeId, Message, ByteView, EventTime) override {
    return BodyInterest::kWanted;
  }
  void on_body_loss(ExchangeId, Message, BodyLoss, uint64_t, EventTime) override {}
  void on_message_end(ExchangeId, Message, MessageEnd, EventTime) override {}
  void on_exchange_end(ExchangeId, const ExchangeEnd&) override { ++ended; }
  void on_time(EventTime) override {}

  int ended = 0;
};

TEST(Allocation, NoneAfterWarmUp) {
  const std::string body = gzip("some answer");
  const std::string question = request("/v1", "question");
  const std::string coded = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: " +
                            std::to_string(body.size()) + "\r\n\r\n" + body;
  const Limits limits;
  const auto counters = std::make_unique<Counters>();
  QuietSink sink;
  HttpRoom room(limits, *counters, sink);
  FlowInfo info;
  const auto send = [&](Direction direction, std::string_view text) {
    StreamEvent event;
    event.flow = FlowId{1};
    event.info = &info;
    event.direction = direction;
    event.bytes = as_bytes(text);
    room.on_stream(event);
  };
  const auto call = [&] {  // both heads split, so that they have to be held
    send(Direction::kAToB, std::string_view(question).substr(0, 20));
    send(Direction::kAToB, std::string_view(question).substr(20));
    send(Direction::kBToA, std::string_view(coded).substr(0, 20));
    send(Direction::kBToA, std::string_view(coded).substr(20));
  };
  call();
  const uint64_t before = test::allocations;
  for (int i = 0; i < 100; ++i) call();
  EXPECT_EQ(test::allocations - before, 0u);
  EXPECT_EQ(sink.ended, 101);
}

}  // namespace
}  // namespace wiretally::http
