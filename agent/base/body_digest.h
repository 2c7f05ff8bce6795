// A streaming digest of the parts of a message, for telling twins apart from repeats. Not
// cryptographic; equal digests are evidence only together with overlapping times (docs/metrics.md).
//
// XXH64 and the number of bytes: its state has 88 bytes, XXH3's 576, and every open call has one
// that each of its body parts touches.
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

  void reset() { XXH64_reset(&state_, 0); }
  void feed(ByteView bytes) { XXH64_update(&state_, bytes.data(), bytes.size()); }
  // A part whose border matters: "ab" + "c" differs from "a" + "bc".
  void feed_part(std::string_view text) {
    const uint64_t size = text.size();
    XXH64_update(&state_, &size, sizeof size);
    XXH64_update(&state_, text.data(), text.size());
  }
  Digest value() const { return {.high = state_.total_len, .low = XXH64_digest(&state_)}; }

 private:
  XXH64_state_t state_;
};

}  // namespace wiretally
