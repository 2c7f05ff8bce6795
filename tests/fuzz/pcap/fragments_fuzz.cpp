// Fragments of a few IP packets, of both families, inside tunnels and out of them, as the input
// says: every segment that comes out is made of bytes that fragments stated for their places, every
// byte is accounted for, and memory stays in its limits.
//
// Input: one byte of limits, then operations of 6 bytes:
//   0 family, identification, wrapping · 1 offset · 2 blocks · 3 more, protocol, cut · 4 time
//   · 5 content
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "ignoring_sink.h"
#include "packet_decoder.h"

namespace {

using namespace wiretally;

constexpr size_t kOperationBytes = 6;
constexpr size_t kVariants = 2;

void require(bool condition) {
  if (!condition) std::abort();
}

// The packet that the fragments are of begins with this TCP header; behind it, each byte tells its
// place, so that bytes at wrong places are seen.
uint8_t content(size_t place, size_t variant) {
  static const uint8_t kHeader[20] = {0x9c, 0x40, 0x1f, 0x90, 0, 0, 0,    1, 0, 0,
                                      0,    0,    0x50, 0x10, 1, 0, 0xab, 1, 0, 0};
  if (place < sizeof kHeader) return kHeader[place];
  return static_cast<uint8_t>((place * 13 + (place >> 7)) & 0x7f) |
         static_cast<uint8_t>(variant << 7);
}

class CheckingSink final : public IgnoringSink {
 public:
  FlowDemand on_segment(const Segment& segment) override {
    bytes += segment.payload.size();
    missing += segment.payload_wire_bytes - segment.payload.size();
    ++segments;
    for (size_t i = 0; i < segment.payload.size(); ++i) {
      const uint8_t byte = segment.payload[i];
      require(byte == content(20 + i, byte >> 7));
    }
    return FlowDemand::kMore;
  }

  uint64_t segments = 0, bytes = 0, missing = 0;
};

void put16(std::vector<uint8_t>& out, size_t value) {
  out.push_back(static_cast<uint8_t>(value >> 8));
  out.push_back(static_cast<uint8_t>(value));
}

std::vector<uint8_t> ip_packet(bool v6, uint8_t protocol, uint8_t id, size_t offset, bool more,
                               const std::vector<uint8_t>& payload) {
  std::vector<uint8_t> out;
  if (v6) {
    out = {0x60, 0, 0, 0};
    put16(out, payload.size() + 8);
    out.insert(out.end(), {44, 64});
    for (const uint8_t end : {1, 2}) {
      out.insert(out.end(), 15, 0xfd);
      out.push_back(end);
    }
    out.insert(out.end(), {protocol, 0});
    put16(out, offset | (more ? 1 : 0));
    out.insert(out.end(), {0, 0, 0, id});
  } else {
    out = {0x45, 0};
    put16(out, 20 + payload.size());
    out.insert(out.end(), {0, id});
    put16(out, offset / 8 | (more ? 0x2000 : 0));
    out.insert(out.end(), {64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2});
  }
  out.insert(out.end(), payload.begin(), payload.end());
  return out;
}

void step(const uint8_t* op, pcap::PacketDecoder& decoder, int64_t& now_ns, uint64_t& number) {
  const bool v6 = (op[0] & 1) != 0;
  const size_t offset = size_t{op[1]} * 8;
  size_t length = size_t{op[2]} * 8;
  const bool more = (op[3] & 1) != 0;
  if (!more) length += op[5] & 7;
  std::vector<uint8_t> payload(length);
  for (size_t i = 0; i < length; ++i)
    payload[i] = content(offset + i, op[5] >> 3 & (kVariants - 1));
  const uint8_t protocols[] = {6, 6, 6, 17, 47, 4, 44, 58};
  std::vector<uint8_t> packet =
      ip_packet(v6, protocols[op[3] >> 1 & 7], op[0] >> 1 & 7, offset, more, payload);
  // Inside another IP packet, which is a fragment itself in one of three wrappings.
  const uint8_t wrapping = op[0] >> 4 & 3;
  if (wrapping == 1) packet = ip_packet(false, v6 ? 41 : 4, 200, 0, false, packet);
  if (wrapping == 2) packet = ip_packet(true, v6 ? 41 : 4, 201, 0, true, packet);
  now_ns += int64_t{op[4]} * op[4] * 10'000'000 - ((op[3] & 0x80) != 0 ? 2'000'000'000 : 0);
  pcap::RawPacket raw;
  raw.time.ns = now_ns;
  raw.link_type = 101;
  raw.wire_bytes = static_cast<uint32_t>(packet.size());
  const size_t cut = (op[3] & 0x40) != 0 ? packet.size() / 3 : 0;
  raw.bytes = ByteView(packet).first(packet.size() - cut);
  raw.number = ++number;
  decoder.decode(raw);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  Limits limits;
  limits.fragment_packets_max = data[0] & 1 ? 1 + (data[0] >> 4 & 3) : 12;
  if (data[0] & 2) limits.fragment_bytes_total = 8192;
  if (data[0] & 4) limits.packet_tunnel_depth_max = 1;
  const auto counters = std::make_unique<Counters>();
  CheckingSink sink;
  pcap::PacketDecoder decoder(limits, *counters, sink);
  int64_t now_ns = 1'000'000'000;
  uint64_t number = 0;
  const SourceCounters& counted = counters->of(Source::kPacket);
  const auto check = [&] {
    uint64_t passed = 0;
    for (const Cell& cell : counted.dropped_bytes) passed += cell.value();
    for (const Cell& cell : counted.skipped_bytes) passed += cell.value();
    require(counted.captured_bytes.value() == sink.bytes + passed);
    require(counted.missing_bytes[static_cast<size_t>(MissingReason::kPacketCaplen)].value() ==
            sink.missing);
  };
  for (size_t at = 1; at + kOperationBytes <= size; at += kOperationBytes) {
    step(data + at, decoder, now_ns, number);
    check();
  }
  decoder.finish();
  check();
  return 0;
}
