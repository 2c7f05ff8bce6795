#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "unit/ledger/fixtures.h"

namespace wiretally::ledger {
namespace {

constexpr std::string_view kLongId = "chatcmpl-AbCdEfGhIjKlMnOp";

UsageRecord with_id(UsageRecord r, std::string_view id) {
  r.response_id.assign(id);
  return r;
}

// Legs of each counted call, in order.
std::vector<uint32_t> legs(Bench& b) {
  b.ledger.drain();
  std::vector<uint32_t> counts;
  for (const LedgerEntry& e : b.out.entries) {
    if (!e.duplicate_of) counts.push_back(e.legs);
  }
  return counts;
}
using Legs = std::vector<uint32_t>;

TEST(Twins, BothEndsOfOneCallAreOne) {
  Bench b;
  RecordMaker make;
  b.feed({make.probe(Side::kServer, 2, 1, 99, "x"), make.probe(Side::kClient, 1, 0, 100, "x")});
  EXPECT_EQ(legs(b), Legs({2}));
  EXPECT_EQ(b.out.entries[0].leg, Leg::kProvider);
  EXPECT_EQ(b.out.entries[0].record.pid, 1u);
  EXPECT_EQ(b.out.entries[0].record.side, Side::kClient);
}

TEST(Twins, ProbeAndPacketAreOne) {
  Bench b;
  RecordMaker make;
  b.feed({make.packet(endpoint(1, 1000), endpoint(2, 80), 0, 100, "x"),
          make.probe(Side::kClient, 7, 0, 100, "x")});
  EXPECT_EQ(legs(b), Legs({2}));
  EXPECT_EQ(b.out.entries[0].record.pid, 7u);
  EXPECT_EQ(b.out.entries[0].record.client, endpoint(1, 1000));
  EXPECT_EQ(b.out.entries[0].record.source, Source::kTls);
}

TEST(Twins, WhoSawTheCachesMarkTellsTheOther) {
  for (const bool packet_saw_it : {true, false}) {
    Bench b;
    RecordMaker make;
    UsageRecord packet = make.packet(endpoint(1, 1000), endpoint(2, 80), 0, 100, "x");
    UsageRecord probe = make.probe(Side::kClient, 7, 0, 100, "x");
    (packet_saw_it ? packet : probe).served_from_cache = true;
    (packet_saw_it ? probe : packet).flags.set(RecordFlag::kH2HeadersUnknown);
    b.feed({packet, probe});
    EXPECT_EQ(legs(b), Legs({2}));
    EXPECT_TRUE(b.out.entries[0].record.served_from_cache);
  }
}

TEST(Twins, OneCallUnderThreeAddressPairs) {
  Bench b;
  RecordMaker make;
  const Endpoint pod = endpoint(1, 40000), node = endpoint(9, 40000);
  const Endpoint service = endpoint(100, 80), backend = endpoint(2, 8080);
  b.feed({make.packet(pod, service, 0, 100, "x"),
          answer_only(make.packet(pod, backend, 60, 100, "x")),
          make.packet(node, backend, 0, 100, "x")});
  EXPECT_EQ(legs(b), Legs({3}));
  EXPECT_TRUE(b.out.entries[0].record.saw_request);
}

TEST(Twins, AnAnswerSeenFirstJoinsItsRequest) {
  Bench b;
  RecordMaker make;
  b.feed({answer_only(make.packet(endpoint(1, 1), endpoint(2, 80), 60, 100, "x")),
          make.packet(endpoint(1, 1), endpoint(3, 80), 0, 100, "x")});
  EXPECT_EQ(legs(b), Legs({2}));
}

// An answer of one segment ends where it begins, and its copy under another address comes
// microseconds behind it.
TEST(Twins, AnAnswerSeenBehindTheEndOfItsCallJoinsIt) {
  Bench b;
  RecordMaker make;
  UsageRecord copy = answer_only(make.packet(endpoint(1, 1), endpoint(3, 80), 100, 100, "x"));
  copy.start.ns += 4'000;
  copy.finish.ns += 4'000;
  b.feed({make.packet(endpoint(1, 1), endpoint(2, 80), 0, 100, "x"), copy});
  b.ledger.drain();
  ASSERT_EQ(b.out.entries.size(), 1u);
  EXPECT_EQ(b.out.entries[0].legs, 2u);
}

TEST(Twins, EmptyAnswersProveNothing) {
  Bench b;
  RecordMaker make;
  UsageRecord one = answer_only(make.packet(endpoint(1, 1), endpoint(2, 80), 60, 100, "x"));
  UsageRecord two = make.packet(endpoint(1, 1), endpoint(3, 80), 0, 100, "x");
  one.response_bytes = two.response_bytes = 0;
  b.feed({one, two});
  EXPECT_EQ(legs(b), Legs({1, 1}));
}

TEST(Twins, TwoEqualCallsOfOneClientAreTwo) {
  Bench b;
  RecordMaker make;
  b.feed({make.packet(endpoint(1, 1000), endpoint(2, 80), 0, 100, "x"),
          make.packet(endpoint(1, 1001), endpoint(2, 80), 0, 100, "x"),
          make.probe(Side::kClient, 5, 0, 100, "y"), make.probe(Side::kClient, 6, 0, 100, "y")});
  EXPECT_EQ(legs(b), Legs({1, 1, 1, 1}));
}

TEST(Twins, TwoEqualCallsOnOneConnectionAreTwo) {
  Bench b;
  RecordMaker make;
  const UsageRecord one = make.probe(Side::kClient, 5, 0, 100, "x");
  UsageRecord two = make.probe(Side::kClient, 5, 50, 100, "x");
  two.flow = one.flow;
  b.feed({one, two});
  EXPECT_EQ(legs(b), Legs({1, 1}));
}

TEST(Twins, TwoEqualCallsAtOnceSeenAtBothEndsAreTwoWithTwoLegsEach) {
  Bench b;
  RecordMaker make;
  b.feed({make.probe(Side::kServer, 2, 1, 90, "x"), make.probe(Side::kServer, 2, 2, 90, "x"),
          make.probe(Side::kClient, 1, 1, 91, "x"), make.probe(Side::kClient, 1, 0, 91, "x")});
  EXPECT_EQ(legs(b), Legs({2, 2}));
}

TEST(Twins, EqualCallsOneAfterTheOtherAreTwo) {
  Bench b;
  RecordMaker make;
  b.feed({make.probe(Side::kServer, 2, 1, 99, "x"), make.probe(Side::kClient, 1, 0, 100, "x"),
          make.probe(Side::kServer, 2, 111, 199, "x"),
          make.probe(Side::kClient, 1, 110, 200, "x")});
  EXPECT_EQ(legs(b), Legs({2, 2}));
}

TEST(Twins, OneBatchFilesLinesAreManyCallsAndPairLineByLine) {
  Bench b;
  RecordMaker make;
  UsageRecord client = make.probe(Side::kClient, 1, 0, 100, "batch");
  UsageRecord server = make.probe(Side::kServer, 2, 0, 100, "batch");
  for (uint32_t line = 0; line < 3; ++line) {
    client.index = server.index = line;
    b.feed({server, client});
  }
  EXPECT_EQ(legs(b), Legs({2, 2, 2}));
}

TEST(Twins, SameIdJoinsTheLegsOfAGateway) {
  Bench b;
  RecordMaker make;
  UsageRecord inner = with_id(make.probe(Side::kClient, 2, 10, 90), kLongId);
  UsageRecord outer = with_id(make.probe(Side::kClient, 1, 0, 100), kLongId);
  inner.caller.kind = CredentialKind::kApiKey;
  inner.caller.key_id.assign("gateway-key");
  inner.response_model.assign("gpt-4o-2024-08-06");
  outer.caller.kind = CredentialKind::kJwt;
  outer.caller.subject.assign("alice");
  outer.gateway.assign("litellm");
  b.feed({inner, outer});
  EXPECT_EQ(legs(b), Legs({2}));
  const LedgerEntry& e = b.out.entries[0];
  EXPECT_EQ(e.record.caller.subject.view(), "alice");
  EXPECT_EQ(e.record.pid, 1u);
  EXPECT_EQ(e.record.response_model.view(), "gpt-4o-2024-08-06");
  EXPECT_EQ(e.record.gateway.view(), "litellm");
  EXPECT_EQ(e.leg, Leg::kProvider);
  EXPECT_EQ(e.legs_tokens_delta, 0);
}

TEST(Twins, ShortIdsProveNothing) {
  Bench b;
  RecordMaker make;
  b.feed({with_id(make.probe(Side::kClient, 2, 10, 90), "chatcmpl-123"),
          with_id(make.probe(Side::kClient, 1, 0, 100), "chatcmpl-123")});
  EXPECT_EQ(legs(b), Legs({1, 1}));
}

TEST(Twins, SameIdWithOtherTokensIsNoTwin) {
  Bench b;
  RecordMaker make;
  UsageRecord other = with_id(make.probe(Side::kClient, 1, 0, 100), kLongId);
  other.tokens.output = 6;
  b.feed({with_id(make.probe(Side::kClient, 2, 10, 90), kLongId), other});
  EXPECT_EQ(legs(b), Legs({1, 1}));
}

TEST(Twins, ADamagedLegKeepsTheWholeOnesNumbers) {
  Bench b;
  RecordMaker make;
  UsageRecord client = with_id(make.probe(Side::kClient, 1, 0, 100, "x"), kLongId);
  client.lost_bytes = 500;
  client.outcome = Outcome::kIncomplete;
  client.response_digest = {};
  client.tokens = {};
  client.usage_missing = UsageMissing::kGap;
  client.flags.set(RecordFlag::kUsageMissing);
  b.feed({with_id(make.probe(Side::kServer, 2, 1, 99, "x"), kLongId), client});
  EXPECT_EQ(legs(b), Legs({2}));
  const LedgerEntry& e = b.out.entries[0];
  EXPECT_EQ(e.record.tokens.output, 5u);
  EXPECT_EQ(e.record.outcome, Outcome::kOk);
  EXPECT_EQ(e.record.lost_bytes, 0u);
  EXPECT_EQ(e.record.pid, 1u);
  EXPECT_EQ(e.leg, Leg::kProvider);
  EXPECT_FALSE(e.record.flags.has(RecordFlag::kUsageMissing));
}

TEST(Twins, AnAbortedCallIsOneThoughTheEndsSawDifferentParts) {
  Bench b;
  RecordMaker make;
  UsageRecord client = make.probe(Side::kClient, 1, 0, 100, "x");
  client.outcome = Outcome::kClientAbort;
  client.response_digest = digest_of("half of it");
  client.tokens = {};
  b.feed({client, make.probe(Side::kServer, 2, 1, 140, "x")});
  EXPECT_EQ(legs(b), Legs({2}));
  EXPECT_EQ(b.out.entries[0].record.outcome, Outcome::kClientAbort);
  EXPECT_EQ(b.out.entries[0].record.tokens.output, 5u);
}

// An SDK that will try again does not read the refusal's body; its server has written all of it.
TEST(Twins, ARefusalWhoseBodyNobodyReadIsOne) {
  Bench b;
  RecordMaker make;
  UsageRecord client = make.probe(Side::kClient, 1, 0, 100, "x");
  UsageRecord server = make.probe(Side::kServer, 2, 1, 90, "x");
  for (UsageRecord* r : {&client, &server}) {
    r->outcome = Outcome::kHttpError;
    r->status_code = 500;
    r->tokens = {};
  }
  client.response_bytes = 0;
  client.response_digest = {};
  server.error_type.assign("server_error");
  b.feed({client, server});
  EXPECT_EQ(legs(b), Legs({2}));
  EXPECT_EQ(b.out.entries[0].record.outcome, Outcome::kHttpError);
  EXPECT_EQ(b.out.entries[0].record.error_type.view(), "server_error");
}

TEST(Twins, ACallThatWasNeverAnsweredIsOne) {
  Bench b;
  RecordMaker make;
  UsageRecord client = make.probe(Side::kClient, 1, 0, 100, "x");
  UsageRecord server = make.probe(Side::kServer, 2, 0, 100, "x");
  for (UsageRecord* r : {&client, &server}) {
    r->saw_response = false;
    r->response_digest = {};
    r->outcome = Outcome::kClientAbort;
    r->tokens = {};
    r->status_code.reset();
  }
  b.feed({client, server});
  EXPECT_EQ(legs(b), Legs({2}));
}

UsageRecord unanswered(UsageRecord record) {
  record.saw_response = false;
  record.response_digest = {};
  record.outcome = Outcome::kIncomplete;
  record.tokens = {};
  record.status_code.reset();
  record.response_id.clear();
  return record;
}

TEST(Twins, WhoClosedFirstAborted) {
  for (const bool client_first : {true, false}) {
    Bench b;
    RecordMaker make;
    UsageRecord client = make.probe(Side::kClient, 1, 0, client_first ? 100 : 120, "x");
    UsageRecord server = make.probe(Side::kServer, 2, 0, client_first ? 120 : 100, "x");
    client.outcome = Outcome::kClientAbort;
    server.outcome = Outcome::kServerAbort;
    b.feed({client, server});
    EXPECT_EQ(legs(b), Legs({2}));
    EXPECT_EQ(b.out.entries[0].record.outcome,
              client_first ? Outcome::kClientAbort : Outcome::kServerAbort);
  }
}

TEST(Twins, TwoClientsThatAskTheSameInVainAreTwoCalls) {
  Bench b;
  RecordMaker make;
  const Endpoint service = endpoint(100, 80);
  b.feed({unanswered(make.packet(endpoint(1, 40000), service, 0, 100, "x")),
          unanswered(make.packet(endpoint(2, 40000), service, 0, 100, "x"))});
  EXPECT_EQ(legs(b), Legs({1, 1}));
}

TEST(Twins, OneUnansweredCallThroughAServiceIsOne) {
  Bench b;
  RecordMaker make;
  const Endpoint pod = endpoint(1, 40000);
  b.feed({unanswered(make.packet(pod, endpoint(100, 80), 0, 100, "x")),
          unanswered(make.packet(pod, endpoint(2, 8080), 0, 100, "x"))});
  EXPECT_EQ(legs(b), Legs({2}));
}

// What is seen of one call is bounded: many equal calls at once cost no more than their number.
TEST(Twins, ACallIsSeenSixteenTimesAtTheMost) {
  Bench b;
  RecordMaker make;
  std::vector<UsageRecord> records;
  for (uint8_t i = 0; i < 40; ++i) {
    records.push_back(make.packet(endpoint(i, 40000), endpoint(100, 80), 0, 100, "x"));
  }
  for (const UsageRecord& record : records) b.ledger.on_record(record);
  b.ledger.drain();
  EXPECT_EQ(legs(b), Legs({16, 16, 8}));
}

TEST(Twins, SeenOnlyWhereItArrivesIsServed) {
  Bench b;
  RecordMaker make;
  b.feed({make.probe(Side::kServer, 2, 1, 99, "x")});
  EXPECT_EQ(legs(b), Legs({1}));
  EXPECT_EQ(b.out.entries[0].leg, Leg::kServed);
}

TEST(Twins, LeavingForAGatewayIsTheGatewaysLeg) {
  LedgerOptions options;
  options.gateways = {"gateway.example"};
  Bench b(options);
  RecordMaker make;
  UsageRecord recognised = make.make(0, 100);
  recognised.gateway.assign("litellm");
  UsageRecord configured = make.make(0, 101);
  configured.server_name.assign("Gateway.Example");
  b.feed({recognised, configured, make.make(0, 102)});
  b.ledger.drain();
  EXPECT_EQ(b.out.entries[0].leg, Leg::kGateway);
  EXPECT_EQ(b.out.entries[1].leg, Leg::kGateway);
  EXPECT_EQ(b.out.entries[2].leg, Leg::kProvider);
}

TEST(LateTwins, AStoredAnswerFetchedHoursLaterCountsOnce) {
  Bench b;
  RecordMaker make;
  b.feed({with_id(make.make(0, 100), kLongId)});
  b.ledger.on_time(at_ms(3600'000));
  b.feed({with_id(make.make(3600'000, 3600'100), kLongId)});
  EXPECT_EQ(legs(b), Legs({1}));
  EXPECT_EQ(b.out.late, std::vector<std::string>({"same_id"}));
}

TEST(LateTwins, AStoredAnswerFetchedAtOnceOnTheSameConnectionCountsOnce) {
  Bench b;
  RecordMaker make;
  const UsageRecord post = with_id(make.make(0, 100), kLongId);
  UsageRecord get = with_id(make.make(110, 120), kLongId);
  get.flow = post.flow;
  b.feed({post, get});
  EXPECT_EQ(legs(b), Legs({1}));
  EXPECT_EQ(b.out.late, std::vector<std::string>({"same_id"}));
}

TEST(LateTwins, TheMemoryOfIdsEndsAfterADay) {
  Bench b;
  RecordMaker make;
  const int64_t day_ms = 24 * 3600'000;
  b.feed({with_id(make.make(0, 100), kLongId)});
  b.feed({with_id(make.make(day_ms, day_ms + 200), kLongId)});
  EXPECT_EQ(legs(b), Legs({1, 1}));
}

TEST(LateTwins, TheMemoryOfIdsIsBoundedAndForgetsTheOldest) {
  Limits limits;
  limits.remembered_ids_max = 1500;
  Bench b({}, limits);
  RecordMaker make;
  const auto id = [](int i) { return "chatcmpl-0123456789" + std::to_string(i); };
  for (int i = 0; i < 4000; ++i) b.feed({with_id(make.make(i * 1000, i * 1000 + 1), id(i))});
  b.ledger.on_time(at_ms(4001'000));
  b.feed({with_id(make.make(4002'000, 4002'001), id(2500))});  // remembered
  b.ledger.on_time(at_ms(4002'500));
  EXPECT_EQ(b.out.late.size(), 1u);
  b.feed({with_id(make.make(4003'000, 4003'001), id(2499))});  // forgotten
  b.ledger.on_time(at_ms(4003'500));
  EXPECT_EQ(b.out.late.size(), 1u);
}

TEST(LateTwins, EqualBytesHoursApartAreTwoCalls) {
  Bench b;
  RecordMaker make;
  b.feed({make.probe(Side::kClient, 1, 0, 100, "x"),
          make.probe(Side::kServer, 2, 3600'000, 3600'100, "x")});
  EXPECT_EQ(legs(b), Legs({1, 1}));
}

TEST(LateTwins, ATwinThatEndsAfterTheLongestHoldMovesNothing) {
  Bench b;
  RecordMaker make;
  const UsageRecord server = make.probe(Side::kServer, 2, 1, 9000, "x");
  b.ledger.on_call_opened(opened(server));
  b.feed({make.probe(Side::kClient, 1, 0, 100, "x")});
  b.ledger.on_time(at_ms(8999));
  EXPECT_EQ(b.out.entries.size(), 1u);
  b.feed({server});
  EXPECT_EQ(legs(b), Legs({1}));
  EXPECT_EQ(b.out.late, std::vector<std::string>({"same_bytes"}));
}

TEST(AllLegs, EveryTwinIsShownBehindItsCountedOne) {
  LedgerOptions options;
  options.all_legs = true;
  Bench b(options);
  RecordMaker make;
  b.feed({with_id(make.probe(Side::kServer, 2, 1, 99, "x"), kLongId),
          with_id(make.probe(Side::kClient, 1, 0, 100, "x"), kLongId)});
  b.ledger.on_time(at_ms(3600'000));
  b.feed({with_id(make.make(3600'000, 3600'100), kLongId)});
  EXPECT_EQ(legs(b), Legs({2}));
  ASSERT_EQ(b.out.entries.size(), 3u);
  for (size_t i = 1; i < 3; ++i) {
    ASSERT_TRUE(b.out.entries[i].duplicate_of);
    EXPECT_EQ(b.out.entries[i].duplicate_of->view(), b.out.entries[0].record_id.view());
    EXPECT_NE(b.out.entries[i].record_id.view(), b.out.entries[0].record_id.view());
    EXPECT_FALSE(b.out.entries[i].cost.total);
  }
  EXPECT_EQ(b.out.entries[1].record.side, Side::kServer);
}

// Processes that go away: the directory knows pid 1 only while `alive`.
struct FadingDirectory final : ProcessDirectory {
  bool alive = true;
  std::optional<ProcessIdentity> find(uint32_t pid, uint64_t) const override {
    if (!alive || pid != 1) return std::nullopt;
    ProcessIdentity identity;
    identity.name.assign("python3");
    return identity;
  }
};

struct FlatPrice final : PriceBook {
  Cost price(const UsageRecord&) const override {
    Cost cost;
    cost.source = PriceSource::kCatalog;
    cost.total = Picodollars{7};
    return cost;
  }
  bool knows(std::string_view, std::string_view) const override { return true; }
};

TEST(Join, TheProcessIsLookedUpWhenTheRecordComes) {
  FadingDirectory directory;
  LedgerOptions options;
  options.processes = &directory;
  options.node = "node-1";
  Bench b(options);
  RecordMaker make;
  b.feed({make.probe(Side::kClient, 1, 0, 100)});
  directory.alive = false;
  b.ledger.drain();
  ASSERT_TRUE(b.out.entries[0].process);
  EXPECT_EQ(b.out.entries[0].process->name.view(), "python3");
  EXPECT_EQ(b.out.entries[0].node.view(), "node-1");
}

TEST(Join, OnlyTheProvidersLegCosts) {
  FlatPrice prices;
  LedgerOptions options;
  options.prices = &prices;
  Bench b(options);
  RecordMaker make;
  b.feed({make.probe(Side::kClient, 1, 0, 100), make.probe(Side::kServer, 1, 0, 101)});
  b.ledger.drain();
  EXPECT_EQ(b.out.entries[0].cost.total, Picodollars{7});
  EXPECT_FALSE(b.out.entries[1].cost.total);
}

struct StatingPrices final : PriceBook {
  Cost price(const UsageRecord&) const override { return {}; }
  Cost price_at(const UsageRecord&, int64_t epoch_ns) const override {
    Cost cost;
    cost.total = Picodollars{epoch_ns};
    cost.stated_doubtful = true;
    return cost;
  }
  Cost stated_cost(const UsageRecord& record) const override {
    Cost cost;
    if (record.stated_cost_femtodollars) cost.total = Picodollars{9};
    return cost;
  }
  bool knows(std::string_view, std::string_view) const override { return true; }
};

TEST(Join, PricesAreThoseOfTheCallsBeginningAndDoubtIsFlagged) {
  StatingPrices prices;
  LedgerOptions options;
  options.prices = &prices;
  Bench b(options);
  RecordMaker make;
  b.feed({make.probe(Side::kClient, 1, 0, 100)});
  b.ledger.drain();
  ASSERT_EQ(b.out.entries.size(), 1u);
  EXPECT_EQ(b.out.entries[0].cost.total, Picodollars{b.out.entries[0].start_epoch_ns});
  EXPECT_TRUE(b.out.entries[0].record.flags.has(RecordFlag::kStatedCostDoubtful));
}

TEST(Join, AGatewaysLegCostsWhatTheGatewayStates) {
  StatingPrices prices;
  LedgerOptions options;
  options.prices = &prices;
  Bench b(options);
  RecordMaker make;
  UsageRecord silent = make.probe(Side::kClient, 1, 0, 100);
  silent.gateway.assign("litellm");
  UsageRecord stating = make.probe(Side::kClient, 2, 200, 300);
  stating.gateway.assign("litellm");
  stating.stated_cost_femtodollars = 9'000;
  b.feed({silent, stating});
  b.ledger.drain();
  ASSERT_EQ(b.out.entries.size(), 2u);
  EXPECT_EQ(b.out.entries[0].leg, Leg::kGateway);
  EXPECT_FALSE(b.out.entries[0].cost.total);
  EXPECT_EQ(b.out.entries[1].cost.total, Picodollars{9});
}

// --- any calls, seen from one to five places each, in any order of arrival -----------------------

struct World {
  std::vector<UsageRecord> records;
  size_t calls = 0;
  size_t observations = 0;
};

World make_world(std::mt19937& random) {
  World world;
  RecordMaker make;
  const auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  const int conversations = 1 + pick(12);
  for (int c = 0; c < conversations; ++c) {
    // Equal calls at the same time, seen from the same places.
    const std::string content = "conversation " + std::to_string(c);
    const int equal = 1 + pick(3);
    const unsigned places = 1 + random() % 31;
    for (int n = 0; n < equal; ++n) {
      const int64_t start = 1000 * pick(20) * (n == 0) + 10 * n;
      const int64_t base = n == 0 ? start : world.records.back().start.ns / kMs - kEpoch / kMs;
      const int64_t from = base + pick(5), to = from + 200 + pick(100);
      const auto port = static_cast<uint16_t>(20000 + 100 * c + n);
      const Endpoint pod = endpoint(1, port), node = endpoint(9, port);
      const Endpoint service = endpoint(100, 80), backend = endpoint(2, 8080);
      const auto add = [&](UsageRecord r) {
        r.lane = static_cast<uint32_t>(pick(3));
        world.records.push_back(r);
        ++world.observations;
      };
      if (places & 1) add(make.probe(Side::kClient, 1, from, to, content));
      if (places & 2) add(make.probe(Side::kServer, 2, from + 1, to - 1, content));
      if (places & 4) add(make.packet(pod, service, from, to, content));
      if (places & 8) add(answer_only(make.packet(pod, backend, from + 90, to, content)));
      if (places & 16) add(make.packet(node, backend, from, to, content));
      ++world.calls;
    }
  }
  std::shuffle(world.records.begin(), world.records.end(), random);
  return world;
}

TEST(TwinsProperty, EveryCallCountsExactlyOnceWhateverTheOrder) {
  for (unsigned seed = 0; seed < 2000; ++seed) {
    std::mt19937 random(seed);
    const World world = make_world(random);
    LedgerOptions options;
    options.lanes = 3;
    Bench b(options);
    for (const UsageRecord& r : world.records) b.ledger.on_record(r);
    const Legs counts = legs(b);
    size_t observations = 0;
    for (const uint32_t n : counts) observations += n;
    ASSERT_EQ(counts.size(), world.calls) << "seed " << seed;
    ASSERT_EQ(observations, world.observations) << "seed " << seed;
    ASSERT_TRUE(b.out.late.empty()) << "seed " << seed;
    ASSERT_TRUE(std::is_sorted(b.out.entries.begin(), b.out.entries.end(),
                               [](const LedgerEntry& x, const LedgerEntry& y) {
                                 return x.record.finish.ns < y.record.finish.ns;
                               }));
  }
}

std::string outcome(const std::vector<LedgerEntry>& entries) {
  std::string text;
  for (const LedgerEntry& e : entries) {
    text += std::string(e.record_id.view()) + " " + std::to_string(e.legs) + "\n";
  }
  return text;
}

TEST(TwinsProperty, TheOutcomeDoesNotDependOnLanes) {
  for (unsigned seed = 0; seed < 500; ++seed) {
    std::mt19937 random(seed);
    World world = make_world(random);
    LedgerOptions options;
    options.lanes = 3;
    Bench many(options);
    // Lanes run ahead of one another; event time follows the slowest.
    std::stable_sort(world.records.begin(), world.records.end(), [](const auto& x, const auto& y) {
      return x.finish.ns / (700 * kMs) < y.finish.ns / (700 * kMs);
    });
    for (const UsageRecord& r : world.records) {
      const int64_t window_ns = r.finish.ns / (700 * kMs) * (700 * kMs);
      many.ledger.on_time({.ns = window_ns - 1});
      many.ledger.on_call_opened(opened(r));
      many.ledger.on_record(r);
      many.ledger.on_call_closed(r.exchange, r.lane, r.finish);
    }
    many.ledger.drain();

    Bench one;
    std::sort(world.records.begin(), world.records.end(),
              [](const auto& x, const auto& y) { return x.finish.ns < y.finish.ns; });
    for (UsageRecord r : world.records) {
      r.lane = 0;
      one.ledger.on_record(r);
    }
    one.ledger.drain();
    ASSERT_EQ(outcome(one.out.entries), outcome(many.out.entries)) << "seed " << seed;
  }
}

TEST(TwinsProperty, WithOneLaneInOrderOfTimeNothingIsLate) {
  for (unsigned seed = 0; seed < 500; ++seed) {
    std::mt19937 random(seed);
    World world = make_world(random);
    std::stable_sort(
        world.records.begin(), world.records.end(),
        [](const UsageRecord& x, const UsageRecord& y) { return x.finish.ns < y.finish.ns; });
    Bench b;
    for (UsageRecord r : world.records) {
      r.lane = 0;
      b.ledger.on_record(r);
    }
    ASSERT_EQ(legs(b).size(), world.calls) << "seed " << seed;
    ASSERT_TRUE(b.out.late.empty());
  }
}

}  // namespace
}  // namespace wiretally::ledger
