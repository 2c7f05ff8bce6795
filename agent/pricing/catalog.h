// The price book: rows of one's own over a price file over the built-in catalog. docs/prices.md is
// its reader's side. Which row prices a call:
//
//   1. Whose: the provider's own rows only; the same model costs otherwise elsewhere.
//   2. Which model: the served one; the requested one only where the answer names none (and never
//      for Azure, whose request names a deployment). A configured deployment stands for its model.
//   3. The name as it is, in Bedrock's region first; then without what does not change its price: a
//      fine-tune's organisation and suffix, a snapshot's date, Bedrock's geography (only where no
//      other geography is priced apart).
//      A deployment that is configured to be in a zone has that zone's rows only.
//   4. Of rows of one name: those in effect when the call began; an override before the file before
//      the built-in row, and one for hours of the day before one for all of it.
//   5. An override of the undated name prices its snapshots, and a snapshot's row that lacks a rate
//      gives way to the undated model's, if their lists state the same standard prices.
//
// No row, or a rate that is stated nowhere: no cost, source none.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "costing.h"
#include "overrides.h"
#include "price_row.h"
#include "wiretally/price.h"
#include "wiretally/result.h"

namespace wiretally::pricing {

// How the call's model led to its row.
enum class Via : uint8_t {
  kName,
  kDeployment,
  kZone,
  kRegion,
  kWithoutTuner,
  kWithoutDate,
  kDefaultVersion,
  kWithoutGeography,
};
std::string_view via_text(Via via);

// A row's answer to a call. Rows live as long as their catalog.
struct Quote {
  const PriceRow* row = nullptr;  // the row that prices the call, or (gap) the one nearest to it
  Via via = Via::kName;
  const Discount* discount = nullptr;
  bool self_hosted = false;
  Quotation quotation;  // gap == kNone: row prices the call
};

// Immutable, hence thread-safe.
class Catalog final : public PriceBook {
 public:
  // A call that is priced without a time is priced by the latest rows.
  static constexpr int64_t kLatest = INT64_MAX;

  static Catalog built_in();
  // The built-in rows; over them those of a LiteLLM file; over them overrides. Empty paths: none.
  static Result<Catalog> load(const std::string& price_file, const std::string& override_file);

  explicit Catalog(std::vector<PriceRow> rows, Overrides overrides = {});

  Cost price(const UsageRecord& record) const override { return price_at(record, kLatest); }
  Cost price_at(const UsageRecord& record, int64_t start_epoch_ns) const override;
  Cost stated_cost(const UsageRecord& record) const override;
  // A provider without prices is asked about by the model's bare name.
  bool knows(std::string_view provider, std::string_view model) const override;

  // What price_at() goes by, with its reasons.
  Quote quote(const UsageRecord& record, int64_t start_epoch_ns) const;
  // Written into records: list, row, band, tier, factors.
  static std::string price_id(const Quote& quote);

  size_t size() const { return row_count_; }
  const std::unordered_set<std::string>& providers() const { return providers_; }

 private:
  struct Candidate {
    const PriceRow* row;
    Via via;
  };
  struct Candidates {
    std::vector<Candidate> rows;  // best first
    bool listed = false;          // a row of the model, in effect or not
  };

  void add(PriceRow row);
  const PriceRow* row(std::string_view provider, std::string_view model, int64_t epoch_ns,
                      bool lists_only, bool* listed) const;
  const Deployment* deployment_of(std::string_view provider, std::string_view model,
                                  std::string_view request_model,
                                  std::string_view server_name) const;
  Candidates candidates(std::string_view provider, std::string_view model,
                        std::string_view server_name, int64_t epoch_ns,
                        const Deployment* deployment) const;
  Candidates finished(Candidates found, std::string_view provider, int64_t epoch_ns) const;
  bool geographies_agree(std::string_view provider, std::string_view model, int64_t epoch_ns) const;
  Cost book_cost(const UsageRecord& record, int64_t start_epoch_ns) const;
  Cost row_cost(const UsageRecord& record, int64_t start_epoch_ns) const;

  std::unordered_map<std::string, std::vector<PriceRow>> rows_;  // by provider, line feed, model
  std::unordered_set<std::string> providers_;                    // that have rows
  std::unordered_set<std::string> names_;                        // models of any provider
  size_t row_count_ = 0;
  Overrides overrides_;
};

}  // namespace wiretally::pricing
