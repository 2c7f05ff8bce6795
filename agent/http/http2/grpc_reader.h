// The messages of a gRPC body (gRPC over HTTP/2, "Length-Prefixed-Message"):
//
//   message = compressed(1, 0 or 1) length(4) then `length` bytes
//
// Limits: none needed, only the five bytes are held. A first byte other than 0 or 1 is no gRPC: bad
// until reset.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "wiretally/bytes.h"

namespace wiretally::http::http2 {

class GrpcReader {
 public:
  struct Message {
    uint32_t bytes = 0;
    bool compressed = false;
  };

  // Takes bytes from the beginning of `rest`; stops behind each message's prefix and gives what it
  // says. Call until `rest` is empty.
  std::optional<Message> feed(ByteView& rest) {
    while (!rest.empty()) {
      switch (state_) {
        case State::kPrefix: {
          if (have_ == 0 && rest[0] > 1) {
            state_ = State::kBad;
            break;
          }
          if (have_ == 0) {
            message_ = {.bytes = 0, .compressed = rest[0] == 1};
          } else {
            message_.bytes = message_.bytes << 8 | rest[0];
          }
          rest = rest.subspan(1);
          if (++have_ < kPrefixBytes) break;
          have_ = 0;
          left_ = message_.bytes;
          if (left_ > 0) state_ = State::kMessage;
          return message_;
        }
        case State::kMessage: {
          const size_t used = std::min<size_t>(rest.size(), left_);
          left_ -= static_cast<uint32_t>(used);
          rest = rest.subspan(used);
          if (left_ == 0) state_ = State::kPrefix;
          break;
        }
        case State::kBad:
          rest = {};
          break;
      }
    }
    return std::nullopt;
  }
  // Bytes were lost: the borders are unknown from here on.
  void gap() { state_ = State::kBad; }
  void reset() { *this = GrpcReader(); }
  bool bad() const { return state_ == State::kBad; }
  // The last message is whole.
  bool between_messages() const { return state_ == State::kPrefix && have_ == 0; }

 private:
  enum class State : uint8_t { kPrefix, kMessage, kBad };
  static constexpr uint8_t kPrefixBytes = 5;

  State state_ = State::kPrefix;
  uint8_t have_ = 0;
  uint32_t left_ = 0;
  Message message_;
};

}  // namespace wiretally::http::http2
