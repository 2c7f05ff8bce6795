// The inside of a JSON string, decoded to valid UTF-8: the beginning is kept, the rest is counted.
//
//   string = *( plain / "\" one character / "\u" 4 hex digits ) quote
//
// What is not well-formed becomes U+FFFD and does not stop the reading: invalid UTF-8 (one for each
// maximal subpart, as the WHATWG Encoding standard has it), lone surrogates, unknown escapes, and
// \u without its four digits. Raw control characters are kept as they are. May be cut between any
// two bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "wiretally/limits.h"

namespace wiretally::llm {

class StringDecoder {
 public:
  static constexpr size_t kTextBytes = Limits::json_text_bytes_max;

  // Reads behind the opening quote; returns the first byte that is not read. Behind the closing
  // quote at_end() is true.
  const uint8_t* feed(const uint8_t* p, const uint8_t* end);
  void reset();

  bool at_end() const { return state_ == State::kEnd; }
  std::string_view text() const { return {kept_, kept_size_}; }
  uint64_t text_bytes() const { return text_bytes_; }
  bool text_cut() const { return text_bytes_ > kept_size_; }

 private:
  enum class State : uint8_t { kPlain, kEscape, kHex, kUtf8, kEnd };

  const uint8_t* plain(const uint8_t* p, const uint8_t* end);
  const uint8_t* utf8_run(const uint8_t* p, const uint8_t* end);
  const uint8_t* utf8_cut(const uint8_t* p);
  void escape(uint8_t c);
  const uint8_t* hex(const uint8_t* p);
  void code_unit(uint32_t unit);
  void code_point(uint32_t code);
  void flush_surrogate();
  void append(const uint8_t* bytes, size_t size);
  void append_ascii(const uint8_t* bytes, size_t size);
  void append_replacement();

  State state_ = State::kPlain;
  bool full_ = false;          // a character did not fit: nothing more is kept
  uint8_t hex_digits_ = 0;     // read so far
  uint8_t sequence_size_ = 0;  // bytes of a UTF-8 sequence that a feed's end has cut
  uint8_t sequence_[4] = {};
  uint16_t hex_ = 0;
  uint16_t high_surrogate_ = 0;  // waits for its low one; 0 if there is none
  uint16_t kept_size_ = 0;
  uint64_t text_bytes_ = 0;
  char kept_[kTextBytes];
};

}  // namespace wiretally::llm
