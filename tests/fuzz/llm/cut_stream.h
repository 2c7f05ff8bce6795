// What the fuzzers of framings share: a stream is fed to a reader byte by byte, in small and large
// pieces and in one, with or without a gap, and what comes out must be the same.
//
// Input: the first byte seeds where the stream behind it is cut and, if odd, where the gap stands.
// A Log takes the reader's events, ends with on_finish(), and has what came out in `lines`.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "wiretally/bytes.h"

namespace wiretally::test {

inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

template <typename Reader, typename Log>
using Gap = void (*)(Reader& reader, Log& log);

// Each piece stands in memory of its own, so that reading beyond it is seen.
template <typename Reader, typename Log>
std::string read_in_pieces(ByteView stream, size_t gap_at, uint32_t seed, size_t piece_max,
                           Gap<Reader, Log> gap) {
  Log log;
  Reader reader(log);
  std::minstd_rand random(seed);
  for (size_t at = 0; at < stream.size();) {
    if (at == gap_at) gap(reader, log);
    size_t size = std::min<size_t>(stream.size() - at, random() % piece_max + 1);
    if (at < gap_at) size = std::min(size, gap_at - at);
    const auto begin = stream.begin() + static_cast<ptrdiff_t>(at);
    const std::vector<uint8_t> piece(begin, begin + static_cast<ptrdiff_t>(size));
    reader.feed(piece);
    at += size;
  }
  reader.finish();
  log.on_finish();
  return log.lines;
}

template <typename Reader, typename Log>
void read_however_cut(const uint8_t* data, size_t size, Gap<Reader, Log> gap) {
  if (size < 2) return;
  const ByteView stream(data + 1, size - 1);
  const size_t gap_at = data[0] % 2 == 1 ? data[0] % stream.size() : SIZE_MAX;
  const auto read = [&](uint32_t seed, size_t piece_max) {
    return read_in_pieces<Reader, Log>(stream, gap_at, seed, piece_max, gap);
  };
  const std::string bytewise = read(1, 1);
  require(read(data[0] + 1U, 8) == bytewise, "small pieces");
  require(read(data[0] + 1U, 100) == bytewise, "large pieces");
  require(read(1, size_t{1} << 30) == bytewise, "in one piece");
}

}  // namespace wiretally::test
