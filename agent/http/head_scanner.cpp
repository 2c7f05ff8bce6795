#include "head_scanner.h"

#include <cstring>

namespace wiretally::http {

size_t HeadScanner::feed(ByteView bytes) {
  size_t used = 0;
  while (used < bytes.size() && state_ == State::kOpen) {
    const ByteView rest = bytes.subspan(used);
    const void* found = std::memchr(rest.data(), '\n', rest.size());
    const size_t part = found == nullptr
                            ? rest.size()
                            : static_cast<size_t>(static_cast<const uint8_t*>(found) - rest.data());
    if (has_bare_carriage_return(rest.first(part))) {
      state_ = State::kBadLineEnd;
      return used + part;
    }
    keep_tail(rest.first(part));
    line_bytes_ += part;
    used += part;
    if (found == nullptr) break;
    ++used;
    end_line();
  }
  return used;
}

// `part` goes on with the open line: a CR before its last byte is not followed by LF.
bool HeadScanner::has_bare_carriage_return(ByteView part) const {
  if (part.empty()) return false;
  if (line_bytes_ > 0 && tail_.back() == '\r') return true;
  return std::memchr(part.data(), '\r', part.size() - 1) != nullptr;
}

void HeadScanner::end_line() {
  if (line_bytes_ == 0 || tail_.back() != '\r') {
    state_ = State::kBadLineEnd;
  } else if (first_line_) {
    const std::string_view tail(tail_.data(), tail_.size());
    if (request_ && (line_bytes_ < kTailBytes || !tail.starts_with(" HTTP/1."))) {
      state_ = State::kBadStartLine;
    }
  } else if (line_bytes_ == 1) {
    state_ = State::kComplete;
  }
  first_line_ = false;
  line_bytes_ = 0;
}

void HeadScanner::keep_tail(ByteView part) {
  const size_t fresh = std::min(part.size(), kTailBytes);
  std::memmove(tail_.data(), tail_.data() + fresh, kTailBytes - fresh);
  if (fresh > 0) {
    std::memcpy(tail_.data() + kTailBytes - fresh, part.data() + part.size() - fresh, fresh);
  }
}

}  // namespace wiretally::http
