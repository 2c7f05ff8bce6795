#include "litellm_file.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
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
    {"cache_read_input_audio_token_cost", Item::kCacheReadAudio},
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

// Where the file keeps the models of a provider. Its owners begin with `owner`; the prefixes are
// what its keys begin with, the usual one first.
struct Market {
  std::string_view owner;
  std::string_view provider;
  std::array<std::string_view, 3> prefixes;
};
constexpr std::string_view kNone = "\n";  // no key begins so

// The longer of two owners that begin alike stands first.
constexpr Market kMarkets[] = {
    {"openai", "openai", {"", "openai/", kNone}},
    {"text-completion-openai", "openai", {"", "text-completion-openai/", kNone}},
    {"azure_ai", "azure.ai.inference", {"azure_ai/", "", kNone}},
    {"azure", "azure.ai.openai", {"azure/", "", kNone}},
    {"anthropic", "anthropic", {"", "anthropic/", kNone}},
    {"bedrock", "aws.bedrock", {"", "bedrock/", "bedrock_mantle/"}},
    {"gemini", "gcp.gemini", {"gemini/", "", kNone}},
    {"vertex_ai", "gcp.vertex_ai", {"vertex_ai/", "", kNone}},
    {"mistral", "mistral_ai", {"mistral/", "", kNone}},
    {"cohere", "cohere", {"", "cohere/", "cohere_chat/"}},
    {"groq", "groq", {"groq/", "", kNone}},
    {"deepseek", "deepseek", {"deepseek/", "", kNone}},
    {"perplexity", "perplexity", {"perplexity/", "", kNone}},
    {"xai", "x_ai", {"xai/", "", kNone}},
    {"openrouter", "openrouter", {"openrouter/", "", kNone}},
    {"together_ai", "together", {"together_ai/", "", kNone}},
    {"fireworks_ai", "fireworks", {"fireworks_ai/", "", kNone}},
    {"moonshot", "moonshot_ai", {"moonshot/", "", kNone}},
};

// Takes the file's events as they come: at 1.6 MB and growing, a tree of it would be mostly waste,
// and numbers must be had as they are written. The method names are nlohmann::json_sax's.
class Reader {
 public:
  explicit Reader(const std::string& origin) : origin_(origin) {}

  std::vector<PriceRow> take_rows() {
    for (PriceRow& row : rows_) row.source_date = date_;
    return std::move(rows_);
  }
  size_t error_position() const { return error_position_; }

  bool null() { return true; }
  bool boolean(bool) { return true; }
  bool number_integer(int64_t value) { return number(std::to_string(value)); }
  bool number_unsigned(uint64_t value) { return number(std::to_string(value)); }
  bool number_float(double, const std::string& text) { return number(text); }
  bool binary(nlohmann::json::binary_t&) { return true; }

