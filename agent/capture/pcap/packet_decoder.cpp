#include "packet_decoder.h"

#include <pcap/pcap.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "byte_order.h"
#include "byte_sums.h"
#include "packet_numbers.h"

namespace wiretally::pcap {
namespace {

constexpr size_t kTcpHeaderBytes = 20;
constexpr size_t kUnknownLinksMax = 16;

// What the encapsulation hash is made of.
constexpr uint32_t kKindVlan = 1;
constexpr uint32_t kKindMpls = 2;
constexpr uint32_t kKindPppoe = 3;
constexpr uint32_t kKindIpInIp = 4;
constexpr uint32_t kKindGre = 5;
constexpr uint32_t kKindVxlan = 6;
constexpr uint32_t kKindGeneve = 7;
constexpr uint32_t kKindGtp = 8;

uint64_t mix(uint64_t hash, uint32_t kind, uint32_t id) {
  hash = (hash ^ (uint64_t{kind} << 32 | id)) * 0x9e37'79b9'7f4a'7c15;
  hash ^= hash >> 32;
  return hash != 0 ? hash : 1;
}

// RFC 7323 section 2.2. Options that make no sense end the search.
std::optional<uint8_t> window_scale_of(ByteView options) {
  constexpr uint8_t kEnd = 0, kNoOperation = 1, kWindowScale = 3, kShiftMax = 14;
  while (!options.empty() && options[0] != kEnd) {
    if (options[0] == kNoOperation) {
      options = options.subspan(1);
      continue;
    }
    if (options.size() < 2 || options[1] < 2 || options[1] > options.size()) break;
    if (options[0] == kWindowScale && options[1] == 3) return std::min(options[2], kShiftMax);
    options = options.subspan(options[1]);
  }
  return std::nullopt;
}

// RFC 2675: the payload length of a jumbogram, from its hop-by-hop options.
std::optional<uint32_t> jumbo_length_of(ByteView options) {
  constexpr uint8_t kPad1 = 0, kJumbo = 0xc2;
  while (!options.empty()) {
    if (options[0] == kPad1) {
      options = options.subspan(1);
      continue;
    }
    if (options.size() < 2 || options.size() < size_t{2} + options[1]) break;
    if (options[0] == kJumbo && options[1] == 4) return load_be32(options.data() + 2);
    options = options.subspan(size_t{2} + options[1]);
  }
  return std::nullopt;
}

// Of a frame with two VLAN tags newer kernels (seen with 6.18) show a cooked socket the type of the
// IP packet, and yet leave the inner tag in front of it.
bool has_leftover_tag(ByteView bytes, uint16_t type) {
  if ((type != kTypeIpv4 && type != kTypeIpv6) || bytes.size() < 5) return false;
  const int version = type == kTypeIpv4 ? 4 : 6;
  return bytes[0] >> 4 != version && load_be16(bytes.data() + 2) == type &&
         bytes[4] >> 4 == version;
}

bool is_tunnel_port(uint16_t port) {
  return port == kPortVxlan || port == kPortVxlanOld || port == kPortGeneve || port == kPortGtp;
}

// Whether a fragment of this protocol can be one of a TCP segment or a tunnel.
bool may_lead_to_tcp(uint8_t protocol) {
  switch (protocol) {
    case kProtocolHopByHop:
    case kProtocolIpv4:
    case kProtocolTcp:
    case kProtocolUdp:
    case kProtocolIpv6:
    case kProtocolRouting:
    case kProtocolFragment:
    case kProtocolGre:
    case kProtocolAuthentication:
    case kProtocolDestination:
    case kProtocolMobility:
      return true;
    default:
      return false;
  }
}

// RFC 791: loose and strict source routes. Options that make no sense end the search.
bool has_source_route(ByteView options) {
  constexpr uint8_t kEnd = 0, kNoOperation = 1, kLoose = 131, kStrict = 137;
  while (!options.empty() && options[0] != kEnd) {
    if (options[0] == kLoose || options[0] == kStrict) return true;
    if (options[0] == kNoOperation) {
      options = options.subspan(1);
      continue;
    }
    if (options.size() < 2 || options[1] < 2 || options[1] > options.size()) break;
    options = options.subspan(options[1]);
  }
  return false;
}

bool is_ip_or_tag(uint16_t type) {
  return type == kTypeIpv4 || type == kTypeIpv6 || type == kTypeVlan || type == kTypeVlanService;
}
bool is_ethernet(ByteView bytes) {
  return bytes.size() >= 14 && is_ip_or_tag(load_be16(bytes.data() + 12));
}

enum class Checksum : uint8_t { kGood, kOffloaded, kBad };

// RFC 9293 section 3.1: the sum over the pseudo header and the whole TCP segment, of which the
// header's words come first. A host that leaves it to its network card puts the pseudo header's own
// sum there, with or without the length, or nothing.
Checksum checksum_of(const IpAddress& source, const IpAddress& destination, ByteView header,
                     const ByteSums& payload, size_t segment_bytes) {
  const uint32_t length = __builtin_bswap32(static_cast<uint32_t>(segment_bytes));
  uint64_t sum = uint64_t{kProtocolTcp} << 8;
  for (const IpAddress* address : {&source, &destination}) {
    uint32_t words[4];  // the rest of an IPv4 address's bytes is 0
    std::memcpy(words, address->bytes.data(), sizeof words);
    sum += uint64_t{words[0]} + words[1] + words[2] + words[3];
  }
  uint64_t bytes_sum = payload.sum();
  for (size_t at = 0; at < header.size(); at += sizeof(uint32_t)) {
    uint32_t word = 0;
    std::memcpy(&word, header.data() + at, sizeof word);
    bytes_sum += word;
  }
  if ((sum + length + bytes_sum) % 0xffff == 0) return Checksum::kGood;
  constexpr size_t kChecksumAt = 16;
  uint16_t stated = 0;
  std::memcpy(&stated, header.data() + kChecksumAt, sizeof stated);
  const bool offloaded =
      stated == 0 || (sum + length) % 0xffff == stated % 0xffff || sum % 0xffff == stated % 0xffff;
  return offloaded ? Checksum::kOffloaded : Checksum::kBad;
}

}  // namespace

// What is left of a packet from some layer on: the bytes captured, and how many there were on the
// wire.
struct PacketDecoder::Layer {
  ByteView bytes;
  uint64_t wire_bytes = 0;

