// What holds for every row of the built-in catalog and any call; and the traps of pricing by name.
#include <random>

#include "calls.h"
#include "litellm_file.h"

namespace wiretally::pricing {
namespace {

const Catalog& built_in() {
  static const Catalog catalog = Catalog::built_in();
  return catalog;
}

int64_t time_of(const PriceRow& row) {
  if (row.period.from_ns != INT64_MIN) return row.period.from_ns;
  return row.period.until_ns == INT64_MAX ? Catalog::kLatest : row.period.until_ns - 1;
}

TEST(BuiltInCatalog, HasRowsOfManyProvidersEachWithItsDate) {
  size_t rows = 0;
  for (const PriceTable& one : price_tables()) {
    const auto read = read_price_table(one.text, std::string(one.name));
    ASSERT_TRUE(read) << read.error().message;
    for (const PriceRow& row : *read) {
      ++rows;
      EXPECT_TRUE(
          epoch_of_date(row.source_date.size() == 7 ? row.source_date + "-01" : row.source_date))
          << row.key;
      UsageRecord record = make_call(row.provider, row.model, 1, 0);
      const Quote quote = built_in().quote(record, time_of(row));
      ASSERT_NE(quote.row, nullptr) << row.key;
      EXPECT_EQ(quote.row->key, row.key) << "two rows of one name";
      EXPECT_EQ(quote.row->period.from_ns, row.period.from_ns) << row.key;
    }
  }
  EXPECT_GE(rows, 300u);
  EXPECT_GE(built_in().providers().size(), 12u);
}

TEST(BuiltInCatalog, TablesAreSortedAndNoRowTwice) {
  for (const PriceTable& one : price_tables()) {
    const auto rows = *read_price_table(one.text, std::string(one.name));
    for (size_t i = 1; i < rows.size(); ++i) {
      EXPECT_LE(rows[i - 1].model, rows[i].model) << one.name;
      if (rows[i - 1].model == rows[i].model) {
        EXPECT_EQ(rows[i - 1].period.until_ns, rows[i].period.from_ns) << rows[i].model;
      }
    }
  }
}

// Any call that a row can price: only kinds of tokens whose rates it states.
UsageRecord any_call(const PriceRow& row, std::mt19937_64& random) {
  const auto below = [&](uint64_t n) { return n == 0 ? 0 : random() % n; };
  UsageRecord record = make_call(row.provider, row.model, below(1'200'000), below(100'000));
  TokenCounts& tokens = record.tokens;
  static constexpr Tier kTiers[] = {Tier::kStandard, Tier::kPriority, Tier::kFlex, Tier::kBatch};
  const Tier tier = kTiers[random() % 4];
  const bool sold = row.bands.front()[tier][Item::kInput].stated();
  record.service_tier.assign(tier_name(sold ? tier : Tier::kStandard));
  const RateCard& card = row.bands.front()[sold ? tier : Tier::kStandard];
  uint64_t rest = *tokens.input;
  const auto part = [&](std::optional<uint64_t>& of, Item item, uint64_t& whole) {
    if (!card[item].stated() || random() % 2 == 0) return;
    of = below(whole + 1);
    whole -= *of;
  };
  part(tokens.cache_read, Item::kCacheRead, rest);
  part(tokens.cache_write_5m, Item::kCacheWrite5m, rest);
  part(tokens.cache_write_1h, Item::kCacheWrite1h, rest);
  part(tokens.input_audio, Item::kInputAudio, rest);
  if (!card[Item::kOutput].stated()) tokens.output = 0;
  rest = *tokens.output;
  part(tokens.reasoning, Item::kOutput, rest);
  if (row.web_search.stated() && random() % 3 == 0) record.server_tool_requests = below(5);
  if (random() % 4 == 0) record.inference_geo.assign("us");
  if (!row.fast.is_one() && random() % 4 == 0) record.speed.assign("fast");
  return record;
}

TEST(Pricing, PartsAddUpToTheTotal) {
  std::mt19937_64 random(7);
  size_t priced = 0;
  for (const PriceRow& row : built_in_prices()) {
    for (int i = 0; i < 40; ++i) {
      const Cost cost = built_in().price_at(any_call(row, random), time_of(row));
      if (!cost.total) continue;
      ++priced;
      int64_t sum = 0;
      for (const auto& one :
           {cost.input, cost.cache_read, cost.cache_write, cost.output, cost.tools}) {
        ASSERT_TRUE(one);
        EXPECT_GE(pico(one), 0);
        sum += pico(one);
      }
      EXPECT_EQ(sum, pico(cost.total)) << row.key;
    }
  }
  EXPECT_GT(priced, 10'000u);
}

// Not across a border: some lists are cheaper there for some kinds of tokens.
TEST(Pricing, MoreTokensNeverCostLess) {
  std::mt19937_64 random(11);
  size_t compared = 0;
  for (const PriceRow& row : built_in_prices()) {
    for (int i = 0; i < 20; ++i) {
      UsageRecord less = any_call(row, random);
      UsageRecord more = less;
      if (*less.tokens.output > 0) *more.tokens.output += 1 + random() % 1000;
      if (random() % 2 == 0) *more.tokens.input += 1 + random() % 1000;
      const Quote before = built_in().quote(less, time_of(row));
      const Quote after = built_in().quote(more, time_of(row));
      if (before.quotation.gap != Gap::kNone || after.quotation.gap != Gap::kNone) continue;
      if (before.quotation.band != after.quotation.band) continue;
      ++compared;
      EXPECT_LE(before.quotation.costing.total, after.quotation.costing.total) << row.key;
    }
  }
  EXPECT_GT(compared, 5'000u);
}

TEST(Pricing, ABandBeginsBehindItsBorderToTheToken) {
  size_t borders = 0;
  for (const PriceRow& row : built_in_prices()) {
    for (const Band& band : row.bands) {
      if (band.above == 0 || !band[Tier::kStandard][Item::kInput].stated()) continue;
      ++borders;
      const auto band_at = [&](uint64_t input) {
        return built_in()
            .quote(make_call(row.provider, row.model, input, 0), time_of(row))
            .quotation.band;
      };
      const uint64_t first = row.band_includes_border ? band.above : band.above + 1;
      EXPECT_EQ(band_at(first), band.above) << row.key;
      EXPECT_LT(band_at(first - 1), band.above) << row.key;
    }
  }
  EXPECT_GT(borders, 30u);
}

TEST(Pricing, SplittingACallNeverMovesMoreThanARounding) {
  std::mt19937_64 random(13);
  for (int i = 0; i < 2'000; ++i) {
    const uint64_t input = random() % 100'000, output = random() % 10'000,
                   at = random() % (input + 1);
    const int64_t whole =
        pico(built_in().price(make_call("openai", "gpt-5.5", input, output)).total);
    const int64_t parts =
        pico(built_in().price(make_call("openai", "gpt-5.5", at, 0)).total) +
        pico(built_in().price(make_call("openai", "gpt-5.5", input - at, output)).total);
    EXPECT_LE(std::abs(whole - parts), 1);
  }
}

// --- the traps that are the book's ---------------------------------------------------------------

TEST(Pricing, trap_03_LongContextAndTierPriceTheWholeRequest) {
  EXPECT_EQ(pico(built_in().price(make_call("openai", "gpt-5.5", 280'000, 1'000)).total),
            2'845'000 * kMicroUsd);
  UsageRecord flex = make_call("openai", "gpt-5.5", 1'000, 1'000);
  flex.service_tier.assign("flex");
  EXPECT_EQ(pico(built_in().price(flex).total), 17'500 * kMicroUsd);
  UsageRecord azure = make_call("azure.ai.openai", "gpt-5.5", 280'000, 1'000);
  azure.service_tier.assign("priority");
  EXPECT_EQ(pico(built_in().price(azure).total), 5'690'000 * kMicroUsd);
  azure.provider.assign("openai");
  EXPECT_EQ(built_in().price(azure).total, std::nullopt) << "OpenAI publishes no such price";
}

TEST(Pricing, trap_06_ACacheWriteCostsByItsLifetime) {
  UsageRecord record = make_call("anthropic", "claude-opus-4-7", 2'000, 0);
  record.tokens.cache_write_5m = 1'000;
  record.tokens.cache_write_1h = 1'000;
  EXPECT_EQ(pico(built_in().price(record).total), (6'250 + 10'000) * kMicroUsd);
}

TEST(Pricing, trap_11_AnAnswerOutOfAGatewaysCacheIsNotBilled) {
  UsageRecord record = make_call("openai", "gpt-5.5", 1'000, 1'000);
  record.served_from_cache = true;
  EXPECT_EQ(pico(built_in().price(record).total), 0);
}

TEST(Pricing, trap_12_TheServedModelIsPriced) {
  UsageRecord record = make_call("deepseek", "deepseek-chat", 1'000'000, 0);
  record.request_model.assign("claude-opus-4-7");
  const Cost cost = built_in().price(record);
  EXPECT_EQ(cost.price_id.view(), "builtin-2026-09/deepseek/deepseek-chat");
  record = make_call("azure.ai.openai", "", 1'000, 0);
  record.request_model.assign("gpt-4o");
  EXPECT_EQ(built_in().price(record).total, std::nullopt) << "a deployment's name is no model";
}

// An advisor's tokens are within the record's, and cost what its own model costs.
TEST(Pricing, trap_19_IterationsOfAnotherModelHaveTheirOwnPrice) {
  const auto cost_of = [](const char* model, uint64_t input, uint64_t output) {
    return pico(built_in().price(make_call("anthropic", model, input, output)).total);
  };
  UsageRecord record = make_call("anthropic", "claude-haiku-4-5", 1'500, 130);
  record.apart.input = 500;
  record.apart.output = 30;
  record.apart.model.assign("claude-opus-4-7");
  const Cost cost = built_in().price(record);
  EXPECT_EQ(pico(cost.total),
            cost_of("claude-haiku-4-5", 1'000, 100) + cost_of("claude-opus-4-7", 500, 30));
  EXPECT_EQ(pico(cost.total), pico(cost.input) + pico(cost.output) + pico(cost.cache_read) +
                                  pico(cost.cache_write) + pico(cost.tools));
  EXPECT_EQ(cost.price_id.view(),
            "builtin-2026-09/claude-haiku-4-5+builtin-2026-09/claude-opus-4-7");
  // A compaction is of the same model.
  record.apart.model.clear();
  EXPECT_EQ(pico(built_in().price(record).total), cost_of("claude-haiku-4-5", 1'500, 130));
  // Whose price is not known makes the whole unknown, and so do two that cannot be told apart.
  record.apart.model.assign("claude-of-tomorrow");
  EXPECT_EQ(built_in().price(record).total, std::nullopt);
  EXPECT_EQ(built_in().price(record).source, PriceSource::kNone);
  record.apart.model.assign("claude-opus-4-7");
  record.apart.several_models = true;
  EXPECT_EQ(built_in().price(record).total, std::nullopt);
  // More apart than there is.
  record.apart.several_models = false;
  record.apart.input = 1'501;
  EXPECT_EQ(built_in().price(record).total, std::nullopt);
}

// A context band is one request's: two short ones are not a long one.
TEST(Pricing, trap_19_IterationsHaveTheirOwnContext) {
  UsageRecord record = make_call("openai", "gpt-5.5", 300'000, 20);
  record.apart.input = 150'000;
  record.apart.output = 10;
  const int64_t half = pico(built_in().price(make_call("openai", "gpt-5.5", 150'000, 10)).total);
  EXPECT_EQ(pico(built_in().price(record).total), 2 * half);
}

TEST(Pricing, GeographyAndSpeedMultiplyTokensAndNotSearches) {
  UsageRecord record = make_call("anthropic", "claude-opus-4-7", 1'000, 100);
  record.server_tool_requests = 1;
  EXPECT_EQ(pico(built_in().price(record).total), 17'500 * kMicroUsd);
  record.inference_geo.assign("us");
  EXPECT_EQ(pico(built_in().price(record).total), 18'250 * kMicroUsd);
  record.speed.assign("fast");
  EXPECT_EQ(pico(built_in().price(record).total), 59'500 * kMicroUsd);
  EXPECT_TRUE(built_in().price(record).price_id.view().ends_with(":geo_us:fast"));
  record.inference_geo.assign("mars");
  EXPECT_EQ(built_in().price(record).total, std::nullopt);
  record.inference_geo.assign("global");
  record.speed.assign("warp");
  EXPECT_EQ(built_in().price(record).total, std::nullopt);
}

TEST(Pricing, CachedAudioIsPricedOnceWhereItIsTold) {
  const Catalog book(table("openai",
                           "m 2026-07-01 input 4 cache_read 0.4 output 16 input_audio 32 "
                           "cache_read_audio 0.8\n"));
  UsageRecord record = make_call("openai", "m", 1'000, 0);
  record.tokens.input_audio = 600;
  record.tokens.cache_read = 500;
  EXPECT_EQ(book.price(record).total, std::nullopt) << "how much of the cached is audio?";
  record.tokens.cache_read_audio = 300;
  // 300 audio + 200 text from the cache, 300 audio and 200 text fresh.
  EXPECT_EQ(pico(book.price(record).total), (240 + 80 + 9'600 + 800) * kMicroUsd);
  record.tokens.cache_read_audio = 0;
  record.tokens.cache_read = 400;
  EXPECT_EQ(pico(book.price(record).total), (160 + 19'200) * kMicroUsd);
  record.tokens.cache_read_audio = 601;
  EXPECT_EQ(book.price(record).total, std::nullopt);
  record.tokens.cache_read = 700;
  EXPECT_EQ(book.price(record).total, std::nullopt) << "more cached audio than audio";
}

TEST(Pricing, AModelsPriceChangesWithTheDayOfTheCall) {
  const UsageRecord record = make_call("anthropic", "claude-sonnet-5", 1'000, 0);
  EXPECT_EQ(pico(built_in().price_at(record, *epoch_of_date("2026-08-31T23:59:59Z")).total),
            2'000 * kMicroUsd);
  EXPECT_EQ(pico(built_in().price_at(record, *epoch_of_date("2026-09-01")).total),
            3'000 * kMicroUsd);
}

TEST(Pricing, BedrockRegionsAndGeographiesHaveTheirOwnRows) {
  const Catalog book(table("aws.bedrock",
                           "anthropic.a 2026-07-01 input 1 output 1\n"
                           "eu.anthropic.a 2026-07-01 input 2 output 1\n"
                           "meta.b 2026-07-01 input 3 output 1\n"
                           "us-west-2/meta.b 2026-07-01 input 4 output 1\n"));
  const auto micro = [&](std::string_view model, std::string_view host = "") {
    UsageRecord record = make_call("aws.bedrock", model, 1, 0);
    record.server_name.assign(host);
    const int64_t cost = pico(book.price(record).total);
    return cost < 0 ? cost : cost / kMicroUsd;
  };
  EXPECT_EQ(micro("anthropic.a"), 1);
  EXPECT_EQ(micro("eu.anthropic.a"), 2);
  EXPECT_EQ(micro("global.anthropic.a"), 1);
  EXPECT_EQ(micro("jp.anthropic.a"), -1) << "a geography is priced apart: which price has jp.?";
  EXPECT_EQ(micro("us.meta.b"), 3) << "no geography is";
  EXPECT_EQ(micro("meta.b", "bedrock-runtime.us-west-2.amazonaws.com"), 4);
  EXPECT_EQ(micro("meta.b", "bedrock-runtime.us-east-1.amazonaws.com"), 3);
}

TEST(Pricing, VertexRegionsMayBeDearer) {
  const Catalog book(
      table("gcp.vertex_ai", "claude@default 2026-07-01 input 1 output 1 regional 1.1\n"));
  UsageRecord record = make_call("gcp.vertex_ai", "claude", 1'000, 0);
  record.path.assign(
      "/v1/projects/p/locations/global/publishers/anthropic/models/claude:rawPredict");
  EXPECT_EQ(pico(book.price(record).total), 1'000 * kMicroUsd);
  record.path.assign(
      "/v1/projects/p/locations/europe-west1/publishers/anthropic/models/claude:rawPredict");
  EXPECT_EQ(pico(book.price(record).total), 1'100 * kMicroUsd);
}

TEST(PriceTable, ErrorsNameTheLine) {
  const auto error = [](std::string_view text) {
    const auto rows = read_price_table(text, "x.prices");
    return rows ? std::string("none") : rows.error().message;
  };
  EXPECT_EQ(error("# nothing\n\n"), "none");
  for (const char* bad :
       {"m 2026-07-01 input 1\n", "provider\n", "provider p\nm input 1\n",
        "provider p\n  flex input 1\n", "provider p\nm 2026-07-01 input\n",
        "provider p\nm 2026-07-01 input x\n", "provider p\nm 2026-07-01 colour 1\n",
        "provider p\nm 2026-07-01 input 1\n  above x input 2\n",
        "provider p\nm 2026-07-01 input 1\n  input 2\n",
        "provider p\nm 2026-07-01 from 2026-99-01\n"}) {
    EXPECT_NE(error(bad).find("x.prices:"), std::string::npos) << bad;
  }
}

}  // namespace
}  // namespace wiretally::pricing
