// A digest of an embeddings answer that is the same whether its vectors stand as numbers or in
// base64, and whoever wrote their decimals: of the first numbers of the first vector, as the 32-bit
// floats that base64 holds, and of how many vectors there are. The legs of a gateway that writes
// bodies anew are told by it, as those of a chat are by their text (text_digest.h).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "json/json_scanner.h"
#include "wiretally/usage_record.h"

namespace wiretally::llm {

class VectorDigest {
 public:
  static constexpr size_t kNumbers = 8;

  // A vector begins: its list, or all of it in base64.
  void note_vector(const JsonEvent& event);
  // The next element of a vector's list.
  void note_number(const JsonEvent& event);
  // No further element of this vector is needed.
  bool has_enough() const { return vectors_ > 1 || size_ == kNumbers || unreadable_; }

  // A vector was there that is not empty.
  bool any_number() const { return size_ > 0 || unreadable_; }

  // high: bytes of the numbers it is of. Unknown without a vector whose numbers can be read.
  Digest value() const;

 private:
  void add(float number);

  std::array<float, kNumbers> numbers_{};
  uint8_t size_ = 0;
  bool unreadable_ = false;
  uint64_t vectors_ = 0;
};

}  // namespace wiretally::llm
