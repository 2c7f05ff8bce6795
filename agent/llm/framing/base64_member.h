// The base64 text of one member of a flat JSON object, decoded as it comes:
// {"bytes":"eyJ0…","p":"abc"}, RFC 8259 and RFC 4648 section 4, in constant memory.
//
// The value may not hold escapes but "\/". Other members are strings, numbers or words; an object
// or array among them is not looked into and makes the rest bad.
//
//   state        where the reader is            goes on to
//   between      outside of strings             string
//   string       inside another string          between
//   escape       behind a backslash in it       string
//   value        inside the member's text       between, bad
//   bad          given up
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "wiretally/bytes.h"

namespace wiretally::llm {

class Base64Sink {
 public:
  virtual ~Base64Sink() = default;
  virtual void on_decoded(ByteView part) = 0;
};

class Base64Member {
 public:
  // `name` outlives the reader.
  Base64Member(std::string_view name, Base64Sink& sink) : name_(name), sink_(sink) {}

  void feed(ByteView bytes);
  void reset();
  // The member was there, whole and well-formed.
  bool complete() const { return complete_; }

 private:
  enum class State : uint8_t { kBetween, kString, kEscape, kValue, kBad };
  static constexpr size_t kPieceBytes = 768;

  const uint8_t* between(const uint8_t* p, const uint8_t* end);
  const uint8_t* string(const uint8_t* p, const uint8_t* end);
  const uint8_t* value(const uint8_t* p, const uint8_t* end);

  std::string_view name_;
  Base64Sink& sink_;
  State state_ = State::kBetween;
  bool complete_ = false;
  bool is_value_ = false;    // a colon stands before
  bool name_found_ = false;  // the last name was the member's
  uint8_t depth_ = 0;
  uint8_t same_ = 0;  // characters of the name that the open string has matched; kDiffers
  uint8_t quad_ = 0;  // characters of an open group of four
  uint8_t padding_ = 0;
  uint32_t bits_ = 0;

  static constexpr uint8_t kDiffers = 255;
};

}  // namespace wiretally::llm
