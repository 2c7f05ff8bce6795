// The numbers by which headers name what follows them: LINKTYPE_, EtherType, IP protocols, UDP
// ports.
#pragma once

#include <cstdint>

namespace wiretally::pcap {

// LINKTYPE_ numbers.
inline constexpr uint32_t kLinkNull = 0;
inline constexpr uint32_t kLinkEthernet = 1;
inline constexpr uint32_t kLinkPpp = 9;
inline constexpr uint32_t kLinkRawLinux = 12;  // DLT_RAW's number here ...
inline constexpr uint32_t kLinkRawBsd = 14;    // ... and on OpenBSD: both end up in files
inline constexpr uint32_t kLinkPppHdlc = 50;
inline constexpr uint32_t kLinkPppoe = 51;
inline constexpr uint32_t kLinkRaw = 101;
inline constexpr uint32_t kLinkLoop = 108;
inline constexpr uint32_t kLinkCookedV1 = 113;
inline constexpr uint32_t kLinkUser2 = 149;  // Apple's tcpdump writes PKTAP under it
inline constexpr uint32_t kLinkIpv4 = 228;
inline constexpr uint32_t kLinkIpv6 = 229;
inline constexpr uint32_t kLinkNflog = 239;
inline constexpr uint32_t kLinkPktap = 258;
inline constexpr uint32_t kLinkCookedV2 = 276;

// In a cooked header: the type is a netlink family.
inline constexpr uint16_t kHardwareNetlink = 824;

inline constexpr uint16_t kTypeIpv4 = 0x0800;
inline constexpr uint16_t kTypeVlan = 0x8100;
inline constexpr uint16_t kTypeIpv6 = 0x86dd;
inline constexpr uint16_t kTypeMplsUnicast = 0x8847;
inline constexpr uint16_t kTypeMplsMulticast = 0x8848;
inline constexpr uint16_t kTypePppoeSession = 0x8864;
inline constexpr uint16_t kTypeVlanService = 0x88a8;
inline constexpr uint16_t kTypeVlanOld = 0x9100;
inline constexpr uint16_t kTypeBridgedEthernet = 0x6558;
inline constexpr uint16_t kTypeErspan = 0x88be;  // types I and II
inline constexpr uint16_t kTypeErspan3 = 0x22eb;
inline constexpr uint16_t kTypeMin = 0x0600;    // smaller numbers are an 802.3 length
inline constexpr uint16_t kCookedLlc = 0x0004;  // in a cooked header: LLC follows

inline constexpr uint8_t kProtocolHopByHop = 0;
inline constexpr uint8_t kProtocolIpv4 = 4;
inline constexpr uint8_t kProtocolTcp = 6;
inline constexpr uint8_t kProtocolUdp = 17;
inline constexpr uint8_t kProtocolIpv6 = 41;
inline constexpr uint8_t kProtocolRouting = 43;
inline constexpr uint8_t kProtocolFragment = 44;
inline constexpr uint8_t kProtocolGre = 47;
inline constexpr uint8_t kProtocolAuthentication = 51;
inline constexpr uint8_t kProtocolDestination = 60;
inline constexpr uint8_t kProtocolMobility = 135;

inline constexpr uint16_t kPortVxlan = 4789;
inline constexpr uint16_t kPortVxlanOld = 8472;  // flannel, Cilium
inline constexpr uint16_t kPortGeneve = 6081;
inline constexpr uint16_t kPortGtp = 2152;

}  // namespace wiretally::pcap
