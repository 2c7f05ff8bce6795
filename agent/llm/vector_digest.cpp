#include "vector_digest.h"

#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>

#include "framing/base64_digit.h"

namespace wiretally::llm {

void VectorDigest::add(float number) {
  if (!std::isfinite(number)) {
    unreadable_ = true;
  } else if (size_ < kNumbers) {
    numbers_[size_++] = number == 0 ? 0.0F : number;  // one zero
  }
}

void VectorDigest::note_vector(const JsonEvent& event) {
  if (event.kind == JsonEvent::Kind::kArrayBegin) ++vectors_;
  if (event.kind != JsonEvent::Kind::kString) return;
  if (++vectors_ > 1) return;
  uint32_t bits = 0, word = 0;
  int bit_count = 0, byte_count = 0;
  for (const char c : event.text) {
    const uint8_t digit = kBase64Digits[static_cast<uint8_t>(c)];
    if (c == '=' || size_ == kNumbers) break;
    if (digit == kNoBase64Digit) {
      unreadable_ = true;
      return;
    }
    bits = bits << 6 | digit;
    bit_count += 6;
    if (bit_count < 8) continue;
    bit_count -= 8;
    word |= (bits >> bit_count & 0xFF) << (8 * byte_count);  // little-endian
    if (++byte_count < 4) continue;
    add(std::bit_cast<float>(word));
    word = 0;
    byte_count = 0;
  }
}

void VectorDigest::note_number(const JsonEvent& event) {
  if (has_enough()) return;
  float number = 0;
  const char* const end = event.text.data() + event.text.size();
  const auto read = std::from_chars(event.text.data(), end, number);
  const bool whole = event.kind == JsonEvent::Kind::kNumber && !event.text.empty() &&
                     read.ec == std::errc() && read.ptr == end;
  if (!whole) {
    unreadable_ = true;
    return;
  }
  add(number);
}

Digest VectorDigest::value() const {
  if (unreadable_ || size_ == 0) return {};
  XXH64_hash_t hash = XXH64(&vectors_, sizeof vectors_, 0);
  hash = XXH64(numbers_.data(), size_ * sizeof(float), hash);
  return {.high = size_ * sizeof(float), .low = hash};
}

}  // namespace wiretally::llm
