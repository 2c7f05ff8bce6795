// HTTP/2 connections out of bytes: frames with any header, blocks through a real deflater or raw,
// gaps, both directions. Checks that every byte is counted once, that memory for tables is bounded,
// and that every exchange ends.
//
// Grammar of the input: a byte of options (bit 0: joined in the middle, bit 1: no preface), then
// operations. An operation is one byte: bit 7 direction, bits 0-3 what, then a byte for the stream
// and, where there is a payload, a byte for its length and the payload:
//   0 DATA  1 DATA with END_STREAM  2 DATA padded  3 HEADERS of a request  4 HEADERS of an answer
//   5 trailers with END_STREAM  6 raw HEADERS  7 raw HEADERS without END_HEADERS  8 CONTINUATION
//   (bit 5 with 3: an extended CONNECT; with 4: its 200, with permessage-deflate)
//   9 PUSH_PROMISE  10 RST_STREAM  11 GOAWAY  12 table size  13 gap  14 raw bytes  15 any frame
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "../../support/http2_writer.h"
#include "http_room.h"

namespace {

using namespace wiretally;
using test::Http2Writer;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

class CountingSink final : public ExchangeSink {
 public:
  BodyInterest on_request(ExchangeId id, const RequestHead& head) override {
    open_.insert(static_cast<uint64_t>(id));
    for (const HeaderField& field : head.headers.fields) touch(field.name), touch(field.value);
    return head.target == "/no" ? BodyInterest::kNotLlm : BodyInterest::kWanted;
  }
  BodyInterest on_response(ExchangeId id, const ResponseHead& head) override {
    open_.insert(static_cast<uint64_t>(id));
    for (const HeaderField& field : head.headers.fields) touch(field.name), touch(field.value);
    return BodyInterest::kWanted;
  }
  BodyInterest on_body(ExchangeId id, Message, ByteView body, EventTime) override {
    require(open_.count(static_cast<uint64_t>(id)) == 1, "a body of an open exchange");
    touch(as_text(body));
    return BodyInterest::kWanted;
  }
  void on_body_loss(ExchangeId id, Message, BodyLoss, uint64_t, EventTime) override {
    require(open_.count(static_cast<uint64_t>(id)) == 1, "a loss of an open exchange");
  }
  void on_message_end(ExchangeId id, Message, MessageEnd, EventTime) override {
    require(open_.count(static_cast<uint64_t>(id)) == 1, "an end in an open exchange");
  }
  void on_exchange_end(ExchangeId id, const ExchangeEnd&) override {
    open_.erase(static_cast<uint64_t>(id));
    for (const Message sender : {Message::kRequest, Message::kResponse}) {
      require(messages_.count({id, sender}) == 0, "messages end before their exchange");
    }
  }
  BodyInterest on_websocket_message(ExchangeId id, Message sender, WebSocketContent,
                                    EventTime) override {
    require(open_.count(static_cast<uint64_t>(id)) == 1, "a message of an open exchange");
    require(messages_.insert({id, sender}).second, "one message at a time");
    return BodyInterest::kWanted;
  }
  BodyInterest on_websocket_part(ExchangeId id, Message sender, ByteView part, EventTime) override {
    require(messages_.count({id, sender}) == 1, "a part of an open message");
    touch(as_text(part));
    return BodyInterest::kWanted;
  }
  void on_websocket_message_end(ExchangeId id, Message sender, MessageEnd, EventTime) override {
    require(messages_.erase({id, sender}) == 1, "an end of an open message");
  }
  void on_time(EventTime) override {}
  bool all_ended() const { return open_.empty(); }

 private:
  void touch(std::string_view text) {
    for (const char c : text) sum_ += static_cast<unsigned char>(c);
  }
  std::set<uint64_t> open_;
  std::set<std::pair<ExchangeId, Message>> messages_;  // of WebSockets
  uint64_t sum_ = 0;                                   // keeps the reads of borrowed text
};

const Limits& limits() {
  static const Limits kLimits = [] {
    Limits limits;
    limits.http_head_bytes_max = 400;
    limits.http_headers_max = 6;
    limits.h2_streams_max = 4;
    limits.h2_pushed_streams_max = 2;
    limits.h2_header_block_bytes_max = 300;
    limits.hpack_table_bytes_max = 8192;
    limits.hpack_bytes_max = 60'000;
    return limits;
  }();
  return kLimits;
}

class Flow {
 public:
  explicit Flow(bool joined) : room_(limits(), *counters_, sink_) {
    info_.joined_midstream = joined;
  }

