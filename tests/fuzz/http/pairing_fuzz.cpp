// Whatever is lost, cut, reordered or closed on a connection with pipelined or sequential calls: an
// answer is never attributed to a request that it does not belong to.
//
// The input is a script. A client and a server talk; each request carries its number in its target
// and body, each answer the number of the request it answers. What the capture makes of it - which
// pieces it keeps, how they are cut, with which proof - is the script's, too. Offsets of the peer
// are those a real capture would state: what the sender had received by then.
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "http_room.h"

namespace wiretally {
namespace {

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "invariant broken: %s\n", what);
  std::abort();
}

uint64_t number_in(std::string_view text, std::string_view mark) {
  const size_t at = text.find(mark);
  if (at == text.npos) return 0;
  return std::strtoull(std::string(text.substr(at + mark.size())).c_str(), nullptr, 10);
}

// Each exchange may show one number only.
class PairSink final : public ExchangeSink {
 public:
  BodyInterest on_request(ExchangeId id, const RequestHead& head) override {
    note(id, number_in(head.target, "/v1/"));
    return BodyInterest::kWanted;
  }
  BodyInterest on_response(ExchangeId id, const ResponseHead& head) override {
    note(id, number_in(head.headers.find("x-answers").value_or(""), "n"));
    return BodyInterest::kWanted;
  }
  BodyInterest on_body(ExchangeId, Message, ByteView, EventTime) override {
    return BodyInterest::kWanted;
  }
  void on_body_loss(ExchangeId, Message, BodyLoss, uint64_t, EventTime) override {}
  void on_message_end(ExchangeId, Message, MessageEnd, EventTime) override {}
  void on_exchange_end(ExchangeId id, const ExchangeEnd& end) override {
    const auto seen = open_.find(static_cast<uint64_t>(id));
    require(seen != open_.end(), "an exchange that ends was open");
    require(end.pairing_uncertain || !seen->second.mixed || lossy_pipeline,
            "request and answer of an exchange belong together");
    open_.erase(seen);
  }
  void on_tls_connection(const TlsHello&) override {}
  void on_time(EventTime) override {}

  size_t open() const { return open_.size(); }

  // Not held yet: with a client that pipelines, and losses or bytes that are no HTTP, pairs can
  // still be wrong.
  bool lossy_pipeline = false;

 private:
  struct Seen {
    uint64_t number = 0;
    bool mixed = false;
  };
  void note(ExchangeId id, uint64_t number) {
    Seen& seen = open_[static_cast<uint64_t>(id)];
    if (number == 0) return;
    if (seen.number != 0 && seen.number != number) seen.mixed = true;
    seen.number = number;
  }
  std::map<uint64_t, Seen> open_;
};

class Talk {
 public:
  explicit Talk(uint8_t options) : pipelines_(options & 1), room_(limits(), *counters_, sink_) {
    info_.source = options & 2 ? Source::kTls : Source::kPacket;
    info_.joined_midstream = options & 4;
    sink_.lossy_pipeline = pipelines_ && info_.joined_midstream;
  }

  void request(uint8_t shape) {
    // A client that does not pipeline waits for the answer.
    if (ended_[0] || (!pipelines_ && !unanswered_.empty())) return;
    if (unanswered_.size() >= 8) return;
    const uint64_t number = ++requests_;
    unanswered_.push_back(number);
    std::string head = "POST /v1/" + std::to_string(number) + " HTTP/1.1\r\n";
    say(0, head + body(shape, "r" + std::to_string(number)), shape);
  }
  void answer(uint8_t shape) {
    if (ended_[1] || unanswered_.empty()) return;
    received_[1] = sent_[0];
    const uint64_t number = unanswered_.front();
    unanswered_.pop_front();
    std::string head = shape & 0x40 ? "HTTP/1.1 100 Continue\r\n\r\n" : "";
    head += "HTTP/1.1 200 OK\r\nX-Answers: n" + std::to_string(number) + "\r\n";
    say(1, head + body(shape, "a" + std::to_string(number)), shape);
    received_[0] = sent_[1];
  }
  void junk(int side, uint8_t shape) {
    if (ended_[side]) return;
    sink_.lossy_pipeline = pipelines_;
    say(side, std::string(1 + shape % 40, "x\n 0"[shape % 4]), shape);
  }
  // Of what is said next: how it is cut into events, and which of them the capture lost.
  void lose(uint8_t mask) { lost_ = mask; }
  // Only of a client that does not pipeline: without the ACK numbers, which every real segment has,
  // a loss cannot be told from one that does.
  void hide_proof(bool hidden) {
    hides_proof_ = hidden && info_.source == Source::kPacket && !pipelines_;
  }
  void end(int side) {
    if (ended_[side]) return;
    ended_[side] = true;
    StreamEvent event;
    event.kind = StreamEvent::Kind::kEnd;
    send(side, event, 0);
  }
  void close() {
    StreamEvent event;
    event.kind = StreamEvent::Kind::kClose;
    send(0, event, 0);
    require(counters_->of(info_.source).buffered_bytes.value() == 0, "nothing is held at the end");
    require(sink_.open() == 0, "every exchange ends");
  }

