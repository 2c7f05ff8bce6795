// Writes capture files for tests: TCP packets → frames of any link type → pcap or pcapng.
//
//   std::string file = make_capture({.format = CaptureFormat::kPcapng, .link = Link::kVlan},
//                                   {{.source = endpoint("10.0.0.1", 40000),
//                                     .destination = endpoint("10.0.0.2", 80),
//                                     .sequence = 1, .payload = "GET / ...", .time_ns = 1'000}});
//
// Everything is built as text: nothing here needs a test framework or the code under test.
#pragma once

#include <arpa/inet.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wiretally/capture.h"

namespace wiretally::test {

// --- numbers as bytes ----------------------------------------------------------------------------

inline std::string be16(uint32_t value) {
  return {static_cast<char>(value >> 8 & 0xff), static_cast<char>(value & 0xff)};
}
inline std::string be32(uint64_t value) {
  return be16(static_cast<uint32_t>(value >> 16 & 0xffff)) +
         be16(static_cast<uint32_t>(value & 0xffff));
}

// An address in text, "10.0.0.1" or "fd00::1", and a port.
inline Endpoint endpoint(const std::string& address, uint16_t port) {
  Endpoint result;
  result.port = port;
  const bool v6 = address.find(':') != std::string::npos;
  result.address.version = v6 ? 6 : 4;
  if (inet_pton(v6 ? AF_INET6 : AF_INET, address.c_str(), result.address.bytes.data()) != 1)
    std::abort();
  return result;
}

inline std::string address_bytes(const IpAddress& address) {
  const size_t size = address.version == 6 ? 16 : 4;
  return {reinterpret_cast<const char*>(address.bytes.data()), size};
}

// RFC 1071, over the concatenation of the parts given.
inline uint16_t internet_checksum(std::string_view bytes) {
  uint64_t sum = 0;
  for (size_t i = 0; i < bytes.size(); i += 2) {
    sum += static_cast<uint8_t>(bytes[i]) << 8;
    if (i + 1 < bytes.size()) sum += static_cast<uint8_t>(bytes[i + 1]);
  }
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

// --- packets -------------------------------------------------------------------------------------

struct TcpPacket {
  Endpoint source;
  Endpoint destination;
  uint32_t sequence = 0;
  uint32_t acknowledgment = 0;
  uint8_t flags = TcpFlags::kAck;
  std::string payload = {};
  int64_t time_ns = 0;
  uint16_t window = 65'535;
  std::optional<uint8_t> window_scale = {};
};

// TCP header with correct checksum, and payload.
inline std::string tcp_bytes(const TcpPacket& packet) {
  std::string options;
  if (packet.window_scale)
    options = std::string("\x01\x03\x03") + static_cast<char>(*packet.window_scale);
  const size_t header_bytes = 20 + options.size();
  std::string tcp = be16(packet.source.port) + be16(packet.destination.port) +
                    be32(packet.sequence) + be32(packet.acknowledgment);
  tcp += static_cast<char>(header_bytes / 4 << 4);
  tcp += static_cast<char>(packet.flags);
  tcp += be16(packet.window) + be16(0) + be16(0) + options + packet.payload;
  const std::string pseudo_header = address_bytes(packet.source.address) +
                                    address_bytes(packet.destination.address) + be32(6) +
                                    be32(tcp.size());
  tcp.replace(16, 2, be16(internet_checksum(pseudo_header + tcp)));
  return tcp;
}

// An IP packet of the address family of `source` around `content`.
inline std::string ip_bytes(const IpAddress& source, const IpAddress& destination, uint8_t protocol,
                            const std::string& content) {
  const std::string addresses = address_bytes(source) + address_bytes(destination);
  if (source.version == 6)
    return be32(0x6000'0000) + be16(static_cast<uint32_t>(content.size())) +
           static_cast<char>(protocol) + '\x40' + addresses + content;
  std::string header = be16(0x4500) + be16(static_cast<uint32_t>(20 + content.size())) + be16(1) +
                       be16(0x4000) + '\x40' + static_cast<char>(protocol) + be16(0) + addresses;
  header.replace(10, 2, be16(internet_checksum(header)));
  return header + content;
}
inline std::string ip_bytes(const TcpPacket& packet) {
  return ip_bytes(packet.source.address, packet.destination.address, 6, tcp_bytes(packet));
}

// A UDP datagram without checksum, for tunnels.
inline std::string udp_bytes(uint16_t destination_port, const std::string& content) {
  return be16(33'333) + be16(destination_port) + be16(static_cast<uint32_t>(8 + content.size())) +
         be16(0) + content;
}

// --- frames --------------------------------------------------------------------------------------

enum class Link {
  kEthernet,
  kVlan,
  kQinq,
  kSll,
  kSll2,
  kRaw12,
  kRaw101,
  kNull,
  kLoop,
  kIpv4,
  kIpv6
};
inline constexpr Link kAllLinks[] = {Link::kEthernet, Link::kVlan,  Link::kQinq,   Link::kSll,
                                     Link::kSll2,     Link::kRaw12, Link::kRaw101, Link::kNull,
                                     Link::kLoop};  // those of either address family

inline const char* link_name(Link link) {
  constexpr const char* kNames[] = {"eth",    "vlan", "qinq", "sll",  "sll2", "raw12",
                                    "raw101", "null", "loop", "ipv4", "ipv6"};
  return kNames[static_cast<size_t>(link)];
}
inline uint16_t link_type_of(Link link) {
  constexpr uint16_t kTypes[] = {1, 1, 1, 113, 276, 12, 101, 0, 108, 228, 229};
  return kTypes[static_cast<size_t>(link)];
}

inline constexpr uint16_t kTestVlan = 42;
inline constexpr uint16_t kTestOuterVlan = 7;

inline std::string ethernet_bytes(uint16_t type, const std::string& content) {
  return std::string("\x02\0\0\0\0\x01\x02\0\0\0\0\x02", 12) + be16(type) + content;
}

// A frame of the link type around an IP packet.
inline std::string frame_bytes(Link link, const std::string& ip) {
  const bool v6 = !ip.empty() && static_cast<uint8_t>(ip[0]) >> 4 == 6;
  const uint16_t type = v6 ? 0x86dd : 0x0800;
  const std::string mac("\x02\0\0\0\0\x02\0\0", 8);
  switch (link) {
    case Link::kEthernet:
      return ethernet_bytes(type, ip);
    case Link::kVlan:
      return ethernet_bytes(0x8100, be16(kTestVlan) + be16(type) + ip);
    case Link::kQinq:
      return ethernet_bytes(
          0x88a8, be16(kTestOuterVlan) + be16(0x8100) + be16(kTestVlan) + be16(type) + ip);
    case Link::kSll:
      return be16(0) + be16(1) + be16(6) + mac + be16(type) + ip;
    case Link::kSll2:
      return be16(type) + be16(0) + be32(2) + be16(1) + '\0' + '\x06' + mac + ip;
    case Link::kNull:  // as a little-endian Linux machine writes it
      return std::string(1, v6 ? '\x0a' : '\x02') + std::string(3, '\0') + ip;
    case Link::kLoop:
      return be32(v6 ? 24 : 2) + ip;
    case Link::kRaw12:
    case Link::kRaw101:
    case Link::kIpv4:
    case Link::kIpv6:
      break;
  }
  return ip;
}
inline std::string frame_bytes(Link link, const TcpPacket& packet) {
  return frame_bytes(link, ip_bytes(packet));
}

// --- files ---------------------------------------------------------------------------------------

// Numbers in the byte order of a file.
class FileNumbers {
 public:
  explicit FileNumbers(bool big_endian) : big_endian_(big_endian) {}

  std::string u16(uint64_t value) const { return bytes(value, 2); }
  std::string u32(uint64_t value) const { return bytes(value, 4); }
  std::string u64(uint64_t value) const { return bytes(value, 8); }

 private:
  std::string bytes(uint64_t value, size_t size) const {
    std::string result(size, '\0');
    for (size_t i = 0; i < size; ++i, value >>= 8)
      result[big_endian_ ? size - 1 - i : i] = static_cast<char>(value & 0xff);
    return result;
  }
  bool big_endian_;
};

inline bool save_file(const std::string& path, std::string_view bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return static_cast<bool>(file.flush());
}

class PcapWriter {
 public:
  struct Options {
    uint32_t link_word = 1;  // link type, and the bits above it
    bool nanoseconds = false;
    bool big_endian = false;
    uint16_t minor_version = 4;
  };

  explicit PcapWriter(Options options) : numbers_(options.big_endian), options_(options) {
    bytes_ = numbers_.u32(options.nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4) + numbers_.u16(2) +
             numbers_.u16(options.minor_version) + numbers_.u32(0) + numbers_.u32(0) +
             numbers_.u32(262'144) + numbers_.u32(options.link_word);
  }

  // `wire_bytes` is how long the frame was before it was cut; 0 = it was not cut.
  void add(int64_t time_ns, std::string_view frame, uint32_t wire_bytes = 0) {
    constexpr int64_t kNsPerSecond = 1'000'000'000;
    const int64_t fraction = time_ns % kNsPerSecond / (options_.nanoseconds ? 1 : 1000);
    bytes_ += numbers_.u32(static_cast<uint64_t>(time_ns / kNsPerSecond)) +
              numbers_.u32(static_cast<uint64_t>(fraction)) + numbers_.u32(frame.size()) +
              numbers_.u32(wire_bytes != 0 ? wire_bytes : frame.size());
    bytes_ += frame;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  FileNumbers numbers_;
  Options options_;
  std::string bytes_;
};

class PcapngWriter {
 public:
  explicit PcapngWriter(bool big_endian = false) : numbers_(big_endian) { add_section(big_endian); }

  // Interfaces are numbered from 0 in each section.
  void add_section(bool big_endian = false) {
    numbers_ = FileNumbers(big_endian);
    interfaces_ = 0;
    add_block(0x0a0d0d0a, numbers_.u32(0x1a2b3c4d) + numbers_.u16(1) + numbers_.u16(0) +
                              numbers_.u64(~uint64_t{0}));
  }
  // Returns the interface's number. `resolution` is if_tsresol: 9 = nanoseconds.
  uint32_t add_interface(uint16_t link_type, std::optional<uint8_t> resolution = 9,
                         std::optional<int64_t> offset_s = {}, uint32_t snap_bytes = 0) {
    std::string options;
    if (resolution) options += option(9, std::string(1, static_cast<char>(*resolution)));
    if (offset_s) options += option(14, numbers_.u64(static_cast<uint64_t>(*offset_s)));
    if (!options.empty()) options += option(0, "");
    add_block(1, numbers_.u16(link_type) + numbers_.u16(0) + numbers_.u32(snap_bytes) + options);
    return interfaces_++;
  }
  // Enhanced packet block; `ticks` in the interface's resolution.
  void add(uint32_t interface, uint64_t ticks, const std::string& frame, uint32_t wire_bytes = 0,
           const std::string& options = {}) {
    add_block(6, numbers_.u32(interface) + numbers_.u32(ticks >> 32) +
                     numbers_.u32(ticks & 0xffff'ffff) + numbers_.u32(frame.size()) +
                     numbers_.u32(wire_bytes != 0 ? wire_bytes : frame.size()) + padded(frame) +
                     options);
  }
  // Simple packet block: interface 0, no time.
  void add_simple(const std::string& frame, uint32_t wire_bytes = 0) {
    add_block(3, numbers_.u32(wire_bytes != 0 ? wire_bytes : frame.size()) + padded(frame));
  }
  // The obsolete packet block.
  void add_obsolete(uint16_t interface, uint64_t ticks, const std::string& frame) {
    add_block(2, numbers_.u16(interface) + numbers_.u16(0) + numbers_.u32(ticks >> 32) +
                     numbers_.u32(ticks & 0xffff'ffff) + numbers_.u32(frame.size()) +
                     numbers_.u32(frame.size()) + padded(frame));
  }
  void add_block(uint32_t type, const std::string& body) {
    const std::string content = padded(body);
    const std::string length = numbers_.u32(content.size() + 12);
    bytes_ += numbers_.u32(type) + length + content + length;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  static std::string padded(std::string bytes) {
    bytes.resize((bytes.size() + 3) / 4 * 4);
    return bytes;
  }
  std::string option(uint16_t code, const std::string& value) const {
    return numbers_.u16(code) + numbers_.u16(value.size()) + padded(value);
  }

  FileNumbers numbers_;
  uint32_t interfaces_ = 0;
  std::string bytes_;
};

enum class CaptureFormat { kPcapMicro, kPcapNano, kPcapng };

struct CaptureShape {
  CaptureFormat format = CaptureFormat::kPcapNano;
  Link link = Link::kEthernet;
  bool big_endian = false;
};

// A whole capture file of these packets, in this order.
inline std::string make_capture(const CaptureShape& shape, const std::vector<TcpPacket>& packets) {
  const uint16_t link_type = link_type_of(shape.link);
  if (shape.format == CaptureFormat::kPcapng) {
    PcapngWriter writer(shape.big_endian);
    const uint32_t interface = writer.add_interface(link_type);
    for (const TcpPacket& packet : packets)
      writer.add(interface, static_cast<uint64_t>(packet.time_ns), frame_bytes(shape.link, packet));
    return writer.bytes();
  }
  PcapWriter writer({.link_word = link_type,
                     .nanoseconds = shape.format == CaptureFormat::kPcapNano,
                     .big_endian = shape.big_endian});
  for (const TcpPacket& packet : packets)
    writer.add(packet.time_ns, frame_bytes(shape.link, packet));
  return writer.bytes();
}

}  // namespace wiretally::test
