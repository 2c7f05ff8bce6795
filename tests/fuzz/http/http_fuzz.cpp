// Events of one flow out of bytes: fragments of HTTP and raw bytes in both directions, gaps, proofs
// right and wrong, ends. Checks the contract of ExchangeSink and that every byte is counted once.
//
// Grammar of the input: a byte of options, then operations. An operation is one byte,
//   bit 7 direction, bits 5-6 proof (none, right, right, wrong), bits 0-4 what:
//   0-23 a fragment, 24-27 raw bytes (a byte for their number), 28 a gap (a byte for its length),
//   29 the direction's end, 30 a conflict with the next data, 31 ten fragments in one event
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http_room.h"

namespace {

using namespace wiretally;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

class CheckingSink final : public ExchangeSink {
 public:
  BodyInterest on_request(ExchangeId id, const RequestHead& head) override {
    Seen& seen = open(id);
    require(!seen.heads[0], "one request an exchange");
    require(head.flow != nullptr, "a request head is of a flow");
    require(!head.method.empty() || head.headers.unknown || head.headers.incomplete,
            "a request head has its method");
    touch(head.target);
    for (const HeaderField& field : head.headers.fields) touch(field.name), touch(field.value);
    seen.heads[0] = true;
    return interest(head.target.size());
  }
  BodyInterest on_response(ExchangeId id, const ResponseHead& head) override {
    Seen& seen = open(id);
    require(!seen.heads[1], "one answer an exchange");
    const bool unknown = head.status == 0 && head.version == HttpVersion::kHttp2;
    require(head.status >= 200 || head.status == 101 || unknown, "no interim answers");
    for (const HeaderField& field : head.headers.fields) touch(field.name), touch(field.value);
    seen.heads[1] = true;
    return interest(head.status);
  }
  BodyInterest on_body(ExchangeId id, Message message, ByteView body, EventTime) override {
    body_of(id, message);
    require(!body.empty(), "no empty body part");
    touch(as_text(body));
    return interest(body.size() + 1);
  }
  void on_body_loss(ExchangeId id, Message message, BodyLoss, uint64_t, EventTime) override {
    body_of(id, message);
  }
  void on_message_end(ExchangeId id, Message message, MessageEnd, EventTime) override {
    body_of(id, message);
    open(id).ends[static_cast<size_t>(message)] = true;
  }
  void on_exchange_end(ExchangeId id, const ExchangeEnd& end) override {
    Seen& seen = open(id);
    if (end.outcome == ExchangeOutcome::kComplete) {
      require(seen.ends[0] && seen.ends[1], "complete: both messages ended");
    }
    seen.ended = true;
  }
  void on_time(EventTime) override {}

  void require_all_ended() const {
    for (const auto& [id, seen] : exchanges_) require(seen.ended, "every exchange ends");
  }

 private:
  struct Seen {
    bool heads[2] = {};
    bool ends[2] = {};
    bool ended = false;
  };

  Seen& open(ExchangeId id) {
    Seen& seen = exchanges_[static_cast<uint64_t>(id)];
    require(!seen.ended, "nothing after the end of an exchange");
    return seen;
  }
  void body_of(ExchangeId id, Message message) {
    const Seen& seen = open(id);
    const auto side = static_cast<size_t>(message);
    require(seen.heads[side], "a head before its body");
    require(!seen.ends[side], "no body after its end");
  }
  BodyInterest interest(size_t seed) const {
    if (seed % 11 == 3) return BodyInterest::kNotLlm;
    return seed % 13 == 5 ? BodyInterest::kUnwanted : BodyInterest::kWanted;
  }
  void touch(std::string_view text) {
    for (const char c : text) sum_ += static_cast<unsigned char>(c);
  }

  std::map<uint64_t, Seen> exchanges_;
  uint64_t sum_ = 0;  // keeps the reads of borrowed text
};

const std::string_view kFragments[24] = {
    "GET /v1 HTTP/1.1\r\n",
    "POST /v1/chat HTTP/1.1\r\n",
    "HEAD / HTTP/1.0\r\n",
    "CONNECT h:443 HTTP/1.1\r\n\r\n",
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n",
    "HTTP/1.0 204 No Content\r\n",
    "Content-Length: 10\r\n\r\n",
    "Content-Length: 3\r\n",
    "Transfer-Encoding: chunked\r\n\r\n",
    "Content-Encoding: gzip\r\n",
    "Content-Encoding: deflate\r\n",
    "Connection: close\r\n",
    "\r\n",
    "5\r\nhello\r\n",
    "a\r\n01234",
    "56789\r\n",
    "0\r\n\r\n",
    "0123456789",
    "POST /v1 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    std::string_view(
        "\x1f\x8b\x08\0\0\0\0\0\0\x03\xcbH\xcd\xc9\xc9\x07\0\x86\xa6\x10\x36\x05\0\0\0", 25)};

