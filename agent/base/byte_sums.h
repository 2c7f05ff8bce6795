// Two things about a run of bytes in one pass over it: the sum that the Internet checksum is made
// of (RFC 1071), and a hash that tells runs of equal length apart.
//
// The bytes are taken as words of 32 bits, the last one filled up with zeros, dealt out to four
// columns; of each column there is its sum and the sum of its sums so far. Runs that differ in one
// or two words of a column differ in these (as with Fletcher's and Adler's checksums, but nothing
// is reduced). Not cryptographic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "wiretally/bytes.h"

namespace wiretally {

class ByteSums {
 public:
  explicit ByteSums(ByteView bytes) {
    const uint8_t* at = bytes.data();
    size_t left = bytes.size();
    for (; left >= 2 * kStepBytes; left -= 2 * kStepBytes, at += 2 * kStepBytes) {
      add(load(at));
      add(load(at + kStepBytes));
    }
    if (left >= kStepBytes) {
      add(load(at));
      left -= kStepBytes;
      at += kStepBytes;
    }
    if (left > 0) add(load_last(at, left));
  }

  // The words' sum, in this machine's byte order: that the sum of a good packet is a multiple of
  // 0xffff does not depend on it, nor on the words' size. Cannot overflow below 16 GiB.
  uint64_t sum() const { return even_[0] + even_[1] + odd_[0] + odd_[1]; }

  uint64_t hash() const {
    const uint64_t mixed =
        even_[0] * 0x9e37'79b9'7f4a'7c15 + even_[1] * 0xbf58'476d'1ce4'e5b9 +
        odd_[0] * 0x94d0'49bb'1331'11eb + odd_[1] * 0xd6e8'feb8'6659'fd93 +
        even_sums_[0] * 0xa076'1d64'78bd'642f + even_sums_[1] * 0xe703'7ed1'a0b4'28db +
        odd_sums_[0] * 0x8ebc'6af0'9c88'c6e3 + odd_sums_[1] * 0x5899'65cc'7537'4cc3;
    return mixed ^ mixed >> 32;
  }

 private:
  typedef uint64_t Words __attribute__((vector_size(16)));
  static constexpr size_t kStepBytes = sizeof(Words);

  void add(Words four) {
    even_ += four & 0xffff'ffff;
    odd_ += four >> 32;
    even_sums_ += even_;
    odd_sums_ += odd_;
  }
  static Words load(const uint8_t* at) {
    Words four;
    std::memcpy(&four, at, sizeof four);
    return four;
  }
  // Of fewer bytes than a step takes, at least one.
  static Words load_last(const uint8_t* at, size_t size) {
    uint64_t low = 0, high = 0;
    if (size >= 8) {
      std::memcpy(&low, at, 8);
      at += 8;
      size -= 8;
      high = load_word(at, size);
    } else {
      low = load_word(at, size);
    }
    return Words{low, high};
  }
  // Up to 7 bytes. Of four and more two loads that overlap.
  static uint64_t load_word(const uint8_t* at, size_t size) {
    if (size >= 4) {
      uint32_t first = 0, last = 0;
      std::memcpy(&first, at, 4);
      std::memcpy(&last, at + size - 4, 4);
      return first | uint64_t{last} << 8 * (size - 4);
    }
    uint64_t word = 0;
    for (size_t i = 0; i < size; ++i) word |= uint64_t{at[i]} << 8 * i;
    return word;
  }

  Words even_ = {0, 0}, odd_ = {0, 0};
  Words even_sums_ = {0, 0}, odd_sums_ = {0, 0};
};

}  // namespace wiretally
