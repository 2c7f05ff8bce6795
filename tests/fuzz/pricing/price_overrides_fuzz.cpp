// Overrides of any content: rows that can be priced, or an error with a place.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "catalog.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace wiretally;
  auto overrides =
      pricing::read_overrides(std::string(reinterpret_cast<const char*>(data), size), "fuzz");
  if (!overrides) {
    if (overrides.error().message.find("fuzz") == std::string::npos) std::abort();
    return 0;
  }
  UsageRecord record;
  record.provider.assign("openai");
  record.response_model.assign("m");
  record.tokens.input = 300'000;
  record.tokens.output = 1'000;
  record.tokens.cache_read = 10;
  record.tokens.input_source = record.tokens.output_source = UsageSource::kReported;
  if (!overrides->rows.empty()) {
    record.provider.assign(overrides->rows.front().provider);
    record.response_model.assign(overrides->rows.front().model);
  }
  const pricing::Catalog catalog({}, *std::move(overrides));
  const Cost cost = catalog.price_at(record, 1'800'000'000'000'000'000);
  if (cost.total && static_cast<int64_t>(*cost.total) < 0) std::abort();
  return 0;
}
