#include "content_decoder.h"

#include <algorithm>

#include "brotli_decoder.h"
#include "inflate_decoder.h"
#include "zstd_decoder.h"

namespace wiretally::http {

std::unique_ptr<ContentDecoder> make_decoder(ContentCoding coding, DecoderBudget& budget,
                                             const Limits& limits) {
  switch (coding) {
    case ContentCoding::kGzip:
      return InflateDecoder::make(InflateDecoder::Wrapper::kGzip, budget);
    case ContentCoding::kDeflate:
      return InflateDecoder::make(InflateDecoder::Wrapper::kZlibOrNone, budget);
    case ContentCoding::kBrotli:
      return BrotliDecoder::make(budget, limits.brotli_window_bytes_max);
    case ContentCoding::kZstd:
      return ZstdDecoder::make(budget, limits.zstd_window_bytes_max);
    case ContentCoding::kIdentity:
    case ContentCoding::kUnsupported:
      break;
  }
  return nullptr;
}

std::unique_ptr<DecoderChain> DecoderChain::make(const ContentCodings& codings,
                                                 DecoderBudget& budget, const Limits& limits) {
  std::unique_ptr<DecoderChain> chain(new (budget) DecoderChain(limits));
  if (chain == nullptr) return nullptr;
  for (size_t i = 0; i < codings.size(); ++i) {
    chain->decoders_[i] = make_decoder(codings[i], budget, limits);
    if (chain->decoders_[i] == nullptr) return nullptr;
  }
  chain->layers_ = codings.size();
  return chain;
}

DecoderChain::Fed DecoderChain::feed(ByteView coded, DecodeBuffers& buffers, DecodedSink& sink) {
  if (coded.empty()) return {};  // zstd takes many calls without input for a loop
  const uint64_t before = coded_bytes_;
  const DecodeStatus status = feed(0, coded, buffers, sink);
  return {.consumed = static_cast<size_t>(coded_bytes_ - before), .status = status};
}

bool DecoderChain::at_end() const {
  uint64_t given = coded_bytes_;  // to this layer
  for (size_t i = 0; i < layers_; ++i) {
    if (given > 0 && !decoders_[i]->at_end()) return false;
    given = decoded_bytes_[i];
  }
  return true;
}

// What a layer decodes is fed to the next one at once, which takes all of it: the buffers are empty
// between calls, however many bodies are open.
DecodeStatus DecoderChain::feed(size_t layer, ByteView coded, DecodeBuffers& buffers,
                                DecodedSink& sink) {
  const std::span<uint8_t> output(buffers[layer]);
  while (true) {
    const ContentDecoder::Step step = decoders_[layer]->decode(coded, output);
    coded = coded.subspan(step.consumed);
    if (layer == 0) coded_bytes_ += step.consumed;
    if (step.produced > 0) {
      // Up to the limit exactly, so that it does not matter how the body was cut.
      const uint64_t allowed = limits_.decoded_body_bytes_max - decoded_bytes_[layer];
      const ByteView decoded = output.first(std::min<uint64_t>(step.produced, allowed));
      decoded_bytes_[layer] += decoded.size();
      if (expands_too_far(decoded_bytes_[layer])) return DecodeStatus::kTooLarge;
      if (layer + 1 < layers_) {
        const DecodeStatus status = feed(layer + 1, decoded, buffers, sink);
        if (status != DecodeStatus::kGood) return status;
      } else if (!sink.on_decoded(decoded)) {
        return DecodeStatus::kStopped;
      }
      if (decoded.size() < step.produced) return DecodeStatus::kTooLarge;
    }
    if (step.status != DecodeStatus::kGood) return step.status;
    if (coded.empty() && step.produced < output.size()) return DecodeStatus::kGood;
    if (step.consumed == 0 && step.produced == 0) return DecodeStatus::kBad;  // it is stuck
  }
}

// Each layer is measured against the bytes on the wire, so that stacked codings multiply nothing.
bool DecoderChain::expands_too_far(uint64_t decoded_bytes) const {
  return decoded_bytes > limits_.decode_ratio_free_bytes &&
         decoded_bytes / limits_.decode_ratio_max > coded_bytes_;
}

}  // namespace wiretally::http
