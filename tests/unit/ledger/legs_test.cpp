// The legs of a gateway are one call.
#include <gtest/gtest.h>

#include "unit/ledger/fixtures.h"

namespace wiretally::ledger {
namespace {

constexpr uint32_t kApp = 1, kGateway = 2;

UsageRecord saying(UsageRecord r, std::string_view text, int64_t answer_ms,
                   std::string_view server) {
  r.text_digest = digest_of(text);
  r.text_digest.high = text.size();
  r.response_start = at_ms(answer_ms);
  r.server_name.assign(server);
  return r;
}

// The observations of one call through a gateway that writes ids of its own.
struct Legs {
  UsageRecord outer;     // at the application
  UsageRecord received;  // at the gateway
  UsageRecord inner;     // at the gateway, on its way on
};

Legs call_through_gateway(RecordMaker& make, int64_t start_ms, std::string_view text,
                          std::string_view number = "1") {
  const std::string in = "in " + std::string(number), out = "out " + std::string(number);
  Legs legs;
  legs.inner = saying(make.probe(Side::kClient, kGateway, start_ms + 10, start_ms + 90, out), text,
                      start_ms + 50, "api.openai.com");
  legs.received = saying(make.probe(Side::kServer, kGateway, start_ms + 1, start_ms + 99, in), text,
                         start_ms + 59, "gateway.corp");
  legs.outer = saying(make.probe(Side::kClient, kApp, start_ms, start_ms + 100, in), text,
                      start_ms + 60, "gateway.corp");
  legs.inner.response_id.assign("chatcmpl-upstream-" + std::string(number));
  legs.outer.response_id.assign("chatcmpl-rewritten-" + std::string(number));
  legs.received.response_id = legs.outer.response_id;
  legs.outer.caller.kind = CredentialKind::kJwt;
  legs.outer.caller.subject.assign("alice");
  legs.received.caller = legs.outer.caller;
  legs.inner.caller.kind = CredentialKind::kApiKey;
  return legs;
}

constexpr std::string_view kText = "the answer to the question is 42";

std::vector<uint32_t> counted(Bench& b) {
  b.ledger.drain();
  std::vector<uint32_t> counts;
  for (const LedgerEntry& e : b.out.entries) counts.push_back(e.legs);
  return counts;
}
using Counts = std::vector<uint32_t>;

TEST(GatewayLegs, NewIdsAreOneCallByTheirText) {
  Bench b;
  RecordMaker make;
  Legs legs = call_through_gateway(make, 0, kText);
  legs.outer.gateway.assign("litellm");
  legs.outer.tokens.input = 13;
  b.feed({legs.inner, legs.outer});
  ASSERT_EQ(counted(b), Counts({2}));
  const LedgerEntry& e = b.out.entries[0];
  EXPECT_EQ(e.leg, Leg::kProvider);
  EXPECT_EQ(e.record.server_name.view(), "api.openai.com");
  EXPECT_EQ(e.record.tokens.input, 10u);
  EXPECT_EQ(e.legs_tokens_delta, 3);
  EXPECT_EQ(e.record.pid, kApp);
  EXPECT_EQ(e.record.caller.subject.view(), "alice");
  EXPECT_EQ(e.record.gateway.view(), "litellm");
  EXPECT_TRUE(b.out.late.empty());
}

TEST(GatewayLegs, AProcessThatReceivesOneAndSendsTheOtherIsAGateway) {
  for (const bool outer_too : {true, false}) {
    Bench b;
    RecordMaker make;
    const Legs legs = call_through_gateway(make, 0, kText);
    b.feed({legs.inner, legs.received});
    if (outer_too) b.feed({legs.outer});
    ASSERT_EQ(counted(b), Counts({outer_too ? 3u : 2u}));
    const LedgerEntry& e = b.out.entries[0];
    EXPECT_EQ(e.leg, Leg::kProvider);
    EXPECT_EQ(e.record.side, Side::kClient);
    EXPECT_EQ(e.record.pid, outer_too ? kApp : kGateway);
    EXPECT_EQ(e.record.caller.subject.view(), "alice");
    EXPECT_EQ(e.record.response_id.view(), "chatcmpl-upstream-1");
  }
}

TEST(GatewayLegs, AHostThatReceivesOneAndSendsTheOtherIsAGateway) {
  for (const bool same_host : {false, true}) {
    Bench b;
    RecordMaker make;
    const Legs legs = call_through_gateway(make, 0, kText);
    UsageRecord outer = legs.outer, inner = legs.inner;
    for (UsageRecord* r : {&outer, &inner}) {
      r->source = Source::kPacket;
      r->side = Side::kUnknown;
      r->pid = 0;
      r->process_start_ns = 0;
      r->server_name.clear();
    }
    const uint8_t app = same_host ? 2 : 1;
    outer.client = endpoint(app, 40'000), outer.server = endpoint(2, 4'000);
    inner.client = endpoint(2, 50'000), inner.server = endpoint(3, 80);
    b.feed({inner, outer});
    // On one host two programs that ask two servers look the same.
    EXPECT_EQ(counted(b), same_host ? Counts({1, 1}) : Counts({2}));
  }
}

TEST(GatewayLegs, WithoutAGatewayEqualTextsAreTwoCalls) {
  Bench b;
  RecordMaker make;
  const Legs legs = call_through_gateway(make, 0, kText);
  b.feed({legs.inner, legs.outer});
  EXPECT_EQ(counted(b), Counts({1, 1}));
}

TEST(GatewayLegs, ToOneServerTheyAreTwoCalls) {
  Bench b;
  RecordMaker make;
  Legs legs = call_through_gateway(make, 0, kText);
  legs.outer.gateway.assign("litellm");
  legs.inner.server_name.assign("Gateway.corp");
  b.feed({legs.inner, legs.outer});
  EXPECT_EQ(counted(b), Counts({1, 1}));
}

TEST(GatewayLegs, NotInsideInTimeTheyAreTwoCalls) {
  Bench b;
  RecordMaker make;
  Legs legs = call_through_gateway(make, 0, kText);
  legs.outer.gateway.assign("litellm");
  legs.outer.response_start = at_ms(49);  // before the inner one's
  b.feed({legs.inner, legs.outer});
  EXPECT_EQ(counted(b), Counts({1, 1}));
}

TEST(GatewayLegs, AShortTextNeedsEqualCounts) {
  for (const bool equal : {true, false}) {
    Bench b;
    RecordMaker make;
    Legs legs = call_through_gateway(make, 0, "yes");
    legs.outer.gateway.assign("litellm");
    if (!equal) legs.outer.tokens.output = 6;
    b.feed({legs.inner, legs.outer});
    EXPECT_EQ(counted(b), equal ? Counts({2}) : Counts({1, 1}));
  }
}

TEST(GatewayLegs, AClientsLegWithoutUsageIsKnownByItsId) {
  Bench b;
  RecordMaker make;
  Legs legs = call_through_gateway(make, 0, kText);
  legs.outer.tokens = {};
  legs.outer.response_id = legs.inner.response_id;
  b.feed({legs.inner, legs.outer});
  ASSERT_EQ(counted(b), Counts({2}));
  EXPECT_EQ(b.out.entries[0].record.tokens.output, 5u);
  EXPECT_FALSE(b.out.entries[0].legs_tokens_delta);
}

TEST(GatewayLegs, EqualCallsAtOnceAreTwo) {
  Bench b;
  RecordMaker make;
  const Legs one = call_through_gateway(make, 0, kText, "1");
  const Legs two = call_through_gateway(make, 3, kText, "2");
  b.feed({one.inner, two.inner, one.received, one.outer, two.received, two.outer});
  EXPECT_EQ(counted(b), Counts({3, 3}));
}

TEST(GatewayLegs, WhatTheGatewayHadInItsCacheHasNoOtherLeg) {
  Bench b;
  RecordMaker make;
  const Legs other = call_through_gateway(make, 0, kText, "1");
  UsageRecord hit = call_through_gateway(make, 0, kText, "2").outer;
  hit.gateway.assign("litellm");
  hit.served_from_cache = true;
  b.feed({other.inner, hit});
  ASSERT_EQ(counted(b), Counts({1, 1}));
  EXPECT_EQ(b.out.entries[1].leg, Leg::kGateway);
}

// It repeats the answer that was kept, id and all.
TEST(GatewayLegs, EachAnswerOutOfACacheIsACallOfItsOwn) {
  Bench b;
  RecordMaker make;
  const Legs kept = call_through_gateway(make, 0, kText);
  b.feed({kept.inner, kept.received, kept.outer});
  for (const int64_t start : {1'000, 1'050, 60'000}) {
    UsageRecord hit = kept.outer, received = kept.received;
    for (UsageRecord* r : {&hit, &received}) {
      const UsageRecord another = make.make(start, start + 20);
      r->exchange = another.exchange;
      r->flow = another.flow;
      r->start = another.start;
      r->response_start = at_ms(start + 15);
      r->finish = r->last_byte = another.finish;
      r->gateway.assign("litellm");
      r->served_from_cache = true;
    }
    b.feed({received, hit});
  }
  EXPECT_EQ(counted(b), Counts({3, 2, 2, 2}));
  EXPECT_TRUE(b.out.late.empty());
}

TEST(GatewayLegs, OfAFallbackBothUpstreamLegsCount) {
  Bench b;
  RecordMaker make;
  Legs legs = call_through_gateway(make, 0, kText, "1");
  UsageRecord first =
      call_through_gateway(make, 0, "an answer that the gateway did not like", "2").inner;
  first.start = at_ms(2);
  first.response_start = at_ms(4);
  first.finish = first.last_byte = at_ms(8);
  b.feed({first, legs.inner, legs.received, legs.outer});
  ASSERT_EQ(counted(b), Counts({1, 3}));
  EXPECT_EQ(b.out.entries[0].leg, Leg::kProvider);
  EXPECT_EQ(b.out.entries[1].leg, Leg::kProvider);
}

TEST(GatewayLegs, ASlowClientsLegIsLateAndMovesNothing) {
  Bench b;
  RecordMaker make;
  Legs legs = call_through_gateway(make, 0, kText);
  legs.received.finish = legs.received.last_byte = at_ms(60'090);
  legs.outer.finish = legs.outer.last_byte = at_ms(60'100);
  for (const UsageRecord* r : {&legs.outer, &legs.received, &legs.inner}) {
    b.ledger.on_call_opened(opened(*r));
  }
  const auto end = [&](const UsageRecord& r) {
    b.ledger.on_record(r);
    b.ledger.on_call_closed(r.exchange, r.lane, r.finish);
  };
  end(legs.inner);
  b.ledger.on_time(at_ms(30'000));
  ASSERT_EQ(b.out.entries.size(), 1u);
  end(legs.received);
  end(legs.outer);
  b.ledger.drain();
  EXPECT_EQ(b.out.entries.size(), 1u);
  EXPECT_EQ(b.out.late, std::vector<std::string>({"nested", "same_bytes"}));
}

TEST(GatewayLegs, BothIdsAreRemembered) {
  Bench b;
  RecordMaker make;
  Legs legs = call_through_gateway(make, 0, kText);
  b.feed({legs.inner, legs.received, legs.outer});
  b.ledger.on_time(at_ms(3600'000));
  for (const std::string_view id : {"chatcmpl-upstream-1", "chatcmpl-rewritten-1"}) {
    UsageRecord again = make.make(3600'000, 3600'100);
    again.response_id.assign(id);
    b.feed({again});
  }
  EXPECT_EQ(counted(b), Counts({3}));
  EXPECT_EQ(b.out.late, std::vector<std::string>({"same_id", "same_id"}));
}

// Ollama draws its ids from 999, and says the same thing with the same counts.
TEST(ShortIds, TwoThousandEqualAnswersAreTwoThousandCalls) {
  Bench b;
  RecordMaker make;
  for (int i = 0; i < 2000; ++i) {
    // Ten clients at a time, each inside the one before.
    const int64_t start = i / 10 * 200 + i % 10;
    UsageRecord r = saying(make.probe(Side::kClient, static_cast<uint32_t>(100 + i % 10), start,
                                      start + 190 - 3 * (i % 10)),
                           kText, start + 150 - 3 * (i % 10), "ollama:11434");
    r.response_id.assign("chatcmpl-" + std::to_string(i % 999));
    b.ledger.on_record(r);
  }
  EXPECT_EQ(counted(b).size(), 2000u);
}

}  // namespace
}  // namespace wiretally::ledger
