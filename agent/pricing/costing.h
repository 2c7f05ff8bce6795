// From tokens and a price row to money: a pure function.
#pragma once

#include <array>
#include <optional>

#include "price_row.h"
#include "wiretally/price.h"

namespace wiretally::pricing {

// The tier that a provider's word for it names; nothing for a word whose price is not known (a
// committed capacity, a tier of the future).
std::optional<Tier> tier_of(std::string_view service_tier);

// Whether the provider's own numbers are known for everything such a call has.
bool all_reported(const UsageRecord& record);

// Why a row prices a call not. What is told about it: gap_text().
enum class Gap : uint8_t {
  kNone,
  kNoRow,          // no such model of this provider
  kNotInEffect,    // rows, but none for that day
  kNoTokenPrices,  // the list prices it by what is not counted here
  kTokensUnknown,  // not reported, or estimated
  kTier,           // a word that names no tier
  kRate,           // no rate for the kind of token, in this tier and band
  kSearch,         // searches without one price
  kCachedAudio,    // cached tokens, and nobody said how many of them are audio
  kGeography,
  kSpeed,
  kParts,  // parts exceed their whole
  kSize,   // more than exact numbers hold
};
std::string_view gap_text(Gap gap);

struct Costing {
  Picodollars input{};
  Picodollars cache_read{};
  Picodollars cache_write{};
  Picodollars output{};
  Picodollars tools{};
  Picodollars total{};
  Ratio factor{};  // of the tokens, `discount` included
  // Names of the factors that applied; empty ones at the end.
  std::array<std::string_view, 4> factors{};
};

// Tier and band are known even where the rest is not.
struct Quotation {
  Gap gap = Gap::kNone;
  Item missing{};  // kRate: whose
  Tier tier = Tier::kStandard;
  uint64_t band = 0;
  Costing costing{};  // gap == kNone
  // What the call is billed by, where that is not tokens: audio_seconds, search_units.
  std::string_view units{};
};

// No cost when a rate is missing that the call needs, or its parts contradict its whole: no
// substitute is taken, because a wrong price looks like a right one. Needs all_reported(record),
// unless it says `units`.
// Where a provider states no detail (cached, audio …), none is assumed. `discount` multiplies the
// whole.
Quotation cost_of(const PriceRow& row, const UsageRecord& record, Ratio discount = {});

}  // namespace wiretally::pricing
