// A price file of any content: rows that can be priced, or an error.
#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <string>

#include "catalog.h"
#include "litellm_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::istringstream input(std::string(reinterpret_cast<const char*>(data), size));
  auto rows = wiretally::pricing::read_litellm(input, "fuzz", "fuzz");
  if (!rows) return 0;
  wiretally::UsageRecord record;
  record.provider.assign("openai");
  record.tokens.input = 300'000;
  record.tokens.output = 1'000;
  record.tokens.cache_read = 10;
  record.tokens.reasoning = 10;
  record.tokens.input_source = wiretally::UsageSource::kReported;
  record.tokens.output_source = wiretally::UsageSource::kReported;
  if (!rows->empty()) record.response_model.assign(rows->front().key);
  const wiretally::pricing::Catalog catalog(*std::move(rows));
  const wiretally::Cost cost = catalog.price(record);
  if (cost.total && static_cast<int64_t>(*cost.total) < 0) std::abort();
  return 0;
}
