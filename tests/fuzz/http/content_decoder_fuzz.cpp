// Arbitrary bytes through every coding and stacks of them, in pieces. Checks what the budget and
// the caps promise.
//
// Input: a byte for the codings (two bits each: gzip, deflate, br, zstd; the lowest two say how
// many), a byte for the budget, a byte for the pieces' size; then the coded bytes.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "content_decoder.h"

namespace {

using namespace wiretally;
using namespace wiretally::http;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

class Sink final : public DecodedSink {
 public:
  explicit Sink(uint64_t wanted) : wanted_(wanted) {}
  bool on_decoded(ByteView part) override {
    require(!part.empty(), "no empty part");
    for (const uint8_t byte : part) sum = sum * 31 + byte;
    bytes += part.size();
    return bytes < wanted_;
  }
  uint64_t bytes = 0;
  uint64_t sum = 0;

 private:
  const uint64_t wanted_;
};

struct Result {
  uint64_t bytes = 0;
  uint64_t sum = 0;
  DecodeStatus status = DecodeStatus::kGood;
};

Result decode(const ContentCodings& codings, const Limits& limits, DecoderBudget& budget,
              DecodeBuffers& buffers, ByteView coded, size_t piece_bytes) {
  Result result;
  Sink sink(limits.decoded_body_bytes_max / 2 + 1);
  auto chain = DecoderChain::make(codings, budget, limits);
  if (chain == nullptr) {
    require(budget.used_bytes() == 0, "a chain that was refused holds nothing");
    return {.status = DecodeStatus::kNoMemory};
  }
  while (!coded.empty() && result.status == DecodeStatus::kGood) {
    // Memory of its own, so that reading beyond it is found.
    const ByteView part = coded.first(std::min(coded.size(), piece_bytes));
    const std::vector<uint8_t> piece(part.begin(), part.end());
    const DecoderChain::Fed fed = chain->feed(piece, buffers, sink);
    require(fed.consumed <= piece.size(), "consumed <= given");
    require(fed.status != DecodeStatus::kGood || fed.consumed == piece.size(), "all is consumed");
    require(budget.used_bytes() + budget.idle_bytes() <= limits.decoder_bytes_max, "the budget");
    require(sink.bytes <= limits.decoded_body_bytes_max, "produced <= cap");
    result.status = fed.status;
    coded = coded.subspan(part.size());
  }
  chain.reset();
  require(budget.used_bytes() == 0, "everything comes back");
  require(budget.idle_bytes() <= limits.decoder_idle_bytes_max, "the idle memory");
  result.bytes = sink.bytes;
  result.sum = sink.sum;
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3) return 0;
  static const auto buffers = std::make_unique<DecodeBuffers>();
  constexpr ContentCoding kCodings[] = {ContentCoding::kGzip, ContentCoding::kDeflate,
                                        ContentCoding::kBrotli, ContentCoding::kZstd};
  ContentCodings codings;
  const unsigned layers = 1 + (data[0] & 3) % 3;
  for (unsigned i = 0; i < layers; ++i) {
    codings.add_innermost(kCodings[data[0] >> (2 + 2 * i) & 3]);
  }
  Limits limits;
  limits.decoded_body_bytes_max = 1 << 20;
  limits.decode_ratio_free_bytes = 64 << 10;
  limits.decoder_bytes_max = data[1] < 128 ? 64 << 20 : (size_t{data[1]} - 127) * 4'000;
  limits.decoder_idle_bytes_max = 256 << 10;
  const ByteView coded(data + 3, size - 3);

  DecoderBudget budget(limits.decoder_bytes_max, limits.decoder_idle_bytes_max);
  const Result whole = decode(codings, limits, budget, *buffers, coded, coded.size() + 1);
  const Result pieces = decode(codings, limits, budget, *buffers, coded, 1 + data[2]);
  // How it is cut does not matter, unless memory or ratio end it.
  const auto depends_on_cuts = [](DecodeStatus status) {
    return status == DecodeStatus::kNoMemory || status == DecodeStatus::kTooLarge ||
           status == DecodeStatus::kStopped || status == DecodeStatus::kBad;
  };
  if (!depends_on_cuts(whole.status) && !depends_on_cuts(pieces.status)) {
    require(whole.status == pieces.status, "the same end whole and in pieces");
    require(whole.bytes == pieces.bytes && whole.sum == pieces.sum, "the same text");
  }
  return 0;
}
