// Endless calls on many connections that take turns event by event: every second one seen as TCP
// segments, the others as plaintext of a probed process. All bytes are made beforehand, so that
// what allocates while it runs is the code under test.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "captures/calls.h"
#include "support/http2_writer.h"
#include "support/pcap_writer.h"
#include "wiretally/capture.h"

namespace wiretally::test {

// What one party sends at a time.
struct Piece {
  bool client = false;
  std::string bytes;
  // HTTP/2: where its frames name their streams; numbered from 1, each round anew.
  std::vector<size_t> streams = {};
};
using Script = std::vector<Piece>;

inline Script script_of(const Call& call, size_t piece_bytes) {
  Script script;
  const auto add = [&](bool client, std::string_view bytes) {
    for (size_t at = 0; at < bytes.size(); at += piece_bytes) {
      script.push_back({client, std::string(bytes.substr(at, piece_bytes))});
    }
  };
  add(true, chat_request(call));
  add(false, chat_answer(call));
  return script;
}

// Length-delimited JSON, chunked SSE and gzip SSE in turn. Pieces of `piece_bytes`: some cut heads,
// chunk sizes and events in two.
inline std::vector<Script> scripts() {
  std::vector<Script> all;
  for (int number = 0; number < 30; ++number) {
    const size_t piece_bytes[] = {1'400, 217, 97};
    all.push_back(script_of({.number = number,
                             .prompt_bytes = 2'000,
                             .text_bytes = 3'000,
                             .stream = number % 3 != 0,
                             .gzip = number % 3 == 2},
                            piece_bytes[number % 3]));
  }
  return all;
}

// Rounds of calls on a connection of HTTP/2, `kHttp2Streams` at a time, an event a DATA frame and a
// frame of each stream in turn: the first round, and one that is the same whenever it comes later
// but for the streams' numbers, because its header blocks only refer to the table.
inline constexpr uint32_t kHttp2Streams = 4;

class Http2Rounds {
 public:
  std::vector<Script> scripts() {
    std::vector<Script> all;
    Script first = {{true, Http2Writer::client_begins()}, {false, Http2Writer::server_begins()}};
    for (Piece& piece : round()) first.push_back(std::move(piece));
    all.push_back(std::move(first));
    all.push_back(round());
    return all;
  }

 private:
  static std::string body_of(const std::string& message) {
    return message.substr(message.find("\r\n\r\n") + 4);
  }
  // What the chunks of a chunked body hold.
  static std::vector<std::string> chunks_of(const std::string& message) {
    const std::string body = body_of(message);
    std::vector<std::string> chunks;
    for (size_t at = 0;;) {
      const size_t line = body.find("\r\n", at);
      const size_t size = std::stoul(body.substr(at, line - at), nullptr, 16);
      if (size == 0) return chunks;
      chunks.push_back(body.substr(line + 2, size));
      at = line + 2 + size + 2;
    }
  }
  static Piece piece(bool client, const std::vector<std::string>& frames) {
    Piece piece{client, ""};
    for (const std::string& frame : frames) {
      piece.streams.push_back(piece.bytes.size() + 5);
      piece.bytes += frame;
    }
    return piece;
  }

  Script round() {
    Script script;
    std::vector<std::vector<std::string>> answers;
    for (uint32_t i = 0; i < kHttp2Streams; ++i) {
      const Call call{.number = static_cast<int>(i),
                      .prompt_bytes = 2'000,
                      .text_bytes = 2'000,
                      .stream = true,
                      .gzip = i == 1};
      auto fields = Http2Writer::request("/v1/chat/completions");
      fields.push_back({"authorization", "Bearer sk-0123456789012345678901234567890123456789"});
      fields.push_back({"content-type", "application/json"});
      const std::string head = client_.headers(2 * i + 1, fields);
      script.push_back(
          piece(true, {head, Http2Writer::data(2 * i + 1, body_of(chat_request(call)), true)}));
      answers.push_back(chunks_of(chat_answer(call)));
    }
    for (uint32_t i = 0; i < kHttp2Streams; ++i) {
      auto fields = Http2Writer::answer(200, "text/event-stream");
      if (i == 1) fields.push_back({"content-encoding", "gzip"});
      script.push_back(piece(false, {server_.headers(2 * i + 1, fields)}));
    }
    for (size_t at = 0, left = kHttp2Streams; left > 0; ++at) {
      for (uint32_t i = 0; i < kHttp2Streams; ++i) {
        if (at >= answers[i].size()) continue;
        const bool last = at + 1 == answers[i].size();
        if (last) --left;
        script.push_back(piece(false, {Http2Writer::data(2 * i + 1, answers[i][at], last)}));
      }
    }
    return script;
  }

  Http2Writer client_;
  Http2Writer server_;
};

class Traffic {
 public:
  struct Options {
    int connections = 64;
    // Connections of HTTP/2: scripts are of Http2Rounds.
    bool http2 = false;
    int calls_a_connection = 0;  // then it closes and another one opens; 0: it stays
    bool swaps = false;          // of two segments in a row now and then
  };

  Traffic(const std::vector<Script>& scripts, const Options& options, CaptureSink& capture)
      : scripts_(scripts), options_(options), capture_(capture) {
    for (int i = 0; i < options.connections; ++i) talkers_.push_back({.packets = i % 2 == 0});
    for (Talker& talker : talkers_) {
      talker.script = options.http2 ? 0 : ++births_ % scripts_.size();
      open(talker);
    }
  }

  void run(uint64_t events) {
    const uint64_t until = events_ + events;
    while (events_ < until) {
      for (Talker& talker : talkers_) step(talker);
      if (++rounds_ % 16 == 0) capture_.on_time(now(talkers_[0]));
    }
  }

  uint64_t events() const { return events_; }
  uint64_t connections() const { return numbers_; }
  uint64_t calls() const { return calls_; }  // whose last byte was sent
  uint64_t swaps() const { return swaps_; }
  // The payload of the event that is being told.
  ByteView fed() const { return fed_; }

 private:
  struct Talker {
    bool packets = false;
    size_t script = 0;
    size_t piece = 0;
    int calls = 0;
    uint32_t streams = 0;       // begun, in rounds before this one
    uint64_t number = 0;        // of the connection
    uint64_t sent[2] = {0, 0};  // by the server, by the client
  };

  EventTime now(const Talker& talker) {
    now_ns_ += 10'000;
    return {.ns = now_ns_, .clock = talker.packets ? Clock::kCapture : Clock::kBoot};
  }

  void open(Talker& talker) {
    talker.number = ++numbers_;
    talker.sent[0] = talker.sent[1] = talker.calls = 0;
    talker.streams = 0;
    if (!talker.packets) return;
    segment(talker, true, TcpFlags::kSyn, {}, talker.sent[1]++);
    segment(talker, false, TcpFlags::kSyn | TcpFlags::kAck, {}, talker.sent[0]++);
    segment(talker, true, TcpFlags::kAck, {}, talker.sent[1]);
  }

  void close(Talker& talker) {
    if (talker.packets) {
      segment(talker, true, TcpFlags::kFin | TcpFlags::kAck, {}, talker.sent[1]++);
      segment(talker, false, TcpFlags::kFin | TcpFlags::kAck, {}, talker.sent[0]++);
      segment(talker, true, TcpFlags::kAck, {}, talker.sent[1]);
      return;
    }
    capture_.on_connection_close({.time = now(talker),
                                  .connection = key(talker),
                                  .reason = CloseReason::kFreed,
                                  .written_offset = talker.sent[1],
                                  .read_offset = talker.sent[0]});
  }

  void step(Talker& talker) {
    const Script& script = scripts_[talker.script];
    const Piece& piece = script[talker.piece];
    const bool swap = options_.swaps && talker.packets && talker.piece % 8 == 4 &&
                      talker.piece + 1 < script.size() &&
                      script[talker.piece + 1].client == piece.client;
    if (swap) {
      ++swaps_;
      const Piece& next = script[++talker.piece];
      send(talker, next, talker.sent[next.client] + piece.bytes.size());
      send(talker, piece, talker.sent[piece.client]);
      talker.sent[piece.client] += piece.bytes.size() + next.bytes.size();
    } else {
      send(talker, piece, talker.sent[piece.client]);
      talker.sent[piece.client] += piece.bytes.size();
    }
    if (talker.packets && talker.piece % 2 == 1) {
      segment(talker, !piece.client, TcpFlags::kAck, {}, talker.sent[!piece.client]);
    }
    if (++talker.piece < script.size()) return;
    talker.piece = 0;
    talker.script = options_.http2 ? 1 : (talker.script + 1) % scripts_.size();
    const int calls = options_.http2 ? kHttp2Streams : 1;
    calls_ += static_cast<uint64_t>(calls);
    if (options_.http2) talker.streams += kHttp2Streams;
    talker.calls += calls;
    if (talker.calls != options_.calls_a_connection) return;
    close(talker);
    if (options_.http2) talker.script = 0;
    open(talker);
  }

  // The piece's bytes, for this round.
  ByteView bytes_of(const Talker& talker, const Piece& piece) {
    if (piece.streams.empty()) return as_bytes(piece.bytes);
    numbered_.assign(piece.bytes);
    for (const size_t at : piece.streams) {
      uint32_t stream = 2 * talker.streams;
      for (size_t i = 0; i < 4; ++i)
        stream += static_cast<uint8_t>(piece.bytes[at + i]) << (24 - 8 * i);
      for (size_t i = 0; i < 4; ++i) numbered_[at + i] = static_cast<char>(stream >> (24 - 8 * i));
    }
    return as_bytes(numbered_);
  }

  void send(const Talker& talker, const Piece& piece, uint64_t offset) {
    const ByteView bytes = bytes_of(talker, piece);
    if (talker.packets) {
      return segment(talker, piece.client, TcpFlags::kAck | TcpFlags::kPsh, bytes, offset);
    }
    ++events_;
    fed_ = bytes;
    capture_.on_chunk({.time = now(talker),
                       .connection = key(talker),
                       .transfer = piece.client ? Transfer::kWritten : Transfer::kRead,
                       .offset = offset,
                       .peer_offset = talker.sent[!piece.client],
                       .joined = false,
                       .bytes = fed_,
                       .library = 0});
  }

  void segment(const Talker& talker, bool client, int flags, ByteView payload, uint64_t offset) {
    constexpr uint32_t kFirst[] = {0xffff'f000, 1'000};  // the server's wraps early on
    Endpoint ends[2] = {server_, client_};
    ends[1].port = static_cast<uint16_t>(1'024 + talker.number % 60'000);
    Segment segment;
    segment.time = now(talker);
    segment.source = ends[client];
    segment.destination = ends[!client];
    segment.sequence = kFirst[client] + static_cast<uint32_t>(offset);
    segment.acknowledgment = kFirst[!client] + static_cast<uint32_t>(talker.sent[!client]);
    segment.flags.bits = static_cast<uint8_t>(flags);
    segment.window = 65'535;
    if (flags & TcpFlags::kSyn) segment.window_scale = 7;
    segment.payload = fed_ = payload;
    segment.payload_wire_bytes = static_cast<uint32_t>(payload.size());
    segment.packet_number = ++events_;
    capture_.on_segment(segment);
  }

  static ConnectionKey key(const Talker& talker) {
    return {.pid = 77,
            .process_start_ns = 1,
            .handle = 0x7f00'0000'0000 + talker.number % 4'096 * 0x240,
            .generation = static_cast<uint32_t>(talker.number)};
  }

  const std::vector<Script>& scripts_;
  const Options options_;
  CaptureSink& capture_;
  const Endpoint client_ = endpoint("10.1.0.1", 0);
  const Endpoint server_ = endpoint("10.2.0.1", 8'000);
  std::vector<Talker> talkers_;
  ByteView fed_;
  std::string numbered_;
  int64_t now_ns_ = 1'780'000'000'000'000'000;
  uint64_t births_ = 0;
  uint64_t numbers_ = 0;
  uint64_t rounds_ = 0;
  uint64_t swaps_ = 0;
  uint64_t events_ = 0;
  uint64_t calls_ = 0;
};

}  // namespace wiretally::test
