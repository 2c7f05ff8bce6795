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
#include <set>
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
    requests_.insert(number_in(head.target, "/v1/"));
    note(id, number_in(head.target, "/v1/"));
    return BodyInterest::kWanted;
  }
  BodyInterest on_response(ExchangeId id, const ResponseHead& head) override {
    answers_.insert(number_in(head.headers.find("x-answers").value_or(""), "n"));
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
    require(end.pairing_uncertain || !seen->second.mixed || seen->second.excused,
            "request and answer of an exchange belong together");
    open_.erase(seen);
  }
  void on_tls_connection(const TlsHello&) override {}
  void on_time(EventTime) override {}

  bool saw(uint64_t request) const { return requests_.count(request) > 0; }
  bool saw_answer(uint64_t request) const { return answers_.count(request) > 0; }
  size_t open() const { return open_.size(); }

  // The client pipelines, and nothing that was captured shows it: nobody can tell it from one that
  // does not.
  bool hidden_pipeline = false;

 private:
  struct Seen {
    uint64_t number = 0;
    bool mixed = false;
    bool excused = false;
  };
  void note(ExchangeId id, uint64_t number) {
    Seen& seen = open_[static_cast<uint64_t>(id)];
    if (number == 0) return;
    if (seen.number != 0 && seen.number != number) {
      seen.mixed = true;
      seen.excused = hidden_pipeline;
    }
    seen.number = number;
  }
  std::map<uint64_t, Seen> open_;
  std::set<uint64_t> requests_;
  std::set<uint64_t> answers_;
};

class Talk {
 public:
  explicit Talk(uint8_t options) : pipelines_(options & 1), room_(limits(), *counters_, sink_) {
    info_.source = options & 2 ? Source::kTls : Source::kPacket;
    info_.joined_midstream = options & 4;
    if (info_.joined_midstream) harm();
  }

  void request(uint8_t shape) {
    // A client that does not pipeline waits for the answer.
    if (ended_[0] || (!pipelines_ && !unanswered_.empty())) return;
    if (unanswered_.size() >= 8) return;
    const uint64_t number = ++requests_;
    const bool behind_another = !unanswered_.empty();
    const uint64_t had_received = request_at_;
    request_at_ = received_[0];
    request_begins_ = sent_[0];
    unanswered_.push_back(number);
    std::string head = "POST /v1/" + std::to_string(number) + " HTTP/1.1\r\n";
    say(0, head + body(shape, "r" + std::to_string(number)), shape);
    // Seen by the room, one behind the other, and no answer was received in between.
    const bool shows = behind_another && sink_.saw(number - 1) && sink_.saw(number) &&
                       received_[0] == had_received;
    if (shows) shown();
    request_ends_[number] = sent_[0];
  }
  void answer(uint8_t shape) {
    if (ended_[1] || unanswered_.empty()) return;
    const uint64_t number = unanswered_.front();
    // The server may not have got yet what was sent behind the request that it answers.
    const bool slow = shape & 0x80;
    received_[1] = slow ? std::max(received_[1], request_ends_[number]) : sent_[0];
    unanswered_.pop_front();
    std::string head = shape & 0x40 ? "HTTP/1.1 100 Continue\r\n\r\n" : "";
    head += "HTTP/1.1 200 OK\r\nX-Answers: n" + std::to_string(number) + "\r\n";
    say(1, head + body(shape, "a" + std::to_string(number)), shape);
    // The room saw a request that was sent before the answer, and that the server had not got yet.
    if (sink_.saw(requests_) && received_[1] <= request_begins_ && sink_.saw_answer(number))
      shown();
    received_[0] = sent_[1];
  }
  void junk(int side, uint8_t shape) {
    if (ended_[side]) return;
    harm();
    say(side, std::string(1 + shape % 40, "x\n 0"[shape % 4]), shape);
  }
  // Of what is said next: how it is cut into events, and which of them the capture lost.
  void lose(uint8_t mask) { lost_ = mask; }
  // Only of a client that does not pipeline: without the ACK numbers, which every real segment has,
  // a loss cannot be told from one that does. Nor while something is held back: that is so behind a
  // hole in a direction whose numbers are known, and what comes the other way confirms them.
  void hide_proof(bool hidden) {
    hides_proof_ = hidden && info_.source == Source::kPacket && !pipelines_ && !holds_;
  }
  // What the client says waits in a reorder buffer: the room sees it later, behind answers to it.
  void hold(bool holds) {
    holds_ = holds && !hides_proof_;
    if (holds_) return;
    for (Held& held : held_) {
      held.event.bytes = held.bytes;
      deliver(held.event);
    }
    held_.clear();
  }
  void end(int side) {
    if (ended_[side]) return;
    ended_[side] = true;
    StreamEvent event;
    event.kind = StreamEvent::Kind::kEnd;
    send(side, event, 0);
  }
  void close() {
    hold(false);
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

  // From here on the capture lacks something. A client that was not seen to pipeline before may do
  // so where nobody sees it.
  void harm() { sink_.hidden_pipeline = pipelines_ && !shown_; }

  void shown() {
    shown_ = true;
    sink_.hidden_pipeline = false;
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
        harm();
        event.kind = StreamEvent::Kind::kGap;
        event.gap_bytes = part.size();
      } else {
        event.kind = StreamEvent::Kind::kData;
        event.bytes = bytes;
        if (!hides_proof_) event.peer_offset = received_[side];
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
    if (side == 0 && holds_) {
      held_.push_back({event, {event.bytes.begin(), event.bytes.end()}});
    } else {
      deliver(event);
    }
  }

  void deliver(const StreamEvent& event) {
    given_ += event.bytes.size();
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
  bool holds_ = false;
  struct Held {
    StreamEvent event;
    std::vector<uint8_t> bytes;
  };
  std::deque<Held> held_;
  bool shown_ = false;
  uint64_t request_at_ = 0;      // what the client had received when it began its latest request
  uint64_t request_begins_ = 0;  // offset of that
  std::map<uint64_t, uint64_t> request_ends_;
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
        talk.hold(shape & 2);
        break;
      default:
        if (shape < 8) talk.end(shape & 1);
        break;
    }
  }
  talk.close();
  return 0;
}
