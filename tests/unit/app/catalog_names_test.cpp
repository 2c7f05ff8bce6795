// The price catalog's names against the record's: a dated snapshot of what was asked for is no
// mismatch, another model is one.
#include <gtest/gtest.h>

#include "built_in_prices.h"
#include "notes.h"

namespace wiretally {
namespace {

// claude-opus-4-7-20260416, gpt-4o-2024-08-06 → without the date.
std::string undated(const std::string& model) {
  for (const size_t size : {size_t{9}, size_t{11}}) {
    if (model.size() <= size) continue;
    const std::string tail = model.substr(model.size() - size);
    const std::string digits =
        size == 9 ? tail.substr(1) : tail.substr(1, 4) + tail.substr(6, 2) + tail.substr(9);
    const bool dashes = size == 9 || (tail[5] == '-' && tail[8] == '-');
    if ((tail[0] == '-') && dashes && digits.find_first_not_of("0123456789") == digits.npos) {
      return model.substr(0, model.size() - size);
    }
  }
  return "";
}

TEST(CatalogNames, DatedSnapshotsAreNoMismatch) {
  size_t dated = 0;
  for (const pricing::PriceRow& row : pricing::built_in_prices()) {
    const std::string alias = undated(row.model);
    if (alias.empty()) {
      EXPECT_TRUE(llm::same_model(row.model, row.model + "-2026-04-23")) << row.model;
      EXPECT_TRUE(llm::same_model(row.model, row.model + "-20260423")) << row.model;
      continue;
    }
    ++dated;
    EXPECT_TRUE(llm::same_model(alias, row.model)) << row.model;
    EXPECT_TRUE(llm::same_model(row.model, alias)) << row.model;
  }
  EXPECT_GT(dated, 20u);
}

TEST(CatalogNames, OtherNamesOfTheSameModelAreNoMismatch) {
  static constexpr std::pair<const char*, const char*> kNames[] = {
      {"gemini-flash-latest", "gemini-2.5-flash-preview-09-2025"},
      {"gemini-flash-latest", "gemini-3-flash"},
      {"mistral-large-latest", "mistral-large-2512"},
      {"claude-3-5-sonnet-latest", "claude-3-5-sonnet-20241022"},
      {"claude-opus-4-7", "claude-opus-4-7@20260416"},
      {"anthropic/claude-opus-4.7", "claude-opus-4-7-20260416"},
      {"openai/gpt-4o:online", "openai/gpt-4o"},
      {"openai/gpt-4o:nitro", "openai/gpt-4o-2024-08-06"},
      {"deepseek/deepseek-r1:free", "deepseek/deepseek-r1:free"},
      {"meta-llama/Llama-3.1-8B-Instruct:novita", "meta-llama/llama-3.1-8b-instruct"},
      {"ft:gpt-4o-mini-2024-07-18:org::id", "ft:gpt-4o-mini-2024-07-18:org::id"},
      {"qwen3:8b", "qwen3:8b"}};
  for (const auto& [requested, served] : kNames) {
    EXPECT_TRUE(llm::same_model(requested, served)) << requested << " " << served;
  }
}

TEST(CatalogNames, AnotherModelIsAMismatch) {
  static constexpr std::pair<const char*, const char*> kSubstitutions[] = {
      {"gpt-4", "gpt-4o-mini"},
      {"gpt-4o", "gpt-4o-mini-2024-07-18"},
      {"gpt-5.5", "gpt-5.5-mini-2026-04-23"},
      {"gpt-5", "gpt-5.1-2025-11-13"},
      {"o3", "o3-mini-2025-01-31"},
      {"claude-opus-4-7", "claude-sonnet-4-5-20250929"},
      {"claude-opus-4-7", "claude-opus-4-6-20260205"},
      {"claude-opus-4-7", "deepseek-v4-pro"},
      {"gemini-2.5-pro", "gemini-2.5-flash"},
      {"mistral-large-latest", "mistral-small-2503"},
      {"gemini-flash-latest", "gemini-2.5-flash-lite"},
      {"gemini-flash-latest", "gemini-2.5-pro"},
      {"openai/gpt-4o:online", "openai/gpt-4o-mini"},
      {"qwen3:8b", "qwen3:32b"},
      {"ft:gpt-4o-mini-2024-07-18:org::id", "gpt-4o-mini-2024-07-18"}};
  for (const auto& [requested, served] : kSubstitutions) {
    EXPECT_FALSE(llm::same_model(requested, served)) << requested << " " << served;
  }
}

}  // namespace
}  // namespace wiretally
