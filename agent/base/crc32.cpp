#include "crc32.h"

#include <zlib.h>

#include <cstddef>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace wiretally {
namespace {

uint32_t crc32_of_library(uint32_t before, ByteView bytes) {
  return static_cast<uint32_t>(crc32_z(before, bytes.data(), bytes.size()));
}

#if defined(__x86_64__)

// Gopal and others, "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction"
// (Intel, 2009), with bits reflected: 64 bytes are four remainders of 128 bits, each folded over
// the next 64 bytes by multiplying with powers of x modulo the polynomial; then the four are folded
// into one, that one to 64 and 32 bits, and the quotient is estimated (Barrett).
//
// Bytes that are no whole number of remainders get zeros put in front, which change nothing: what
// came before is added to the first four bytes, wherever these are then.
constexpr size_t kFoldBytes = 64;
constexpr size_t kLaneBytes = 16;

struct Powers {
  uint64_t low, high;
};
constexpr Powers kOver64Bytes{0x1'5444'2bd4, 0x1'c6e4'1596};  // x^(512+64), x^512
constexpr Powers kOver16Bytes{0x1'7519'97d0, 0x0'ccaa'009e};  // x^(128+64), x^128
constexpr uint64_t kOver8Bytes = 0x1'63cd'6124;               // x^64
constexpr Powers kBarrett{0x1'db71'0641, 0x1'f701'1641};      // the polynomial, x^64 by it

__m128i both(Powers powers) {
  return _mm_set_epi64x(static_cast<int64_t>(powers.high), static_cast<int64_t>(powers.low));
}

__m128i load(const uint8_t* at) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at)); }

__attribute__((target("pclmul,sse4.1"))) __m128i fold(__m128i remainder, __m128i powers,
                                                      __m128i next) {
  const __m128i low = _mm_clmulepi64_si128(remainder, powers, 0x00);
  const __m128i high = _mm_clmulepi64_si128(remainder, powers, 0x11);
  return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

// The first `count` bytes of a lane, with zeros in front.
__attribute__((target("ssse3"))) __m128i last_in_lane(__m128i lane, size_t count) {
  alignas(16) static constexpr uint8_t kPlaces[2 * kLaneBytes] = {
      0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
      0x80, 0x80, 0x80, 0x80, 0x80, 0,    1,    2,    3,    4,    5,
      6,    7,    8,    9,    10,   11,   12,   13,   14,   15};
  return _mm_shuffle_epi8(lane, load(kPlaces + count));
}

// At least kFoldBytes.
__attribute__((target("pclmul,ssse3,sse4.1"))) uint32_t crc32_by_folding(uint32_t before,
                                                                         ByteView bytes) {
  const uint8_t* at = bytes.data();
  const uint8_t* const end = at + bytes.size();
  const __m128i first = _mm_xor_si128(load(at), _mm_cvtsi32_si128(static_cast<int>(~before)));
  const size_t odd = bytes.size() % kLaneBytes;
  __m128i lanes[4];
  if (odd == 0) {
    lanes[0] = first;
    at += kLaneBytes;
    lanes[1] = load(at);
  } else {
    lanes[0] = last_in_lane(first, odd);
    at += odd;
    // Of fewer than four odd bytes, what is left of what came before.
    const uint32_t left = odd < sizeof before ? ~before >> 8 * odd : 0;
    lanes[1] = _mm_xor_si128(load(at), _mm_cvtsi32_si128(static_cast<int>(left)));
  }
  lanes[2] = load(at + kLaneBytes);
  lanes[3] = load(at + 2 * kLaneBytes);
  at += 3 * kLaneBytes;
  const __m128i over64 = both(kOver64Bytes);
  for (; static_cast<size_t>(end - at) >= kFoldBytes; at += kFoldBytes) {
    lanes[0] = fold(lanes[0], over64, load(at));
    lanes[1] = fold(lanes[1], over64, load(at + kLaneBytes));
    lanes[2] = fold(lanes[2], over64, load(at + 2 * kLaneBytes));
    lanes[3] = fold(lanes[3], over64, load(at + 3 * kLaneBytes));
  }
  const __m128i over16 = both(kOver16Bytes);
  __m128i one = fold(lanes[0], over16, lanes[1]);
  one = fold(one, over16, lanes[2]);
  one = fold(one, over16, lanes[3]);
  for (; at != end; at += kLaneBytes) one = fold(one, over16, load(at));

  // 128 bits to 64, with the 32 zeros behind the message that a CRC is computed with.
  const __m128i low32 = _mm_setr_epi32(-1, 0, -1, 0);
  one = _mm_xor_si128(_mm_srli_si128(one, 8), _mm_clmulepi64_si128(one, over16, 0x10));
  const __m128i over8 = _mm_cvtsi64_si128(static_cast<int64_t>(kOver8Bytes));
  one = _mm_xor_si128(_mm_srli_si128(one, 4),
                      _mm_clmulepi64_si128(_mm_and_si128(one, low32), over8, 0x00));
  const __m128i barrett = both(kBarrett);
  __m128i quotient = _mm_clmulepi64_si128(_mm_and_si128(one, low32), barrett, 0x10);
  quotient = _mm_clmulepi64_si128(_mm_and_si128(quotient, low32), barrett, 0x00);
  return ~static_cast<uint32_t>(_mm_extract_epi32(_mm_xor_si128(one, quotient), 1));
}

bool processor_folds() {
  static const bool folds = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("ssse3") &&
                            __builtin_cpu_supports("sse4.1");
  return folds;
}

#else

bool processor_folds() { return false; }
constexpr size_t kFoldBytes = 64;
uint32_t crc32_by_folding(uint32_t before, ByteView bytes) {
  return crc32_of_library(before, bytes);
}

#endif

}  // namespace

uint32_t crc32_of(uint32_t before, ByteView bytes) {
  return bytes.size() >= kFoldBytes && processor_folds() ? crc32_by_folding(before, bytes)
                                                         : crc32_of_library(before, bytes);
}

}  // namespace wiretally
