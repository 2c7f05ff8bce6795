#include "prometheus/series_table.h"

#include <gtest/gtest.h>

#include <random>

#include "unit/sinks/fixtures.h"

namespace wiretally::sinks {
namespace {

constexpr FamilySpec kCounter = {"test_total", "Help.",      Kind::kCounter,
                                 Unit::kOne,   Cap::kSeries, {{{"user", true}, {"type"}}}};
constexpr FamilySpec kGauge = {"test_level", "Help.",      Kind::kGauge,
                               Unit::kOne,   Cap::kSeries, {{{"user", true}}}};
constexpr FamilySpec kSeconds = {"test_seconds",     "Help.",      Kind::kHistogram,
                                 Unit::kNanoseconds, Cap::kSeries, {{{"user", true}}}};

struct Table {
  explicit Table(const FamilySpec& family, SeriesOptions options = {})
      : spec(family), table(spec, options) {}

  void add(std::string_view user, std::string_view type, Wide amount) {
    const std::string_view labels[] = {user, type};
    table.add(labels, amount, now_ns);
  }
  std::string look() {
    std::string text;
    table.write(Reader::kOther, ++scrape, now_ns, text);
    return text;
  }
  std::map<std::string, std::string> scraped(bool delivered = true) {
    std::string text;
    table.write(Reader::kPrometheus, ++scrape, now_ns, text);
    if (delivered) table.delivered(scrape);
    return samples_of(text);
  }

