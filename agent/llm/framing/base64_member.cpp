#include "framing/base64_member.h"

#include <cstring>

#include "framing/base64_digit.h"

namespace wiretally::llm {

void Base64Member::reset() {
  state_ = State::kBetween;
  complete_ = is_value_ = name_found_ = false;
  depth_ = same_ = quad_ = padding_ = 0;
  bits_ = 0;
}

void Base64Member::feed(ByteView bytes) {
  const uint8_t* p = bytes.data();
  const uint8_t* const end = p + bytes.size();
  while (p != end) {
    switch (state_) {
      case State::kBetween:
        p = between(p, end);
        break;
      case State::kString:
        p = string(p, end);
        break;
      case State::kEscape:
        state_ = State::kString;
        ++p;
        break;
      case State::kValue:
        p = value(p, end);
        break;
      case State::kBad:
        return;
    }
  }
}

const uint8_t* Base64Member::between(const uint8_t* p, const uint8_t* end) {
  for (; p != end; ++p) {
    const uint8_t c = *p;
    if (c == '"') {
      same_ = 0;
      state_ = is_value_ && name_found_ && !complete_ ? State::kValue : State::kString;
      return p + 1;
    }
    if (c == ':') is_value_ = true;
    if (c == ',') is_value_ = name_found_ = false;
    const bool nested = c == '[' || (c == '{' && depth_++ > 0);
    if (nested) {
      state_ = State::kBad;
      return end;
    }
  }
  return end;
}

// Names are compared as they come; none of them is long.
const uint8_t* Base64Member::string(const uint8_t* p, const uint8_t* end) {
  for (; p != end; ++p) {
    if (*p == '"') {
      if (!is_value_) name_found_ = same_ == name_.size();
      state_ = State::kBetween;
      return p + 1;
    }
    if (*p == '\\') {
      same_ = kDiffers;
      state_ = State::kEscape;
      return p + 1;
    }
    if (same_ == kDiffers) continue;
    const bool same = same_ < name_.size() && static_cast<char>(*p) == name_[same_];
    same_ = same ? static_cast<uint8_t>(same_ + 1) : kDiffers;
  }
  return end;
}

const uint8_t* Base64Member::value(const uint8_t* p, const uint8_t* end) {
  std::array<uint8_t, kPieceBytes> piece;
  size_t size = 0;
  const auto flush = [&] {
    if (size > 0) sink_.on_decoded({piece.data(), size});
    size = 0;
  };
  for (; p != end; ++p) {
    const uint8_t digit = kBase64Digits[*p];
    if (digit != kNoBase64Digit && padding_ == 0) {
      bits_ = bits_ << 6 | digit;
      if (++quad_ < 4) continue;
      piece[size++] = static_cast<uint8_t>(bits_ >> 16);
      piece[size++] = static_cast<uint8_t>(bits_ >> 8);
      piece[size++] = static_cast<uint8_t>(bits_);
      quad_ = 0;
      if (size == piece.size()) flush();
    } else if (*p == '=' && quad_ >= 2 && quad_ + padding_ < 4) {
      ++padding_;
    } else if (*p == '"' && (quad_ == 0 || quad_ >= 2)) {
      if (quad_ == 2) piece[size++] = static_cast<uint8_t>(bits_ >> 4);
      if (quad_ == 3) {
        piece[size++] = static_cast<uint8_t>(bits_ >> 10);
        piece[size++] = static_cast<uint8_t>(bits_ >> 2);
      }
      flush();
      complete_ = true;
      state_ = State::kBetween;
      return p + 1;
    } else if (*p != '\\') {
      flush();
      state_ = State::kBad;
      return end;
    }
  }
  flush();
  return end;
}

}  // namespace wiretally::llm
