#include "litellm_file.h"

#include <gtest/gtest.h>

#include <sstream>

namespace wiretally::pricing {
namespace {

std::vector<PriceRow> read(const std::string& json) {
  std::istringstream input(json);
  auto rows = read_litellm(input, "test.json", "file");
  EXPECT_TRUE(rows) << rows.error().message;
  return rows ? *rows : std::vector<PriceRow>{};
}

std::string error_of(const std::string& json) {
  std::istringstream input(json);
  const auto rows = read_litellm(input, "test.json", "file");
  return rows ? std::string() : rows.error().message;
}

TEST(LitellmFile, ReadsEveryField) {
  const auto rows = read(R"({"m": {
      "litellm_provider": "openai", "mode": "chat", "max_tokens": 4096,
      "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06,
      "cache_read_input_token_cost": 3e-06, "cache_creation_input_token_cost": 4e-06,
      "cache_creation_input_token_cost_above_1hr": 5e-06,
      "output_cost_per_reasoning_token": 6e-06,
      "input_cost_per_audio_token": 7e-06, "output_cost_per_audio_token": 8e-06,
      "input_cost_per_image_token": 9e-06, "output_cost_per_image_token": 10e-06,
      "input_cost_per_token_above_200k_tokens": 11e-06,
      "cache_creation_input_token_cost_above_1hr_above_200k_tokens": 12e-06,
      "input_cost_per_token_priority": 13e-06,
      "output_cost_per_token_flex": 14e-06,
      "output_cost_per_token_batches": 15e-06,
      "output_cost_per_token_ultrafast": 16e-06,
      "cache_read_input_token_cost_above_272k_tokens_priority": 17e-06,
      "regional_processing_uplift_multiplier_eu": 1.1,
      "search_context_cost_per_query": {"search_context_size_low": 0.01,
        "search_context_size_medium": 0.01, "search_context_size_high": 0.01}}})");
  ASSERT_EQ(rows.size(), 1u);
  PriceRow row = rows[0];
  EXPECT_EQ(row.key, "m");
  EXPECT_EQ(row.owner, "openai");
  EXPECT_EQ(row.origin, "file");
  ASSERT_EQ(row.bands.size(), 3u);
  const auto micro = [](int64_t usd) { return Rate{usd * 1'000'000'000}; };
  const RateCard& standard = row.band(0)[Tier::kStandard];
  for (size_t i = 0; i < kItemCount; ++i) {
    static constexpr Item kInFileOrder[] = {
        Item::kInput,        Item::kOutput,     Item::kCacheRead,  Item::kCacheWrite5m,
        Item::kCacheWrite1h, Item::kReasoning,  Item::kInputAudio, Item::kOutputAudio,
        Item::kInputImage,   Item::kOutputImage};
    EXPECT_EQ(standard[kInFileOrder[i]], micro(static_cast<int64_t>(i) + 1)) << i;
  }
  EXPECT_EQ(row.band(200'000)[Tier::kStandard][Item::kInput], micro(11));
  EXPECT_EQ(row.band(200'000)[Tier::kStandard][Item::kCacheWrite1h], micro(12));
  EXPECT_FALSE(row.band(200'000)[Tier::kStandard][Item::kOutput].stated());
  EXPECT_EQ(row.band(0)[Tier::kPriority][Item::kInput], micro(13));
  EXPECT_EQ(row.band(0)[Tier::kFlex][Item::kOutput], micro(14));
  EXPECT_EQ(row.band(0)[Tier::kBatch][Item::kOutput], micro(15));
  EXPECT_EQ(row.band(0)[Tier::kUltrafast][Item::kOutput], micro(16));
  EXPECT_EQ(row.band(272'000)[Tier::kPriority][Item::kCacheRead], micro(17));
  EXPECT_EQ(row.web_search, Rate{10'000'000'000'000});
  EXPECT_EQ(row.eu_uplift_permille, 1100u);
  EXPECT_EQ(row.us_uplift_permille, PriceRow::kNoUplift);
}

TEST(LitellmFile, IgnoresWhatItDoesNotKnow) {
  const auto rows = read(R"({"sample_spec": {"input_cost_per_token": 0.0, "litellm_provider": "x"},
      "last_updated": "2026-07-24", "fallback_generalizations": [{"regex": "a", "x": [1, {"y": 2}]}],
      "m": {"litellm_provider": "openai", "input_cost_per_token": 1e-06, "x": {"input_cost_per_token": 9},
            "input_cost_per_token_above_1000000000000k_tokens": 9, "input_cost_per_token_new": 9,
            "input_cost_per_token_above_k_tokens": 9, "output_cost_per_token": null,
            "supported_regions": ["us", {"input_cost_per_token": 9}]}})");
  ASSERT_EQ(rows.size(), 1u);
  ASSERT_EQ(rows[0].bands.size(), 1u);
  EXPECT_EQ(rows[0].bands[0][Tier::kStandard][Item::kInput], Rate{1'000'000'000});
  EXPECT_FALSE(rows[0].bands[0][Tier::kStandard][Item::kOutput].stated());
}

TEST(LitellmFile, ReadsQuotedNumbersAndIntegers) {
  const auto rows = read(
      R"({"m": {"litellm_provider": "x", "input_cost_per_token": "1e-06", "output_cost_per_token": 1}})");
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].bands[0][Tier::kStandard][Item::kInput], Rate{1'000'000'000});
  EXPECT_EQ(rows[0].bands[0][Tier::kStandard][Item::kOutput], Rate{1'000'000'000'000'000});
}

TEST(LitellmFile, RefusesPricesThatCannotBe) {
  const auto rows = read(R"({"m": {"input_cost_per_token": 1e-06, "output_cost_per_token": 1.01,
      "cache_read_input_token_cost": -1e-06, "input_cost_per_audio_token": 1e300}})");
  ASSERT_EQ(rows.size(), 1u);
  const RateCard& card = rows[0].bands[0][Tier::kStandard];
  EXPECT_TRUE(card[Item::kInput].stated());
  EXPECT_FALSE(card[Item::kOutput].stated());
  EXPECT_FALSE(card[Item::kCacheRead].stated());
  EXPECT_FALSE(card[Item::kInputAudio].stated());
}

TEST(LitellmFile, SearchesOfSeveralPricesHaveNone) {
  const auto rows = read(R"({"m": {"input_cost_per_token": 1e-06, "search_context_cost_per_query":
      {"search_context_size_low": 0.01, "search_context_size_high": 0.02}}})");
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_FALSE(rows[0].web_search.stated());
}

TEST(LitellmFile, RowsOfOtherKindsOfPricesLoseThem) {
  const auto rows = read(R"({"m": {"input_cost_per_token": 1e-06, "tiered_pricing": [
      {"range": [0, 1000], "input_cost_per_token": 1e-07}]}})");
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_TRUE(rows[0].bands.empty());
}

TEST(LitellmFile, ErrorsNameFileAndRemedy) {
  for (const std::string& json : {std::string("{\"m\": {"), std::string("not json"), std::string(),
                                  std::string("{}"), std::string("[1]"), std::string("7"),
                                  std::string("{\"m\":{\"input_cost_per_token\":0}}")}) {
    const std::string error = error_of(json);
    EXPECT_NE(error.find("test.json"), std::string::npos) << json;
    EXPECT_NE(error.find("model_prices_and_context_window.json"), std::string::npos) << json;
  }
}

}  // namespace
}  // namespace wiretally::pricing
