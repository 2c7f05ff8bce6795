#include "http2/detector.h"

#include <cstring>

namespace wiretally::http::http2 {
namespace {

// Longer chains prove no more, and would cost the square of their length where frames are sought.
constexpr unsigned kPointsMax = 8;

}  // namespace

unsigned frame_points(ByteView bytes) {
  unsigned points = 0;
  uint64_t at = 0;
  while (at + kFrameHeaderBytes <= bytes.size() && points < kPointsMax) {
    const FrameHeader header = parse_frame_header(bytes.data() + at);
    if (!is_plausible(header)) return 0;
    ++points;
    at += kFrameHeaderBytes + header.length;
  }
  if (points > 0 && at == bytes.size()) ++points;
  return points;
}

size_t find_frames(ByteView bytes, bool event_begins) {
  if (event_begins && frame_points(bytes) > 0) return 0;
  // A length below 2^16, which is the rule, begins with 0.
  size_t at = 0;
  while (at < bytes.size()) {
    const void* const zero = std::memchr(bytes.data() + at, 0, bytes.size() - at);
    if (zero == nullptr) break;
    at = static_cast<size_t>(static_cast<const uint8_t*>(zero) - bytes.data());
    if (frame_points(bytes.subspan(at)) >= kCertainPoints) return at;
    ++at;
  }
  return bytes.size();
}

std::optional<size_t> Detector::look(ByteView bytes) {
  if (begun_) {
    const std::optional<size_t> found = follow(bytes);
    if (found.has_value() || begun_) return found;
  }
  if (frame_points(bytes) >= kCertainPoints) return 0;
  reset();
  begun_ = true;
  return follow(bytes);
}

std::optional<size_t> Detector::follow(ByteView bytes) {
  size_t at = 0;
  while (at < bytes.size() || reader_.has_step()) {
    const FrameReader::Step step = reader_.feed(bytes.subspan(at));
    at += step.used;
    switch (step.what) {
      case FrameReader::What::kMore:
      case FrameReader::What::kPart:
        break;
      case FrameReader::What::kBegin:
        if (!is_plausible(reader_.header())) {
          reset();
          return std::nullopt;
        }
        if (++points_ >= kCertainPoints) return at;
        break;
      case FrameReader::What::kEnd:
        if (at == bytes.size()) return at;
        break;
      case FrameReader::What::kBad:
        reset();
        return std::nullopt;
    }
  }
  return std::nullopt;
}

}  // namespace wiretally::http::http2