  void data(Direction direction, std::string_view text) {
    if (text.empty()) return;
    const std::vector<uint8_t> bytes(text.begin(), text.end());
    StreamEvent event;
    event.kind = StreamEvent::Kind::kData;
    event.direction = direction;
    event.bytes = bytes;
    event.peer_offset = sent_[1 - static_cast<size_t>(direction)];
    given_ += bytes.size();
    send(event, bytes.size());
  }
  void gap(Direction direction, uint64_t bytes) {
    if (bytes == 0) return;
    StreamEvent event;
    event.kind = StreamEvent::Kind::kGap;
    event.direction = direction;
    event.gap_bytes = bytes;
    send(event, bytes);
  }
  void close() {
    StreamEvent event;
    event.kind = StreamEvent::Kind::kClose;
    event.reason = CloseReason::kFin;
    event.closed_by = Direction::kAToB;
    send(event, 0);
    require(counters_->of(info_.source).buffered_bytes.value() == 0, "nothing is held at the end");
    require(sink_.all_ended(), "every exchange ends");
  }

 private:
  void send(StreamEvent& event, uint64_t length) {
    uint64_t& offset = sent_[static_cast<size_t>(event.direction)];
    event.flow = FlowId{1};
    event.info = &info_;
    event.time.ns = ++now_;
    event.offset = offset;
    offset += length;
    room_.on_stream(event);
    const SourceCounters& counts = counters_->of(info_.source);
    uint64_t accounted = counts.parsed_bytes.value() + counts.buffered_bytes.value();
    for (const Cell& cell : counts.skipped_bytes) accounted += cell.value();
    for (const Cell& cell : counts.dropped_bytes) accounted += cell.value();
    require(accounted == given_, "every byte is counted once");
  }

  std::unique_ptr<Counters> counters_ = std::make_unique<Counters>();
  CountingSink sink_;
  http::HttpRoom room_;
  FlowInfo info_;
  uint64_t sent_[2] = {};
  uint64_t given_ = 0;
  int64_t now_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  Flow flow(data[0] & 1);
  Http2Writer writers[2];
  if ((data[0] & 2) == 0) {
    flow.data(Direction::kAToB, Http2Writer::client_begins());
    flow.data(Direction::kBToA, Http2Writer::server_begins());
  }
  size_t at = 1;
  const auto next = [&] { return at < size ? data[at++] : uint8_t{0}; };
  const auto payload = [&] {
    const size_t length = std::min<size_t>(next(), size - at);
    const std::string text(reinterpret_cast<const char*>(data + at), length);
    at += length;
    return text;
  };
  while (at < size) {
    const uint8_t operation = next();
    const Direction direction = operation & 0x80 ? Direction::kBToA : Direction::kAToB;
    Http2Writer& writer = writers[static_cast<size_t>(direction)];
    const uint32_t id = next() % 16;
    std::string bytes;
    switch (operation & 15) {
      case 0:
        bytes = Http2Writer::data(id, payload(), false);
        break;
      case 1:
        bytes = Http2Writer::data(id, payload(), true);
        break;
      case 2:
        bytes = Http2Writer::data(id, payload(), false, next());
        break;
      case 3: {
        const bool socket = (operation & 0x20) != 0;
        auto fields = Http2Writer::request(id == 7 ? "/no" : "/v1", socket ? "CONNECT" : "POST");
        if (socket) fields.emplace(fields.begin() + 1, ":protocol", "websocket");
        fields.emplace_back("x", payload());
        bytes = writer.headers(id, fields,
                               {.end_stream = false,
                                .pad = id == 5 ? 3 : -1,
                                .priority = id == 3,
                                .fragment_bytes = id});
        break;
      }
      case 4: {
        auto fields = Http2Writer::answer(id == 9 ? 103 : 200, "application/grpc");
        if (operation & 0x20)
          fields = {{":status", "200"}, {"sec-websocket-extensions", "permessage-deflate"}};
        fields.emplace_back("x", payload());
        bytes = writer.headers(id, fields);
        break;
      }
      case 5:
        bytes = writer.headers(id, {{"grpc-status", "0"}}, true);
        break;
      case 6:
        bytes = Http2Writer::frame(1, 4, id, payload());
        break;
      case 7:
        bytes = Http2Writer::frame(1, 1, id, payload());
        break;
      case 8:
        bytes = Http2Writer::frame(9, next() & 4, id, payload());
        break;
      case 9:
        bytes = writer.promise(id, id + 1, Http2Writer::request("/v1", "GET"));
        break;
      case 10:
        bytes = Http2Writer::reset(id);
        break;
      case 11:
        bytes = Http2Writer::goaway(id);
        break;
      case 12:
        writer.change_table_size(id * 800);
        break;
      case 13:
        flow.gap(direction, next());
        break;
      case 14:
        bytes = payload();
        break;
      case 15: {
        const uint8_t type = next();
        bytes = Http2Writer::frame(type, next(), id, payload());
        break;
      }
    }
    // Some frames come in two pieces.
    const size_t cut = operation & 0x40 ? bytes.size() / 2 : 0;
    flow.data(direction, bytes.substr(0, cut));
    flow.data(direction, bytes.substr(cut));
  }
  flow.close();
  return 0;
}
