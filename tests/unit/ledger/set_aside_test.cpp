// Background calls and batches count once, when they are known.
#include <gtest/gtest.h>

#include "unit/ledger/fixtures.h"

namespace wiretally::ledger {
namespace {

constexpr std::string_view kId = "resp_0123456789abcdef";

UsageRecord asked(UsageRecord r, std::string_view id = kId) {
  r.part = CallPart::kAsked;
  r.response_id.assign(id);
  r.tokens = {};
  r.usage_missing = UsageMissing::kNotInAnswer;
  r.flags.set(RecordFlag::kUsageMissing);
  r.request_model.assign("gpt-5.5");
  r.caller.subject.assign("alice");
  return r;
}

UsageRecord fetched(UsageRecord r, std::string_view id = kId) {
  r.part = CallPart::kFetched;
  r.response_id.assign(id);
  r.method.assign("GET");
  r.response_model.assign("gpt-5.5-2026-04-23");
  return r;
}

TEST(Background, CountsOnceWhenItsResultIsThere) {
  Bench b;
  RecordMaker make;
  b.feed({asked(make.probe(Side::kClient, 7, 0, 100))});
  for (int i = 0; i < 10; ++i) {
    UsageRecord poll =
        fetched(make.probe(Side::kClient, 7, 60'000 + 100 * i, 60'050 + 100 * i, "p"));
    b.feed({poll});
  }
  b.ledger.drain();
  ASSERT_EQ(b.out.entries.size(), 1u);
  const LedgerEntry& e = b.out.entries[0];
  EXPECT_EQ(e.record.caller.subject.view(), "alice");
  EXPECT_EQ(e.record.request_model.view(), "gpt-5.5");
  EXPECT_EQ(e.record.response_model.view(), "gpt-5.5-2026-04-23");
  EXPECT_EQ(e.record.tokens.output, 5u);
  EXPECT_EQ(e.record.usage_missing, UsageMissing::kNot);
  EXPECT_FALSE(e.record.flags.has(RecordFlag::kUsageMissing));
  EXPECT_EQ(e.start_epoch_ns, kEpoch);
  EXPECT_EQ(e.record.last_byte.ns, kEpoch + 60'050 * kMs);
  EXPECT_EQ(e.legs, 1u);
  EXPECT_EQ(b.out.late.size(), 9u);
}

TEST(Background, AStoredAnswerCountsOnlyWhereItsRequestWaitsForIt) {
  Bench b;
  RecordMaker make;
  UsageRecord stored = fetched(make.make(0, 50), "v1_0123456789abcdef");
  UsageRecord result = fetched(make.make(10'000, 10'050), "v1_fedcba9876543210");
  const UsageRecord request = asked(make.make(5'000, 5'050), "v1_fedcba9876543210");
  for (UsageRecord* answer : {&stored, &result}) answer->part = CallPart::kStored;
  b.feed({stored, request, result});
  b.ledger.drain();
  ASSERT_EQ(b.out.entries.size(), 1u);
  EXPECT_EQ(b.out.entries[0].record.response_id.view(), "v1_fedcba9876543210");
  EXPECT_EQ(b.out.entries[0].record.tokens.output, 5u);
}

TEST(Background, AResultWhoseRequestWasNotSeenCountsByItself) {
  Bench b;
  RecordMaker make;
  b.feed({fetched(make.probe(Side::kClient, 7, 0, 50)),
          fetched(make.probe(Side::kServer, 8, 1, 49)), fetched(make.make(10'000, 10'050))});
  b.ledger.drain();
  EXPECT_EQ(b.out.entries.size(), 1u);
}

TEST(Background, AResultThatItsOwnStreamHasToldIsNotCountedAgain) {
  Bench b;
  RecordMaker make;
  UsageRecord whole = make.probe(Side::kClient, 7, 0, 100);
  whole.response_id.assign(kId);
  b.feed({whole, fetched(make.probe(Side::kClient, 7, 110, 150))});
  b.ledger.drain();
  EXPECT_EQ(b.out.entries.size(), 1u);
  EXPECT_EQ(b.out.late, std::vector<std::string>({"same_id"}));
}

TEST(Background, ACallThatNobodyFetchesCountsInTheEnd) {
  Limits limits;
  limits.background_wait_ns = 60 * kSecond;
  Bench b({}, limits);
  RecordMaker make;
  b.feed({asked(make.make(0, 100))});
  b.ledger.on_time(at_ms(60'000));
  EXPECT_TRUE(b.out.entries.empty());
  b.ledger.on_time(at_ms(60'200));
  ASSERT_EQ(b.out.entries.size(), 1u);
  EXPECT_EQ(b.out.entries[0].record.finish.ns, kEpoch + 60'100 * kMs);
  EXPECT_TRUE(b.out.entries[0].record.flags.has(RecordFlag::kUsageMissing));
  b.ledger.drain();
  EXPECT_EQ(b.out.entries.size(), 1u);
}

TEST(Background, CallsThatWaitAreBounded) {
  Limits limits;
  limits.set_aside_max = 3;
  Bench b({}, limits);
  RecordMaker make;
  for (int i = 0; i < 5; ++i) {
    b.feed({asked(make.make(i * 1000, i * 1000 + 10), std::string(kId) + std::to_string(i))});
  }
  b.ledger.on_time(at_ms(10'000));
  ASSERT_EQ(b.out.entries.size(), 2u);
  EXPECT_TRUE(b.out.entries[0].record.response_id.view().ends_with("0"));
}

UsageRecord sum(UsageRecord r) {
  r.part = CallPart::kSum;
  r.batch_id.assign("batch_abc");
  r.batch_file.assign("file-out");
  return r;
}

UsageRecord line(UsageRecord r, int number) {
  r.part = CallPart::kFetched;
  r.index = static_cast<uint32_t>(number);
  r.batch_file.assign("file-out");
  r.batch_custom_id.assign("request-" + std::to_string(number));
  return r;
}

TEST(Batches, LinesCountOnceAndTheSumDoesNot) {
  for (const bool sum_first : {true, false}) {
    Bench b;
    RecordMaker make;
    int64_t now = 0;
    const auto object = [&] { b.feed({sum(make.make(now, now + 10))}), now += 1000; };
    const auto file = [&] {
      const UsageRecord get = make.make(now, now + 10);
      for (int i = 0; i < 3; ++i) {
        UsageRecord one = line(get, i);
        one.response_digest = digest_of("line " + std::to_string(i));
        b.feed({one});
      }
      now += 1000;
    };
    if (sum_first) object();
    file();
    object();
    file();
    object();
    b.ledger.drain();
    ASSERT_EQ(b.out.entries.size(), 3u) << sum_first;
    EXPECT_EQ(b.out.entries[0].record.batch_id.view(), sum_first ? "batch_abc" : "");
    for (const LedgerEntry& e : b.out.entries) EXPECT_EQ(e.legs, 1u);
  }
}

TEST(Batches, TheSumCountsWhereNobodyFetchesTheLines) {
  Bench b;
  RecordMaker make;
  b.feed({sum(make.make(0, 10)), sum(make.make(1000, 1010))});
  b.ledger.on_time(at_ms(700'000));
  ASSERT_EQ(b.out.entries.size(), 1u);
  EXPECT_EQ(b.out.entries[0].record.batch_id.view(), "batch_abc");
  // What comes later is counted already.
  b.feed({line(make.make(800'000, 800'010), 0), sum(make.make(801'000, 801'010))});
  b.ledger.drain();
  EXPECT_EQ(b.out.entries.size(), 1u);
  EXPECT_EQ(b.out.late.size(), 3u);
}

Digest file_digest() { return {.high = 1, .low = 2}; }

LedgerEntry sum_of(std::string_view batch) {
  LedgerEntry entry;
  entry.record.part = CallPart::kSum;
  entry.record.batch_id.assign(batch);
  return entry;
}

TEST(SetAsideAlone, ALaterObjectNamesTheBatch) {
  SetAside aside(10, 1'000);
  EXPECT_TRUE(aside.put(file_digest(), sum_of(""), 100));
  EXPECT_FALSE(aside.put(file_digest(), sum_of("batch_1"), 100));
  UsageRecord line;
  EXPECT_TRUE(aside.line_counts(file_digest(), line, 50));
  EXPECT_EQ(line.batch_id.view(), "batch_1");
}

TEST(SetAsideAlone, ABatchThatCountsByItsLinesIsRememberedAsLongAgain) {
  SetAside aside(10, 1'000);
  EXPECT_TRUE(aside.put(file_digest(), sum_of("b"), 100));
  UsageRecord line;
  EXPECT_TRUE(aside.line_counts(file_digest(), line, 50));
  EXPECT_FALSE(aside.due(1'049).has_value());
  EXPECT_FALSE(aside.put(file_digest(), sum_of("b"), 2'000)) << "its sum is not counted, too";
  EXPECT_FALSE(aside.due(1'050).has_value());
  EXPECT_FALSE(aside.has(file_digest()));
}

TEST(SetAsideAlone, IsDueAtItsDeadline) {
  SetAside aside(10, 1'000);
  aside.put(file_digest(), sum_of("b"), 100);
  EXPECT_FALSE(aside.due(99).has_value());
  EXPECT_TRUE(aside.due(100).has_value());
}

}  // namespace
}  // namespace wiretally::ledger
