// Cost of an event: an event stream token by token, and whole JSON answers.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>

#include "http_room.h"
#include "support/http2_writer.h"

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

// The same 250 bytes in a DATA frame, of one stream or of 50 in turn.
void Http2EventStreamChunk(benchmark::State& state) {
  using test::Http2Writer;
  Bench bench;
  Http2Writer client;
  Http2Writer server;
  bench.send(Direction::kAToB, Http2Writer::client_begins());
  bench.send(Direction::kBToA, Http2Writer::server_begins());
  std::vector<std::string> frames;
  for (uint32_t i = 0; i < state.range(0); ++i) {
    const uint32_t id = 2 * i + 1;
    bench.send(Direction::kAToB, client.headers(id, Http2Writer::request("/v1/chat/completions")));
    bench.send(Direction::kAToB, Http2Writer::data(id, std::string(200, 'q'), true));
    bench.send(Direction::kBToA, server.headers(id, Http2Writer::answer(200, "text/event-stream")));
    frames.push_back(Http2Writer::data(id, std::string(250, 'x'), false));
  }
  size_t next = 0;
  for (auto _ : state) {
    bench.send(Direction::kBToA, frames[next]);
    if (++next == frames.size()) next = 0;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(Http2EventStreamChunk)->Arg(1)->Arg(50);

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

// Whole calls, each on a stream of its own; header blocks only refer to the table.
void Http2JsonCall(benchmark::State& state) {
  using test::Http2Writer;
  Bench bench;
  Http2Writer client;
  Http2Writer server;
  bench.send(Direction::kAToB, Http2Writer::client_begins());
  bench.send(Direction::kBToA, Http2Writer::server_begins());
  auto fields = Http2Writer::request("/v1/chat/completions");
  fields.push_back({"user-agent", "OpenAI/Python 1.40.0"});
  fields.push_back({"authorization", "Bearer sk-0123456789012345678901234567890123456789"});
  fields.push_back({"content-type", "application/json"});
  auto answer_fields = Http2Writer::answer(200);
  answer_fields.push_back({"date", "Mon, 01 Jan 2024 00:00:00 GMT"});
  answer_fields.push_back({"x-request-id", "req_0123456789"});
  std::string heads[2];
  for (std::string& head : heads) head = client.headers(1, fields);
  bench.send(Direction::kAToB, heads[0]);
  std::string question = heads[1] + Http2Writer::data(1, std::string(200, 'q'), true);
  for (std::string& head : heads) head = server.headers(1, answer_fields);
  bench.send(Direction::kBToA, heads[0]);
  std::string answer = heads[1] + Http2Writer::data(1, std::string(1500, 'a'), true);
  const size_t places[] = {5, question.size() - 200 - 4, 5, answer.size() - 1500 - 4};
  uint32_t id = 3;
  for (auto _ : state) {
    for (size_t i = 0; i < 4; ++i) {
      const std::string number = Http2Writer::big_endian(id, 4);
      (i < 2 ? question : answer).replace(places[i], 4, number);
    }
    id = (id + 2) & 0x7fff'ffff;
    bench.send(Direction::kAToB, question);
    bench.send(Direction::kBToA, answer);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(Http2JsonCall);

}  // namespace
