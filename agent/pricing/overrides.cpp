#include "overrides.h"

#include <yaml-cpp/yaml.h>

#include <charconv>
#include <span>

namespace wiretally::pricing {
namespace {

constexpr std::string_view kOrigin = "override";

// The place and the remedy; caught where reading began, never seen outside.
struct Mistake {
  YAML::Mark mark;
  std::string message;
};

[[noreturn]] void refuse(const YAML::Node& node, const std::string& message) {
  throw Mistake{node.Mark(), message};
}

std::string scalar(const YAML::Node& node, const std::string& what) {
  if (!node.IsScalar()) refuse(node, what + " takes one value");
  return node.Scalar();
}

std::string text_of(const YAML::Node& node, const std::string& what) {
  std::string text = scalar(node, what);
  if (text.empty() || text.size() > 256 || text.find('\n') != text.npos) {
    refuse(node, what + " takes a name of 1 to 256 characters");
  }
  return text;
}

Rate price_of(const YAML::Node& node, const std::string& what, int power) {
  const std::string text = scalar(node, what);
  const auto rate = rate_of(text, power);
  if (!rate) {
    refuse(node, what + ": '" + text + "' is no price; give USD as a decimal number such as 2.50" +
                     (power == kMillion ? ", for a million tokens" : ", for one"));
  }
  return *rate;
}

Ratio factor_of(const YAML::Node& node, const std::string& what) {
  const std::string text = scalar(node, what);
  const auto ratio = ratio_of(text);
  if (!ratio) {
    refuse(node, what + ": '" + text +
                     "' is no factor; give a decimal number above 0 with at most six decimals");
  }
  return *ratio;
}

int64_t date_of(const YAML::Node& node, const std::string& what) {
  const std::string text = scalar(node, what);
  const auto epoch = epoch_of_date(text);
  if (!epoch) {
    refuse(node, what + ": '" + text + "' is no date; write 2026-09-01 or 2026-09-01T00:00:00Z");
  }
  return *epoch;
}

bool read_period(const std::string& key, const YAML::Node& value, Period& period) {
  if (key == "from") {
    period.from_ns = date_of(value, key);
  } else if (key == "until") {
    period.until_ns = date_of(value, key);
  } else {
    return false;
  }
  if (period.from_ns >= period.until_ns) refuse(value, "'until' is not after 'from'");
  return true;
}

Hours read_hours(const YAML::Node& value) {
  const std::string text = scalar(value, "hours");
  const auto hours = hours_of(text);
  if (!hours) refuse(value, "hours: '" + text + "' is no part of the day; write 16:30-00:30 (UTC)");
  return *hours;
}

void require_map(const YAML::Node& node, const std::string& what) {
  if (!node.IsMap()) refuse(node, what + " takes a mapping of names to values");
}

// `key` of `node` is none of `known`.
[[noreturn]] void refuse_key(const YAML::Node& node, const std::string& key,
                             const std::string& known) {
  refuse(node, "unknown key '" + key + "'; known here: " + known);
}

constexpr const char* kRates =
    "input, cache_read, cache_write_5m, cache_write_1h, output, reasoning, input_audio, "
    "cache_read_audio, output_audio, input_image, output_image";

bool read_rate(const std::string& key, const YAML::Node& value, RateCard& card) {
  const auto item = item_of_name(key);
  if (!item) return false;
  card[*item] = price_of(value, key, kMillion);
  return true;
}

void read_tiers(const YAML::Node& tiers, Band& band) {
  require_map(tiers, "tiers");
  for (const auto& entry : tiers) {
    const std::string name = entry.first.Scalar();
    const auto tier = tier_of_name(name);
    if (!tier) refuse_key(entry.first, name, "standard, priority, ultrafast, flex, batch");
    require_map(entry.second, name);
    for (const auto& member : entry.second) {
      const std::string key = member.first.Scalar();
      if (!read_rate(key, member.second, band[*tier])) refuse_key(member.first, key, kRates);
    }
  }
}

void read_bands(const YAML::Node& bands, PriceRow& row) {
  if (!bands.IsSequence()) refuse(bands, "above takes a list, each with 'tokens' and prices");
  for (const auto& entry : bands) {
    require_map(entry, "above");
    const YAML::Node tokens = entry["tokens"];
    if (!tokens) refuse(entry, "a band needs 'tokens': the input above which it holds");
    const std::string text = scalar(tokens, "tokens");
    uint64_t above = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), above);
    if (error != std::errc{} || end != text.data() + text.size() || above == 0 ||
        above > 1'000'000'000) {
      refuse(tokens, "tokens: '" + text + "' is no number of tokens");
    }
    if (row.bands.size() >= 16) refuse(entry, "more than 16 bands");
    Band& band = row.band(above);
    for (const auto& member : entry) {
      const std::string key = member.first.Scalar();
      if (key == "tokens") continue;
      if (key == "tiers") {
        read_tiers(member.second, band);
      } else if (!read_rate(key, member.second, band[Tier::kStandard])) {
        refuse_key(member.first, key, std::string("tokens, tiers, ") + kRates);
      }
    }
  }
}

