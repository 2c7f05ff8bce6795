#include "built_in_prices.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <iterator>
#include <optional>

namespace wiretally::pricing {
namespace {

// The catalog's edition: its rows are list prices of July to September 2026.
constexpr std::string_view kOrigin = "builtin-2026-09";

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  line = line.substr(0, line.find('#'));
  while (true) {
    const size_t begin = line.find_first_not_of(" \t\r");
    if (begin == line.npos) return words;
    line.remove_prefix(begin);
    const size_t end = std::min(line.find_first_of(" \t\r"), line.size());
    words.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
}

// A day, or only its month.
bool is_source_date(std::string_view text) {
  return epoch_of_date(text) || (text.size() == 7 && epoch_of_date(std::string(text) + "-01"));
}

class TableReader {
 public:
  // Nothing, or what is wrong with the line.
  std::string take(std::string_view line) {
    const std::vector<std::string_view> words = words_of(line);
    if (words.empty()) return {};
    if (line.front() == ' ' || line.front() == '\t') return take_prices_of_band(words);
    if (words[0] == "provider" || words[0] == "prefix" || words[0] == "border") {
      return take_setting(words);
    }
    return take_row(words);
  }

  std::vector<PriceRow> rows;

 private:
  using Words = std::vector<std::string_view>;

  std::string take_setting(const Words& words) {
    if (words.size() != 2) return "a setting takes one value";
    if (words[0] == "provider") {
      provider_ = words[1];
      prefix_ = "";
      border_ = false;
    } else if (words[0] == "prefix") {
      prefix_ = words[1];
    } else {
      border_ = words[1] == "included";
    }
    return {};
  }

  std::string take_row(const Words& words) {
    if (provider_.empty()) return "a row before its provider";
    if (words.size() < 2 || !is_source_date(words[1])) return "a row needs the date of its list";
    PriceRow row;
    row.provider = provider_;
    row.model = words[0];
    row.key = prefix_ + row.model;
    row.origin = kOrigin;
    row.source_date = words[1];
    row.band_includes_border = border_;
    row.band(0);
    rows.push_back(std::move(row));
    return take_members(words, 2, 0, Tier::kStandard);
  }

  std::string take_prices_of_band(const Words& words) {
    if (rows.empty()) return "prices before their row";
    size_t at = 0;
    uint64_t above = 0;
    if (words[0] == "above") {
      if (words.size() < 2) return "above needs a number";
      const std::string_view text = words[1];
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), above);
      if (error != std::errc{} || end != text.data() + text.size() || above == 0) {
        return "above needs a number of tokens";
      }
      at = 2;
    }
    Tier tier = Tier::kStandard;
    if (at < words.size()) {
      if (const auto named = tier_of_name(words[at])) {
        tier = *named;
        ++at;
      }
    }
    if (above == 0 && tier == Tier::kStandard) return "neither a band nor a tier";
    return take_members(words, at, above, tier);
  }

  std::string take_members(const Words& words, size_t at, uint64_t above, Tier tier) {
    if ((words.size() - at) % 2 != 0) return "a name without its value";
    PriceRow& row = rows.back();
    for (; at < words.size(); at += 2) {
      const std::string_view name = words[at], value = words[at + 1];
      if (const auto item = item_of_name(name)) {
        const auto rate = rate_of(value, kMillion);
        if (!rate) return std::string(value) + " is no price";
        row.band(above)[tier][*item] = *rate;
      } else if (!set_member(row, name, value)) {
        return std::string(name) + " " + std::string(value) + " is not known";
      }
    }
    return {};
  }

  static bool set_member(PriceRow& row, std::string_view name, std::string_view value) {
    static constexpr std::pair<std::string_view, Ratio PriceRow::*> kFactors[] = {
        {"us_host", &PriceRow::us_host},
        {"eu_host", &PriceRow::eu_host},
        {"us_geo", &PriceRow::us_geo},
        {"fast", &PriceRow::fast},
        {"regional", &PriceRow::regional}};
    for (const auto& [factor_name, member] : kFactors) {
      if (factor_name != name) continue;
      const auto ratio = ratio_of(value);
      if (ratio) row.*member = *ratio;
      return ratio.has_value();
    }
    static constexpr std::pair<std::string_view, Rate PriceRow::*> kSingle[] = {
        {"web_search", &PriceRow::web_search},
        {"grounded_prompt", &PriceRow::grounded_prompt},
        {"request", &PriceRow::request},
        {"audio_second", &PriceRow::audio_second},
        {"search_unit", &PriceRow::search_unit}};
    for (const auto& [single, member] : kSingle) {
      if (single != name) continue;
      const auto rate = rate_of(value, 0);
      if (rate) row.*member = *rate;
      return rate.has_value();
    }
    if (name == "from" || name == "until") {
      const auto epoch = epoch_of_date(value);
      if (epoch) (name == "from" ? row.period.from_ns : row.period.until_ns) = *epoch;
      return epoch.has_value();
    }
    return false;
  }

  std::string provider_;
  std::string prefix_;
  bool border_ = false;
};

}  // namespace

Result<std::vector<PriceRow>> read_price_table(std::string_view text, const std::string& name) {
  TableReader reader;
  size_t number = 0;
  while (!text.empty()) {
    ++number;
    const size_t end = std::min(text.find('\n'), text.size());
    if (const std::string wrong = reader.take(text.substr(0, end)); !wrong.empty()) {
      return Error{"price table " + name + ":" + std::to_string(number) + ": " + wrong};
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return std::move(reader.rows);
}

std::vector<PriceRow> built_in_prices() {
  std::vector<PriceRow> rows;
  for (const PriceTable& table : price_tables()) {
    auto read = read_price_table(table.text, std::string(table.name));
    assert(read);  // our own tables: a test reads each
    if (!read) continue;
    rows.insert(rows.end(), std::make_move_iterator(read->begin()),
                std::make_move_iterator(read->end()));
  }
  return rows;
}

}  // namespace wiretally::pricing
