// Live packets from one interface, or from all of them ("any"), through libpcap.
//
// The kernel's ring is a TPACKET_V3 one: packets lie in it at their own size. Immediate mode would
// select TPACKET_V2, where each takes a slot of the snap length, and is therefore never used.
//
// The socket belongs to the network namespace of the thread that calls open().
//
// A filter in the kernel keeps away what can be no TCP under any tunnel that the decoder reads:
// plain ARP, ICMP and UDP outside the tunnels' ports. It is built by exclusion, so that tagged,
// tunnelled and unfamiliar packets and fragments of TCP pass: "tcp" would lose them all. What it
// keeps away is not in packets_not_tcp.
//
// On "any" a packet that crosses several interfaces of this host is seen on each; `stream` tells
// duplicates by their sequence numbers. On `lo` it is seen once: the kernel shows it leaving and
// coming, libpcap passes over the former, and the statistics count both.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "packet_decoder.h"
#include "wiretally/result.h"

struct pcap;

namespace wiretally::pcap {

struct LiveOptions {
  std::string interface = "any";
  size_t ring_mib = 64;  // at least 16
};

// What the kernel says about the ring, since open().
struct LiveStats {
  uint64_t received = 0;           // packets that passed the filter, dropped ones included
  uint64_t ring_dropped = 0;       // the ring was full
  uint64_t interface_dropped = 0;  // by the network device or its driver
};

class LiveCapture {
 public:
  // The kernel hands packets over by the block: when it is full, or at a tick of this clock if the
  // block was begun before the last tick.
  static constexpr int kBlockMs = 100;
  // So a packet that is there now can be read after this time at the latest (and a little for the
  // kernel's timer).
  static constexpr int kHandOverMs = 2 * kBlockMs + 20;

  static Result<LiveCapture> open(const LiveOptions& options);

  // Readable when packets wait, at the latest kHandOverMs after the first of them came. Never
  // blocks in poll().
  int fd() const { return fd_; }

  // Decodes up to `packets_max` (at least 1) of the packets that wait. Returns their number; 0 =
  // none waits. Fails when the interface goes away.
  Result<size_t> poll(size_t packets_max, PacketDecoder& decoder);

  LiveStats stats();

  uint32_t link_type() const { return link_type_; }

 private:
  struct Close {
    void operator()(struct ::pcap* handle) const;
  };
  using Handle = std::unique_ptr<struct ::pcap, Close>;

  LiveCapture(Handle handle, std::string interface);
  Status set_up(size_t ring_mib);
  Status activate();

  Handle handle_;
  std::string interface_;
  int fd_ = -1;
  uint32_t link_type_ = 0;
  int64_t ns_per_fraction_ = 1000;
  uint64_t packets_ = 0;
  LiveStats stats_;
  uint32_t last_received_ = 0;  // libpcap's counters are 32 bits wide and wrap
  uint32_t last_ring_dropped_ = 0;
  uint32_t last_interface_dropped_ = 0;
};

}  // namespace wiretally::pcap