bool read_factor(const std::string& key, const YAML::Node& value, PriceRow& row) {
  static constexpr std::pair<std::string_view, Ratio PriceRow::*> kFactors[] = {
      {"us_host", &PriceRow::us_host},
      {"eu_host", &PriceRow::eu_host},
      {"us_geo", &PriceRow::us_geo},
      {"fast", &PriceRow::fast},
      {"regional", &PriceRow::regional}};
  for (const auto& [name, member] : kFactors) {
    if (name != key) continue;
    row.*member = factor_of(value, key);
    return true;
  }
  return false;
}

// A member that belongs to the row's prices.
bool read_price(const std::string& key, const YAML::Node& value, PriceRow& row) {
  if (key == "tiers") {
    read_tiers(value, row.band(0));
  } else if (key == "above") {
    read_bands(value, row);
  } else if (key == "web_search") {
    row.web_search = price_of(value, key, 0);
  } else if (key == "grounded_prompt") {
    row.grounded_prompt = price_of(value, key, 0);
  } else if (key == "request") {
    row.request = price_of(value, key, 0);
  } else if (key == "audio_second") {
    row.audio_second = price_of(value, key, 0);
  } else if (key == "search_unit") {
    row.search_unit = price_of(value, key, 0);
  } else if (key == "source_date") {
    date_of(value, key);
    row.source_date = value.Scalar();
  } else {
    return read_rate(key, value, row.band(0)[Tier::kStandard]) || read_factor(key, value, row);
  }
  return true;
}

constexpr const char* kRowKeys =
    ", tiers, above, web_search, grounded_prompt, request, audio_second, search_unit, us_host, "
    "eu_host, us_geo, fast, regional, source_date, ";

PriceRow read_row(const YAML::Node& entry) {
  require_map(entry, "a price");
  PriceRow row;
  row.origin = kOrigin;
  row.layer = Layer::kOverride;
  row.band(0);
  for (const auto& member : entry) {
    const std::string key = member.first.Scalar();
    if (key == "provider") {
      row.provider = text_of(member.second, key);
    } else if (key == "model") {
      row.model = text_of(member.second, key);
    } else if (key == "hours") {
      row.period.hours = read_hours(member.second);
    } else if (!read_period(key, member.second, row.period) &&
               !read_price(key, member.second, row)) {
      refuse_key(member.first, key,
                 std::string("provider, model, from, until, hours") + kRowKeys + kRates);
    }
  }
  if (row.provider.empty() || row.model.empty()) {
    refuse(entry, "a price needs 'provider' and 'model', as records name them");
  }
  const bool by_units = row.audio_second.stated() || row.search_unit.stated();
  if (!by_units && !row.band(0)[Tier::kStandard][Item::kInput].stated()) {
    refuse(entry, "a price needs 'input': USD for a million tokens");
  }
  row.key = row.provider + "/" + row.model;
  return row;
}

Discount read_discount(const YAML::Node& entry) {
  require_map(entry, "a discount");
  Discount discount;
  bool has_factor = false;
  for (const auto& member : entry) {
    const std::string key = member.first.Scalar();
    if (key == "provider") {
      discount.provider = text_of(member.second, key);
    } else if (key == "model") {
      discount.model = text_of(member.second, key);
    } else if (key == "percent") {
      const std::string text = scalar(member.second, key);
      const auto ratio = ratio_after_discount(text);
      if (!ratio) refuse(member.second, "percent: '" + text + "' is not from 0 to below 100");
      discount.factor = *ratio;
      has_factor = true;
    } else if (key == "factor") {
      discount.factor = factor_of(member.second, key);
      has_factor = true;
    } else if (!read_period(key, member.second, discount.period)) {
      refuse_key(member.first, key, "provider, model, percent, factor, from, until");
    }
  }
  if (discount.provider.empty()) refuse(entry, "a discount needs 'provider'");
  if (!has_factor) refuse(entry, "a discount needs 'percent' or 'factor'");
  return discount;
}

