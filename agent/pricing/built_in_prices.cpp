#include "built_in_prices.h"

#include <array>
#include <string_view>

#include "decimal.h"

namespace wiretally::pricing {
namespace {

// The list prices as of July 2026; claude-sonnet-5 as from 2026-09-01.
constexpr std::string_view kOrigin = "builtin-2026-09";

// A line a model, context band and tier, in USD for a million tokens, as price lists have it.
// Empty: not sold, or not known. A dated snapshot has lines of its own only where its prices differ
// from the undated model's.
struct Line {
  std::string_view model;
  uint64_t above;
  Tier tier;
  std::string_view input;
  std::string_view cache_read;
  std::string_view cache_write_5m;
  std::string_view cache_write_1h;
  std::string_view output;
};

// clang-format off
constexpr Line kOpenai[] = {
    {"chatgpt-4o-latest",                 0, Tier::kStandard, "5"     , ""      , ""      , ""      , "15"},
    {"codex-mini-latest",                 0, Tier::kStandard, "1.5"   , "0.375" , ""      , ""      , "6"},
    {"gpt-3.5-turbo",                     0, Tier::kStandard, "0.5"   , ""      , ""      , ""      , "1.5"},
    {"gpt-3.5-turbo-0125",                0, Tier::kStandard, "0.5"   , ""      , ""      , ""      , "1.5"},
    {"gpt-3.5-turbo-1106",                0, Tier::kStandard, "1"     , ""      , ""      , ""      , "2"},
    {"gpt-3.5-turbo-instruct",            0, Tier::kStandard, "1.5"   , ""      , ""      , ""      , "2"},
    {"gpt-3.5-turbo-instruct-0914",       0, Tier::kStandard, "1.5"   , ""      , ""      , ""      , "2"},
    {"gpt-4",                             0, Tier::kStandard, "30"    , ""      , ""      , ""      , "60"},
    {"gpt-4-0125-preview",                0, Tier::kStandard, "10"    , ""      , ""      , ""      , "30"},
    {"gpt-4-0314",                        0, Tier::kStandard, "30"    , ""      , ""      , ""      , "60"},
    {"gpt-4-0613",                        0, Tier::kStandard, "30"    , ""      , ""      , ""      , "60"},
    {"gpt-4-1106-preview",                0, Tier::kStandard, "10"    , ""      , ""      , ""      , "30"},
    {"gpt-4-turbo",                       0, Tier::kStandard, "10"    , ""      , ""      , ""      , "30"},
    {"gpt-4.1",                           0, Tier::kStandard, "2"     , "0.5"   , ""      , ""      , "8"},
    {"gpt-4.1",                           0, Tier::kPriority, "3.5"   , "0.875" , ""      , ""      , "14"},
    {"gpt-4.1",                           0, Tier::kBatch,    "1"     , ""      , ""      , ""      , "4"},
    {"gpt-4.1-mini",                      0, Tier::kStandard, "0.4"   , "0.1"   , ""      , ""      , "1.6"},
    {"gpt-4.1-mini",                      0, Tier::kPriority, "0.7"   , "0.175" , ""      , ""      , "2.8"},
    {"gpt-4.1-mini",                      0, Tier::kBatch,    "0.2"   , ""      , ""      , ""      , "0.8"},
    {"gpt-4.1-nano",                      0, Tier::kStandard, "0.1"   , "0.025" , ""      , ""      , "0.4"},
    {"gpt-4.1-nano",                      0, Tier::kPriority, "0.2"   , "0.05"  , ""      , ""      , "0.8"},
    {"gpt-4.1-nano",                      0, Tier::kBatch,    "0.05"  , ""      , ""      , ""      , "0.2"},
    {"gpt-4o",                            0, Tier::kStandard, "2.5"   , "1.25"  , ""      , ""      , "10"},
    {"gpt-4o",                            0, Tier::kPriority, "4.25"  , "2.125" , ""      , ""      , "17"},
    {"gpt-4o",                            0, Tier::kBatch,    "1.25"  , ""      , ""      , ""      , "5"},
    {"gpt-4o-2024-05-13",                 0, Tier::kStandard, "5"     , ""      , ""      , ""      , "15"},
    {"gpt-4o-2024-05-13",                 0, Tier::kPriority, "8.75"  , ""      , ""      , ""      , "26.25"},
    {"gpt-4o-2024-05-13",                 0, Tier::kBatch,    "2.5"   , ""      , ""      , ""      , "7.5"},
    {"gpt-4o-mini",                       0, Tier::kStandard, "0.15"  , "0.075" , ""      , ""      , "0.6"},
    {"gpt-4o-mini",                       0, Tier::kPriority, "0.25"  , "0.125" , ""      , ""      , "1"},
    {"gpt-4o-mini",                       0, Tier::kBatch,    "0.075" , ""      , ""      , ""      , "0.3"},
    {"gpt-5",                             0, Tier::kStandard, "1.25"  , "0.125" , ""      , ""      , "10"},
    {"gpt-5",                             0, Tier::kPriority, "2.5"   , "0.25"  , ""      , ""      , "20"},
    {"gpt-5",                             0, Tier::kFlex,     "0.625" , "0.0625", ""      , ""      , "5"},
    {"gpt-5-chat",                        0, Tier::kStandard, "1.25"  , "0.125" , ""      , ""      , "10"},
    {"gpt-5-chat-latest",                 0, Tier::kStandard, "1.25"  , "0.125" , ""      , ""      , "10"},
    {"gpt-5-codex",                       0, Tier::kStandard, "1.25"  , "0.125" , ""      , ""      , "10"},
    {"gpt-5-mini",                        0, Tier::kStandard, "0.25"  , "0.025" , ""      , ""      , "2"},
    {"gpt-5-mini",                        0, Tier::kPriority, "0.45"  , "0.045" , ""      , ""      , "3.6"},
    {"gpt-5-mini",                        0, Tier::kFlex,     "0.125" , "0.0125", ""      , ""      , "1"},
    {"gpt-5-nano",                        0, Tier::kStandard, "0.05"  , "0.005" , ""      , ""      , "0.4"},
    {"gpt-5-nano",                        0, Tier::kFlex,     "0.025" , "0.0025", ""      , ""      , "0.2"},
    {"gpt-5-pro",                         0, Tier::kStandard, "15"    , ""      , ""      , ""      , "120"},
    {"gpt-5-pro",                         0, Tier::kBatch,    "7.5"   , ""      , ""      , ""      , "60"},
    {"gpt-5.1",                           0, Tier::kStandard, "1.25"  , "0.125" , ""      , ""      , "10"},
    {"gpt-5.1",                           0, Tier::kPriority, "2.5"   , "0.25"  , ""      , ""      , "20"},
    {"gpt-5.1-chat-latest",               0, Tier::kStandard, "1.25"  , "0.125" , ""      , ""      , "10"},
    {"gpt-5.1-chat-latest",               0, Tier::kPriority, "2.5"   , "0.25"  , ""      , ""      , "20"},
    {"gpt-5.1-codex",                     0, Tier::kStandard, "1.25"  , "0.125" , ""      , ""      , "10"},
    {"gpt-5.1-codex",                     0, Tier::kPriority, "2.5"   , "0.25"  , ""      , ""      , "20"},
    {"gpt-5.1-codex-max",                 0, Tier::kStandard, "1.25"  , "0.125" , ""      , ""      , "10"},
    {"gpt-5.1-codex-mini",                0, Tier::kStandard, "0.25"  , "0.025" , ""      , ""      , "2"},
    {"gpt-5.1-codex-mini",                0, Tier::kPriority, "0.45"  , "0.045" , ""      , ""      , "3.6"},
    {"gpt-5.2",                           0, Tier::kStandard, "1.75"  , "0.175" , ""      , ""      , "14"},
    {"gpt-5.2",                           0, Tier::kPriority, "3.5"   , "0.35"  , ""      , ""      , "28"},
    {"gpt-5.2-chat-latest",               0, Tier::kStandard, "1.75"  , "0.175" , ""      , ""      , "14"},
    {"gpt-5.2-chat-latest",               0, Tier::kPriority, "3.5"   , "0.35"  , ""      , ""      , "28"},
    {"gpt-5.2-codex",                     0, Tier::kStandard, "1.75"  , "0.175" , ""      , ""      , "14"},
    {"gpt-5.2-codex",                     0, Tier::kPriority, "3.5"   , "0.35"  , ""      , ""      , "28"},
    {"gpt-5.2-pro",                       0, Tier::kStandard, "21"    , ""      , ""      , ""      , "168"},
    {"gpt-5.3-chat-latest",               0, Tier::kStandard, "1.75"  , "0.175" , ""      , ""      , "14"},
    {"gpt-5.3-chat-latest",               0, Tier::kPriority, "3.5"   , "0.35"  , ""      , ""      , "28"},
    {"gpt-5.3-codex",                     0, Tier::kStandard, "1.75"  , "0.175" , ""      , ""      , "14"},
    {"gpt-5.3-codex",                     0, Tier::kPriority, "3.5"   , "0.35"  , ""      , ""      , "28"},
    {"gpt-5.4",                           0, Tier::kStandard, "2.5"   , "0.25"  , ""      , ""      , "15"},
    {"gpt-5.4",                           0, Tier::kPriority, "5"     , "0.5"   , ""      , ""      , "30"},
    {"gpt-5.4",                           0, Tier::kFlex,     "1.25"  , "0.13"  , ""      , ""      , "7.5"},
    {"gpt-5.4",                           0, Tier::kBatch,    "1.25"  , ""      , ""      , ""      , "7.5"},
    {"gpt-5.4",                     272'000, Tier::kStandard, "5"     , "0.5"   , ""      , ""      , "22.5"},
    {"gpt-5.4-mini",                      0, Tier::kStandard, "0.75"  , "0.075" , ""      , ""      , "4.5"},
    {"gpt-5.4-mini",                      0, Tier::kPriority, "1.5"   , "0.15"  , ""      , ""      , "9"},
    {"gpt-5.4-mini",                      0, Tier::kFlex,     "0.375" , "0.0375", ""      , ""      , "2.25"},
    {"gpt-5.4-mini",                      0, Tier::kBatch,    "0.375" , ""      , ""      , ""      , "2.25"},
    {"gpt-5.4-nano",                      0, Tier::kStandard, "0.2"   , "0.02"  , ""      , ""      , "1.25"},
    {"gpt-5.4-nano",                      0, Tier::kFlex,     "0.1"   , "0.01"  , ""      , ""      , "0.625"},
    {"gpt-5.4-nano",                      0, Tier::kBatch,    "0.1"   , ""      , ""      , ""      , "0.625"},
    {"gpt-5.4-pro",                       0, Tier::kStandard, "30"    , "3"     , ""      , ""      , "180"},
    {"gpt-5.4-pro",                       0, Tier::kFlex,     "15"    , ""      , ""      , ""      , "90"},
    {"gpt-5.4-pro",                       0, Tier::kBatch,    "15"    , ""      , ""      , ""      , "90"},
    {"gpt-5.4-pro",                 272'000, Tier::kStandard, "60"    , "6"     , ""      , ""      , "270"},
    {"gpt-5.5",                           0, Tier::kStandard, "5"     , "0.5"   , ""      , ""      , "30"},
    {"gpt-5.5",                           0, Tier::kPriority, "10"    , "1"     , ""      , ""      , "60"},
    {"gpt-5.5",                           0, Tier::kFlex,     "2.5"   , "0.25"  , ""      , ""      , "15"},
    {"gpt-5.5",                           0, Tier::kBatch,    "2.5"   , ""      , ""      , ""      , "15"},
    {"gpt-5.5",                     272'000, Tier::kStandard, "10"    , "1"     , ""      , ""      , "45"},
    {"gpt-5.5-pro",                       0, Tier::kStandard, "30"    , "3"     , ""      , ""      , "180"},
    {"gpt-5.5-pro",                       0, Tier::kFlex,     "15"    , ""      , ""      , ""      , "90"},
    {"gpt-5.5-pro",                       0, Tier::kBatch,    "15"    , ""      , ""      , ""      , "90"},
    {"gpt-5.5-pro",                 272'000, Tier::kStandard, "60"    , "6"     , ""      , ""      , "270"},
    {"gpt-5.6",                           0, Tier::kStandard, "5"     , "0.5"   , "6.25"  , ""      , "30"},
    {"gpt-5.6",                           0, Tier::kPriority, "10"    , "1"     , "12.5"  , ""      , "60"},
    {"gpt-5.6",                           0, Tier::kFlex,     "2.5"   , "0.25"  , "3.125" , ""      , "15"},
    {"gpt-5.6",                           0, Tier::kBatch,    "2.5"   , ""      , ""      , ""      , "15"},
    {"gpt-5.6",                     272'000, Tier::kStandard, "10"    , "1"     , "12.5"  , ""      , "45"},
    {"gpt-5.6-luna",                      0, Tier::kStandard, "1"     , "0.1"   , "1.25"  , ""      , "6"},
    {"gpt-5.6-luna",                      0, Tier::kPriority, "2"     , "0.2"   , "2.5"   , ""      , "12"},
    {"gpt-5.6-luna",                      0, Tier::kFlex,     "0.5"   , "0.05"  , "0.625" , ""      , "3"},
    {"gpt-5.6-luna",                      0, Tier::kBatch,    "0.5"   , ""      , ""      , ""      , "3"},
    {"gpt-5.6-luna",                272'000, Tier::kStandard, "2"     , "0.2"   , "2.5"   , ""      , "9"},
    {"gpt-5.6-sol",                       0, Tier::kStandard, "5"     , "0.5"   , "6.25"  , ""      , "30"},
    {"gpt-5.6-sol",                       0, Tier::kPriority, "10"    , "1"     , "12.5"  , ""      , "60"},
    {"gpt-5.6-sol",                       0, Tier::kFlex,     "2.5"   , "0.25"  , "3.125" , ""      , "15"},
    {"gpt-5.6-sol",                       0, Tier::kBatch,    "2.5"   , ""      , ""      , ""      , "15"},
    {"gpt-5.6-sol",                 272'000, Tier::kStandard, "10"    , "1"     , "12.5"  , ""      , "45"},
    {"gpt-5.6-terra",                     0, Tier::kStandard, "2.5"   , "0.25"  , "3.125" , ""      , "15"},
    {"gpt-5.6-terra",                     0, Tier::kPriority, "5"     , "0.5"   , "6.25"  , ""      , "30"},
    {"gpt-5.6-terra",                     0, Tier::kFlex,     "1.25"  , "0.125" , "1.5625", ""      , "7.5"},
    {"gpt-5.6-terra",                     0, Tier::kBatch,    "1.25"  , ""      , ""      , ""      , "7.5"},
    {"gpt-5.6-terra",               272'000, Tier::kStandard, "5"     , "0.5"   , "6.25"  , ""      , "22.5"},
    {"o1",                                0, Tier::kStandard, "15"    , "7.5"   , ""      , ""      , "60"},
    {"o1-pro",                            0, Tier::kStandard, "150"   , ""      , ""      , ""      , "600"},
    {"o1-pro",                            0, Tier::kBatch,    "75"    , ""      , ""      , ""      , "300"},
    {"o3",                                0, Tier::kStandard, "2"     , "0.5"   , ""      , ""      , "8"},
    {"o3",                                0, Tier::kPriority, "3.5"   , "0.875" , ""      , ""      , "14"},
    {"o3",                                0, Tier::kFlex,     "1"     , "0.25"  , ""      , ""      , "4"},
    {"o3-mini",                           0, Tier::kStandard, "1.1"   , "0.55"  , ""      , ""      , "4.4"},
    {"o3-pro",                            0, Tier::kStandard, "20"    , ""      , ""      , ""      , "80"},
    {"o3-pro",                            0, Tier::kBatch,    "10"    , ""      , ""      , ""      , "40"},
    {"o4-mini",                           0, Tier::kStandard, "1.1"   , "0.275" , ""      , ""      , "4.4"},
    {"o4-mini",                           0, Tier::kPriority, "2"     , "0.5"   , ""      , ""      , "8"},
    {"o4-mini",                           0, Tier::kFlex,     "0.55"  , "0.1375", ""      , ""      , "2.2"},
    {"text-embedding-3-large",            0, Tier::kStandard, "0.13"  , ""      , ""      , ""      , "0"},
    {"text-embedding-3-large",            0, Tier::kBatch,    "0.065" , ""      , ""      , ""      , "0"},
    {"text-embedding-3-small",            0, Tier::kStandard, "0.02"  , ""      , ""      , ""      , "0"},
    {"text-embedding-3-small",            0, Tier::kBatch,    "0.01"  , ""      , ""      , ""      , "0"},
    {"text-embedding-ada-002",            0, Tier::kStandard, "0.1"   , ""      , ""      , ""      , "0"},
    {"text-embedding-ada-002-v2",         0, Tier::kStandard, "0.1"   , ""      , ""      , ""      , "0"},
    {"text-embedding-ada-002-v2",         0, Tier::kBatch,    "0.05"  , ""      , ""      , ""      , "0"},
};

constexpr Line kAnthropic[] = {
    {"claude-3-7-sonnet-20250219",        0, Tier::kStandard, "3"     , "0.3"   , "3.75"  , "6"     , "15"},
    {"claude-3-haiku-20240307",           0, Tier::kStandard, "0.25"  , "0.03"  , "0.3"   , ""      , "1.25"},
    {"claude-3-opus-20240229",            0, Tier::kStandard, "15"    , "1.5"   , "18.75" , ""      , "75"},
    {"claude-fable-5",                    0, Tier::kStandard, "10"    , "1"     , "12.5"  , "20"    , "50"},
    {"claude-haiku-4-5",                  0, Tier::kStandard, "1"     , "0.1"   , "1.25"  , "2"     , "5"},
    {"claude-opus-4-1",                   0, Tier::kStandard, "15"    , "1.5"   , "18.75" , "30"    , "75"},
    {"claude-opus-4-20250514",            0, Tier::kStandard, "15"    , "1.5"   , "18.75" , "30"    , "75"},
    {"claude-opus-4-5",                   0, Tier::kStandard, "5"     , "0.5"   , "6.25"  , "10"    , "25"},
    {"claude-opus-4-6",                   0, Tier::kStandard, "5"     , "0.5"   , "6.25"  , "10"    , "25"},
    {"claude-opus-4-7",                   0, Tier::kStandard, "5"     , "0.5"   , "6.25"  , "10"    , "25"},
    {"claude-opus-4-8",                   0, Tier::kStandard, "5"     , "0.5"   , "6.25"  , "10"    , "25"},
    {"claude-opus-5",                     0, Tier::kStandard, "5"     , "0.5"   , "6.25"  , "10"    , "25"},
    {"claude-sonnet-4-20250514",          0, Tier::kStandard, "3"     , "0.3"   , "3.75"  , "6"     , "15"},
    {"claude-sonnet-4-20250514",    200'000, Tier::kStandard, "6"     , "0.6"   , "7.5"   , ""      , "22.5"},
    {"claude-sonnet-4-5",                 0, Tier::kStandard, "3"     , "0.3"   , "3.75"  , "6"     , "15"},
    {"claude-sonnet-4-5",           200'000, Tier::kStandard, "6"     , "0.6"   , "7.5"   , "12"    , "22.5"},
    {"claude-sonnet-4-6",                 0, Tier::kStandard, "3"     , "0.3"   , "3.75"  , "6"     , "15"},
    {"claude-sonnet-5",                   0, Tier::kStandard, "3"     , "0.3"   , "3.75"  , "6"     , "15"},
};
// clang-format on

// Dearer by a tenth at us.api.openai.com and eu.api.openai.com.
constexpr std::string_view kRegionallyUplifted[] = {
    "gpt-5.4",     "gpt-5.4-mini", "gpt-5.4-nano", "gpt-5.4-pro", "gpt-5.5",
    "gpt-5.5-pro", "gpt-5.6",      "gpt-5.6-luna", "gpt-5.6-sol", "gpt-5.6-terra"};
constexpr uint32_t kUpliftPermille = 1100;

constexpr std::string_view kAnthropicWebSearchUsd = "0.01";

Rate rate_of(std::string_view usd, int units_power) {
  const auto value = parse_decimal(usd, Rate::kScale - units_power);
  return value ? Rate{*value} : Rate{};
}

void add_line(std::vector<PriceRow>& rows, const Line& line, std::string_view owner) {
  constexpr int kMillion = 6;
  if (rows.empty() || rows.back().key != line.model) {
    rows.push_back({.key = std::string(line.model),
                    .owner = std::string(owner),
                    .origin = std::string(kOrigin)});
  }
  RateCard& card = rows.back().band(line.above)[line.tier];
  card[Item::kInput] = rate_of(line.input, kMillion);
  card[Item::kCacheRead] = rate_of(line.cache_read, kMillion);
  card[Item::kCacheWrite5m] = rate_of(line.cache_write_5m, kMillion);
  card[Item::kCacheWrite1h] = rate_of(line.cache_write_1h, kMillion);
  card[Item::kOutput] = rate_of(line.output, kMillion);
}

bool is_regionally_uplifted(std::string_view model) {
  for (const std::string_view name : kRegionallyUplifted) {
    if (name == model) return true;
  }
  return false;
}

}  // namespace

std::vector<PriceRow> built_in_prices() {
  std::vector<PriceRow> rows;
  for (const Line& line : kOpenai) add_line(rows, line, "openai");
  for (PriceRow& row : rows) {
    if (!is_regionally_uplifted(row.key)) continue;
    row.us_uplift_permille = kUpliftPermille;
    row.eu_uplift_permille = kUpliftPermille;
  }
  for (const Line& line : kAnthropic) {
    add_line(rows, line, "anthropic");
    rows.back().web_search = rate_of(kAnthropicWebSearchUsd, 0);
  }
  return rows;
}

}  // namespace wiretally::pricing
