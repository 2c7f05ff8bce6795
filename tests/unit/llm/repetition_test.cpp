// Events that repeat the one before are told by comparing: the notes are those of reading them.
#include "json/repetition.h"

#include <gtest/gtest.h>

#include <random>

#include "repetition_check.h"

namespace wiretally::llm {
namespace {

#ifdef __SANITIZE_ADDRESS__
constexpr int kStreams = 15'000;
#else
constexpr int kStreams = 60'000;
#endif

TEST(Repetition, ArbitraryStreamsAreNotedAlike) {
  std::mt19937 random(7);
  for (int stream = 0; stream < kStreams; ++stream) {
    std::string bytes(random() % 200, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    const std::string difference = test::difference(bytes);
    ASSERT_EQ(difference, "");
  }
}

size_t match_after(std::string_view learned, std::string_view span, std::string_view next,
                   SpanLog::Kind kind = SpanLog::Kind::kText) {
  SpanLog spans;
  const size_t at = learned.find(span);
  const uint8_t* const begin = as_bytes(learned).data() + at;
  spans.add({begin, begin + span.size(), kind, true});
  Repetition repetition;
  repetition.learn(as_bytes(learned), spans);
  return repetition.match(as_bytes(next));
}

TEST(Repetition, OnlySpansMayDiffer) {
  const std::string_view learned = R"({"a":"tok","b":1})";
  EXPECT_EQ(match_after(learned, "tok", learned), learned.size());
  EXPECT_EQ(match_after(learned, "tok", R"({"a":"\"x\\","b":1} behind)"), 19u);
  EXPECT_EQ(match_after(learned, "tok", R"({"a":"","b":1})"), 0u);
  EXPECT_EQ(match_after(learned, "tok", R"({"a":"","b":1})", SpanLog::Kind::kString), 14u);
  EXPECT_EQ(match_after(learned, "tok", R"({"a":"tok","b":2})"), 0u);
  EXPECT_EQ(match_after(learned, "tok", R"({"a":"tok","b":1)"), 0u);
  EXPECT_EQ(match_after(learned, "tok", "{\"a\":\"t\nk\",\"b\":1}"), 0u);
  EXPECT_EQ(match_after(learned, "1", R"({"a":"tok","b":271})", SpanLog::Kind::kDigits), 19u);
  EXPECT_EQ(match_after(learned, "1", R"({"a":"tok","b":2.5})", SpanLog::Kind::kDigits), 0u);
  EXPECT_EQ(match_after(learned, "1", R"({"a":"tok","b":null})", SpanLog::Kind::kDigits), 0u);
}

// A number or a string that nobody reads may differ beside the content, or be equal.
TEST(Repetition, WhatStandsBesideContentMayDifferOrNot) {
  const std::string_view learned = R"({"id":"a","n":1,"t":"tok","s":"x","m":7})";
  const uint8_t* const at = as_bytes(learned).data();
  SpanLog spans;
  const auto add = [&](std::string_view behind, size_t size, SpanLog::Kind kind) {
    const uint8_t* const begin = at + learned.find(behind) + behind.size();
    spans.add({begin, begin + size, kind, true});
  };
  add("\"id\":\"", 1, SpanLog::Kind::kString);
  add("\"n\":", 1, SpanLog::Kind::kDigits);
  add("\"t\":\"", 3, SpanLog::Kind::kText);
  add("\"s\":\"", 1, SpanLog::Kind::kString);
  add("\"m\":", 1, SpanLog::Kind::kDigits);
  Repetition repetition;
  repetition.learn(as_bytes(learned), spans);
  for (const std::string next : {R"({"id":"a","n":1,"t":"tok","s":"x","m":7})",
                                 R"({"id":"a","n":1,"t":" other","s":"x","m":7})",
                                 R"({"id":"bcd","n":22,"t":"k","s":"x","m":7})",
                                 R"({"id":"a","n":1,"t":"k","s":"","m":123})",
                                 R"({"id":"","n":333,"t":"\"","s":"yz","m":4})"}) {
    uint64_t text = 0;
    EXPECT_EQ(repetition.match(as_bytes(next + " behind"), nullptr, &text), next.size()) << next;
    EXPECT_EQ(text, next.find("\",\"s\"") - next.find("\"t\":\"") - 5) << next;
  }
  for (const std::string_view other :
       {R"({"id":"a","n":,"t":"tok","s":"x","m":7})", R"({"id":"a","n":1,"t":"","s":"x","m":7})",
        R"({"id":"a","n":1,"u":"tok","s":"x","m":7})",
        R"({"id":"a","n":1,"t":"tok","s":"x","m":7]})",
        R"({"id":"a","n":1,"t":"tok","s":"x","m":7)",
        R"({"id":"a","n":1,"t":"tok","s":x","m":7})"}) {
    EXPECT_EQ(repetition.match(as_bytes(other)), 0u) << other;
  }
}

TEST(Repetition, TellsWhetherVisibleTextStandsForItself) {
  const std::string_view learned = R"({"a":"tok","b":1})";
  SpanLog spans;
  const uint8_t* const begin = as_bytes(learned).data() + learned.find("tok");
  spans.add({begin, begin + 3, SpanLog::Kind::kVisibleText, true});
  Repetition repetition;
  repetition.learn(as_bytes(learned), spans);
  const auto decoded = [&](const std::string& text) {
    const std::string next = "{\"a\":\"" + text + "\",\"b\":1}";
    SpanLog visible;
    EXPECT_EQ(repetition.match(as_bytes(next), &visible), next.size()) << text;
    EXPECT_EQ(visible.size(), 1u) << text;
    EXPECT_EQ(visible[0].end - visible[0].begin, static_cast<ptrdiff_t>(text.size())) << text;
    return visible[0].decoded;
  };
  EXPECT_TRUE(decoded("a tok"));
  EXPECT_FALSE(decoded("\\n"));
  EXPECT_FALSE(decoded("na\u00efve"));
  EXPECT_FALSE(decoded(std::string(40, 'x') + "\\\""));
  EXPECT_FALSE(decoded("\u00e9\\\\"));
}

TEST(Repetition, WhatIsTooLongOrTooVariedIsNotLearned) {
  const std::string longer = "{\"a\":\"" + std::string(Repetition::kBytesMax, 'x') + "\"}";
  SpanLog spans;
  Repetition repetition;
  repetition.learn(as_bytes(longer), spans);
  EXPECT_EQ(repetition.match(as_bytes(longer)), 0u);
  const std::string shorter = R"({"a":"tok","and":"more"})";
  repetition.learn(as_bytes(shorter), spans);
  EXPECT_EQ(repetition.match(as_bytes(shorter)), shorter.size());
  const uint8_t* const at = as_bytes(shorter).data();
  for (size_t i = 0; i <= SpanLog::kSpansMax; ++i)
    spans.add({at, at, SpanLog::Kind::kString, true});
  repetition.learn(as_bytes(shorter), spans);
  EXPECT_EQ(repetition.match(as_bytes(shorter)), 0u);
}

// That streams do take the short way: what it learned is left by every event but the first.
TEST(Repetition, TokensOfAStreamAreRepetitions) {
  class Count final : public JsonEvents {
   public:
    void on_json(PathId, const JsonEvent&) override { ++events; }
    int events = 0;
  };
  const std::string_view first = R"({"m":{"t":"a"},"n":1,"s":"x"})";
  const PathSet paths{"m.t"};
  Count count;
  JsonScanner scanner(paths, count);
  SpanLog spans;
  scanner.log_spans(&spans);
  ASSERT_EQ(scanner.feed(as_bytes(first)), JsonScanner::Verdict::kComplete);
  EXPECT_EQ(count.events, 1);
  ASSERT_EQ(spans.size(), 2u);
  EXPECT_EQ(spans[0].kind, SpanLog::Kind::kDigits);
  EXPECT_EQ(*spans[1].begin, 'x');
  EXPECT_EQ(*spans[1].end, '"');
}

}  // namespace
}  // namespace wiretally::llm
