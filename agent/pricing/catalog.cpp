#include "catalog.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <tuple>

#include "built_in_prices.h"
#include "litellm_file.h"
#include "published_rates.h"

namespace wiretally::pricing {
namespace {

constexpr std::string_view kAzure = "azure.ai.openai";
constexpr std::string_view kBedrock = "aws.bedrock";
constexpr std::string_view kVertex = "gcp.vertex_ai";
// What is sold everywhere has the list's rows without a zone, too.
constexpr std::string_view kWidestZone = "global";

// Servers that run where their owner put them.
constexpr std::string_view kOwnServers[] = {"ollama", "vllm",   "llamacpp", "lmstudio",
                                            "tgi",    "triton", "sglang",   "localai"};

constexpr std::string_view kGeographies[] = {"us.", "eu.", "apac.", "global.",
                                             "jp.", "au.", "ca.",   "us-gov."};

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
  for (const std::string_view geography : kGeographies) {
    if (model.starts_with(geography)) return model.substr(geography.size());
  }
  return model;
}

// bedrock-runtime.us-east-1.amazonaws.com → us-east-1
std::string_view region_of_host(std::string_view host) {
  if (!host.starts_with("bedrock")) return {};
  const size_t first = host.find('.');
  if (first == host.npos) return {};
  const size_t second = host.find('.', first + 1);
  return second == host.npos ? std::string_view() : host.substr(first + 1, second - first - 1);
}

// What Bedrock and Google write around a model's name. The model of a profile of one's own is not
// in its ARN: configuration names it.
std::string_view bare_model(std::string_view provider, std::string_view model) {
  if (provider == kBedrock && model.starts_with("arn:")) {
    for (const std::string_view kind : {":foundation-model/", ":inference-profile/"}) {
      if (const size_t at = model.find(kind); at != model.npos) {
        return model.substr(at + kind.size());
      }
    }
  }
  if (model.starts_with("models/")) model.remove_prefix(7);
  return model;
}

// Bedrock's ids name the maker first; a model that a maker's own answer names by its maker's name
// is billed by the id that was asked for.
bool is_bedrock_id(std::string_view model) {
  return model.starts_with("arn:") || model.find('.') != model.npos;
}

std::string_view billed_model(const UsageRecord& record) {
  if (record.provider.view() == kBedrock && !record.request_model.empty() &&
      !is_bedrock_id(record.response_model.view())) {
    return record.request_model.view();
  }
  if (!record.response_model.empty()) return record.response_model.view();
  return record.provider.view() == kAzure ? std::string_view{} : record.request_model.view();
}

bool same_standard_prices(const PriceRow& a, const PriceRow& b) {
  return !a.bands.empty() && !b.bands.empty() &&
         a.bands.front()[Tier::kStandard] == b.bands.front()[Tier::kStandard];
}

// Of two rows in effect the higher one counts.
std::tuple<Layer, bool, int64_t> rank_of(const PriceRow& row) {
  return {row.layer, row.period.hours.has_value(), row.period.from_ns};
}

std::string key_of(std::string_view provider, std::string_view model) {
  std::string key;
  key.reserve(provider.size() + model.size() + 1);
  return key.append(provider).append(1, '\n').append(model);
}

Cost free_of_charge() {
  constexpr Picodollars kZero{};
  Cost cost;
  cost.source = PriceSource::kCatalog;
  cost.price_id.assign("served_from_cache");
  cost.total = cost.input = cost.cache_read = cost.cache_write = cost.output = cost.tools = kZero;
  return cost;
}

std::optional<Picodollars> picodollars_of(int64_t femtodollars) {
  if (femtodollars < 0) return std::nullopt;
  const int64_t quotient = femtodollars / 1000, twice_rest = femtodollars % 1000 * 2;
  const bool up = twice_rest > 1000 || (twice_rest == 1000 && quotient % 2 == 1);
  return Picodollars{quotient + (up ? 1 : 0)};
}

std::string_view statement_id(CostStatement statement) {
  switch (statement) {
    case CostStatement::kNone:
      return "";
    case CostStatement::kUsageCost:
      return "usage.cost";
    case CostStatement::kUsageTotal:
      return "usage.cost.total_cost";
    case CostStatement::kUsageTicks:
      return "usage.cost_in_usd_ticks";
    case CostStatement::kGatewayHeader:
      return "x-litellm-response-cost";
  }
  return "";
}

// A number called cost is money only where the provider is known to mean USD by it.
bool is_money(const UsageRecord& record) {
  const std::string_view provider = record.provider.view();
  return record.cost_statement != CostStatement::kUsageCost || provider == "openrouter" ||
         provider == "vercel_ai_gateway" || provider == "venice";
}

bool has_tokens(const TokenCounts& tokens) {
  return tokens.input.value_or(0) > 0 || tokens.output.value_or(0) > 0;
}

// Models that a provider gives away say so in their names.
bool is_given_away(const UsageRecord& record) {
  return record.response_model.view().ends_with(":free") ||
         record.request_model.view().ends_with(":free");
}

Error cannot_open(std::string_view what, const std::string& path, std::string_view remedy) {
  return Error{std::string(what) + " " + path + ": cannot be opened: " + std::strerror(errno) +
               std::string(remedy)};
}

}  // namespace

