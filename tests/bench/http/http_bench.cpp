// Cost of an event: an event stream token by token, and whole JSON answers.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>

#include "http_room.h"

namespace {

using namespace wiretally;

class CountingSink final : public ExchangeSink {
 public:
  BodyInterest on_request(ExchangeId, const RequestHead&) override { return BodyInterest::kWanted; }
  BodyInterest on_response(ExchangeId, const ResponseHead&) override {
    return BodyInterest::kWanted;
  }
  BodyInterest on_body(ExchangeId, Message, ByteView body, EventTime) override {
    bytes += body.size();
    return BodyInterest::kWanted;
  }
  void on_body_loss(ExchangeId, Message, BodyLoss, uint64_t, EventTime) override {}
  void on_message_end(ExchangeId, Message, MessageEnd, EventTime) override {}
  void on_exchange_end(ExchangeId, const ExchangeEnd&) override {}
  void on_time(EventTime) override {}

  uint64_t bytes = 0;
};

class Bench {
 public:
  Bench() : room_(limits_, *counters_, sink_) {}
  void send(Direction direction, const std::string& text) {
    uint64_t& offset = sent_[static_cast<size_t>(direction)];
    StreamEvent event;
    event.flow = FlowId{1};
    event.info = &info_;
    event.direction = direction;
    event.offset = offset;
    event.bytes = as_bytes(text);
    event.peer_offset = sent_[1 - static_cast<size_t>(direction)];
    offset += text.size();
    benchmark::DoNotOptimize(room_.on_stream(event));
  }

 private:
  Limits limits_;
  std::unique_ptr<Counters> counters_ = std::make_unique<Counters>();
  CountingSink sink_;
  http::HttpRoom room_;
  FlowInfo info_;
  uint64_t sent_[2] = {};
};

const std::string kRequest =
    "POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\nAccept: application/json\r\n"
    "Content-Type: application/json\r\nUser-Agent: OpenAI/Python 1.40.0\r\n"
    "Authorization: Bearer sk-0123456789012345678901234567890123456789\r\n"
    "Content-Length: 200\r\n\r\n" +
    std::string(200, 'q');

void EventStreamChunk(benchmark::State& state) {
  Bench bench;
  bench.send(Direction::kAToB, kRequest);
  bench.send(Direction::kBToA,
             "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
             "Transfer-Encoding: chunked\r\n\r\n");
  const std::string chunk = "fa\r\n" + std::string(250, 'x') + "\r\n";
  for (auto _ : state) bench.send(Direction::kBToA, chunk);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(EventStreamChunk);

void JsonCall(benchmark::State& state) {
  Bench bench;
  const std::string answer =
      "HTTP/1.1 200 OK\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Type: application/json\r\n"
      "x-request-id: req_0123456789\r\nContent-Length: 1500\r\n\r\n" +
      std::string(1500, 'a');
  for (auto _ : state) {
    bench.send(Direction::kAToB, kRequest);
    bench.send(Direction::kBToA, answer);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(JsonCall);

}  // namespace
