#include "costing.h"

#include <algorithm>

namespace wiretally::pricing {
namespace {

constexpr unsigned __int128 kFemtoPerPico = 1000;
// Beyond it no number of a JSON answer is exact; below it no sum of amounts overflows.
constexpr uint64_t kCountMax = uint64_t{1} << 53;

// Femtodollars. At most 2^53 tokens of 2^50 each, in a handful of parts: 2^107.
using Amount = unsigned __int128;
constexpr Amount kAmountMax = ~Amount{0} / 16;

// amount ÷ divisor, half to even.
std::optional<int64_t> rounded(Amount amount, Amount divisor) {
  const Amount quotient = amount / divisor;
  const Amount twice_rest = amount % divisor * 2;
  const bool up = twice_rest > divisor || (twice_rest == divisor && quotient % 2 == 1);
  const Amount value = quotient + (up ? 1 : 0);
  if (value > INT64_MAX) return std::nullopt;
  return static_cast<int64_t>(value);
}

// OpenAI's models that search the web for every answer of chat completions, where no count of
// searches is stated.
bool always_searches(Dialect dialect, std::string_view model) {
  return dialect == Dialect::kOpenaiChat &&
         (model.find("-search-preview") != model.npos || model.find("-search-api") != model.npos);
}

// Adds up what a call's tokens cost. The first gap spoils it.
class Bill {
 public:
  Bill(const PriceRow& row, const Band& band, Tier tier)
      : base_(row.bands.front()[Tier::kStandard]), card_(band[tier]) {}

  Gap gap() const { return gap_; }
  Item missing() const { return missing_; }

  // Takes `count` tokens out of `whole` and prices them as `item`.
  Amount part(uint64_t& whole, uint64_t count, Item item) {
    if (count == 0) return 0;
    if (whole > kCountMax) return spoil(Gap::kSize, item);
    if (count > whole) return spoil(Gap::kParts, item);
    if (!card_[item].stated()) return spoil(Gap::kRate, item);
    whole -= count;
    return times(count, card_[item]);
  }

  // As `part`, but tokens of an item without a price of its own stay in the whole and cost what it
  // costs.
  Amount part_if_apart(uint64_t& whole, uint64_t count, Item item, Item of) {
    return apart(item, of) ? part(whole, count, item) : 0;
  }

  bool apart(Item item, Item of) const {
    return card_[item].stated() || (base_[item].stated() && base_[item] != base_[of]);
  }

  Amount rest(uint64_t count, Item item) { return part(count, count, item); }

  Amount spoil(Gap gap, Item item) {
    if (gap_ == Gap::kNone) {
      gap_ = gap;
      missing_ = item;
    }
    return 0;
  }

  static Amount times(uint64_t count, Rate rate) {
    return static_cast<Amount>(count) * static_cast<uint64_t>(rate.femtodollars);
  }

 private:
  const RateCard& base_;
  const RateCard& card_;
  Gap gap_ = Gap::kNone;
  Item missing_{};
};

const Band& band_of(const PriceRow& row, uint64_t input) {
  const Band* found = &row.bands.front();
  for (const Band& band : row.bands) {
    if (input > band.above || (row.band_includes_border && input == band.above)) found = &band;
  }
  return *found;
}

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// What multiplies the tokens' prices, and by which names.
struct Factors {
  Gap gap = Gap::kNone;
  Ratio ratio;
  std::array<std::string_view, 4> names{};

