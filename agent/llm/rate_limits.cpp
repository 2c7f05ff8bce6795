#include "rate_limits.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>

#include "decimal.h"

namespace wiretally::llm {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int kNanoDigits = 9;
constexpr int64_t kLongestNs = 400LL * 24 * 3600 * kSecondNs;

struct LimitHeaders {
  std::string_view remaining;
  std::string_view reset;  // "" = it tells none
};
constexpr LimitHeaders kRequests[] = {
    {"x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"},
    {"anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"},
    {"x-ratelimit-remaining-req-minute", ""},
    {"x-ratelimit-remaining-requests-day", "x-ratelimit-reset-requests-day"},
    {"x-ratelimit-remaining", "x-ratelimit-reset"},
};
constexpr LimitHeaders kTokens[] = {
    {"x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"},
    {"anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"},
    {"anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"},
    {"anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset"},
    {"x-ratelimit-remaining-tokens-minute", "x-ratelimit-reset-tokens-minute"},
    {"x-ratelimitbysize-remaining-minute", ""},
    {"x-ratelimit-remaining-tokens-prompt", ""},
    {"x-tokenlimit-remaining", "x-tokenlimit-reset"},
};

// --- points in time ------------------------------------------------------------------------------

struct Civil {
  int64_t year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
};

int64_t unix_seconds(const Civil& at) {
  // Days since 1970-01-01 in the proleptic Gregorian calendar, years counted from March.
  const int64_t year = at.month <= 2 ? at.year - 1 : at.year;
  const int64_t month = (at.month + 9) % 12;
  const int64_t leaps = year / 4 - year / 100 + year / 400;
  const int64_t days = 365 * year + leaps + (153 * month + 2) / 5 + at.day - 1 - 719'468;
  return ((days * 24 + at.hour) * 60 + at.minute) * 60 + at.second;
}

bool take_digits(std::string_view& text, size_t digits, int64_t& value) {
  if (text.size() < digits) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + digits, value);
  if (error != std::errc() || end != text.data() + digits || value < 0) return false;
  text.remove_prefix(digits);
  return true;
}

bool take(std::string_view& text, std::string_view what) {
  if (!text.starts_with(what)) return false;
  text.remove_prefix(what.size());
  return true;
}

bool is_plausible(const Civil& at) {
  return at.year >= 1970 && at.year < 2200 && at.month >= 1 && at.month <= 12 && at.day >= 1 &&
         at.day <= 31 && at.hour < 24 && at.minute < 60 && at.second <= 60;
}

// "2026-11-20T10:00:00Z", with any fraction.
std::optional<int64_t> rfc3339_seconds(std::string_view text) {
  Civil at;
  const bool whole =
      take_digits(text, 4, at.year) && take(text, "-") && take_digits(text, 2, at.month) &&
      take(text, "-") && take_digits(text, 2, at.day) && (take(text, "T") || take(text, "t")) &&
      take_digits(text, 2, at.hour) && take(text, ":") && take_digits(text, 2, at.minute) &&
      take(text, ":") && take_digits(text, 2, at.second);
  const bool utc = text.ends_with('Z') || text.ends_with('z') || text.ends_with("+00:00");
  if (!whole || !utc || !is_plausible(at)) return std::nullopt;
  return unix_seconds(at);
}

