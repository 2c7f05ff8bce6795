// A conversation on one flow as a script, replayed through an HttpRoom into a readable log.
//
// Unless stated, each piece of data carries the proof a real source would give: how many bytes of
// the other direction were sent before it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http_room.h"

namespace wiretally::http {

inline constexpr FlowId kScenarioFlow{1};

class LogSink : public ExchangeSink {
 public:
  BodyInterest on_request(ExchangeId id, const RequestHead& head) override;
  BodyInterest on_response(ExchangeId id, const ResponseHead& head) override;
  BodyInterest on_body(ExchangeId id, Message message, ByteView body, EventTime time) override;
  void on_body_loss(ExchangeId id, Message message, BodyLoss loss, uint64_t wire_bytes,
                    EventTime time) override;
  void on_trailers(ExchangeId id, Message message, const Headers& trailers,
                   EventTime time) override;
  void on_message_end(ExchangeId id, Message message, MessageEnd end, EventTime time) override;
  void on_exchange_end(ExchangeId id, const ExchangeEnd& end) override;
  void on_tls_connection(const TlsHello& hello) override;
  BodyInterest on_websocket_message(ExchangeId id, Message sender, WebSocketContent content,
                                    EventTime time) override;
  BodyInterest on_websocket_part(ExchangeId id, Message sender, ByteView part,
                                 EventTime time) override;
  void on_websocket_loss(ExchangeId id, Message sender, BodyLoss loss, uint64_t wire_bytes,
                         EventTime time) override;
  void on_websocket_message_end(ExchangeId id, Message sender, MessageEnd end,
                                EventTime time) override;
  void on_websocket_close(ExchangeId id, Message sender, uint16_t code, EventTime time) override;
  void on_time(EventTime) override {}

  // Requests whose target begins so are no LLM calls.
  std::string not_llm_prefix = "/plain";
  bool log_times = false;
  bool log_headers = false;
  std::string log;

 private:
  using Key = std::pair<uint64_t, Message>;
  void line(ExchangeId id, std::string text);
  void flush(Key key);

  std::map<Key, std::string> bodies_;
  std::map<Key, std::string> messages_;  // of WebSockets: the one that is open
  std::map<uint64_t, bool> not_llm_;
};

struct Replay {
  std::string log;
  uint64_t given = 0;
  uint64_t accounted = 0;
  uint64_t buffered = 0;
  Source source = Source::kPacket;
  std::unique_ptr<Counters> counts = std::make_unique<Counters>();
  FlowDemand demand = FlowDemand::kMore;  // after the last event before the close

  uint64_t dropped(DropReason reason) const {
    return counts->of(source).dropped_bytes[static_cast<size_t>(reason)].value();
  }
  uint64_t drops(DropReason reason) const {
    return counts->of(source).dropped_events[static_cast<size_t>(reason)].value();
  }
  uint64_t skipped(SkipReason reason) const {
    return counts->of(source).skipped_bytes[static_cast<size_t>(reason)].value();
  }
  uint64_t flows(FlowVerdict verdict) const {
    return counts->flows[static_cast<size_t>(source)][static_cast<size_t>(verdict)].value();
  }
};

class Scenario {
 public:
  struct Step {
    StreamEvent::Kind kind = StreamEvent::Kind::kData;
    Direction direction = Direction::kAToB;
    std::string bytes{};
    uint64_t gap = 0;
    std::optional<uint64_t> peer{};
    bool conflict = false;
    CloseReason reason = CloseReason::kFin;
    std::optional<Direction> closed_by{};
    bool incomplete = false;
  };

  // a→b and b→a.
  Scenario& a(std::string bytes) { return data(Direction::kAToB, std::move(bytes)); }
  Scenario& b(std::string bytes) { return data(Direction::kBToA, std::move(bytes)); }
  // The same, captured with another proof than the order of the script gives.
  Scenario& a_at(uint64_t peer, std::string bytes);
  Scenario& b_at(uint64_t peer, std::string bytes);
  // Was sent, was not captured.
  Scenario& lose_a(std::string_view bytes) { return lose(Direction::kAToB, bytes.size()); }
  Scenario& lose_b(std::string_view bytes) { return lose(Direction::kBToA, bytes.size()); }
  Scenario& end_a() { return end(Direction::kAToB); }
  Scenario& end_b() { return end(Direction::kBToA); }
  Scenario& close(CloseReason reason, std::optional<Direction> by = std::nullopt,
                  bool incomplete = false);
  Scenario& conflict();
  Scenario& joined();
  Scenario& without_proof();

  enum class Cut { kNone, kEveryByte, kAt };
  Replay run(Cut cut = Cut::kNone, size_t at = 0) const;
  // The log; the same whole, byte by byte and at every single cut, and every byte counted once.
  std::string everywhere() const;
  // The log of one replay, every byte counted once. For scripts with gaps.
  std::string once() const;

  Limits limits;
  Source source = Source::kPacket;
  bool log_times = false;
  bool log_headers = false;

 private:
  Scenario& data(Direction direction, std::string bytes);
  Scenario& lose(Direction direction, uint64_t bytes);
  Scenario& end(Direction direction);

  std::vector<Step> steps_;
  uint64_t sent_[2] = {};
  bool joined_ = false;
  bool proof_ = true;
};

// A complete message with a counted body.
std::string request(std::string_view target, std::string_view body);
std::string answer(std::string_view body);
std::string chunk(std::string_view data);

std::string gzip(std::string_view text);

}  // namespace wiretally::http
