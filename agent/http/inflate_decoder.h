// gzip (RFC 1952, several members) and deflate, wrapped by zlib (RFC 1950) or bare (RFC 1951; some
// servers mean that by "deflate"; the first two bytes tell).
//
//   state         at
//   kUnwrapped    the first two bytes of "deflate"
//   kRunning      a member
//   kMemberEnded  behind a member: another one, or the end
//   kTrailer      padding behind the end, which clients ignore
//   kFailed       for good
//
// gzip's CRC-32 is half of what zlib spends on small parts: once a member's header is read it is
// computed here (crc32.h), and compared with the member's last eight bytes.
//
// Memory: 39 KiB a body, the window among it when the first output does not come in one piece.
#pragma once

#include <zlib.h>

#include "content_decoder.h"

namespace wiretally::http {

class InflateDecoder final : public ContentDecoder {
 public:
  enum class Wrapper : uint8_t { kGzip, kZlibOrNone };

  static std::unique_ptr<ContentDecoder> make(Wrapper wrapper, DecoderBudget& budget);

  ~InflateDecoder() override;
  InflateDecoder(const InflateDecoder&) = delete;
  InflateDecoder& operator=(const InflateDecoder&) = delete;

  Step decode(ByteView coded, std::span<uint8_t> output) override;
  bool at_end() const override {
    return state_ == State::kMemberEnded || state_ == State::kTrailer;
  }

 private:
  enum class State : uint8_t { kUnwrapped, kRunning, kMemberEnded, kTrailer, kFailed };

  InflateDecoder(Wrapper wrapper, DecoderBudget& budget);
  Step sniff_wrapper(ByteView coded, std::span<uint8_t> output);
  Step run(ByteView coded, std::span<uint8_t> output);
  bool restart(int window_bits);
  void check_ourselves(ByteView consumed, ByteView produced);
  bool trailer_agrees() const;

  const Wrapper wrapper_;
  z_stream stream_{};
  bool initialised_ = false;
  State state_;
  bool has_first_ = false;
  uint8_t first_byte_ = 0;
  size_t replay_bytes_ = 0;  // of prefix_, still to be fed
  uint8_t prefix_[2] = {};
  // Of a gzip member.
  static constexpr size_t kTrailerBytes = 8;
  bool library_checks_ = true;
  uint32_t crc_ = 0;
  uint32_t decoded_bytes_ = 0;          // modulo 2^32
  uint8_t latest_[kTrailerBytes] = {};  // of what was consumed
};

}  // namespace wiretally::http
