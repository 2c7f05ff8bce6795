// zstd (RFC 8878; as a content coding RFC 9659): one frame or several, skippable ones among them.
// A frame that wants a larger window than the limit is refused by the library. Frames of the format
// before version 1 are refused here, because the library would read them with memory of its own.
#pragma once

#include "content_decoder.h"

struct ZSTD_DCtx_s;

namespace wiretally::http {

class ZstdDecoder final : public ContentDecoder {
 public:
  static std::unique_ptr<ContentDecoder> make(DecoderBudget& budget, size_t window_bytes_max);

  ~ZstdDecoder() override;
  ZstdDecoder(const ZstdDecoder&) = delete;
  ZstdDecoder& operator=(const ZstdDecoder&) = delete;

  Step decode(ByteView coded, std::span<uint8_t> output) override;
  bool at_end() const override { return state_ == State::kFrameStart; }

 private:
  enum class State : uint8_t { kFrameStart, kFrame, kFailed };

  ZstdDecoder(DecoderBudget& budget, size_t window_bytes_max);

  ZSTD_DCtx_s* context_;
  State state_ = State::kFrameStart;
};

}  // namespace wiretally::http