  const FamilySpec& spec;
  SeriesTable table;
  uint64_t scrape = 0;
  int64_t now_ns = 0;
};

constexpr const char* kA = "test_total{user=\"a\",type=\"in\"}";

TEST(SeriesTableTest, PastTheBudgetOfTextNewLabelSetsFallIntoOther) {
  ExpositionBudget budget;
  budget.bytes_max = 1'000;
  SeriesOptions options;
  options.budget = &budget;
  Table t(kCounter, options);
  for (int i = 0; i < 100; ++i) t.add("user-" + std::to_string(i), "in", 1);
  EXPECT_LT(t.table.series(), 15u);
  EXPECT_GT(t.table.overflows(), 80u);
  EXPECT_LT(t.look().size(), budget.bytes_max + 300);
  EXPECT_NE(t.look().find("user=\"other\""), std::string::npos);
  // What expires gives its share back.
  t.scraped();
  t.scraped();
  t.now_ns += 2 * options.idle_ns;
  t.look();
  EXPECT_EQ(t.table.series(), 0u);
  EXPECT_EQ(budget.bytes.load(), 0u);
}

TEST(SeriesTableTest, WritesTheTextFormatSorted) {
  Table t(kCounter);
  t.add("b", "in", 2);
  t.add("a", "out", 1);
  t.add("a", "in", 3);
  EXPECT_EQ(t.look(),
            "# HELP test_total Help.\n# TYPE test_total counter\n"
            "test_total{user=\"a\",type=\"in\"} 3\n"
            "test_total{user=\"a\",type=\"out\"} 1\n"
            "test_total{user=\"b\",type=\"in\"} 2\n");
}

TEST(SeriesTableTest, AnEmptyFamilyIsNotWritten) { EXPECT_EQ(Table(kCounter).look(), ""); }

TEST(SeriesTableTest, APrometheusSeesANewSeriesAtZeroFirst) {
  Table t(kCounter);
  t.add("a", "in", 12'000);
  EXPECT_EQ(t.scraped()[kA], "0");
  t.add("a", "in", 1);
  EXPECT_EQ(t.scraped()[kA], "12001");
  EXPECT_EQ(t.scraped()[kA], "12001");
}

TEST(SeriesTableTest, AnybodyElseSeesTrueValuesAndUsesUpNoZero) {
  Table t(kCounter);
  t.add("a", "in", 5);
  EXPECT_EQ(samples_of(t.look())[kA], "5");
  EXPECT_EQ(t.scraped()[kA], "0");
  EXPECT_EQ(samples_of(t.look())[kA], "5");
}

TEST(SeriesTableTest, AScrapeThatDidNotArriveUsesUpNoZero) {
  Table t(kCounter);
  t.add("a", "in", 5);
  EXPECT_EQ(t.scraped(false)[kA], "0");
  EXPECT_EQ(t.scraped()[kA], "0");
  EXPECT_EQ(t.scraped()[kA], "5");
}

TEST(SeriesTableTest, ReplicatedScrapersGetAZeroEach) {
  Table t(kCounter, {.zero_scrapes = 2});
  t.add("a", "in", 5);
  EXPECT_EQ(t.scraped()[kA], "0");
  EXPECT_EQ(t.scraped()[kA], "0");
  EXPECT_EQ(t.scraped()[kA], "5");
}

TEST(SeriesTableTest, GaugesAreNeverBornAtZero) {
  Table t(kGauge);
  const std::string_view labels[] = {"a"};
  t.table.set_until(labels, 7, 0, 60, 0);
  EXPECT_EQ(t.scraped()["test_level{user=\"a\"}"], "7");
}

TEST(SeriesTableTest, HistogramsAreCumulativeAndBornAtZero) {
  Table t(kSeconds);
  const std::string_view labels[] = {"a"};
  t.table.observe(labels, 10'000'000, 0);
  t.table.observe(labels, 15'000'000, 0);
  t.table.observe(labels, 700'000'000'000, 0);
  for (const auto& [name, value] : t.scraped()) EXPECT_EQ(value, "0") << name;
  auto samples = t.scraped();
  EXPECT_EQ(samples["test_seconds_bucket{user=\"a\",le=\"0.01\"}"], "1");
  EXPECT_EQ(samples["test_seconds_bucket{user=\"a\",le=\"0.02\"}"], "2");
  EXPECT_EQ(samples["test_seconds_bucket{user=\"a\",le=\"600\"}"], "2");
  EXPECT_EQ(samples["test_seconds_bucket{user=\"a\",le=\"+Inf\"}"], "3");
  EXPECT_EQ(samples["test_seconds_count{user=\"a\"}"], "3");
  EXPECT_EQ(samples["test_seconds_sum{user=\"a\"}"], "700.025");
}

TEST(SeriesTableTest, PastTheCapNewLabelSetsFallIntoOther) {
  Table t(kCounter, {.series_max = 3});
  for (const char* user : {"a", "b", "c", "d", "e", "d"}) t.add(user, "in", 1);
  t.add("e", "out", 10);
  t.add("a", "in", 1);
  const auto samples = samples_of(t.look());
  EXPECT_EQ(samples.size(), 5u);
  EXPECT_EQ(samples.at("test_total{user=\"other\",type=\"in\"}"), "3");
  EXPECT_EQ(samples.at("test_total{user=\"other\",type=\"out\"}"), "10");
  EXPECT_EQ(samples.at(kA), "2");
  EXPECT_EQ(t.table.overflows(), 4u);
}

TEST(SeriesTableTest, AnIdleSeriesLeavesOnlyWhenItsLastValueWasScraped) {
  Table t(kCounter, {.idle_ns = 100});
  t.add("a", "in", 5);
  t.now_ns = 1000;
  EXPECT_EQ(t.scraped()[kA], "0");
  EXPECT_EQ(t.scraped(false)[kA], "5");
  EXPECT_EQ(t.scraped()[kA], "5");
  EXPECT_TRUE(t.scraped().empty());
  EXPECT_EQ(t.table.series(), 0u);
  t.add("a", "in", 2);
  EXPECT_EQ(t.scraped()[kA], "0");
  EXPECT_EQ(t.scraped()[kA], "2");
}

TEST(SeriesTableTest, LabelValuesCannotBreakTheFormat) {
  Table t(kCounter);
  t.add("a\"b\\c\nd\xFF", std::string(200, 'x'), 1);
  const std::string text = t.look();
  EXPECT_NE(
      text.find("{user=\"a\\\"b\\\\c?d\xEF\xBF\xBD\",type=\"" + std::string(128, 'x') + "\"}"),
      std::string::npos)
      << text;
}

TEST(SeriesTableTest, MoneyIsExact) {
  static constexpr FamilySpec kMoney = {"test_usd_total",   "Help.",      Kind::kCounter,
                                        Unit::kPicodollars, Cap::kSeries, {}};
  Table t(kMoney);
  for (int i = 0; i < 1000; ++i) t.table.add({}, 100'000'000'001, 0);
  EXPECT_EQ(samples_of(t.look())["test_usd_total"], "100.000000001");
  for (int i = 0; i < 1000; ++i) t.table.add({}, INT64_MAX, 0);
  EXPECT_EQ(samples_of(t.look())["test_usd_total"], "9223372136.854775808");
}

// What increase() does with the values that a scraper saw: positive steps, and after a reset or an
// absence the value itself.
TEST(SeriesTableProperty, TheStepsAScraperSawAddUpToTheTotal) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    Table t(kCounter, {.zero_scrapes = 1 + seed % 2, .idle_ns = 50, .series_max = 5});
    std::map<std::string, uint64_t> last;
    uint64_t stepped = 0, total = 0;
    const auto scrape = [&] {
      const bool arrives = random() % 5 != 0;
      const auto samples = t.scraped(arrives);
      if (!arrives) return;
      std::map<std::string, uint64_t> seen;
      for (const auto& [name, text] : samples) seen[name] = std::stoull(text);
      for (const auto& [name, value] : seen) {
        // The first sample of a series gives no increase.
        if (last.contains(name)) stepped += value >= last[name] ? value - last[name] : value;
      }
      last = seen;
    };
    for (int i = 0; i < 300; ++i) {
      t.now_ns += static_cast<int64_t>(random() % 20);
      if (random() % 3 == 0) scrape();
      if (random() % 7 == 0) t.look();
      const uint64_t amount = random() % 100;
      t.add(std::string(1, static_cast<char>('a' + random() % 9)), "in", amount);
      total += amount;
    }
    for (int i = 0; i < 30; ++i) scrape();
    ASSERT_EQ(stepped, total) << "seed " << seed;
  }
}

}  // namespace
}  // namespace wiretally::sinks
