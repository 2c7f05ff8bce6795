// Arbitrary bytes as a capture file, read and decoded. Each input is read twice, the second time
// with ports filtered: what was found must not depend on memory around it.
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "capture_file.h"
#include "ignoring_sink.h"
#include "packet_decoder.h"

namespace {

using namespace wiretally;

void require(bool condition) {
  if (!condition) std::abort();
}

// Checks each segment against the packet it came from.
class CheckingSink final : public IgnoringSink {
 public:
  FlowDemand on_segment(const Segment& segment) override {
    ++segments;
    bytes += segment.payload.size();
    require(segment.payload_wire_bytes >= segment.payload.size());
    require(segment.payload_wire_bytes <= Limits{}.packet_wire_bytes_max);
    missing += segment.payload_wire_bytes - segment.payload.size();
    require(segment.packet_number == packet->number);
    require(segment.source.known() && segment.destination.known());
    // Readable to its last byte; of a packet put together from fragments it lies elsewhere.
    for (const uint8_t byte : segment.payload) sum += byte;
    return FlowDemand::kMore;
  }

  const pcap::RawPacket* packet = nullptr;
  uint64_t segments = 0;
  uint64_t bytes = 0;
  uint64_t missing = 0;
  uint64_t sum = 0;
};

uint64_t read(ByteView input, std::span<const uint16_t> ports) {
  auto file = pcap::CaptureFile::open_memory(input);
  if (!file) {
    require(!file.error().message.empty());
    return 0;
  }
  const Limits limits;
  const auto counters = std::make_unique<Counters>();
  CheckingSink sink;
  pcap::PacketDecoder decoder(limits, *counters, sink);
  decoder.only_ports(ports);
  pcap::RawPacket packet;
  sink.packet = &packet;
  const bool packed = pcap::Unpacker::for_magic(input) != nullptr;
  uint64_t number = 0;
  pcap::CaptureFile::Step step{};
  while ((step = file->next(packet)) == pcap::CaptureFile::Step::kPacket) {
    require(packet.number == ++number);
    require(packet.wire_bytes >= packet.bytes.size());
    require(packet.bytes.size() <= limits.capture_packet_bytes_max);
    require(packet.file_offset < input.size() || packed);  // else of what it unpacks to
    decoder.decode(packet);
  }
  require((step == pcap::CaptureFile::Step::kCorrupt) == !file->error().empty());
  require(file->next(packet) == step);

  decoder.finish();

  const SourceCounters& counted = counters->of(Source::kPacket);
  uint64_t dropped_events = 0, dropped_bytes = 0, copies = 0;
  for (const Cell& cell : counted.dropped_events) dropped_events += cell.value();
  for (const Cell& cell : counted.dropped_bytes) dropped_bytes += cell.value();
  for (const Cell& cell : counted.skipped_bytes) copies += cell.value();
  require(counted.captured_bytes.value() == sink.bytes + dropped_bytes + copies);
  require(counted.captured_events.value() >= sink.segments + dropped_events);
  require(counted.missing_bytes[static_cast<size_t>(MissingReason::kPacketCaplen)].value() ==
          sink.missing);
  decoder.link_type_error();
  return sink.segments;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const uint16_t ports[] = {8080};
  const uint64_t all = read({data, size}, {});
  require(read({data, size}, ports) <= all);
  return 0;
}
