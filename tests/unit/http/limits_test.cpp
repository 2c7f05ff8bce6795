// What many connections share: when it is used up, who was active least recently makes room.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "scenario.h"
#include "support/http2_writer.h"

namespace wiretally::http {
namespace {

// Writes down what comes of any flow.
class AnyFlowLog final : public LogSink {
 public:
  BodyInterest on_request(ExchangeId id, const RequestHead& head) override {
    RequestHead same = head;
    same.flow_id = kScenarioFlow;
    return LogSink::on_request(id, same);
  }
  BodyInterest on_response(ExchangeId id, const ResponseHead& head) override {
    ResponseHead same = head;
    same.flow_id = kScenarioFlow;
    return LogSink::on_response(id, same);
  }
};

class Room {
 public:
  explicit Room(const Limits& limits) : limits_(limits) {}

  void a(uint64_t flow, const std::string& bytes) { data(flow, Direction::kAToB, bytes); }
  void b(uint64_t flow, const std::string& bytes) { data(flow, Direction::kBToA, bytes); }
  void close(uint64_t flow) {
    StreamEvent event;
    event.kind = StreamEvent::Kind::kClose;
    send(flow, event);
  }

  uint64_t dropped_events(DropReason reason) const {
    return counters_->of(Source::kPacket).dropped_events[static_cast<size_t>(reason)].value();
  }
  // Every byte given is parsed, skipped, dropped or held.
  bool balances() const {
    const SourceCounters& counts = counters_->of(Source::kPacket);
    uint64_t accounted = counts.parsed_bytes.value() + counts.buffered_bytes.value();
    for (const Cell& cell : counts.skipped_bytes) accounted += cell.value();
    for (const Cell& cell : counts.dropped_bytes) accounted += cell.value();
    return accounted == given_;
  }
  uint64_t buffered() const { return counters_->of(Source::kPacket).buffered_bytes.value(); }

  AnyFlowLog sink;

 private:
  void data(uint64_t flow, Direction direction, const std::string& bytes) {
    StreamEvent event;
    event.kind = StreamEvent::Kind::kData;
    event.direction = direction;
    event.bytes = as_bytes(bytes);
    uint64_t(&sent)[2] = sent_[flow];
    event.offset = sent[static_cast<size_t>(direction)];
    event.peer_offset = sent[1 - static_cast<size_t>(direction)];
    sent[static_cast<size_t>(direction)] += bytes.size();
    given_ += bytes.size();
    send(flow, event);
  }
  void send(uint64_t flow, StreamEvent& event) {
    event.flow = FlowId{flow};
    event.info = &info_;
    event.time.ns = ++now_;
    room_.on_stream(event);
  }

