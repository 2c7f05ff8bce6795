// What decoding costs, and beside it the library alone on the same bytes: events of about 250
// bytes, flushed one by one and not.
#include <benchmark/benchmark.h>
#include <zlib.h>

#include <memory>
#include <string>

#include "content_decoder.h"
#include "support/encoder.h"

namespace {

using namespace wiretally;
using namespace wiretally::http;
using test::Coding;

constexpr int kEvents = 2'000;

test::Pieces events() {
  test::Pieces pieces;
  unsigned random = 1;
  for (int i = 0; i < kEvents; ++i) {
    std::string word;
    for (int c = 0; c < 6; ++c) {
      random = random * 1'103'515'245 + 12'345;
      word += static_cast<char>('a' + (random >> 16) % 26);
    }
    pieces.push_back(
        "data: {\"id\":\"chatcmpl-0123456789\",\"object\":\"chat.completion.chunk\",\"created\":"
        "1780000000,\"model\":\"gpt-5.5-2026-04-23\",\"choices\":[{\"index\":0,\"delta\":{"
        "\"content\":\"" +
        word + "\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n");
  }
  return pieces;
}

size_t total(const test::Pieces& pieces) {
  size_t bytes = 0;
  for (const std::string& piece : pieces) bytes += piece.size();
  return bytes;
}

class Sink final : public DecodedSink {
 public:
  bool on_decoded(ByteView part) override {
    bytes += part.size();
    return true;
  }
  size_t bytes = 0;
};

void Chain(benchmark::State& state, Coding coding, ContentCoding token, bool flush) {
  const test::Pieces plain = events();
  const test::Pieces coded = encode(coding, plain, {.flush = flush});
  const Limits limits;
  DecoderBudget budget(limits.decoder_bytes_max, limits.decoder_idle_bytes_max);
  const auto buffers = std::make_unique<DecodeBuffers>();
  for (auto _ : state) {
    Sink sink;
    const auto chain = DecoderChain::make(token, budget, limits);
    for (const std::string& piece : coded) chain->feed(as_bytes(piece), *buffers, sink);
    if (sink.bytes != total(plain)) state.SkipWithError("decoded something else");
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * total(plain)));
}
BENCHMARK_CAPTURE(Chain, gzip, Coding::kGzip, ContentCoding::kGzip, false);
BENCHMARK_CAPTURE(Chain, gzip_flushed, Coding::kGzip, ContentCoding::kGzip, true);
BENCHMARK_CAPTURE(Chain, br, Coding::kBrotli, ContentCoding::kBrotli, false);
BENCHMARK_CAPTURE(Chain, br_flushed, Coding::kBrotli, ContentCoding::kBrotli, true);
BENCHMARK_CAPTURE(Chain, zstd, Coding::kZstd, ContentCoding::kZstd, false);
BENCHMARK_CAPTURE(Chain, zstd_flushed, Coding::kZstd, ContentCoding::kZstd, true);

void Inflate(benchmark::State& state, bool flush) {
  const test::Pieces plain = events();
  const test::Pieces coded = encode(Coding::kGzip, plain, {.flush = flush});
  const auto output = std::make_unique<std::array<uint8_t, 64 * 1024>>();
  for (auto _ : state) {
    z_stream stream{};
    inflateInit2(&stream, 31);
    size_t bytes = 0;
    for (const std::string& piece : coded) {
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
      stream.avail_in = static_cast<uInt>(piece.size());
      do {
        stream.next_out = output->data();
        stream.avail_out = static_cast<uInt>(output->size());
        inflate(&stream, Z_NO_FLUSH);
        bytes += output->size() - stream.avail_out;
      } while (stream.avail_out == 0);
    }
    inflateEnd(&stream);
    if (bytes != total(plain)) state.SkipWithError("decoded something else");
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * total(plain)));
}
BENCHMARK_CAPTURE(Inflate, gzip, false);
BENCHMARK_CAPTURE(Inflate, gzip_flushed, true);

// A body that is over at once: what opening and closing a decoder costs.
void ShortBody(benchmark::State& state, Coding coding, ContentCoding token) {
  const std::string coded = encode(coding, "{\"usage\":{\"prompt_tokens\":3}}");
  const Limits limits;
  DecoderBudget budget(limits.decoder_bytes_max, limits.decoder_idle_bytes_max);
  const auto buffers = std::make_unique<DecodeBuffers>();
  for (auto _ : state) {
    Sink sink;
    const auto chain = DecoderChain::make(token, budget, limits);
    chain->feed(as_bytes(coded), *buffers, sink);
    benchmark::DoNotOptimize(sink.bytes);
  }
}
BENCHMARK_CAPTURE(ShortBody, gzip, Coding::kGzip, ContentCoding::kGzip);
BENCHMARK_CAPTURE(ShortBody, br, Coding::kBrotli, ContentCoding::kBrotli);
BENCHMARK_CAPTURE(ShortBody, zstd, Coding::kZstd, ContentCoding::kZstd);

}  // namespace