class Flow {
 public:
  explicit Flow(uint8_t options) : room_(limits(), *counters_, sink_) {
    info_.joined_midstream = options & 1;
    info_.source = options & 2 ? Source::kTls : Source::kPacket;
    close_.kind = StreamEvent::Kind::kClose;
    close_.reason = static_cast<CloseReason>((options >> 2) % 7);
    if (options & 0x20) close_.closed_by = Direction::kAToB;
    if (options & 0x40) close_.closed_by = Direction::kBToA;
    close_.incomplete = options & 0x80;
  }

  void data(Direction direction, std::string_view text, unsigned proof) {
    if (text.empty() || ended_[static_cast<size_t>(direction)]) return;
    // Memory of its own, so that a view that outlives the call is found.
    const std::vector<uint8_t> bytes(text.begin(), text.end());
    StreamEvent event;
    event.kind = StreamEvent::Kind::kData;
    event.direction = direction;
    event.bytes = bytes;
    const uint64_t peer = sent_[1 - static_cast<size_t>(direction)];
    if (proof == 1 || proof == 2) event.peer_offset = peer;
    if (proof == 3) event.peer_offset = peer ^ text.size();
    event.conflict = conflict_;
    conflict_ = false;
    given_ += bytes.size();
    send(event, bytes.size());
  }
  void gap(Direction direction, uint64_t bytes) {
    if (bytes == 0 || ended_[static_cast<size_t>(direction)]) return;
    StreamEvent event;
    event.kind = StreamEvent::Kind::kGap;
    event.direction = direction;
    event.gap_bytes = bytes;
    send(event, bytes);
  }
  void end(Direction direction) {
    if (ended_[static_cast<size_t>(direction)]) return;
    ended_[static_cast<size_t>(direction)] = true;
    StreamEvent event;
    event.kind = StreamEvent::Kind::kEnd;
    event.direction = direction;
    send(event, 0);
  }
  void conflict() { conflict_ = true; }
  void close() {
    send(close_, 0);
    require(counters_->of(info_.source).buffered_bytes.value() == 0, "nothing is held at the end");
    sink_.require_all_ended();
  }

 private:
  static const Limits& limits() {
    static const Limits kLimits = [] {
      Limits limits;
      limits.http_head_bytes_max = 200;
      limits.http_headers_max = 4;
      limits.http_pipeline_max = 3;
      limits.decoder_bytes_max = 41'000;
      limits.decode_ratio_free_bytes = 64;
      limits.decode_ratio_max = 2;
      return limits;
    }();
    return kLimits;
  }

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
  CheckingSink sink_;
  http::HttpRoom room_;
  FlowInfo info_;
  StreamEvent close_;
  uint64_t sent_[2] = {};
  bool ended_[2] = {};
  bool conflict_ = false;
  uint64_t given_ = 0;
  int64_t now_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  Flow flow(data[0]);
  size_t at = 1;
  const auto next = [&] { return at < size ? data[at++] : uint8_t{0}; };
  while (at < size) {
    const uint8_t operation = next();
    const Direction direction = operation & 0x80 ? Direction::kBToA : Direction::kAToB;
    const unsigned proof = operation >> 5 & 3;
    const unsigned what = operation & 0x1f;
    if (what < 24) {
      flow.data(direction, kFragments[what], proof);
    } else if (what < 28) {
      const size_t length = std::min<size_t>(next(), size - at);
      flow.data(direction, {reinterpret_cast<const char*>(data + at), length}, proof);
      at += length;
    } else if (what == 28) {
      flow.gap(direction, next());
    } else if (what == 29) {
      flow.end(direction);
    } else if (what == 30) {
      flow.conflict();
    } else {
      std::string text;
      for (int i = 0; i < 10 && at < size; ++i) text += kFragments[next() % 24];
      flow.data(direction, text, proof);
    }
  }
  flow.close();
  return 0;
}
