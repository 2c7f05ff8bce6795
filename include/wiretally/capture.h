// The first door: what the capture sources hand to `stream`.
//
// A packet source delivers TCP segments, a probe delivers ordered plaintext. Everything is
// borrowed: bytes die when the call returns. One lane calls its CaptureSink from one thread only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "wiretally/bytes.h"
#include "wiretally/clock.h"

namespace wiretally {

enum class Source : uint8_t {
  kTls,     // uprobe on a TLS library
  kPacket,  // libpcap, live or from a file
};
inline constexpr size_t kSourceCount = 2;

// What the stages downstream still want of a flow. Travels back as the return value of each call.
enum class FlowDemand : uint8_t {
  kMore,        // everything
  kHeadsOnly,   // HTTP, but nothing of interest so far; heads must go on coming
  kIgnoreFlow,  // not HTTP at all: nothing more of this flow is wanted
};

struct IpAddress {
  std::array<uint8_t, 16> bytes{};  // IPv4 in the first four
  uint8_t version = 0;              // 4, 6, or 0 = unknown

  friend bool operator==(const IpAddress&, const IpAddress&) = default;
  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;
};

struct Endpoint {
  IpAddress address;
  uint16_t port = 0;

  bool known() const { return address.version != 0; }
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

// TCP flags, RFC 9293 section 3.1.
struct TcpFlags {
  static constexpr uint8_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kPsh = 0x08, kAck = 0x10,
                           kUrg = 0x20;
  uint8_t bits = 0;

  bool fin() const { return bits & kFin; }
  bool syn() const { return bits & kSyn; }
  bool rst() const { return bits & kRst; }
  bool ack() const { return bits & kAck; }
};

// One TCP segment, innermost addresses, tunnels and tags removed.
struct Segment {
  EventTime time;
  Endpoint source;
  Endpoint destination;
  uint32_t sequence = 0;
  uint32_t acknowledgment = 0;  // valid if flags.ack()
  TcpFlags flags;
  uint16_t window = 0;                  // unscaled
  std::optional<uint8_t> window_scale;  // from the SYN's options, RFC 7323
  ByteView payload;                     // as captured
  uint32_t payload_wire_bytes =
      0;  // >= payload.size(); the difference was cut by the capture's snap length
  // Of the payload's bytes, to tell a repeated segment from one with other content; the sum over
  // the segment gives it away. Compared within one source only; nothing: the source makes none.
  std::optional<uint64_t> payload_hash;
  uint64_t encapsulation = 0;  // hash of VLANs and tunnels around it; 0 = none
  // The sum over the segment is wrong and not just left to the network card (offload). No reason to
  // drop: it matters where bytes contradict a good segment's, or stand alone among good ones.
  bool checksum_bad = false;
  uint64_t packet_number = 0;  // 1-based, in order of capture
};

// A TLS connection as a probe sees it: the library's connection object within one process.
struct ConnectionKey {
  uint32_t pid = 0;
  uint64_t process_start_ns = 0;  // boot clock; tells apart processes that reuse a pid
  uint64_t handle = 0;            // SSL*
  uint32_t generation = 0;        // counts reuses of the handle

  friend bool operator==(const ConnectionKey&, const ConnectionKey&) = default;
};

// Which way plaintext went through the watched process.
enum class Transfer : uint8_t { kWritten, kRead };

// Plaintext of one call of the TLS library (or a part of it), in order.
struct Chunk {
  EventTime time;
  ConnectionKey connection;
  Transfer transfer = Transfer::kWritten;
  uint64_t offset =
      0;  // of the first byte, in this direction since the connection's (or our) beginning
  uint64_t peer_offset = 0;  // how far the other direction had come when this call returned
  bool joined = false;       // the first we saw of this connection may be its middle
  ByteView bytes;
  uint64_t library = 0;  // device and inode of the probed file, hashed: for the log only
};

enum class CloseReason : uint8_t {
  kFin,         // both directions ended in order
  kReset,       // RST
  kFreed,       // the TLS library's connection object was freed, cleared or reused
  kExit,        // the process ended
  kReplaced,    // a SYN for the same addresses began a new connection
  kEvicted,     // memory pressure
  kEndOfInput,  // end of the file, or the agent stops
};

// The end of a probed connection, with how far the kernel counted: bytes lost at the very end show
// only here.
struct ConnectionClose {
  EventTime time;
  ConnectionKey connection;
  CloseReason reason = CloseReason::kFreed;
  uint64_t written_offset = 0;
  uint64_t read_offset = 0;
};

// The peer ended its direction in order: the library's read returned a clean end (close_notify, or
// the transport's end).
struct ConnectionEof {
  EventTime time;
  ConnectionKey connection;
  Transfer transfer = Transfer::kRead;  // the direction that ended
  uint64_t offset = 0;                  // how far it had come
};

// The kernel's offsets of a connection that lost bytes and has gone quiet.
struct ConnectionAudit {
  EventTime time;
  ConnectionKey connection;
  uint64_t written_offset = 0;
  uint64_t read_offset = 0;
};

class CaptureSink {
 public:
  virtual ~CaptureSink() = default;

  virtual FlowDemand on_segment(const Segment& segment) = 0;
  virtual FlowDemand on_chunk(const Chunk& chunk) = 0;
  virtual void on_connection_close(const ConnectionClose& close) = 0;
  virtual void on_connection_eof(const ConnectionEof& eof) = 0;
  virtual void on_connection_audit(const ConnectionAudit& audit) = 0;
  // Time has passed without payload (live sources, about every 100 ms). Drives no verdicts; lets
  // timers run.
  virtual void on_time(EventTime now) = 0;
  // Nothing more will come: every flow closes with kEndOfInput.
  virtual void on_end(EventTime now) = 0;
};

}  // namespace wiretally
