// br (RFC 7932). The window's size stands in the first byte (section 9.1) and is held against the
// limit before anything is allocated for it; the large windows of later encoders are refused alike.
// Bytes behind the end are padding, as with gzip.
#pragma once

#include <brotli/decode.h>

#include "content_decoder.h"

namespace wiretally::http {

class BrotliDecoder final : public ContentDecoder {
 public:
  static std::unique_ptr<ContentDecoder> make(DecoderBudget& budget, size_t window_bytes_max);

  ~BrotliDecoder() override;
  BrotliDecoder(const BrotliDecoder&) = delete;
  BrotliDecoder& operator=(const BrotliDecoder&) = delete;

  Step decode(ByteView coded, std::span<uint8_t> output) override;
  bool at_end() const override { return state_ == State::kTrailer; }

 private:
  enum class State : uint8_t { kStart, kRunning, kTrailer, kFailed };

  BrotliDecoder(DecoderBudget& budget, size_t window_bytes_max);
  Step run(ByteView coded, std::span<uint8_t> output);

  BrotliDecoderState* decoder_;
  const size_t window_bytes_max_;
  State state_ = State::kStart;
};

}  // namespace wiretally::http
