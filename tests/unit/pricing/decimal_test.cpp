#include "decimal.h"

#include <gtest/gtest.h>

namespace wiretally {
namespace {

TEST(Decimal, ReadsExactly) {
  EXPECT_EQ(parse_decimal("0", 15), 0);
  EXPECT_EQ(parse_decimal("5e-06", 15), 5'000'000'000);
  EXPECT_EQ(parse_decimal("5E-6", 15), 5'000'000'000);
  EXPECT_EQ(parse_decimal("0.000005", 15), 5'000'000'000);
  EXPECT_EQ(parse_decimal("1.5625e-06", 15), 1'562'500'000);
  EXPECT_EQ(parse_decimal("2.8e-08", 15), 28'000'000);
  EXPECT_EQ(parse_decimal("1e-15", 15), 1);
  EXPECT_EQ(parse_decimal("0.01", 15), 10'000'000'000'000);
  EXPECT_EQ(parse_decimal("12", 15), 12'000'000'000'000'000);
  EXPECT_EQ(parse_decimal("1.2e+1", 0), 12);
  EXPECT_EQ(parse_decimal(".5", 1), 5);
  EXPECT_EQ(parse_decimal("5.", 1), 50);
  EXPECT_EQ(parse_decimal("0.0000001250000000000000001", 15), 125'000'000);
}

TEST(Decimal, RoundsHalfToEven) {
  EXPECT_EQ(parse_decimal("0.5", 0), 0);
  EXPECT_EQ(parse_decimal("1.5", 0), 2);
  EXPECT_EQ(parse_decimal("2.5", 0), 2);
  EXPECT_EQ(parse_decimal("2.5000000001", 0), 3);
  EXPECT_EQ(parse_decimal("2.4999999999", 0), 2);
  EXPECT_EQ(parse_decimal("1e-900", 15), 0);
}

TEST(Decimal, RefusesTheRest) {
  for (const std::string_view text :
       {"", ".", "-1", "+1", "e5", "1e", "1e-", "1e--5", "1.2.3", "1 ", " 1", "0x1", "NaN", "inf",
        "1e5000", "1e99999999999", "9999999999999999999999999999999", "10000", "1,5"}) {
    EXPECT_EQ(parse_decimal(text, 15), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace wiretally