Deployment read_deployment(const YAML::Node& entry) {
  require_map(entry, "a deployment");
  Deployment deployment;
  for (const auto& member : entry) {
    const std::string key = member.first.Scalar();
    if (key == "provider") {
      deployment.provider = text_of(member.second, key);
    } else if (key == "name") {
      deployment.name = text_of(member.second, key);
    } else if (key == "server") {
      deployment.server = text_of(member.second, key);
    } else if (key == "model") {
      deployment.model = text_of(member.second, key);
    } else if (key == "zone") {
      deployment.zone = text_of(member.second, key);
    } else {
      refuse_key(member.first, key, "provider, name, server, model, zone");
    }
  }
  if (deployment.name.empty() && deployment.server.empty()) {
    refuse(entry, "a deployment needs 'name', or the 'server' it is on");
  }
  if (deployment.model.empty() && deployment.zone.empty()) {
    refuse(entry, "a deployment needs the 'model' it runs, or the 'zone' it is in");
  }
  return deployment;
}

OwnServer read_own_server(const YAML::Node& entry) {
  require_map(entry, "a machine of one's own");
  OwnServer own;
  PriceRow row;
  row.origin = kOrigin;
  row.layer = Layer::kOverride;
  for (const auto& member : entry) {
    const std::string key = member.first.Scalar();
    if (key == "server") {
      own.server = text_of(member.second, key);
    } else if (key == "provider") {
      own.provider = text_of(member.second, key);
    } else if (key == "model") {
      own.model = text_of(member.second, key);
    } else if (!read_price(key, member.second, row)) {
      refuse_key(member.first, key, std::string("server, provider, model") + kRowKeys + kRates);
    }
  }
  if (own.server.empty() && own.provider.empty() && own.model.empty()) {
    refuse(entry, "name at least one of 'server', 'provider' and 'model'");
  }
  if (!row.bands.empty()) {
    if (!row.band(0)[Tier::kStandard][Item::kInput].stated()) {
      refuse(entry, "an own price needs 'input': USD for a million tokens");
    }
    row.provider = own.provider;
    row.model = own.model;
    row.key = "self_hosted/" + (own.model.empty() ? own.server : own.model);
    own.row = std::move(row);
  }
  return own;
}

template <typename T, typename Read>
void read_list(const YAML::Node& list, const std::string& what, Read read, std::vector<T>& into) {
  if (list.IsNull()) return;
  if (!list.IsSequence()) refuse(list, what + " takes a list");
  for (const auto& entry : list) into.push_back(read(entry));
}

// Two rows of one model must not be in effect at once: which of them is meant?
void refuse_overlaps(const YAML::Node& prices, const std::vector<PriceRow>& rows) {
  for (size_t i = 0; i < rows.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      const auto& hours = rows[i].period.hours;
      const auto& others = rows[j].period.hours;
      const bool same = rows[i].provider == rows[j].provider && rows[i].model == rows[j].model &&
                        hours.has_value() == others.has_value() &&
                        (!hours || hours->overlap(*others));
      if (same && rows[i].period.from_ns < rows[j].period.until_ns &&
          rows[j].period.from_ns < rows[i].period.until_ns) {
        refuse(prices[i], "a second price of " + rows[i].key +
                              " for the same time; part them with 'from' and 'until'");
      }
    }
  }
}

}  // namespace

bool matches(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return true;
  size_t p = 0, t = 0, star = pattern.npos, back = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      back = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != pattern.npos) {
      p = star + 1;
      t = ++back;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

Result<Overrides> read_overrides(const std::string& text, const std::string& name) {
  const auto error = [&](const YAML::Mark& mark, const std::string& message) {
    const std::string line = mark.is_null() ? "" : ":" + std::to_string(mark.line + 1);
    return Error{"price overrides " + name + line + ": " + message};
  };
  try {
    const YAML::Node root = YAML::Load(text);
    Overrides overrides;
    if (root.IsNull()) return overrides;
    require_map(root, "the file");
    for (const auto& member : root) {
      const std::string key = member.first.Scalar();
      if (key == "prices") {
        read_list(member.second, key, read_row, overrides.rows);
        refuse_overlaps(member.second, overrides.rows);
      } else if (key == "discounts") {
        read_list(member.second, key, read_discount, overrides.discounts);
      } else if (key == "deployments") {
        read_list(member.second, key, read_deployment, overrides.deployments);
      } else if (key == "self_hosted") {
        read_list(member.second, key, read_own_server, overrides.own_servers);
      } else {
        refuse_key(member.first, key, "prices, discounts, deployments, self_hosted");
      }
    }
    return overrides;
  } catch (const Mistake& mistake) {
    return error(mistake.mark, mistake.message);
  } catch (const YAML::Exception& exception) {
    return error(exception.mark, exception.msg + "; it must be YAML");
  }
}

}  // namespace wiretally::pricing
