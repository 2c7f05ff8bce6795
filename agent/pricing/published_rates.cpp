#include "published_rates.h"

namespace wiretally::pricing {
namespace {

// rate ÷ divisor, half to even; an even divisor.
Rate part_of(Rate rate, int64_t divisor) {
  if (!rate.stated()) return rate;
  const int64_t quotient = rate.femtodollars / divisor, rest = rate.femtodollars % divisor;
  const bool up = rest * 2 > divisor || (rest * 2 == divisor && quotient % 2 == 1);
  return Rate{quotient + (up ? 1 : 0)};
}

void fill(Rate& rate, Rate published) {
  if (!rate.stated()) rate = published;
}

}  // namespace

void add_published_rates(PriceRow& row) {
  if (row.layer == Layer::kOverride) return;
  for (Band& band : row.bands) {
    RateCard& standard = band[Tier::kStandard];
    RateCard& batch = band[Tier::kBatch];
    if (row.provider == "mistral_ai") {
      fill(standard[Item::kCacheRead], part_of(standard[Item::kInput], 10));
    }
    if (row.provider == "groq") {
      fill(standard[Item::kCacheRead], part_of(standard[Item::kInput], 2));
    }
    if (row.provider == "anthropic") {
      for (size_t i = 0; i < kItemCount; ++i) fill(batch.rates[i], part_of(standard.rates[i], 2));
    }
    if (row.provider == "gcp.gemini") {
      fill(batch[Item::kCacheRead], standard[Item::kCacheRead]);
      fill(batch[Item::kCacheReadAudio], standard[Item::kCacheReadAudio]);
      for (size_t i = 0; i < kItemCount; ++i) fill(batch.rates[i], part_of(standard.rates[i], 2));
    }
  }
}

}  // namespace wiretally::pricing
