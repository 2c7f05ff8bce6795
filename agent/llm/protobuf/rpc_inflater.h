// Decodes the compressed messages of gRPC, each for itself: gzip or zlib (grpc-encoding gzip,
// deflate), told by their first bytes.
//
// Limits: Limits::rpc_inflaters_max of them in a lane; a message that decodes to more than
// decode_ratio_max times its size, once past decode_ratio_free_bytes, is given up.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "wiretally/bytes.h"
#include "wiretally/limits.h"

namespace wiretally::llm {

class RpcInflater {
 public:
  // What zlib takes for one, its window of 32 KiB included.
  static constexpr uint64_t kBytesMax = 48 * 1024;

  explicit RpcInflater(const Limits& limits);
  ~RpcInflater();
  RpcInflater(const RpcInflater&) = delete;
  RpcInflater& operator=(const RpcInflater&) = delete;

  // A new message follows.
  void reset();
  // Calls `take` with what the bytes decode to, a piece at a time. False, until reset, if they
  // cannot be decoded or a limit is reached.
  template <typename Take>
  bool feed(ByteView coded, Take take) {
    uint8_t buffer[kPieceBytes];
    while (usable_ && !(coded.empty() && !pending_)) {
      const size_t size = decode(coded, buffer);
      if (size > 0) take(ByteView(buffer, size));
    }
    return usable_;
  }
  // All of the message was decoded, and its checksum is right.
  bool at_end() const { return usable_ && ended_; }

 private:
  static constexpr size_t kPieceBytes = 4096;

  size_t decode(ByteView& coded, uint8_t (&buffer)[kPieceBytes]);

  const Limits& limits_;
  z_stream stream_{};
  bool initialised_ = false;
  bool usable_ = false;
  bool ended_ = false;
  bool pending_ = false;  // the buffer was too small: there may be more
  uint64_t coded_bytes_ = 0;
  uint64_t decoded_bytes_ = 0;
};

// A bounded number of them; their memory is used again.
class RpcInflaters {
 public:
  // `limits` outlives it.
  explicit RpcInflaters(const Limits& limits) : limits_(limits) {
    spare_.reserve(limits.rpc_inflaters_max);
  }

  // For a new message; nullptr where all are taken.
  std::unique_ptr<RpcInflater> take();
  void give_back(std::unique_ptr<RpcInflater> inflater);

 private:
  const Limits& limits_;
  size_t taken_ = 0;
  std::vector<std::unique_ptr<RpcInflater>> spare_;
};

}  // namespace wiretally::llm
