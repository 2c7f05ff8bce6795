// `wiretally prices` as a user types it.
#include <gtest/gtest.h>

#include <fstream>

#include "binary.h"

namespace wiretally::test {
namespace {

bool says(const Outcome& run, std::string_view name, std::string_view value) {
  std::string line(name);
  line.resize(13, ' ');
  return run.out.find(line.append(value)) != run.out.npos;
}

TEST(Prices, ATranscriptionIsBilledByTheSecondAndARerankByItsSearches) {
  const Outcome sound = wiretally({"prices", "whisper-1", "--audio-seconds", "90"});
  EXPECT_EQ(sound.exit_status, 0) << sound.err;
  EXPECT_NE(sound.out.find("whisper-1:audio_seconds"), std::string::npos) << sound.out;
  EXPECT_NE(sound.out.find("audio_second 0.0001 (USD for one)"), std::string::npos) << sound.out;
  EXPECT_NE(sound.out.find("0.009 USD"), std::string::npos) << sound.out;
  const Outcome rerank = wiretally({"prices", "rerank-v3.5", "--searches", "2"});
  EXPECT_NE(rerank.out.find("0.004 USD"), std::string::npos) << rerank.out;
}

TEST(Prices, ExplainsAMatch) {
  const Outcome run =
      wiretally({"prices", "gpt-5.5-2026-04-23", "--input", "280000", "--output", "1000"});
  EXPECT_EQ(run.exit_status, 0) << run.err;
  EXPECT_TRUE(says(run, "provider", "openai\n")) << run.out;
  EXPECT_TRUE(says(run, "row", "builtin-2026-09/gpt-5.5:above_272000\n")) << run.out;
  EXPECT_TRUE(says(run, "matched by", "the undated name of the snapshot\n")) << run.out;
  EXPECT_TRUE(says(run, "source date", "2026-07-24\n")) << run.out;
  EXPECT_TRUE(says(run, "tier", "standard\n")) << run.out;
  EXPECT_TRUE(says(run, "band", "above 272000 tokens")) << run.out;
  EXPECT_TRUE(says(run, "cost", "2.845 USD = input 2.8 + output 0.045\n")) << run.out;
}

TEST(Prices, SaysThatNoRowIsExact) {
  const Outcome run = wiretally({"prices", "gpt-5.5", "--tier", "priority", "--input", "280000"});
  EXPECT_EQ(run.exit_status, 2);
  EXPECT_TRUE(says(run, "tier", "priority\n")) << run.out;
  EXPECT_TRUE(says(run, "cost", "null: no exact row: ")) << run.out;
  const Outcome azure = wiretally({"prices", "gpt-5.5", "--tier", "priority", "--input", "280000",
                                   "--output", "1000", "--provider", "azure.ai.openai"});
  EXPECT_EQ(azure.exit_status, 0);
  EXPECT_TRUE(says(azure, "cost", "5.69 USD")) << azure.out;
}

TEST(Prices, KnowsItsWorkedExamples) {
  const Outcome claude =
      wiretally({"prices", "claude-opus-4-7", "--input", "23012", "--cache-read", "20000",
                 "--cache-write-5m", "3000", "--output", "500", "--searches", "1"});
  EXPECT_TRUE(says(claude, "cost",
                   "0.05131 USD = input 0.00006 + cache read 0.01 + cache write "
                   "0.01875 + output 0.0125 + tools 0.01\n"))
      << claude.out;
  const Outcome gpt = wiretally({"prices", "gpt-5.5", "--input", "1200", "--cache-read", "1024",
                                 "--output", "310", "--reasoning", "256"});
  EXPECT_TRUE(says(gpt, "cost", "0.010692 USD")) << gpt.out;
}

TEST(Prices, UnknownIsNullAndSelfHostedIsNoError) {
  const Outcome unknown = wiretally({"prices", "gpt-99"});
  EXPECT_EQ(unknown.exit_status, 2);
  EXPECT_TRUE(says(unknown, "cost", "null: no exact row: no row for this model")) << unknown.out;
  const Outcome own = wiretally({"prices", "llama-4", "--provider", "vllm"});
  EXPECT_EQ(own.exit_status, 0);
  EXPECT_TRUE(says(own, "cost", "null: self-hosted")) << own.out;
}

TEST(Prices, SpeaksJson) {
  const Outcome run = wiretally({"prices", "gpt-5.5", "--json"});
  EXPECT_EQ(run.exit_status, 0);
  EXPECT_NE(run.out.find(R"("price_id":"builtin-2026-09/gpt-5.5")"), run.out.npos) << run.out;
  EXPECT_NE(run.out.find(R"("cost_usd":"0.035")"), run.out.npos) << run.out;
  EXPECT_NE(run.out.find(R"("source_date":"2026-07-24")"), run.out.npos) << run.out;
}

TEST(Prices, ChangeWithTheDate) {
  const auto cost = [](const char* date) {
    return wiretally({"prices", "claude-sonnet-5", "--date", date}).out;
  };
  EXPECT_NE(cost("2026-08-31").find("0.012 USD"), std::string::npos) << cost("2026-08-31");
  EXPECT_NE(cost("2026-09-01").find("0.018 USD"), std::string::npos) << cost("2026-09-01");
  EXPECT_EQ(wiretally({"prices", "claude-sonnet-5", "--date", "yesterday"}).exit_status, 2);
}

TEST(Prices, UseFilesAndNameTheirMistakes) {
  const std::string path = testing::TempDir() + "wiretally-own.yaml";
  std::ofstream(path) << "discounts:\n  - {provider: openai, percent: 10}\n";
  const Outcome run = wiretally({"prices", "gpt-5.5", "--price-overrides", path});
  EXPECT_TRUE(says(run, "cost", "0.0315 USD")) << run.out << run.err;
  EXPECT_TRUE(says(run, "factor", "9/10\n")) << run.out;
  std::ofstream(path) << "discounts:\n  - {provider: openai, percent: ten}\n";
  const Outcome bad = wiretally({"prices", "gpt-5.5", "--price-overrides", path});
  EXPECT_EQ(bad.exit_status, 2);
  EXPECT_NE(bad.err.find(path + ":2: percent: 'ten'"), bad.err.npos) << bad.err;
}

TEST(Prices, NeedsAModel) {
  EXPECT_EQ(wiretally({"prices"}).exit_status, 1);
  EXPECT_EQ(wiretally({"prices", "m", "--input", "many"}).exit_status, 1);
}

}  // namespace
}  // namespace wiretally::test
