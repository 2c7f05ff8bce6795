#include "catalog.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "built_in_prices.h"
#include "litellm_file.h"

namespace wiretally::pricing {
namespace {

constexpr int64_t kPicoPerUsd = 1'000'000'000'000;

UsageRecord call(std::string_view provider, std::string_view model, uint64_t input,
                 uint64_t output) {
  UsageRecord record;
  record.provider.assign(provider);
  record.response_model.assign(model);
  record.tokens.input = input;
  record.tokens.output = output;
  record.tokens.input_source = UsageSource::kReported;
  record.tokens.output_source = UsageSource::kReported;
  return record;
}

std::optional<int64_t> total(const Cost& cost) {
  if (!cost.total) return std::nullopt;
  return static_cast<int64_t>(*cost.total);
}

std::optional<int64_t> micro_usd(double value) {
  return static_cast<int64_t>(value * 1e6 + 0.5) * (kPicoPerUsd / 1'000'000);
}

Catalog from_file(const std::string& json) {
  std::istringstream input(json);
  auto rows = read_litellm(input, "test", "file");
  EXPECT_TRUE(rows) << rows.error().message;
  return Catalog(*std::move(rows));
}

void expect_none(const Cost& cost) {
  EXPECT_EQ(cost.source, PriceSource::kNone);
  EXPECT_EQ(cost.total, std::nullopt);
  EXPECT_EQ(cost.input, std::nullopt);
  EXPECT_EQ(cost.output, std::nullopt);
  EXPECT_TRUE(cost.price_id.empty());
}

TEST(Billed, WhatIsChargedIsPricedNotWhatWasProcessed) {
  const Catalog catalog = from_file(R"({"command-a-03-2025": {"litellm_provider": "cohere_chat",
      "mode": "chat", "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05}})");
  UsageRecord record = call("cohere", "command-a-03-2025", 66, 4);
  record.tokens.cache_read = 48;
  record.tokens.billed_input = 8;
  record.tokens.billed_output = 2;
  EXPECT_EQ(total(catalog.price(record)), 8 * 2'500'000 + 2 * 10'000'000);
}

class BuiltIn : public testing::Test {
 protected:
  Cost price(const UsageRecord& record) const { return catalog_.price(record); }
  const Catalog catalog_ = Catalog::built_in();
};

TEST_F(BuiltIn, AnthropicWithCacheAndSearch) {
  // 12 + 3 000 written + 20 000 read in, 500 out, one search.
  UsageRecord record = call("anthropic", "claude-opus-4-7", 23'012, 500);
  record.tokens.cache_read = 20'000;
  record.tokens.cache_write_5m = 3'000;
  record.server_tool_requests = 1;
  const Cost cost = price(record);
  EXPECT_EQ(cost.source, PriceSource::kCatalog);
  EXPECT_EQ(cost.price_id.view(), "builtin-2026-09/claude-opus-4-7");
  EXPECT_EQ(total(cost), micro_usd(0.05131));
  EXPECT_EQ(cost.input, Picodollars{60'000'000});
  EXPECT_EQ(cost.cache_write, Picodollars{18'750'000'000});
  EXPECT_EQ(cost.cache_read, Picodollars{10'000'000'000});
  EXPECT_EQ(cost.output, Picodollars{12'500'000'000});
  EXPECT_EQ(cost.tools, Picodollars{10'000'000'000});
}

TEST_F(BuiltIn, AnHourInTheCacheCostsTwiceTheInput) {
  UsageRecord record = call("anthropic", "claude-opus-4-7-20260416", 1'000, 0);
  record.tokens.cache_write_1h = 1'000;
  EXPECT_EQ(total(price(record)), micro_usd(0.01));
}

TEST_F(BuiltIn, ReasoningIsPartOfTheOutput) {
  UsageRecord record = call("openai", "gpt-5.5", 1'200, 310);
  record.tokens.cache_read = 1'024;
  record.tokens.reasoning = 256;
  EXPECT_EQ(total(price(record)), micro_usd(0.010692));
}

TEST_F(BuiltIn, GeminiBillsSearchesByTheQueryOrByTheCall) {
  UsageRecord record = call("gcp.gemini", "gemini-3-flash-preview", 0, 0);
  record.server_tool_requests = 3;
  EXPECT_EQ(total(price(record)), micro_usd(0.042));
  record = call("gcp.gemini", "gemini-2.5-pro", 0, 0);
  EXPECT_EQ(total(price(record)), micro_usd(0));
  record.server_tool_requests = 3;
  EXPECT_EQ(total(price(record)), micro_usd(0.035));
  record = call("gcp.gemini", "gemini-pro-latest", 0, 0);
  EXPECT_EQ(total(price(record)), micro_usd(0));
  record.server_tool_requests = 1;
  expect_none(price(record));
}

TEST_F(BuiltIn, ALongRequestIsPricedWhole) {
  const Cost cost = price(call("openai", "gpt-5.5", 280'000, 1'000));
  EXPECT_EQ(total(cost), micro_usd(2.845));
  EXPECT_EQ(cost.price_id.view(), "builtin-2026-09/gpt-5.5:above_272000");
  EXPECT_EQ(total(price(call("openai", "gpt-5.5", 272'000, 1'000))), micro_usd(1.39));
  EXPECT_EQ(total(price(call("openai", "gpt-5.5", 272'001, 1'000))), micro_usd(2.76501));
}

TEST_F(BuiltIn, TiersHaveTheirOwnPrices) {
  UsageRecord record = call("openai", "gpt-5.5", 1'000, 1'000);
  record.service_tier.assign("priority");
  EXPECT_EQ(total(price(record)), micro_usd(0.07));
  EXPECT_EQ(price(record).price_id.view(), "builtin-2026-09/gpt-5.5:priority");
  record.service_tier.assign("flex");
  EXPECT_EQ(total(price(record)), micro_usd(0.0175));
  record.service_tier.assign("default");
  EXPECT_EQ(total(price(record)), micro_usd(0.035));
}

TEST_F(BuiltIn, ATierWithoutItsPriceHasNoCost) {
  UsageRecord record = call("openai", "gpt-5.5", 280'000, 1'000);
  record.service_tier.assign("priority");  // no price above 272 000 tokens is published
  expect_none(price(record));
  record = call("openai", "gpt-5.5", 1'000, 1'000);
  record.service_tier.assign("scale");
  expect_none(price(record));
  record = call("anthropic", "claude-opus-4-7", 1'000, 1'000);
  record.service_tier.assign("priority");
  expect_none(price(record));
}

TEST_F(BuiltIn, ASnapshotWithoutLinesIsItsModel) {
  EXPECT_EQ(total(price(call("openai", "gpt-4o-2024-08-06", 1'000, 0))), micro_usd(0.0025));
  EXPECT_EQ(total(price(call("openai", "gpt-4o-2024-05-13", 1'000, 0))), micro_usd(0.005));
  EXPECT_EQ(total(price(call("anthropic", "claude-haiku-4-5-20251001", 1'000, 0))),
            micro_usd(0.001));
}

TEST_F(BuiltIn, RegionalHostsAreDearer) {
  UsageRecord record = call("openai", "gpt-5.5", 1'000, 0);
  record.server_name.assign("eu.api.openai.com");
  EXPECT_EQ(total(price(record)), micro_usd(0.0055));
  EXPECT_EQ(price(record).price_id.view(), "builtin-2026-09/gpt-5.5:eu");
  record.server_name.assign("api.openai.com");
  EXPECT_EQ(total(price(record)), micro_usd(0.005));
}

TEST_F(BuiltIn, EmbeddingsNeedNoOutput) {
  UsageRecord record = call("openai", "text-embedding-3-small", 1'000'000, 0);
  record.tokens.output.reset();
  record.tokens.output_source = UsageSource::kNone;
  EXPECT_EQ(total(price(record)), std::nullopt);
  record.operation = Operation::kEmbeddings;
  EXPECT_EQ(total(price(record)), micro_usd(0.02));
  EXPECT_EQ(price(record).output, Picodollars{0});
}

TEST_F(BuiltIn, SoundIsPricedByTheSecond) {
  UsageRecord record;
  record.provider.assign("openai");
  record.request_model.assign("whisper-1");
  record.operation = Operation::kTranscription;
  record.billed_audio_ms = 61'500;
  const Cost cost = price(record);
  EXPECT_EQ(total(cost), micro_usd(0.00615));
  EXPECT_EQ(cost.input, cost.total);
  EXPECT_EQ(cost.tools, Picodollars{0});
  EXPECT_EQ(cost.source, PriceSource::kCatalog);
  EXPECT_EQ(cost.price_id.view(), "builtin-2026-09/whisper-1:audio_seconds");
  record.service_tier.assign("batch");
  EXPECT_EQ(total(price(record)), std::nullopt) << "no such tier is published";
  record.service_tier.clear();
  record.billed_audio_ms.reset();
  EXPECT_EQ(total(price(record)), std::nullopt) << "nobody said how long it was";
  record.billed_audio_ms = 1'000;
  record.operation = Operation::kChat;
  EXPECT_EQ(total(price(record)), std::nullopt);
}

// OpenAI's lists have three prices of a search by how much is read, and no answer says which.
TEST_F(BuiltIn, AModelThatAlwaysSearchesIsNotPricedByItsTokensAlone) {
  for (const char* model : {"gpt-4o-search-preview", "gpt-4o-mini-search-preview-2025-03-11"}) {
    UsageRecord record = call("openai", model, 20, 300);
    EXPECT_NE(price(record).total, std::nullopt) << model << ", tokens alone";
    record.dialect = Dialect::kOpenaiChat;
    EXPECT_EQ(price(record).total, std::nullopt) << model;
  }
  UsageRecord record = call("openai", "gpt-5", 9000, 300);
  EXPECT_NE(price(record).total, std::nullopt);
  record.server_tool_requests = 2;
  EXPECT_EQ(price(record).total, std::nullopt);
}

// What a tool of the server spent on another model's images stands beside the call's own tokens.
TEST_F(BuiltIn, ImagesOfAnotherModelLeaveTheCostUnknown) {
  UsageRecord record = call("openai", "gpt-5", 3000, 700);
  record.apart.input = 600;
  record.apart.output = 2000;
  record.apart.several_models = true;
  EXPECT_EQ(price(record).total, std::nullopt);
  EXPECT_EQ(record.tokens.input, 3000u);
}

TEST_F(BuiltIn, ARerankIsPricedByItsSearches) {
  UsageRecord record;
  record.provider.assign("cohere");
  record.request_model.assign("rerank-v3.5");
  record.operation = Operation::kRerank;
  record.server_tool_requests = 3;
  const Cost cost = price(record);
  EXPECT_EQ(total(cost), micro_usd(0.006));
  EXPECT_EQ(cost.tools, cost.total);
  EXPECT_EQ(cost.input, Picodollars{0});
  EXPECT_EQ(cost.price_id.view(), "builtin-2026-09/rerank-v3.5:search_units");
  record.server_tool_requests.reset();
  EXPECT_EQ(total(price(record)), std::nullopt);
}

TEST_F(BuiltIn, AnthropicsBatchesCostHalfOfEveryKind) {
  UsageRecord record = call("anthropic", "claude-opus-4-7", 23'012, 500);
  record.tokens.cache_read = 19'000;
  record.tokens.cache_write_5m = 3'000;
  record.tokens.cache_write_1h = 1'000;
  record.service_tier.assign("batch");
  // (12 × 5 + 19 000 × 0.5 + 3 000 × 6.25 + 1 000 × 10 + 500 × 25) ÷ 2
  EXPECT_EQ(total(price(record)), micro_usd((60 + 9'500 + 18'750 + 10'000 + 12'500) / 2e6));
  EXPECT_EQ(price(record).price_id.view(), "builtin-2026-09/claude-opus-4-7:batch");
  record.server_tool_requests = 1;
  EXPECT_EQ(price(record).tools, Picodollars{10'000'000'000}) << "searches are not discounted";
}

TEST_F(BuiltIn, MistralsCachedInputCostsATenth) {
  UsageRecord record = call("mistral_ai", "mistral-large-2512", 10'000, 100);
  record.tokens.cache_read = 9'000;
  const Cost cost = price(record);
  EXPECT_EQ(cost.cache_read, Picodollars{9'000 * 50'000});
  EXPECT_EQ(cost.input, Picodollars{1'000 * 500'000});
  EXPECT_TRUE(cost.total);
  record.service_tier.assign("batch");
  EXPECT_EQ(total(price(record)), std::nullopt);
}

TEST_F(BuiltIn, GeminisCachedInputCostsTheSameInABatch) {
  UsageRecord record = call("gcp.gemini", "gemini-2.5-flash", 10'000, 0);
  record.tokens.cache_read = 9'000;
  const auto usual = price(record).cache_read;
  ASSERT_TRUE(usual);
  record.service_tier.assign("batch");
  EXPECT_EQ(price(record).cache_read, usual);
  EXPECT_EQ(price(record).input, Picodollars{1'000 * 150'000});
}

TEST(Catalog, PublishedRulesHoldForAFilesRowsToo) {
  const Catalog catalog = from_file(R"({
      "mistral/m": {"litellm_provider": "mistral", "input_cost_per_token": 2e-06, "output_cost_per_token": 6e-06},
      "mistral/own": {"litellm_provider": "mistral", "input_cost_per_token": 2e-06, "output_cost_per_token": 6e-06,
                      "cache_read_input_token_cost": 5e-07},
      "claude-x": {"litellm_provider": "anthropic", "input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05,
                   "output_cost_per_token_batches": 7e-06, "cache_read_input_token_cost": 3e-07,
                   "input_cost_per_token_above_200k_tokens": 6e-06, "cache_read_input_token_cost_above_200k_tokens": 6e-07}})");
  const auto cached = [&](std::string_view provider, std::string_view model, uint64_t input) {
    UsageRecord record = call(provider, model, input, 0);
    record.tokens.cache_read = input;
    if (provider == "anthropic") record.service_tier.assign("batch");
    return total(catalog.price(record));
  };
  EXPECT_EQ(cached("mistral_ai", "m", 1'000), 1'000 * 200'000);
  EXPECT_EQ(cached("mistral_ai", "own", 1'000), 1'000 * 500'000) << "what is stated counts";
  EXPECT_EQ(cached("anthropic", "claude-x", 1'000), 1'000 * 150'000);
  EXPECT_EQ(cached("anthropic", "claude-x", 300'000), 300'000LL * 300'000);
  UsageRecord record = call("anthropic", "claude-x", 0, 10);
  record.service_tier.assign("batch");
  EXPECT_EQ(total(catalog.price(record)), 70'000'000) << "what is stated counts";
}

TEST_F(BuiltIn, OnlyReportedTokensArePriced) {
  const auto without = [&](auto&& change) {
    UsageRecord record = call("openai", "gpt-4o", 10, 10);
    change(record.tokens);
    const Cost cost = price(record);
    EXPECT_EQ(cost.source, PriceSource::kCatalog) << "the price is known, the tokens are not";
    EXPECT_EQ(cost.total, std::nullopt);
    EXPECT_EQ(cost.input, std::nullopt);
  };
  without([](TokenCounts& tokens) { tokens.output.reset(); });
  without([](TokenCounts& tokens) { tokens.input.reset(); });
  without([](TokenCounts& tokens) { tokens.output_source = UsageSource::kPartial; });
  without([](TokenCounts& tokens) { tokens.input_source = UsageSource::kEstimated; });
}

TEST_F(BuiltIn, WhatIsNotListedHasNoPrice) {
  expect_none(price(call("unknown", "gpt-4o", 10, 10)));
  expect_none(price(call("azure.ai.openai", "claude-opus-4-7", 10, 10)));
  expect_none(price(call("openai", "claude-opus-4-7", 10, 10)));
  expect_none(price(call("openai", "gpt-99", 10, 10)));
  expect_none(price(call("openai", "", 10, 10)));
  expect_none(price(call("openai", "-2024-08-06", 10, 10)));
}

TEST_F(BuiltIn, AMissingRateMeansNoCost) {
  UsageRecord record = call("openai", "gpt-4", 1'000, 10);
  EXPECT_TRUE(total(price(record)));
  record.tokens.cache_read = 500;
  expect_none(price(record));
  record = call("openai", "gpt-4o", 1'000, 10);
  record.tokens.input_audio = 1;
  expect_none(price(record));
  record = call("openai", "gpt-4o", 1'000, 10);
  record.server_tool_requests = 1;
  expect_none(price(record));
  record.server_tool_requests = 0;
  EXPECT_TRUE(total(price(record)));
}

TEST_F(BuiltIn, PartsThatExceedTheirWholeHaveNoCost) {
  UsageRecord record = call("openai", "gpt-4o", 10, 10);
  record.tokens.cache_read = 161;
  expect_none(price(record));
}

TEST_F(BuiltIn, AnAnswerFromAGatewaysCacheIsFree) {
  UsageRecord record = call("unknown", "x", 10, 10);
  record.served_from_cache = true;
  EXPECT_EQ(total(price(record)), 0);
  EXPECT_EQ(price(record).source, PriceSource::kCatalog);
}

TEST_F(BuiltIn, NumbersOfAnySizeDoNoHarm) {
  expect_none(price(call("openai", "gpt-5.5", UINT64_MAX, UINT64_MAX)));
  expect_none(price(call("openai", "gpt-5.5", (1ull << 53) + 1, 0)));
  EXPECT_EQ(total(price(call("openai", "gpt-4o", 1ull << 40, 0))), (int64_t{1} << 40) * 2'500'000);
  EXPECT_EQ(total(price(call("openai", "gpt-4o", 0, 0))), 0);
}

TEST_F(BuiltIn, TheRequestedModelCountsOnlyWithoutAServedOne) {
  UsageRecord record = call("openai", "", 1'000, 0);
  record.request_model.assign("gpt-4o");
  EXPECT_EQ(total(price(record)), micro_usd(0.0025));
  record.response_model.assign("something-else");
  expect_none(price(record));
}

TEST_F(BuiltIn, KnowsItsModels) {
  EXPECT_TRUE(catalog_.knows("openai", "gpt-4o"));
  EXPECT_TRUE(catalog_.knows("openai", "gpt-4o-2024-11-20"));
  EXPECT_TRUE(catalog_.knows("unknown", "gpt-4o"));
  EXPECT_FALSE(catalog_.knows("openai", "gpt-99"));
  EXPECT_FALSE(catalog_.knows("unknown", "gpt-99"));
  EXPECT_FALSE(catalog_.knows("anthropic", "gpt-4o"));
}

TEST(BuiltInTable, IsWellFormed) {
  for (const PriceRow& row : built_in_prices()) {
    ASSERT_FALSE(row.bands.empty()) << row.key;
    EXPECT_EQ(row.bands.front().above, 0u) << row.key;
    EXPECT_TRUE(row.bands.front()[Tier::kStandard][Item::kInput].stated() ||
                row.audio_second.stated() || row.search_unit.stated())
        << row.key;
    EXPECT_TRUE(row.source_date.starts_with("2026-0")) << row.key;
  }
}

TEST(Catalog, RoundsOnceAndItsPartsAddUp) {
  // 1.5 femtodollars a token do not exist; 500 of 1e-15 USD are half a picodollar.
  const Catalog catalog = from_file(
      R"({"m": {"litellm_provider": "openai", "input_cost_per_token": 1e-15,
                "cache_read_input_token_cost": 1e-15, "output_cost_per_token": 1e-15}})");
  const auto of = [&](uint64_t input, uint64_t cached, uint64_t output) {
    UsageRecord record = call("openai", "m", input, output);
    record.tokens.cache_read = cached;
    return catalog.price(record);
  };
  EXPECT_EQ(total(of(500, 0, 0)), 0);
  EXPECT_EQ(total(of(501, 0, 0)), 1);
  EXPECT_EQ(total(of(1'500, 0, 0)), 2);
  EXPECT_EQ(total(of(1'000, 400, 300)), 1) << "600 + 400 + 300 round once to 1";
  for (uint64_t n = 0; n < 3'000; n += 7) {
    const Cost cost = of(2 * n, n, n / 2 + 250);
    int64_t sum = 0;
    for (const auto& part :
         {cost.input, cost.cache_read, cost.cache_write, cost.output, cost.tools}) {
      ASSERT_TRUE(part);
      EXPECT_GE(static_cast<int64_t>(*part), 0);
      sum += static_cast<int64_t>(*part);
    }
    EXPECT_EQ(sum, total(cost)) << n;
  }
}

TEST(Catalog, PrefixesAndOwnersKeepProvidersApart) {
  const Catalog catalog = from_file(R"({
      "gpt-x": {"litellm_provider": "openai", "input_cost_per_token": 1e-06, "output_cost_per_token": 0},
      "azure/gpt-x": {"litellm_provider": "azure", "input_cost_per_token": 2e-06, "output_cost_per_token": 0},
      "groq/gpt-x": {"litellm_provider": "groq", "input_cost_per_token": 3e-06, "output_cost_per_token": 0},
      "openrouter/openai/gpt-x": {"litellm_provider": "openrouter", "input_cost_per_token": 4e-06, "output_cost_per_token": 0},
      "anthropic.c-v1:0": {"litellm_provider": "bedrock", "input_cost_per_token": 5e-06, "output_cost_per_token": 0},
      "us.anthropic.c-v1:0": {"litellm_provider": "bedrock_converse", "input_cost_per_token": 6e-06, "output_cost_per_token": 0},
      "ft:gpt-x": {"litellm_provider": "openai", "input_cost_per_token": 7e-06, "output_cost_per_token": 0}
    })");
  const auto micro = [&](std::string_view provider, std::string_view model) {
    const auto cost = total(catalog.price(call(provider, model, 1, 0)));
    return cost ? *cost / 1'000'000 : -1;
  };
  EXPECT_EQ(micro("openai", "gpt-x"), 1);
  EXPECT_EQ(micro("azure.ai.openai", "gpt-x"), 2);
  EXPECT_EQ(micro("azure.ai.openai", "gpt-x-2026-01-01"), 2);
  EXPECT_EQ(micro("groq", "gpt-x"), 3);
  EXPECT_EQ(micro("openrouter", "openai/gpt-x"), 4);
  EXPECT_EQ(micro("aws.bedrock", "anthropic.c-v1:0"), 5);
  EXPECT_EQ(micro("aws.bedrock", "us.anthropic.c-v1:0"), 6);
  EXPECT_EQ(micro("aws.bedrock", "eu.anthropic.c-v1:0"), -1) << "us. is dearer: eu. may be, too";
  EXPECT_EQ(micro("openai", "ft:gpt-x:my-org::abc123"), 7);
  EXPECT_EQ(micro("anthropic", "gpt-x"), -1);
  EXPECT_EQ(micro("x_ai", "gpt-x"), -1);
  EXPECT_EQ(micro("unknown", "gpt-x"), -1);
}

// A Claude served by InvokeModel calls itself by its maker's name; Bedrock bills the id that was
// asked for, geography and all.
TEST(Catalog, BedrockBillsTheIdThatWasAskedFor) {
  const Catalog catalog = from_file(R"({
      "anthropic.c-1-v1:0": {"litellm_provider": "bedrock", "input_cost_per_token": 5e-06, "output_cost_per_token": 0},
      "us.anthropic.c-1-v1:0": {"litellm_provider": "bedrock_converse", "input_cost_per_token": 6e-06, "output_cost_per_token": 0},
      "c-1": {"litellm_provider": "anthropic", "input_cost_per_token": 7e-06, "output_cost_per_token": 0}
    })");
  const auto micro = [&](std::string_view requested, std::string_view served) {
    UsageRecord record = call("aws.bedrock", served, 1, 0);
    record.request_model.assign(requested);
    const auto cost = total(catalog.price(record));
    return cost ? *cost / 1'000'000 : -1;
  };
  EXPECT_EQ(micro("anthropic.c-1-v1:0", "c-1"), 5);
  EXPECT_EQ(micro("us.anthropic.c-1-v1:0", "c-1"), 6);
  EXPECT_EQ(micro("anthropic.c-1-v1:0", ""), 5);
  // A prompt router says which id it took.
  EXPECT_EQ(micro("arn:aws:bedrock:us-east-1:1:default-prompt-router/x", "us.anthropic.c-1-v1:0"),
            6);
  EXPECT_EQ(micro("arn:aws:bedrock:us-east-1:1:application-inference-profile/x", "c-1"), -1);
}

TEST(Catalog, AnAzureDeploymentsNameIsNoModel) {
  const Catalog catalog = from_file(R"({"azure/gpt-x": {"litellm_provider": "azure",
      "input_cost_per_token": 2e-06, "output_cost_per_token": 0}})");
  UsageRecord record = call("azure.ai.openai", "", 1, 0);
  record.request_model.assign("gpt-x");
  EXPECT_EQ(catalog.price(record).total, std::nullopt);
}

TEST(Catalog, ASnapshotBorrowsFromItsModelIfTheirPricesAgree) {
  const Catalog catalog = from_file(R"({
      "m": {"litellm_provider": "openai", "input_cost_per_token": 2e-06, "output_cost_per_token": 8e-06,
            "input_cost_per_token_priority": 3e-06, "output_cost_per_token_priority": 9e-06},
      "m-2025-04-14": {"litellm_provider": "openai", "input_cost_per_token": 2e-06, "output_cost_per_token": 8e-06},
      "m-2024-01-01": {"litellm_provider": "openai", "input_cost_per_token": 5e-06, "output_cost_per_token": 8e-06}})");
  UsageRecord record = call("openai", "m-2025-04-14", 1, 1);
  EXPECT_EQ(catalog.price(record).price_id.view(), "file/m-2025-04-14");
  record.service_tier.assign("priority");
  EXPECT_EQ(total(catalog.price(record)), 12'000'000);
  EXPECT_EQ(catalog.price(record).price_id.view(), "file/m:priority");
  record.response_model.assign("m-2024-01-01");
  expect_none(catalog.price(record));
}

TEST(Catalog, PricesAudioImagesAndReasoningApart) {
  const Catalog catalog = from_file(R"({
      "m": {"litellm_provider": "openai", "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06,
            "input_cost_per_audio_token": 1e-05, "output_cost_per_audio_token": 2e-05,
            "output_cost_per_reasoning_token": 3e-06, "input_cost_per_image_token": 4e-06,
            "output_cost_per_image_token": 5e-05, "input_cost_per_token_above_128k_tokens": 7e-06,
            "output_cost_per_token_above_128k_tokens": 8e-06},
      "plain": {"litellm_provider": "openai", "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06}})");
  UsageRecord record = call("openai", "m", 100, 100);
  record.tokens.input_audio = 10;
  record.tokens.input_image = 20;
  record.tokens.output_audio = 10;
  record.tokens.output_image = 1;
  record.tokens.reasoning = 30;
  EXPECT_EQ(total(catalog.price(record)),
            (70 + 10 * 10 + 20 * 4 + 59 * 2 + 10 * 20 + 50 + 30 * 3) * 1'000'000);

  record = call("openai", "m", 200'000, 100);
  EXPECT_EQ(total(catalog.price(record)), (200'000 * 7 + 100 * 8) * int64_t{1'000'000});
  record.tokens.reasoning = 1;  // dearer than output below, and not stated above
  expect_none(catalog.price(record));

  record = call("openai", "plain", 100, 100);
  record.tokens.input_image = 20;
  record.tokens.reasoning = 30;
  EXPECT_EQ(total(catalog.price(record)), 300'000'000);
  record.tokens.output_image = 1;
  expect_none(catalog.price(record));
}

TEST(Catalog, ABorderBelongsToXaisUpperBand) {
  const std::string rates =
      R"("input_cost_per_token": 1e-06, "output_cost_per_token": 0, "input_cost_per_token_above_128k_tokens": 2e-06, "output_cost_per_token_above_128k_tokens": 0}})";
  EXPECT_EQ(total(from_file(R"({"xai/m": {"litellm_provider": "xai", )" + rates)
                      .price(call("x_ai", "m", 128'000, 0))),
            micro_usd(0.256));
  EXPECT_EQ(total(from_file(R"({"m": {"litellm_provider": "openai", )" + rates)
                      .price(call("openai", "m", 128'000, 0))),
            micro_usd(0.128));
}

TEST(Catalog, RowsWithoutReadablePricesAreKnownAndUnpriced) {
  const Catalog catalog = from_file(R"({"m": {"litellm_provider": "openai",
      "input_cost_per_token": 1e-06, "output_cost_per_token": 1e-06, "off_peak_pricing": {}}})");
  EXPECT_TRUE(catalog.knows("openai", "m"));
  expect_none(catalog.price(call("openai", "m", 10, 10)));
}

class PriceFile : public testing::Test {
 protected:
  PriceFile() : path_(testing::TempDir() + "wiretally-prices-XXXXXX") {
    ::close(::mkstemp(path_.data()));
  }
  ~PriceFile() override { std::filesystem::remove(path_); }

  std::string path_;
};

TEST_F(PriceFile, GoesOverTheBuiltInPrices) {
  std::ofstream(path_) << R"({"gpt-4o": {"litellm_provider": "openai",
      "input_cost_per_token": 9e-06, "output_cost_per_token": 0}})";
  const auto catalog = Catalog::load(path_, "");
  ASSERT_TRUE(catalog) << catalog.error().message;
  EXPECT_EQ(total(catalog->price(call("openai", "gpt-4o", 1'000, 0))), micro_usd(0.009));
  EXPECT_EQ(catalog->price(call("openai", "gpt-4o", 1'000, 0)).price_id.view(), "file/gpt-4o");
  EXPECT_EQ(total(catalog->price(call("openai", "gpt-4o-mini", 1'000, 0))), micro_usd(0.00015));
}

TEST_F(PriceFile, ErrorsNameIt) {
  const auto missing = Catalog::load("/nowhere/prices.json", "");
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message.find("/nowhere/prices.json"), std::string::npos);
  EXPECT_NE(missing.error().message.find("--prices"), std::string::npos);
  std::ofstream(path_) << "<html>";
  EXPECT_FALSE(Catalog::load(path_, ""));
}

TEST(Catalog, PublishedRulesRoundToEvenAndLeaveOwnRowsAlone) {
  const Catalog catalog = from_file(R"({"claude-y": {"litellm_provider": "anthropic",
      "input_cost_per_token": 5e-15, "output_cost_per_token": 7e-15}})");
  UsageRecord record = call("anthropic", "claude-y", 1'000, 0);
  record.service_tier.assign("batch");
  EXPECT_EQ(total(catalog.price(record)), 2) << "2.5 of 1e-15 are 2";
  record = call("anthropic", "claude-y", 0, 1'000);
  record.service_tier.assign("batch");
  EXPECT_EQ(total(catalog.price(record)), 4) << "3.5 are 4";
  auto own = read_overrides("prices: [{provider: anthropic, model: m, input: 3, output: 15}]", "t");
  ASSERT_TRUE(own);
  const Catalog book({}, *std::move(own));
  record = call("anthropic", "m", 1'000, 0);
  EXPECT_TRUE(total(book.price(record)));
  record.service_tier.assign("batch");
  EXPECT_EQ(total(book.price(record)), std::nullopt) << "a row of one's own stands for itself";
}

}  // namespace
}  // namespace wiretally::pricing
