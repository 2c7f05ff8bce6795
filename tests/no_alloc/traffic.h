// Endless calls on many connections that take turns event by event: every second one seen as TCP
// segments, the others as plaintext of a probed process. All bytes are made beforehand, so that
// what allocates while it runs is the code under test.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "captures/calls.h"
#include "support/pcap_writer.h"
#include "wiretally/capture.h"

namespace wiretally::test {

// What one party sends at a time.
struct Piece {
  bool client = false;
  std::string bytes;
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

class Traffic {
 public:
  struct Options {
    int connections = 64;
    int calls_a_connection = 0;  // then it closes and another one opens; 0: it stays
    bool swaps = false;          // of two segments in a row now and then
  };

  Traffic(const std::vector<Script>& scripts, const Options& options, CaptureSink& capture)
      : scripts_(scripts), options_(options), capture_(capture) {
    for (int i = 0; i < options.connections; ++i) talkers_.push_back({.packets = i % 2 == 0});
    for (Talker& talker : talkers_) {
      talker.script = ++births_ % scripts_.size();
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
    talker.script = (talker.script + 1) % scripts_.size();
    ++calls_;
    if (++talker.calls != options_.calls_a_connection) return;
    close(talker);
    open(talker);
  }

  void send(const Talker& talker, const Piece& piece, uint64_t offset) {
    if (talker.packets) {
      return segment(talker, piece.client, TcpFlags::kAck | TcpFlags::kPsh, as_bytes(piece.bytes),
                     offset);
    }
    ++events_;
    fed_ = as_bytes(piece.bytes);
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
  int64_t now_ns_ = 1'780'000'000'000'000'000;
  uint64_t births_ = 0;
  uint64_t numbers_ = 0;
  uint64_t rounds_ = 0;
  uint64_t swaps_ = 0;
  uint64_t events_ = 0;
  uint64_t calls_ = 0;
};

}  // namespace wiretally::test