std::string_view via_text(Via via) {
  switch (via) {
    case Via::kName:
      return "the model's own name";
    case Via::kDeployment:
      return "the model that is configured for the deployment";
    case Via::kZone:
      return "the model in the zone that is configured for the deployment";
    case Via::kRegion:
      return "the model in the host's region";
    case Via::kWithoutTuner:
      return "the fine-tune's base";
    case Via::kWithoutDate:
      return "the undated name of the snapshot";
    case Via::kDefaultVersion:
      return "the model's default version";
    case Via::kWithoutGeography:
      return "the name without its geography, which is priced nowhere apart";
  }
  return "";
}

Catalog Catalog::built_in() { return Catalog(built_in_prices()); }

Result<Catalog> Catalog::load(const std::string& price_file, const std::string& override_file) {
  std::vector<PriceRow> rows = built_in_prices();
  if (!price_file.empty()) {
    std::ifstream file(price_file, std::ios::binary);
    if (!file) {
      return cannot_open("price file", price_file,
                         "; name a readable file with --prices, or none for the built-in prices");
    }
    auto listed = read_litellm(file, price_file, "file");
    if (!listed) return listed.error();
    rows.insert(rows.end(), std::make_move_iterator(listed->begin()),
                std::make_move_iterator(listed->end()));
  }
  Overrides overrides;
  if (!override_file.empty()) {
    std::ifstream file(override_file, std::ios::binary);
    if (!file) {
      return cannot_open("price overrides", override_file,
                         "; name a readable file with --price-overrides");
    }
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    auto read = read_overrides(text, override_file);
    if (!read) return read.error();
    overrides = *std::move(read);
  }
  return Catalog(std::move(rows), std::move(overrides));
}

Catalog::Catalog(std::vector<PriceRow> rows, Overrides overrides)
    : overrides_(std::move(overrides)) {
  for (PriceRow& row : rows) add(std::move(row));
  for (PriceRow& row : overrides_.rows) add(std::move(row));
  overrides_.rows.clear();
  for (const auto& entry : rows_) row_count_ += entry.second.size();
}

void Catalog::add(PriceRow row) {
  add_published_rates(row);
  providers_.insert(row.provider);
  names_.insert(row.model);
  names_.insert(row.key);
  std::vector<PriceRow>& known = rows_[key_of(row.provider, row.model)];
  // A file's row takes the place of the built-in ones, and of the file's own of a higher rank.
  if (row.layer == Layer::kFile) {
    std::erase_if(known, [&](const PriceRow& other) {
      return other.layer == Layer::kBuiltIn ||
             (other.layer == Layer::kFile && row.rank <= other.rank);
    });
    const auto from_file = [](const PriceRow& other) { return other.layer == Layer::kFile; };
    if (std::any_of(known.begin(), known.end(), from_file)) return;
  }
  known.push_back(std::move(row));
}

const PriceRow* Catalog::row(std::string_view provider, std::string_view model, int64_t epoch_ns,
                             bool lists_only, bool* listed) const {
  const auto found = rows_.find(key_of(provider, model));
  if (found == rows_.end()) return nullptr;
  const PriceRow* best = nullptr;
  for (const PriceRow& row : found->second) {
    if (lists_only && row.layer == Layer::kOverride) continue;
    if (listed != nullptr) *listed = true;
    if (!row.period.holds(epoch_ns)) continue;
    if (best == nullptr || rank_of(*best) < rank_of(row)) best = &row;
  }
  return best;
}

