// From tokens and a price row to money: a pure function.
#pragma once

#include <optional>

#include "price_row.h"
#include "wiretally/price.h"

namespace wiretally::pricing {

// The tier that a provider's word for it names; nothing for a word whose price is not known (a
// committed capacity, a tier of the future).
std::optional<Tier> tier_of(std::string_view service_tier);

// Whether the provider's own numbers are known for everything such a call has.
bool all_reported(const UsageRecord& record);

struct Costing {
  Picodollars input{};
  Picodollars cache_read{};
  Picodollars cache_write{};
  Picodollars output{};
  Picodollars tools{};
  Picodollars total{};
  uint64_t band = 0;
  Tier tier = Tier::kStandard;
  std::string_view region;  // "us" or "eu" if its uplift applied
};

// Nothing when a rate is missing that the call needs, or its parts contradict its whole: no
// substitute is taken, because a wrong price looks like a right one. Needs all_reported(record).
// Where a provider states no detail (cached, audio …), none is assumed.
std::optional<Costing> cost_of(const PriceRow& row, const UsageRecord& record);

}  // namespace wiretally::pricing
