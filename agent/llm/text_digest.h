// A digest of the visible text of an answer, whatever frames it came in: the same for one string of
// JSON and for the same text in a hundred events, in any dialect. The legs of a gateway that writes
// new ids are told by it (docs/metrics.md).
//
// It is the hash of the text's first kPrefixBytes and the length of all of it: what a scanner
// reports of a string, so no text has to be kept. Behind them come the names of called tools.
#pragma once

#ifndef XXH_STATIC_LINKING_ONLY
#define XXH_STATIC_LINKING_ONLY  // shows the state's layout, so that it needs no allocation
#endif
#include <xxhash.h>

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "json/json_scanner.h"
#include "wiretally/usage_record.h"

namespace wiretally::llm {

class TextDigest {
 public:
  // A cut string still shows as much: it is cut at most 3 bytes before its limit.
  static constexpr uint64_t kPrefixBytes = 240;
  static_assert(kPrefixBytes + 3 <= JsonEvent::kTextBytes);

  // The next `size` bytes of the text, which begin like this.
  void note(std::string_view beginning, uint64_t size) {
    if (size == 0) return;
    if (bytes_ < kPrefixBytes) {
      if (bytes_ == 0) XXH64_reset(&state_, 0);
      const uint64_t taken = std::min<uint64_t>(beginning.size(), kPrefixBytes - bytes_);
      XXH64_update(&state_, beginning.data(), taken);
    }
    bytes_ += size;
  }

  // high: bytes of text. Unknown if there is nothing that tells one answer from another.
  template <typename Names>
  Digest value(const Names& tools) const {
    if (bytes_ == 0 && tools.count() == 0) return {};
    XXH64_state_t all = state_;
    if (bytes_ == 0) XXH64_reset(&all, 0);
    for (size_t i = 0; i < tools.count(); ++i) {
      const std::string_view name = tools.name(i);
      XXH64_update(&all, "", 1);  // a zero byte in front: names do not run into the text
      XXH64_update(&all, name.data(), name.size());
    }
    return {.high = bytes_, .low = XXH64_digest(&all)};
  }

 private:
  XXH64_state_t state_;  // of the prefix, from the first byte on
  uint64_t bytes_ = 0;
};

}  // namespace wiretally::llm
