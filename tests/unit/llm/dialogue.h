// One HTTP exchange, told in a few lines and played to an LlmRoom: whole, byte by byte, and at
// seeded random cuts. All must agree; what came out is returned as text.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "llm_room.h"

namespace wiretally::llm {

class NoCredentials final : public CredentialReader {
 public:
  Caller read(const Headers&, std::string_view) const override { return {}; }
};

class KeepingSink final : public UsageSink {
 public:
  void on_call_opened(const CallOpened& call) override {
    ++opened;
    last_opened = call;
  }
  void on_record(const UsageRecord& record) override { records.push_back(record); }
  void on_call_closed(ExchangeId, uint32_t, EventTime) override { ++closed; }
  void on_time(EventTime) override {}
  void on_suspect(Dialect dialect) override { suspects.push_back(dialect); }
  void on_connection(const ConnectionSeen& seen) override { connections.push_back(seen); }

  std::vector<UsageRecord> records;
  std::vector<Dialect> suspects;
  std::vector<ConnectionSeen> connections;
  CallOpened last_opened;
  int opened = 0;
  int closed = 0;
};

// The fields that are known, in a fixed order, as one line.
inline std::string summary(const UsageRecord& r) {
  std::string line;
  const auto word = [&](std::string_view name, std::string_view value) {
    if (value.empty()) return;
    if (!line.empty()) line += ' ';
    line.append(name).append("=").append(value);
  };
  const auto number = [&](std::string_view name, std::optional<uint64_t> value) {
    if (value.has_value()) word(name, std::to_string(*value));
  };
  word("provider", r.provider.view());
  word("dialect", dialect_name(r.dialect));
  word("outcome", outcome_name(r.outcome));
  if (r.status_code.has_value()) word("status", std::to_string(*r.status_code));
  if (r.stream) word("stream", "yes");
  word("error", r.error_type.view());
  word("asked", r.request_model.view());
  word("served", r.response_model.view());
  word("id", r.response_id.view());
  word("finish", finish_reason_name(r.finish_reason));
  number("in", r.tokens.input);
  number("read", r.tokens.cache_read);
  number("write5m", r.tokens.cache_write_5m);
  number("write1h", r.tokens.cache_write_1h);
  number("out", r.tokens.output);
  number("reasoning", r.tokens.reasoning);
  number("in_audio", r.tokens.input_audio);
  number("out_audio", r.tokens.output_audio);
  if (r.tokens.input.has_value() || r.tokens.output.has_value()) {
    word("source", std::string(usage_source_name(r.tokens.input_source)) + "/" +
                       std::string(usage_source_name(r.tokens.output_source)));
  }
  word("missing", usage_missing_name(r.usage_missing));
  word("tier", r.service_tier.view());
  std::string tools;
  for (size_t i = 0; i < r.tool_call_count; ++i) {
    if (i > 0) tools += ',';
    tools += r.tool_calls[i].view();
  }
  word("tools", tools);
  number("server_tools", r.server_tool_requests);
  if (r.apart.any() && r.apart.several_models) {
    word("unpriced", std::to_string(r.apart.input) + "+" + std::to_string(r.apart.output));
  }
  word("geography", r.inference_geo.view());
  word("speed", r.speed.view());
  if (r.stated_cost_femtodollars.has_value()) {
    word("stated", std::to_string(*r.stated_cost_femtodollars) + "/" +
                       std::to_string(static_cast<int>(r.cost_statement)));
  }
  word("user", r.end_user.view());
  word("session", r.session.view());
  word("gateway", r.gateway.view());
  word("cache", r.cache_status.view());
  std::string flags;
  for (size_t i = 0; i < static_cast<size_t>(RecordFlag::kCount); ++i) {
    if (!r.flags.has(static_cast<RecordFlag>(i))) continue;
    if (!flags.empty()) flags += ',';
    flags += kRecordFlagNames[i];
  }
  word("flags", flags);
  return line;
}

class Dialogue {
 public:
  enum class Cuts { kWhole, kBytes, kRandom };
  static constexpr int64_t kSecond = 1'000'000'000;

  // An exchange whose request was seen.
  explicit Dialogue(std::string target, std::string request_body = "")
      : target_(std::move(target)), request_body_(std::move(request_body)) {
    header("Host", "api.example.net");
  }
  // An answer without its request.
  static Dialogue joined() {
    Dialogue dialogue("");
    dialogue.has_request_ = false;
    return dialogue;
  }

  Dialogue& method(std::string name) {
    method_ = std::move(name);
    return *this;
  }
  Dialogue& host(std::string name) {
    request_headers_[0].second = std::move(name);
    return *this;
  }
  Dialogue& header(std::string name, std::string value) {
    request_headers_.emplace_back(std::move(name), std::move(value));
    return *this;
  }
  Dialogue& answer(uint16_t status, std::string content_type, std::string body = "") {
    status_ = status;
    answer_headers_.emplace_back("Content-Type", std::move(content_type));
    return more(std::move(body));
  }
  Dialogue& json(std::string body) { return answer(200, "application/json", std::move(body)); }
  Dialogue& events(std::string body) {
    return answer(200, "text/event-stream; charset=utf-8", std::move(body));
  }
  Dialogue& answer_header(std::string name, std::string value) {
    answer_headers_.emplace_back(std::move(name), std::move(value));
    return *this;
  }
  // Behind the answer's body.
  Dialogue& trailer(std::string name, std::string value) {
    trailers_.emplace_back(std::move(name), std::move(value));
    return *this;
  }
  Dialogue& more(std::string body) {
    pieces_.push_back({std::move(body), std::nullopt});
    return *this;
  }
  Dialogue& lose(BodyLoss loss = BodyLoss::kGap) {
    pieces_.push_back({"", loss});
    return *this;
  }
  Dialogue& lose_request() {
    request_lost_ = true;
    return *this;
  }
  Dialogue& cut(ExchangeOutcome by) {
    outcome_ = by;
    return *this;
  }
  // It fetches what another exchange has asked for: no call is opened.
  Dialogue& fetch() {
    fetch_ = true;
    return *this;
  }
  // HTTP/2, joined in its middle: nothing of either head can be known.
  Dialogue& heads_unknown() {
    heads_unknown_ = true;
    return *this;
  }
  Dialogue& pairing_uncertain() {
    pairing_uncertain_ = true;
    return *this;
  }

