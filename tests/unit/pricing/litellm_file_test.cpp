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
      "cache_read_input_audio_token_cost": 18e-06, "input_cost_per_request": 0.005,
      "provider_specific_entry": {"us": 1.1, "fast": 6.0},
      "regional_processing_uplift_multiplier_eu": 1.1,
      "search_context_cost_per_query": {"search_context_size_low": 0.01,
        "search_context_size_medium": 0.01, "search_context_size_high": 0.01}}})");
  ASSERT_EQ(rows.size(), 1u);
  PriceRow row = rows[0];
  EXPECT_EQ(row.key, "m");
  EXPECT_EQ(row.provider, "openai");
  EXPECT_EQ(row.model, "m");
  EXPECT_EQ(row.origin, "file");
  ASSERT_EQ(row.bands.size(), 3u);
  const auto micro = [](int64_t usd) { return Rate{usd * 1'000'000'000}; };
  const RateCard& standard = row.band(0)[Tier::kStandard];
  static constexpr Item kInFileOrder[] = {
      Item::kInput,        Item::kOutput,     Item::kCacheRead,  Item::kCacheWrite5m,
      Item::kCacheWrite1h, Item::kReasoning,  Item::kInputAudio, Item::kOutputAudio,
      Item::kInputImage,   Item::kOutputImage};
  for (size_t i = 0; i < std::size(kInFileOrder); ++i) {
    EXPECT_EQ(standard[kInFileOrder[i]], micro(static_cast<int64_t>(i) + 1)) << i;
  }
  EXPECT_EQ(standard[Item::kCacheReadAudio], micro(18));
  EXPECT_EQ(row.band(200'000)[Tier::kStandard][Item::kInput], micro(11));
  EXPECT_EQ(row.band(200'000)[Tier::kStandard][Item::kCacheWrite1h], micro(12));
  EXPECT_FALSE(row.band(200'000)[Tier::kStandard][Item::kOutput].stated());
  EXPECT_EQ(row.band(0)[Tier::kPriority][Item::kInput], micro(13));
  EXPECT_EQ(row.band(0)[Tier::kFlex][Item::kOutput], micro(14));
  EXPECT_EQ(row.band(0)[Tier::kBatch][Item::kOutput], micro(15));
  EXPECT_EQ(row.band(0)[Tier::kUltrafast][Item::kOutput], micro(16));
  EXPECT_EQ(row.band(272'000)[Tier::kPriority][Item::kCacheRead], micro(17));
  EXPECT_EQ(row.web_search, Rate{10'000'000'000'000});
  EXPECT_EQ(row.eu_host, (Ratio{11, 10}));
  EXPECT_TRUE(row.us_host.is_one());
  EXPECT_EQ(row.us_geo, (Ratio{11, 10}));
  EXPECT_EQ(row.fast, (Ratio{6, 1}));
  EXPECT_EQ(row.request, Rate{5'000'000'000'000});
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

TEST(LitellmFile, GoogleBillsQueriesOrPrompts) {
  const auto search_of = [](const std::string& key, const std::string& unit) {
    const auto rows = read(R"({")" + key + R"(": {"litellm_provider": "gemini",
        "input_cost_per_token": 1e-06, "search_context_cost_per_query":
        {"search_context_size_low": 0.02, "search_context_size_high": 0.02})" +
                           unit + "}}");
    return std::pair(rows.at(0).web_search, rows.at(0).grounded_prompt);
  };
  const Rate rate{20'000'000'000'000};
  EXPECT_EQ(search_of("gemini/gemini-9-pro", R"(, "web_search_billing_unit": "per_query")"),
            std::pair(rate, Rate{}));
  EXPECT_EQ(search_of("gemini/gemini-2.5-pro", ""), std::pair(Rate{}, rate));
  EXPECT_EQ(search_of("gemini/gemini-pro-latest", ""), std::pair(Rate{}, Rate{}));
  EXPECT_EQ(search_of("gemini/gemini-2.5-pro", R"(, "web_search_billing_unit": "per_page")"),
            std::pair(Rate{}, Rate{}));
}

TEST(LitellmFile, TieredPricingIsBandsInThePlaceOfFlatPrices) {
  const auto rows = read(R"({"dashscope/q": {"litellm_provider": "dashscope",
      "input_cost_per_token": 9e-06, "output_cost_per_token_priority": 9e-06,
      "tiered_pricing": [{"range": [0, 32000.0], "input_cost_per_token": 1e-07, "output_cost_per_token": 2e-07},
                         {"output_cost_per_token": 4e-07, "input_cost_per_token": 3e-07, "range": [32000.0, 1e6]}],
      "mode": "chat"}})");
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].provider, "dashscope");
  EXPECT_EQ(rows[0].model, "q");
  ASSERT_EQ(rows[0].bands.size(), 2u);
  EXPECT_EQ(rows[0].bands[0][Tier::kStandard][Item::kInput], Rate{100'000'000});
  EXPECT_FALSE(rows[0].bands[0][Tier::kPriority][Item::kOutput].stated());
  EXPECT_EQ(rows[0].bands[1].above, 32'000u);
  EXPECT_EQ(rows[0].bands[1][Tier::kStandard][Item::kOutput], Rate{400'000'000});
}

TEST(LitellmFile, RowsOfOtherKindsOfPricesLoseThem) {
  for (const std::string& other :
       {std::string(R"("off_peak_pricing": {"x": 1})"),
        std::string(R"("citation_cost_per_token": 2e-06)"),
        std::string(
            R"("tiered_pricing": [{"max_results_range": [0, 25], "input_cost_per_query": 1}])"),
        std::string(R"("tiered_pricing": [{"range": [5, 9], "input_cost_per_token": 1e-07}])"),
        std::string(R"("tiered_pricing": [{"range": [0, 9], "input_cost_per_token": 1e-07},
                                           {"range": [8, 10], "input_cost_per_token": 1e-07}])"),
        std::string(R"("tiered_pricing": [])")}) {
    const auto rows = read(R"({"m": {"input_cost_per_token": 1e-06, )" + other + "}}");
    ASSERT_EQ(rows.size(), 1u) << other;
    EXPECT_TRUE(rows[0].bands.empty()) << other;
  }
  const auto whisper = read(R"({"w": {"litellm_provider": "openai", "input_cost_per_second": 0.0001,
      "output_cost_per_second": 0.0001}})");
  ASSERT_EQ(whisper.size(), 1u) << "known, though its price is not of tokens";
  EXPECT_TRUE(whisper[0].bands.empty());
  EXPECT_FALSE(whisper[0].audio_second.stated()) << "of a capacity that is reserved, perhaps";
}

TEST(LitellmFile, SecondsOfTranscriptionsAndSearchesOfReranks) {
  const auto second = [](const std::string& fields, const std::string& mode) {
    const auto rows = read(R"({"w": {"litellm_provider": "openai", )" + fields + R"(, "mode": ")" +
                           mode + "\"}}");
    EXPECT_EQ(rows.size(), 1u) << fields;
    return rows.empty() ? Rate{} : rows[0].audio_second;
  };
  const std::string in = R"("input_cost_per_second": 0.0001)",
                    out = R"("output_cost_per_second": )";
  EXPECT_EQ(second(in, "audio_transcription"), Rate{100'000'000'000});
  EXPECT_EQ(second(in + ", " + out + "0.0001", "audio_transcription"), Rate{100'000'000'000});
  EXPECT_EQ(second(in + ", " + out + "0.0", "audio_transcription"), Rate{100'000'000'000});
  EXPECT_EQ(second(out + "0.0002", "audio_transcription"), Rate{200'000'000'000});
  EXPECT_FALSE(second(in + ", " + out + "0.0002", "audio_transcription").stated()) << "which?";
  EXPECT_FALSE(second(in, "chat").stated());

  const auto reranks = read(R"({
      "r": {"mode": "rerank", "input_cost_per_query": 0.002, "input_cost_per_token": 0.0, "litellm_provider": "cohere"},
      "s": {"mode": "search", "input_cost_per_query": 0.002, "litellm_provider": "somebody"}})");
  ASSERT_EQ(reranks.size(), 2u);
  EXPECT_EQ(reranks[0].search_unit, Rate{2'000'000'000'000});
  EXPECT_TRUE(reranks[0].bands.empty());
  EXPECT_FALSE(reranks[1].search_unit.stated());
}

TEST(LitellmFile, KeysAreReadAsRecordsNameProviders) {
  const auto is = [](std::string_view owner, std::string_view key, std::string_view provider,
                     std::string_view model) {
    const ListedModel listed = listed_model(owner, key);
    EXPECT_EQ(listed.provider, provider) << key;
    EXPECT_EQ(listed.model, model) << key;
  };
  is("azure", "azure/eu/gpt-4o", "azure.ai.openai", "eu/gpt-4o");
  is("azure_ai", "azure_ai/grok-4", "azure.ai.inference", "grok-4");
  is("bedrock_converse", "us.anthropic.claude-opus-4-7", "aws.bedrock",
     "us.anthropic.claude-opus-4-7");
  is("bedrock", "bedrock/us-east-1/cohere.command-text-v14", "aws.bedrock",
     "us-east-1/cohere.command-text-v14");
  is("vertex_ai-anthropic_models", "vertex_ai/claude-opus-4-7@default", "gcp.vertex_ai",
     "claude-opus-4-7@default");
  is("vertex_ai-language-models", "gemini-2.5-pro", "gcp.vertex_ai", "gemini-2.5-pro");
  is("fireworks_ai", "fireworks_ai/accounts/fireworks/models/kimi-k2", "fireworks",
     "accounts/fireworks/models/kimi-k2");
  is("novita", "novita/deepseek/deepseek-v3", "novita", "deepseek/deepseek-v3");
  is("ai21", "jamba-1.5", "ai21", "jamba-1.5");
}

TEST(LitellmFile, ErrorsNameTheLine) {
  EXPECT_NE(error_of("{\n\"m\": {\n\"input_cost_per_token\": 1e-6,,\n}}").find("test.json:3:"),
            std::string::npos);
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
