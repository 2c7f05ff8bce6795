#include "json/json_scanner.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "byte_scan.h"
#include "json/number.h"
#include "json/path_set.h"

namespace wiretally::llm {
namespace {

constexpr uint16_t kNone = PathSet::Tree::kNone;
constexpr uint16_t kRoot = PathSet::Tree::kRoot;
constexpr uint8_t kByteOrderMark[] = {0xEF, 0xBB, 0xBF};

constexpr bool is_letter(uint8_t c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }

// What numbers and bare words are made of.
constexpr std::array<bool, 256> token_bytes() {
  std::array<bool, 256> table{};
  for (unsigned c = 0; c < 256; ++c) {
    table[c] = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.' ||
               is_letter(static_cast<uint8_t>(c));
  }
  return table;
}
constexpr std::array<bool, 256> kTokenByte = token_bytes();

const uint8_t* skip_space(const uint8_t* p, const uint8_t* end) {
  if (p != end && Visible::hit(*p)) return p;
  return find<Visible>(p, end);
}

std::string_view text_between(const uint8_t* p, const uint8_t* end) {
  return {reinterpret_cast<const char*>(p), static_cast<size_t>(end - p)};
}

bool all_digits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// What a bare word says; false if it is none.
bool read_word(std::string_view word, JsonEvent& event) {
  if (word == "null") {
    event.kind = JsonEvent::Kind::kNull;
  } else if (word == "true" || word == "false") {
    event.kind = JsonEvent::Kind::kBool;
    event.boolean = word == "true";
  } else if (word == "NaN" || word == "Infinity") {
    event.kind = JsonEvent::Kind::kNumber;
  } else {
    return false;
  }
  return true;
}

}  // namespace

JsonScanner::JsonScanner(const PathSet& paths, JsonEvents& events)
    : tree_(&paths.tree()), events_(events) {}

void JsonScanner::reset() {
  state_ = State::kStart;
  mark_bytes_ = 0;
  levels_size_ = 0;
  skipping_ = false;
  depth_ = 0;
  unread_ = 0;
}

JsonScanner::Verdict JsonScanner::verdict() const {
  if (state_ == State::kDone) return Verdict::kComplete;
  return state_ == State::kBad ? Verdict::kBad : Verdict::kMore;
}

uint32_t JsonScanner::depth() const {
  return static_cast<uint32_t>(std::min<uint64_t>(depth_, UINT32_MAX));
}

JsonScanner::Verdict JsonScanner::feed(ByteView bytes) {
  const uint8_t* p = bytes.data();
  const uint8_t* const end = p + bytes.size();
  unread_ = 0;
  while (p != end) {
    switch (state_) {
      case State::kStart:
        p = start(p);
        break;
      case State::kValue:
        p = value(p, end);
        break;
      case State::kMember:
        p = member(p, end);
        break;
      case State::kName:
        p = name(p, end);
        break;
      case State::kColon:
        p = colon(p, end);
        break;
      case State::kString:
        p = string(p, end);
        break;
      case State::kQuoted:
        p = quoted(p, end);
        break;
      case State::kToken:
        p = token(p, end);
        break;
      case State::kSkip:
        p = skip(p, end);
        break;
      case State::kAfter:
        p = after(p, end);
        break;
      case State::kDone:
        unread_ = static_cast<size_t>(end - p);
        return Verdict::kComplete;
      case State::kBad:
        unread_ = static_cast<size_t>(end - p);
        return Verdict::kBad;
    }
  }
  return verdict();
}

JsonScanner::Verdict JsonScanner::finish() {
  unread_ = 0;
  if (state_ == State::kToken && levels_size_ == 0) token_end({token_, token_size_});
  if (state_ != State::kDone) state_ = State::kBad;
  return verdict();
}

const uint8_t* JsonScanner::start(const uint8_t* p) {
  if (*p == kByteOrderMark[mark_bytes_]) {
    if (++mark_bytes_ < sizeof kByteOrderMark) return p + 1;
    ++p;
  } else if (mark_bytes_ > 0) {
    state_ = State::kBad;
    return p;
  }
  state_ = State::kValue;
  may_close_ = false;
  node_ = kRoot;
  return p;
}

const uint8_t* JsonScanner::value(const uint8_t* p, const uint8_t* end) {
  p = skip_space(p, end);
  if (p == end) return end;
  const uint8_t c = *p;
  if (c == '"') return string_begin(p + 1, end);
  if (c == '{' || c == '[') {
    open(c == '[');
    return p + 1;
  }
  if (c == ']' && may_close_) {
    close(true);
    return p + 1;
  }
  if (!kTokenByte[c]) {
    state_ = State::kBad;
    return p;
  }
  state_ = State::kToken;
  token_size_ = 0;
  return token(p, end);
}

const uint8_t* JsonScanner::member(const uint8_t* p, const uint8_t* end) {
  p = skip_space(p, end);
  if (p == end) return end;
  if (*p == '}' && may_close_) {
    close(false);
    return p + 1;
  }
  if (*p != '"') {
    state_ = State::kBad;
    return p;
  }
  ++p;
  const uint8_t* const stop = find<StringSpecial>(p, end);
  if (stop != end && *stop == '"') {
    name_end(text_between(p, stop));
    return colon(stop + 1, end);
  }
  decoder_.reset();
  state_ = State::kName;
  return name(p, end);
}

const uint8_t* JsonScanner::name(const uint8_t* p, const uint8_t* end) {
  p = decoder_.feed(p, end);
  if (decoder_.at_end()) {
    // A name that is too long to be kept cannot be a pattern's, which is shorter.
    name_end(decoder_.text_cut() ? std::string_view() : decoder_.text());
  }
  return p;
}

void JsonScanner::name_end(std::string_view name) {
  node_ = name.empty() ? kNone : tree_->member(levels_[levels_size_ - 1].node, name);
  state_ = State::kColon;
}

const uint8_t* JsonScanner::colon(const uint8_t* p, const uint8_t* end) {
  p = skip_space(p, end);
  if (p == end) return end;
  if (*p != ':') {
    state_ = State::kBad;
    return p;
  }
  state_ = State::kValue;
  may_close_ = false;
  return value(p + 1, end);
}

const uint8_t* JsonScanner::string_begin(const uint8_t* p, const uint8_t* end) {
  if (!tree_->matched(node_)) {
    return quoted_begin(p, end);
  }
  // Most strings are plain and whole: they are reported where they stand.
  const uint8_t* const stop = find<StringSpecial>(p, end);
  if (stop != end && *stop == '"') {
    const std::string_view text = text_between(p, stop);
    value_end();
    report_text(text.substr(0, JsonEvent::kTextBytes), text.size(), text.size(), true);
    return stop + 1;
  }
  decoder_.reset();
  raw_bytes_ = 0;
  state_ = State::kString;
  return string(p, end);
}

const uint8_t* JsonScanner::string(const uint8_t* p, const uint8_t* end) {
  const uint8_t* const begin = p;
  p = decoder_.feed(p, end);
  raw_bytes_ += static_cast<uint64_t>(p - begin);
  if (decoder_.at_end()) {
    value_end();
    report_text(decoder_.text(), decoder_.text_bytes(), raw_bytes_ - 1, false);
  }
  return p;
}

const uint8_t* JsonScanner::quoted_begin(const uint8_t* p, const uint8_t* end) {
  state_ = State::kQuoted;
  escaped_ = false;
  const uint8_t* const behind = quoted(p, end);
  const bool whole = state_ != State::kQuoted;
  if (whole && spans_ != nullptr) spans_->add({p, behind - 1, SpanLog::Kind::kString, false});
  return behind;
}

const uint8_t* JsonScanner::quoted(const uint8_t* p, const uint8_t* end) {
  while (p != end) {
    if (escaped_) {
      escaped_ = false;
      ++p;
      continue;
    }
    p = find<QuoteOrBackslash>(p, end);
    if (p == end) return end;
    if (*p++ == '"') {
      if (skipping_) {
        state_ = State::kSkip;
      } else {
        value_end();
      }
      return p;
    }
    escaped_ = true;
  }
  return end;
}

const uint8_t* JsonScanner::token(const uint8_t* p, const uint8_t* end) {
  const uint8_t* stop = p;
  while (stop != end && kTokenByte[*stop]) ++stop;
  const std::string_view part = text_between(p, stop);
  if (token_size_ == 0 && stop != end) {
    const bool read = tree_->matched(node_);
    token_end(part);
    if (spans_ != nullptr && !read && all_digits(part)) {
      spans_->add({p, stop, SpanLog::Kind::kDigits, true});
    }
    return stop;
  }
  const size_t kept = std::min(part.size(), sizeof token_ - token_size_);
  std::memcpy(token_ + token_size_, part.data(), kept);
  token_size_ = static_cast<uint8_t>(token_size_ + kept);
  if (stop != end) token_end({token_, token_size_});
  return stop;
}

void JsonScanner::token_end(std::string_view token) {
  JsonEvent event;
  if (is_letter(static_cast<uint8_t>(token.front()))) {
    if (!read_word(token, event)) {
      state_ = State::kBad;
      return;
    }
  } else {
    event.kind = JsonEvent::Kind::kNumber;
    if (tree_->matched(node_) && token.size() <= kTokenBytes) {
      event.integer = count_from_number(token);
      event.text = token;
      event.text_bytes = token.size();
    }
  }
  value_end();
  report(node_, event);
}

const uint8_t* JsonScanner::skip(const uint8_t* p, const uint8_t* end) {
  while (state_ == State::kSkip) {
    p = find<QuoteOrBracket>(p, end);
    if (p == end) return end;
    const uint8_t c = *p++;
    if (c == '"') {
      p = quoted_begin(p, end);
    } else if (c == '[' || c == '{') {
      note_open(c == '[');
    } else {
      close_skipped(c == ']');
    }
  }
  return p;
}

const uint8_t* JsonScanner::after(const uint8_t* p, const uint8_t* end) {
  p = skip_space(p, end);
  if (p == end) return end;
  const uint8_t c = *p;
  if (c == ']' || c == '}') {
    close(c == ']');
    return p + 1;
  }
  if (c != ',') {
    state_ = State::kBad;
    return p;
  }
  may_close_ = false;
  if (!in_array(depth_ - 1)) {
    state_ = State::kMember;
    return p + 1;
  }
  Level& level = levels_[levels_size_ - 1];
  ++level.index;
  node_ = tree_->element(level.node);
  state_ = State::kValue;
  return p + 1;
}

void JsonScanner::note_open(bool array) {
  if (depth_ < kDepthMax) {
    const uint64_t bit = uint64_t{1} << (depth_ % 64);
    uint64_t& word = arrays_[depth_ / 64];
    word = array ? word | bit : word & ~bit;
  }
  ++depth_;
}

bool JsonScanner::closes_kind(bool array) const {
  return depth_ > kDepthMax || in_array(depth_ - 1) == array;
}

// Goes into the container at hand, or past it where nothing in it can match.
void JsonScanner::open(bool array) {
  JsonEvent event;
  event.kind = array ? JsonEvent::Kind::kArrayBegin : JsonEvent::Kind::kObjectBegin;
  const uint16_t node = node_;
  note_open(array);
  report(node, event);
  levels_[levels_size_] = {node, array || levels_size_ == 0 ? 0 : levels_[levels_size_ - 1].index};
  ++levels_size_;
  may_close_ = true;
  const uint16_t element = tree_->element(node);
  if (array && element != kNone) {
    node_ = element;
    state_ = State::kValue;
  } else if (!array && tree_->has_members(node)) {
    state_ = State::kMember;
  } else {
    state_ = State::kSkip;
    skipping_ = true;
  }
}

void JsonScanner::skip_rest_of_array() {
  if (state_ != State::kAfter || !in_array(depth_ - 1)) return;
  state_ = State::kSkip;
  skipping_ = true;
}

// The innermost container on the path ends.
void JsonScanner::close(bool array) {
  if (!closes_kind(array)) {
    state_ = State::kBad;
    return;
  }
  --depth_;
  --levels_size_;
  skipping_ = false;
  value_end();
  JsonEvent event;
  event.kind = array ? JsonEvent::Kind::kArrayEnd : JsonEvent::Kind::kObjectEnd;
  report(levels_[levels_size_].node, event);
}

void JsonScanner::close_skipped(bool array) {
  if (depth_ == levels_size_) {
    close(array);
  } else if (closes_kind(array)) {
    --depth_;
  } else {
    state_ = State::kBad;
  }
}

void JsonScanner::report(uint16_t node, JsonEvent& event) {
  if (!tree_->matched(node)) return;
  event.index = levels_size_ == 0 ? 0 : levels_[levels_size_ - 1].index;
  events_.on_json(tree_->nodes[node].path, event);
}

void JsonScanner::report_text(std::string_view text, uint64_t text_bytes, uint64_t raw_bytes,
                              bool in_place) {
  JsonEvent event;
  event.kind = JsonEvent::Kind::kString;
  event.text = text;
  event.text_bytes = text_bytes;
  event.raw_bytes = raw_bytes;
  event.text_cut = text_bytes > text.size();
  event.in_place = in_place;
  report(node_, event);
}

}  // namespace wiretally::llm
