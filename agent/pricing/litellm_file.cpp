#include "litellm_file.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "decimal.h"

namespace wiretally::pricing {
namespace {

struct ItemField {
  std::string_view prefix;
  Item item;
};

// The longer of two names that begin alike stands first.
constexpr ItemField kItemFields[] = {
    {"input_cost_per_token_cache_hit", Item::kCacheRead},
    {"input_cost_per_token", Item::kInput},
    {"output_cost_per_token", Item::kOutput},
    {"cache_read_input_token_cost", Item::kCacheRead},
    {"cache_creation_input_token_cost_above_1hr", Item::kCacheWrite1h},
    {"cache_creation_input_token_cost", Item::kCacheWrite5m},
    {"output_cost_per_reasoning_token", Item::kReasoning},
    {"input_cost_per_audio_token", Item::kInputAudio},
    {"output_cost_per_audio_token", Item::kOutputAudio},
    {"input_cost_per_image_token", Item::kInputImage},
    {"output_cost_per_image_token", Item::kOutputImage},
};

struct TierSuffix {
  std::string_view text;
  Tier tier;
};
constexpr TierSuffix kTierSuffixes[] = {{"", Tier::kStandard},
                                        {"_priority", Tier::kPriority},
                                        {"_ultrafast", Tier::kUltrafast},
                                        {"_flex", Tier::kFlex},
                                        {"_batches", Tier::kBatch}};

struct Cell {
  Item item;
  uint64_t above = 0;
  Tier tier = Tier::kStandard;
};

// "_above_272k_tokens" of `suffix`, removed from it; 0 if it does not begin so.
std::optional<uint64_t> take_band(std::string_view& suffix) {
  static constexpr std::string_view kAbove = "_above_";
  static constexpr std::string_view kTokens = "k_tokens";
  if (!suffix.starts_with(kAbove)) return 0;
  suffix.remove_prefix(kAbove.size());
  uint32_t thousands = 0;
  const char* end = suffix.data() + suffix.size();
  const auto [stop, error] = std::from_chars(suffix.data(), end, thousands);
  if (error != std::errc{} || thousands == 0) return std::nullopt;
  suffix.remove_prefix(static_cast<size_t>(stop - suffix.data()));
  if (!suffix.starts_with(kTokens)) return std::nullopt;
  suffix.remove_prefix(kTokens.size());
  return uint64_t{thousands} * 1000;
}

std::optional<Cell> cell_of(std::string_view field) {
  for (const ItemField& known : kItemFields) {
    if (!field.starts_with(known.prefix)) continue;
    std::string_view suffix = field.substr(known.prefix.size());
    const auto above = take_band(suffix);
    if (!above) return std::nullopt;
    for (const TierSuffix& tier : kTierSuffixes) {
      if (suffix == tier.text) return Cell{known.item, *above, tier.tier};
    }
    return std::nullopt;
  }
  return std::nullopt;
}

std::optional<Rate> rate_of(std::string_view text) {
  const auto value = parse_decimal(text, Rate::kScale);
  return value && *value <= Rate::kMax ? std::optional(Rate{*value}) : std::nullopt;
}

// Takes the file's events as they come: at 1.6 MB and growing, a tree of it would be mostly waste,
// and numbers must be had as they are written. The method names are nlohmann::json_sax's.
class Reader {
 public:
  explicit Reader(const std::string& origin) : origin_(origin) {}

  std::vector<PriceRow> take_rows() { return std::move(rows_); }
  size_t error_position() const { return error_position_; }

  bool null() { return true; }
  bool boolean(bool) { return true; }
  bool number_integer(int64_t value) { return number(std::to_string(value)); }
  bool number_unsigned(uint64_t value) { return number(std::to_string(value)); }
  bool number_float(double, const std::string& text) { return number(text); }
  bool binary(nlohmann::json::binary_t&) { return true; }

