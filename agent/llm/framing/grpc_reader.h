// The messages of a gRPC body ("gRPC over HTTP2", Length-Prefixed-Message):
//
//   message = compressed(1, 0 or 1) length(4, big-endian) then `length` bytes
//
//   state     where the reader is             goes on to
//   prefix    inside the first five bytes     message
//   message   inside a message                prefix
//   bad       given up
//
// Limits: none needed, only the five bytes are held; messages are handed on as they come. A first
// byte other than 0 or 1 is no gRPC (gRPC-Web's trailers are 128): bad until reset. Nothing finds
// the borders of messages again behind lost bytes: a gap ends the reading.
#pragma once

#include <algorithm>
#include <cstdint>

#include "wiretally/bytes.h"

namespace wiretally::llm {

class GrpcMessages {
 public:
  virtual ~GrpcMessages() = default;
  virtual void on_grpc_begin(uint32_t bytes, bool compressed) = 0;
  virtual void on_grpc_part(ByteView part) = 0;
  virtual void on_grpc_end() = 0;  // the message is whole
};

class GrpcReader {
 public:
  explicit GrpcReader(GrpcMessages& messages) : messages_(messages) {}

  // The parts that are handed on are views of `bytes`.
  void feed(ByteView bytes) {
    while (!bytes.empty()) {
      switch (state_) {
        case State::kPrefix: {
          if (have_ == 0 && bytes[0] > 1) {
            state_ = State::kBad;
            break;
          }
          if (have_ == 0) {
            compressed_ = bytes[0] == 1;
            left_ = 0;
          } else {
            left_ = left_ << 8 | bytes[0];
          }
          bytes = bytes.subspan(1);
          if (++have_ < kPrefixBytes) break;
          have_ = 0;
          messages_.on_grpc_begin(left_, compressed_);
          if (left_ > 0) {
            state_ = State::kMessage;
          } else {
            messages_.on_grpc_end();
          }
          break;
        }
        case State::kMessage: {
          const size_t taken = std::min<size_t>(bytes.size(), left_);
          left_ -= static_cast<uint32_t>(taken);
          messages_.on_grpc_part(bytes.first(taken));
          bytes = bytes.subspan(taken);
          if (left_ > 0) break;
          state_ = State::kPrefix;
          messages_.on_grpc_end();
          break;
        }
        case State::kBad:
          return;
      }
    }
  }
  // Bytes were lost: what is open is given up, without on_grpc_end.
  void gap() { state_ = State::kBad; }
  void reset() {
    state_ = State::kPrefix;
    have_ = 0;
  }
  bool bad() const { return state_ == State::kBad; }

 private:
  enum class State : uint8_t { kPrefix, kMessage, kBad };
  static constexpr uint8_t kPrefixBytes = 5;

  GrpcMessages& messages_;
  State state_ = State::kPrefix;
  uint8_t have_ = 0;  // bytes of the prefix
  bool compressed_ = false;
  uint32_t left_ = 0;
};

}  // namespace wiretally::llm
