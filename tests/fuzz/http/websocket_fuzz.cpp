// One WebSocket out of bytes: good frames, compressed messages, raw bytes, gaps, in both
// directions. Checks the order of what is told, that every byte is accounted for once, and that no
// more is told lost than was.
//
// Grammar of the input: a byte of options (bit 0 permessage-deflate, 1 and 2 no context takeover of
// client and server, 3 and 4 client and server not framed, 5 another extension, 6 small budget),
// then operations. An operation is one byte,
//   bit 7 direction, bits 0-2 what, bits 3-6 more:
//   0 a frame: a byte of its header, a byte of its length, payload out of a text
//   1 a compressed message (bit 3: in fragments, 4: its last block says so, 5: one byte flipped)
//   2 raw bytes: a byte for their number
//   3 a gap: a byte for its length
//   4 the beginning of the next piece alone, the rest in an event of its own: a byte for its length
//   5 several of the pieces that follow in one event: bits 3-6 their number
//   6 a Close frame   7 a long frame
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lane.h"
#include "support/websocket_frames.h"
#include "websocket.h"

namespace {

using namespace wiretally;
using namespace wiretally::http;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

class CheckingSink final : public ExchangeSink {
 public:
  BodyInterest on_request(ExchangeId, const RequestHead&) override { std::abort(); }
  BodyInterest on_response(ExchangeId, const ResponseHead&) override { std::abort(); }
  BodyInterest on_body(ExchangeId, Message, ByteView, EventTime) override { std::abort(); }
  void on_body_loss(ExchangeId, Message, BodyLoss, uint64_t, EventTime) override { std::abort(); }
  void on_message_end(ExchangeId, Message, MessageEnd, EventTime) override { std::abort(); }
  void on_exchange_end(ExchangeId, const ExchangeEnd&) override { std::abort(); }
  void on_time(EventTime) override {}

  BodyInterest on_websocket_message(ExchangeId, Message sender, WebSocketContent content,
                                    EventTime) override {
    require(!open_[index(sender)], "one message at a time");
    require(!closed_[index(sender)], "nothing behind a Close frame");
    open_[index(sender)] = true;
    return content == WebSocketContent::kText ? BodyInterest::kWanted : BodyInterest::kUnwanted;
  }
  BodyInterest on_websocket_part(ExchangeId, Message sender, ByteView part, EventTime) override {
    require(open_[index(sender)], "a part of an open message");
    require(!part.empty(), "no empty part");
    for (const uint8_t byte : part) sum_ += byte;
    decoded += part.size();
    return sum_ % 61 == 7 ? BodyInterest::kUnwanted : BodyInterest::kWanted;
  }
  void on_websocket_loss(ExchangeId, Message, BodyLoss loss, uint64_t bytes, EventTime) override {
    require(loss == BodyLoss::kGap || bytes == 0, "only gaps have lost bytes");
    lost += bytes;
  }
  void on_websocket_message_end(ExchangeId, Message sender, MessageEnd, EventTime) override {
    require(open_[index(sender)], "an end of an open message");
    open_[index(sender)] = false;
  }
  void on_websocket_close(ExchangeId, Message sender, uint16_t, EventTime) override {
    require(!closed_[index(sender)], "one Close frame");
    require(!open_[index(sender)], "the open message is cut before");
    closed_[index(sender)] = true;
  }
  void require_all_ended() const { require(!open_[0] && !open_[1], "every message ends"); }

  uint64_t lost = 0;
  uint64_t decoded = 0;

 private:
  static size_t index(Message sender) { return static_cast<size_t>(sender); }
  bool open_[2] = {};
  bool closed_[2] = {};
  uint64_t sum_ = 0;  // keeps the reads of borrowed text
};

class Input {
 public:
  Input(const uint8_t* data, size_t size) : data_(data), left_(size) {}
  bool done() const { return left_ == 0; }
  uint8_t byte() {
    if (left_ == 0) return 0;
    --left_;
    return *data_++;
  }
  std::string bytes(size_t count) {
    count = std::min(count, left_);
    std::string taken(reinterpret_cast<const char*>(data_), count);
    data_ += count;
    left_ -= count;
    return taken;
  }

 private:
  const uint8_t* data_;
  size_t left_;
};

constexpr std::string_view kText =
    R"({"type":"response.completed","response":{"id":"resp_1","usage":{"input_tokens":12}}})";

class Run {
 public:
  explicit Run(uint8_t options)
      : limits_(limits(options)),
        counters_(std::make_unique<Counters>()),
        lane_(std::make_unique<Lane>(limits_, *counters_, sink_)) {
    WebSocketTerms terms;
    terms.deflate = options & 1;
    terms.keeps_window[0] = !(options & 2);
    terms.keeps_window[1] = !(options & 4);
    terms.unreadable = options & 0x20;
    for (size_t i = 0; i < 2; ++i) {
      deflaters()[i].reset(terms.keeps_window[i]);
    }
    socket_.begin(Source::kPacket, ExchangeId{1}, terms, !(options & 8), !(options & 0x10));
  }