  bool string(std::string& value) {
    if (depth_ == kEntry && field_ == "litellm_provider") row_.owner = value;
    return number(value);  // some mirrors quote their numbers
  }
  bool start_object(size_t) {
    ++depth_;
    if (depth_ == kEntry) row_ = {.key = model_, .origin = origin_};
    if (depth_ == kDetail) search_rates_.clear();
    return true;
  }
  bool key(std::string& name) {
    if (depth_ == kModels) model_ = name;
    if (depth_ == kEntry) {
      field_ = name;
      unreadable_ = unreadable_ || name == "tiered_pricing" || name == "off_peak_pricing";
    }
    return true;
  }
  bool end_object() {
    if (depth_ == kDetail && field_ == "search_context_cost_per_query") keep_search_rate();
    if (depth_ == kEntry) finish_row();
    --depth_;
    return true;
  }
  bool start_array(size_t) {
    ++depth_;
    return true;
  }
  bool end_array() {
    --depth_;
    return true;
  }
  bool parse_error(size_t position, const std::string&, const nlohmann::json::exception&) {
    error_position_ = position;
    return false;
  }

 private:
  static constexpr int kModels = 1, kEntry = 2, kDetail = 3;  // depths

  bool number(std::string_view text) {
    if (depth_ == kDetail && field_ == "search_context_cost_per_query") {
      if (const auto rate = rate_of(text)) search_rates_.push_back(*rate);
    }
    if (depth_ != kEntry) return true;
    if (field_ == "regional_processing_uplift_multiplier_us")
      set_uplift(text, row_.us_uplift_permille);
    if (field_ == "regional_processing_uplift_multiplier_eu")
      set_uplift(text, row_.eu_uplift_permille);
    const auto cell = cell_of(field_);
    const auto rate = cell ? rate_of(text) : std::nullopt;
    if (rate) row_.band(cell->above)[cell->tier][cell->item] = *rate;
    return true;
  }

  static void set_uplift(std::string_view text, uint32_t& permille) {
    const auto value = parse_decimal(text, 3);
    if (value && *value > 0 && *value < 100'000) permille = static_cast<uint32_t>(*value);
  }

  void keep_search_rate() {
    const bool one_price =
        !search_rates_.empty() &&
        std::count(search_rates_.begin(), search_rates_.end(), search_rates_.front()) ==
            static_cast<ptrdiff_t>(search_rates_.size());
    if (one_price) row_.web_search = search_rates_.front();
  }

  void finish_row() {
    row_.band_includes_border = row_.owner == "xai";
    if (unreadable_) {
      row_.bands.clear();
      rows_.push_back(std::move(row_));
    } else if (costs_something()) {
      row_.band(0);
      rows_.push_back(std::move(row_));
    }
    row_ = {};
    field_.clear();
    unreadable_ = false;
  }

  bool costs_something() const {
    for (const Band& band : row_.bands) {
      for (const RateCard& card : band.tiers) {
        for (const Rate& rate : card.rates) {
          if (rate.femtodollars > 0) return true;
        }
      }
    }
    return false;
  }

  const std::string origin_;
  std::vector<PriceRow> rows_;
  size_t error_position_ = 0;
  int depth_ = 0;
  std::string model_;
  std::string field_;
  PriceRow row_;
  bool unreadable_ = false;
  std::vector<Rate> search_rates_;
};

}  // namespace

Result<std::vector<PriceRow>> read_litellm(std::istream& input, const std::string& name,
                                           const std::string& origin) {
  static constexpr std::string_view kRemedy =
      "; it must be LiteLLM's model_prices_and_context_window.json, as published";
  Reader reader(origin);
  if (!nlohmann::json::sax_parse(input, &reader)) {
    return Error{"price file " + name + ": no JSON at byte " +
                 std::to_string(reader.error_position()) + std::string(kRemedy)};
  }
  std::vector<PriceRow> rows = reader.take_rows();
  if (rows.empty()) return Error{"price file " + name + ": holds no prices" + std::string(kRemedy)};
  return rows;
}

}  // namespace wiretally::pricing
