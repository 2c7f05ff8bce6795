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
  // Where the answer itself says what it cost:
  std::optional<Picodollars> stated;   // what it says, believed or not
  std::optional<Picodollars> by_book;  // what the price book would have said
  bool stated_doubtful = false;        // 0 for tokens that no cache explains: not believed
};

class PriceBook {
 public:
  virtual ~PriceBook() = default;
  // Thread-safe; a pure function of the record and the book. Only reported tokens are priced.
  virtual Cost price(const UsageRecord& record) const = 0;
  // The same with the prices in effect when the call began.
  virtual Cost price_at(const UsageRecord& record, int64_t /*start_epoch_ns*/) const {
    return price(record);
  }
  // Of what the answer itself states, only: a gateway's leg has no price of its own.
  virtual Cost stated_cost(const UsageRecord& /*record*/) const { return {}; }
  // Whether the catalog knows this model: it may then become a metric label.
  virtual bool knows(std::string_view provider, std::string_view model) const = 0;
};

}  // namespace wiretally
