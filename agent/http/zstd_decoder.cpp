#define ZSTD_STATIC_LINKING_ONLY  // for the allocator's hooks
#include "zstd_decoder.h"

#include <zstd.h>
#include <zstd_errors.h>

#include <bit>

namespace wiretally::http {
namespace {

// The first byte of a frame's magic number: 0xFD2FB528, or 0x184D2A5? of a skippable frame.
bool may_begin_frame(uint8_t first) { return first == 0x28 || (first & 0xf0) == 0x50; }

DecodeStatus status_of(size_t result) {
  switch (ZSTD_getErrorCode(result)) {
    case ZSTD_error_memory_allocation:
      return DecodeStatus::kNoMemory;
    case ZSTD_error_frameParameter_windowTooLarge:
      return DecodeStatus::kWindow;
    default:
      return DecodeStatus::kBad;
  }
}

}  // namespace

std::unique_ptr<ContentDecoder> ZstdDecoder::make(DecoderBudget& budget, size_t window_bytes_max) {
  std::unique_ptr<ZstdDecoder> decoder(new (budget) ZstdDecoder(budget, window_bytes_max));
  if (decoder == nullptr || decoder->context_ == nullptr) return nullptr;
  return decoder;
}

ZstdDecoder::ZstdDecoder(DecoderBudget& budget, size_t window_bytes_max)
    : context_(ZSTD_createDCtx_advanced({.customAlloc = DecoderBudget::allocate_from,
                                         .customFree = DecoderBudget::release_to,
                                         .opaque = &budget})) {
  if (context_ == nullptr) return;
  const int window_log = std::bit_width(window_bytes_max) - 1;
  ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, window_log);
}

ZstdDecoder::~ZstdDecoder() { ZSTD_freeDCtx(context_); }

ContentDecoder::Step ZstdDecoder::decode(ByteView coded, std::span<uint8_t> output) {
  switch (state_) {
    case State::kFrameStart:
      if (coded.empty()) return {};
      if (!may_begin_frame(coded[0])) {
        state_ = State::kFailed;
        return {.status = DecodeStatus::kBad};
      }
      state_ = State::kFrame;
      break;
    case State::kFrame:
      break;
    case State::kFailed:
      return {.status = DecodeStatus::kBad};
  }
  ZSTD_inBuffer input{.src = coded.data(), .size = coded.size(), .pos = 0};
  ZSTD_outBuffer decoded{.dst = output.data(), .size = output.size(), .pos = 0};
  const size_t result = ZSTD_decompressStream(context_, &decoded, &input);
  Step step{.consumed = input.pos, .produced = decoded.pos};
  if (ZSTD_isError(result) != 0) {
    state_ = State::kFailed;
    step.status = status_of(result);
  } else if (result == 0) {
    state_ = State::kFrameStart;
  }
  return step;
}

}  // namespace wiretally::http
