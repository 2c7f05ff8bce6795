#include "costing.h"

#include <array>

namespace wiretally::pricing {
namespace {

constexpr __int128 kFemtoPerPico = 1000;
// Beyond it no number of a JSON answer is exact; below it no sum of amounts overflows.
constexpr uint64_t kCountMax = uint64_t{1} << 53;

// Femtodollars times permille of uplift.
using Amount = __int128;

// An amount as picodollars, half to even; negative never happens.
std::optional<int64_t> rounded(Amount amount) {
  constexpr Amount kDivisor = kFemtoPerPico * PriceRow::kNoUplift;
  const Amount quotient = amount / kDivisor;
  const Amount twice_rest = amount % kDivisor * 2;
  const bool up = twice_rest > kDivisor || (twice_rest == kDivisor && quotient % 2 == 1);
  const Amount value = quotient + (up ? 1 : 0);
  if (value > INT64_MAX) return std::nullopt;
  return static_cast<int64_t>(value);
}

// Adds up what a call's tokens cost. The first missing rate or contradiction spoils it.
class Bill {
 public:
  Bill(const PriceRow& row, const Band& band, Tier tier)
      : base_(row.bands.front()[Tier::kStandard]), card_(band[tier]) {}

  bool good() const { return good_; }

  // Takes `count` tokens out of `whole` and prices them as `item`.
  Amount part(uint64_t& whole, uint64_t count, Item item) {
    if (count == 0) return 0;
    if (count > whole || whole > kCountMax || !card_[item].stated()) {
      good_ = false;
      return 0;
    }
    whole -= count;
    return times(count, card_[item]);
  }

  // As `part`, but tokens of an item without a price of its own stay in the whole and cost what it
  // costs.
  Amount part_if_apart(uint64_t& whole, uint64_t count, Item item, Item of) {
    const bool apart = card_[item].stated() || (base_[item].stated() && base_[item] != base_[of]);
    return apart ? part(whole, count, item) : 0;
  }

  Amount rest(uint64_t count, Item item) { return part(count, count, item); }

  static Amount times(uint64_t count, Rate rate) {
    return static_cast<Amount>(count) * rate.femtodollars;
  }

 private:
  const RateCard& base_;
  const RateCard& card_;
  bool good_ = true;
};

const Band& band_of(const PriceRow& row, uint64_t input) {
  const Band* found = &row.bands.front();
  for (const Band& band : row.bands) {
    if (input > band.above || (row.band_includes_border && input == band.above)) found = &band;
  }
  return *found;
}

struct Region {
  std::string_view name;
  uint32_t uplift_permille = PriceRow::kNoUplift;
};

Region region_of(const PriceRow& row, std::string_view server_name) {
  if (server_name.starts_with("us.") && row.us_uplift_permille != PriceRow::kNoUplift) {
    return {"us", row.us_uplift_permille};
  }
  if (server_name.starts_with("eu.") && row.eu_uplift_permille != PriceRow::kNoUplift) {
    return {"eu", row.eu_uplift_permille};
  }
  return {};
}

}  // namespace

std::optional<Tier> tier_of(std::string_view service_tier) {
  struct Word {
    std::string_view text;
    Tier tier;
  };
  static constexpr Word kWords[] = {{"", Tier::kStandard},         {"default", Tier::kStandard},
                                    {"standard", Tier::kStandard}, {"on_demand", Tier::kStandard},
                                    {"auto", Tier::kStandard},     {"priority", Tier::kPriority},
                                    {"fast", Tier::kPriority},     {"ultrafast", Tier::kUltrafast},
                                    {"flex", Tier::kFlex},         {"batch", Tier::kBatch}};
  for (const Word& word : kWords) {
    if (word.text == service_tier) return word.tier;
  }
  return std::nullopt;
}

bool all_reported(const UsageRecord& record) {
  const TokenCounts& tokens = record.tokens;
  const bool input = tokens.input && tokens.input_source == UsageSource::kReported;
  const bool output = tokens.output && tokens.output_source == UsageSource::kReported;
  return input && (output || record.operation == Operation::kEmbeddings);
}

std::optional<Costing> cost_of(const PriceRow& row, const UsageRecord& record) {
  const auto tier = tier_of(record.service_tier.view());
  if (!tier || row.bands.empty()) return std::nullopt;
  const TokenCounts& tokens = record.tokens;
  const auto count = [](const std::optional<uint64_t>& tokens_of) { return tokens_of.value_or(0); };
  const Band& band = band_of(row, count(tokens.input));
  Bill bill(row, band, *tier);

  uint64_t text = count(tokens.input);
  const Amount cache_read = bill.part(text, count(tokens.cache_read), Item::kCacheRead);
  Amount cache_write = bill.part(text, count(tokens.cache_write_5m), Item::kCacheWrite5m);
  cache_write += bill.part(text, count(tokens.cache_write_1h), Item::kCacheWrite1h);
  Amount input = bill.part(text, count(tokens.input_audio), Item::kInputAudio);
  input += bill.part_if_apart(text, count(tokens.input_image), Item::kInputImage, Item::kInput);
  input += bill.rest(text, Item::kInput);

  uint64_t visible = count(tokens.output);
  Amount output = bill.part(visible, count(tokens.output_audio), Item::kOutputAudio);
  output += bill.part(visible, count(tokens.output_image), Item::kOutputImage);
  output += bill.part_if_apart(visible, count(tokens.reasoning), Item::kReasoning, Item::kOutput);
  output += bill.rest(visible, Item::kOutput);

  const uint64_t searches = record.server_tool_requests.value_or(0);
  if (!bill.good()) return std::nullopt;
  if (searches > kCountMax || (searches > 0 && !row.web_search.stated())) return std::nullopt;

  const Region region = region_of(row, record.server_name.view());
  const Amount tokens_uplift = region.uplift_permille;
  const std::array<Amount, 5> amounts = {
      input * tokens_uplift, cache_read * tokens_uplift, cache_write * tokens_uplift,
      output * tokens_uplift,
      searches > 0 ? Bill::times(searches, row.web_search) * PriceRow::kNoUplift : 0};
  // One rounding for the total; each part is what the running sum gains, so that parts add up.
  std::array<int64_t, 5> parts{};
  Amount sum = 0;
  int64_t total = 0;
  for (size_t i = 0; i < amounts.size(); ++i) {
    sum += amounts[i];
    const auto running = rounded(sum);
    if (!running) return std::nullopt;
    parts[i] = *running - total;
    total = *running;
  }
  return Costing{.input = Picodollars{parts[0]},
                 .cache_read = Picodollars{parts[1]},
                 .cache_write = Picodollars{parts[2]},
                 .output = Picodollars{parts[3]},
                 .tools = Picodollars{parts[4]},
                 .total = Picodollars{total},
                 .band = band.above,
                 .tier = *tier,
                 .region = region.name};
}

}  // namespace wiretally::pricing