// "Fri, 20 Nov 2026 10:00:00 GMT"
std::optional<int64_t> http_date_seconds(std::string_view text) {
  static constexpr std::array<std::string_view, 12> kMonths = {
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const size_t comma = text.find(", ");
  if (comma == text.npos) return std::nullopt;
  text.remove_prefix(comma + 2);
  Civil at;
  if (!take_digits(text, 2, at.day) || !take(text, " ") || text.size() < 3) return std::nullopt;
  const auto month = std::find(kMonths.begin(), kMonths.end(), text.substr(0, 3));
  if (month == kMonths.end()) return std::nullopt;
  at.month = month - kMonths.begin() + 1;
  text.remove_prefix(3);
  const bool whole = take(text, " ") && take_digits(text, 4, at.year) && take(text, " ") &&
                     take_digits(text, 2, at.hour) && take(text, ":") &&
                     take_digits(text, 2, at.minute) && take(text, ":") &&
                     take_digits(text, 2, at.second) && text == " GMT";
  if (!whole || !is_plausible(at)) return std::nullopt;
  return unix_seconds(at);
}

std::optional<int64_t> until(int64_t seconds, std::string_view date) {
  const std::optional<int64_t> now = http_date_seconds(date);
  if (!now.has_value()) return std::nullopt;
  const int64_t left = std::max<int64_t>(seconds - *now, 0);
  if (left > kLongestNs / kSecondNs) return std::nullopt;
  return left * kSecondNs;
}

// --- durations -----------------------------------------------------------------------------------

// "6m0s", "2m59.56s", "1d2h", "12ms".
std::optional<int64_t> duration_of(std::string_view text) {
  struct UnitOf {
    std::string_view name;
    int64_t ns;
  };
  static constexpr UnitOf kUnits[] = {
      {"ms", 1'000'000},        {"us", 1'000},         {"ns", 1},
      {"s", kSecondNs},         {"m", 60 * kSecondNs}, {"h", 3600 * kSecondNs},
      {"d", 86'400 * kSecondNs}};
  __int128 sum = 0;
  while (!text.empty()) {
    const size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
    const auto number = parse_decimal(text.substr(0, digits), kNanoDigits);
    text.remove_prefix(digits);
    const auto unit = std::find_if(std::begin(kUnits), std::end(kUnits),
                                   [&](const UnitOf& of) { return text.starts_with(of.name); });
    if (!number.has_value() || *number < 0 || unit == std::end(kUnits)) return std::nullopt;
    sum += static_cast<__int128>(*number) * unit->ns / kSecondNs;
    if (sum > kLongestNs) return std::nullopt;
    text.remove_prefix(unit->name.size());
  }
  return static_cast<int64_t>(sum);
}

std::optional<uint64_t> count_of(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

void note_limit(const Headers& headers, std::span<const LimitHeaders> names,
                std::optional<uint64_t>& remaining, std::optional<int64_t>& reset_ns) {
  for (const LimitHeaders& name : names) {
    const auto value = headers.find(name.remaining);
    if (!value.has_value()) continue;
    remaining = count_of(*value);
    if (!remaining.has_value()) continue;
    if (!name.reset.empty()) {
      reset_ns = time_until_reset(headers.find(name.reset).value_or(""),
                                  headers.find("date").value_or(""));
    }
    return;
  }
}

}  // namespace

std::optional<int64_t> time_until_reset(std::string_view reset, std::string_view date) {
  if (reset.empty()) return std::nullopt;
  if (const auto at = rfc3339_seconds(reset)) return until(*at, date);
  if (reset.find_first_not_of("0123456789.") != reset.npos) return duration_of(reset);
  constexpr int64_t kUnixSecondsMin = 1'000'000'000;  // less is a duration
  constexpr int64_t kUnixMillisecondsMin = kUnixSecondsMin * 1000;
  const auto whole = count_of(reset.substr(0, reset.find('.')));
  if (!whole.has_value() || *whole > INT64_MAX / 1000) return std::nullopt;
  const auto number = static_cast<int64_t>(*whole);
  if (number >= kUnixMillisecondsMin) return until(number / 1000, date);
  if (number >= kUnixSecondsMin) return until(number, date);
  const auto ns = parse_decimal(reset, kNanoDigits);
  if (!ns.has_value() || *ns > kLongestNs) return std::nullopt;
  return *ns;
}

void note_rate_limits(const Headers& answer_headers, UsageRecord& record) {
  note_limit(answer_headers, kRequests, record.rate_limit_remaining_requests,
             record.rate_limit_requests_reset_ns);
  note_limit(answer_headers, kTokens, record.rate_limit_remaining_tokens,
             record.rate_limit_tokens_reset_ns);
}

}  // namespace wiretally::llm