  bool has(size_t count) const { return bytes.size() >= count; }
  const uint8_t* data() const { return bytes.data(); }
  void remove_front(size_t count) {
    bytes = bytes.subspan(std::min(count, bytes.size()));
    wire_bytes -= std::min<uint64_t>(count, wire_bytes);
  }
  // An enclosing length field: what lies behind it is no part of the packet.
  void limit(uint64_t length) {
    wire_bytes = std::min(wire_bytes, length);
    bytes = bytes.first(static_cast<size_t>(std::min<uint64_t>(bytes.size(), wire_bytes)));
  }
  // The packet's own length: where it is more than there is, the packet was cut.
  void set_length(uint64_t length) {
    limit(length);
    wire_bytes = length;
  }
};

struct PacketDecoder::Packet {
  const RawPacket& raw;
  Layer layer;
  Endpoint source;
  Endpoint destination;
  uint64_t encapsulation = 0;
  size_t tunnels = 0;
  size_t assembled = 0;  // from fragments, one inside another
  // The innermost IP packet is routed over other addresses than its header's: its checksum is over
  // the last of them.
  bool source_routed = false;
  bool length_unstated = false;  // segmentation offload: the sum is not made yet
};

PacketDecoder::PacketDecoder(const Limits& limits, Counters& counters, CaptureSink& sink)
    : limits_(limits), counters_(counters), sink_(sink), fragments_(limits, counters) {
  unknown_links_.reserve(kUnknownLinksMax);
}

void PacketDecoder::only_ports(std::span<const uint16_t> ports) {
  ports_.reset();
  for (const uint16_t port : ports) ports_.set(port);
  filters_ports_ = !ports.empty();
}

// --- link ----------------------------------------------------------------------------------------

bool PacketDecoder::knows_link_type(uint32_t link_type) {
  for (const uint32_t known : {kLinkNull, kLinkEthernet, kLinkPpp, kLinkRawLinux, kLinkRawBsd,
                               kLinkPppHdlc, kLinkPppoe, kLinkRaw, kLinkLoop, kLinkCookedV1,
                               kLinkIpv4, kLinkIpv6, kLinkNflog, kLinkPktap, kLinkCookedV2})
    if (link_type == known) return true;
  return false;
}

void PacketDecoder::decode(const RawPacket& raw) {
  const PlainPacket plain = find_plain(raw);
  if (taker_ == nullptr || plain.ip == nullptr || !deal_out(raw, plain)) decode(raw, plain);
}

bool PacketDecoder::deal_out(const RawPacket& raw, const PlainPacket& plain) {
  Endpoint source, destination;
  plain.endpoints(source, destination);
  if (!wanted(source.port, destination.port)) return false;
  taker_->on_packet(raw, source, destination);
  return true;
}

void PacketDecoder::decode(const RawPacket& raw, const PlainPacket& plain) {
  Packet packet{.raw = raw, .layer = {raw.bytes, raw.wire_bytes}, .source = {}, .destination = {}};
  if (!read_plain(packet, plain)) read_link(packet, raw.link_type);
}

// One without IP options whose length is stated and there: what read_link() would do with it.
// Whatever else is out of the ordinary is left to that.
bool PacketDecoder::read_plain(Packet& packet, const PlainPacket& plain) {
  if (plain.ip == nullptr) return false;
  size_t ip_bytes = 0;
  if (plain.ip[0] >> 4 == 4) {
    if (plain.ip_header_bytes != 20) return false;
    ip_bytes = load_be16(plain.ip + 2);
  } else {
    const uint16_t payload_bytes = load_be16(plain.ip + 4);
    if (payload_bytes != 0) ip_bytes = plain.ip_header_bytes + payload_bytes;
  }
  const ByteView bytes = packet.raw.bytes;
  const auto there = static_cast<size_t>(bytes.data() + bytes.size() - plain.ip);
  if (ip_bytes < plain.ip_header_bytes || ip_bytes > there) return false;
  const size_t tcp_bytes = ip_bytes - plain.ip_header_bytes;
  plain.endpoints(packet.source, packet.destination);
  packet.layer = {{plain.ip + plain.ip_header_bytes, tcp_bytes}, tcp_bytes};
  read_tcp(packet);
  return true;
}

void PacketDecoder::read_link(Packet& packet, uint32_t link_type) {
  switch (link_type) {
    case kLinkEthernet:
      return read_ethernet(packet);
    case kLinkCookedV1:
      return read_cooked_v1(packet);
    case kLinkCookedV2:
      return read_cooked_v2(packet);
    case kLinkNull:
    case kLinkLoop:
      return read_loopback(packet);
    case kLinkRawLinux:
    case kLinkRawBsd:
    case kLinkRaw:
    case kLinkIpv4:
    case kLinkIpv6:
      return read_ip(packet);
    case kLinkPpp:
    case kLinkPppHdlc:
      return read_ppp(packet);
    case kLinkPppoe:
      return read_pppoe(packet);
    case kLinkNflog:
      return read_nflog(packet);
    case kLinkPktap:
    case kLinkUser2:
      return read_pktap(packet);
    default:
      return note_unknown_link(link_type);
  }
}

void PacketDecoder::read_ethernet(Packet& packet) {
  constexpr size_t kHeaderBytes = 14;
  if (!packet.layer.has(kHeaderBytes)) return drop_malformed();
  const uint16_t type = load_be16(packet.layer.data() + 12);
  packet.layer.remove_front(kHeaderBytes);
  read_ether_type(packet, type);
}

// Tags and LLC headers lead to another type: read in a loop, because a hostile frame is full of
// them.
void PacketDecoder::read_ether_type(Packet& packet, uint16_t type) {
  Layer& layer = packet.layer;
  for (;;) {
    switch (type) {
      case kTypeIpv4:
      case kTypeIpv6:
        return read_ip(packet);
      case kTypeVlan:
      case kTypeVlanService:
      case kTypeVlanOld: {
        if (!layer.has(4)) return drop_malformed();
        const uint16_t vlan = load_be16(layer.data()) & 0x0fff;
        // VLAN 0 is a priority tag, no network of its own.
        if (vlan != 0) packet.encapsulation = mix(packet.encapsulation, kKindVlan, vlan);
        type = load_be16(layer.data() + 2);
        layer.remove_front(4);
        continue;
      }
      case kTypeMplsUnicast:
      case kTypeMplsMulticast:
        return read_mpls(packet);
      case kTypePppoeSession:
        return read_pppoe(packet);
      default:
        break;
    }
    // 802.2 LLC with SNAP; anything else is not IP.
    constexpr uint8_t kSnap[] = {0xaa, 0xaa, 0x03};
    if (type >= kTypeMin || !layer.has(8) || std::memcmp(layer.data(), kSnap, sizeof kSnap) != 0)
      return not_tcp();
    if (type != kCookedLlc) layer.limit(type);
    if (!layer.has(8)) return drop_malformed();
    type = load_be16(layer.data() + 6);
    layer.remove_front(8);
    if (type < kTypeMin) return not_tcp();
  }
}

// RFC 2516.
void PacketDecoder::read_pppoe(Packet& packet) {
  Layer& layer = packet.layer;
  if (!layer.has(8)) return drop_malformed();
  const uint16_t session = load_be16(layer.data() + 2);
  const uint16_t length = load_be16(layer.data() + 4);
  layer.remove_front(6);
  if (length != 0) layer.limit(length);
  packet.encapsulation = mix(packet.encapsulation, kKindPppoe, session);
  read_ppp(packet);
}

// RFC 1661, RFC 1662: address and control field may stand before the protocol.
void PacketDecoder::read_ppp(Packet& packet) {
  constexpr uint16_t kAddressAndControl = 0xff03, kPppIpv4 = 0x0021, kPppIpv6 = 0x0057;
  Layer& layer = packet.layer;
  if (layer.has(2) && load_be16(layer.data()) == kAddressAndControl) layer.remove_front(2);
  if (!layer.has(2)) return drop_malformed();
  const uint16_t protocol = load_be16(layer.data());
  if (protocol != kPppIpv4 && protocol != kPppIpv6) return not_tcp();
  layer.remove_front(2);
  read_ip(packet);
}

// RFC 3032. Labels change at every hop and differ by direction, so they do not tell networks apart.
void PacketDecoder::read_mpls(Packet& packet) {
  Layer& layer = packet.layer;
  bool bottom = false;
  while (!bottom) {
    if (!layer.has(4)) return drop_malformed();
    bottom = (layer.data()[2] & 1) != 0;
    layer.remove_front(4);
  }
  packet.encapsulation = mix(packet.encapsulation, kKindMpls, 0);
  // What follows the labels is not named: its first half byte has to do. Ethernet comes with or
  // without a control word before it (RFC 4385, RFC 4448).
  if (!layer.has(1)) return drop_malformed();
  const uint8_t version = layer.data()[0] >> 4;
  constexpr size_t kControlWordBytes = 4;
  if (version == 0 && layer.has(kControlWordBytes) &&
      is_ethernet(layer.bytes.subspan(kControlWordBytes))) {
    layer.remove_front(kControlWordBytes);
  } else if (version == 4 || version == 6) {
    return read_ip(packet);
  } else if (!is_ethernet(layer.bytes)) {
    return not_tcp();
  }
  if (enter_tunnel(packet, kKindMpls, 0)) read_ethernet(packet);
}

void PacketDecoder::read_cooked_v1(Packet& packet) {
  constexpr size_t kHeaderBytes = 16;
  if (!packet.layer.has(kHeaderBytes)) return drop_malformed();
  const uint16_t hardware = load_be16(packet.layer.data() + 2);
  const uint16_t type = load_be16(packet.layer.data() + 14);
  packet.layer.remove_front(kHeaderBytes);
  read_cooked(packet, hardware, type);
}

void PacketDecoder::read_cooked_v2(Packet& packet) {
  constexpr size_t kHeaderBytes = 20;
  if (!packet.layer.has(kHeaderBytes)) return drop_malformed();
  const uint16_t type = load_be16(packet.layer.data());
  const uint16_t hardware = load_be16(packet.layer.data() + 8);
  packet.layer.remove_front(kHeaderBytes);
  read_cooked(packet, hardware, type);
}

void PacketDecoder::read_cooked(Packet& packet, uint16_t hardware, uint16_t type) {
  if (hardware == kHardwareNetlink) return not_tcp();
  read_ether_type(packet, has_leftover_tag(packet.layer.bytes, type) ? kTypeVlan : type);
}

// The address family is in the byte order of the machine that captured (NULL) or in network order
// (LOOP), and AF_INET6 has another number on every system.
void PacketDecoder::read_loopback(Packet& packet) {
  if (!packet.layer.has(4)) return drop_malformed();
  const uint32_t word = load_be32(packet.layer.data());
  const uint32_t family = word <= 0xffff ? word : __builtin_bswap32(word);
  packet.layer.remove_front(4);
  switch (family) {
    case 2:   // AF_INET everywhere
    case 10:  // AF_INET6: Linux
    case 24:  // OpenBSD, NetBSD
    case 28:  // FreeBSD
    case 30:  // macOS
      return read_ip(packet);
    default:
      return not_tcp();
  }
}

// Attributes of the netfilter log: length and type of 16 bits each in the byte order of the machine
// that captured, the length with its own 4 bytes, padded to 4.
void PacketDecoder::read_nflog(Packet& packet) {
  constexpr size_t kHeaderBytes = 4, kAttributeBytes = 4;
  constexpr uint16_t kPayload = 9;
  Layer& layer = packet.layer;
  if (!layer.has(kHeaderBytes + kAttributeBytes)) return drop_malformed();
  if (layer.data()[1] != 0) return not_tcp();  // another version
  layer.remove_front(kHeaderBytes);
  // Types are below 256: their zero byte tells the byte order.
  const bool big_endian = layer.data()[2] == 0 && layer.data()[3] != 0;
  while (layer.has(kAttributeBytes)) {
    uint16_t length = load_be16(layer.data());
    uint16_t type = load_be16(layer.data() + 2);
    if (!big_endian) {
      length = __builtin_bswap16(length);
      type = __builtin_bswap16(type);
    }
    if (length < kAttributeBytes) return drop_malformed();
    if (type == kPayload) {
      layer.limit(length);
      layer.remove_front(kAttributeBytes);
      return read_ip(packet);
    }
    layer.remove_front((size_t{length} + 3) / 4 * 4);
  }
  not_tcp();
}

// A header of its own length with the link type (a DLT_ number) of what follows; little-endian, as
// every machine that writes it. DLT_USER2 may be anybody's: there it must look like one.
void PacketDecoder::read_pktap(Packet& packet) {
  constexpr size_t kHeaderBytesMin = 108, kHeaderBytesMax = 512;
  Layer& layer = packet.layer;
  uint32_t header_bytes = 0, link_type = 0;
  if (layer.has(kHeaderBytesMin)) {
    header_bytes = __builtin_bswap32(load_be32(layer.data()));
    link_type = __builtin_bswap32(load_be32(layer.data() + 8));
  }
  const bool plausible = header_bytes >= kHeaderBytesMin && header_bytes <= kHeaderBytesMax;
  if (!plausible || link_type == kLinkPktap || link_type == kLinkUser2) {
    if (packet.raw.link_type == kLinkUser2) return note_unknown_link(kLinkUser2);
    return drop_malformed();
  }
  if (!layer.has(header_bytes)) return drop_malformed();
  layer.remove_front(header_bytes);
  read_link(packet, link_type);
}

void PacketDecoder::note_unknown_link(uint32_t link_type) {
  drop(DropReason::kPacketLinkType);
  for (UnknownLink& link : unknown_links_) {
    if (link.link_type != link_type) continue;
    ++link.packets;
    return;
  }
  if (unknown_links_.size() < kUnknownLinksMax) unknown_links_.push_back({link_type, 1});
}

std::string PacketDecoder::link_type_error() const {
  if (unknown_links_.empty()) return {};
  std::string text;
  for (const UnknownLink& link : unknown_links_) {
    text += text.empty() ? "link type " : ", link type ";
    text += std::to_string(link.link_type);
    if (const char* name = pcap_datalink_val_to_name(static_cast<int>(link.link_type)))
      text += std::string(" (") + name + ")";
    text += " in " + std::to_string(link.packets) + (link.packets == 1 ? " packet" : " packets");
  }
  return text + (unknown_links_.size() == 1 ? " is not supported" : " are not supported") +
         "; everything else was read";
}

// --- network -------------------------------------------------------------------------------------

void PacketDecoder::read_ip(Packet& packet) {
  if (!packet.layer.has(1)) return drop_malformed();
  packet.source_routed = packet.length_unstated = false;
  switch (packet.layer.data()[0] >> 4) {
    case 4:
      return read_ipv4(packet);
    case 6:
      return read_ipv6(packet);
    default:
      return drop_malformed();
  }
}

// RFC 791.
void PacketDecoder::read_ipv4(Packet& packet) {
  constexpr size_t kHeaderBytesMin = 20;
  Layer& layer = packet.layer;
  if (!layer.has(kHeaderBytesMin)) return drop_malformed();
  const uint8_t* const at = layer.data();
  const size_t header_bytes = (size_t{at[0]} & 0x0f) * 4;
  const uint16_t total_bytes = load_be16(at + 2);
  if (header_bytes < kHeaderBytesMin || !layer.has(header_bytes)) return drop_malformed();
  if (total_bytes != 0) {
    if (total_bytes < header_bytes) return drop_malformed();
    layer.set_length(total_bytes);
    if (!layer.has(header_bytes)) return drop_malformed();
  } else {
    if (layer.wire_bytes > limits_.packet_wire_bytes_max) return drop_malformed();
    packet.length_unstated = true;
  }
  constexpr uint16_t kMoreFragments = 0x2000, kOffset = 0x1fff;
  const uint16_t fragment = load_be16(at + 6);
  packet.source.address = address_v4(at + 12);
  packet.destination.address = address_v4(at + 16);
  packet.source_routed = has_source_route({at + kHeaderBytesMin, header_bytes - kHeaderBytesMin});
  layer.remove_front(header_bytes);
  if ((fragment & (kMoreFragments | kOffset)) == 0) return read_transport(packet, at[9]);
  const auto place = static_cast<uint16_t>((fragment & kOffset) << 3 | (fragment >> 13 & 1));
  read_fragment(packet, load_be16(at + 4), place, at[9]);
}

// RFC 8200.
void PacketDecoder::read_ipv6(Packet& packet) {
  constexpr size_t kHeaderBytes = 40;
  Layer& layer = packet.layer;
  if (!layer.has(kHeaderBytes)) return drop_malformed();
  const uint8_t* const at = layer.data();
  const uint16_t payload_bytes = load_be16(at + 4);
  const uint8_t next = at[6];
  packet.source.address = address_v6(at + 8);
  packet.destination.address = address_v6(at + 24);
  layer.remove_front(kHeaderBytes);
  if (payload_bytes != 0) {
    layer.set_length(payload_bytes);
  } else {
    if (next == kProtocolHopByHop && layer.has(8)) {
      const size_t header_bytes = (size_t{layer.data()[1]} + 1) * 8;
      const ByteView options =
          layer.bytes.subspan(2, std::min(header_bytes, layer.bytes.size()) - 2);
      if (const auto jumbo = jumbo_length_of(options)) layer.set_length(*jumbo);
    }
    if (layer.wire_bytes > limits_.packet_wire_bytes_max) return drop_malformed();
    packet.length_unstated = true;
  }
  read_transport(packet, next);
}

// `fragment` as in IPv6's header: the offset in bytes, its lowest bit set if more follow.
void PacketDecoder::read_fragment(Packet& packet, uint32_t id, uint16_t fragment,
                                  uint8_t protocol) {
  constexpr uint16_t kMore = 0x0001, kOffset = 0xfff8;
  Layer& layer = packet.layer;
  if (layer.wire_bytes == 0) return drop_malformed();
  if (!may_lead_to_tcp(protocol)) return not_tcp();
  const bool v6 = packet.source.address.version == 6;
  FragmentTable::Fragment part{.key = {},
                               .time = packet.raw.time,
                               .protocol = protocol,
                               .offset = fragment & uint32_t{kOffset},
                               .more = (fragment & kMore) != 0,
                               .bytes = layer.bytes,
                               .wire_bytes = layer.wire_bytes};
  std::memcpy(&part.key.words[0], packet.source.address.bytes.data(), 16);
  std::memcpy(&part.key.words[2], packet.destination.address.bytes.data(), 16);
  part.key.words[4] = uint64_t{id} << 32 | (v6 ? 0xffffu : protocol);
  part.key.words[5] = packet.encapsulation;
  part.unwanted = protocol == kProtocolUdp && part.offset == 0 && layer.has(4) &&
                  !is_tunnel_port(load_be16(layer.data() + 2));
  // A packet put together may be a fragment again: each needs a place in the table.
  if (++packet.assembled > limits_.packet_tunnel_depth_max)
    return drop(DropReason::kPacketTunnelDepth);
  FragmentTable::Packet whole;
  if (!fragments_.add(part, whole)) return;
  layer = {whole.bytes, whole.wire_bytes};
  read_transport(packet, whole.protocol);
  fragments_.release(whole);
}

// Passes IPv6 extension headers and AH (RFC 4302), then hands over by protocol.
void PacketDecoder::read_transport(Packet& packet, uint8_t protocol) {
  Layer& layer = packet.layer;
  for (;;) {
    size_t header_bytes = 0;
    const bool v6 = packet.source.address.version == 6;
    const bool generic = protocol == kProtocolHopByHop || protocol == kProtocolRouting ||
                         protocol == kProtocolDestination || protocol == kProtocolMobility;
    if (v6 && generic) {
      if (!layer.has(8)) return drop_malformed();
      header_bytes = (size_t{layer.data()[1]} + 1) * 8;
      const bool segments_left = protocol == kProtocolRouting && layer.data()[3] != 0;
      packet.source_routed = packet.source_routed || segments_left;
    } else if (v6 && protocol == kProtocolFragment) {
      if (!layer.has(8)) return drop_malformed();
      header_bytes = 8;
      const uint16_t fragment = load_be16(layer.data() + 2) & 0xfff9;
      if (fragment != 0) {
        const uint8_t next = layer.data()[0];
        const uint32_t id = load_be32(layer.data() + 4);
        layer.remove_front(header_bytes);
        return read_fragment(packet, id, fragment, next);
      }
    } else if (protocol == kProtocolAuthentication) {
      if (!layer.has(8)) return drop_malformed();
      header_bytes = (size_t{layer.data()[1]} + 2) * 4;
    } else {
      break;
    }
    if (!layer.has(header_bytes)) return drop_malformed();
    protocol = layer.data()[0];
    layer.remove_front(header_bytes);
  }
  switch (protocol) {
    case kProtocolTcp:
      return read_tcp(packet);
    case kProtocolIpv4:
    case kProtocolIpv6:
      if (enter_tunnel(packet, kKindIpInIp, 0)) read_ip(packet);
      return;
    case kProtocolGre:
      return read_gre(packet);
    case kProtocolUdp:
      return read_udp(packet);
    default:
      return not_tcp();
  }
}

// --- transport -----------------------------------------------------------------------------------

// RFC 9293 section 3.1.
void PacketDecoder::read_tcp(Packet& packet) {
  Layer& layer = packet.layer;
  const uint8_t* const at = layer.data();
  if (layer.has(4)) {
    packet.source.port = load_be16(at);
    packet.destination.port = load_be16(at + 2);
    if (!wanted(packet.source.port, packet.destination.port)) return;
  }
  if (!layer.has(kTcpHeaderBytes)) return drop_malformed();
  const size_t header_bytes = (size_t{at[12]} >> 4) * 4;
  if (header_bytes < kTcpHeaderBytes || header_bytes > layer.wire_bytes) return drop_malformed();
  const bool verifiable = layer.bytes.size() == layer.wire_bytes && !packet.source_routed;
  const ByteView header = layer.bytes.first(std::min(header_bytes, layer.bytes.size()));
  const ByteView options = header.subspan(kTcpHeaderBytes);
  const size_t segment_bytes = layer.bytes.size();
  layer.remove_front(header_bytes);
  const ByteSums sums(layer.bytes);
  const Checksum checksum = verifiable
                                ? checksum_of(packet.source.address, packet.destination.address,
                                              header, sums, segment_bytes)
                                : Checksum::kGood;

  Segment segment;
  segment.time = packet.raw.time;
  // Member by member: a copy of the whole would wait for the port to be stored.
  segment.source.address = packet.source.address;
  segment.source.port = load_be16(at);
  segment.destination.address = packet.destination.address;
  segment.destination.port = load_be16(at + 2);
  segment.sequence = load_be32(at + 4);
  segment.acknowledgment = load_be32(at + 8);
  segment.flags.bits = at[13];
  segment.window = load_be16(at + 14);
  if (segment.flags.syn()) segment.window_scale = window_scale_of(options);
  segment.payload = layer.bytes;
  segment.payload_hash = sums.hash();
  segment.payload_wire_bytes = static_cast<uint32_t>(layer.wire_bytes);
  segment.encapsulation = packet.encapsulation;
  segment.checksum_bad = checksum == Checksum::kBad && !packet.length_unstated;
  segment.packet_number = packet.raw.number;

  if (checksum != Checksum::kGood) counters_.packets_bad_checksum.add();
  counters_.capture(Source::kPacket, segment.payload.size());
  if (const uint64_t missing = segment.payload_wire_bytes - segment.payload.size(); missing > 0)
    counters_.miss(Source::kPacket, MissingReason::kPacketCaplen, missing);
  sink_.on_segment(segment);
}

void PacketDecoder::read_udp(Packet& packet) {
  constexpr size_t kHeaderBytes = 8;
  Layer& layer = packet.layer;
  if (!layer.has(kHeaderBytes)) return not_tcp();
  const uint16_t port = load_be16(layer.data() + 2);
  const uint16_t length = load_be16(layer.data() + 4);
  if (!is_tunnel_port(port)) return not_tcp();
  if (length != 0) layer.limit(length);  // 0: segmentation offload
  layer.remove_front(kHeaderBytes);
  if (port == kPortGeneve) return read_geneve(packet);
  if (port == kPortGtp) return read_gtp(packet);
  read_vxlan(packet);
}

// --- tunnels -------------------------------------------------------------------------------------

bool PacketDecoder::enter_tunnel(Packet& packet, uint32_t kind, uint32_t id) {
  if (++packet.tunnels > limits_.packet_tunnel_depth_max) {
    drop(DropReason::kPacketTunnelDepth);
    return false;
  }
  packet.encapsulation = mix(packet.encapsulation, kind, id);
  return true;
}

// RFC 7348. Other protocols use these ports too: without the valid-network flag it is not VXLAN.
void PacketDecoder::read_vxlan(Packet& packet) {
  constexpr size_t kHeaderBytes = 8;
  constexpr uint8_t kNetworkValid = 0x08;
  Layer& layer = packet.layer;
  if (!layer.has(kHeaderBytes) || (layer.data()[0] & kNetworkValid) == 0) return not_tcp();
  const uint32_t network = load_be32(layer.data() + 4) >> 8;
  if (!enter_tunnel(packet, kKindVxlan, network)) return;
  layer.remove_front(kHeaderBytes);
  read_ethernet(packet);
}

// RFC 8926.
void PacketDecoder::read_geneve(Packet& packet) {
  constexpr size_t kHeaderBytes = 8;
  Layer& layer = packet.layer;
  if (!layer.has(kHeaderBytes) || layer.data()[0] >> 6 != 0) return not_tcp();
  const size_t options_bytes = (size_t{layer.data()[0]} & 0x3f) * 4;
  const uint16_t type = load_be16(layer.data() + 2);
  const uint32_t network = load_be32(layer.data() + 4) >> 8;
  if (!enter_tunnel(packet, kKindGeneve, network)) return;
  layer.remove_front(kHeaderBytes + options_bytes);
  if (type == kTypeBridgedEthernet) return read_ethernet(packet);
  read_ether_type(packet, type);
}

// 3GPP TS 29.281 section 5: version 1, G-PDUs; extension headers hang together by their last byte.
void PacketDecoder::read_gtp(Packet& packet) {
  constexpr uint8_t kVersionAndType = 0x30, kOptions = 0x07, kExtension = 0x04, kUserData = 0xff;
  Layer& layer = packet.layer;
  if (!layer.has(8) || (layer.data()[0] & 0xf0) != kVersionAndType || layer.data()[1] != kUserData)
    return not_tcp();
  const uint8_t flags = layer.data()[0];
  const uint16_t length = load_be16(layer.data() + 2);
  const uint32_t tunnel = load_be32(layer.data() + 4);
  if (!enter_tunnel(packet, kKindGtp, tunnel)) return;
  layer.remove_front(8);
  if (length != 0) layer.limit(length);
  if ((flags & kOptions) != 0) {
    if (!layer.has(4)) return drop_malformed();
    uint8_t next = (flags & kExtension) != 0 ? layer.data()[3] : 0;
    layer.remove_front(4);
    while (next != 0) {
      if (!layer.has(1)) return drop_malformed();
      const size_t extension_bytes = size_t{layer.data()[0]} * 4;
      if (extension_bytes == 0 || !layer.has(extension_bytes)) return drop_malformed();
      next = layer.data()[extension_bytes - 1];
      layer.remove_front(extension_bytes);
    }
  }
  read_ip(packet);
}

// RFC 2784, RFC 2890. Version 1 (PPTP) and the obsolete source routes are not read.
void PacketDecoder::read_gre(Packet& packet) {
  constexpr uint16_t kChecksum = 0x8000, kRouting = 0x4000, kKey = 0x2000, kSequence = 0x1000;
  constexpr uint16_t kVersion = 0x0007;
  Layer& layer = packet.layer;
  if (!layer.has(4)) return drop_malformed();
  const uint16_t flags = load_be16(layer.data());
  const uint16_t type = load_be16(layer.data() + 2);
  if ((flags & (kVersion | kRouting)) != 0) return not_tcp();
  const size_t key_at = (flags & kChecksum) != 0 ? 8 : 4;
  const size_t sequence_at = key_at + ((flags & kKey) != 0 ? 4 : 0);
  const size_t header_bytes = sequence_at + ((flags & kSequence) != 0 ? 4 : 0);
  if (!layer.has(header_bytes)) return drop_malformed();
  const uint32_t key = (flags & kKey) != 0 ? load_be32(layer.data() + key_at) : 0;
  if (!enter_tunnel(packet, kKindGre, key)) return;
  layer.remove_front(header_bytes);
  if (type == kTypeBridgedEthernet) return read_ethernet(packet);
  if (type == kTypeErspan) return read_erspan(packet, (flags & kSequence) != 0);
  if (type == kTypeErspan3) return read_erspan(packet, true);
  read_ether_type(packet, type);
}

// Mirror ports (draft-foschiano-erspan): type I has no header, type II 8 bytes, type III 12 and
// another 8 where its last bit says so.
void PacketDecoder::read_erspan(Packet& packet, bool has_header) {
  constexpr uint8_t kTypeThree = 2;
  Layer& layer = packet.layer;
  if (!has_header) return read_ethernet(packet);
  if (!layer.has(8)) return drop_malformed();
  if (layer.data()[0] >> 4 != kTypeThree) {
    layer.remove_front(8);
    return read_ethernet(packet);
  }
  if (!layer.has(12)) return drop_malformed();
  const bool holds_ip = (layer.data()[10] >> 2 & 0x1f) == 2;  // frame type; else Ethernet
  const bool more = (layer.data()[11] & 1) != 0;
  layer.remove_front(more ? 20 : 12);
  if (holds_ip) return read_ip(packet);
  read_ethernet(packet);
}

void PacketDecoder::drop(DropReason reason, uint64_t payload_bytes) {
  counters_.capture(Source::kPacket, payload_bytes);
  counters_.drop(Source::kPacket, reason, payload_bytes);
}

}  // namespace wiretally::pcap
