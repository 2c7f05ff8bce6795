// One model's prices, and what multiplies them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wiretally::pricing {

// What is priced apart. A token has exactly one of these prices. Names as price tables and
// overrides write them: item_name().
enum class Item : uint8_t {
  kInput,
  kCacheRead,
  kCacheWrite5m,
  kCacheWrite1h,
  kOutput,
  kReasoning,  // where reasoning costs other than output
  kInputAudio,
  kCacheReadAudio,
  kOutputAudio,
  kInputImage,  // where image tokens cost other than text
  kOutputImage,
  kCount,
};
inline constexpr size_t kItemCount = static_cast<size_t>(Item::kCount);
std::string_view item_name(Item item);
std::optional<Item> item_of_name(std::string_view name);

// Classes of service with prices of their own.
enum class Tier : uint8_t { kStandard, kPriority, kUltrafast, kFlex, kBatch, kCount };
inline constexpr size_t kTierCount = static_cast<size_t>(Tier::kCount);
std::string_view tier_name(Tier tier);
std::optional<Tier> tier_of_name(std::string_view name);

// Femtodollars, 1e-15 USD, for one token (one search, one request, one second). Not stated is not
// zero.
struct Rate {
  static constexpr int kScale = 15;
  static constexpr int64_t kMax = 1'000'000'000'000'000;  // 1 USD; more is a mistake of the file

  int64_t femtodollars = -1;

  bool stated() const { return femtodollars >= 0; }
  friend bool operator==(const Rate&, const Rate&) = default;
};

// The rate that `usd` for 10^power units means, rounded half to even; nothing if that is no price.
std::optional<Rate> rate_of(std::string_view usd, int power);
inline constexpr int kMillion = 6;

// An exact positive factor, in lowest terms.
struct Ratio {
  uint64_t over = 1;
  uint64_t under = 1;

  bool is_one() const { return over == 1 && under == 1; }
  friend bool operator==(const Ratio&, const Ratio&) = default;
};

// From "1.1": at most six decimals, from 0.000001 to 1000; nothing for anything else.
std::optional<Ratio> ratio_of(std::string_view text);
// What is left after a discount of "12.5" per cent.
std::optional<Ratio> ratio_after_discount(std::string_view percent);
// Nothing if it does not fit.
std::optional<Ratio> product(Ratio a, Ratio b);

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

// A part of every day in UTC, in seconds from midnight: from its first second to before its end,
// over midnight where the end is not after the beginning.
struct Hours {
  int32_t from_s = 0;
  int32_t until_s = 0;

  bool hold(int64_t epoch_ns) const;
  bool overlap(const Hours& other) const;
};
// "16:30-00:30"; nothing for anything else, and for a whole day.
std::optional<Hours> hours_of(std::string_view text);

// From its first nanosecond to before its end; epoch time. The latest time there is (INT64_MAX)
// is no hour of the day.
struct Period {
  int64_t from_ns = INT64_MIN;
  int64_t until_ns = INT64_MAX;
  std::optional<Hours> hours{};

  bool holds(int64_t epoch_ns) const {
    if (epoch_ns < from_ns || (epoch_ns >= until_ns && until_ns != INT64_MAX)) return false;
    return !hours || (epoch_ns != INT64_MAX && hours->hold(epoch_ns));
  }
};

// "2026-09-01" (midnight UTC) or "2026-09-01T12:30:00Z".
std::optional<int64_t> epoch_of_date(std::string_view text);
std::string date_of_epoch(int64_t epoch_ns);

// Who stated the row; a higher one wins.
enum class Layer : uint8_t { kBuiltIn, kFile, kOverride };

struct PriceRow {
  std::string provider{};     // as records name it
  std::string model{};        // as the provider names it
  std::string key{};          // as its list names it: azure/gpt-4o, claude-opus-4-7
  std::string origin{};       // which list
  std::string source_date{};  // of the statement: 2026-07-24; empty = not told
  Layer layer = Layer::kBuiltIn;
  uint8_t rank = 0;  // of two keys of one model in a file the lower one counts
  Period period{};
  std::vector<Band> bands{};  // ascending; the first is above 0. None: not priced by tokens
  Rate web_search{};          // one, whatever its size
  Rate grounded_prompt{};     // in its place: a call that searched, however often
  Rate request{};             // a fee for each call, beside its tokens
  // Calls that are not billed by tokens:
  Rate audio_second{};  // transcriptions, by the sound
  Rate search_unit{};   // reranks
  // Factors of the tokens' prices, where they apply:
  Ratio us_host{};                    // at us.… hosts of the provider (data residency)
  Ratio eu_host{};                    // at eu.… ones
  Ratio us_geo{};                     // inference_geo: us
  Ratio fast{};                       // speed: fast; is_one() = not sold
  Ratio regional{};                   // Vertex: in any location but `global`
  bool band_includes_border = false;  // a band holds from exactly `above` tokens on

  Band& band(uint64_t above);  // made where it is missing
};

}  // namespace wiretally::pricing
