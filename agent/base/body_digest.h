// A streaming 128-bit digest (XXH3) of the parts of a message, for telling twins apart from
// repeats. Not cryptographic; equal digests are evidence only together with overlapping times
// (docs/metrics.md).
#pragma once

#ifndef XXH_STATIC_LINKING_ONLY
#define XXH_STATIC_LINKING_ONLY  // shows the state's layout, so that it needs no allocation
#endif
#include <xxhash.h>

#include "wiretally/bytes.h"
#include "wiretally/usage_record.h"

namespace wiretally {

class BodyDigest {
 public:
  BodyDigest() { reset(); }

  void reset() { XXH3_128bits_reset(&state_); }
  void feed(ByteView bytes) { XXH3_128bits_update(&state_, bytes.data(), bytes.size()); }
  // A part whose border matters: "ab" + "c" differs from "a" + "bc".
  void feed_part(std::string_view text) {
    const uint64_t size = text.size();
    XXH3_128bits_update(&state_, &size, sizeof size);
    XXH3_128bits_update(&state_, text.data(), text.size());
  }
  Digest value() const {
    const XXH128_hash_t hash = XXH3_128bits_digest(&state_);
    return {.high = hash.high64, .low = hash.low64};
  }

 private:
  XXH3_state_t state_;
};

}  // namespace wiretally
