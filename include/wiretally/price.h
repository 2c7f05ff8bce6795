// Side door: what a call costs. Money is integers of 1e-12 USD at this door; rates inside are
// finer.
#pragma once

#include <cstdint>
#include <optional>

#include "wiretally/bytes.h"
#include "wiretally/usage_record.h"

namespace wiretally {

enum class PriceSource : uint8_t { kNone, kCatalog, kOverride, kProvider, kSelfHosted };
std::string_view price_source_name(PriceSource source);

// Picodollars: 1e-12 USD. 2^63 of them are 9.2 million USD a call.
enum class Picodollars : int64_t {};

struct Cost {
  PriceSource source = PriceSource::kNone;
  Text<128> price_id;                // which row and tier
  std::optional<Picodollars> total;  // nothing: no price, or no tokens
  std::optional<Picodollars> input;  // parts that add up to the total
  std::optional<Picodollars> cache_read;
  std::optional<Picodollars> cache_write;
  std::optional<Picodollars> output;
  std::optional<Picodollars> tools;
};

class PriceBook {
 public:
  virtual ~PriceBook() = default;
  // Thread-safe; a pure function of the record and the book. Only reported tokens are priced.
  virtual Cost price(const UsageRecord& record) const = 0;
  // Whether the catalog knows this model: it may then become a metric label.
  virtual bool knows(std::string_view provider, std::string_view model) const = 0;
};

}  // namespace wiretally
