// Calls and books in a few words.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "built_in_prices.h"
#include "catalog.h"

namespace wiretally::pricing {

inline UsageRecord make_call(std::string_view provider, std::string_view model, uint64_t input,
                             uint64_t output) {
  UsageRecord record;
  record.provider.assign(provider);
  record.response_model.assign(model);
  record.tokens.input = input;
  record.tokens.output = output;
  record.tokens.input_source = record.tokens.output_source = UsageSource::kReported;
  return record;
}

// Rows of one provider, as price tables write them.
inline std::vector<PriceRow> table(std::string_view provider, std::string_view rows) {
  auto read =
      read_price_table("provider " + std::string(provider) + "\n" + std::string(rows), "test");
  EXPECT_TRUE(read) << read.error().message;
  return read ? *std::move(read) : std::vector<PriceRow>{};
}

inline int64_t pico(const std::optional<Picodollars>& amount) {
  return amount ? static_cast<int64_t>(*amount) : -1;
}

inline constexpr int64_t kMicroUsd = 1'000'000;  // picodollars

}  // namespace wiretally::pricing
