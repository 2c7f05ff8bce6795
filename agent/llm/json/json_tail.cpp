#include "json/json_tail.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "byte_scan.h"

namespace wiretally::llm {
namespace {

constexpr bool is_space(uint8_t c) { return c <= 0x20; }

constexpr bool is_letter(uint8_t c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }

// What numbers and bare words are made of.
constexpr bool is_token(uint8_t c) {
  return (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.' || is_letter(c);
}

bool is_word(std::string_view word) {
  return word == "null" || word == "true" || word == "false" || word == "NaN" || word == "Infinity";
}

}  // namespace

void JsonTail::gap() {
  fed_ = 0;
  readings_ = {};
  readings_[1].state = readings_[2].state = State::kString;
  readings_[2].escaped = true;
}

void JsonTail::feed(ByteView bytes) {
  for (Reading& reading : readings_) reading.feed(bytes, fed_);
  // Readings that stand alike go on alike.
  for (size_t i = 1; i < readings_.size(); ++i) {
    const auto alike = std::find(readings_.begin(), readings_.begin() + i, readings_[i]);
    if (alike != readings_.begin() + i) readings_[i].state = State::kWrong;
  }
  keep(bytes);
}

void JsonTail::keep(ByteView bytes) {
  fed_ += bytes.size();
  const ByteView last = bytes.last(std::min(bytes.size(), kKeptBytes));
  const size_t at = (fed_ - last.size()) % kKeptBytes;
  const size_t to_border = std::min(last.size(), kKeptBytes - at);
  std::memcpy(kept_.data() + at, last.data(), to_border);
  std::memcpy(kept_.data(), last.data() + to_border, last.size() - to_border);
}

std::optional<JsonTail::Members> JsonTail::finish() const {
  const auto left = std::find_if(readings_.begin(), readings_.end(), [](const Reading& reading) {
    return reading.state == State::kAfter && reading.end != Reading::kNowhere;
  });
  if (left == readings_.end() || left->closed_array || left->begin == Reading::kNowhere) {
    return std::nullopt;
  }
  if (fed_ - left->begin > kKeptBytes) return std::nullopt;
  const size_t size = left->end - left->begin;
  const size_t at = left->begin % kKeptBytes;
  const size_t to_border = std::min(size, kKeptBytes - at);
  return Members{{kept_.data() + at, to_border}, {kept_.data(), size - to_border}};
}

// --- one reading ---------------------------------------------------------------------------------

void JsonTail::Reading::feed(ByteView bytes, uint64_t offset) {
  const uint8_t* const first = bytes.data();
  const uint8_t* const last = first + bytes.size();
  const uint8_t* p = first;
  while (p != last) {
    switch (state) {
      case State::kString:
        p = string(p, last);
        break;
      case State::kToken:
        p = token(p, last);
        break;
      case State::kAnywhere:
      case State::kItem:
      case State::kMember:
      case State::kElement:
      case State::kValue:
      case State::kBehindAnything:
      case State::kBehindItem:
      case State::kColon:
      case State::kAfter:
        if (is_space(*p)) {
          p = find<Visible>(p, last);
        } else {
          structure(*p, offset + static_cast<uint64_t>(p - first));
          ++p;
        }
        break;
      case State::kWrong:
        return;
    }
  }
}

const uint8_t* JsonTail::Reading::string(const uint8_t* p, const uint8_t* end_of_bytes) {
  if (escaped) {
    escaped = false;
    return p + 1;
  }
  p = find<QuoteOrBackslash>(p, end_of_bytes);
  if (p == end_of_bytes) return p;
  if (*p == '"') {
    state = behind;
  } else {
    escaped = true;
  }
  return p + 1;
}

// Goes on to the byte behind the token, which is structure.
const uint8_t* JsonTail::Reading::token(const uint8_t* p, const uint8_t* end_of_bytes) {
  while (p != end_of_bytes && is_token(*p)) {
    if (word_size > 0 && word_size < word.size()) word[word_size++] = static_cast<char>(*p);
    ++p;
  }
  if (p != end_of_bytes) end_word();
  return p;
}

void JsonTail::Reading::end_word() {
  const bool good = word_size == 0 || is_word({word.data(), word_size});
  state = good ? State::kAfter : State::kWrong;
  word_size = 0;
  word = {};
}

// One byte that is neither space nor inside a string or token.
void JsonTail::Reading::structure(uint8_t c, uint64_t offset) {
  end = kNowhere;
  const bool closes = c == '}' || c == ']';
  switch (state) {
    case State::kAnywhere:
      if (c == '"') {
        begin_string(State::kBehindAnything);
      } else if (c == ':') {
        colon();
      } else if (c == ',') {
        comma_at(offset);
      } else if (closes) {
        close(c == ']', offset);
      } else {
        begin_value(c);
        word_size = 0;  // its beginning may be lost
        word = {};
      }
      return;
    case State::kItem:
      if (c == '"') {
        begin_string(State::kBehindItem);
      } else if (closes) {
        close(c == ']', offset);
      } else if (holds(Kind::kArray)) {
        begin_value(c);
      }
      return;
    case State::kMember:
      if (c == '"') {
        begin_string(State::kColon);
      } else if (c == '}') {
        close(false, offset);
      } else {
        state = State::kWrong;
      }
      return;
    case State::kElement:
      if (c == ']') {
        close(true, offset);
        return;
      }
      [[fallthrough]];
    case State::kValue:
      if (c == '"') {
        begin_string(State::kAfter);
      } else {
        begin_value(c);
      }
      return;
    case State::kBehindAnything:
    case State::kBehindItem:
      if (c == ':') {
        colon();
        return;
      }
      if (state == State::kBehindItem && !holds(Kind::kArray)) return;
      [[fallthrough]];
    case State::kAfter:
      if (c == ',') {
        comma_at(offset);
      } else if (closes) {
        close(c == ']', offset);
      } else {
        state = State::kWrong;
      }
      return;
    case State::kColon:
      state = c == ':' ? State::kValue : State::kWrong;
      return;
    case State::kString:
    case State::kToken:
    case State::kWrong:
      return;
  }
}

void JsonTail::Reading::begin_string(State next) {
  state = State::kString;
  behind = next;
}

void JsonTail::Reading::begin_value(uint8_t c) {
  if (c == '{' || c == '[') {
    open(c == '[');
  } else if (is_token(c)) {
    state = State::kToken;
    if (is_letter(c)) {
      word[0] = static_cast<char>(c);
      word_size = 1;
    }
  } else {
    state = State::kWrong;
  }
}

// Where the container at hand was open at the gap: it is of this kind, or the reading is wrong.
bool JsonTail::Reading::holds(Kind kind) {
  if (outer == Kind::kUnknown) outer = kind;
  if (outer != kind) state = State::kWrong;
  return outer == kind;
}

// Behind a string that may be a name, which is only told of containers that were open at the gap.
void JsonTail::Reading::colon() {
  if (holds(Kind::kObject)) state = State::kValue;
}

void JsonTail::Reading::comma_at(uint64_t offset) {
  if (opened > 0) {
    state = (arrays >> (opened - 1) & 1) != 0 ? State::kElement : State::kMember;
    return;
  }
  if (comma == kNowhere) comma = offset + 1;
  switch (outer) {
    case Kind::kUnknown:
      state = State::kItem;
      break;
    case Kind::kObject:
      state = State::kMember;
      break;
    case Kind::kArray:
      state = State::kElement;
      break;
  }
}

void JsonTail::Reading::open(bool array) {
  if (opened == kDepthMax) {
    state = State::kWrong;
    return;
  }
  if (array) arrays |= uint64_t{1} << opened;
  ++opened;
  state = array ? State::kElement : State::kMember;
}

void JsonTail::Reading::close(bool array, uint64_t offset) {
  state = State::kAfter;
  if (opened > 0) {
    --opened;
    const bool was_array = (arrays >> opened & 1) != 0;
    if (was_array != array) state = State::kWrong;
    arrays &= ~(uint64_t{1} << opened);
    return;
  }
  if (!holds(array ? Kind::kArray : Kind::kObject)) return;
  outer = Kind::kUnknown;
  begin = comma;
  end = offset + 1;
  closed_array = array;
  comma = kNowhere;
}

// --- the bound -----------------------------------------------------------------------------------

std::unique_ptr<JsonTail> JsonTails::take() {
  if (taken_ == most_) return nullptr;
  ++taken_;
  if (spare_.empty()) return std::make_unique<JsonTail>();
  std::unique_ptr<JsonTail> tail = std::move(spare_.back());
  spare_.pop_back();
  return tail;
}

void JsonTails::give_back(std::unique_ptr<JsonTail> tail) {
  if (tail == nullptr) return;
  --taken_;
  tail->forget();
  spare_.push_back(std::move(tail));
}

}  // namespace wiretally::llm
