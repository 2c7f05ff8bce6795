// One short text field of a multipart/form-data body (RFC 7578), found as the body passes, in
// constant memory: name="model", up to the blank line behind it, then its value up to the line end.
// Contents of files are not told from part headers; what looks like the field in them before the
// field itself would be taken for it.
//
//   state     where the reader is                       goes on to
//   start     at the first byte: a form begins with '-' search, none
//   search    anywhere: looks for name="…"              blank
//   blank     behind it: up to CR LF CR LF              value
//   value     inside the value                          done
//   none, done                                          nothing more is read
#pragma once

#include <cstdint>
#include <string_view>

#include "wiretally/bytes.h"

namespace wiretally::llm {

class FormField {
 public:
  static constexpr size_t kValueMax = 256;

  // `name` outlives the reader.
  explicit FormField(std::string_view name) : name_(name) {}

  void feed(ByteView bytes);
  void reset();

  bool is_form() const { return state_ != State::kStart && state_ != State::kNone; }
  bool found() const { return state_ == State::kDone; }
  const Text<kValueMax>& value() const { return value_; }

 private:
  enum class State : uint8_t { kStart, kSearch, kBlank, kValue, kNone, kDone };

  void step(uint8_t byte);

  std::string_view name_;
  State state_ = State::kStart;
  uint8_t matched_ = 0;  // bytes of name="…", or of the blank line
  Text<kValueMax> value_;
  char kept_[kValueMax] = {};
  uint16_t kept_size_ = 0;
};

}  // namespace wiretally::llm
