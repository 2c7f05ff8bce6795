// The packet as most are: TCP in IP in Ethernet (or cooked 2, or nothing), without tags, tunnels
// and fragmentation. Its endpoints are found at first sight.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "byte_order.h"
#include "packet_numbers.h"
#include "raw_packet.h"
#include "wiretally/capture.h"

namespace wiretally::pcap {

struct PlainPacket {
  const uint8_t* ip = nullptr;  // none: it takes decoding to see what the packet is
  size_t ip_header_bytes = 0;

  // Where `ip` is set: the endpoints of the segment that decoding the packet delivers, if it
  // delivers one. Made where
  // they are wanted: a copy made at once waits for its pieces.
  void endpoints(Endpoint& source, Endpoint& destination) const;
};

inline IpAddress address_v4(const uint8_t* at) {
  // Made in a register and stored in one piece: a copy of it would wait for pieces.
  typedef uint32_t Words __attribute__((vector_size(16)));
  uint32_t first = 0;
  std::memcpy(&first, at, sizeof first);
  return {.bytes = std::bit_cast<std::array<uint8_t, 16>>(Words{first, 0, 0, 0}), .version = 4};
}
inline IpAddress address_v6(const uint8_t* at) {
  IpAddress address;
  std::memcpy(address.bytes.data(), at, 16);
  address.version = 6;
  return address;
}

// Whatever is out of the ordinary is none: PacketDecoder knows it. Of one that is found, its IP
// header is all there, and so are the ports behind it.
[[gnu::always_inline]] inline PlainPacket find_plain(const RawPacket& raw) {
  constexpr size_t kPortsBytes = 4;
  constexpr uint16_t kFragment = 0x3fff;  // more of them, or an offset
  size_t ip_at = 0;
  if (raw.link_type == kLinkEthernet) ip_at = 14;
  if (raw.link_type == kLinkCookedV2) ip_at = 20;
  if (raw.bytes.size() < ip_at + 20 + kPortsBytes) return {};
  const uint8_t* const at = raw.bytes.data() + ip_at;
  switch (raw.link_type) {
    case kLinkEthernet:
      if (load_be16(at - 2) != (at[0] >> 4 == 4 ? kTypeIpv4 : kTypeIpv6)) return {};
      break;
    case kLinkCookedV2:
      if (load_be16(at - 20) != (at[0] >> 4 == 4 ? kTypeIpv4 : kTypeIpv6)) return {};
      if (load_be16(at - 12) == kHardwareNetlink) return {};
      break;
    case kLinkRaw:
      break;
    default:
      return {};
  }
  size_t header_bytes = 40;
  if (at[0] >> 4 == 4) {
    if (at[9] != kProtocolTcp || (load_be16(at + 6) & kFragment) != 0) return {};
    header_bytes = (size_t{at[0]} & 0x0f) * 4;
  } else if (at[0] >> 4 == 6) {
    if (at[6] != kProtocolTcp) return {};
  } else {
    return {};
  }
  if (raw.bytes.size() < ip_at + header_bytes + kPortsBytes) return {};
  return {.ip = at, .ip_header_bytes = header_bytes};
}

[[gnu::always_inline]] inline void PlainPacket::endpoints(Endpoint& source,
                                                          Endpoint& destination) const {
  if (ip[0] >> 4 == 4) {
    source.address = address_v4(ip + 12);
    destination.address = address_v4(ip + 16);
  } else {
    source.address = address_v6(ip + 8);
    destination.address = address_v6(ip + 24);
  }
  source.port = load_be16(ip + ip_header_bytes);
  destination.port = load_be16(ip + ip_header_bytes + 2);
}

}  // namespace wiretally::pcap