 private:
  static const Limits& limits() {
    static const Limits kLimits = [] {
      Limits limits;
      limits.http_pipeline_max = 6;
      limits.http_exchanges_max = 5;
      limits.open_calls_max = 4;
      limits.http_head_bytes_total = 4096;
      return limits;
    }();
    return kLimits;
  }

  static std::string body(uint8_t shape, const std::string& mark) {
    const std::string text = mark + std::string(shape % 23, '.');
    switch (shape >> 3 & 3) {
      case 0:
        return "Content-Length: " + std::to_string(text.size()) + "\r\n\r\n" + text;
      case 1: {
        char size[16];
        std::snprintf(size, sizeof size, "%zx\r\n", text.size());
        return "Transfer-Encoding: chunked\r\n\r\n" + (size + text) + "\r\n0\r\n\r\n";
      }
      case 2:
        return "Content-Length: 0\r\n\r\n";
      default:
        return "Content-Length: " + std::to_string(2 * text.size()) + "\r\n\r\n" + text + text;
    }
  }

  void say(int side, const std::string& text, uint8_t shape) {
    const size_t pieces = 1 + (shape & 7);
    const size_t step = std::max<size_t>(1, text.size() / pieces);
    size_t piece = 0;
    for (size_t at = 0; at < text.size(); at += step, ++piece) {
      const std::string part = text.substr(at, step);
      const bool lost = (lost_ >> (piece % 8) & 1) != 0;
      StreamEvent event;
      const std::vector<uint8_t> bytes(part.begin(), part.end());
      if (lost) {
        sink_.lossy_pipeline = pipelines_;
        event.kind = StreamEvent::Kind::kGap;
        event.gap_bytes = part.size();
      } else {
        event.kind = StreamEvent::Kind::kData;
        event.bytes = bytes;
        if (!hides_proof_) event.peer_offset = received_[side];
        given_ += part.size();
      }
      send(side, event, part.size());
    }
    lost_ = 0;
  }

  void send(int side, StreamEvent& event, uint64_t length) {
    event.flow = FlowId{1};
    event.info = &info_;
    event.direction = side == 0 ? Direction::kAToB : Direction::kBToA;
    event.time.ns = ++now_;
    event.offset = sent_[side];
    sent_[side] += length;
    room_.on_stream(event);
    const SourceCounters& counts = counters_->of(info_.source);
    uint64_t accounted = counts.parsed_bytes.value() + counts.buffered_bytes.value();
    for (const Cell& cell : counts.skipped_bytes) accounted += cell.value();
    for (const Cell& cell : counts.dropped_bytes) accounted += cell.value();
    require(accounted == given_, "every byte is counted once");
    require(sink_.open() <= limits().http_exchanges_max, "open exchanges are bounded");
  }

  const bool pipelines_;
  std::unique_ptr<Counters> counters_ = std::make_unique<Counters>();
  PairSink sink_;
  http::HttpRoom room_;
  FlowInfo info_;
  std::deque<uint64_t> unanswered_;
  uint64_t requests_ = 0;
  uint64_t sent_[2] = {};
  uint64_t received_[2] = {};  // of the peer's bytes
  bool ended_[2] = {};
  bool hides_proof_ = false;
  uint8_t lost_ = 0;
  uint64_t given_ = 0;
  int64_t now_ = 0;
};

}  // namespace
}  // namespace wiretally

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  wiretally::Talk talk(data[0]);
  for (size_t at = 1; at + 1 < size; at += 2) {
    const uint8_t shape = data[at + 1];
    switch (data[at] % 12) {
      case 0:
      case 1:
      case 2:
        talk.request(shape);
        break;
      case 3:
      case 4:
      case 5:
        talk.answer(shape);
        break;
      case 6:
      case 7:
        talk.lose(shape);
        break;
      case 8:
        talk.junk(0, shape);
        break;
      case 9:
        talk.junk(1, shape);
        break;
      case 10:
        talk.hide_proof(shape & 1);
        break;
      default:
        if (shape < 8) talk.end(shape & 1);
        break;
    }
  }
  talk.close();
  return 0;
}