  std::string piece(Message sender, uint8_t operation, Input& input) {
    const auto mask = sender == Message::kRequest ? std::optional(test::kMask) : std::nullopt;
    switch (operation & 7) {
      case 0: {
        const uint8_t header = input.byte();
        std::string text(kText);
        text.resize(input.byte(), 'x');
        return test::frame({.opcode = static_cast<uint8_t>(header & 0x0f),
                            .final = (header & 0x80) != 0,
                            .compressed = (header & 0x40) != 0,
                            .mask = mask},
                           text);
      }
      case 1: {
        std::string coded = deflaters()[static_cast<size_t>(sender)].message(
            kText.substr(0, input.byte() % kText.size()), operation & 0x10);
        if (operation & 0x20) coded[coded.size() / 2] ^= input.byte();
        const size_t half = operation & 8 ? coded.size() / 2 : coded.size();
        std::string wire =
            test::frame({.final = half == coded.size(), .compressed = true, .mask = mask},
                        coded.substr(0, half));
        if (half < coded.size()) {
          wire += test::frame({.opcode = 9, .mask = mask}, "ping");
          wire += test::frame({.opcode = 0, .mask = mask}, coded.substr(half));
        }
        return wire;
      }
      case 6:
        return test::frame({.opcode = 8, .mask = mask}, "\x03\xe8");
      case 7:
        return test::frame({.mask = mask}, std::string(300 * input.byte(), 'l'));
      default:
        return input.bytes(input.byte());
    }
  }

  void feed(Message sender, std::string_view text) {
    if (text.empty()) return;
    // Memory of its own, so that a view that outlives the call is found.
    const std::vector<uint8_t> bytes(text.begin(), text.end());
    const std::vector<uint8_t> before = bytes;
    given_ += bytes.size();
    socket_.feed(*lane_, sender, bytes, time());
    require(bytes == before, "borrowed bytes stay as they are");
    check(false);
  }
  void gap(Message sender, uint64_t bytes) {
    gaps_ += bytes;
    socket_.gap(*lane_, sender, bytes, time());
    check(false);
  }
  void end() {
    socket_.end(*lane_, time());
    sink_.require_all_ended();
    check(true);
    require(sink_.lost <= gaps_, "no more is lost than was");
    require(sink_.decoded <= 2 * limits_.decode_ratio_free_bytes +
                                 (given_ + 64) * (limits_.decode_ratio_max + 1) +
                                 given_ * limits_.decode_ratio_free_bytes,
            "expansion is bounded");
  }

 private:
  static Limits limits(uint8_t options) {
    Limits limits;
    if (options & 0x40) limits.decoder_bytes_max = 50'000;
    limits.decode_ratio_free_bytes = 1000;
    limits.decode_ratio_max = 50;
    return limits;
  }
  // Made once: each takes 256 KiB.
  static test::MessageDeflater* deflaters() {
    static test::MessageDeflater all[2];
    return all;
  }
  EventTime time() { return {.ns = ++now_, .clock = Clock::kCapture}; }
  void check(bool ended) {
    const SourceCounters& of = counters_->of(Source::kPacket);
    uint64_t accounted = of.parsed_bytes.value() + of.buffered_bytes.value();
    for (const Cell& cell : of.skipped_bytes) accounted += cell.value();
    for (const Cell& cell : of.dropped_bytes) accounted += cell.value();
    require(accounted == given_, "every byte is accounted for once");
    if (ended) require(of.buffered_bytes.value() == 0, "nothing stays in a buffer");
  }

  CheckingSink sink_;
  const Limits limits_;
  std::unique_ptr<Counters> counters_;
  std::unique_ptr<Lane> lane_;
  WebSocket socket_;
  int64_t now_ = 0;
  uint64_t given_ = 0;
  uint64_t gaps_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input(data, size);
  Run run(input.byte());
  while (!input.done()) {
    const uint8_t operation = input.byte();
    const Message sender = operation & 0x80 ? Message::kResponse : Message::kRequest;
    switch (operation & 7) {
      case 3:
        run.gap(sender, 1 + input.byte());
        break;
      case 4: {
        const size_t cut = input.byte();
        const std::string piece = run.piece(sender, input.byte(), input);
        run.feed(sender, std::string_view(piece).substr(0, cut));
        if (cut < piece.size()) run.feed(sender, std::string_view(piece).substr(cut));
        break;
      }
      case 5: {
        std::string event;
        for (int i = 0; i < (operation >> 3 & 15) && !input.done(); ++i) {
          event += run.piece(sender, input.byte(), input);
        }
        run.feed(sender, event);
        break;
      }
      default:
        run.feed(sender, run.piece(sender, operation, input));
    }
  }
  run.end();
  return 0;
}
