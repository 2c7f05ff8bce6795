// What answers say they cost, against the book.
#include "calls.h"

namespace wiretally::pricing {
namespace {

constexpr int64_t kFemtoPerMicro = 1'000'000'000;

UsageRecord stating(UsageRecord record, CostStatement by, int64_t femtodollars) {
  record.cost_statement = by;
  record.stated_cost_femtodollars = femtodollars;
  return record;
}

const Catalog& book() {
  static const Catalog catalog([] {
    auto rows = table("openrouter", "a/m 2026-07-01 input 1 output 1\n");
    for (auto& row : table("x_ai", "grok 2026-07-01 input 1 output 1\n")) rows.push_back(row);
    return rows;
  }());
  return catalog;
}

TEST(StatedCost, trap_24_CostOnTheWireWinsAndTheBooksIsKept) {
  const Cost cost = book().price(stating(make_call("openrouter", "a/m", 900, 69),
                                         CostStatement::kUsageCost, 16'060 * kFemtoPerMicro));
  EXPECT_EQ(cost.source, PriceSource::kProvider);
  EXPECT_EQ(cost.price_id.view(), "usage.cost");
  EXPECT_EQ(pico(cost.total), 16'060 * kMicroUsd);
  EXPECT_EQ(pico(cost.stated), 16'060 * kMicroUsd);
  EXPECT_EQ(pico(cost.by_book), 969 * kMicroUsd);
  EXPECT_EQ(cost.input, std::nullopt) << "a total has no parts";
  EXPECT_FALSE(cost.stated_doubtful);
}

TEST(StatedCost, IsMoneyWhereItsUnitIsKnown) {
  const auto price_of = [](std::string_view provider) {
    return book().price(
        stating(make_call(provider, "a/m", 6, 3), CostStatement::kUsageCost, 2 * kFemtoPerMicro));
  };
  EXPECT_EQ(pico(price_of("vercel_ai_gateway").total), 2 * kMicroUsd);
  EXPECT_EQ(pico(price_of("venice").total), 2 * kMicroUsd);
  EXPECT_EQ(price_of("github_copilot").total, std::nullopt);
}

TEST(StatedCost, NeedsNoRow) {
  const Cost cost = book().price(
      stating(make_call("x_ai", "new", 1, 1), CostStatement::kUsageTicks, 7 * kFemtoPerMicro));
  EXPECT_EQ(cost.source, PriceSource::kProvider);
  EXPECT_EQ(pico(cost.total), 7 * kMicroUsd);
  EXPECT_EQ(cost.by_book, std::nullopt);
}

TEST(StatedCost, AZeroForTokensIsNotBelieved) {
  const UsageRecord fake =
      stating(make_call("x_ai", "grok", 10, 10), CostStatement::kGatewayHeader, 0);
  const Cost cost = book().price(fake);
  EXPECT_EQ(cost.source, PriceSource::kCatalog);
  EXPECT_EQ(pico(cost.total), 20 * kMicroUsd);
  EXPECT_EQ(pico(cost.stated), 0);
  EXPECT_EQ(pico(cost.by_book), 20 * kMicroUsd);
  EXPECT_TRUE(cost.stated_doubtful);

  const Cost unknown =
      book().price(stating(make_call("x_ai", "new", 10, 10), CostStatement::kUsageTicks, 0));
  EXPECT_EQ(unknown.total, std::nullopt) << "unknown, not free";
  EXPECT_TRUE(unknown.stated_doubtful);
}

TEST(StatedCost, AZeroWithAReasonIsBelieved) {
  UsageRecord cached = stating(make_call("x_ai", "grok", 10, 10), CostStatement::kGatewayHeader, 0);
  cached.served_from_cache = true;
  EXPECT_EQ(pico(book().price(cached).total), 0);
  EXPECT_FALSE(book().price(cached).stated_doubtful);
  const Cost given = book().price(
      stating(make_call("openrouter", "a/m:free", 10, 10), CostStatement::kUsageCost, 0));
  EXPECT_EQ(pico(given.total), 0);
  EXPECT_EQ(given.source, PriceSource::kProvider);
  EXPECT_FALSE(given.stated_doubtful);
  const Cost nothing =
      book().price(stating(make_call("x_ai", "grok", 0, 0), CostStatement::kUsageTicks, 0));
  EXPECT_FALSE(nothing.stated_doubtful) << "no tokens cost nothing";
}

TEST(StatedCost, ANumberCalledCostIsMoneyOnlyWhereThatIsKnown) {
  for (const char* provider : {"unknown", "x_ai", "vllm"}) {
    const Cost cost = book().price(
        stating(make_call(provider, "grok", 1, 1), CostStatement::kUsageCost, kFemtoPerMicro));
    EXPECT_NE(cost.source, PriceSource::kProvider) << provider;
    EXPECT_EQ(cost.stated, std::nullopt);
  }
}

TEST(StatedCost, OfACutStreamIsARunningTotal) {
  UsageRecord record =
      stating(make_call("perplexity", "sonar", 10, 10), CostStatement::kUsageTotal, kFemtoPerMicro);
  EXPECT_EQ(pico(book().price(record).total), kMicroUsd);
  record.tokens.output_source = UsageSource::kPartial;
  EXPECT_EQ(book().price(record).total, std::nullopt);
}

TEST(StatedCost, IsRoundedOnceHalfToEven) {
  const auto total = [](int64_t femtodollars) {
    return pico(book()
                    .stated_cost(stating(make_call("x_ai", "grok", 1, 1),
                                         CostStatement::kUsageTicks, femtodollars))
                    .total);
  };
  EXPECT_EQ(total(1'500), 2);
  EXPECT_EQ(total(2'500), 2);
  EXPECT_EQ(total(2'501), 3);
  EXPECT_EQ(total(-1), -1);
  EXPECT_EQ(total(INT64_MAX), 9'223'372'036'854'776);
}

}  // namespace
}  // namespace wiretally::pricing