  void apply(Ratio factor, std::string_view name) {
    if (factor.is_one()) return;
    const auto both = product(ratio, factor);
    if (!both) {
      gap = Gap::kSize;
      return;
    }
    ratio = *both;
    *std::find(names.begin(), names.end() - 1, std::string_view()) = name;
  }
};

bool in_a_region_of_vertex(const UsageRecord& record) {
  static constexpr std::string_view kLocations = "/locations/";
  const std::string_view path = record.path.view();
  const size_t at = path.find(kLocations);
  return at != path.npos && !path.substr(at + kLocations.size()).starts_with("global/");
}

Factors factors_of(const PriceRow& row, const UsageRecord& record) {
  Factors factors;
  const std::string_view host = record.server_name.view();
  if (host.starts_with("us.")) factors.apply(row.us_host, "us");
  if (host.starts_with("eu.")) factors.apply(row.eu_host, "eu");
  if (in_a_region_of_vertex(record)) factors.apply(row.regional, "regional");

  const std::string_view geography = record.inference_geo.view();
  if (geography == "us") {
    factors.apply(row.us_geo, "geo_us");
  } else if (!is_one_of(geography, {"", "global", "not_available"})) {
    factors.gap = Gap::kGeography;
  }
  const std::string_view speed = record.speed.view();
  if (speed == "fast" && !row.fast.is_one()) {
    factors.apply(row.fast, "fast");
  } else if (!is_one_of(speed, {"", "standard"})) {
    factors.gap = Gap::kSpeed;
  }
  return factors;
}

}  // namespace

std::string_view gap_text(Gap gap) {
  switch (gap) {
    case Gap::kNone:
      return "";
    case Gap::kNoRow:
      return "no row for this model of this provider";
    case Gap::kNotInEffect:
      return "no row in effect at that time";
    case Gap::kNoTokenPrices:
      return "the list has no prices of tokens for it";
    case Gap::kTokensUnknown:
      return "the provider did not report all tokens";
    case Gap::kTier:
      return "the tier has no published price";
    case Gap::kRate:
      return "the row states no price of a kind of token that is needed, in this tier and band";
    case Gap::kSearch:
      return "the row states no single price of a search";
    case Gap::kCachedAudio:
      return "cached audio has a price of its own, and how much of the cached input is audio is "
             "not "
             "known";
    case Gap::kGeography:
      return "the geography has no published price";
    case Gap::kSpeed:
      return "the speed has no published price";
    case Gap::kParts:
      return "the parts exceed their whole";
    case Gap::kSize:
      return "the numbers are too large";
  }
  return "";
}

std::optional<Tier> tier_of(std::string_view service_tier) {
  struct Word {
    std::string_view text;
    Tier tier;
  };
  static constexpr Word kWords[] = {
      {"", Tier::kStandard},          {"default", Tier::kStandard},
      {"standard", Tier::kStandard},  {"on_demand", Tier::kStandard},
      {"ON_DEMAND", Tier::kStandard}, {"auto", Tier::kStandard},
      {"priority", Tier::kPriority},  {"ON_DEMAND_PRIORITY", Tier::kPriority},
      {"fast", Tier::kPriority},      {"ultrafast", Tier::kUltrafast},
      {"flex", Tier::kFlex},          {"ON_DEMAND_FLEX", Tier::kFlex},
      {"batch", Tier::kBatch}};
  for (const Word& word : kWords) {
    if (word.text == service_tier) return word.tier;
  }
  return std::nullopt;
}

bool all_reported(const UsageRecord& record) {
  const TokenCounts& tokens = record.tokens;
  const bool input = tokens.input && tokens.input_source == UsageSource::kReported;
  const bool output = tokens.output && tokens.output_source == UsageSource::kReported;
  return input && (output || !operation_has_output(record.operation));
}

namespace {

// Where a provider charges other numbers than what its model processed, those are priced, and
// nothing apart: of them nobody knows what was cached, and the cached ones may be more.
TokenCounts charged(const TokenCounts& tokens) {
  if (!tokens.billed_input && !tokens.billed_output) return tokens;
  TokenCounts billed;
  billed.input = tokens.billed_input;
  billed.output = tokens.billed_output;
  return billed;
}

// What a call costs in parts, as Costing has them, each to be divided by `under`.
struct Parts {
  std::array<Amount, 5> amounts{};  // input, cache_read, cache_write, output, tools
  uint64_t under = 1;
};

// `factors` are of the tokens, `discount` of the rest.
Gap add_up(Parts parts, const Factors& factors, Ratio discount, Costing& costing) {
  if (factors.gap != Gap::kNone) return factors.gap;
  // Everything over one denominator: tokens × a/b + tools × c/d = (tokens × a·d + tools × c·b) ÷
  // b·d.
  const Ratio of_tokens = factors.ratio, of_tools = discount;
  uint64_t token_weight = 0, tool_weight = 0, under = 0;
  if (__builtin_mul_overflow(of_tokens.over, of_tools.under, &token_weight) ||
      __builtin_mul_overflow(of_tools.over, of_tokens.under, &tool_weight) ||
      __builtin_mul_overflow(of_tokens.under, of_tools.under, &under) ||
      __builtin_mul_overflow(under, parts.under, &under)) {
    return Gap::kSize;
  }
  std::array<Amount, 5>& amounts = parts.amounts;
  for (size_t i = 0; i < amounts.size(); ++i) {
    const uint64_t weight = i == amounts.size() - 1 ? tool_weight : token_weight;
    if (amounts[i] > kAmountMax / weight) return Gap::kSize;
    amounts[i] *= weight;
  }
  // One rounding for the total; each part is what the running sum gains, so that parts add up.
  std::array<int64_t, 5> gains{};
  Amount sum = 0;
  int64_t total = 0;
  for (size_t i = 0; i < amounts.size(); ++i) {
    sum += amounts[i];
    const auto running = rounded(sum, kFemtoPerPico * under);
    if (!running) return Gap::kSize;
    gains[i] = *running - total;
    total = *running;
  }
  costing = {.input = Picodollars{gains[0]},
             .cache_read = Picodollars{gains[1]},
             .cache_write = Picodollars{gains[2]},
             .output = Picodollars{gains[3]},
             .tools = Picodollars{gains[4]},
             .total = Picodollars{total},
             .factor = factors.ratio,
             .factors = factors.names};
  return Gap::kNone;
}

// The parts of a call that is billed by what is not tokens, and what that is called; nothing for
// any other.
std::optional<Parts> parts_by_units(const PriceRow& row, const UsageRecord& record,
                                    std::string_view& units) {
  constexpr uint64_t kMsPerSecond = 1000;
  Parts parts;
  if (record.operation == Operation::kTranscription && record.billed_audio_ms &&
      row.audio_second.stated() && *record.billed_audio_ms <= kCountMax) {
    units = "audio_seconds";
    parts.amounts[0] = Bill::times(*record.billed_audio_ms, row.audio_second);
    parts.under = kMsPerSecond;
    return parts;
  }
  if (record.operation == Operation::kRerank && record.server_tool_requests &&
      row.search_unit.stated() && *record.server_tool_requests <= kCountMax) {
    units = "search_units";
    parts.amounts[4] = Bill::times(*record.server_tool_requests, row.search_unit);
    return parts;
  }
  return std::nullopt;
}

}  // namespace

Quotation cost_of(const PriceRow& row, const UsageRecord& record, Ratio discount) {
  Quotation quotation;
  const auto fail = [&](Gap gap, Item item = {}) {
    quotation.gap = gap;
    quotation.missing = item;
    return quotation;
  };
  const auto tier = tier_of(record.service_tier.view());
  if (!tier) return fail(Gap::kTier);
  quotation.tier = *tier;
  Factors factors = factors_of(row, record);
  factors.apply(discount, "discount");
  if (const auto parts = parts_by_units(row, record, quotation.units)) {
    if (*tier != Tier::kStandard) return fail(Gap::kTier);
    quotation.gap = add_up(*parts, factors, discount, quotation.costing);
    return quotation;
  }
  if (row.bands.empty()) return fail(Gap::kNoTokenPrices);
  const TokenCounts tokens = charged(record.tokens);
  const auto count = [](const std::optional<uint64_t>& tokens_of) { return tokens_of.value_or(0); };
  const Band& band = band_of(row, count(tokens.input));
  quotation.band = band.above;
  Bill bill(row, band, *tier);

  uint64_t text = count(tokens.input);
  uint64_t audio = count(tokens.input_audio);
  uint64_t cached = count(tokens.cache_read);
  const uint64_t cached_audio = count(tokens.cache_read_audio);
  Amount cache_read = 0;
  if (cached_audio > 0) {
    // Of the cached and of the audio alike: it is taken out of both, and priced once.
    if (cached_audio > cached || cached_audio > audio) return fail(Gap::kParts);
    const bool apart = bill.apart(Item::kCacheReadAudio, Item::kCacheRead);
    audio -= cached_audio;
    cached -= cached_audio;
    cache_read += bill.part(text, cached_audio, apart ? Item::kCacheReadAudio : Item::kCacheRead);
  } else if (cached > 0 && audio > 0 && !tokens.cache_read_audio &&
             bill.apart(Item::kCacheReadAudio, Item::kCacheRead)) {
    return fail(Gap::kCachedAudio);
  }
  cache_read += bill.part(text, cached, Item::kCacheRead);
  Amount cache_write = bill.part(text, count(tokens.cache_write_5m), Item::kCacheWrite5m);
  cache_write += bill.part(text, count(tokens.cache_write_1h), Item::kCacheWrite1h);
  Amount input = bill.part(text, audio, Item::kInputAudio);
  input += bill.part_if_apart(text, count(tokens.input_image), Item::kInputImage, Item::kInput);
  input += bill.rest(text, Item::kInput);

  uint64_t visible = count(tokens.output);
  Amount output = bill.part(visible, count(tokens.output_audio), Item::kOutputAudio);
  output += bill.part(visible, count(tokens.output_image), Item::kOutputImage);
  output += bill.part_if_apart(visible, count(tokens.reasoning), Item::kReasoning, Item::kOutput);
  output += bill.rest(visible, Item::kOutput);
  if (bill.gap() != Gap::kNone) return fail(bill.gap(), bill.missing());

  const bool one_at_least = always_searches(record.dialect, row.model) && !row.request.stated();
  const uint64_t searches = record.server_tool_requests.value_or(one_at_least ? 1 : 0);
  if (searches > kCountMax) return fail(Gap::kSize);
  const bool by_call = row.grounded_prompt.stated();
  const Rate& search = by_call ? row.grounded_prompt : row.web_search;
  if (searches > 0 && !search.stated()) return fail(Gap::kSearch);
  Amount tools = searches > 0 ? Bill::times(by_call ? 1 : searches, search) : 0;
  if (row.request.stated()) tools += Bill::times(1, row.request);

  quotation.gap = add_up({{input, cache_read, cache_write, output, tools}, 1}, factors, discount,
                         quotation.costing);
  return quotation;
}

}  // namespace wiretally::pricing
