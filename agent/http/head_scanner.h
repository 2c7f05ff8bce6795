// Finds the end of a message head, RFC 9112 section 2.1, without copying: a head that lies in one
// event is parsed where it lies.
//
//   head = start-line CRLF *( field-line CRLF ) CRLF
//
// Strict about line ends: clients and servers disagree about a bare LF, so a head with one is bad.
// A request's start line has to end in " HTTP/1." DIGIT; that keeps other line protocols out.
#pragma once

#include <array>
#include <cstddef>

#include "wiretally/bytes.h"

namespace wiretally::http {

class HeadScanner {
 public:
  enum class State : uint8_t { kOpen, kComplete, kBadStartLine, kBadLineEnd };

  void reset(bool request) { *this = HeadScanner(request); }
  // Takes bytes up to the end of the head, or all; returns how many. Once not kOpen, takes none.
  size_t feed(ByteView bytes);
  State state() const { return state_; }
  bool in_first_line() const { return first_line_; }

  HeadScanner() = default;

 private:
  explicit HeadScanner(bool request) : request_(request) {}
  bool has_bare_carriage_return(ByteView part) const;
  void end_line();
  void keep_tail(ByteView part);

  static constexpr size_t kTailBytes = 10;  // " HTTP/1.1" and CR

  State state_ = State::kOpen;
  bool request_ = false;
  bool first_line_ = true;
  size_t line_bytes_ = 0;  // of the open line, so far
  // The open line's last bytes, right-aligned.
  std::array<char, kTailBytes> tail_{};
};

}  // namespace wiretally::http
