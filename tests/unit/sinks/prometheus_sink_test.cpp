#include "prometheus/prometheus_sink.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <thread>

#include "prometheus/metrics_server.h"
#include "unit/sinks/fixtures.h"

namespace wiretally::sinks {
namespace {

using Samples = std::map<std::string, std::string>;

struct Catalog final : PriceBook {
  Cost price(const UsageRecord&) const override { return {}; }
  bool knows(std::string_view, std::string_view model) const override { return model == "gpt-4o"; }
};

struct Sink {
  explicit Sink(PrometheusOptions options = {}, Limits limits = {})
      : sink(limits, [&] {
          options.now_ns = [this] { return now_ns; };
          return options;
        }()) {}
  Samples samples() { return samples_of(sink.text()); }
  Samples scraped() {
    const Scrape scrape = sink.scrape(Reader::kPrometheus);
    sink.delivered(scrape);
    return samples_of(scrape.text);
  }
  int64_t now_ns = 0;
  PrometheusSink sink;
};

std::string get(const Samples& samples, const std::string& name) {
  const auto it = samples.find(name);
  return it == samples.end() ? "absent" : it->second;
}

// The sum of a family's samples, optionally of those with this label.
double sum(const Samples& samples, const std::string& family, const std::string& label = "") {
  double total = 0;
  for (const auto& [name, value] : samples) {
    if (name.rfind(family + "{", 0) == 0 && name.find(label) != std::string::npos) {
      total += std::stod(value);
    }
  }
  return total;
}

// Estimated tokens stand in the one family that tells them apart, and cost nothing.
TEST(PrometheusSinkTest, EstimatesStandApart) {
  Sink s;
  LedgerEntry entry = rich_entry();
  entry.cost = {};
  entry.record.tokens = {};
  entry.record.tokens.input = 1000;
  entry.record.tokens.output = 50;
  entry.record.tokens.input_source = UsageSource::kReported;
  entry.record.tokens.output_source = UsageSource::kEstimated;
  s.sink.on_entry(entry);
  const Samples m = s.samples();
  EXPECT_EQ(sum(m, "llm_tokens_total", "source=\"estimated\""), 50);
  EXPECT_EQ(sum(m, "llm_tokens_total", "source=\"reported\""), 1000);
  for (const char* family : {"llm_workload_tokens_total", "llm_subject_tokens_total",
                             "llm_key_tokens_total", "llm_unpriced_tokens_total"}) {
    EXPECT_EQ(sum(m, family), 1000) << family;
  }
  EXPECT_EQ(sum(m, "llm_cost_usd_total"), 0);
  EXPECT_EQ(get(m, R"(wiretally_calls_total{accounting="partial"})"), "1");
}

TEST(PrometheusSinkTest, TheErrorOfTheEstimatorIsAGaugeAModel) {
  Sink s;
  const UsageRecord record = plain_entry().record;
  s.sink.on_estimator(record, TokenSide::kOutput, {.off_by = 9, .reported = 10});
  s.sink.on_estimator(record, TokenSide::kOutput, {.off_by = 1, .reported = 8});
  s.sink.on_estimator(record, TokenSide::kInput, {.off_by = 0, .reported = 8});
  // What may not become a label has none, and neither has what was never checked.
  UsageRecord other = record;
  other.response_model.clear();
  other.request_model.assign("made-up");
  s.sink.on_estimator(other, TokenSide::kOutput, {.off_by = 1, .reported = 8});
  const Samples m = s.scraped();
  const std::string who =
      R"(wiretally_estimator_error_ratio{provider="openai",dialect="openai_chat",model="gpt-4o-2024-08-06",type=)";
  EXPECT_EQ(std::stod(get(m, who + R"("output"})")), 0.125);
  EXPECT_EQ(std::stod(get(m, who + R"("input"})")), 0);
  EXPECT_EQ(std::count_if(m.begin(), m.end(),
                          [](const auto& sample) {
                            return sample.first.rfind("wiretally_estimator_error_ratio{", 0) == 0;
                          }),
            2);
}

TEST(PrometheusSinkTest, OneCall) {
  Sink s;
  s.sink.on_entry(rich_entry());
  const Samples m = s.samples();
  const std::string who = R"(leg="provider",provider="openai",model="gpt-4o-2024-08-06")";
  EXPECT_EQ(get(m, "llm_requests_total{" + who +
                       R"(,operation="chat",stream="true",status="200",outcome="ok"})"),
            "1");
  const auto tokens = [&](std::string_view type) {
    return get(
        m, "llm_tokens_total{" + who + ",type=\"" + std::string(type) + R"(",source="reported"})");
  };
  EXPECT_EQ(tokens("input"), "300");
  EXPECT_EQ(tokens("input_cache_read"), "600");
  EXPECT_EQ(tokens("input_cache_write_5m"), "100");
  EXPECT_EQ(tokens("output"), "30");
  EXPECT_EQ(tokens("output_reasoning"), "20");
  EXPECT_EQ(sum(m, "llm_tokens_total"), 1050);
  EXPECT_EQ(get(m, "llm_cost_usd_total{" + who + R"(,type="cache_write",price_source="catalog"})"),
            "0.000092");
  EXPECT_NEAR(sum(m, "llm_cost_usd_total"), 0.010692, 1e-15);
  EXPECT_EQ(get(m, R"(llm_subject_tokens_total{issuer="https://issuer.example",subject="alice",)"
                   R"(application="",type="output"})"),
            "30");
  EXPECT_EQ(get(m, R"(llm_key_requests_total{key_id="0123456789abcdef"})"), "1");
  EXPECT_EQ(get(m, R"(llm_workload_requests_total{leg="provider",namespace="",workload="python3",)"
                   R"(provider="openai",model="gpt-4o-2024-08-06"})"),
            "1");
  EXPECT_EQ(
      get(m, R"(llm_backend_requests_total{server_address="api.openai.com:443",status="200"})"),
      "1");
  EXPECT_EQ(get(m, R"(llm_tool_calls_total{provider="openai",model="gpt-4o-2024-08-06",)"
                   R"(tool="get_weather"})"),
            "1");
  EXPECT_EQ(get(m, R"(llm_rate_limit_remaining{provider="openai",kind="requests",)"
                   R"(key_id="0123456789abcdef"})"),
            "99");
  EXPECT_EQ(get(m, R"(llm_time_to_first_token_seconds_sum{provider="openai",)"
                   R"(model="gpt-4o-2024-08-06"})"),
            "0.3");
  EXPECT_EQ(get(m, R"(llm_time_per_output_token_seconds_sum{provider="openai",)"
                   R"(model="gpt-4o-2024-08-06"})"),
            "0.032653061");
  EXPECT_EQ(get(m, R"(llm_stream_stall_seconds_sum{provider="openai"})"), "0.07");
  EXPECT_EQ(get(m, R"(wiretally_calls_total{accounting="full"})"), "1");
  EXPECT_EQ(get(m, R"(wiretally_calls_total{accounting="none"})"), "0");
  EXPECT_EQ(get(m, R"(wiretally_series{metric="llm_tokens_total"})"), "5");
}

TEST(PrometheusSinkTest, UncountedTwinsMoveNothing) {
  Sink s;
  const std::string before = s.sink.text();
  LedgerEntry twin = rich_entry();
  twin.duplicate_of = twin.record_id;
  s.sink.on_entry(twin);
  EXPECT_EQ(s.sink.text(), before);
}

TEST(PrometheusSinkTest, TypesOfTokensStayDisjointWhateverTheProviderSays) {
  Sink s;
  LedgerEntry entry = plain_entry();
  entry.record.tokens.cache_read = 900;
  entry.record.tokens.cache_write_5m = 900;
  entry.record.tokens.reasoning = 9999;
  s.sink.on_entry(entry);
  EXPECT_EQ(sum(s.samples(), "llm_tokens_total"), 1050);
}

TEST(PrometheusSinkTest, EachKindOfTokenHasItsOwnSource) {
  Sink s;
  LedgerEntry entry = plain_entry();
  entry.record.tokens.output_source = UsageSource::kPartial;
  s.sink.on_entry(entry);
  EXPECT_EQ(sum(s.samples(), "llm_tokens_total", "source=\"reported\""), 1000);
  EXPECT_EQ(sum(s.samples(), "llm_tokens_total", "source=\"partial\""), 50);
  EXPECT_EQ(get(s.samples(), "wiretally_calls_total{accounting=\"partial\"}"), "1");
}

TEST(PrometheusSinkTest, UnknownUsageIsMissingAndNotZero) {
  Sink s;
  LedgerEntry entry = plain_entry();
  entry.record.tokens = {};
  entry.record.usage_missing = UsageMissing::kNotRequested;
  s.sink.on_entry(entry);
  const Samples m = s.samples();
  EXPECT_EQ(sum(m, "llm_usage_missing_total", "reason=\"not_requested\""), 1);
  EXPECT_EQ(sum(m, "llm_tokens_total"), 0);
  EXPECT_EQ(get(m, "wiretally_calls_total{accounting=\"none\"}"), "1");
}

// gRPC refuses with an HTTP status of 200; nothing is missing of such a call.
TEST(PrometheusSinkTest, ARefusalByTheStatusOfGrpcIsAccountedFor) {
  Sink s;
  LedgerEntry entry = plain_entry();
  entry.record.tokens = {};
  entry.record.saw_response = true;
  entry.record.outcome = Outcome::kStreamError;
  entry.record.error_type.assign("RESOURCE_EXHAUSTED");
  s.sink.on_entry(entry);
  const Samples m = s.samples();
  EXPECT_EQ(get(m, "wiretally_calls_total{accounting=\"full\"}"), "1");
  EXPECT_EQ(sum(m, "llm_errors_total", "error_type=\"RESOURCE_EXHAUSTED\""), 1);
  // What was said before it failed is another thing.
  entry.record.usage_missing = UsageMissing::kNotInAnswer;
  s.sink.on_entry(entry);
  EXPECT_EQ(get(s.samples(), "wiretally_calls_total{accounting=\"none\"}"), "1");
}

TEST(PrometheusSinkTest, WhatHasNoPriceIsUnpricedAndNotFree) {
  Sink s;
  s.sink.on_entry(plain_entry());
  LedgerEntry own = plain_entry();
  own.cost.source = PriceSource::kSelfHosted;
  s.sink.on_entry(own);
  LedgerEntry served = plain_entry();
  served.leg = Leg::kServed;
  s.sink.on_entry(served);
  EXPECT_EQ(sum(s.samples(), "llm_unpriced_tokens_total"), 1050);
  EXPECT_EQ(sum(s.samples(), "llm_cost_usd_total"), 0);
}

TEST(PrometheusSinkTest, ACostWithoutPartsIsStillCounted) {
  Sink s;
  LedgerEntry entry = plain_entry();
  entry.cost.source = PriceSource::kProvider;
  entry.cost.total = Picodollars{2'500'000'000'000};
  s.sink.on_entry(entry);
  EXPECT_EQ(sum(s.samples(), "llm_cost_usd_total", "type=\"unsplit\""), 2.5);
}

TEST(PrometheusSinkTest, StatedCostsAreComparedWithTheBook) {
  Sink s;
  const auto add = [&](std::optional<Picodollars> stated, std::optional<Picodollars> by_book,
                       bool doubtful) {
    LedgerEntry entry = plain_entry();
    entry.cost.stated = stated;
    entry.cost.by_book = by_book;
    entry.cost.stated_doubtful = doubtful;
    s.sink.on_entry(entry);
  };
  add(Picodollars{3'000'000'000'000}, Picodollars{2'000'000'000'000}, false);
  add(Picodollars{1'000'000'000'000}, Picodollars{1'000'000'000'000}, false);
  add(Picodollars{5'000'000'000'000}, std::nullopt, false);
  add(Picodollars{0}, Picodollars{4'000'000'000'000}, true);
  add(std::nullopt, std::nullopt, false);
  const Samples m = s.samples();
  EXPECT_EQ(sum(m, "llm_stated_costs_total", "verdict=\"different\""), 1);
  EXPECT_EQ(sum(m, "llm_stated_costs_total", "verdict=\"equal\""), 1);
  EXPECT_EQ(sum(m, "llm_stated_costs_total", "verdict=\"no_price\""), 1);
  EXPECT_EQ(sum(m, "llm_stated_costs_total", "verdict=\"doubtful_zero\""), 1);
  EXPECT_EQ(sum(m, "llm_stated_cost_usd_total", "by=\"provider\""), 4);
  EXPECT_EQ(sum(m, "llm_stated_cost_usd_total", "by=\"price_book\""), 7);
}

TEST(PrometheusSinkTest, AModelIsALabelOnlyIfVouchedFor) {
  Catalog catalog;
  Sink s({.prices = &catalog});
  const auto model_of = [&](std::string_view asked, std::string_view served, uint16_t status) {
    Sink fresh({.prices = &catalog});
    LedgerEntry entry = plain_entry();
    entry.record.request_model.assign(asked);
    entry.record.response_model.assign(served);
    entry.record.status_code = status;
    fresh.sink.on_entry(entry);
    const std::string text = fresh.sink.text();
    const size_t begin = text.find("model=\"") + 7;
    return text.substr(begin, text.find('"', begin) - begin);
  };
  EXPECT_EQ(model_of("x", "my-model", 200), "my-model");
  EXPECT_EQ(model_of("x", "my-model", 101), "my-model");  // a turn on a WebSocket
  EXPECT_EQ(model_of("made-up", "", 404), "other");
  EXPECT_EQ(model_of("made-up", "made-up", 400), "other");
  EXPECT_EQ(model_of("gpt-4o", "", 429), "gpt-4o");
}

TEST(PrometheusSinkTest, ErrorsHaveKnownTypes) {
  Sink s;
  LedgerEntry entry = plain_entry();
  entry.record.outcome = Outcome::kHttpError;
  entry.record.status_code = 429;
  for (const char* type : {"rate_limit_exceeded", "rate_limit_exceeded", "x9f3e-random", ""}) {
    entry.record.error_type.assign(type);
    s.sink.on_entry(entry);
  }
  EXPECT_EQ(sum(s.samples(), "llm_errors_total", "\"rate_limit_exceeded\""), 2);
  EXPECT_EQ(sum(s.samples(), "llm_errors_total", "error_type=\"other\""), 2);
}

TEST(PrometheusSinkTest, RefusalsSayWhichLimitWasMet) {
  Sink s;
  LedgerEntry entry = plain_entry();
  entry.record.outcome = Outcome::kHttpError;
  entry.record.status_code = 429;
  for (const char* limit : {"requests", "tokens", "tokens", ""}) {
    entry.record.rate_limited_by.assign(limit);
    s.sink.on_entry(entry);
  }
  entry.record.status_code = 500;
  s.sink.on_entry(entry);
  const auto refused = [&](const std::string& limit) {
    return sum(s.samples(), "llm_rate_limited_total", "limit=\"" + limit + "\"");
  };
  EXPECT_EQ(refused("requests"), 1);
  EXPECT_EQ(refused("tokens"), 2);
  EXPECT_EQ(refused("unknown"), 1);
  EXPECT_EQ(sum(s.samples(), "llm_rate_limited_total", ""), 4);
}

// A refusal for want of quota is told from other errors, whoever says it.
TEST(PrometheusSinkTest, EveryProvidersRefusalHasItsName) {
  for (const char* type : {"rate_limit_exceeded", "rate_limit_error", "RESOURCE_EXHAUSTED",
                           "ThrottlingException", "throttlingException", "rate_limited"}) {
    Sink s;
    LedgerEntry entry = plain_entry();
    entry.record.outcome = Outcome::kHttpError;
    entry.record.error_type.assign(type);
    s.sink.on_entry(entry);
    EXPECT_EQ(sum(s.samples(), "llm_errors_total", "error_type=\"" + std::string(type) + "\""), 1)
        << type;
  }
}

TEST(PrometheusSinkTest, InFlightGoesUpAndDown) {
  Sink s;
  CallOpened call;
  call.provider.assign("openai");
  call.request_model.assign("anything");
  s.sink.on_call_opened(call);
  s.sink.on_call_opened(call);
  s.sink.on_call_closed(call);
  EXPECT_EQ(get(s.scraped(), "llm_requests_in_flight{provider=\"openai\",model=\"other\"}"), "1");
  s.now_ns = 48 * 3600 * kSecond;
  EXPECT_EQ(get(s.samples(), "llm_requests_in_flight{provider=\"openai\",model=\"other\"}"), "1");
  s.sink.on_call_closed(call);
  s.now_ns = 96 * 3600 * kSecond;
  EXPECT_EQ(get(s.samples(), "llm_requests_in_flight{provider=\"openai\",model=\"other\"}"),
            "absent");
}

TEST(PrometheusSinkTest, ARateLimitGoesAwayWithItsWindow) {
  Sink s;
  s.sink.on_entry(rich_entry());
  EXPECT_EQ(sum(s.samples(), "llm_rate_limit_remaining"), 99);
  s.now_ns = 61 * kSecond;
  EXPECT_EQ(sum(s.samples(), "llm_rate_limit_remaining"), 0);
}

TEST(PrometheusSinkTest, ARateLimitLivesAsLongAsItsProviderSays) {
  Sink s;
  LedgerEntry entry = rich_entry();
  entry.record.rate_limit_requests_reset_ns = 20 * kSecond;  // from the answer's head, 1.75 s ago
  s.sink.on_entry(entry);
  s.now_ns = 18 * kSecond;
  EXPECT_EQ(sum(s.samples(), "llm_rate_limit_remaining"), 99);
  s.now_ns = 19 * kSecond;
  EXPECT_EQ(sum(s.samples(), "llm_rate_limit_remaining"), 0);
  // A Prometheus that has not seen it yet sees it once.
  EXPECT_EQ(sum(s.scraped(), "llm_rate_limit_remaining"), 99);
  EXPECT_EQ(sum(s.scraped(), "llm_rate_limit_remaining"), 0);
}

TEST(PrometheusSinkTest, ALongStreamsRateLimitIsOlderThanItsEnd) {
  Sink s;
  s.now_ns = 3600 * kSecond;
  s.sink.on_entry(rich_entry());
  LedgerEntry stream = rich_entry();
  stream.record.rate_limit_remaining_requests = 500;
  stream.record.finish.ns += 30 * kSecond;
  s.now_ns += kSecond;
  s.sink.on_entry(stream);
  EXPECT_EQ(sum(s.samples(), "llm_rate_limit_remaining"), 99);
}

TEST(PrometheusSinkTest, CoverageIsOfTheLastHour) {
  Sink s;
  EXPECT_EQ(get(s.samples(), "wiretally_coverage_ratio"), "absent");
  s.sink.on_connection("api.openai.com", true, "");
  s.sink.on_connection("api.openai.com", true, "");
  s.sink.on_connection("api.openai.com", false, "go");
  EXPECT_EQ(get(s.samples(), "wiretally_coverage_ratio"), "0.666666");
  EXPECT_EQ(get(s.samples(), R"(llm_connections_total{server="api.openai.com",)"
                             R"(visibility="opaque",reason="go"})"),
            "1");
  s.now_ns = 61 * 60 * kSecond;
  EXPECT_EQ(get(s.samples(), "wiretally_coverage_ratio"), "absent");
}

TEST(PrometheusSinkTest, CapsOfSubjectsAndTools) {
  Limits limits;
  limits.subject_series_max = 10;
  limits.tool_series_max = 4;
  Sink s({}, limits);
  LedgerEntry entry = rich_entry();
  for (int i = 0; i < 30; ++i) {
    entry.record.caller.subject.assign("user" + std::to_string(i));
    entry.record.tool_calls[0].assign("tool" + std::to_string(i));
    s.sink.on_entry(entry);
  }
  const Samples m = s.samples();
  EXPECT_EQ(
      get(m, R"(llm_subject_requests_total{issuer="other",subject="other",application="other"})"),
      "20");
  EXPECT_EQ(sum(m, "llm_subject_requests_total"), 30);
  EXPECT_EQ(sum(m, "llm_tool_calls_total"), 60);
  EXPECT_EQ(get(m, R"(wiretally_series{metric="llm_tool_calls_total"})"), "5");
  EXPECT_EQ(get(m, R"(wiretally_series_overflow_total{metric="llm_subject_requests_total"})"),
            "20");
}

TEST(PrometheusSinkTest, TheStepsAScraperSawAddUpToTheLedgersTotal) {
  std::mt19937 random(7);
  Limits limits;
  limits.series_per_family_max = 6;
  Sink s({}, limits);
  Samples last;
  double stepped = 0, total = 0;
  const auto scrape = [&] {
    const Samples seen = s.scraped();
    for (const auto& [name, value] : seen) {
      if (name.rfind("llm_tokens_total{", 0) != 0 || !last.contains(name)) continue;
      stepped += std::stod(value) - std::stod(last[name]);
    }
    last = seen;
  };
  for (int i = 0; i < 500; ++i) {
    LedgerEntry entry = plain_entry();
    entry.record.response_model.assign("model" + std::to_string(random() % 9));
    entry.record.tokens.input = random() % 1000;
    entry.record.tokens.output = random() % 1000;
    total += static_cast<double>(*entry.record.tokens.input + *entry.record.tokens.output);
    s.sink.on_entry(entry);
    if (random() % 4 == 0) scrape();
  }
  scrape();
  scrape();
  EXPECT_EQ(stepped, total);
}

// --- the agent's own -----------------------------------------------------------------------------

TEST(AgentMetricsTest, LanesAreSummedAndTheIdentityHolds) {
  Counters one, two;
  one.capture(Source::kTls, 100);
  one.parse(Source::kTls, 60);
  one.skip(Source::kTls, SkipReason::kHttpNotLlm, 40);
  two.capture(Source::kPacket, 50);
  two.drop(Source::kPacket, DropReason::kStreamConflict, 30);
  two.of(Source::kPacket).buffered_bytes.add(20);
  two.miss(Source::kPacket, MissingReason::kStreamSegmentLost, 1460);
  two.flows[1][0].add(3);
  one.packets_bad_checksum.add(2);
  two.packets_bad_checksum.add(5);
  two.packets_not_tcp.add(4);
  AgentMetrics metrics({.version = "1", .revision = "abc", .kernel = "6.1"});
  metrics.watch(one);
  metrics.watch(two);
  metrics.set_probed_libraries("libssl", 2);
  metrics.set_unprobed_processes("go", "no_openssl", 1);
  metrics.add_late_attach("libssl", 1);
  metrics.add_kernel_drops("eth0", 2);
  metrics.add_kernel_drops("eth0", 3);
  const Samples m = samples_of(metrics.text());
  EXPECT_EQ(get(m, R"(wiretally_capture_bytes_total{source="tls"})"), "100");
  EXPECT_EQ(get(m, R"(wiretally_skipped_bytes_total{stage="http",reason="not_llm"})"), "40");
  EXPECT_EQ(get(m, R"(wiretally_missing_bytes_total{stage="packet",reason="segment_lost"})"),
            "absent");
  EXPECT_EQ(get(m, R"(wiretally_missing_bytes_total{stage="stream",reason="segment_lost"})"),
            "1460");
  EXPECT_EQ(get(m, R"(wiretally_connections_total{source="packet",verdict="llm"})"), "3");
  EXPECT_EQ(get(m, "wiretally_packets_bad_checksum_total"), "7");
  EXPECT_EQ(get(m, "wiretally_packets_not_tcp_total"), "4");
  EXPECT_EQ(get(m, R"(wiretally_build_info{kernel="6.1",revision="abc",version="1"})"), "1");
  EXPECT_EQ(get(m, R"(wiretally_probed_libraries{kind="libssl"})"), "2");
  EXPECT_EQ(get(m, R"(wiretally_capture_kernel_dropped_packets_total{interface="eth0"})"), "5");
  EXPECT_EQ(sum(m, "wiretally_capture_bytes_total"),
            sum(m, "wiretally_parsed_bytes_total") + sum(m, "wiretally_skipped_bytes_total") +
                sum(m, "wiretally_dropped_bytes_total") + sum(m, "wiretally_buffered_bytes"));
}

TEST(AgentMetricsTest, BytesAreExactBeyondABillion) {
  Counters lane;
  lane.capture(Source::kTls, 123'456'789'012'345);
  AgentMetrics metrics({});
  metrics.watch(lane);
  EXPECT_EQ(
      std::stod(get(samples_of(metrics.text()), R"(wiretally_capture_bytes_total{source="tls"})")),
      123'456'789'012'345.0);
}

TEST(MetricsText, PromtoolIsSilent) {
  if (std::system("command -v promtool >/dev/null 2>&1") != 0) {
    GTEST_SKIP() << "promtool is not installed";
  }
  Sink s;
  LedgerEntry rich = rich_entry();
  rich.cost.stated = rich.cost.by_book = Picodollars{5};
  rich.legs_tokens_delta = -2;
  s.sink.on_entry(rich);
  LedgerEntry failed = plain_entry();
  failed.record.outcome = Outcome::kHttpError;
  failed.record.gateway.assign("litellm");
  failed.record.cache_status.assign("HIT");
  failed.record.usage_missing = UsageMissing::kNotInAnswer;
  failed.record.flags.set(RecordFlag::kModelMismatch);
  s.sink.on_entry(failed);
  LedgerEntry refused = plain_entry();
  refused.record.outcome = Outcome::kHttpError;
  refused.record.status_code = 429;
  s.sink.on_entry(refused);
  s.sink.on_estimator(rich.record, TokenSide::kOutput, {.off_by = 1, .reported = 3});
  s.sink.on_call_opened({});
  s.sink.on_suspect(Dialect::kOpenaiChat);
  s.sink.on_connection("api.openai.com", true, "");
  Counters lane;
  AgentMetrics agent({.version = "1", .revision = "r", .kernel = "k"});
  agent.watch(lane);
  agent.set_probed_libraries("libssl", 1);
  agent.set_unprobed_processes("static", "stripped", 1);
  agent.add_late_attach("libssl", 1);
  agent.add_price_reload("ok");
  agent.set_price_rows(1059);
  const std::string text = metrics_text(s.sink, &agent);
  for (size_t i = 0; i < kFamilyCount; ++i) {
    const std::string name(spec_of(static_cast<Family>(i)).name);
    EXPECT_NE(text.find("# TYPE " + name + " "), std::string::npos) << name;
  }
  const std::string path =
      (std::filesystem::temp_directory_path() / ("wiretally_metrics." + std::to_string(::getpid())))
          .string();
  std::ofstream(path) << text;
  const std::string command = "promtool check metrics < " + path + " > " + path + ".out 2>&1";
  const int status = std::system(command.c_str());
  std::ostringstream said;
  said << std::ifstream(path + ".out").rdbuf();
  EXPECT_EQ(status, 0);
  EXPECT_EQ(said.str(), "");
  std::filesystem::remove(path);
  std::filesystem::remove(path + ".out");
}

TEST(PrometheusSinkTest, ScrapesBesideUpdatesLoseNothing) {
  PrometheusSink sink(Limits{});
  std::jthread feeder([&] {
    for (int i = 0; i < 3000; ++i) sink.on_entry(rich_entry());
  });
  for (int i = 0; i < 50; ++i) sink.delivered(sink.scrape(Reader::kPrometheus));
  feeder.join();
  EXPECT_EQ(sum(samples_of(sink.text()), "llm_tokens_total"), 3000 * 1050);
}

}  // namespace
}  // namespace wiretally::sinks
