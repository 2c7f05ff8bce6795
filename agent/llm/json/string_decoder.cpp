#include "json/string_decoder.h"

#include <algorithm>
#include <cstring>

#include "byte_scan.h"

namespace wiretally::llm {
namespace {

enum class Utf8 : uint8_t { kValid, kInvalid, kCut };

// What [p, end) begins with: a valid sequence of `size` bytes, an invalid one whose maximal subpart
// has `size` bytes, or the beginning of one that may yet become valid. *p is not ASCII.
struct Utf8Sequence {
  Utf8 kind;
  uint8_t size;
};

Utf8Sequence read_utf8(const uint8_t* p, const uint8_t* end) {
  const uint8_t lead = *p;
  if (lead < 0xC2 || lead > 0xF4) return {Utf8::kInvalid, 1};
  const uint8_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // Overlong forms, surrogates and what lies beyond U+10FFFF show in the second byte.
  uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  for (uint8_t i = 1; i < size; ++i) {
    if (p + i == end) return {Utf8::kCut, i};
    if (p[i] < low || p[i] > high) return {Utf8::kInvalid, i};
    low = 0x80;
    high = 0xBF;
  }
  return {Utf8::kValid, size};
}

int hex_value(uint8_t c) {
  if (c >= '0' && c <= '9') return c - '0';
  const uint8_t lower = c | 0x20;
  if (lower >= 'a' && lower <= 'f') return lower - 'a' + 10;
  return -1;
}

constexpr uint32_t kReplacement = 0xFFFD;

}  // namespace

void StringDecoder::reset() {
  state_ = State::kPlain;
  full_ = false;
  high_surrogate_ = 0;
  kept_size_ = 0;
  text_bytes_ = 0;
}

const uint8_t* StringDecoder::feed(const uint8_t* p, const uint8_t* end) {
  while (p != end) {
    switch (state_) {
      case State::kPlain:
        p = plain(p, end);
        break;
      case State::kEscape:
        escape(*p++);
        break;
      case State::kHex:
        p = hex(p);
        break;
      case State::kUtf8:
        p = utf8_cut(p);
        break;
      case State::kEnd:
        return p;
    }
  }
  return p;
}

const uint8_t* StringDecoder::plain(const uint8_t* p, const uint8_t* end) {
  const uint8_t* const stop = find<StringSpecial>(p, end);
  if (stop != p) {
    flush_surrogate();
    append_ascii(p, static_cast<size_t>(stop - p));
  }
  if (stop == end) return end;
  if (*stop == '\\') {
    state_ = State::kEscape;
    return stop + 1;
  }
  flush_surrogate();
  if (*stop != '"') return utf8_run(stop, end);
  state_ = State::kEnd;
  return stop + 1;
}

const uint8_t* StringDecoder::utf8_run(const uint8_t* p, const uint8_t* end) {
  while (p != end && *p >= 0x80) {
    const Utf8Sequence sequence = read_utf8(p, end);
    if (sequence.kind == Utf8::kCut) {
      std::memcpy(sequence_, p, sequence.size);
      sequence_size_ = sequence.size;
      state_ = State::kUtf8;
      return end;
    }
    if (sequence.kind == Utf8::kValid) {
      append(p, sequence.size);
    } else {
      append_replacement();
    }
    p += sequence.size;
  }
  return p;
}

// Goes on with a sequence that the end of a feed has cut.
const uint8_t* StringDecoder::utf8_cut(const uint8_t* p) {
  sequence_[sequence_size_] = *p;
  const Utf8Sequence sequence = read_utf8(sequence_, sequence_ + sequence_size_ + 1);
  switch (sequence.kind) {
    case Utf8::kCut:
      ++sequence_size_;
      return p + 1;
    case Utf8::kValid:
      append(sequence_, sequence.size);
      state_ = State::kPlain;
      return p + 1;
    case Utf8::kInvalid:
      // The new byte does not belong to it: it is read again for itself.
      append_replacement();
      state_ = State::kPlain;
      return p;
  }
  return p;
}

void StringDecoder::escape(uint8_t c) {
  state_ = State::kPlain;
  switch (c) {
    case '"':
    case '\\':
    case '/':
      return code_unit(c);
    case 'b':
      return code_unit('\b');
    case 'f':
      return code_unit('\f');
    case 'n':
      return code_unit('\n');
    case 'r':
      return code_unit('\r');
    case 't':
      return code_unit('\t');
    case 'u':
      hex_ = 0;
      hex_digits_ = 0;
      state_ = State::kHex;
      return;
    default:
      return code_unit(kReplacement);
  }
}

const uint8_t* StringDecoder::hex(const uint8_t* p) {
  const int digit = hex_value(*p);
  if (digit < 0) {
    // The byte is read again as content: it may be the closing quote.
    code_unit(kReplacement);
    state_ = State::kPlain;
    return p;
  }
  hex_ = static_cast<uint16_t>(hex_ << 4 | digit);
  if (++hex_digits_ == 4) {
    state_ = State::kPlain;
    code_unit(hex_);
  }
  return p + 1;
}

// An escape's value, which may be half of a surrogate pair.
void StringDecoder::code_unit(uint32_t unit) {
  const bool low = unit >= 0xDC00 && unit <= 0xDFFF;
  if (low && high_surrogate_ != 0) {
    const uint32_t high = high_surrogate_;
    high_surrogate_ = 0;
    return code_point(0x10000 + ((high - 0xD800) << 10) + (unit - 0xDC00));
  }
  flush_surrogate();
  if (unit >= 0xD800 && unit <= 0xDBFF) {
    high_surrogate_ = static_cast<uint16_t>(unit);
  } else {
    code_point(low ? kReplacement : unit);
  }
}

void StringDecoder::code_point(uint32_t code) {
  uint8_t bytes[4];
  if (code < 0x80) {
    bytes[0] = static_cast<uint8_t>(code);
    return append(bytes, 1);
  }
  const size_t size = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  const uint8_t leads[] = {0, 0, 0xC0, 0xE0, 0xF0};
  for (size_t i = size - 1; i > 0; --i) {
    bytes[i] = static_cast<uint8_t>(0x80 | (code & 0x3F));
    code >>= 6;
  }
  bytes[0] = static_cast<uint8_t>(leads[size] | code);
  append(bytes, size);
}

void StringDecoder::flush_surrogate() {
  if (high_surrogate_ == 0) return;
  high_surrogate_ = 0;
  append_replacement();
}

// One whole character: kept or not, but never cut.
void StringDecoder::append(const uint8_t* bytes, size_t size) {
  text_bytes_ += size;
  if (full_ || kept_size_ + size > kTextBytes) {
    full_ = true;
    return;
  }
  std::memcpy(kept_ + kept_size_, bytes, size);
  kept_size_ = static_cast<uint16_t>(kept_size_ + size);
}

void StringDecoder::append_ascii(const uint8_t* bytes, size_t size) {
  text_bytes_ += size;
  if (full_) return;
  const size_t kept = std::min(size, kTextBytes - kept_size_);
  std::memcpy(kept_ + kept_size_, bytes, kept);
  kept_size_ = static_cast<uint16_t>(kept_size_ + kept);
}

void StringDecoder::append_replacement() { code_point(kReplacement); }

}  // namespace wiretally::llm
