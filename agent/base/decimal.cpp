#include "decimal.h"

#include <charconv>

namespace wiretally {
namespace {

constexpr int kDigitsMax = 30;
constexpr int kPowerMax = 36;  // 10^36 fits 128 bits

bool is_digit(char c) { return c >= '0' && c <= '9'; }

__int128 power_of_ten(int exponent) {
  __int128 power = 1;
  for (int i = 0; i < exponent; ++i) power *= 10;
  return power;
}

struct Digits {
  __int128 value = 0;
  int count = 0;  // without leading zeros
  bool any = false;

  bool take(char c) {
    any = true;
    value = value * 10 + (c - '0');
    if (value != 0) ++count;
    return count <= kDigitsMax;
  }
};

std::optional<int> parse_exponent(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  int exponent = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, exponent);
  if (error != std::errc{} || stop != end || exponent < -1000 || exponent > 1000) {
    return std::nullopt;
  }
  return exponent;
}

__int128 divide_half_even(__int128 value, __int128 divisor) {
  const __int128 quotient = value / divisor;
  const __int128 twice_rest = value % divisor * 2;
  const bool up = twice_rest > divisor || (twice_rest == divisor && quotient % 2 == 1);
  return quotient + (up ? 1 : 0);
}

}  // namespace

std::optional<int64_t> parse_decimal(std::string_view text, int scale) {
  Digits digits;
  size_t i = 0;
  for (; i < text.size() && is_digit(text[i]); ++i) {
    if (!digits.take(text[i])) return std::nullopt;
  }
  int exponent = scale;
  if (i < text.size() && text[i] == '.') {
    for (++i; i < text.size() && is_digit(text[i]); ++i, --exponent) {
      if (!digits.take(text[i])) return std::nullopt;
    }
  }
  if (!digits.any) return std::nullopt;
  if (i < text.size()) {
    if (text[i] != 'e' && text[i] != 'E') return std::nullopt;
    const auto stated = parse_exponent(text.substr(i + 1));
    if (!stated) return std::nullopt;
    exponent += *stated;
  }

  if (digits.value == 0) return 0;
  if (exponent < -kPowerMax) return 0;
  if (exponent > 0 && digits.count + exponent > kPowerMax) return std::nullopt;
  const __int128 scaled = exponent >= 0 ? digits.value * power_of_ten(exponent)
                                        : divide_half_even(digits.value, power_of_ten(-exponent));
  if (scaled > INT64_MAX) return std::nullopt;
  return static_cast<int64_t>(scaled);
}

}  // namespace wiretally