// Whether a model is priced alike in all geographies, as far as any is listed.
bool Catalog::geographies_agree(std::string_view provider, std::string_view model,
                                int64_t epoch_ns) const {
  const PriceRow* base = row(provider, model, epoch_ns, true, nullptr);
  if (base == nullptr) return true;
  return std::all_of(
      std::begin(kGeographies), std::end(kGeographies), [&](std::string_view geography) {
        const PriceRow* other =
            row(provider, std::string(geography).append(model), epoch_ns, true, nullptr);
        return other == nullptr || same_standard_prices(*base, *other);
      });
}

// The deployment that a call is known to have gone to.
const Deployment* Catalog::deployment_of(std::string_view provider, std::string_view model,
                                         std::string_view request_model,
                                         std::string_view server_name) const {
  for (const Deployment& deployment : overrides_.deployments) {
    const bool named =
        deployment.name.empty() || deployment.name == model || deployment.name == request_model;
    if (named && matches(deployment.provider, provider) &&
        matches(deployment.server, server_name)) {
      return &deployment;
    }
  }
  return nullptr;
}

Catalog::Candidates Catalog::candidates(std::string_view provider, std::string_view model,
                                        std::string_view server_name, int64_t epoch_ns,
                                        const Deployment* deployment) const {
  Candidates found;
  const auto add_name = [&](std::string_view name, Via via) {
    const PriceRow* candidate = row(provider, name, epoch_ns, false, &found.listed);
    if (candidate == nullptr) return;
    const bool known = std::any_of(found.rows.begin(), found.rows.end(),
                                   [&](const Candidate& c) { return c.row == candidate; });
    if (!known) found.rows.push_back({candidate, via});
  };
  // What the answer names was served, whatever the configuration says; but for the deployment's
  // own name, which some answers repeat.
  const bool configured = deployment != nullptr && !deployment->model.empty() &&
                          (model.empty() || deployment->name == model);
  if (configured) model = deployment->model;
  if (model.empty()) return found;
  model = bare_model(provider, model);
  if (deployment != nullptr && !deployment->zone.empty()) {
    const std::string zone = deployment->zone + "/";
    add_name(zone + std::string(model), Via::kZone);
    add_name(zone + std::string(without_date(model)), Via::kZone);
    if (deployment->zone != kWidestZone) return finished(std::move(found), provider, epoch_ns);
  }
  if (provider == kBedrock) {
    if (const std::string_view region = region_of_host(server_name); !region.empty()) {
      add_name(std::string(region).append("/").append(model), Via::kRegion);
    }
  }
  add_name(model, configured ? Via::kDeployment : Via::kName);
  const std::string_view untuned = without_tuner(model);
  add_name(untuned, Via::kWithoutTuner);
  add_name(without_date(untuned), Via::kWithoutDate);
  if (provider == kVertex && model.find('@') == model.npos) {
    add_name(std::string(model).append("@default"), Via::kDefaultVersion);
  }
  if (provider == kBedrock) {
    const std::string_view anywhere = without_geography(model);
    if (anywhere.size() != model.size() &&
        (model.starts_with("global.") || geographies_agree(provider, anywhere, epoch_ns))) {
      add_name(anywhere, Via::kWithoutGeography);
    }
  }
  return finished(std::move(found), provider, epoch_ns);
}

Catalog::Candidates Catalog::finished(Candidates found, std::string_view provider,
                                      int64_t epoch_ns) const {
  if (found.rows.empty()) return found;

  // An override of a later, wider name goes first, if the lists price both names alike.
  const auto own = std::find_if(found.rows.begin(), found.rows.end(), [](const Candidate& c) {
    return c.row->layer == Layer::kOverride;
  });
  if (own != found.rows.begin() && own != found.rows.end()) {
    const PriceRow* wide = row(provider, own->row->model, epoch_ns, true, nullptr);
    if (wide == nullptr || same_standard_prices(*wide, *found.rows.front().row)) {
      std::rotate(found.rows.begin(), own, own + 1);
    }
  }
  return found;
}

