// A call that repeats one that failed says so.
#include <gtest/gtest.h>

#include "unit/ledger/fixtures.h"

namespace wiretally::ledger {
namespace {

UsageRecord failing(UsageRecord r, uint16_t status = 429) {
  r.status_code = status;
  r.outcome = Outcome::kHttpError;
  r.tokens = {};
  r.server_name.assign("api.openai.com");
  return r;
}

UsageRecord asking(UsageRecord r, std::string_view request) {
  r.request_digest = digest_of(request);
  r.server_name.assign("api.openai.com");
  return r;
}

// Of each counted call, which one it repeats: its place, or -1.
std::vector<int> repeats(Bench& b) {
  b.ledger.drain();
  std::vector<int> of;
  for (const LedgerEntry& e : b.out.entries) {
    int place = -1;
    for (size_t i = 0; e.retry_of && i < b.out.entries.size(); ++i) {
      if (b.out.entries[i].record_id.view() == e.retry_of->view()) place = static_cast<int>(i);
    }
    EXPECT_TRUE(!e.retry_of || place >= 0);
    of.push_back(place);
  }
  return of;
}
using Of = std::vector<int>;

TEST(Attempts, EqualRequestsAfterAFailureAreAChain) {
  for (const bool probed : {true, false}) {
    Bench b;
    RecordMaker make;
    uint16_t port = 1000;
    const auto call = [&](int64_t start, int64_t end) {
      return asking(probed ? make.probe(Side::kClient, 7, start, end)
                           : make.packet(endpoint(1, ++port), endpoint(2, 80), start, end),
                    "x");
    };
    b.feed(
        {failing(call(0, 100)), failing(call(600, 700), 500), call(1700, 1800), call(1900, 2000)});
    EXPECT_EQ(repeats(b), Of({-1, 0, 1, -1}));
  }
}

TEST(Attempts, WhatIsRetried) {
  struct Row {
    Outcome outcome;
    uint16_t status;
    bool retried;
  };
  for (const Row& row :
       {Row{Outcome::kHttpError, 408, true}, Row{Outcome::kHttpError, 409, true},
        Row{Outcome::kHttpError, 429, true}, Row{Outcome::kHttpError, 529, true},
        Row{Outcome::kHttpError, 400, false}, Row{Outcome::kOk, 200, false},
        Row{Outcome::kClientAbort, 200, true}, Row{Outcome::kStreamError, 200, true}}) {
    Bench b;
    RecordMaker make;
    UsageRecord first = asking(make.probe(Side::kClient, 7, 0, 100), "x");
    first.outcome = row.outcome;
    first.status_code = row.status;
    b.feed({first, asking(make.probe(Side::kClient, 7, 600, 700), "x")});
    EXPECT_EQ(repeats(b), row.retried ? Of({-1, 0}) : Of({-1, -1})) << row.status;
  }
}

TEST(Attempts, AnotherProcessRequestOrServerIsAnotherCall) {
  Bench b;
  RecordMaker make;
  UsageRecord elsewhere = asking(make.probe(Side::kClient, 7, 620, 720), "x");
  elsewhere.server_name.assign("api.groq.com");
  b.feed({failing(asking(make.probe(Side::kClient, 7, 0, 100), "x")),
          asking(make.probe(Side::kClient, 8, 600, 700), "x"),
          asking(make.probe(Side::kClient, 7, 610, 710), "y"), elsewhere});
  EXPECT_EQ(repeats(b), Of({-1, -1, -1, -1}));
}

TEST(Attempts, AKeyOrACountOfTheSdkTells) {
  Bench b;
  RecordMaker make;
  // The bodies of the two attempts were not both seen whole.
  UsageRecord one = failing(make.probe(Side::kClient, 7, 0, 100));
  UsageRecord two = make.probe(Side::kClient, 8, 600, 700);
  one.attempt_key = two.attempt_key = digest_of("idempotency");
  UsageRecord three = failing(make.probe(Side::kClient, 9, 10, 110));
  UsageRecord four = make.probe(Side::kClient, 9, 610, 710);
  four.server_name = three.server_name;
  three.earlier_attempts = 1;
  four.earlier_attempts = 2;
  UsageRecord five = make.probe(Side::kClient, 9, 620, 720);
  five.server_name = three.server_name;
  five.earlier_attempts = 4;
  b.feed({one, three, two, four, five});
  EXPECT_EQ(repeats(b), Of({-1, -1, 0, 1, -1}));
}

TEST(Attempts, TwoFailuresHaveTwoRepeats) {
  Bench b;
  RecordMaker make;
  const auto call = [&](int64_t start, int64_t end) {
    return asking(make.probe(Side::kClient, 7, start, end), "x");
  };
  b.feed({failing(call(0, 100)), failing(call(10, 110)), call(600, 700), call(610, 710),
          call(620, 720)});
  EXPECT_EQ(repeats(b), Of({-1, -1, 0, 1, -1}));
}

TEST(Attempts, ACallLongAfterIsNoRetry) {
  Bench b;
  RecordMaker make;
  b.feed({failing(asking(make.probe(Side::kClient, 7, 0, 100), "x")),
          asking(make.probe(Side::kClient, 7, 120'200, 120'300), "x")});
  EXPECT_EQ(repeats(b), Of({-1, -1}));
}

TEST(Attempts, TheMemoryOfFailedAttemptsIsBounded) {
  Limits limits;
  limits.failed_attempts_max = 2;
  Bench b({}, limits);
  RecordMaker make;
  const auto call = [&](int64_t start, std::string_view request) {
    return asking(make.probe(Side::kClient, 7, start, start + 5), request);
  };
  b.feed({failing(call(0, "x")), failing(call(10, "y")), failing(call(20, "z")), call(600, "x"),
          call(610, "y"), call(620, "z")});
  EXPECT_EQ(repeats(b), Of({-1, -1, -1, -1, 1, 2}));
}

// The close of one connection may show behind the first packet of the next, by a little.
TEST(Attempts, ARepeatMayBeginALittleBeforeItsFailureShows) {
  for (const auto& [start, linked] : {std::pair{95, true}, {85, false}}) {
    Bench b;
    RecordMaker make;
    b.feed({failing(asking(make.packet(endpoint(1, 1001), endpoint(2, 80), 0, 100), "x")),
            asking(make.packet(endpoint(1, 1002), endpoint(2, 80), start, 300), "x")});
    EXPECT_EQ(repeats(b), linked ? Of({-1, 0}) : Of({-1, -1})) << start;
  }
}

TEST(Attempts, ARepeatBeginsLaterAndNoLaterThanItsTime) {
  const int64_t wait_ms = Limits{}.attempt_wait_ns / 1'000'000;
  for (const auto& [start, linked] :
       {std::pair<int64_t, bool>{100 + wait_ms, true}, {101 + wait_ms, false}, {0, false}}) {
    Bench b;
    RecordMaker make;
    const int64_t end = start == 0 ? 5 : 100;
    b.feed({failing(asking(make.packet(endpoint(1, 1001), endpoint(2, 80), 0, end), "x")),
            asking(make.packet(endpoint(1, 1002), endpoint(2, 80), start, start + 300), "x")});
    EXPECT_EQ(repeats(b), linked ? Of({-1, 0}) : Of({-1, -1})) << start;
  }
}

// A server's process answers many: who asks is told by the address.
TEST(Attempts, TwoClientsOfOneServerRepeatNothingOfEachOther) {
  for (const bool same_client : {true, false}) {
    Bench b;
    RecordMaker make;
    UsageRecord first = failing(asking(make.probe(Side::kServer, 7, 0, 100), "x"));
    UsageRecord second = asking(make.probe(Side::kServer, 7, 200, 300), "x");
    first.client = endpoint(1, 1001);
    second.client = endpoint(same_client ? 1 : 3, 1002);
    b.feed({first, second});
    EXPECT_EQ(repeats(b), same_client ? Of({-1, 0}) : Of({-1, -1}));
  }
}

}  // namespace
}  // namespace wiretally::ledger