  // Plays it in every way; one line a record, "suspect=…" for suspects, "" for neither.
  std::string play() const {
    const std::string whole = play(Cuts::kWhole, 0);
    EXPECT_EQ(whole, play(Cuts::kBytes, 0)) << "byte by byte";
    for (uint32_t seed = 0; seed < 20; ++seed) {
      EXPECT_EQ(whole, play(Cuts::kRandom, seed)) << "seed " << seed;
    }
    return whole;
  }

  std::string play(Cuts cuts, uint32_t seed) const {
    KeepingSink sink;
    NoCredentials credentials;
    LlmRoom room(Limits{}, 0, credentials, sink);
    play(room, ExchangeId{1}, cuts, seed);
    if (!fetch_) {
      EXPECT_EQ(sink.opened, sink.closed);
    }
    EXPECT_EQ(room.open(), 0u);
    std::string out;
    for (const UsageRecord& record : sink.records) {
      if (!out.empty()) out += '\n';
      out += summary(record);
    }
    for (Dialect dialect : sink.suspects) {
      out += "suspect=" + std::string(dialect_name(dialect));
    }
    return out;
  }

  void play(LlmRoom& room, ExchangeId id, Cuts cuts, uint32_t seed) const {
    std::minstd_rand random(seed + 1);
    FlowInfo flow;
    if (has_request_) {
      RequestHead head;
      const std::vector<HeaderField> fields = fields_of(request_headers_);
      head.flow = &flow;
      head.time = at(0);
      if (heads_unknown_) {
        head.headers.incomplete = head.headers.unknown = true;
      } else {
        head.method = method_;
        head.target = target_;
        head.headers.fields = fields;
      }
      room.on_request(id, head);
      feed(room, id, Message::kRequest, request_body_, at(0), cuts, random);
      if (request_lost_) room.on_body_loss(id, Message::kRequest, BodyLoss::kGap, 10, at(0));
      room.on_message_end(id, Message::kRequest, MessageEnd::kComplete, at(0));
    }
    if (status_ != 0) {
      ResponseHead head;
      const std::vector<HeaderField> fields = fields_of(answer_headers_);
      head.flow = &flow;
      head.time = at(1);
      if (heads_unknown_) {
        head.headers.incomplete = head.headers.unknown = true;
      } else {
        head.status = status_;
        head.headers.fields = fields;
      }
      room.on_response(id, head);
      int64_t second = 2;
      for (const auto& [text, loss] : pieces_) {
        if (loss.has_value()) room.on_body_loss(id, Message::kResponse, *loss, 10, at(second));
        feed(room, id, Message::kResponse, text, at(second++), cuts, random);
      }
      if (!trailers_.empty()) {
        Headers trailers;
        const std::vector<HeaderField> trailer_fields = fields_of(trailers_);
        trailers.fields = trailer_fields;
        room.on_trailers(id, Message::kResponse, trailers, at(second));
      }
      const bool complete = outcome_ == ExchangeOutcome::kComplete;
      room.on_message_end(id, Message::kResponse,
                          complete ? MessageEnd::kComplete : MessageEnd::kCut, at(second));
    }
    ExchangeEnd end;
    end.time = at(100);
    end.last_byte = at(99);
    end.outcome = outcome_;
    end.pairing_uncertain = pairing_uncertain_;
    room.on_exchange_end(id, end);
  }

 private:
  using Fields = std::vector<std::pair<std::string, std::string>>;
  using Piece = std::pair<std::string, std::optional<BodyLoss>>;

  static EventTime at(int64_t second) { return {.ns = second * kSecond, .clock = Clock::kCapture}; }
  static std::vector<HeaderField> fields_of(const Fields& headers) {
    std::vector<HeaderField> fields;
    for (const auto& [name, value] : headers) fields.push_back({name, value});
    return fields;
  }
  static void feed(LlmRoom& room, ExchangeId id, Message message, std::string_view text,
                   EventTime time, Cuts cuts, std::minstd_rand& random) {
    while (!text.empty()) {
      size_t size = text.size();
      if (cuts == Cuts::kBytes) size = 1;
      if (cuts == Cuts::kRandom) size = std::min<size_t>(size, 1 + random() % 60);
      room.on_body(id, message, as_bytes(text.substr(0, size)), time);
      text.remove_prefix(size);
    }
  }

  bool has_request_ = true;
  std::string method_ = "POST";
  std::string target_;
  std::string request_body_;
  Fields request_headers_;
  uint16_t status_ = 0;
  Fields answer_headers_;
  std::vector<Piece> pieces_;
  Fields trailers_;
  bool request_lost_ = false;
  ExchangeOutcome outcome_ = ExchangeOutcome::kComplete;
  bool heads_unknown_ = false;
  bool pairing_uncertain_ = false;
  bool fetch_ = false;
};

// `data: {…}` and a blank line.
inline std::string frame(std::string_view json) {
  return std::string("data: ").append(json).append("\n\n");
}
// The same under an event name.
inline std::string named_frame(std::string_view type, std::string_view json) {
  return std::string("event: ").append(type).append("\n").append(frame(json));
}

}  // namespace wiretally::llm
