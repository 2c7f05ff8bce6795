#include "text.h"

#include <gtest/gtest.h>

namespace wiretally::sinks {
namespace {

std::string decimal(Wide value, int digits, int fraction_min = 0) {
  std::string text;
  append_decimal(text, value, digits, fraction_min);
  return text;
}
std::string clean(std::string_view text, size_t max = 128) {
  std::string out;
  append_clean(out, text, max);
  return out;
}
std::string json(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}
std::string time(int64_t ns) {
  std::string out;
  append_time(out, ns);
  return out;
}

TEST(Decimal, IsExactWithoutNeedlessZeros) {
  EXPECT_EQ(decimal(0, 9), "0");
  EXPECT_EQ(decimal(0, 0), "0");
  EXPECT_EQ(decimal(5, 9), "0.000000005");
  EXPECT_EQ(decimal(1'000'000'000, 9), "1");
  EXPECT_EQ(decimal(1'500'000'000, 9), "1.5");
  EXPECT_EQ(decimal(120, 0), "120");
  EXPECT_EQ(decimal(-25, 1), "-2.5");
  EXPECT_EQ(decimal(10'692'000'000, 12, 7), "0.0106920");
  EXPECT_EQ(decimal(0, 12, 7), "0.0000000");
  EXPECT_EQ(decimal(1, 12, 7), "0.000000000001");
  EXPECT_EQ(decimal(static_cast<Wide>(INT64_MAX) * 1000, 12), "9223372036.854775807");
}

TEST(Clean, RemovesControlsCutsAtACharacterAndRepairsUtf8) {
  EXPECT_EQ(clean("a\x1b[31mb\nc\x7f"), "a?[31mb?c?");
  EXPECT_EQ(clean("\xC2\x9B"), "?");
  EXPECT_EQ(clean("a\xFFz"), "a\xEF\xBF\xBDz");
  EXPECT_EQ(clean("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(clean("\xC3\xA9\xC3\xA9", 3), "\xC3\xA9");
  EXPECT_EQ(clean("\xE2\x82"), "\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(Json, EscapesWhatMustBe) {
  EXPECT_EQ(json("a\"b\\c\n\x01 \xC3\xA9 \xF0\x9F\x98\x80 \xFF"),
            "\"a\\\"b\\\\c\\u000a\\u0001 \xC3\xA9 \xF0\x9F\x98\x80 \xEF\xBF\xBD\"");
}

TEST(Time, IsRfc3339WithNanoseconds) {
  EXPECT_EQ(time(0), "1970-01-01T00:00:00.000000000Z");
  EXPECT_EQ(time(1'709'210'096'000'000'007), "2024-02-29T12:34:56.000000007Z");
  EXPECT_EQ(time(-1), "1969-12-31T23:59:59.999999999Z");
}

}  // namespace
}  // namespace wiretally::sinks
