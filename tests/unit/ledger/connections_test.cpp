// Connections to known providers: each counts once, plain or opaque.
#include "connections.h"

#include <gtest/gtest.h>

#include "unit/ledger/fixtures.h"

namespace wiretally::ledger {
namespace {

struct Counted final : EntrySink {
  std::vector<std::string> lines;

  void on_entry(const LedgerEntry&) override {}
  void on_call_opened(const CallOpened&) override {}
  void on_call_closed(const CallOpened&) override {}
  void on_suspect(Dialect) override {}
  void on_late_twin(std::string_view) override {}
  void on_time(EventTime) override {}
  void on_finish() override {}
  void on_connection(std::string_view server, bool plain, std::string_view reason) override {
    lines.push_back(std::string(server) + (plain ? " plain" : " opaque ") + std::string(reason));
  }
};

constexpr std::string_view kHost = "api.openai.com";
constexpr uint32_t kCurl = 100, kGoClient = 200;

class ConnectionsTest : public ::testing::Test {
 protected:
  void hello(int64_t ms, ConnectionOwner owner = {}, std::string_view host = kHost) {
    same_hello(++serial_, ms, owner, host);
  }
  void same_hello(uint64_t random, int64_t ms, ConnectionOwner owner = {},
                  std::string_view host = kHost) {
    ConnectionSeen seen;
    seen.visibility = Visibility::kOpaque;
    seen.time = at_ms(ms);
    seen.server_name.assign(host);
    seen.hello = random;
    connections_.hello(seen, owner);
  }
  // By a probe, unless said otherwise.
  void plain(int64_t ms, uint32_t pid = kCurl, std::string_view host = kHost,
             Source source = Source::kTls) {
    ConnectionSeen seen;
    seen.time = at_ms(ms);
    seen.server_name.assign(host);
    seen.source = source;
    seen.pid = pid;
    connections_.plain(seen);
  }
  void advance(int64_t ms) { connections_.advance(at_ms(ms).ns); }
  std::vector<std::string> all() {
    connections_.drain();
    return out_.lines;
  }