Quote Catalog::quote(const UsageRecord& record, int64_t start_epoch_ns) const {
  Quote quote;
  const std::string_view provider = record.provider.view();
  const std::string_view model = billed_model(record);
  const auto finish = [&](const Candidate& candidate) {
    quote.row = candidate.row;
    quote.via = candidate.via;
    quote.discount = nullptr;
    Ratio discount;
    if (candidate.row->layer != Layer::kOverride) {
      for (const Discount& one : overrides_.discounts) {
        if (!matches(one.provider, provider) || !one.period.holds(start_epoch_ns)) continue;
        if (!matches(one.model, model) && !matches(one.model, candidate.row->model)) continue;
        quote.discount = &one;
        discount = one.factor;
        break;
      }
    }
    quote.quotation = cost_of(*candidate.row, record, discount);
    if (quote.quotation.units.empty() && !all_reported(record)) {
      quote.quotation.gap = Gap::kTokensUnknown;
    }
    return quote.quotation.gap == Gap::kNone;
  };

  for (const OwnServer& own : overrides_.own_servers) {
    if (!matches(own.server, record.server_name.view()) || !matches(own.provider, provider) ||
        !matches(own.model, model)) {
      continue;
    }
    quote.self_hosted = true;
    quote.quotation.gap = Gap::kNoTokenPrices;
    if (own.row) finish({&*own.row, Via::kName});
    return quote;
  }

  const Deployment* const deployment =
      deployment_of(provider, model, record.request_model.view(), record.server_name.view());
  const Candidates found =
      candidates(provider, model, record.server_name.view(), start_epoch_ns, deployment);
  if (found.rows.empty()) {
    const bool own = std::find(std::begin(kOwnServers), std::end(kOwnServers), provider) !=
                     std::end(kOwnServers);
    // Ollama passes models of this name on to its makers' machines.
    quote.self_hosted = own && !model.ends_with("-cloud") && !model.ends_with(":cloud");
    quote.quotation.gap = found.listed ? Gap::kNotInEffect : Gap::kNoRow;
    return quote;
  }
  const Candidate& first = found.rows.front();
  for (const Candidate& candidate : found.rows) {
    if (&candidate != &first && !same_standard_prices(*candidate.row, *first.row)) continue;
    if (finish(candidate)) return quote;
  }
  finish(first);
  return quote;
}

std::string Catalog::price_id(const Quote& quote) {
  const PriceRow& row = *quote.row;
  std::string id = row.origin + "/" + row.key;
  if (quote.quotation.band > 0) id += ":above_" + std::to_string(quote.quotation.band);
  if (quote.quotation.tier != Tier::kStandard) {
    id.append(":").append(tier_name(quote.quotation.tier));
  }
  if (!quote.quotation.units.empty()) id.append(":").append(quote.quotation.units);
  for (const std::string_view factor : quote.quotation.costing.factors) {
    if (!factor.empty()) id.append(":").append(factor);
  }
  return id;
}

namespace {

// A call in two: what is billed apart, and the rest. False if they do not make up the whole.
bool take_apart(UsageRecord& rest, UsageRecord& apart) {
  const UsageApart& part = rest.apart;
  if (part.several_models) return false;
  TokenCounts& tokens = rest.tokens;
  const auto take = [](std::optional<uint64_t>& whole, uint64_t taken) {
    if (taken == 0) return true;
    if (!whole || *whole < taken) return false;
    *whole -= taken;
    return true;
  };
  if (!take(tokens.input, part.input) || !take(tokens.cache_read, part.cache_read) ||
      !take(tokens.cache_write_5m, part.cache_write_5m) || !take(tokens.output, part.output)) {
    return false;
  }
  apart.tokens = {.input = part.input,
                  .cache_read = part.cache_read,
                  .cache_write_5m = part.cache_write_5m,
                  .cache_write_1h = {},
                  .output = part.output,
                  .reasoning = {},
                  .input_audio = {},
                  .input_image = {},
                  .output_audio = {},
                  .output_image = {},
                  .cache_read_audio = {},
                  .billed_input = {},
                  .billed_output = {},
                  .input_source = tokens.input_source,
                  .output_source = tokens.output_source};
  if (!part.model.empty()) apart.response_model = part.model;
  apart.server_tool_requests.reset();
  return true;
}

std::optional<Picodollars> plus(std::optional<Picodollars> a, std::optional<Picodollars> b) {
  int64_t sum = 0;
  if (!a || !b) return std::nullopt;
  if (__builtin_add_overflow(static_cast<int64_t>(*a), static_cast<int64_t>(*b), &sum)) {
    return std::nullopt;
  }
  return Picodollars{sum};
}

}  // namespace

