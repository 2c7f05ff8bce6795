// The price book: a built-in table of OpenAI's and Anthropic's models, and LiteLLM's price file
// over it. Which row prices a call:
//
//   1. The served model counts; the requested one only where the answer names none (and never for
//      Azure, whose request names a deployment).
//   2. The provider says under which prefixes and of which owner a row may be. A provider without
//      such a line (`unknown` too) has no prices: the same model costs otherwise elsewhere.
//   3. The name as it is; then without what does not change its price: a snapshot's date, a
//      fine-tune's organisation and suffix, Bedrock's geography.
//   4. A snapshot's row that lacks a rate which the call needs gives way to the undated model's, if
//      both state the same standard prices.
//
// No row, or a rate that is stated nowhere: no cost, source none.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "price_row.h"
#include "wiretally/price.h"
#include "wiretally/result.h"

namespace wiretally::pricing {

// Immutable, hence thread-safe.
class Catalog final : public PriceBook {
 public:
  static Catalog built_in();
  // The file's rows, and the built-in ones of models that the file does not have.
  static Result<Catalog> load_litellm(const std::string& path);

  explicit Catalog(std::vector<PriceRow> rows);

  Cost price(const UsageRecord& record) const override;
  // A provider without prices is asked about by the model's bare name.
  bool knows(std::string_view provider, std::string_view model) const override;

  size_t size() const { return rows_.size(); }

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };

  void add(PriceRow row);
  const PriceRow* row(std::string_view key) const;
  // Rows that may price the model, best first.
  std::vector<const PriceRow*> candidates(std::string_view provider, std::string_view model) const;

  std::unordered_map<std::string, PriceRow, Hash, std::equal_to<>> rows_;
};

}  // namespace wiretally::pricing