  bool string(std::string& value) {
    if (depth_ == kModels && model_ == "last_updated" && epoch_of_date(value.substr(0, 10))) {
      date_ = value.substr(0, 10);
    }
    if (depth_ == kEntry && field_ == "litellm_provider") owner_ = value;
    if (depth_ == kEntry && field_ == "mode") mode_ = value;
    if (depth_ == kEntry && field_ == "web_search_billing_unit") search_unit_ = value;
    return number(value);  // some mirrors quote their numbers
  }
  bool start_object(size_t) {
    ++depth_;
    if (depth_ == kEntry) begin_entry();
    if (depth_ == kDetail) search_rates_.clear();
    if (in_tiers() && depth_ == kTier) {
      tier_range_.clear();
      tier_rates_ = {};
    }
    return true;
  }
  bool key(std::string& name) {
    if (depth_ == kModels) model_ = name;
    if (depth_ == kEntry) {
      field_ = name;
      unreadable_ = unreadable_ || name == "off_peak_pricing" || name == "citation_cost_per_token";
    }
    if (depth_ == kDetail || depth_ == kTier) detail_ = name;
    return true;
  }
  bool end_object() {
    if (depth_ == kDetail && field_ == "search_context_cost_per_query") keep_search_rate();
    if (in_tiers() && depth_ == kTier) keep_tier();
    if (depth_ == kEntry) finish_row();
    --depth_;
    return true;
  }
  bool start_array(size_t) {
    ++depth_;
    if (depth_ == kDetail && field_ == "tiered_pricing") has_tiers_ = true;
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
  static constexpr int kModels = 1, kEntry = 2, kDetail = 3, kTier = 4, kRange = 5;  // depths

  bool in_tiers() const { return depth_ >= kTier && field_ == "tiered_pricing"; }

  void begin_entry() {
    row_ = {.key = model_, .origin = origin_, .layer = Layer::kFile};
    owner_.clear();
    mode_.clear();
    search_unit_.clear();
    input_second_ = output_second_ = query_ = {};
    field_.clear();
    detail_.clear();
    unreadable_ = has_tiers_ = costs_otherwise_ = false;
    tiers_.clear();
  }

  bool number(std::string_view text) {
    if (depth_ == kDetail && field_ == "search_context_cost_per_query") {
      if (const auto rate = rate_of(text, 0)) search_rates_.push_back(*rate);
    }
    if (depth_ == kDetail && field_ == "provider_specific_entry") {
      if (detail_ == "us") set_factor(text, row_.us_geo);
      if (detail_ == "fast") set_factor(text, row_.fast);
    }
    if (in_tiers() && depth_ == kRange && detail_ == "range") {
      if (const auto tokens = parse_decimal(text, 0)) tier_range_.push_back(*tokens);
    }
    if (in_tiers() && depth_ == kTier) {
      const auto cell = cell_of(detail_);
      const auto rate = cell && cell->above == 0 && cell->tier == Tier::kStandard ? rate_of(text, 0)
                                                                                  : std::nullopt;
      if (rate) tier_rates_[cell->item] = *rate;
    }
    if (depth_ == kEntry) note_member(text);
    return true;
  }

  void note_member(std::string_view text) {
    if (field_ == "regional_processing_uplift_multiplier_us") set_factor(text, row_.us_host);
    if (field_ == "regional_processing_uplift_multiplier_eu") set_factor(text, row_.eu_host);
    const auto cell = cell_of(field_);
    const auto rate = rate_of(text, 0);
    if (!rate) return;
    if (cell) {
      row_.band(cell->above)[cell->tier][cell->item] = *rate;
    } else if (field_ == "input_cost_per_request") {
      row_.request = *rate;
    } else if (rate->femtodollars > 0 && keep_single(*rate)) {
      costs_otherwise_ = true;
    } else if (rate->femtodollars > 0 && field_.find("_cost_per_") != field_.npos) {
      costs_otherwise_ = true;
    }
  }

  // What is counted in something else than tokens; which of it counts, the entry's mode says.
  bool keep_single(Rate rate) {
    static constexpr std::pair<std::string_view, Rate Reader::*> kSingle[] = {
        {"input_cost_per_second", &Reader::input_second_},
        {"output_cost_per_second", &Reader::output_second_},
        {"input_cost_per_query", &Reader::query_}};
    for (const auto& [name, member] : kSingle) {
      if (name != field_) continue;
      this->*member = rate;
      return true;
    }
    return false;
  }

  // A transcription's seconds stand under input, under output, or under both alike.
  void keep_units() {
    if (mode_ == "rerank") row_.search_unit = query_;
    if (mode_ != "audio_transcription") return;
    const bool both = input_second_.stated() && output_second_.stated();
    if (both && input_second_ != output_second_) return;
    row_.audio_second = input_second_.stated() ? input_second_ : output_second_;
  }

  static void set_factor(std::string_view text, Ratio& factor) {
    if (const auto ratio = ratio_of(text)) factor = *ratio;
  }

  void keep_search_rate() {
    const bool one_price =
        !search_rates_.empty() &&
        std::count(search_rates_.begin(), search_rates_.end(), search_rates_.front()) ==
            static_cast<ptrdiff_t>(search_rates_.size());
    if (one_price) row_.web_search = search_rates_.front();
  }

  // Google bills each query, or in Gemini 2 each prompt that was grounded. The file names the first
  // unit and no other: where neither is known a search has no price.
  void settle_search_unit() {
    const bool google = owner_.starts_with("gemini") || owner_.starts_with("vertex_ai");
    if (!google || owner_ == "vertex_ai-anthropic_models" || search_unit_ == "per_query") return;
    const Rate rate = std::exchange(row_.web_search, {});
    if (search_unit_.empty() && row_.key.find("gemini-2.") != row_.key.npos) {
      row_.grounded_prompt = rate;
    }
  }

  // A range holds what is above its first number: "0 < tokens <= 256k", as such lists are written.
  void keep_tier() {
    if (tier_range_.size() != 2 || tiers_.size() >= 16 ||
        (tiers_.empty() ? tier_range_[0] != 0 : tier_range_[0] != tiers_.back().second)) {
      unreadable_ = true;
      return;
    }
    Band band;
    band.above = static_cast<uint64_t>(tier_range_[0]);
    band[Tier::kStandard] = tier_rates_;
    tiers_.emplace_back(band, tier_range_[1]);
  }

  void finish_row() {
    const ListedModel listed = listed_model(owner_, row_.key);
    row_.provider = std::string(listed.provider);
    row_.model = std::string(listed.model);
    row_.rank = listed.rank;
    row_.band_includes_border = owner_ == "xai";
    keep_units();
    settle_search_unit();
    if (has_tiers_) {
      row_.bands.clear();
      for (auto& tier : tiers_) row_.bands.push_back(tier.first);
      unreadable_ = unreadable_ || tiers_.empty();
    }
    if (unreadable_ || (!costs_something() && costs_otherwise_)) {
      row_.bands.clear();
      rows_.push_back(std::move(row_));
    } else if (costs_something()) {
      row_.band(0);
      rows_.push_back(std::move(row_));
    }
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
  std::string date_;
  size_t error_position_ = 0;
  int depth_ = 0;
  std::string model_;
  // of the entry that is open
  std::string owner_;
  std::string mode_;
  std::string search_unit_;
  Rate input_second_, output_second_, query_;
  std::string field_;
  std::string detail_;
  PriceRow row_;
  bool unreadable_ = false;
  bool costs_otherwise_ = false;
  bool has_tiers_ = false;
  std::vector<std::pair<Band, int64_t>> tiers_;  // and where each ends
  std::vector<int64_t> tier_range_;
  RateCard tier_rates_;
  std::vector<Rate> search_rates_;
};

}  // namespace

ListedModel listed_model(std::string_view owner, std::string_view key) {
  for (const Market& market : kMarkets) {
    if (!owner.starts_with(market.owner)) continue;
    ListedModel found{market.provider, key, static_cast<uint8_t>(market.prefixes.size())};
    size_t longest = 0;
    for (size_t i = 0; i < market.prefixes.size(); ++i) {
      const std::string_view prefix = market.prefixes[i];
      if (!key.starts_with(prefix) || prefix.size() < longest) continue;
      longest = prefix.size();
      found.model = key.substr(prefix.size());
      found.rank = static_cast<uint8_t>(i);
    }
    return found;
  }
  const size_t slash = key.find('/');
  const bool prefixed = slash != key.npos && key.substr(0, slash) == owner;
  return {owner, prefixed ? key.substr(slash + 1) : key, static_cast<uint8_t>(prefixed ? 0 : 1)};
}

Result<std::vector<PriceRow>> read_litellm(std::istream& input, const std::string& name,
                                           const std::string& origin) {
  static constexpr std::string_view kRemedy =
      "; it must be LiteLLM's model_prices_and_context_window.json, as published";
  const std::string text((std::istreambuf_iterator<char>(input)), {});
  Reader reader(origin);
  if (!nlohmann::json::sax_parse(text, &reader)) {
    const size_t end = std::min(reader.error_position(), text.size());
    const auto line =
        1 + std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(end), '\n');
    return Error{"price file " + name + ":" + std::to_string(line) + ": no JSON at byte " +
                 std::to_string(reader.error_position()) + std::string(kRemedy)};
  }
  std::vector<PriceRow> rows = reader.take_rows();
  if (rows.empty()) return Error{"price file " + name + ": holds no prices" + std::string(kRemedy)};
  return rows;
}

}  // namespace wiretally::pricing
