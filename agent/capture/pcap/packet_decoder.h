// From a captured packet to its TCP segment: link layer, tags, tunnels, IP, TCP.
//
//   link     Ethernet (802.1Q, QinQ, 802.3 with LLC/SNAP, MPLS, PPPoE), Linux cooked 1 and 2, raw
//            IP, BSD loopback in both byte orders, PPP, NFLOG, macOS PKTAP
//   network  IPv4 with options; IPv6 with extension headers; AH; fragments of both (FragmentTable)
//   tunnels  IP in IP, GRE (also with Ethernet inside), ERSPAN I, II and III, VXLAN, GENEVE, GTP-U,
//            Ethernet over MPLS; counted against packet_tunnel_depth_max
//
// Payload ends where the innermost IP header says, or an enclosing length field before it: frames
// carry padding and trailers. A length of 0 means "to the end of the frame" (segmentation
// offload). What an IP header promises and the capture does not have is the segment's
// payload_wire_bytes beyond its payload, counted as missing.
//
// Checksums are verified where all their bytes were captured and never a reason to drop: offload
// makes captured ones wrong as a rule. Wrong ones are counted, and marked (Segment::checksum_bad)
// unless they are what offload leaves.
//
// Every TCP segment is counted as captured, and then delivered or dropped under one reason.
//
// Where lanes are chosen: by the addresses of the Segment that comes out, so behind tunnels and
// fragments. A packet that is a TCP segment with nothing around it shows them at first sight, and
// need not be decoded by the thread that deals out: a PacketTaker gets it as it is.
#pragma once

#include <bitset>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "fragment_table.h"
#include "plain_packet.h"
#include "raw_packet.h"
#include "wiretally/capture.h"
#include "wiretally/counters.h"
#include "wiretally/limits.h"

namespace wiretally::pcap {

// Takes packets to be decoded elsewhere.
class PacketTaker {
 public:
  virtual ~PacketTaker() = default;
  // These are the endpoints of the segment that decoding the packet delivers, if it delivers one.
  virtual void on_packet(const RawPacket& packet, const Endpoint& source,
                         const Endpoint& destination) = 0;
};

class PacketDecoder {
 public:
  // Counters and sink must outlive the decoder.
  PacketDecoder(const Limits& limits, Counters& counters, CaptureSink& sink);

  // From now on only segments to or from one of these ports count; the others are passed over as if
  // they were not in the capture. No ports: all count.
  void only_ports(std::span<const uint16_t> ports);

  // From now on packets of TCP without tags, tunnels and fragmentation go there, and nothing of
  // them is counted here; those that only_ports() passes over do not. It outlives the decoder.
  void deal_out_to(PacketTaker& taker) { taker_ = &taker; }

  // Delivers the packet's segment to the sink, at most one.
  void decode(const RawPacket& packet);
  // For who has looked at it already: `plain` is find_plain(packet). It is not dealt out.
  void decode(const RawPacket& packet, const PlainPacket& plain);
  // No packet will come: fragments that still wait for others are dropped and counted.
  void finish() { fragments_.finish(); }

  static bool knows_link_type(uint32_t link_type);
  // One line that names the link types met and not known, with their numbers of packets; empty if
  // there were none.
  std::string link_type_error() const;

 private:
  struct Layer;
  struct Packet;
  struct UnknownLink {
    uint32_t link_type = 0;
    uint64_t packets = 0;
  };

  bool deal_out(const RawPacket& raw, const PlainPacket& plain);
  bool read_plain(Packet& packet, const PlainPacket& plain);
  void read_link(Packet& packet, uint32_t link_type);
  void read_ethernet(Packet& packet);
  void read_ether_type(Packet& packet, uint16_t type);
  void read_pppoe(Packet& packet);
  void read_ppp(Packet& packet);
  void read_mpls(Packet& packet);
  void read_cooked_v1(Packet& packet);
  void read_cooked_v2(Packet& packet);
  void read_cooked(Packet& packet, uint16_t hardware, uint16_t type);
  void read_loopback(Packet& packet);
  void read_nflog(Packet& packet);
  void read_pktap(Packet& packet);
  void read_ip(Packet& packet);
  void read_ipv4(Packet& packet);
  void read_ipv6(Packet& packet);
  void read_fragment(Packet& packet, uint32_t id, uint16_t fragment, uint8_t protocol);
  void read_transport(Packet& packet, uint8_t protocol);
  void read_tcp(Packet& packet);
  void read_udp(Packet& packet);
  void read_vxlan(Packet& packet);
  void read_geneve(Packet& packet);
  void read_gtp(Packet& packet);
  void read_gre(Packet& packet);
  void read_erspan(Packet& packet, bool has_header);

  // False, and counted, if the packet has too many tunnels.
  bool enter_tunnel(Packet& packet, uint32_t kind, uint32_t id);
  void drop(DropReason reason, uint64_t payload_bytes = 0);
  void drop_malformed() { drop(DropReason::kPacketMalformed); }
  void not_tcp() { counters_.packets_not_tcp.add(); }
  void note_unknown_link(uint32_t link_type);
  bool wanted(uint16_t source_port, uint16_t destination_port) const {
    return !filters_ports_ || ports_[source_port] || ports_[destination_port];
  }

  Limits limits_;
  Counters& counters_;
  CaptureSink& sink_;
  PacketTaker* taker_ = nullptr;
  bool filters_ports_ = false;
  std::bitset<65'536> ports_;
  FragmentTable fragments_;
  std::vector<UnknownLink> unknown_links_;
};

}  // namespace wiretally::pcap
