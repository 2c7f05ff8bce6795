#include "rate_limits.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

namespace wiretally::llm {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr std::string_view kDate = "Fri, 20 Nov 2026 10:00:00 GMT";

TEST(RateLimits, ResetsInEveryForm) {
  struct Row {
    const char* text;
    std::optional<int64_t> ns;
  };
  const Row rows[] = {
      {"1s", kSecond},
      {"6m0s", 360 * kSecond},
      {"2m59.56s", 179'560'000'000},
      {"12ms", 12'000'000},
      {"1h0m0.5s", 3'600'500'000'000},
      {"1d", 86'400 * kSecond},
      {"60", 60 * kSecond},
      {"33011.382867097855", 33'011'382'867'098},
      {"0", 0},
      {"0s", 0},
      {"2026-11-20T10:00:59Z", 59 * kSecond},
      {"2026-11-20T10:01:00.250Z", 60 * kSecond},
      {"2026-11-20T09:00:00Z", 0},
      {"2026-12-01T00:00:00Z", (10 * 86'400 + 14 * 3600) * kSecond},
      {"1795168830", 30 * kSecond},
      {"1795168830500", 30 * kSecond},
      {"", std::nullopt},
      {"soon", std::nullopt},
      {"5", 5 * kSecond},
      {"5x", std::nullopt},
      {"-5s", std::nullopt},
      {"s", std::nullopt},
      {"1.2.3s", std::nullopt},
      {"99999999999999999999999", std::nullopt},
      {"9999999d", std::nullopt},
      {"2026-13-20T10:00:59Z", std::nullopt},
      {"2026-11-20T10:00:59+02:00", std::nullopt},
  };
  for (const Row& row : rows) EXPECT_EQ(time_until_reset(row.text, kDate), row.ns) << row.text;
  EXPECT_EQ(time_until_reset("2024-02-29T00:00:10Z", "Thu, 29 Feb 2024 00:00:00 GMT"),
            10 * kSecond);
  // A point in time says nothing without the answer's own.
  EXPECT_EQ(time_until_reset("2026-11-20T10:00:59Z", ""), std::nullopt);
  EXPECT_EQ(time_until_reset("2026-11-20T10:00:59Z", "yesterday"), std::nullopt);
}

TEST(RateLimits, HeadersOfEachProvider) {
  struct Row {
    std::vector<HeaderField> fields;
    std::optional<uint64_t> requests;
    std::optional<int64_t> requests_reset_ns;
    std::optional<uint64_t> tokens;
    std::optional<int64_t> tokens_reset_ns;
  };
  const Row rows[] = {
      {{{"x-ratelimit-limit-requests", "10000"},
        {"x-ratelimit-remaining-requests", "9999"},
        {"x-ratelimit-remaining-tokens", "149984"},
        {"x-ratelimit-reset-requests", "6ms"},
        {"x-ratelimit-reset-tokens", "1m1s"}},
       9999,
       6'000'000,
       149'984,
       61 * kSecond},
      {{{"Date", kDate},
        {"anthropic-ratelimit-requests-remaining", "999"},
        {"anthropic-ratelimit-requests-reset", "2026-11-20T10:00:01Z"},
        {"anthropic-ratelimit-input-tokens-remaining", "398000"},
        {"anthropic-ratelimit-input-tokens-reset", "2026-11-20T10:00:02Z"},
        {"anthropic-ratelimit-output-tokens-remaining", "80000"},
        {"anthropic-ratelimit-tokens-remaining", "478000"},
        {"anthropic-ratelimit-tokens-reset", "2026-11-20T10:00:03Z"}},
       999,
       kSecond,
       478'000,
       3 * kSecond},
      {{{"anthropic-ratelimit-input-tokens-remaining", "398000"}},
       std::nullopt,
       std::nullopt,
       398'000,
       std::nullopt},
      {{{"x-ratelimit-remaining-requests-day", "1"},
        {"x-ratelimit-reset-requests-day", "33011.5"},
        {"x-ratelimit-remaining-tokens-minute", "2"},
        {"x-ratelimit-reset-tokens-minute", "11.5"}},
       1,
       33'011'500'000'000,
       2,
       11'500'000'000},
      {{{"x-ratelimitbysize-remaining-minute", "499"}},
       std::nullopt,
       std::nullopt,
       499,
       std::nullopt},
      {{{"Date", kDate}, {"X-RateLimit-Remaining", "7"}, {"X-RateLimit-Reset", "1795168860000"}},
       7,
       60 * kSecond,
       std::nullopt,
       std::nullopt},
      {{{"x-ratelimit-remaining-requests", "many"}, {"x-ratelimit-remaining-tokens", "-1"}},
       std::nullopt,
       std::nullopt,
       std::nullopt,
       std::nullopt},
      {{{"x-ratelimit-remaining-requests", "0"}}, 0, std::nullopt, std::nullopt, std::nullopt},
  };
  for (const Row& row : rows) {
    Headers headers;
    headers.fields = row.fields;
    UsageRecord record;
    note_rate_limits(headers, record);
    SCOPED_TRACE(std::string(row.fields[0].name));
    EXPECT_EQ(record.rate_limit_remaining_requests, row.requests);
    EXPECT_EQ(record.rate_limit_requests_reset_ns, row.requests_reset_ns);
    EXPECT_EQ(record.rate_limit_remaining_tokens, row.tokens);
    EXPECT_EQ(record.rate_limit_tokens_reset_ns, row.tokens_reset_ns);
  }
}

TEST(RateLimits, DatesAcrossAMonthAndOfOtherZones) {
  EXPECT_EQ(time_until_reset("2026-03-01T00:00:00Z", "Sat, 28 Feb 2026 23:59:59 GMT"), kSecond);
  EXPECT_EQ(time_until_reset("2028-03-01T00:00:00Z", "Mon, 28 Feb 2028 23:59:59 GMT"),
            86'401 * kSecond)
      << "a leap year";
  EXPECT_EQ(time_until_reset("2026-11-20T10:00:59Z", "Fri, 20 Nov 2026 10:00:00 PST"),
            std::nullopt);
  EXPECT_EQ(time_until_reset("99999999", kDate), std::nullopt) << "three years are no window";
}

TEST(RateLimits, ANumberThatCannotBeReadGivesWayToTheNextName) {
  const HeaderField fields[] = {{"x-ratelimit-remaining-requests", "unlimited"},
                                {"x-ratelimit-reset-requests", "9s"},
                                {"x-ratelimit-remaining", "5"},
                                {"x-ratelimit-reset", "7s"}};
  Headers headers;
  headers.fields = fields;
  UsageRecord record;
  note_rate_limits(headers, record);
  EXPECT_EQ(record.rate_limit_remaining_requests, 5u);
  EXPECT_EQ(record.rate_limit_requests_reset_ns, 7 * kSecond);
}

}  // namespace
}  // namespace wiretally::llm
