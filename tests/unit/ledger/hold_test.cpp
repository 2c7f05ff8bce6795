#include <gtest/gtest.h>

#include "unit/ledger/fixtures.h"

namespace wiretally::ledger {
namespace {

TEST(Hold, CountsAfterTheLeastHoldWhenNobodyElseIsOpen) {
  Bench b;
  RecordMaker make;
  b.feed({make.make(0, 100)});
  b.ledger.on_time(at_ms(599));
  EXPECT_EQ(b.out.entries.size(), 0u);
  b.ledger.on_time(at_ms(600));
  EXPECT_EQ(b.out.entries.size(), 1u);
}

TEST(Hold, WaitsForACallThatWasOpenBefore) {
  Bench b;
  RecordMaker make;
  const UsageRecord other = make.make(50, 3000);
  b.ledger.on_call_opened(opened(other));
  b.feed({make.make(0, 100)});
  b.ledger.on_time(at_ms(2000));
  EXPECT_EQ(b.out.entries.size(), 0u);
  b.ledger.on_call_closed(other.exchange, 0, at_ms(2500));
  EXPECT_EQ(b.out.entries.size(), 1u);
}

TEST(Hold, DoesNotWaitForACallThatBeganLater) {
  Bench b;
  RecordMaker make;
  const UsageRecord later = make.make(101, 9000);
  b.feed({make.make(0, 100)});
  b.ledger.on_call_opened(opened(later));
  b.ledger.on_time(at_ms(600));
  EXPECT_EQ(b.out.entries.size(), 1u);
}

TEST(Hold, DoesNotWaitForItsOwnConnection) {
  Bench b;
  RecordMaker make;
  UsageRecord other = make.make(0, 9000);
  const UsageRecord mine = make.make(0, 100);
  other.flow = mine.flow;
  b.ledger.on_call_opened(opened(other));
  b.feed({mine});
  b.ledger.on_time(at_ms(600));
  EXPECT_EQ(b.out.entries.size(), 1u);
}

TEST(Hold, EndsAtTheLongestHold) {
  Bench b;
  RecordMaker make;
  b.ledger.on_call_opened(opened(make.make(0, 60'000)));
  b.feed({make.make(0, 100)});
  b.ledger.on_time(at_ms(5099));
  EXPECT_EQ(b.out.entries.size(), 0u);
  b.ledger.on_time(at_ms(5100));
  EXPECT_EQ(b.out.entries.size(), 1u);
}

TEST(Hold, DrainEndsAllHoldsAndFinishesTheSinks) {
  Bench b;
  RecordMaker make;
  b.ledger.on_call_opened(opened(make.make(0, 60'000)));
  b.feed({make.make(0, 100), make.make(0, 200)});
  b.ledger.drain();
  EXPECT_EQ(b.out.entries.size(), 2u);
  EXPECT_TRUE(b.out.finished);
}

TEST(Hold, AClockSetBackDoesNotStopEventTime) {
  LedgerOptions options;
  options.wall.boot_to_epoch_ns = kEpoch;
  Bench b(options);
  RecordMaker make;
  b.feed({make.make(3'600'000, 3'600'100)});
  b.ledger.on_clock_step({.boot_to_epoch_ns = kEpoch - 3600 * kSecond});
  EXPECT_EQ(b.out.entries.size(), 1u);
  UsageRecord probed = make.probe(Side::kClient, 7, 0, 0);
  probed.start = {.ns = 3600 * kSecond + 100 * kMs, .clock = Clock::kBoot};
  probed.finish = {.ns = 3600 * kSecond + 200 * kMs, .clock = Clock::kBoot};
  b.feed({probed});
  b.ledger.on_time(at_ms(900));
  ASSERT_EQ(b.out.entries.size(), 2u);
  EXPECT_EQ(b.out.entries[1].start_epoch_ns, at_ms(100).ns);
}

TEST(Hold, EntriesLeaveInOrderOfFinish) {
  LedgerOptions options;
  options.lanes = 2;
  Bench b(options);
  RecordMaker make;
  b.feed({make.make(0, 300), make.make(5, 100), make.make(1, 200), make.make(0, 100)});
  b.ledger.on_time(at_ms(10'000));
  ASSERT_EQ(b.out.entries.size(), 4u);
  EXPECT_EQ(b.out.entries[0].record.start, at_ms(0));
  EXPECT_EQ(b.out.entries[1].record.start, at_ms(5));
  EXPECT_EQ(b.out.entries[2].record.finish, at_ms(200));
  EXPECT_EQ(b.out.entries[3].record.finish, at_ms(300));
}

TEST(Hold, WithSeveralLanesOneLanesRecordsDoNotMoveTime) {
  LedgerOptions options;
  options.lanes = 2;
  Bench b(options);
  RecordMaker make;
  b.feed({make.make(0, 100), make.make(90'000, 90'100), make.make(0, 50)});
  EXPECT_EQ(b.out.entries.size(), 0u);
  b.ledger.drain();
  ASSERT_EQ(b.out.entries.size(), 3u);
  EXPECT_EQ(b.out.entries[0].record.finish, at_ms(50));
}

TEST(Hold, TwoClocksAreOrderedByWallTime) {
  LedgerOptions options;
  options.wall.boot_to_epoch_ns = kEpoch;
  Bench b(options);
  RecordMaker make;
  UsageRecord probe = make.make(0, 0);
  probe.start = {.ns = 150 * kMs, .clock = Clock::kBoot};
  probe.finish = probe.last_byte = {.ns = 200 * kMs, .clock = Clock::kBoot};
  b.feed({make.make(0, 100), probe, make.make(0, 300)});
  b.ledger.drain();
  ASSERT_EQ(b.out.entries.size(), 3u);
  EXPECT_EQ(b.out.entries[1].record.finish.clock, Clock::kBoot);
  EXPECT_EQ(b.out.entries[1].start_epoch_ns, kEpoch + 150 * kMs);
}

TEST(Hold, HeldCallsAreBounded) {
  Limits limits;
  limits.held_records_max = 10;
  Bench b({}, limits);
  RecordMaker make;
  for (int i = 0; i < 25; ++i) b.feed({make.make(0, 100 + i)});
  b.ledger.on_time(at_ms(200));
  EXPECT_EQ(b.out.entries.size(), 15u);
  EXPECT_EQ(b.ledger.held(), 10u);
}

// Records are as wide as their texts are long.
TEST(Hold, TheMemoryOfHeldCallsIsBounded) {
  Limits limits;
  limits.held_record_bytes_max = 64 * 1024;
  Bench b({}, limits);
  RecordMaker make;
  for (int i = 0; i < 200; ++i) {
    UsageRecord record = make.make(0, 100 + i);
    record.request_model.assign(std::string(250, 'm'));
    record.response_model.assign(std::string(250, 'm'));
    record.end_user.assign(std::string(250, 'u'));
    b.feed({record});
  }
  b.ledger.on_time(at_ms(310));
  EXPECT_GT(b.ledger.held(), 10u);
  EXPECT_LT(b.ledger.held(), 80u);
  EXPECT_EQ(b.out.entries.size() + b.ledger.held(), 200u);
}

TEST(Hold, OpenAndClosedCallsReachTheSinks) {
  Bench b;
  RecordMaker make;
  const UsageRecord call = make.make(0, 100);
  b.ledger.on_call_opened(opened(call));
  EXPECT_EQ(b.out.open, 1);
  b.ledger.on_call_closed(call.exchange, 0, at_ms(100));
  b.ledger.on_call_closed(call.exchange, 0, at_ms(100));
  EXPECT_EQ(b.out.open, 0);
  b.ledger.on_suspect(Dialect::kOpenaiChat);
  EXPECT_EQ(b.out.suspects, 1);
}

TEST(RecordIdTest, IsAUlidOfTheStartAndTheSameInEveryReplay) {
  RecordMaker make;
  const UsageRecord r = make.make(0, 100);
  const RecordId one = RecordIds().make(r, 1'469'918'176'385'000'000);
  EXPECT_EQ(one.view().size(), 26u);
  EXPECT_EQ(one.view().substr(0, 10), "01ARYZ6S41");  // the ULID specification's example time
  EXPECT_EQ(one.view(), RecordIds().make(r, 1'469'918'176'385'000'000).view());
  UsageRecord other_lane = r;
  other_lane.lane = 3;
  other_lane.flow = FlowId{77};
  other_lane.exchange = ExchangeId{78};
  EXPECT_EQ(one.view(), RecordIds().make(other_lane, 1'469'918'176'385'000'000).view());
}

TEST(RecordIdTest, EqualRecordsGetDifferentIds) {
  RecordMaker make;
  const UsageRecord r = make.make(0, 100);
  RecordIds ids;
  const RecordId one = ids.make(r, kEpoch);
  const RecordId two = ids.make(r, kEpoch);
  const RecordId three = ids.make(r, kEpoch);
  EXPECT_NE(one.view(), two.view());
  EXPECT_NE(two.view(), three.view());
}

}  // namespace
}  // namespace wiretally::ledger
