// `wiretally prices`: which row of the price book matches a model, why, and what a call costs by
// it. It asks the same book in the same way as the ledger does.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "live_price_book.h"
#include "startup.h"
#include "text.h"

namespace wiretally {
namespace {

using pricing::Catalog;
using pricing::Gap;
using pricing::Quote;

constexpr int kFemtoPerMillionDigits = 9;  // 1e-15 USD a token → USD a million: 9 decimals
constexpr int kPicoDigits = 12;

// Where a model is sold by several, its maker is meant, unless --provider says otherwise.
constexpr std::string_view kMakersFirst[] = {"openai",     "anthropic",  "gcp.gemini",
                                             "mistral_ai", "cohere",     "deepseek",
                                             "x_ai",       "perplexity", "moonshot_ai"};

struct Answer {
  UsageRecord record;
  int64_t epoch_ns = 0;
  Quote quote;
  Cost cost;
  std::vector<std::string> others;  // providers that sell it too
};

UsageRecord call_of(const Settings& settings) {
  UsageRecord record;
  record.response_model.assign(settings.files.front());
  record.request_model = record.response_model;
  record.service_tier.assign(settings.tier);
  record.server_name.assign(settings.server);
  record.inference_geo.assign(settings.geography);
  record.speed.assign(settings.speed);
  TokenCounts& tokens = record.tokens;
  tokens.input = settings.input;
  tokens.output = settings.output;
  tokens.input_source = tokens.output_source = UsageSource::kReported;
  const auto part = [](std::optional<uint64_t>& of, uint64_t count) {
    if (count > 0) of = count;
  };
  part(tokens.cache_read, settings.cache_read);
  part(tokens.cache_write_5m, settings.cache_write_5m);
  part(tokens.cache_write_1h, settings.cache_write_1h);
  part(tokens.reasoning, settings.reasoning);
  part(tokens.input_audio, settings.input_audio);
  part(tokens.output_audio, settings.output_audio);
  part(tokens.input_image, settings.input_image);
  part(tokens.output_image, settings.output_image);
  part(record.server_tool_requests, settings.searches);
  return record;
}

std::vector<std::string> providers_of(const Catalog& book, UsageRecord record, int64_t epoch_ns) {
  std::vector<std::string> found;
  for (const std::string& provider : book.providers()) {
    record.provider.assign(provider);
    const Quote quote = book.quote(record, epoch_ns);
    if (quote.row != nullptr || quote.quotation.gap == Gap::kNotInEffect) found.push_back(provider);
  }
  const auto rank = [](const std::string& provider) {
    return std::find(std::begin(kMakersFirst), std::end(kMakersFirst), provider) -
           std::begin(kMakersFirst);
  };
  std::sort(found.begin(), found.end(), [&](const std::string& a, const std::string& b) {
    return std::pair(rank(a), a) < std::pair(rank(b), b);
  });
  return found;
}

std::string why_not(const Quote& quote) {
  std::string why(pricing::gap_text(quote.quotation.gap));
  if (quote.quotation.gap == Gap::kRate) {
    why.append(": ").append(pricing::item_name(quote.quotation.missing));
  }
  return why;
}

// A row without prices of tokens says by what else such calls are billed. Whether the record was
// told it.
bool tell_operation(const Settings& settings, const Quote& quote, UsageRecord& record) {
  if (quote.row == nullptr || quote.row->bands.empty()) return false;
  if (quote.row->bands.front()[pricing::Tier::kStandard][pricing::Item::kInput].stated()) {
    return false;
  }
  if (quote.row->audio_second.stated()) {
    record.operation = Operation::kTranscription;
    record.billed_audio_ms = settings.audio_seconds * 1000;
    return true;
  }
  if (!quote.row->search_unit.stated()) return false;
  record.operation = Operation::kRerank;
  record.server_tool_requests = settings.searches;
  return true;
}

std::string money(Picodollars amount) {
  std::string text;
  sinks::append_decimal(text, static_cast<int64_t>(amount), kPicoDigits);
  return text;
}

std::string rate_text(pricing::Rate rate) {
  std::string text;
  sinks::append_decimal(text, rate.femtodollars, kFemtoPerMillionDigits);
  return text;
}

// The prices of the band and tier that apply.
std::vector<std::pair<std::string, std::string>> rates_of(const Quote& quote) {
  std::vector<std::pair<std::string, std::string>> rates;
  for (const pricing::Band& band : quote.row->bands) {
    if (band.above != quote.quotation.band) continue;
    for (size_t i = 0; i < pricing::kItemCount; ++i) {
      const auto item = static_cast<pricing::Item>(i);
      const pricing::Rate one = band[quote.quotation.tier][item];
      if (one.stated()) rates.emplace_back(pricing::item_name(item), rate_text(one));
    }
  }
  return rates;
}

// Of what is not tokens, for one.
std::vector<std::pair<std::string, std::string>> unit_rates_of(const Quote& quote) {
  std::vector<std::pair<std::string, std::string>> rates;
  const auto add = [&](std::string_view name, pricing::Rate rate) {
    if (!rate.stated()) return;
    std::string text;
    sinks::append_decimal(text, rate.femtodollars, pricing::Rate::kScale);
    rates.emplace_back(name, text);
  };
  add("web_search", quote.row->web_search);
  add("grounded_prompt", quote.row->grounded_prompt);
  add("request", quote.row->request);
  add("audio_second", quote.row->audio_second);
  add("search_unit", quote.row->search_unit);
  return rates;
}

std::string tier_of(const Quote& quote, const UsageRecord& record) {
  return quote.quotation.gap == Gap::kTier ? std::string(record.service_tier.view())
                                           : std::string(tier_name(quote.quotation.tier));
}

std::string band_of(const Quote& quote) {
  return quote.quotation.band == 0 ? "0" : std::to_string(quote.quotation.band);
}

std::string ratio_text(pricing::Ratio ratio) {
  return ratio.under == 1 ? std::to_string(ratio.over)
                          : std::to_string(ratio.over) + "/" + std::to_string(ratio.under);
}

void print_line(std::string_view name, const std::string& value) {
  std::printf("%-12.*s %s\n", static_cast<int>(name.size()), name.data(), value.c_str());
}

void print_text(const Answer& answer) {
  const Quote& quote = answer.quote;
  print_line("model", std::string(answer.record.response_model.view()));
  print_line("provider", std::string(answer.record.provider.view()));
  if (quote.row != nullptr) {
    print_line(answer.cost.total ? "row" : "nearest row", Catalog::price_id(quote));
    print_line("matched by", std::string(pricing::via_text(quote.via)));
    print_line("source date", quote.row->source_date.empty() ? "not told" : quote.row->source_date);
    const pricing::Period& period = quote.row->period;
    if (period.from_ns != INT64_MIN) print_line("from", pricing::date_of_epoch(period.from_ns));
    if (period.until_ns != INT64_MAX) print_line("until", pricing::date_of_epoch(period.until_ns));
    print_line("tier", tier_of(quote, answer.record));
    print_line("band", quote.quotation.band == 0
                           ? "the lowest"
                           : "above " + band_of(quote) + " tokens of input, for the whole request");
    std::string rates;
    for (const auto& [name, value] : rates_of(quote)) {
      rates += (rates.empty() ? "" : ", ") + name + " " + value;
    }
    print_line("prices", rates.empty() ? "none in this tier and band"
                                       : rates + " (USD for a million tokens)");
    std::string units;
    for (const auto& [name, value] : unit_rates_of(quote)) {
      units += (units.empty() ? "" : ", ") + name + " " + value;
    }
    if (!units.empty()) print_line("fees", units + " (USD for one)");
    if (!quote.quotation.costing.factor.is_one()) {
      print_line("factor", ratio_text(quote.quotation.costing.factor));
    }
  }
  if (!answer.others.empty()) {
    std::string others;
    for (const std::string& other : answer.others) others += (others.empty() ? "" : ", ") + other;
    print_line("also sold by", others + " (--provider)");
  }
  if (answer.cost.total) {
    std::string parts;
    const auto part = [&](std::string_view name, std::optional<Picodollars> amount) {
      if (!amount || *amount == Picodollars{}) return;
      parts += (parts.empty() ? " = " : " + ") + std::string(name) + " " + money(*amount);
    };
    part("input", answer.cost.input);
    part("cache read", answer.cost.cache_read);
    part("cache write", answer.cost.cache_write);
    part("output", answer.cost.output);
    part("tools", answer.cost.tools);
    print_line("cost", money(*answer.cost.total) + " USD" + parts);
  } else if (quote.self_hosted) {
    print_line("cost", "null: self-hosted, without a price of its own");
  } else {
    print_line("cost", "null: no exact row: " + why_not(quote));
  }
}

void print_json(const Answer& answer) {
  const Quote& quote = answer.quote;
  nlohmann::ordered_json json;
  json["model"] = answer.record.response_model.view();
  json["provider"] = answer.record.provider.view();
  json["price_id"] = nullptr;
  json["matched_by"] = nullptr;
  json["source_date"] = nullptr;
  json["tier"] = tier_of(quote, answer.record);
  json["band_above"] = quote.quotation.band;
  json["factor"] = ratio_text(quote.quotation.costing.factor);
  json["usd_per_million"] = nlohmann::ordered_json::object();
  json["usd_each"] = nlohmann::ordered_json::object();
  if (quote.row != nullptr) {
    json["price_id"] = Catalog::price_id(quote);
    json["matched_by"] = pricing::via_text(quote.via);
    if (!quote.row->source_date.empty()) json["source_date"] = quote.row->source_date;
    for (const auto& [name, value] : rates_of(quote)) json["usd_per_million"][name] = value;
    for (const auto& [name, value] : unit_rates_of(quote)) json["usd_each"][name] = value;
  }
  json["price_source"] = price_source_name(answer.cost.source);
  json["cost_usd"] = nullptr;
  json["why_null"] = nullptr;
  if (answer.cost.total) {
    json["cost_usd"] = money(*answer.cost.total);
  } else {
    json["why_null"] = quote.self_hosted ? "self_hosted" : why_not(quote);
  }
  std::printf("%s\n", json.dump().c_str());
}

}  // namespace

int prices(const Settings& settings) {
  if (settings.files.size() > 1) return fail("one model at a time; see `wiretally prices --help`");
  const auto live = price_book(settings);
  if (!live) return fail(live.error());
  const std::shared_ptr<const Catalog> book = (*live)->book();

  Answer answer;
  answer.epoch_ns = static_cast<int64_t>(std::time(nullptr)) * 1'000'000'000;
  if (!settings.date.empty()) {
    const auto epoch = pricing::epoch_of_date(settings.date);
    if (!epoch) return fail("--date: '" + settings.date + "' is no date; write 2026-09-01");
    answer.epoch_ns = *epoch;
  }
  answer.record = call_of(settings);
  if (settings.provider.empty()) {
    answer.others = providers_of(*book, answer.record, answer.epoch_ns);
    if (answer.others.empty()) {
      answer.record.provider.assign("unknown");
    } else {
      answer.record.provider.assign(answer.others.front());
      answer.others.erase(answer.others.begin());
    }
  } else {
    answer.record.provider.assign(settings.provider);
  }
  answer.quote = book->quote(answer.record, answer.epoch_ns);
  if (tell_operation(settings, answer.quote, answer.record)) {
    answer.quote = book->quote(answer.record, answer.epoch_ns);
  }
  answer.cost = book->price_at(answer.record, answer.epoch_ns);
  settings.json ? print_json(answer) : print_text(answer);
  return answer.cost.total || answer.quote.self_hosted ? kExitSuccess : kExitEnvironment;
}

}  // namespace wiretally