  const Limits limits_;
  std::unique_ptr<Counters> counters_ = std::make_unique<Counters>();
  HttpRoom room_{limits_, *counters_, sink};
  FlowInfo info_;
  std::map<uint64_t, uint64_t[2]> sent_;
  uint64_t given_ = 0;
  int64_t now_ = 0;
};

TEST(SharedLimits, TheHeadFedLeastRecentlyMakesRoom) {
  Limits limits;
  limits.http_head_bytes_max = 2'000;
  limits.http_head_bytes_total = 8'000;
  Room room(limits);
  const std::string endless = "GET /v1/endless HTTP/1.1\r\nX: " + std::string(1'500, 'x');
  for (uint64_t flow = 1; flow <= 20; ++flow) room.a(flow, endless);
  EXPECT_GE(room.dropped_events(DropReason::kHttpHeadBudget), 15u);
  EXPECT_LE(room.buffered(), limits.http_head_bytes_total);
  // A head in two pieces gets its place, and its call is whole.
  const std::string request_bytes = request("/v1/good", "abc");
  room.a(21, request_bytes.substr(0, 30));
  room.a(21, request_bytes.substr(30));
  room.b(21, answer("d"));
  EXPECT_NE(room.sink.log.find("request POST /v1/good"), std::string::npos) << room.sink.log;
  EXPECT_NE(room.sink.log.find("end: complete"), std::string::npos);
  // Those that were given up know it at their next byte, and are not read on.
  room.a(1, "\r\n\r\n");
  EXPECT_EQ(room.sink.log.find("/v1/endless"), std::string::npos);
  EXPECT_TRUE(room.balances());
  for (uint64_t flow = 1; flow <= 21; ++flow) room.close(flow);
  EXPECT_EQ(room.buffered(), 0u);
  EXPECT_TRUE(room.balances());
}

TEST(SharedLimits, TheLeastRecentlyActiveExchangeEnds) {
  Limits limits;
  limits.http_exchanges_max = 4;
  limits.open_calls_max = 2;
  Room room(limits);
  room.a(1, request("/v1/first", ""));
  room.a(2, request("/v1/second", ""));
  room.b(1, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");  // the first is active again
  room.a(3, request("/v1/third", ""));
  EXPECT_EQ(room.dropped_events(DropReason::kHttpPipelineFull), 1u);
  EXPECT_NE(room.sink.log.find("2 end: unknown"), std::string::npos) << room.sink.log;
  // The answer to the one that was ended is nobody's; the next pair is right.
  room.b(2, answer("late"));
  room.a(2, request("/v1/next", ""));
  room.b(2, answer("n"));
  room.b(1, chunk("x") + "0\r\n\r\n");
  room.b(3, answer("3"));
  for (uint64_t flow = 1; flow <= 3; ++flow) room.close(flow);
  const std::string& log = room.sink.log;
  EXPECT_EQ(log.find("2 answer 200"), std::string::npos) << log;
  EXPECT_TRUE(room.balances());
}

TEST(SharedLimits, ExchangesThatAreNoCallsEndFirst) {
  Limits limits;
  limits.http_exchanges_max = 3;
  limits.open_calls_max = 2;
  Room room(limits);
  room.a(1, request("/v1/call", ""));
  for (uint64_t flow = 2; flow <= 6; ++flow) room.a(flow, request("/plain", ""));
  EXPECT_EQ(room.dropped_events(DropReason::kHttpPipelineFull), 3u);
  room.b(1, answer("a"));
  EXPECT_NE(room.sink.log.find("1 end: complete"), std::string::npos) << room.sink.log;
  EXPECT_TRUE(room.balances());
}

TEST(SharedLimits, AStreamMakesRoomForAnotherConnection) {
  using test::Http2Writer;
  Limits limits;
  limits.http_exchanges_max = 1;
  limits.open_calls_max = 1;
  Room room(limits);
  Http2Writer client[2];
  Http2Writer server;
  for (uint64_t flow = 1; flow <= 2; ++flow) {
    const std::string head = client[flow - 1].headers(1, Http2Writer::request("/v1"));
    room.a(flow, Http2Writer::client_begins() + head + Http2Writer::data(1, "question", true));
  }
  EXPECT_EQ(room.dropped_events(DropReason::kHttpPipelineFull), 1u);
  const std::string answer_head = server.headers(1, Http2Writer::answer(200));
  room.b(1, Http2Writer::server_begins() + answer_head + Http2Writer::data(1, "late", true));
  EXPECT_EQ(room.sink.log.find("answer"), std::string::npos) << room.sink.log;
  room.b(2, Http2Writer::server_begins() + answer_head + Http2Writer::data(1, "reply", true));
  EXPECT_NE(room.sink.log.find("2 end: complete"), std::string::npos) << room.sink.log;
  for (uint64_t flow = 1; flow <= 2; ++flow) room.close(flow);
  EXPECT_TRUE(room.balances());
}

// Two requests on a connection of its own: the second refers to what the first put into the table.
struct Client {
  test::Http2Writer writer;

  std::string first(const std::string& key) {
    return test::Http2Writer::client_begins() + head(1, key);
  }
  std::string head(uint32_t id, const std::string& key) {
    auto fields = test::Http2Writer::request("/v1/" + key);
    fields.push_back({"x-" + key, "yes"});
    fields.push_back({"x-filler", std::string(100, 'f')});
    return writer.headers(id, fields, true);
  }
};

TEST(SharedLimits, TheHpackTableUsedLeastRecentlyMakesRoom) {
  Limits limits;
  limits.hpack_bytes_max = 40'000;
  Room room(limits);
  room.sink.log_headers = true;
  Client clients[30];
  for (uint64_t flow = 1; flow < 30; ++flow) {
    room.a(flow, clients[flow].first("k" + std::to_string(flow)));
  }
  EXPECT_GE(room.dropped_events(DropReason::kHttpH2TableEvicted), 10u);
  EXPECT_EQ(room.dropped_events(DropReason::kHttpH2HeaderBlock), 0u);
  // The last ones have theirs.
  room.sink.log.clear();
  room.a(29, clients[29].head(3, "k29"));
  EXPECT_NE(room.sink.log.find("[:authority=api.openai.com] [:path=/v1/k29] [x-k29=yes]"),
            std::string::npos)
      << room.sink.log;
  // The first one's are gone: what it refers to is unknown, what it says is right, and what it puts
  // into its table from now on is known.
  room.sink.log.clear();
  room.a(1, clients[1].head(3, "k1"));
  EXPECT_NE(room.sink.log.find("request POST /v1/k1 [:method=POST] [:scheme=https] [:path=/v1/k1] "
                               "incomplete unknown h2"),
            std::string::npos)
      << room.sink.log;
  for (const uint32_t id : {5, 7}) {
    room.sink.log.clear();
    room.a(1, clients[1].head(id, "new"));
    EXPECT_NE(room.sink.log.find("request POST /v1/new [:method=POST] [:scheme=https] "
                                 "[:path=/v1/new] [x-new=yes] incomplete unknown h2"),
              std::string::npos)
        << room.sink.log;
  }
  for (uint64_t flow = 1; flow < 30; ++flow) room.close(flow);
  EXPECT_TRUE(room.balances());
}

// Decoded fields are in the same memory, and blocks that never end make room too.
TEST(SharedLimits, HeaderBlocksThatNeverEndMakeRoom) {
  using test::Http2Writer;
  Limits limits;
  limits.hpack_bytes_max = 100'000;
  limits.http_headers_max = 10'000;
  Room room(limits);
  room.sink.log_headers = true;
  // One field of 1 000 bytes in the table, and a hundred references to it.
  const std::string bomb = std::string("\x40\x01") + "a" + "\x7f\xe9\x06" +
                           std::string(1'000, 'b') + std::string(30, '\xbe');
  Http2Writer attackers[20];
  for (uint64_t flow = 1; flow < 20; ++flow) {
    room.a(flow, Http2Writer::client_begins() + Http2Writer::frame(1, 1, 1, bomb));
  }
  EXPECT_GE(room.dropped_events(DropReason::kHttpH2TableEvicted), 10u);
  Client good;
  room.a(20, good.first("good"));
  room.a(20, good.head(3, "good"));
  const std::string head =
      "request POST /v1/good [:method=POST] [:scheme=https] "
      "[:authority=api.openai.com] [:path=/v1/good] [x-good=yes]";
  EXPECT_NE(room.sink.log.find("1 " + head), std::string::npos) << room.sink.log;
  EXPECT_NE(room.sink.log.find("2 " + head), std::string::npos) << room.sink.log;
  // One of them ends its block after all: nothing of it is known any more.
  room.sink.log.clear();
  room.a(1, Http2Writer::frame(9, 4, 1, "") + attackers[1].headers(3, {{":method", "PUT"}}, true));
  EXPECT_EQ(room.sink.log,
            "3 request   incomplete unknown h2\n3 request complete\n"
            "4 request PUT  [:method=PUT] h2\n4 request complete\n");
  for (uint64_t flow = 1; flow <= 20; ++flow) room.close(flow);
  EXPECT_TRUE(room.balances());
}

// Of a body that is under way when its exchange is ended, the rest is dropped.
TEST(SharedLimits, ABodyWhoseExchangeEndedIsDropped) {
  Limits limits;
  limits.http_exchanges_max = 1;
  limits.open_calls_max = 1;
  Room room(limits);
  room.a(1, "POST /v1/first HTTP/1.1\r\nContent-Length: 10\r\n\r\n01234");
  room.a(2, request("/v1/second", ""));
  room.a(1, "56789");
  room.a(1, request("/v1/behind", ""));
  EXPECT_NE(room.sink.log.find("request POST /v1/behind"), std::string::npos) << room.sink.log;
  EXPECT_TRUE(room.balances());
  for (uint64_t flow = 1; flow <= 2; ++flow) room.close(flow);
  EXPECT_TRUE(room.balances());
}

TEST(SharedLimits, HellosAreBounded) {
  Limits limits;
  limits.http_hellos_max = 2;
  Room room(limits);
  const std::string hello("\x16\x03\x01\x02\x00\x01", 6);
  for (uint64_t flow = 1; flow <= 5; ++flow) room.a(flow, hello);
  for (uint64_t flow = 1; flow <= 5; ++flow) room.a(flow, std::string(100, '\1'));
  EXPECT_TRUE(room.balances());
  for (uint64_t flow = 1; flow <= 5; ++flow) room.close(flow);
  room.a(6, hello);
  EXPECT_TRUE(room.balances());
}

}  // namespace
}  // namespace wiretally::http
