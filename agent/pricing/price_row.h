// One model's prices.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace wiretally::pricing {

// What is priced apart. A token has exactly one of these prices.
enum class Item : uint8_t {
  kInput,
  kCacheRead,
  kCacheWrite5m,
  kCacheWrite1h,
  kOutput,
  kReasoning,  // where reasoning costs other than output
  kInputAudio,
  kOutputAudio,
  kInputImage,  // where image tokens cost other than text
  kOutputImage,
  kCount,
};
inline constexpr size_t kItemCount = static_cast<size_t>(Item::kCount);

// Classes of service with prices of their own.
enum class Tier : uint8_t { kStandard, kPriority, kUltrafast, kFlex, kBatch, kCount };
inline constexpr size_t kTierCount = static_cast<size_t>(Tier::kCount);

// Femtodollars, 1e-15 USD, for one token (or one search). Not stated is not zero.
struct Rate {
  static constexpr int kScale = 15;
  static constexpr int64_t kMax = 1'000'000'000'000'000;  // 1 USD; more is a mistake of the file

  int64_t femtodollars = -1;

  bool stated() const { return femtodollars >= 0; }
  friend bool operator==(const Rate&, const Rate&) = default;
};

struct RateCard {
  std::array<Rate, kItemCount> rates;

  Rate& operator[](Item item) { return rates[static_cast<size_t>(item)]; }
  const Rate& operator[](Item item) const { return rates[static_cast<size_t>(item)]; }
  friend bool operator==(const RateCard&, const RateCard&) = default;
};

// Prices of requests whose input has more than `above` tokens: of all their tokens, not only of the
// excess.
struct Band {
  uint64_t above = 0;
  std::array<RateCard, kTierCount> tiers;

  RateCard& operator[](Tier tier) { return tiers[static_cast<size_t>(tier)]; }
  const RateCard& operator[](Tier tier) const { return tiers[static_cast<size_t>(tier)]; }
};

struct PriceRow {
  static constexpr uint32_t kNoUplift = 1000;

  std::string key{};          // as the catalog names it: azure/gpt-4o, claude-opus-4-7
  std::string owner{};        // the catalog's name of who sells it
  std::string origin{};       // which catalog
  std::vector<Band> bands{};  // ascending; the first is above 0
  Rate web_search{};          // one, whatever its size
  uint32_t us_uplift_permille = kNoUplift;  // at the provider's regional hosts
  uint32_t eu_uplift_permille = kNoUplift;
  bool band_includes_border = false;  // a band holds from exactly `above` tokens on

  Band& band(uint64_t above);  // made where it is missing
};

}  // namespace wiretally::pricing
