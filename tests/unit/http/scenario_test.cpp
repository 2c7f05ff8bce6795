// The harness of scenario.h, and tests that it can fail.
#include "unit/http/scenario.h"

#include <gtest/gtest.h>

#include "support/encoder.h"

namespace wiretally::http {
namespace {

std::string name_of(Message message) { return message == Message::kRequest ? "request" : "answer"; }

}  // namespace

BodyInterest LogSink::on_request(ExchangeId id, const RequestHead& head) {
  EXPECT_EQ(head.flow_id, kScenarioFlow);
  std::string text = "request " + std::string(head.method) + " " + std::string(head.target);
  if (head.version == HttpVersion::kHttp10) text += " 1.0";
  if (head.direction == Direction::kBToA) text += " b>a";
  if (log_times) text += " @" + std::to_string(head.time.ns);
  if (log_headers) {
    for (const HeaderField& field : head.headers.fields) {
      text += " [" + std::string(field.name) + "=" + std::string(field.value) + "]";
    }
  }
  if (head.headers.incomplete) text += " incomplete";
  if (head.headers.unknown) text += " unknown";
  if (head.version == HttpVersion::kHttp2) text += head.websocket ? " h2 websocket" : " h2";
  line(id, text);
  const bool not_llm = head.target.starts_with(not_llm_prefix);
  not_llm_[static_cast<uint64_t>(id)] = not_llm;
  return not_llm ? BodyInterest::kNotLlm : BodyInterest::kWanted;
}

BodyInterest LogSink::on_response(ExchangeId id, const ResponseHead& head) {
  EXPECT_EQ(head.flow_id, kScenarioFlow);
  std::string text = "answer " + std::to_string(head.status);
  if (log_headers && head.version == HttpVersion::kHttp2) {
    for (const HeaderField& field : head.headers.fields) {
      text += " [" + std::string(field.name) + "=" + std::string(field.value) + "]";
    }
  }
  if (head.headers.unknown) text += " unknown";
  if (head.websocket && head.status != 101) text += " websocket";
  if (log_times) text += " @" + std::to_string(head.time.ns);
  line(id, text);
  return not_llm_[static_cast<uint64_t>(id)] ? BodyInterest::kNotLlm : BodyInterest::kWanted;
}

BodyInterest LogSink::on_body(ExchangeId id, Message message, ByteView body, EventTime) {
  std::string& text = bodies_[{static_cast<uint64_t>(id), message}];
  text += as_text(body);
  return text.find("ENOUGH") == std::string::npos ? BodyInterest::kWanted : BodyInterest::kUnwanted;
}

void LogSink::on_tls_connection(const TlsHello& hello) {
  log += "hello from " + std::string(hello.direction == Direction::kAToB ? "a" : "b") + " for '" +
         std::string(hello.server_name) + "'\n";
}

void LogSink::on_body_loss(ExchangeId id, Message message, BodyLoss loss, uint64_t wire_bytes,
                           EventTime) {
  flush({static_cast<uint64_t>(id), message});
  switch (loss) {
    case BodyLoss::kGap:
      return line(id, name_of(message) + " gap " + std::to_string(wire_bytes));
    case BodyLoss::kDecodeFailed:
      return line(id, name_of(message) + " decoding failed");
    case BodyLoss::kCorrupt:
      return line(id, name_of(message) + " corrupt");
  }
}

void LogSink::on_trailers(ExchangeId id, Message message, const Headers& trailers, EventTime) {
  flush({static_cast<uint64_t>(id), message});
  std::string text = name_of(message) + " trailers";
  for (const HeaderField& field : trailers.fields) {
    text += " [" + std::string(field.name) + "=" + std::string(field.value) + "]";
  }
  line(id, text);
}

void LogSink::on_message_end(ExchangeId id, Message message, MessageEnd end, EventTime) {
  flush({static_cast<uint64_t>(id), message});
  line(id, name_of(message) + (end == MessageEnd::kComplete ? " complete" : " cut"));
}

void LogSink::on_exchange_end(ExchangeId id, const ExchangeEnd& end) {
  static constexpr const char* kOutcomes[] = {"complete", "client closed", "server closed",
                                              "unknown", "end of input"};
  std::string text = std::string("end: ") + kOutcomes[static_cast<size_t>(end.outcome)];
  if (end.lost_bytes > 0) text += ", lost " + std::to_string(end.lost_bytes);
  if (end.pairing_uncertain) text += ", uncertain";
  if (end.overlap_conflict) text += ", conflict";
  if (log_times) text += " @" + std::to_string(end.last_byte.ns);
  line(id, text);
}

namespace {
std::string party(Message sender) { return sender == Message::kRequest ? "client" : "server"; }
}  // namespace

// Messages that contain "SKIP" are wanted no further, as soon as that is seen; binary ones never.
BodyInterest LogSink::on_websocket_message(ExchangeId id, Message sender, WebSocketContent content,
                                           EventTime) {
  const Key key{static_cast<uint64_t>(id), sender};
  EXPECT_EQ(messages_.count(key), 0u) << "a message before the one before has ended";
  const bool text = content == WebSocketContent::kText;
  messages_[key] = text ? "" : "(binary)";
  return text ? BodyInterest::kWanted : BodyInterest::kUnwanted;
}

BodyInterest LogSink::on_websocket_part(ExchangeId id, Message sender, ByteView part, EventTime) {
  const Key key{static_cast<uint64_t>(id), sender};
  EXPECT_EQ(messages_.count(key), 1u);
  EXPECT_FALSE(part.empty());
  std::string& text = messages_[key];
  text += as_text(part);
  const size_t mark = text.find("SKIP");
  if (mark == text.npos) return BodyInterest::kWanted;
  text.resize(mark);
  return BodyInterest::kUnwanted;
}

void LogSink::on_websocket_loss(ExchangeId id, Message sender, BodyLoss loss, uint64_t wire_bytes,
                                EventTime) {
  const std::string text =
      loss == BodyLoss::kGap ? "<gap " + std::to_string(wire_bytes) + ">" : "<unreadable>";
  const auto open = messages_.find({static_cast<uint64_t>(id), sender});
  if (open != messages_.end()) {
    open->second += text;
  } else {
    line(id, party(sender) + " " + text);
  }
}

void LogSink::on_websocket_message_end(ExchangeId id, Message sender, MessageEnd end, EventTime) {
  const auto open = messages_.find({static_cast<uint64_t>(id), sender});
  ASSERT_TRUE(open != messages_.end());
  line(id, party(sender) + ": " + open->second + (end == MessageEnd::kCut ? "<cut>" : ""));
  messages_.erase(open);
}

void LogSink::on_websocket_close(ExchangeId id, Message sender, uint16_t code, EventTime) {
  line(id, party(sender) + " closes " + std::to_string(code));
}

void LogSink::line(ExchangeId id, std::string text) {
  log += std::to_string(static_cast<uint64_t>(id)) + " " + text + "\n";
}

void LogSink::flush(Key key) {
  const auto found = bodies_.find(key);
  if (found == bodies_.end()) return;
  log += std::to_string(key.first) + " " + name_of(key.second) + " body " + found->second + "\n";
  bodies_.erase(found);
}

Scenario& Scenario::data(Direction direction, std::string bytes) {
  const auto from = static_cast<size_t>(direction);
  Step step{.direction = direction, .bytes = std::move(bytes)};
  step.peer = sent_[1 - from];
  sent_[from] += step.bytes.size();
  steps_.push_back(std::move(step));
  return *this;
}

Scenario& Scenario::a_at(uint64_t peer, std::string bytes) {
  a(std::move(bytes));
  steps_.back().peer = peer;
  return *this;
}

Scenario& Scenario::b_at(uint64_t peer, std::string bytes) {
  b(std::move(bytes));
  steps_.back().peer = peer;
  return *this;
}

Scenario& Scenario::lose(Direction direction, uint64_t bytes) {
  sent_[static_cast<size_t>(direction)] += bytes;
  steps_.push_back({.kind = StreamEvent::Kind::kGap, .direction = direction, .gap = bytes});
  return *this;
}

Scenario& Scenario::end(Direction direction) {
  steps_.push_back({.kind = StreamEvent::Kind::kEnd, .direction = direction});
  return *this;
}

Scenario& Scenario::close(CloseReason reason, std::optional<Direction> by, bool incomplete) {
  steps_.push_back({.kind = StreamEvent::Kind::kClose,
                    .reason = reason,
                    .closed_by = by,
                    .incomplete = incomplete});
  return *this;
}

Scenario& Scenario::conflict() {
  steps_.back().conflict = true;
  return *this;
}

Scenario& Scenario::joined() {
  joined_ = true;
  return *this;
}

Scenario& Scenario::without_proof() {
  proof_ = false;
  return *this;
}

Replay Scenario::run(Cut cut, size_t at) const {
  Replay replay;
  LogSink sink;
  sink.log_times = log_times;
  sink.log_headers = log_headers;
  replay.source = source;
  HttpRoom room(limits, *replay.counts, sink);
  FlowInfo info;
  info.source = source;
  info.joined_midstream = joined_;
  uint64_t offsets[2] = {};
  size_t position = 0;  // in the bytes of all steps

  auto send = [&](StreamEvent event) {
    event.flow = kScenarioFlow;
    event.info = &info;
    replay.given += event.bytes.size();
    const FlowDemand demand = room.on_stream(event);
    if (event.kind != StreamEvent::Kind::kClose) replay.demand = demand;
    const SourceCounters& counts = replay.counts->of(source);
    replay.accounted = counts.parsed_bytes.value();
    for (const Cell& cell : counts.skipped_bytes) replay.accounted += cell.value();
    for (const Cell& cell : counts.dropped_bytes) replay.accounted += cell.value();
    replay.buffered = counts.buffered_bytes.value();
    EXPECT_EQ(replay.given, replay.accounted + replay.buffered);
  };

  StreamEvent open;
  open.kind = StreamEvent::Kind::kOpen;
  send(open);
  for (size_t index = 0; index < steps_.size(); ++index) {
    const Step& step = steps_[index];
    uint64_t& offset = offsets[static_cast<size_t>(step.direction)];
    StreamEvent event;
    event.kind = step.kind;
    event.direction = step.direction;
    event.time.ns = static_cast<int64_t>(index + 1);
    event.offset = offset;
    event.gap_bytes = step.gap;
    if (proof_) event.peer_offset = step.peer;
    event.conflict = step.conflict;
    event.reason = step.reason;
    event.closed_by = step.closed_by;
    event.incomplete = step.incomplete;
    offset += step.gap;
    if (step.kind != StreamEvent::Kind::kData) {
      send(event);
      continue;
    }
    // Each piece in memory of its own, so that a borrowed view that outlives its call is found.
    std::string_view rest = step.bytes;
    while (!rest.empty()) {
      size_t piece = rest.size();
      if (cut == Cut::kEveryByte) piece = 1;
      if (cut == Cut::kAt && position < at && at < position + piece) piece = at - position;
      const std::vector<uint8_t> bytes(rest.begin(), rest.begin() + static_cast<long>(piece));
      event.offset = offset;
      event.bytes = bytes;
      send(event);
      offset += piece;
      position += piece;
      rest.remove_prefix(piece);
    }
  }
  if (steps_.empty() || steps_.back().kind != StreamEvent::Kind::kClose) {
    StreamEvent close;
    close.kind = StreamEvent::Kind::kClose;
    close.time.ns = 99;
    close.reason = CloseReason::kEndOfInput;
    send(close);
  }
  EXPECT_EQ(replay.buffered, 0u);
  replay.log = sink.log;
  return replay;
}

std::string Scenario::once() const { return run().log; }

std::string Scenario::everywhere() const {
  const std::string whole = once();
  EXPECT_EQ(run(Cut::kEveryByte).log, whole) << "byte by byte";
  size_t total = 0;
  for (const Step& step : steps_) total += step.bytes.size();
  for (size_t at = 1; at < total; ++at) {
    const std::string log = run(Cut::kAt, at).log;
    if (log == whole) continue;
    EXPECT_EQ(log, whole) << "cut at " << at;
    break;
  }
  return whole;
}

std::string request(std::string_view target, std::string_view body) {
  return "POST " + std::string(target) +
         " HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}

std::string answer(std::string_view body) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}

std::string chunk(std::string_view data) {
  char size[20];
  std::snprintf(size, sizeof size, "%zx\r\n", data.size());
  return size + std::string(data) + "\r\n";
}

std::string gzip(std::string_view text) { return test::encode(test::Coding::kGzip, text); }

namespace {

TEST(Harness, ShowsADifference) {
  Scenario one;
  one.a(request("/v1", "x")).b(answer("y"));
  Scenario other;
  other.a(request("/v1", "x")).b(answer("z"));
  EXPECT_NE(one.once(), other.once());
}

}  // namespace
}  // namespace wiretally::http
