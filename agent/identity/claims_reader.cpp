#include "claims_reader.h"

#include <openssl/crypto.h>

#include <algorithm>

namespace wiretally::identity {
namespace {

constexpr uint32_t kReplacement = 0xFFFD;

bool is_white_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_high_surrogate(uint32_t unit) { return unit >= 0xD800 && unit <= 0xDBFF; }
bool is_low_surrogate(uint32_t unit) { return unit >= 0xDC00 && unit <= 0xDFFF; }

Claim claim_of(std::string_view name) {
  struct Row {
    std::string_view name;
    Claim claim;
  };
  static constexpr Row kRows[] = {
      {"sub", Claim::kSubject}, {"iss", Claim::kIssuer},          {"aud", Claim::kAudience},
      {"appid", Claim::kAppId}, {"azp", Claim::kAuthorizedParty}, {"client_id", Claim::kClientId},
      {"cid", Claim::kCid},     {"tid", Claim::kTenant}};
  for (const Row& row : kRows) {
    if (row.name == name) return row.claim;
  }
  return Claim::kCount;
}

}  // namespace

ClaimsReader::~ClaimsReader() { OPENSSL_cleanse(values_.data(), sizeof values_); }

void ClaimsReader::reset() {
  state_ = State::kStart;
  role_ = StringRole::kPassedOver;
  claim_ = Claim::kCount;
  name_size_ = 0;
  nesting_ = 0;
  depth_ = 0;
  code_unit_ = 0;
  code_unit_digits_ = 0;
  high_surrogate_ = 0;
  for (Value& value : values_) {
    value.size = 0;
    value.times_stated = 0;
  }
}

bool ClaimsReader::feed(std::string_view json) {
  for (size_t i = 0; i < json.size() && state_ != State::kBad; ++i) {
    // Most of a large token is strings of no interest.
    if (state_ == State::kString && role_ == StringRole::kPassedOver) {
      i = std::min(json.find_first_of("\"\\", i), json.size());
      if (i == json.size()) break;
    }
    step(json[i]);
  }
  return state_ != State::kBad;
}

std::string_view ClaimsReader::value(Claim claim) const {
  const Value& value = values_[static_cast<size_t>(claim)];
  if (value.times_stated != 1) return {};
  return {value.bytes.data(), value.size};
}

void ClaimsReader::step(char c) {
  switch (state_) {
    case State::kStart:
      if (!is_white_space(c)) state_ = c == '{' ? State::kNameOrEnd : State::kBad;
      return;
    case State::kNameOrEnd:
      if (c == '}') {
        state_ = State::kEnd;
        return;
      }
      [[fallthrough]];
    case State::kName:
      if (is_white_space(c)) return;
      if (c == '"') {
        begin_string(StringRole::kName);
      } else {
        state_ = State::kBad;
      }
      return;
    case State::kColon:
      if (!is_white_space(c)) state_ = c == ':' ? State::kValue : State::kBad;
      return;
    case State::kValue:
      if (!is_white_space(c)) begin_value(c);
      return;
    case State::kFirstOfArray:
      if (is_white_space(c)) return;
      state_ = State::kNested;
      if (c == '"') {
        begin_string(StringRole::kClaim);
      } else {
        nested(c);
      }
      return;
    case State::kNested:
      nested(c);
      return;
    case State::kScalar:
      if (c == ',' || c == '}' || is_white_space(c))
        after_value(c);
      else if (c == '"' || c == '{' || c == '[' || c == ']' || c == ':')
        state_ = State::kBad;
      return;
    case State::kCommaOrEnd:
      after_value(c);
      return;
    case State::kString:
      if (c == '"') {
        end_string();
      } else if (c == '\\') {
        state_ = State::kEscape;
      } else {
        flush_surrogate();
        keep(c);
      }
      return;
    case State::kEscape:
      escape(c);
      return;
    case State::kUnicode:
      unicode_digit(c);
      return;
    case State::kEnd:
      if (!is_white_space(c)) state_ = State::kBad;
      return;
    case State::kBad:
      return;
  }
}

void ClaimsReader::begin_string(StringRole role) {
  role_ = role;
  if (role == StringRole::kName) name_size_ = 0;
  // Of a claim stated twice the first value would stay; it is not shown.
  if (role == StringRole::kClaim) current().size = 0;
  state_ = State::kString;
}

void ClaimsReader::end_string() {
  flush_surrogate();
  if (role_ == StringRole::kName) {
    end_name();
    state_ = State::kColon;
  } else {
    state_ = depth_ > 0 ? State::kNested : State::kCommaOrEnd;
  }
}

void ClaimsReader::end_name() {
  claim_ = name_size_ <= kNameBytes ? claim_of({name_.data(), name_size_}) : Claim::kCount;
  if (claim_wanted() && current().times_stated < UINT8_MAX) ++current().times_stated;
}

void ClaimsReader::begin_value(char c) {
  if (c == '"') {
    begin_string(claim_wanted() ? StringRole::kClaim : StringRole::kPassedOver);
  } else if (c == '{' || c == '[') {
    begin_nested(c);
    if (c == '[' && claim_ == Claim::kAudience) state_ = State::kFirstOfArray;
  } else if (c == ',' || c == '}' || c == ']' || c == ':') {
    state_ = State::kBad;
  } else {
    state_ = State::kScalar;
  }
}

void ClaimsReader::begin_nested(char c) {
  if (depth_ == kDepthMax) {
    state_ = State::kBad;
    return;
  }
  ++depth_;
  nesting_ = nesting_ << 1 | (c == '{' ? 1u : 0u);
  state_ = State::kNested;
}

void ClaimsReader::nested(char c) {
  if (c == '"') {
    begin_string(StringRole::kPassedOver);
  } else if (c == '{' || c == '[') {
    begin_nested(c);
  } else if (c == '}' || c == ']') {
    const bool is_object = (nesting_ & 1u) != 0;
    if (is_object != (c == '}')) {
      state_ = State::kBad;
      return;
    }
    nesting_ >>= 1;
    --depth_;
    if (depth_ == 0) state_ = State::kCommaOrEnd;
  }
}

void ClaimsReader::after_value(char c) {
  if (c == ',') {
    state_ = State::kName;
  } else if (c == '}') {
    state_ = State::kEnd;
  } else {
    state_ = is_white_space(c) ? State::kCommaOrEnd : State::kBad;
  }
}

void ClaimsReader::escape(char c) {
  state_ = State::kString;
  if (c == 'u') {
    code_unit_ = 0;
    code_unit_digits_ = 0;
    state_ = State::kUnicode;
    return;
  }
  flush_surrogate();
  switch (c) {
    case '"':
    case '\\':
    case '/':
      return keep(c);
    case 'b':
      return keep('\b');
    case 'f':
      return keep('\f');
    case 'n':
      return keep('\n');
    case 'r':
      return keep('\r');
    case 't':
      return keep('\t');
    default:
      state_ = State::kBad;
  }
}

void ClaimsReader::unicode_digit(char c) {
  uint32_t digit = 0;
  if (c >= '0' && c <= '9') {
    digit = static_cast<uint32_t>(c - '0');
  } else if (c >= 'a' && c <= 'f') {
    digit = static_cast<uint32_t>(c - 'a' + 10);
  } else if (c >= 'A' && c <= 'F') {
    digit = static_cast<uint32_t>(c - 'A' + 10);
  } else {
    state_ = State::kBad;
    return;
  }
  code_unit_ = code_unit_ << 4 | digit;
  if (++code_unit_digits_ < 4) return;
  state_ = State::kString;
  end_code_unit();
}

void ClaimsReader::end_code_unit() {
  if (is_low_surrogate(code_unit_) && high_surrogate_ != 0) {
    const uint32_t code_point =
        0x10000 + ((high_surrogate_ - 0xD800) << 10) + (code_unit_ - 0xDC00);
    high_surrogate_ = 0;
    keep_code_point(code_point);
    return;
  }
  flush_surrogate();
  if (is_high_surrogate(code_unit_)) {
    high_surrogate_ = code_unit_;
  } else {
    keep_code_point(is_low_surrogate(code_unit_) ? kReplacement : code_unit_);
  }
}

void ClaimsReader::flush_surrogate() {
  if (high_surrogate_ == 0) return;
  high_surrogate_ = 0;
  keep_code_point(kReplacement);
}

void ClaimsReader::keep_code_point(uint32_t code_point) {
  const auto tail = [&](unsigned shift) {
    keep(static_cast<char>(0x80 | (code_point >> shift & 0x3F)));
  };
  if (code_point < 0x80) {
    keep(static_cast<char>(code_point));
  } else if (code_point < 0x800) {
    keep(static_cast<char>(0xC0 | code_point >> 6));
    tail(0);
  } else if (code_point < 0x10000) {
    keep(static_cast<char>(0xE0 | code_point >> 12));
    tail(6);
    tail(0);
  } else {
    keep(static_cast<char>(0xF0 | code_point >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

void ClaimsReader::keep(char c) {
  switch (role_) {
    case StringRole::kName:
      if (name_size_ < kNameBytes) name_[name_size_] = c;
      if (name_size_ <= kNameBytes) ++name_size_;
      return;
    case StringRole::kClaim:
      if (current().size < kValueBytes) current().bytes[current().size++] = c;
      return;
    case StringRole::kPassedOver:
      return;
  }
}

}  // namespace wiretally::identity
