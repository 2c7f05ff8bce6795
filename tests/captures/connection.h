// TCP connections as lists of packets, for capture files: what tcpdump would have seen.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "support/pcap_writer.h"
#include "transcripts/dialogue.h"

namespace wiretally::test {

inline constexpr int64_t kCaptureStartNs = 1'780'000'000'000'000'000;  // 2026-05-28

// The packets that one call to Connection added, by their place in packets().
struct PacketRange {
  size_t first = 0;
  size_t count = 0;
};

// One connection. Time goes on by itself: 10 µs a packet, and as told by wait_ms().
class Connection {
 public:
  struct Options {
    Endpoint client = endpoint("10.1.0.10", 40'000);
    Endpoint server = endpoint("10.1.0.20", 8'080);
    int64_t start_ns = kCaptureStartNs;
    uint32_t client_isn = 0xffff'ff00u;  // wraps early on
    uint32_t server_isn = 0x1234'5678u;
    size_t segment_bytes = 1'400;
  };

  Connection() : Connection(Options{}) {}
  explicit Connection(const Options& options);

  void open();  // SYN, SYN+ACK, ACK
  // The bytes in segments, then the receiver's ACK. The range has the data segments only.
  PacketRange send(Party party, std::string_view bytes);
  void close(Party first);  // FINs of both, and the last ACK
  void reset(Party party);
  void wait_ms(int64_t ms) { now_ns_ += ms * 1'000'000; }
  void at(int64_t time_ns) { now_ns_ = time_ns; }

  const std::vector<TcpPacket>& packets() const { return packets_; }
  std::vector<TcpPacket>& packets() { return packets_; }

 private:
  static constexpr int64_t kPacketNs = 10'000;

  void add(Party party, uint32_t sequence, uint8_t flags, std::string_view payload = {});

  Options options_;
  std::vector<TcpPacket> packets_;
  int64_t now_ns_;
  uint32_t next_[2];  // the next sequence number of each party
};

// The packets of a dialogue, with its lost bytes left out.
std::vector<TcpPacket> packets_of(const Dialogue& dialogue, const Connection::Options& options);

// The same packets seen under other addresses: each `from` becomes `to`, each packet `later_ns` later.
struct AddressChange {
  Endpoint from;
  Endpoint to;
};
std::vector<TcpPacket> seen_as(std::vector<TcpPacket> packets,
                               const std::vector<AddressChange>& changes, int64_t later_ns);

// All packets in order of time; equal times keep their order.
std::vector<TcpPacket> merged(const std::vector<std::vector<TcpPacket>>& connections);

// Only those of `packets` that are not in `lost`.
std::vector<TcpPacket> without(const std::vector<TcpPacket>& packets,
                               const std::vector<PacketRange>& lost);
// Payload bytes of these packets.
uint64_t payload_bytes(const std::vector<TcpPacket>& packets);
uint64_t payload_bytes(const std::vector<TcpPacket>& packets, PacketRange range);

}  // namespace wiretally::test
