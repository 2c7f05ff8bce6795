// The llm_* metrics: turns each counted call into additions to the series tables, and writes them
// for scrapes. docs/metrics.md says what each family means.
//
// The ledger's thread feeds it; scrapes come from any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "quiet_sink.h"
#include "series_table.h"
#include "wiretally/limits.h"

namespace wiretally::sinks {

struct PrometheusOptions {
  uint32_t zero_scrapes = 1;  // 2 for replicated scrapers
  int64_t idle_ns = 24LL * 3600 * 1'000'000'000;
  const PriceBook* prices = nullptr;     // vouches for model names; optional, outlives the sink
  std::function<int64_t()> now_ns = {};  // a steady clock; nothing: the system's
};

// One scrape. Its text is to be followed by delivered(number) once it reached the scraper.
struct Scrape {
  uint64_t number = 0;
  std::string text;
};

class PrometheusSink final : public EntrySink {
 public:
  explicit PrometheusSink(const Limits& limits, PrometheusOptions options = {});

  void on_entry(const LedgerEntry& entry) override;
  void on_call_opened(const CallOpened& call) override;
  void on_call_closed(const CallOpened& call) override;
  void on_suspect(Dialect dialect) override;
  void on_late_twin(std::string_view kind) override;
  void on_time(EventTime) override {}
  void on_finish() override {}
  void on_connection(std::string_view server, bool plain, std::string_view reason) override;
  void on_estimator(const UsageRecord& record, TokenSide side, EstimatorError error) override;

  Scrape scrape(Reader reader);
  // The most that a sink with these limits takes, scrapes included.
  static uint64_t worst_case_bytes(const Limits& limits);
  void delivered(const Scrape& scrape);
  // What anybody but a Prometheus sees: true values.
  std::string text() { return scrape(Reader::kOther).text; }

 private:
  struct Call;  // an entry's label values
  static constexpr size_t kCoverageMinutes = 60;
  struct Minute {
    int64_t number = -1;
    uint64_t plain = 0;
    uint64_t opaque = 0;
  };

  void add(Family family, std::initializer_list<std::string_view> labels, Wide amount);
  void observe(Family family, std::initializer_list<std::string_view> labels, int64_t ns);
  SeriesTable& table(Family family) { return *tables_[static_cast<size_t>(family)]; }

  void count_requests(const Call& call);
  void count_tokens(const Call& call);
  void count_token_kind(const Call& call, std::string_view type, UsageSource source, Wide amount);
  void count_cost(const Call& call);
  void count_stated_cost(const Call& call);
  void count_times(const Call& call);
  void count_extras(const Call& call);
  bool knows(std::string_view provider, std::string_view model) const;
  std::string_view model_label(const UsageRecord& record) const;
  void write_own(std::string& out);
  void write_coverage(std::string& out);
  int64_t now() const { return options_.now_ns(); }

  const PrometheusOptions options_;
  ExpositionBudget budget_;
  std::array<std::unique_ptr<SeriesTable>, kFamilyCount> tables_;
  std::atomic<uint64_t> scrapes_{0};
  std::mutex coverage_mutex_;
  std::array<Minute, kCoverageMinutes> coverage_{};
};

}  // namespace wiretally::sinks
