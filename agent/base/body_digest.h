// A streaming digest of the parts of a message, for telling twins apart from repeats. Not
// cryptographic; equal digests are evidence only together with overlapping times (docs/metrics.md).
//
// XXH64 (its specification 0.1.1) with seed 0, and the number of bytes. XXH3's state has 576 bytes,
// this one less than a hundred, and every open call has one that each of its body parts touches.
// Written out here, because parts come one event at a time: of such a part the library spends more
// on what is left over from the one before than on the part.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "wiretally/bytes.h"
#include "wiretally/usage_record.h"

namespace wiretally {

class BodyDigest {
 public:
  BodyDigest() { reset(); }

  void reset() {
    lanes_[0] = kPrime1 + kPrime2;
    lanes_[1] = kPrime2;
    lanes_[2] = 0;
    lanes_[3] = 0 - kPrime1;
    total_ = 0;
  }

  [[gnu::always_inline]] void feed(ByteView bytes) {
    const uint8_t* at = bytes.data();
    size_t left = bytes.size();
    const size_t held = total_ % kStripeBytes;
    total_ += left;
    if (left < kStripeBytes) return feed_little(at, left, held);
    Lanes lanes(lanes_);
    if (held > 0) {
      take_border(lanes, at, held);
      at += kStripeBytes - held;
      left -= kStripeBytes - held;
    }
    for (; left >= kStripeBytes; left -= kStripeBytes, at += kStripeBytes) lanes.take(at);
    lanes.store(lanes_);
    // The part's last bytes, more than are held: the part has so many, counted from its beginning.
    std::memcpy(rest_, at + left - kStripeBytes, kStripeBytes);
  }
  // A part whose border matters: "ab" + "c" differs from "a" + "bc".
  void feed_part(std::string_view text) {
    uint8_t size[8];
    for (size_t i = 0; i < sizeof size; ++i) size[i] = static_cast<uint8_t>(text.size() >> 8 * i);
    feed(ByteView(size));
    feed(as_bytes(text));
  }

  Digest value() const {
    uint64_t hash = kPrime5;
    if (total_ >= kStripeBytes) {
      hash = std::rotl(lanes_[0], 1) + std::rotl(lanes_[1], 7) + std::rotl(lanes_[2], 12) +
             std::rotl(lanes_[3], 18);
      for (const uint64_t lane : lanes_) hash = (hash ^ round(0, lane)) * kPrime1 + kPrime4;
    }
    hash += total_;
    const uint8_t* at = rest_ + kStripeBytes - total_ % kStripeBytes;
    const uint8_t* const end = rest_ + kStripeBytes;
    for (; end - at >= 8; at += 8) {
      hash = std::rotl(hash ^ round(0, load64(at)), 27) * kPrime1 + kPrime4;
    }
    if (end - at >= 4) {
      hash = std::rotl(hash ^ load32(at) * kPrime1, 23) * kPrime2 + kPrime3;
      at += 4;
    }
    for (; at != end; ++at) hash = std::rotl(hash ^ *at * kPrime5, 11) * kPrime1;
    hash = (hash ^ hash >> 33) * kPrime2;
    hash = (hash ^ hash >> 29) * kPrime3;
    return {.high = total_, .low = hash ^ hash >> 32};
  }

 private:
  static constexpr uint64_t kPrime1 = 0x9e37'79b1'85eb'ca87;
  static constexpr uint64_t kPrime2 = 0xc2b2'ae3d'27d4'eb4f;
  static constexpr uint64_t kPrime3 = 0x1656'67b1'9e37'79f9;
  static constexpr uint64_t kPrime4 = 0x85eb'ca77'c2b2'ae63;
  static constexpr uint64_t kPrime5 = 0x27d4'eb2f'1656'67c5;
  static constexpr size_t kStripeBytes = 32;

  static uint64_t load64(const uint8_t* at) {
    uint64_t value = 0;
    std::memcpy(&value, at, sizeof value);
    return std::endian::native == std::endian::little ? value : __builtin_bswap64(value);
  }
  static uint64_t load32(const uint8_t* at) {
    uint32_t value = 0;
    std::memcpy(&value, at, sizeof value);
    return std::endian::native == std::endian::little ? value : __builtin_bswap32(value);
  }
  static uint64_t round(uint64_t lane, uint64_t input) {
    return std::rotl(lane + input * kPrime2, 31) * kPrime1;
  }

  // The lanes in registers, while stripes are taken.
  struct Lanes {
    explicit Lanes(const uint64_t (&from)[4]) : a(from[0]), b(from[1]), c(from[2]), d(from[3]) {}
    void take(const uint8_t* stripe) {
      a = round(a, load64(stripe));
      b = round(b, load64(stripe + 8));
      c = round(c, load64(stripe + 16));
      d = round(d, load64(stripe + 24));
    }
    void store(uint64_t (&to)[4]) const {
      to[0] = a;
      to[1] = b;
      to[2] = c;
      to[3] = d;
    }
    uint64_t a, b, c, d;
  };

  // The stripe of the held bytes and the first of those at `at`. Its words wait until they are
  // stored; nothing waits for them before the next part.
  void take_border(Lanes& lanes, const uint8_t* at, size_t held) {
    std::memcpy(rest_ + kStripeBytes, at, kStripeBytes);
    lanes.take(rest_ + kStripeBytes - held);
  }

  // Less than a stripe.
  void feed_little(const uint8_t* at, size_t size, size_t held) {
    if (size == 0) return;
    uint8_t* const begin = rest_ + kStripeBytes - held;
    std::memcpy(rest_ + kStripeBytes, at, size);
    size_t there = held + size;
    const uint8_t* from = begin;
    if (there >= kStripeBytes) {
      Lanes lanes(lanes_);
      lanes.take(begin);
      lanes.store(lanes_);
      from += kStripeBytes;
      there -= kStripeBytes;
    }
    std::memmove(rest_ + kStripeBytes - there, from, there);
  }

  uint64_t lanes_[4];
  uint64_t total_ = 0;
  // The bytes of a stripe that is not full yet end in its middle.
  uint8_t rest_[2 * kStripeBytes] = {};
};

}  // namespace wiretally
