// The price book of a running agent: an immutable catalog that is swapped whole when its files
// change. A call is priced by one catalog from its first token to its last.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "catalog.h"
#include "wiretally/price.h"
#include "wiretally/result.h"

namespace wiretally::pricing {

// Empty paths: none.
struct PriceFiles {
  std::string list;       // LiteLLM's
  std::string overrides;  // YAML
};

// Prices are asked for on any thread; reload() and files_changed() belong to one.
class LivePriceBook final : public PriceBook {
 public:
  static Result<std::unique_ptr<LivePriceBook>> open(PriceFiles files);

  // Reads the files anew. On an error, which names file, line and remedy, the old book stays.
  Status reload();
  // Whether a file is another one than at the last reading, good or bad. Looks at the files' times
  // and sizes only.
  bool files_changed() const;

  Cost price(const UsageRecord& record) const override { return book()->price(record); }
  Cost price_at(const UsageRecord& record, int64_t start_epoch_ns) const override {
    return book()->price_at(record, start_epoch_ns);
  }
  Cost stated_cost(const UsageRecord& record) const override { return book()->stated_cost(record); }
  bool knows(std::string_view provider, std::string_view model) const override {
    return book()->knows(provider, model);
  }

  std::shared_ptr<const Catalog> book() const;

 private:
  // What tells one state of a file from another.
  struct FileState {
    int64_t modified_ns = 0;
    int64_t size = -1;
    uint64_t inode = 0;
    friend bool operator==(const FileState&, const FileState&) = default;
  };

  LivePriceBook(PriceFiles files) : files_(std::move(files)) {}
  static FileState state_of(const std::string& path);
  std::array<FileState, 2> states() const;

  const PriceFiles files_;
  std::array<FileState, 2> seen_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Catalog> book_;
};

}  // namespace wiretally::pricing
