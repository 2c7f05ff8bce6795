#include "json/number.h"

#include <algorithm>

namespace wiretally::llm {
namespace {

constexpr uint64_t kCountMax = uint64_t{1} << 53;
constexpr size_t kCountDigits = 16;  // of 2^53
// Far beyond any exponent that leaves a whole number in range, far below overflow.
constexpr int64_t kExponentMax = 1'000'000;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Takes a run of digits off the front.
std::string_view take_digits(std::string_view& rest) {
  size_t size = 0;
  while (size < rest.size() && is_digit(rest[size])) ++size;
  const std::string_view digits = rest.substr(0, size);
  rest.remove_prefix(size);
  return digits;
}

bool take(std::string_view& rest, char c) {
  if (rest.empty() || rest.front() != c) return false;
  rest.remove_prefix(1);
  return true;
}

// The exponent part, 0 if there is none; nothing if it is not well-formed.
std::optional<int64_t> take_exponent(std::string_view& rest) {
  if (!take(rest, 'e') && !take(rest, 'E')) return 0;
  const bool negative = take(rest, '-');
  if (!negative) take(rest, '+');
  const std::string_view digits = take_digits(rest);
  if (digits.empty()) return std::nullopt;
  int64_t exponent = 0;
  for (char c : digits) exponent = std::min(exponent * 10 + (c - '0'), kExponentMax);
  return negative ? -exponent : exponent;
}

// `whole` and `fraction` written one behind the other, times 10^scale.
std::optional<uint64_t> scaled(std::string_view whole, std::string_view fraction, int64_t scale) {
  const size_t size = whole.size() + fraction.size();
  const auto digit = [&](size_t i) {
    return i < whole.size() ? whole[i] : fraction[i - whole.size()];
  };
  size_t first = 0;
  while (first < size && digit(first) == '0') ++first;
  if (first == size) return 0;
  size_t last = size;
  for (; digit(last - 1) == '0'; --last) ++scale;
  if (scale < 0 || scale > static_cast<int64_t>(kCountDigits)) return std::nullopt;
  if (last - first + static_cast<size_t>(scale) > kCountDigits) return std::nullopt;
  uint64_t count = 0;
  for (size_t i = first; i < last; ++i) count = count * 10 + static_cast<uint64_t>(digit(i) - '0');
  for (; scale > 0; --scale) count *= 10;
  if (count > kCountMax) return std::nullopt;
  return count;
}

}  // namespace

std::optional<uint64_t> count_from_number(std::string_view number) {
  std::string_view rest = number;
  const bool negative = take(rest, '-');
  const std::string_view whole = take_digits(rest);
  if (whole.empty() || (whole.size() > 1 && whole.front() == '0')) return std::nullopt;
  std::string_view fraction;
  if (take(rest, '.')) {
    fraction = take_digits(rest);
    if (fraction.empty()) return std::nullopt;
  }
  const std::optional<int64_t> exponent = take_exponent(rest);
  if (!exponent || !rest.empty()) return std::nullopt;
  const std::optional<uint64_t> count =
      scaled(whole, fraction, *exponent - static_cast<int64_t>(fraction.size()));
  if (negative && count && *count != 0) return std::nullopt;
  return count;
}

}  // namespace wiretally::llm
