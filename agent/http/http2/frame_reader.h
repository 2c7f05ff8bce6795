// Frames of HTTP/2, RFC 9113 section 4.1, of one direction.
//
//   frame  = length(3) type(1) flags(1) R(1 bit) stream(31 bits), then `length` bytes:
//            [pad length(1)]              DATA, HEADERS, PUSH_PROMISE with PADDED
//            [dependency(4) weight(1)]    HEADERS with PRIORITY
//            [R promised stream(4)]       PUSH_PROMISE
//            [error code(4)]              RST_STREAM
//            [R last stream(4) error(4)]  GOAWAY
//            payload, padding
//
//   state     reads                                        to
//   kHeader   the nine bytes                               kPrefix, or kBad
//   kPrefix   what stands before the payload               kPayload, or kBad
//   kPayload  payload                                      kPadding
//   kPadding  padding                                      kHeader
//   kBad      nothing: bad until reset
//
// Limits: none needed, nothing is held but header and prefix. Unknown types are frames like any
// other; their flags mean nothing here.
#pragma once

#include <array>
#include <cstdint>

#include "wiretally/bytes.h"

namespace wiretally::http::http2 {

enum class FrameType : uint8_t {
  kData = 0,
  kHeaders = 1,
  kPriority = 2,
  kRstStream = 3,
  kSettings = 4,
  kPushPromise = 5,
  kPing = 6,
  kGoaway = 7,
  kWindowUpdate = 8,
  kContinuation = 9,
};

inline constexpr uint8_t kEndStream = 0x1;  // DATA, HEADERS
inline constexpr uint8_t kAck = 0x1;        // SETTINGS, PING
inline constexpr uint8_t kEndHeaders = 0x4;
inline constexpr uint8_t kPadded = 0x8;
inline constexpr uint8_t kHasPriority = 0x20;

inline constexpr size_t kFrameHeaderBytes = 9;

struct FrameHeader {
  uint32_t length = 0;
  uint8_t type = 0;
  uint8_t flags = 0;
  uint32_t stream = 0;

  bool is(FrameType wanted) const { return type == static_cast<uint8_t>(wanted); }
  bool has(uint8_t flag) const { return (flags & flag) != 0; }
};

// `bytes`: at least kFrameHeaderBytes.
FrameHeader parse_frame_header(const uint8_t* bytes);

// Whether RFC 9113 section 6 allows a frame to begin so: stream, fixed lengths.
bool is_legal(const FrameHeader& header);
// Whether bytes found anywhere may be a frame's header: legal, of a known type, without flags that
// type does not have, and no longer than frames are unless the peers have agreed on more.
bool is_plausible(const FrameHeader& header);

class FrameReader {
 public:
  enum class What : uint8_t {
    kMore,   // took bytes of header, prefix or padding; nothing is complete
    kBegin,  // header and prefix are complete
    kPart,   // took payload
    kEnd,    // the frame is over
    kBad,    // took bytes that cannot be a frame's header or prefix
  };
  struct Step {
    What what = What::kMore;
    size_t used = 0;
  };

  // Takes bytes from the beginning of `rest`. Call until `rest` is used up and has_step() is false.
  Step feed(ByteView rest);
  bool has_step() const { return state_ == State::kPayload ? payload_left_ == 0 : ends(); }
  // `bytes` were lost here, of which `payload_bytes` were payload of the open frame. False if the
  // loss goes past that frame: then the reader must be reset.
  [[nodiscard]] bool gap(uint64_t bytes, uint64_t& payload_bytes);
  void reset() { *this = FrameReader(); }

  const FrameHeader& header() const { return header_; }
  // Of PUSH_PROMISE: the promised stream; of GOAWAY: the last stream; of RST_STREAM: the error.
  uint32_t number() const { return number_; }
  // Of the open frame: payload that is still to come, and with its padding.
  uint64_t payload_left() const { return payload_left_; }
  uint64_t frame_left() const { return payload_left() + padding_left_; }
  bool bad() const { return state_ == State::kBad; }
  bool between_frames() const { return state_ == State::kHeader && have_ == 0; }
  // A frame's payload has begun.
  bool in_payload() const { return state_ == State::kPayload || state_ == State::kPadding; }

 private:
  enum class State : uint8_t { kHeader, kPrefix, kPayload, kPadding, kBad };

  bool ends() const { return state_ == State::kPadding && padding_left_ == 0; }
  Step collect(ByteView rest);
  Step begin(size_t used);
  size_t prefix_bytes() const;

  State state_ = State::kHeader;
  uint8_t have_ = 0;  // of header or prefix
  uint8_t padding_left_ = 0;
  std::array<uint8_t, kFrameHeaderBytes> bytes_{};
  FrameHeader header_;
  uint32_t number_ = 0;
  uint32_t payload_left_ = 0;
};

}  // namespace wiretally::http::http2
