#include "framing/form_field.h"

#include <cstring>

namespace wiretally::llm {
namespace {

constexpr std::string_view kBefore = "; name=\"";
constexpr std::string_view kBlankLine = "\r\n\r\n";

}  // namespace

void FormField::reset() {
  state_ = State::kStart;
  matched_ = 0;
  kept_size_ = 0;
  value_.clear();
}

void FormField::feed(ByteView bytes) {
  const uint8_t* p = bytes.data();
  const uint8_t* const end = p + bytes.size();
  while (p != end && state_ != State::kNone && state_ != State::kDone) {
    if (state_ == State::kSearch && matched_ == 0) {
      const void* const found = std::memchr(p, ';', static_cast<size_t>(end - p));
      if (found == nullptr) return;
      p = static_cast<const uint8_t*>(found);
    }
    step(*p++);
  }
}

void FormField::step(uint8_t byte) {
  const char c = static_cast<char>(byte);
  switch (state_) {
    case State::kStart:
      state_ = c == '-' ? State::kSearch : State::kNone;
      break;
    case State::kSearch: {
      const size_t at = matched_;
      const bool same = at < kBefore.size()                  ? c == kBefore[at]
                        : at < kBefore.size() + name_.size() ? c == name_[at - kBefore.size()]
                                                             : c == '"';
      if (!same) {
        matched_ = c == ';' ? 1 : 0;
      } else if (++matched_ == kBefore.size() + name_.size() + 1) {
        matched_ = 0;
        state_ = State::kBlank;
      }
      break;
    }
    case State::kBlank:
      if (c == kBlankLine[matched_]) {
        ++matched_;
      } else {
        matched_ = c == '\r' ? 1 : 0;
      }
      if (matched_ == kBlankLine.size()) state_ = State::kValue;
      break;
    case State::kValue:
      if (c == '\r' || c == '\n' || kept_size_ == kValueMax) {
        value_.assign({kept_, kept_size_});
        state_ = State::kDone;
      } else {
        kept_[kept_size_++] = c;
      }
      break;
    case State::kNone:
    case State::kDone:
      break;
  }
}

}  // namespace wiretally::llm
