// A room on the table: sends segments of one client and one server into it and looks at what comes
// out.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "stream_room.h"
#include "unit/stream/recorder.h"

namespace wiretally::stream {

inline constexpr int64_t kMs = 1'000'000;

inline Endpoint endpoint(uint8_t host, uint16_t port) {
  Endpoint result;
  result.address.version = 4;
  result.address.bytes = {10, 0, 0, host};
  result.port = port;
  return result;
}

struct Table {
  explicit Table(const Limits& limits = {}) : room(limits, *counters, sink) {}

  FlowDemand send(Segment segment) {
    segment.time = {.ns = now_ns, .clock = Clock::kCapture};
    segment.packet_number = ++packets;
    now_ns += kMs;
    counters->capture(Source::kPacket, segment.payload.size());
    return room.on_segment(segment);
  }
  void end() { room.on_end({.ns = now_ns, .clock = Clock::kCapture}); }

  uint64_t skipped(SkipReason reason) const {
    return counters->of(Source::kPacket).skipped_bytes[static_cast<size_t>(reason)].value();
  }
  uint64_t dropped(DropReason reason) const {
    return counters->of(Source::kPacket).dropped_bytes[static_cast<size_t>(reason)].value();
  }
  uint64_t drops(DropReason reason) const {
    return counters->of(Source::kPacket).dropped_events[static_cast<size_t>(reason)].value();
  }
  uint64_t lost() const {
    return counters->of(Source::kPacket)
        .missing_bytes[static_cast<size_t>(MissingReason::kStreamSegmentLost)]
        .value();
  }
  uint64_t buffered() const { return counters->of(Source::kPacket).buffered_bytes.value(); }

  const FlowLog& flow(uint64_t id = 1) { return sink.flows.at(id); }
  const std::string& asked(uint64_t id = 1) { return flow(id).text[0]; }
  const std::string& answered(uint64_t id = 1) { return flow(id).text[1]; }
  const StreamEvent& last(uint64_t id = 1) { return flow(id).events.back(); }

  std::unique_ptr<Counters> counters = std::make_unique<Counters>();
  Recorder sink{*counters, true};
  StreamRoom room;
  int64_t now_ns = 1'000'000'000;
  uint64_t packets = 0;
};

// How a segment differs from an ordinary one.
struct With {
  uint8_t flags = TcpFlags::kAck;
  uint64_t ack = 0;  // offset of the other direction
  uint32_t cut = 0;  // bytes the capture did not keep, behind the text
  bool checksum_bad = false;
  uint64_t encapsulation = 0;
};

// Segments of one TCP connection, by offset.
struct Talk {
  Endpoint client = endpoint(1, 40'000);
  Endpoint server = endpoint(2, 8'000);
  uint32_t client_isn = 1000;
  uint32_t server_isn = 5000;
  uint16_t window = 65'535;

  Segment syn(std::string_view text = {}, uint64_t encapsulation = 0) const {
    return build(client, server, client_isn, 0, text,
                 {.flags = TcpFlags::kSyn, .encapsulation = encapsulation});
  }
  Segment syn_ack(uint64_t ack = 0, uint64_t encapsulation = 0) const {
    return build(server, client, server_isn, client_isn + 1 + static_cast<uint32_t>(ack), {},
                 {.flags = TcpFlags::kSyn | TcpFlags::kAck, .encapsulation = encapsulation});
  }
  Segment ask(int64_t offset, std::string_view text, With with = {}) const {
    return build(client, server, client_isn + 1 + static_cast<uint32_t>(offset),
                 server_isn + 1 + static_cast<uint32_t>(with.ack), text, with);
  }
  Segment answer(int64_t offset, std::string_view text, With with = {}) const {
    return build(server, client, server_isn + 1 + static_cast<uint32_t>(offset),
                 client_isn + 1 + static_cast<uint32_t>(with.ack), text, with);
  }

  Segment build(const Endpoint& from, const Endpoint& to, uint32_t sequence, uint32_t ack,
                std::string_view text, const With& with) const {
    Segment segment;
    segment.source = from;
    segment.destination = to;
    segment.sequence = sequence;
    segment.acknowledgment = ack;
    segment.flags.bits = with.flags;
    segment.window = window;
    if (with.flags & TcpFlags::kSyn) segment.window_scale = 0;
    segment.payload = as_bytes(text);
    segment.payload_wire_bytes = static_cast<uint32_t>(text.size()) + with.cut;
    segment.encapsulation = with.encapsulation;
    segment.checksum_bad = with.checksum_bad;
    return segment;
  }
};

}  // namespace wiretally::stream
