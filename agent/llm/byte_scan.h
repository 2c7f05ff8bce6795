// Finds the next byte of a class, 16 bytes a step where SSE2 is there (every x86-64), else
// bytewise. One pass, whatever the class: two memchr for two bytes would be quadratic where one of
// them is absent.
#pragma once

#include <cstddef>
#include <cstdint>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace wiretally::llm {

// A byte class: `hit` for one byte and, with SSE2, `hits` for 16 (top bit set in each byte that is
// in the class).

// What ends a run of string content that needs no thought: quote, backslash, non-ASCII.
struct StringSpecial {
  static bool hit(uint8_t c) { return c == '"' || c == '\\' || c >= 0x80; }
#if defined(__SSE2__)
  static __m128i hits(__m128i v) {
    return _mm_or_si128(v, _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
                                        _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))));
  }
#endif
};

struct QuoteOrBackslash {
  static bool hit(uint8_t c) { return c == '"' || c == '\\'; }
#if defined(__SSE2__)
  static __m128i hits(__m128i v) {
    return _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
                        _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
  }
#endif
};

struct QuoteBackslashOrControl {
  static bool hit(uint8_t c) { return c == '"' || c == '\\' || c < 0x20; }
#if defined(__SSE2__)
  static __m128i hits(__m128i v) {
    const __m128i control = _mm_set1_epi8(0x1f);
    return _mm_or_si128(_mm_cmpeq_epi8(_mm_max_epu8(v, control), control),
                        QuoteOrBackslash::hits(v));
  }
#endif
};

// What ends a run of string content that stands for itself: quote, backslash, control character,
// non-ASCII.
struct NotPlainText {
  static bool hit(uint8_t c) { return c == '"' || c == '\\' || c < 0x20 || c >= 0x80; }
#if defined(__SSE2__)
  static __m128i hits(__m128i v) {
    // As signed numbers both the control characters and what is not ASCII lie below the space.
    return _mm_or_si128(_mm_cmplt_epi8(v, _mm_set1_epi8(0x20)), QuoteOrBackslash::hits(v));
  }
#endif
};

struct QuoteOrBracket {
  static bool hit(uint8_t c) { return c == '"' || (c | 0x20) == '{' || (c | 0x20) == '}'; }
#if defined(__SSE2__)
  static __m128i hits(__m128i v) {
    // '[' and '{', ']' and '}' differ in this bit alone.
    const __m128i brace = _mm_or_si128(v, _mm_set1_epi8(0x20));
    return _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
                        _mm_or_si128(_mm_cmpeq_epi8(brace, _mm_set1_epi8('{')),
                                     _mm_cmpeq_epi8(brace, _mm_set1_epi8('}'))));
  }
#endif
};

struct LineEnd {
  static bool hit(uint8_t c) { return c == '\n' || c == '\r'; }
#if defined(__SSE2__)
  static __m128i hits(__m128i v) {
    return _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('\n')),
                        _mm_cmpeq_epi8(v, _mm_set1_epi8('\r')));
  }
#endif
};

// Neither space nor control character.
struct Visible {
  static bool hit(uint8_t c) { return c > 0x20; }
#if defined(__SSE2__)
  static __m128i hits(__m128i v) {
    const __m128i space = _mm_set1_epi8(0x20);
    return _mm_andnot_si128(_mm_cmpeq_epi8(_mm_max_epu8(v, space), space), _mm_set1_epi8(-1));
  }
#endif
};

// The first byte of the class in [p, end), or `end`.
template <typename Class>
inline const uint8_t* find(const uint8_t* p, const uint8_t* end) {
#if defined(__SSE2__)
  const auto hits_at = [](const uint8_t* at) {
    return Class::hits(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
  };
  if (end - p >= 16) {
    const uint8_t* const last = end - 16;
    const auto first = static_cast<unsigned>(_mm_movemask_epi8(hits_at(p)));
    if (first != 0) return p + __builtin_ctz(first);
    p += 16;
    while (end - p >= 64) {
      const __m128i any = _mm_or_si128(_mm_or_si128(hits_at(p), hits_at(p + 16)),
                                       _mm_or_si128(hits_at(p + 32), hits_at(p + 48)));
      if (_mm_movemask_epi8(any) != 0) break;
      p += 64;
    }
    while (p < end) {
      // The last step overlaps bytes that are known to hold no hit.
      if (p > last) p = last;
      const auto mask = static_cast<unsigned>(_mm_movemask_epi8(hits_at(p)));
      if (mask != 0) return p + __builtin_ctz(mask);
      p += 16;
    }
    return end;
  }
#endif
  while (p < end && !Class::hit(*p)) ++p;
  return p;
}

}  // namespace wiretally::llm
