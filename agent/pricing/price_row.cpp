#include "price_row.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <numeric>

#include "decimal.h"

namespace wiretally::pricing {
namespace {

constexpr std::string_view kItemNames[] = {"input",          "cache_read",       "cache_write_5m",
                                           "cache_write_1h", "output",           "reasoning",
                                           "input_audio",    "cache_read_audio", "output_audio",
                                           "input_image",    "output_image"};
static_assert(std::size(kItemNames) == kItemCount);

constexpr std::string_view kTierNames[] = {"standard", "priority", "ultrafast", "flex", "batch"};
static_assert(std::size(kTierNames) == kTierCount);

template <typename Enum, size_t N>
std::optional<Enum> named(const std::string_view (&names)[N], std::string_view name) {
  const auto found = std::find(std::begin(names), std::end(names), name);
  if (found == std::end(names)) return std::nullopt;
  return static_cast<Enum>(found - std::begin(names));
}

constexpr int kRatioDecimals = 6;
constexpr uint64_t kRatioUnder = 1'000'000;
constexpr int64_t kNsPerSecond = 1'000'000'000;

Ratio reduced(uint64_t over, uint64_t under) {
  const uint64_t divisor = std::gcd(over, under);
  return {over / divisor, under / divisor};
}

// Millionths; nothing if the text has more decimals than that.
std::optional<int64_t> exact_millionths(std::string_view text) {
  const auto value = parse_decimal(text, kRatioDecimals);
  const auto finer = parse_decimal(text, kRatioDecimals + 6);
  if (!value || !finer || *finer != *value * 1'000'000) return std::nullopt;
  return value;
}

std::optional<int> digits(std::string_view text, size_t at, size_t count) {
  int value = 0;
  for (size_t i = at; i < at + count; ++i) {
    if (i >= text.size() || text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

}  // namespace

std::string_view item_name(Item item) { return kItemNames[static_cast<size_t>(item)]; }
std::optional<Item> item_of_name(std::string_view name) { return named<Item>(kItemNames, name); }
std::string_view tier_name(Tier tier) { return kTierNames[static_cast<size_t>(tier)]; }
std::optional<Tier> tier_of_name(std::string_view name) { return named<Tier>(kTierNames, name); }

std::optional<Rate> rate_of(std::string_view usd, int power) {
  const auto value = parse_decimal(usd, Rate::kScale - power);
  return value && *value <= Rate::kMax ? std::optional(Rate{*value}) : std::nullopt;
}

std::optional<Ratio> ratio_of(std::string_view text) {
  const auto value = exact_millionths(text);
  if (!value || *value <= 0 || *value > 1'000'000'000) return std::nullopt;
  return reduced(static_cast<uint64_t>(*value), kRatioUnder);
}

std::optional<Ratio> ratio_after_discount(std::string_view percent) {
  const auto value = exact_millionths(percent);
  if (!value || *value < 0 || *value >= 100'000'000) return std::nullopt;
  return reduced(100 * kRatioUnder - static_cast<uint64_t>(*value), 100 * kRatioUnder);
}

std::optional<Ratio> product(Ratio a, Ratio b) {
  const Ratio left = reduced(a.over, b.under);
  const Ratio right = reduced(b.over, a.under);
  Ratio result;
  if (__builtin_mul_overflow(left.over, right.over, &result.over) ||
      __builtin_mul_overflow(right.under, left.under, &result.under)) {
    return std::nullopt;
  }
  return result;
}

std::optional<int64_t> epoch_of_date(std::string_view text) {
  const auto year = digits(text, 0, 4), month = digits(text, 5, 2), day = digits(text, 8, 2);
  if (!year || !month || !day || text[4] != '-' || text[7] != '-') return std::nullopt;
  std::tm time{};
  time.tm_year = *year - 1900;
  time.tm_mon = *month - 1;
  time.tm_mday = *day;
  if (text.size() != 10) {
    const auto hour = digits(text, 11, 2), minute = digits(text, 14, 2),
               second = digits(text, 17, 2);
    const bool shape = text.size() == 20 && text[10] == 'T' && text[13] == ':' && text[16] == ':' &&
                       text[19] == 'Z';
    if (!shape || !hour || !minute || !second || *hour > 23 || *minute > 59 || *second > 59) {
      return std::nullopt;
    }
    time.tm_hour = *hour;
    time.tm_min = *minute;
    time.tm_sec = *second;
  }
  const time_t epoch = ::timegm(&time);  // normalises 2026-02-30: then the day is another
  if (time.tm_mon != *month - 1 || time.tm_mday != *day || *year < 1970 || *year > 2200) {
    return std::nullopt;
  }
  return epoch * kNsPerSecond;
}

std::string date_of_epoch(int64_t epoch_ns) {
  const time_t seconds = epoch_ns / kNsPerSecond;
  std::tm time{};
  ::gmtime_r(&seconds, &time);
  char text[32];
  const bool midnight = time.tm_hour == 0 && time.tm_min == 0 && time.tm_sec == 0;
  std::strftime(text, sizeof text, midnight ? "%Y-%m-%d" : "%Y-%m-%dT%H:%M:%SZ", &time);
  return text;
}

bool Hours::hold(int64_t epoch_ns) const {
  constexpr int64_t kDayS = 86'400;
  const int64_t second = ((epoch_ns / kNsPerSecond) % kDayS + kDayS) % kDayS;
  if (from_s < until_s) return second >= from_s && second < until_s;
  return second >= from_s || second < until_s;
}

bool Hours::overlap(const Hours& other) const {
  return hold(other.from_s * kNsPerSecond) || other.hold(from_s * kNsPerSecond);
}

std::optional<Hours> hours_of(std::string_view text) {
  if (text.size() != 11 || text[2] != ':' || text[5] != '-' || text[8] != ':') return std::nullopt;
  const auto time = [&](size_t at) -> std::optional<int32_t> {
    const auto hour = digits(text, at, 2), minute = digits(text, at + 3, 2);
    if (!hour || !minute || *hour > 23 || *minute > 59) return std::nullopt;
    return *hour * 3600 + *minute * 60;
  };
  const auto from = time(0), until = time(6);
  if (!from || !until || *from == *until) return std::nullopt;
  return Hours{*from, *until};
}

Band& PriceRow::band(uint64_t above) {
  const auto place =
      std::lower_bound(bands.begin(), bands.end(), above,
                       [](const Band& b, uint64_t value) { return b.above < value; });
  if (place != bands.end() && place->above == above) return *place;
  return *bands.insert(place, Band{.above = above, .tiers = {}});
}

}  // namespace wiretally::pricing
