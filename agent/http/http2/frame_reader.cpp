#include "http2/frame_reader.h"

#include <algorithm>

namespace wiretally::http::http2 {
namespace {

constexpr uint32_t kPlausibleLengthMax = 1 << 20;
constexpr uint32_t kSettingBytes = 6;
constexpr uint32_t kPriorityBytes = 5;

uint32_t number_at(const uint8_t* bytes) {
  return static_cast<uint32_t>(bytes[0]) << 24 | static_cast<uint32_t>(bytes[1]) << 16 |
         static_cast<uint32_t>(bytes[2]) << 8 | bytes[3];
}

constexpr uint32_t kStreamMask = 0x7fff'ffff;

}  // namespace

FrameHeader parse_frame_header(const uint8_t* bytes) {
  return {.length = number_at(bytes) >> 8,
          .type = bytes[3],
          .flags = bytes[4],
          .stream = number_at(bytes + 5) & kStreamMask};
}

bool is_legal(const FrameHeader& header) {
  if (header.type > static_cast<uint8_t>(FrameType::kContinuation)) return true;
  switch (static_cast<FrameType>(header.type)) {
    case FrameType::kData:
    case FrameType::kHeaders:
    case FrameType::kContinuation:
    case FrameType::kPushPromise:
      return header.stream != 0;
    case FrameType::kPriority:  // of another length: an error of its stream alone, section 6.3
      return header.stream != 0;
    case FrameType::kRstStream:
      return header.stream != 0 && header.length == 4;
    case FrameType::kSettings:
      return header.stream == 0 && header.length % kSettingBytes == 0 &&
             (!header.has(kAck) || header.length == 0);
    case FrameType::kPing:
      return header.stream == 0 && header.length == 8;
    case FrameType::kGoaway:
      return header.stream == 0 && header.length >= 8;
    case FrameType::kWindowUpdate:
      return header.length == 4;
  }
  return false;
}

bool is_plausible(const FrameHeader& header) {
  // By type: the flags it has.
  constexpr uint8_t kFlags[] = {
      kEndStream | kPadded,                               // DATA
      kEndStream | kEndHeaders | kPadded | kHasPriority,  // HEADERS
      0,                                                  // PRIORITY
      0,                                                  // RST_STREAM
      kAck,                                               // SETTINGS
      kEndHeaders | kPadded,                              // PUSH_PROMISE
      kAck,                                               // PING
      0,                                                  // GOAWAY
      0,                                                  // WINDOW_UPDATE
      kEndHeaders,                                        // CONTINUATION
  };
  return header.type < std::size(kFlags) && (header.flags & ~kFlags[header.type]) == 0 &&
         header.length <= kPlausibleLengthMax && is_legal(header) &&
         (!header.is(FrameType::kPriority) || header.length == kPriorityBytes);
}

FrameReader::Step FrameReader::feed(ByteView rest) {
  switch (state_) {
    case State::kHeader:
    case State::kPrefix:
      return collect(rest);
    case State::kPayload: {
      if (payload_left_ == 0) {
        state_ = State::kPadding;
        return feed(rest);
      }
      const size_t used = std::min<size_t>(rest.size(), payload_left_);
      payload_left_ -= static_cast<uint32_t>(used);
      return {What::kPart, used};
    }
    case State::kPadding: {
      const size_t used = std::min<size_t>(rest.size(), padding_left_);
      padding_left_ = static_cast<uint8_t>(padding_left_ - used);
      if (padding_left_ > 0) return {What::kMore, used};
      state_ = State::kHeader;
      have_ = 0;
      return {What::kEnd, used};
    }
    case State::kBad:
      return {What::kBad, rest.size()};
  }
  return {What::kBad, rest.size()};
}

FrameReader::Step FrameReader::collect(ByteView rest) {
  size_t used = 0;
  if (state_ == State::kHeader) {
    used = std::min(rest.size(), kFrameHeaderBytes - have_);
    std::copy_n(rest.begin(), used, bytes_.begin() + have_);
    have_ = static_cast<uint8_t>(have_ + used);
    if (have_ < kFrameHeaderBytes) return {What::kMore, used};
    header_ = parse_frame_header(bytes_.data());
    if (!is_legal(header_) || prefix_bytes() > header_.length) {
      state_ = State::kBad;
      return {What::kBad, used};
    }
    state_ = State::kPrefix;
    have_ = 0;
    rest = rest.subspan(used);
  }
  // No prefix is longer than a header.
  const size_t wanted = prefix_bytes();
  while (have_ < wanted && !rest.empty()) {
    bytes_[have_++] = rest[0];
    rest = rest.subspan(1);
    ++used;
  }
  if (have_ < wanted) return {What::kMore, used};
  return begin(used);
}

size_t FrameReader::prefix_bytes() const {
  if (header_.type > static_cast<uint8_t>(FrameType::kContinuation)) return 0;
  switch (static_cast<FrameType>(header_.type)) {
    case FrameType::kData:
      return header_.has(kPadded) ? 1 : 0;
    case FrameType::kHeaders:
      return (header_.has(kPadded) ? 1u : 0u) + (header_.has(kHasPriority) ? 5u : 0u);
    case FrameType::kPushPromise:
      return (header_.has(kPadded) ? 1u : 0u) + 4u;
    case FrameType::kRstStream:
      return 4;
    case FrameType::kGoaway:
      return 8;
    case FrameType::kPriority:
    case FrameType::kSettings:
    case FrameType::kPing:
    case FrameType::kWindowUpdate:
    case FrameType::kContinuation:
      return 0;
  }
  return 0;
}

FrameReader::Step FrameReader::begin(size_t used) {
  const size_t prefix = have_;
  const bool may_pad = header_.is(FrameType::kData) || header_.is(FrameType::kHeaders) ||
                       header_.is(FrameType::kPushPromise);
  const bool padded = may_pad && header_.has(kPadded);
  padding_left_ = padded ? bytes_[0] : 0;
  number_ = 0;
  if (header_.is(FrameType::kPushPromise)) {
    number_ = number_at(bytes_.data() + (padded ? 1 : 0)) & kStreamMask;
  } else if (header_.is(FrameType::kGoaway)) {
    number_ = number_at(bytes_.data()) & kStreamMask;
  } else if (header_.is(FrameType::kRstStream)) {
    number_ = number_at(bytes_.data());
  }
  const size_t payload_and_padding = header_.length - prefix;
  if (padding_left_ > payload_and_padding) {
    state_ = State::kBad;
    return {What::kBad, used};
  }
  payload_left_ = static_cast<uint32_t>(payload_and_padding - padding_left_);
  state_ = State::kPayload;
  return {What::kBegin, used};
}

bool FrameReader::gap(uint64_t bytes, uint64_t& payload_bytes) {
  payload_bytes = 0;
  if (!in_payload() || bytes > uint64_t{payload_left_} + padding_left_) return false;
  payload_bytes = std::min<uint64_t>(bytes, payload_left_);
  payload_left_ -= static_cast<uint32_t>(payload_bytes);
  padding_left_ = static_cast<uint8_t>(padding_left_ - (bytes - payload_bytes));
  return true;
}

}  // namespace wiretally::http::http2
