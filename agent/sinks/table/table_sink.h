// A table for people, written when the input has ended: the calls one by one when they are few, and
// totals by provider and model. A number with a '+' is a lower bound: some call behind it did not
// say. Text from the wire is shown without control characters.
#pragma once

#include <cstdio>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "quiet_sink.h"
#include "text.h"

namespace wiretally::sinks {

class TableSink final : public QuietSink {
 public:
  static constexpr size_t kCallsShownMax = 50;
  static constexpr size_t kRowsMax = 1000;  // further models are summed under "other"

  explicit TableSink(std::FILE* out) : out_(out) {}

  void on_entry(const LedgerEntry& entry) override;
  void on_finish() override;

  std::string text() const;

 private:
  // A sum of numbers some of which may be unknown.
  struct Sum {
    Wide value = 0;
    bool any = false;
    bool incomplete = false;

    template <typename Number>
    void add(const std::optional<Number>& number) {
      if (number) value += static_cast<int64_t>(*number);
      any = any || number;
      incomplete = incomplete || !number;
    }
    std::string shown(int digits = 0, int fraction_min = 0) const;
  };
  struct Totals {
    uint64_t calls = 0;
    uint64_t ok = 0;
    Sum input, cached, output, cost;

    void add(const LedgerEntry& entry);
  };
  using Row = std::vector<std::string>;

  static Row call_row(const LedgerEntry& entry);
  static Row totals_row(const std::string& provider, const std::string& model, const Totals& t);

  std::FILE* out_;
  uint64_t calls_ = 0;
  std::vector<Row> call_rows_;  // of the first calls; dropped when there are more
  std::map<std::pair<std::string, std::string>, Totals> by_model_;
  Totals all_;
};

}  // namespace wiretally::sinks
