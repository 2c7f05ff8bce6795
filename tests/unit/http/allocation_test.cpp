// After warm-up neither events nor exchanges allocate.
#include <gtest/gtest.h>

#include <memory>

#include "support/allocation_counter.h"
#include "support/encoder.h"
#include "support/websocket_frames.h"
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
  BodyInterest on_websocket_message(ExchangeId, Message, WebSocketContent, EventTime) override {
    return BodyInterest::kWanted;
  }
  BodyInterest on_websocket_part(ExchangeId, Message, ByteView part, EventTime) override {
    told += part.size();
    return BodyInterest::kWanted;
  }
  void on_time(EventTime) override {}

  size_t told = 0;
  int ended = 0;
};

void expect_none_after_warm_up(const std::string& coding, const std::string& body) {
  const std::string question = request("/v1", "question");
  const std::string coded = "HTTP/1.1 200 OK\r\nContent-Encoding: " + coding +
                            "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
                            body;
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

// The decoders' memory among it: the budget takes it from operator new, which is counted.
TEST(Allocation, NoneAfterWarmUp) {
  const std::string text = "some answer";
  expect_none_after_warm_up("gzip", gzip(text));
  expect_none_after_warm_up("deflate", test::encode(test::Coding::kRawDeflate, text));
  expect_none_after_warm_up("br", test::encode(test::Coding::kBrotli, text));
  expect_none_after_warm_up("zstd", test::encode(test::Coding::kZstd, text));
  expect_none_after_warm_up("gzip, br", test::encode(test::Coding::kBrotli, gzip(text)));
}

TEST(Allocation, NoneForWebSocketMessagesAfterWarmUp) {
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
  send(Direction::kAToB, "GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n");
  send(Direction::kBToA,
       "HTTP/1.1 101 X\r\nUpgrade: websocket\r\n"
       "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n\r\n");
  test::MessageDeflater down(false);
  const std::string asked = test::frame({.mask = test::kMask}, std::string(1000, 'q'));
  const std::string told = test::frame({.compressed = true}, down.message(std::string(1000, 'a')));
  const auto turn = [&] {
    send(Direction::kAToB, std::string_view(asked).substr(0, 5));
    send(Direction::kAToB, std::string_view(asked).substr(5));
    send(Direction::kBToA, std::string_view(told).substr(0, 5));
    send(Direction::kBToA, std::string_view(told).substr(5));
  };
  turn();
  const uint64_t before = test::allocations;
  for (int i = 0; i < 100; ++i) turn();
  EXPECT_EQ(test::allocations - before, 0u);
  EXPECT_EQ(sink.told, 101u * 2000);
}

}  // namespace
}  // namespace wiretally::http
