#include "brotli_decoder.h"

namespace wiretally::http {
namespace {

// RFC 7932 section 9.1: WBITS out of the first bits, the lowest first; SIZE_MAX where they announce
// a large window.
size_t window_bytes(uint8_t first) {
  constexpr unsigned kLargeWindow = 1;
  if ((first & 1) == 0) return size_t{1} << 16;
  const unsigned high = first >> 1 & 7;
  if (high != 0) return size_t{1} << (17 + high);
  const unsigned low = first >> 4 & 7;
  if (low == kLargeWindow) return SIZE_MAX;
  return size_t{1} << (low == 0 ? 17 : 8 + low);
}

bool is_memory_error(BrotliDecoderErrorCode code) {
  return code <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES &&
         code >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES;
}

}  // namespace

std::unique_ptr<ContentDecoder> BrotliDecoder::make(DecoderBudget& budget,
                                                    size_t window_bytes_max) {
  std::unique_ptr<BrotliDecoder> decoder(new (budget) BrotliDecoder(budget, window_bytes_max));
  if (decoder == nullptr || decoder->decoder_ == nullptr) return nullptr;
  return decoder;
}

BrotliDecoder::BrotliDecoder(DecoderBudget& budget, size_t window_bytes_max)
    : decoder_(BrotliDecoderCreateInstance(DecoderBudget::allocate_from, DecoderBudget::release_to,
                                           &budget)),
      window_bytes_max_(window_bytes_max) {}

BrotliDecoder::~BrotliDecoder() {
  if (decoder_ != nullptr) BrotliDecoderDestroyInstance(decoder_);
}

ContentDecoder::Step BrotliDecoder::decode(ByteView coded, std::span<uint8_t> output) {
  switch (state_) {
    case State::kStart:
      if (coded.empty()) return {};
      if (window_bytes(coded[0]) > window_bytes_max_) {
        state_ = State::kFailed;
        return {.status = DecodeStatus::kWindow};
      }
      state_ = State::kRunning;
      return run(coded, output);
    case State::kRunning:
      return run(coded, output);
    case State::kTrailer:
      return {.consumed = coded.size()};
    case State::kFailed:
      break;
  }
  return {.status = DecodeStatus::kBad};
}

ContentDecoder::Step BrotliDecoder::run(ByteView coded, std::span<uint8_t> output) {
  size_t input_left = coded.size();
  const uint8_t* input = coded.data();
  size_t output_left = output.size();
  uint8_t* next_output = output.data();
  const BrotliDecoderResult result = BrotliDecoderDecompressStream(
      decoder_, &input_left, &input, &output_left, &next_output, nullptr);
  Step step{.consumed = coded.size() - input_left, .produced = output.size() - output_left};
  switch (result) {
    case BROTLI_DECODER_RESULT_SUCCESS:
      state_ = State::kTrailer;
      break;
    case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT:
    case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT:
      break;
    case BROTLI_DECODER_RESULT_ERROR:
      state_ = State::kFailed;
      step.status = is_memory_error(BrotliDecoderGetErrorCode(decoder_)) ? DecodeStatus::kNoMemory
                                                                         : DecodeStatus::kBad;
      break;
  }
  return step;
}

}  // namespace wiretally::http
