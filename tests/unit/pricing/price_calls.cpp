// Prices calls from stdin by one book: price_calls --list FILE | --overrides FILE | --built-in.
// A line: provider TAB model TAB tier TAB name=count … ; answered by the cost in USD with 12
// decimals, or null. For price_lists.py.
#include <cinttypes>
#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>

#include "catalog.h"

using namespace wiretally;

namespace {

std::optional<uint64_t>* member_of(TokenCounts& tokens, const std::string& name) {
  const std::pair<const char*, std::optional<uint64_t>*> members[] = {
      {"input", &tokens.input},
      {"output", &tokens.output},
      {"cache_read", &tokens.cache_read},
      {"cache_write_5m", &tokens.cache_write_5m},
      {"cache_write_1h", &tokens.cache_write_1h},
      {"reasoning", &tokens.reasoning},
      {"input_audio", &tokens.input_audio},
      {"input_image", &tokens.input_image},
      {"output_audio", &tokens.output_audio},
      {"output_image", &tokens.output_image},
      {"cache_read_audio", &tokens.cache_read_audio}};
  for (const auto& [known, member] : members) {
    if (name == known) return member;
  }
  return nullptr;
}

// What is not counted in tokens says by its name what kind of call it is.
bool take_units(UsageRecord& record, const std::string& word) {
  const auto number = [&](std::string_view name) { return std::stoull(word.substr(name.size())); };
  constexpr std::string_view kSound = "audio_ms=", kSearches = "search_units=";
  if (word.starts_with(kSound)) {
    record.operation = Operation::kTranscription;
    record.billed_audio_ms = number(kSound);
    return true;
  }
  if (!word.starts_with(kSearches)) return false;
  record.operation = Operation::kRerank;
  record.server_tool_requests = number(kSearches);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string flag = argc > 1 ? argv[1] : "", file = argc > 2 ? argv[2] : "";
  const auto book =
      pricing::Catalog::load(flag == "--list" ? file : "", flag == "--overrides" ? file : "");
  if (!book) {
    std::fprintf(stderr, "%s\n", book.error().message.c_str());
    return 2;
  }
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream fields(line);
    std::string provider, model, tier, counts;
    std::getline(fields, provider, '\t');
    std::getline(fields, model, '\t');
    std::getline(fields, tier, '\t');
    std::getline(fields, counts);
    UsageRecord record;
    record.provider.assign(provider);
    record.response_model.assign(model);
    record.service_tier.assign(tier);
    record.tokens.input_source = record.tokens.output_source = UsageSource::kReported;
    std::istringstream words(counts);
    for (std::string word; words >> word;) {
      const size_t equals = word.find('=');
      if (take_units(record, word)) continue;
      auto* member =
          equals == word.npos ? nullptr : member_of(record.tokens, word.substr(0, equals));
      if (member == nullptr) {
        std::fprintf(stderr, "cannot read '%s'\n", word.c_str());
        return 2;
      }
      *member = std::stoull(word.substr(equals + 1));
    }
    const Cost cost = book->price(record);
    if (!cost.total) {
      std::puts("null");
    } else {
      const auto pico = static_cast<int64_t>(*cost.total);
      std::printf("%" PRId64 ".%012" PRId64 "\n", pico / 1'000'000'000'000,
                  pico % 1'000'000'000'000);
    }
  }
  return 0;
}