// What is billed apart is a request of its own, with its own context and perhaps its own model.
Cost Catalog::book_cost(const UsageRecord& record, int64_t start_epoch_ns) const {
  if (!record.apart.any() || !all_reported(record)) return row_cost(record, start_epoch_ns);
  UsageRecord rest = record;
  UsageRecord apart = record;
  if (!take_apart(rest, apart)) return {};
  Cost cost = row_cost(rest, start_epoch_ns);
  const Cost other = row_cost(apart, start_epoch_ns);
  if (cost.source == PriceSource::kSelfHosted) return row_cost(record, start_epoch_ns);
  cost.total = plus(cost.total, other.total);
  if (!cost.total) return {};
  cost.input = plus(cost.input, other.input);
  cost.cache_read = plus(cost.cache_read, other.cache_read);
  cost.cache_write = plus(cost.cache_write, other.cache_write);
  cost.output = plus(cost.output, other.output);
  cost.tools = plus(cost.tools, other.tools);
  if (cost.price_id.view() != other.price_id.view()) {
    const std::string both =
        std::string(cost.price_id.view()) + "+" + std::string(other.price_id.view());
    cost.price_id.assign(both);
  }
  return cost;
}

Cost Catalog::row_cost(const UsageRecord& record, int64_t start_epoch_ns) const {
  const Quote quote = this->quote(record, start_epoch_ns);
  Cost cost;
  if (quote.self_hosted) cost.source = PriceSource::kSelfHosted;
  if (quote.row == nullptr) return cost;
  if (quote.quotation.gap == Gap::kTokensUnknown) {
    // The price is known, the tokens are not: they are not unpriced.
    if (!quote.self_hosted) cost.source = PriceSource::kCatalog;
    return cost;
  }
  if (quote.quotation.gap != Gap::kNone) return cost;
  if (!quote.self_hosted) {
    const bool own = quote.row->layer == Layer::kOverride || quote.discount != nullptr;
    cost.source = own ? PriceSource::kOverride : PriceSource::kCatalog;
  }
  const Costing& costing = quote.quotation.costing;
  cost.price_id.assign(price_id(quote));
  cost.total = costing.total;
  cost.input = costing.input;
  cost.cache_read = costing.cache_read;
  cost.cache_write = costing.cache_write;
  cost.output = costing.output;
  cost.tools = costing.tools;
  return cost;
}

Cost Catalog::stated_cost(const UsageRecord& record) const {
  Cost cost;
  if (!record.stated_cost_femtodollars || !is_money(record)) return cost;
  // Of a stream that was cut only a running total is known.
  const TokenCounts& tokens = record.tokens;
  if (tokens.input_source == UsageSource::kPartial ||
      tokens.output_source == UsageSource::kPartial) {
    return cost;
  }
  cost.stated = picodollars_of(*record.stated_cost_femtodollars);
  if (!cost.stated) return cost;
  if (*cost.stated == Picodollars{} && !record.served_from_cache && has_tokens(tokens) &&
      !is_given_away(record)) {
    // A gateway's head leaves before the answer is made; some servers fill in a 0.
    cost.stated_doubtful = true;
    return cost;
  }
  cost.source = PriceSource::kProvider;
  cost.price_id.assign(statement_id(record.cost_statement));
  cost.total = cost.stated;
  return cost;
}

Cost Catalog::price_at(const UsageRecord& record, int64_t start_epoch_ns) const {
  if (record.served_from_cache) return free_of_charge();
  Cost by_book = book_cost(record, start_epoch_ns);
  Cost stated = stated_cost(record);
  if (stated.total) {
    stated.by_book = by_book.total;
    return stated;
  }
  by_book.stated = stated.stated;
  by_book.stated_doubtful = stated.stated_doubtful;
  if (stated.stated) by_book.by_book = by_book.total;
  return by_book;
}

bool Catalog::knows(std::string_view provider, std::string_view model) const {
  if (model.empty()) return false;
  const Candidates found = candidates(provider, model, {}, kLatest, nullptr);
  if (!found.rows.empty() || found.listed) return true;
  if (providers_.contains(std::string(provider))) return false;
  return names_.contains(std::string(model)) || names_.contains(std::string(without_date(model)));
}

}  // namespace wiretally::pricing