  Limits limits_;
  Counted out_;
  Connections connections_{limits_, WallClock{}, {&out_}};
  uint64_t serial_ = 0;
};

using Lines = std::vector<std::string>;
const std::string kPlain = "api.openai.com plain";
const std::string kOther = "api.openai.com opaque other";

TEST_F(ConnectionsTest, DecodedConnectionsCountAtOnceAndTheirHelloDoesNot) {
  hello(0);
  EXPECT_EQ(out_.lines, Lines{});
  plain(20);
  EXPECT_EQ(out_.lines, Lines{kPlain});
  EXPECT_EQ(all(), Lines{kPlain});
}

TEST_F(ConnectionsTest, AHelloThatIsStampedTooLateIsAnotherConnections) {
  const int64_t skew_ms = limits_.connection_skew_ns / 1'000'000;
  plain(0);
  hello(skew_ms);
  EXPECT_EQ(all(), Lines{kPlain});
  out_.lines.clear();
  plain(10'000);
  hello(10'000 + skew_ms + 1);
  EXPECT_EQ(all(), (Lines{kPlain, kOther}));
}

TEST_F(ConnectionsTest, TheHelloMayArriveBehindTheRequestAndBeStampedLater) {
  plain(0);
  hello(900);
  EXPECT_EQ(all(), Lines{kPlain});
}

TEST_F(ConnectionsTest, AHelloFarBehindTheRequestIsAnotherConnection) {
  plain(0);
  hello(1100);
  EXPECT_EQ(all(), (Lines{kPlain, kOther}));
}

TEST_F(ConnectionsTest, AHelloAloneIsOpaqueWhenTheWaitIsOver) {
  hello(0, {.pid = kGoClient, .reason = OpaqueReason::kGo});
  advance(30'000);
  EXPECT_EQ(out_.lines, Lines{});
  advance(30'001);
  EXPECT_EQ(out_.lines, Lines{"api.openai.com opaque go"});
  EXPECT_EQ(all(), Lines{"api.openai.com opaque go"});
}

TEST_F(ConnectionsTest, TheEndOfInputEndsTheWait) {
  hello(0);
  EXPECT_EQ(all(), Lines{kOther});
}

TEST_F(ConnectionsTest, APooledConnectionMayBeUsedLate) {
  hello(0);
  advance(29'000);
  plain(29'500);
  advance(70'000);
  EXPECT_EQ(all(), Lines{kPlain});
}

TEST_F(ConnectionsTest, PairsOneToOne) {
  hello(0);
  hello(1);
  hello(2);
  plain(10);
  plain(11);
  EXPECT_EQ(all(), (Lines{kPlain, kPlain, kOther}));
}

TEST_F(ConnectionsTest, OneToOneTheOtherWayRoundToo) {
  plain(10);
  hello(0);
  hello(1);
  EXPECT_EQ(all(), (Lines{kPlain, kOther}));
}

TEST_F(ConnectionsTest, OnlyOfTheSameServer) {
  hello(0, {}, "api.anthropic.com");
  plain(10);
  EXPECT_EQ(all(), (Lines{kPlain, "api.anthropic.com opaque other"}));
}

TEST_F(ConnectionsTest, AnotherProcessesHelloIsNotTaken) {
  hello(0, {.pid = kGoClient, .reason = OpaqueReason::kGo});
  plain(10, kCurl);
  EXPECT_EQ(all(), (Lines{kPlain, "api.openai.com opaque go"}));
}

TEST_F(ConnectionsTest, NorTheOtherWayRound) {
  plain(10, kCurl);
  hello(11, {.pid = kGoClient, .reason = OpaqueReason::kGo});
  EXPECT_EQ(all(), (Lines{kPlain, "api.openai.com opaque go"}));
}

TEST_F(ConnectionsTest, TheProcessesOwnHelloIsTakenBeforeAnUnknownOne) {
  hello(0);
  hello(1, {.pid = kCurl, .reason = OpaqueReason::kUnknownBuild});
  plain(10, kCurl);
  EXPECT_EQ(all(), (Lines{kPlain, kOther}));
}

TEST_F(ConnectionsTest, CopiesOfAHelloAreOneConnection) {
  same_hello(7, 0);
  same_hello(7, 1);
  EXPECT_EQ(all(), Lines{kOther});
}

TEST_F(ConnectionsTest, CopiesOfAPairedHelloToo) {
  same_hello(7, 0);
  plain(10);
  same_hello(7, 11);
  EXPECT_EQ(all(), Lines{kPlain});
}

TEST_F(ConnectionsTest, ClearTextHasNoHello) {
  hello(0);
  plain(10, 0, kHost, Source::kPacket);
  EXPECT_EQ(all(), (Lines{kPlain, kOther}));
}

TEST_F(ConnectionsTest, WhatWaitsIsBounded) {
  Limits limits;
  limits.held_connections_max = 2;
  Connections few(limits, WallClock{}, {&out_});
  ConnectionSeen seen;
  seen.visibility = Visibility::kOpaque;
  seen.server_name.assign(kHost);
  for (uint64_t random = 1; random <= 5; ++random) {
    seen.hello = random;
    seen.time = at_ms(static_cast<int64_t>(random));
    few.hello(seen, {});
  }
  EXPECT_EQ(few.waiting(), 2u);
  EXPECT_EQ(out_.lines, (Lines{kOther, kOther, kOther}));
}

// --- in the ledger -------------------------------------------------------------------------------

class FakeOwners final : public ConnectionOwners {
 public:
  ConnectionOwner owner_of(const Endpoint& client, const Endpoint&) override {
    asked.push_back(client);
    return {.pid = kGoClient, .reason = OpaqueReason::kGo};
  }
  std::vector<Endpoint> asked;
};

TEST(LedgerConnections, AsksForTheOwnerWhenTheHelloComes) {
  FakeOwners owners;
  Counted out;
  LedgerOptions options;
  options.owners = &owners;
  Ledger ledger(Limits{}, options, {&out});
  ConnectionSeen seen;
  seen.time = at_ms(0);
  seen.server_name.assign(kHost);
  ledger.on_connection(seen);
  EXPECT_TRUE(owners.asked.empty());
  seen.visibility = Visibility::kOpaque;
  seen.client = endpoint(1, 4000);
  ledger.on_connection(seen);
  EXPECT_EQ(owners.asked, std::vector<Endpoint>{endpoint(1, 4000)});
  ledger.on_time(at_ms(31'000));
  EXPECT_EQ(out.lines, (Lines{kPlain, "api.openai.com opaque go"}));
  ledger.drain();
  EXPECT_EQ(out.lines.size(), 2u);
}

// Knows a process while it runs and, once asked, after its end.
class FakeDirectory final : public ProcessDirectory {
 public:
  std::optional<ProcessIdentity> find(uint32_t pid, uint64_t process_start_ns) const override {
    if (pid != kCurl || process_start_ns != 77) return std::nullopt;
    known = known || runs;
    if (!known) return std::nullopt;
    ProcessIdentity identity;
    identity.name.assign("curl");
    return identity;
  }
  bool runs = true;
  mutable bool known = false;
};

TEST(LedgerProcess, IsLookedUpWhenItsCallOpens) {
  for (const bool opening_seen : {true, false}) {
    FakeDirectory processes;
    LedgerOptions options;
    options.processes = &processes;
    Bench bench(options);
    UsageRecord record = RecordMaker().probe(Side::kClient, kCurl, 0, 100);
    record.process_start_ns = 77;
    if (opening_seen) {
      CallOpened call = opened(record);
      call.pid = record.pid;
      call.process_start_ns = record.process_start_ns;
      bench.ledger.on_call_opened(call);
    }
    processes.runs = false;
    bench.ledger.on_record(record);
    bench.ledger.drain();
    ASSERT_EQ(bench.out.entries.size(), 1u);
    EXPECT_EQ(bench.out.entries[0].process.has_value(), opening_seen);
  }
}

}  // namespace
}  // namespace wiretally::ledger
