// One connection whose handshake was seen, then segments of both directions from the input: every
// byte delivered is the first copy captured of its place, no byte that was captured before lies in
// a gap, every byte is accounted for, and memory stays in its limits.
//
// With small limits, or with bad checksums, a later copy may be the one delivered; then a byte must
// still be one that was sent for its place.
//
// Input: one byte of choices, then operations of 8 bytes:
//   0 flags · 1–2 place · 3–4 length · 5–6 ack · 7 content, window, time
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "stream_room.h"
#include "wiretally/counters.h"

namespace wiretally::stream {
namespace {

constexpr size_t kOperationBytes = 8;
constexpr size_t kPlaces = 1 << 16;
constexpr uint32_t kFirst[2] = {0xFFFF'F000u, 0x7FFF'FF00u};  // close to a wrap

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

// What was captured for each place of one direction.
struct Sent {
  std::vector<int16_t> first = std::vector<int16_t>(kPlaces, -1);
  std::vector<uint8_t> variants = std::vector<uint8_t>(kPlaces, 0);  // a bit each
};

uint8_t content(size_t place, unsigned variant) {
  return static_cast<uint8_t>((place * 7 + (place >> 8)) & 0x3F) |
         static_cast<uint8_t>(variant << 6);
}

class Run final : public StreamSink {
 public:
  explicit Run(uint8_t choice)
      : strict_((choice & 0x0F) == 0),
        limits_(limits_of(choice)),
        room_(limits_, *counters_, *this) {
    handshake();
  }

  void step(const uint8_t* data) {
    const size_t side = data[0] & 1;
    const size_t place = (data[1] | size_t{data[2]} << 8) & 0x7FFF;
    const size_t length = (data[3] | size_t{data[4]} << 8) % 3000;
    const unsigned variant = data[7] & 3;
    std::vector<uint8_t> bytes(length);
    for (size_t i = 0; i < length; ++i) bytes[i] = content(place + i, variant);
    Segment segment = from(side);
    segment.sequence = kFirst[side] + static_cast<uint32_t>(place);
    segment.acknowledgment = kFirst[1 - side] + ((data[5] | uint32_t{data[6]} << 8) & 0x7FFF);
    segment.flags.bits = TcpFlags::kAck;
    if (data[0] & 0x02) {
      segment.flags.bits |= TcpFlags::kFin;
      fin_[side] = std::min(fin_[side], place + length);
    }
    segment.window = static_cast<uint16_t>(data[7] << 8);
    const size_t cut = data[0] & 0x04 ? length / 2 : 0;
    segment.payload = ByteView(bytes).first(length - cut);
    segment.payload_wire_bytes = static_cast<uint32_t>(length);
    segment.checksum_bad = !strict_ && (data[0] & 0x08) != 0;
    now_ns_ += int64_t{data[7]} * data[7] * 100'000;
    if (data[0] & 0x10) now_ns_ -= 1'000'000'000;
    segment.time = {.ns = now_ns_, .clock = Clock::kCapture};
    // What has become certain by time alone comes out before the segment is captured.
    room_.on_time(segment.time);
    for (size_t i = 0; i < segment.payload.size(); ++i) {
      int16_t& first = sent_[side].first[place + i];
      if (first < 0) first = bytes[i];
      sent_[side].variants[place + i] |= static_cast<uint8_t>(1 << variant);
    }
    counters_->capture(Source::kPacket, segment.payload.size());
    room_.on_segment(segment);
    check();
  }

  void end() {
    room_.on_end({.ns = now_ns_, .clock = Clock::kCapture});
    check();
    require(room_.pieces_in_use() == 0, "no piece is held at the end");
  }

  FlowDemand on_stream(const StreamEvent& event) override {
    const auto way = static_cast<size_t>(event.direction);
    // What comes behind the close may begin a connection anew, whose offsets are others.
    if (event.flow != FlowId{1}) {
      counters_->parse(Source::kPacket, event.bytes.size());
      return FlowDemand::kMore;
    }
    if (event.kind == StreamEvent::Kind::kData) {
      require(event.offset == next_[way], "data continues its direction");
      for (size_t i = 0; i < event.bytes.size(); ++i) {
        const size_t place = event.offset + i;
        const uint8_t byte = event.bytes[i];
        require(place < kPlaces && byte == content(place, byte >> 6) &&
                    (sent_[way].variants[place] & 1 << (byte >> 6)) != 0,
                "a byte delivered was sent for its place");
        require(!strict_ || sent_[way].first[place] == byte, "the first copy is delivered");
      }
      next_[way] += event.bytes.size();
      counters_->parse(Source::kPacket, event.bytes.size());
    } else if (event.kind == StreamEvent::Kind::kGap) {
      require(event.offset == next_[way] && event.gap_bytes > 0, "a gap continues its direction");
      next_[way] += event.gap_bytes;
      for (size_t place = event.offset; strict_ && place < std::min(next_[way], fin_[way]);
           ++place) {
        require(sent_[way].first[place] < 0, "no captured byte lies in a gap");
      }
    }
    return FlowDemand::kMore;
  }
  void on_time(EventTime) override {}

 private:
  static Limits limits_of(uint8_t choice) {
    Limits limits;
    if (choice & 0x02) limits.reorder_bytes_per_direction = 3000;
    if (choice & 0x04) limits.reorder_bytes_total = 8 * sizeof(Piece);
    if (choice & 0x08) limits.reorder_segments_per_direction = 4;
    return limits;
  }

  static Segment from(size_t side) {
    Segment segment;
    Endpoint ends[2];
    for (uint8_t i = 0; i < 2; ++i) {
      ends[i].address.version = 4;
      ends[i].address.bytes = {10, 0, 0, i};
      ends[i].port = static_cast<uint16_t>(1000 + i);
    }
    segment.source = ends[side];
    segment.destination = ends[1 - side];
    return segment;
  }
  void handshake() {
    for (const size_t side : {0u, 1u}) {
      Segment syn = from(side);
      syn.sequence = kFirst[side] - 1;
      syn.acknowledgment = kFirst[0];
      syn.flags.bits = TcpFlags::kSyn | (side == 1 ? TcpFlags::kAck : 0);
      syn.window = 65'535;
      syn.window_scale = 2;
      syn.time = {.ns = now_ns_, .clock = Clock::kCapture};
      counters_->capture(Source::kPacket, 0);
      room_.on_segment(syn);
    }
  }

  void check() const {
    const SourceCounters& of = counters_->of(Source::kPacket);
    uint64_t seen = of.parsed_bytes.value() + of.buffered_bytes.value();
    for (const Cell& cell : of.skipped_bytes) seen += cell.value();
    for (const Cell& cell : of.dropped_bytes) seen += cell.value();
    require(of.captured_bytes.value() == seen, "captured = parsed + skipped + dropped + held");
    require(of.buffered_bytes.value() <= 2 * limits_.reorder_bytes_per_direction,
            "reordering stays in its memory");
  }

  const bool strict_;
  const Limits limits_;
  std::unique_ptr<Counters> counters_ = std::make_unique<Counters>();
  StreamRoom room_;
  Sent sent_[2];
  size_t next_[2] = {};
  size_t fin_[2] = {kPlaces, kPlaces};  // the lowest stated: bytes behind it may be nobody's
  int64_t now_ns_ = 1'000'000'000;
};

}  // namespace
}  // namespace wiretally::stream

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace wiretally::stream;
  if (size == 0) return 0;
  Run run(data[0]);
  for (size_t at = 1; at + kOperationBytes <= size; at += kOperationBytes) run.step(data + at);
  run.end();
  return 0;
}
