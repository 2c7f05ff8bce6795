#include "catalog.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "built_in_prices.h"
#include "costing.h"
#include "litellm_file.h"

namespace wiretally::pricing {
namespace {

constexpr std::string_view kAzure = "azure.ai.openai";
constexpr std::string_view kBedrock = "aws.bedrock";

// Where the catalog keeps the models of a provider (named as records name it).
struct Market {
  std::string_view provider;
  std::array<std::string_view, 2> prefixes;  // of the key; "" is a bare name
  std::array<std::string_view, 2> owners;    // what the row's owner begins with
};
constexpr std::string_view kNone = "\n";  // no key and no owner begins so

constexpr Market kMarkets[] = {
    {"openai", {"", "openai/"}, {"openai", "text-completion-openai"}},
    {kAzure, {"azure/", kNone}, {"azure", kNone}},
    {"azure.ai.inference", {"azure_ai/", kNone}, {"azure_ai", kNone}},
    {"anthropic", {"", "anthropic/"}, {"anthropic", kNone}},
    {kBedrock, {"", "bedrock/"}, {"bedrock", kNone}},
    {"gcp.gemini", {"gemini/", kNone}, {"gemini", kNone}},
    {"gcp.vertex_ai", {"vertex_ai/", ""}, {"vertex_ai", kNone}},
    {"mistral_ai", {"mistral/", kNone}, {"mistral", kNone}},
    {"cohere", {"", "cohere/"}, {"cohere", kNone}},
    {"groq", {"groq/", kNone}, {"groq", kNone}},
    {"deepseek", {"deepseek/", kNone}, {"deepseek", kNone}},
    {"perplexity", {"perplexity/", kNone}, {"perplexity", kNone}},
    {"x_ai", {"xai/", kNone}, {"xai", kNone}},
    {"openrouter", {"openrouter/", kNone}, {"openrouter", kNone}},
    {"together", {"together_ai/", kNone}, {"together_ai", kNone}},
    {"fireworks", {"fireworks_ai/", kNone}, {"fireworks_ai", kNone}},
};

const Market* market_of(std::string_view provider) {
  for (const Market& market : kMarkets) {
    if (market.provider == provider) return &market;
  }
  return nullptr;
}

bool all_digits(std::string_view text) {
  return text.find_first_not_of("0123456789") == std::string_view::npos;
}

// gpt-4o-2024-08-06, claude-opus-4-7-20260416, claude-opus-4-1@20250805.
std::string_view without_date(std::string_view model) {
  constexpr size_t kPlain = 9;    // "-20260416"
  constexpr size_t kDashed = 11;  // "-2024-08-06"
  if (model.size() > kPlain) {
    const std::string_view tail = model.substr(model.size() - kPlain);
    if ((tail[0] == '-' || tail[0] == '@') && all_digits(tail.substr(1))) {
      return model.substr(0, model.size() - kPlain);
    }
  }
  if (model.size() > kDashed) {
    const std::string_view tail = model.substr(model.size() - kDashed);
    if (tail[0] == '-' && tail[5] == '-' && tail[8] == '-' && all_digits(tail.substr(1, 4)) &&
        all_digits(tail.substr(6, 2)) && all_digits(tail.substr(9, 2))) {
      return model.substr(0, model.size() - kDashed);
    }
  }
  return model;
}

// ft:gpt-4o-2024-08-06:org::id → ft:gpt-4o-2024-08-06
std::string_view without_tuner(std::string_view model) {
  if (!model.starts_with("ft:")) return model;
  return model.substr(0, model.find(':', 3));
}

// us.anthropic.claude-… → anthropic.claude-…
std::string_view without_geography(std::string_view model) {
  for (const std::string_view geography :
       {"us.", "eu.", "apac.", "global.", "jp.", "au.", "us-gov."}) {
    if (model.starts_with(geography)) return model.substr(geography.size());
  }
  return model;
}

std::string_view billed_model(const UsageRecord& record) {
  if (!record.response_model.empty()) return record.response_model.view();
  return record.provider.view() == kAzure ? std::string_view{} : record.request_model.view();
}

bool same_standard_prices(const PriceRow& a, const PriceRow& b) {
  return !a.bands.empty() && !b.bands.empty() &&
         a.bands.front()[Tier::kStandard] == b.bands.front()[Tier::kStandard];
}

Text<128> price_id(const PriceRow& row, const Costing& costing) {
  static constexpr std::string_view kTierNames[] = {"", ":priority", ":ultrafast", ":flex",
                                                    ":batch"};
  static_assert(std::size(kTierNames) == kTierCount);
  std::string id = row.origin + "/" + row.key;
  if (costing.band > 0) id += ":above_" + std::to_string(costing.band);
  id += kTierNames[static_cast<size_t>(costing.tier)];
  if (!costing.region.empty()) id.append(":").append(costing.region);
  return Text<128>(id);
}

Cost free_of_charge() {
  constexpr Picodollars kZero{};
  return {.source = PriceSource::kCatalog,
          .price_id = Text<128>("served_from_cache"),
          .total = kZero,
          .input = kZero,
          .cache_read = kZero,
          .cache_write = kZero,
          .output = kZero,
          .tools = kZero};
}

}  // namespace

Catalog Catalog::built_in() { return Catalog(built_in_prices()); }

Result<Catalog> Catalog::load_litellm(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return Error{"price file " + path + ": cannot be opened: " + std::strerror(errno) +
                 "; name a readable file with --prices, or none for the built-in prices"};
  }
  auto rows = read_litellm(file, path, "file");
  if (!rows) return rows.error();
  Catalog catalog = built_in();
  for (PriceRow& row : *rows) catalog.add(std::move(row));
  return catalog;
}

