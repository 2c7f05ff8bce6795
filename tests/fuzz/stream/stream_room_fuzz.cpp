// Bytes decoded into segments, chunks and closes of a few connections. Whatever they say: the order
// of events holds, offsets continue, every byte is accounted for and memory stays in its limits.
//
// Input: one byte of limits, then operations of 12 bytes each:
//   0 what and which flow · 1 flags · 2–5 sequence or offset · 6–7 ack or peer offset · 8–9 length
//   · 10 cut · 11 time step
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "stream_room.h"
#include "unit/stream/recorder.h"

namespace wiretally::stream {
namespace {

constexpr size_t kOperationBytes = 12;

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

struct Operation {
  explicit Operation(const uint8_t* data)
      : kind(data[0] & 0x0F),
        flow(data[0] >> 4 & 0x03),
        reverse((data[0] & 0x40) != 0),
        wide((data[0] & 0x80) != 0),
        flags(data[1]),
        place(static_cast<uint32_t>(data[2]) | static_cast<uint32_t>(data[3]) << 8 |
              static_cast<uint32_t>(data[4]) << 16 | static_cast<uint32_t>(data[5]) << 24),
        ack(static_cast<uint32_t>(data[6]) | static_cast<uint32_t>(data[7]) << 8),
        length((static_cast<uint32_t>(data[8]) | static_cast<uint32_t>(data[9]) << 8) % 3000),
        cut(data[10]),
        step_ns(int64_t{data[11]} * data[11] * 1'000'000) {}

  uint8_t kind;
  uint8_t flow;
  bool reverse;
  bool wide;  // sequence numbers from the whole space
  uint8_t flags;
  uint32_t place;
  uint32_t ack;
  uint32_t length;
  uint8_t cut;
  int64_t step_ns;
};

class Run {
 public:
  explicit Run(uint8_t choice) : limits_(limits_of(choice)), room_(limits_, *counters_, sink_) {
    if (choice & 0x40) sink_.demand = FlowDemand::kHeadsOnly;
    if (choice & 0x80) sink_.ignore_from_event = 20;
    for (size_t i = 0; i < payload_.size(); ++i) payload_[i] = static_cast<uint8_t>(i * 31 >> 3);
  }

  void step(const Operation& operation) {
    now_ns_ += operation.step_ns;
    switch (operation.kind) {
      case 0:
        chunk(operation);
        break;
      case 1:
        room_.on_connection_close({.time = boot(),
                                   .connection = key(operation),
                                   .reason = CloseReason::kFreed,
                                   .written_offset = operation.place & 0xFFFF,
                                   .read_offset = operation.ack});
        break;
      case 2:
        room_.on_connection_audit({.time = boot(),
                                   .connection = key(operation),
                                   .written_offset = operation.place & 0xFFFF,
                                   .read_offset = operation.ack});
        break;
      case 3:
        room_.on_time({.ns = now_ns_, .clock = Clock::kCapture});
        break;
      case 4:
        now_ns_ -= 4 * operation.step_ns;
        break;
      default:
        segment(operation);
    }
    check();
  }

  void end() {
    room_.on_end({.ns = now_ns_, .clock = Clock::kCapture});
    check();
    require(sink_.flows.empty(), "every flow closes at the end");
    require(room_.pieces_in_use() == 0, "no piece is held at the end");
    require(counters_->of(Source::kPacket).buffered_bytes.value() == 0, "no byte is held");
  }

 private:
  static Limits limits_of(uint8_t choice) {
    Limits limits;
    if (choice & 0x01) limits.flows_max = 2;
    if (choice & 0x02) limits.reorder_bytes_per_direction = 2000;
    if (choice & 0x04) limits.reorder_bytes_total = 8 * sizeof(Piece);
    if (choice & 0x08) limits.reorder_segments_per_direction = 3;
    return limits;
  }

  EventTime boot() const { return {.ns = now_ns_, .clock = Clock::kBoot}; }

  static ConnectionKey key(const Operation& operation) {
    return {.pid = 1,
            .process_start_ns = 1,
            .handle = operation.flow,
            .generation = static_cast<uint32_t>(operation.flags & 0x03)};
  }

  void segment(const Operation& operation) {
    Segment segment;
    Endpoint ends[2];
    for (int i = 0; i < 2; ++i) {
      ends[i].address.version = 4;
      ends[i].address.bytes[3] = static_cast<uint8_t>(i + 1);
      ends[i].port = static_cast<uint16_t>(i == 0 ? 1000 + operation.flow : 80);
    }
    segment.time = {.ns = now_ns_, .clock = Clock::kCapture};
    segment.source = ends[operation.reverse ? 1 : 0];
    segment.destination = ends[operation.reverse ? 0 : 1];
    // Near the wrap, so that small inputs cross it.
    segment.sequence = operation.wide ? operation.place : 0xFFFFF000u + (operation.place & 0x3FFF);
    segment.acknowledgment = 0xFFFFF000u + (operation.ack & 0x3FFF);
    segment.flags.bits = operation.flags & 0x17;
    segment.window = 4000;
    if (segment.flags.syn() && (operation.flags & 0x08)) segment.window_scale = operation.cut;
    const ByteView all(payload_);
    const size_t from = operation.flags & 0x80 ? 7 : segment.sequence & 0x3FFF;
    segment.payload = all.subspan(from, operation.length);
    segment.payload_wire_bytes = operation.length + (operation.cut > 200 ? operation.cut : 0);
    segment.encapsulation = operation.flags >> 5 & 1;
    segment.checksum_bad = (operation.flags & 0x40) != 0;
    counters_->capture(Source::kPacket, segment.payload.size());
    room_.on_segment(segment);
  }

  void chunk(const Operation& operation) {
    Chunk chunk;
    chunk.time = boot();
    chunk.connection = key(operation);
    chunk.transfer = operation.reverse ? Transfer::kRead : Transfer::kWritten;
    chunk.offset = operation.place & 0xFFFF;
    chunk.peer_offset = operation.ack;
    chunk.joined = operation.wide;
    chunk.bytes = ByteView(payload_).first(operation.length);
    counters_->capture(Source::kTls, chunk.bytes.size());
    room_.on_chunk(chunk);
  }

  void check() {
    require(sink_.violation.empty(), sink_.violation.c_str());
    for (Source source : {Source::kTls, Source::kPacket}) {
      require(sink_.unaccounted(source) == 0, "captured = delivered + skipped + dropped + held");
    }
    require(room_.pieces_in_use() * sizeof(Piece) <= limits_.reorder_bytes_total,
            "reordering stays in its memory");
    require(room_.flows() <= 2 * limits_.flows_max, "flows stay in their limit");
  }

  std::vector<uint8_t> payload_ = std::vector<uint8_t>(0x5000);
  std::unique_ptr<Counters> counters_ = std::make_unique<Counters>();
  Recorder sink_{*counters_, false};
  Limits limits_;
  StreamRoom room_;
  int64_t now_ns_ = 1'000'000'000;
};

}  // namespace
}  // namespace wiretally::stream

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace wiretally::stream;
  if (size == 0) return 0;
  Run run(data[0]);
  for (size_t at = 1; at + kOperationBytes <= size; at += kOperationBytes) {
    run.step(Operation(data + at));
  }
  run.end();
  return 0;
}
