#include "overrides.h"

#include <gtest/gtest.h>

#include "built_in_prices.h"
#include "catalog.h"

namespace wiretally::pricing {
namespace {

Overrides read(const std::string& yaml) {
  auto overrides = read_overrides(yaml, "own.yaml");
  EXPECT_TRUE(overrides) << overrides.error().message;
  return overrides ? *std::move(overrides) : Overrides{};
}

UsageRecord call(std::string_view provider, std::string_view model, uint64_t input,
                 uint64_t output) {
  UsageRecord record;
  record.provider.assign(provider);
  record.response_model.assign(model);
  record.tokens.input = input;
  record.tokens.output = output;
  record.tokens.input_source = record.tokens.output_source = UsageSource::kReported;
  return record;
}

// USD for a million tokens as the table states it.
PriceRow row(std::string_view text) {
  auto rows = read_price_table("provider openai\n" + std::string(text), "test");
  EXPECT_TRUE(rows) << rows.error().message;
  return rows->front();
}

int64_t pico(const Cost& cost) { return cost.total ? static_cast<int64_t>(*cost.total) : -1; }

constexpr int64_t kMicro = 1'000'000;  // picodollars

int64_t at(std::string_view date) { return *epoch_of_date(date); }

TEST(Overrides, RowsGoBeforeTheListsAndTheirSnapshots) {
  const Catalog book(
      {row("m 2026-07-01 input 5 output 30"), row("other-2024-05-13 2026-07-01 input 9 output 9"),
       row("other 2026-07-01 input 5 output 9")},
      read(R"(
prices:
  - {provider: openai, model: m, input: 4.50, output: 27, source_date: 2026-10-01}
  - {provider: openai, model: other, input: 4, output: 8}
)"));
  const Cost own = book.price(call("openai", "m", 1, 1));
  EXPECT_EQ(pico(own), 31'500'000);
  EXPECT_EQ(own.source, PriceSource::kOverride);
  EXPECT_EQ(own.price_id.view(), "override/openai/m");
  EXPECT_EQ(pico(book.price(call("openai", "m-2026-04-23", 1, 1))), 31'500'000);
  EXPECT_EQ(pico(book.price(call("openai", "other-2024-05-13", 1, 0))), 9 * kMicro)
      << "a snapshot that the lists price otherwise is another product";
  EXPECT_EQ(pico(book.price(call("azure.ai.openai", "m", 1, 1))), -1);
}

TEST(Overrides, HaveTiersBandsFeesAndFactors) {
  const Catalog book({}, read(R"(
prices:
  - provider: openai
    model: m
    input: 5
    cache_read: 0.5
    output: 30
    tiers: {priority: {input: 10, output: 60}}
    above:
      - {tokens: 272000, input: 10, output: 45, tiers: {priority: {input: 20, output: 90}}}
    web_search: 0.01
    request: 0.002
    eu_host: 1.1
)"));
  UsageRecord record = call("openai", "m", 1000, 0);
  EXPECT_EQ(pico(book.price(record)), 7'000 * kMicro);
  record.server_tool_requests = 2;
  EXPECT_EQ(pico(book.price(record)), 27'000 * kMicro);
  record.server_name.assign("eu.api.openai.com");
  EXPECT_EQ(pico(book.price(record)), 27'500 * kMicro) << "fees are not uplifted";
  record = call("openai", "m", 280'000, 1'000);
  record.service_tier.assign("priority");
  EXPECT_EQ(pico(book.price(record)), 5'692'000 * kMicro);
}

TEST(Overrides, EffectiveDatesPartOldFromNew) {
  const Catalog book({row("m 2026-07-01 input 1 output 1")}, read(R"(
prices:
  - {provider: openai, model: m, input: 2, output: 1, from: 2026-09-01, until: "2026-10-01T12:00:00Z"}
  - {provider: openai, model: m, input: 3, output: 1, from: "2026-10-01T12:00:00Z"}
)"));
  const UsageRecord record = call("openai", "m", 1, 0);
  EXPECT_EQ(pico(book.price_at(record, at("2026-08-31"))), 1 * kMicro);
  EXPECT_EQ(pico(book.price_at(record, at("2026-09-01") - 1)), 1 * kMicro);
  EXPECT_EQ(pico(book.price_at(record, at("2026-09-01"))), 2 * kMicro);
  EXPECT_EQ(pico(book.price_at(record, at("2026-10-01T12:00:00Z") - 1)), 2 * kMicro);
  EXPECT_EQ(pico(book.price_at(record, at("2026-10-01T12:00:00Z"))), 3 * kMicro);
  EXPECT_EQ(pico(book.price(record)), 3 * kMicro);
}

TEST(Overrides, DiscountsAreExactAndOffTheListsOnly) {
  const Catalog book({row("gpt-a 2026-07-01 input 5 output 30 web_search 0.01"),
                      row("gpt-b 2026-07-01 input 5 output 30")},
                     read(R"(
discounts:
  - {provider: openai, model: "gpt-a*", percent: 12.5, from: 2026-06-01}
prices:
  - {provider: openai, model: gpt-b, input: 5, output: 30}
)"));
  UsageRecord record = call("openai", "gpt-a-2026-01-01", 1'000, 100);
  record.server_tool_requests = 1;
  const Cost cost = book.price_at(record, at("2026-11-01"));
  EXPECT_EQ(pico(cost), (5'000 + 3'000 + 10'000) * 875 * kMicro / 1000);
  EXPECT_EQ(cost.source, PriceSource::kOverride);
  EXPECT_TRUE(cost.price_id.view().ends_with(":discount"));
  EXPECT_EQ(pico(book.price_at(record, at("2026-05-31"))), 18'000 * kMicro);
  EXPECT_EQ(pico(book.price(call("openai", "gpt-b", 1, 0))), 5 * kMicro);
}

TEST(Overrides, DeploymentsStandForTheirModels) {
  PriceRow azure = row("gpt-5.5 2026-07-01 input 5 output 30");
  azure.provider = "azure.ai.openai";
  PriceRow bedrock = row("us.anthropic.claude-x 2026-07-01 input 3 output 15");
  bedrock.provider = "aws.bedrock";
  const Catalog book({azure, bedrock}, read(R"(
deployments:
  - {provider: azure.ai.openai, name: chat-prod, model: gpt-5.5}
  - {name: "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc", model: us.anthropic.claude-x}
)"));
  EXPECT_EQ(pico(book.price(call("azure.ai.openai", "chat-prod", 1, 0))), 5 * kMicro);
  EXPECT_EQ(pico(book.price(call("azure.ai.openai", "chat-test", 1, 0))), -1);
  EXPECT_EQ(
      pico(book.price(call("aws.bedrock",
                           "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc", 1, 0))),
      3 * kMicro);
  EXPECT_EQ(pico(book.price(
                call("aws.bedrock",
                     "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-x", 1, 0))),
            3 * kMicro);
}

// Which zone a deployment is in is not on the wire; whose name and server it has is.
TEST(Overrides, ADeploymentsZoneHasItsOwnPrices) {
  const auto azure = [](std::string_view text) {
    PriceRow one = row(text);
    one.provider = "azure.ai.openai";
    return one;
  };
  const Catalog book(
      {azure("gpt-x 2026-07-01 input 5 output 30"), azure("eu/gpt-x 2026-07-01 input 6 output 33"),
       azure("us/gpt-x-2026-04-23 2026-07-01 input 7 output 33"),
       azure("gpt-y 2026-07-01 input 1 output 1"),
       azure("global/gpt-y 2026-07-01 input 2 output 2")},
      read(R"(
deployments:
  - {provider: azure.ai.openai, name: chat-eu, zone: eu}
  - {provider: azure.ai.openai, name: speech, model: gpt-x, zone: eu}
  - {provider: azure.ai.openai, server: "acme-us.openai.azure.com", zone: us}
  - {provider: azure.ai.openai, server: "acme.*", zone: global}
)"));
  const auto of = [&](std::string_view deployment, std::string_view served,
                      std::string_view server = "x.openai.azure.com") {
    UsageRecord record = call("azure.ai.openai", served, 1, 0);
    record.request_model.assign(deployment);
    record.server_name.assign(server);
    return pico(book.price(record));
  };
  EXPECT_EQ(of("chat", "gpt-x-2026-04-23"), 5 * kMicro);
  EXPECT_EQ(of("chat-eu", "gpt-x-2026-04-23"), 6 * kMicro);
  EXPECT_EQ(of("chat-eu", "gpt-y"), -1) << "what the zone's list leaves out has no price";
  EXPECT_EQ(of("chat", "gpt-x-2026-04-23", "acme-us.openai.azure.com"), 7 * kMicro);
  EXPECT_EQ(of("chat", "gpt-y", "acme.openai.azure.com"), 2 * kMicro);
  EXPECT_EQ(of("chat", "gpt-x", "acme.openai.azure.com"), 5 * kMicro) << "sold everywhere";
  EXPECT_EQ(of("speech", ""), 6 * kMicro) << "the answer names no model: the configuration does";
  EXPECT_EQ(of("speech", "gpt-y"), -1) << "what was served counts, not what is configured";
  EXPECT_EQ(of("chat", ""), -1);
}

TEST(Overrides, HoursOfTheDayHaveTheirPrices) {
  const Catalog book({row("m 2026-07-01 input 1 output 1")}, read(R"(
prices:
  - {provider: openai, model: m, input: 4, output: 4}
  - {provider: openai, model: m, input: 2, output: 2, hours: "16:30-00:30"}
  - {provider: openai, model: m, input: 3, output: 3, hours: "06:00-08:00"}
)"));
  const UsageRecord record = call("openai", "m", 1, 0);
  const auto price_at = [&](std::string_view time) {
    return pico(book.price_at(record, at("2026-10-05T" + std::string(time) + "Z")));
  };
  EXPECT_EQ(price_at("16:29:59"), 4 * kMicro);
  EXPECT_EQ(price_at("16:30:00"), 2 * kMicro);
  EXPECT_EQ(price_at("23:59:59"), 2 * kMicro);
  EXPECT_EQ(price_at("00:29:59"), 2 * kMicro);
  EXPECT_EQ(price_at("00:30:00"), 4 * kMicro);
  EXPECT_EQ(price_at("06:00:00"), 3 * kMicro);
  EXPECT_EQ(price_at("08:00:00"), 4 * kMicro);
  EXPECT_EQ(pico(book.price(record)), 4 * kMicro) << "without a time: the row of no hours";
}

TEST(Overrides, SecondsAndSearchesMayHavePrices) {
  const Catalog book({}, read(R"(
prices:
  - {provider: vllm, model: whisper-large, audio_second: 0.00005}
  - {provider: cohere, model: rerank-v3.5, search_unit: 0.001}
)"));
  UsageRecord record;
  record.provider.assign("vllm");
  record.request_model.assign("whisper-large");
  record.operation = Operation::kTranscription;
  record.billed_audio_ms = 2'000;
  EXPECT_EQ(pico(book.price(record)), 100 * kMicro);
  record.provider.assign("cohere");
  record.request_model.assign("rerank-v3.5");
  record.operation = Operation::kRerank;
  record.server_tool_requests = 2;
  EXPECT_EQ(pico(book.price(record)), 2'000 * kMicro);
}

TEST(Overrides, OwnMachinesAreSelfHosted) {
  const Catalog book({}, read(R"(
self_hosted:
  - {server: "*.gpu.internal", model: "llama*", input: 0.1, output: 0.2}
  - {server: "*.gpu.internal"}
)"));
  UsageRecord record = call("unknown", "llama-4", 1'000, 1'000);
  EXPECT_EQ(book.price(record).source, PriceSource::kNone);
  record.server_name.assign("n1.gpu.internal");
  EXPECT_EQ(book.price(record).source, PriceSource::kSelfHosted);
  EXPECT_EQ(pico(book.price(record)), 300 * kMicro);
  EXPECT_EQ(book.price(record).price_id.view(), "override/self_hosted/llama*");
  record.response_model.assign("qwen");
  EXPECT_EQ(book.price(record).source, PriceSource::kSelfHosted);
  EXPECT_EQ(book.price(record).total, std::nullopt);
  for (const char* server : {"ollama", "vllm", "llamacpp", "lmstudio", "tgi"}) {
    EXPECT_EQ(book.price(call(server, "m", 1, 1)).source, PriceSource::kSelfHosted) << server;
  }
  EXPECT_EQ(book.price(call("ollama", "gpt-oss:120b-cloud", 1, 1)).source, PriceSource::kNone);
}

TEST(Overrides, ErrorsNameFileLineAndRemedy) {
  const auto error = [](const std::string& yaml) {
    const auto overrides = read_overrides(yaml, "own.yaml");
    return overrides ? std::string("none") : overrides.error().message;
  };
  struct Case {
    const char* yaml;
    const char* line;
    const char* says;
  };
  for (
      const Case& c : {
          Case{"prices:\n  - {provider: p, model: m, input: 1}\n  - {provider: p, model: n, input: "
               "x}\n",
               ":3:", "'x' is no price"},
          Case{"prices:\n- {provider: p, model: m, input: 1, outptu: 2}\n", ":2:", "outptu"},
          Case{"prices:\n- {provider: p, input: 1}\n", ":2:", "'model'"},
          Case{"prices:\n- {provider: p, model: m, output: 1}\n", ":2:", "'input'"},
          Case{"prices:\n- {provider: p, model: m, input: -1}\n", ":2:", "'-1'"},
          Case{
              "prices:\n- {provider: p, model: m, input: 1}\n- {provider: p, model: m, input: 2}\n",
              ":3:", "same time"},
          Case{"prices:\n- {provider: p, model: m, input: 1, from: 2026-13-01}\n",
               ":2:", "2026-13-01"},
          Case{"prices:\n- {provider: p, model: m, input: 1, from: 2026-02-30}\n",
               ":2:", "2026-02-30"},
          Case{
              "prices:\n- {provider: p, model: m, input: 1, from: 2026-02-02, until: 2026-02-01}\n",
              ":2:", "not after"},
          Case{"\ndiscounts:\n- {provider: p, percent: 100}\n", ":3:", "percent"},
          Case{"discounts:\n- {provider: p, factor: 0.1234567}\n", ":2:", "factor"},
          Case{"discounts:\n- {provider: p}\n", ":2:", "'percent' or 'factor'"},
          Case{"deployments:\n- {name: a}\n", ":2:", "'model'"},
          Case{"deployments:\n- {model: a}\n", ":2:", "'server'"},
          Case{"prices:\n- {provider: p, model: m, input: 1, hours: \"1-2\"}\n",
               ":2:", "16:30-00:30"},
          Case{"prices:\n- {provider: p, model: m, input: 1, hours: \"24:00-02:00\"}\n",
               ":2:", "16:30-00:30"},
          Case{"prices:\n- {provider: p, model: m, input: 1, hours: \"22:00-02:00\"}\n"
               "- {provider: p, model: m, input: 1, hours: \"01:59-03:00\"}\n",
               ":3:", "same time"},
          Case{"self_hosted:\n- {input: 1}\n", ":2:", "'server'"},
          Case{"prize: 1\n", ":1:", "prices, discounts"},
          Case{"prices: [\n", "", "YAML"},
          Case{"- 1\n", ":1:", "mapping"},
          Case{"prices: 7\n", ":1:", "list"},
      }) {
    const std::string message = error(c.yaml);
    EXPECT_NE(message.find("own.yaml" + std::string(c.line)), std::string::npos) << message;
    EXPECT_NE(message.find(c.says), std::string::npos) << message;
  }
  EXPECT_EQ(error(""), "none");
  EXPECT_EQ(error("prices:\n"), "none");
}

TEST(Overrides, PatternsMatch) {
  EXPECT_TRUE(matches("", "anything"));
  EXPECT_TRUE(matches("*", ""));
  EXPECT_TRUE(matches("gpt-5*", "gpt-5.5"));
  EXPECT_TRUE(matches("*.gpu.*", "a.gpu.internal"));
  EXPECT_TRUE(matches("a*b*c", "aXbXbc"));
  EXPECT_FALSE(matches("gpt-5", "gpt-5.5"));
  EXPECT_FALSE(matches("*.gpu", "gpu"));
  EXPECT_FALSE(matches("a*b", "ac"));
}

TEST(Ratios, AreExact) {
  EXPECT_EQ(ratio_of("1.1"), (Ratio{11, 10}));
  EXPECT_EQ(ratio_of("6.0"), (Ratio{6, 1}));
  EXPECT_EQ(ratio_of("0.000001"), (Ratio{1, 1'000'000}));
  for (const char* bad : {"0", "-1", "1.0000001", "1001", "x", ""}) {
    EXPECT_EQ(ratio_of(bad), std::nullopt) << bad;
  }
  EXPECT_EQ(ratio_after_discount("12.5"), (Ratio{7, 8}));
  EXPECT_EQ(ratio_after_discount("0"), (Ratio{1, 1}));
  EXPECT_EQ(product({11, 10}, {7, 8}), (Ratio{77, 80}));
  EXPECT_EQ(product({2, 3}, {3, 2}), (Ratio{1, 1}));
  EXPECT_EQ(product({UINT64_MAX, 1}, {UINT64_MAX, 1}), std::nullopt);
}

}  // namespace
}  // namespace wiretally::pricing