Catalog::Catalog(std::vector<PriceRow> rows) {
  for (PriceRow& row : rows) add(std::move(row));
}

void Catalog::add(PriceRow row) {
  std::string key = row.key;
  rows_.insert_or_assign(std::move(key), std::move(row));
}

const PriceRow* Catalog::row(std::string_view key) const {
  const auto found = rows_.find(key);
  return found == rows_.end() ? nullptr : &found->second;
}

std::vector<const PriceRow*> Catalog::candidates(std::string_view provider,
                                                 std::string_view model) const {
  std::vector<const PriceRow*> found;
  const Market* market = market_of(provider);
  if (market == nullptr || model.empty()) return found;
  const auto add_rows_of = [&](std::string_view name) {
    for (const std::string_view prefix : market->prefixes) {
      if (prefix == kNone) continue;
      const PriceRow* candidate = row(std::string(prefix).append(name));
      if (candidate == nullptr) continue;
      const bool owned =
          std::any_of(market->owners.begin(), market->owners.end(),
                      [&](std::string_view owner) { return candidate->owner.starts_with(owner); });
      const bool listed = std::find(found.begin(), found.end(), candidate) != found.end();
      if (owned && !listed) found.push_back(candidate);
    }
  };
  const std::string_view untuned = without_tuner(model);
  add_rows_of(untuned);
  add_rows_of(without_date(untuned));
  if (provider == kBedrock) add_rows_of(without_geography(model));
  return found;
}

Cost Catalog::price(const UsageRecord& record) const {
  if (record.served_from_cache) return free_of_charge();
  const auto rows = candidates(record.provider.view(), billed_model(record));
  if (rows.empty()) return {};
  if (!all_reported(record)) {
    Cost known_price_only;
    known_price_only.source = PriceSource::kCatalog;
    return known_price_only;
  }

  for (const PriceRow* candidate : rows) {
    if (candidate != rows.front() && !same_standard_prices(*candidate, *rows.front())) continue;
    const auto costing = cost_of(*candidate, record);
    if (!costing) continue;
    return {.source = PriceSource::kCatalog,
            .price_id = price_id(*candidate, *costing),
            .total = costing->total,
            .input = costing->input,
            .cache_read = costing->cache_read,
            .cache_write = costing->cache_write,
            .output = costing->output,
            .tools = costing->tools};
  }
  return {};
}

bool Catalog::knows(std::string_view provider, std::string_view model) const {
  if (market_of(provider) != nullptr) return !candidates(provider, model).empty();
  return row(model) != nullptr || row(without_date(model)) != nullptr;
}

}  // namespace wiretally::pricing
