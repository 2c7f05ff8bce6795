// One family's series: integers by label set, with a cap, birth at 0, and expiry.
//
// Birth: `increase()` sees nothing of a series that is born at its value. So a Prometheus scraper
// is shown a new label set as 0 first (`zero_scrapes` times), and only then what it gained. Every
// other reader sees true values. What a scrape showed counts only once it was delivered.
//
// Cap: past it, and past the budget of text, a new label set falls into `other` in every
// identifying label; each such update is counted. Expiry: a label set leaves when it was idle for
// `idle_ns` and its last value was scraped; it comes back at 0. So the sum of all positive steps
// that a scraper sees is the true total.
//
// Thread-safe: one thread updates, any number read.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "families.h"
#include "text.h"

namespace wiretally::sinks {

enum class Reader : uint8_t {
  kPrometheus,  // scrapes again and again, and takes differences
  kOther,       // looks once
};

// What the series of several tables may weigh together: bytes of exposition text.
struct ExpositionBudget {
  size_t bytes_max = SIZE_MAX;
  std::atomic<size_t> bytes{0};
};

struct SeriesOptions {
  ExpositionBudget* budget = nullptr;  // optional; outlives the table
  uint32_t zero_scrapes = 1;
  int64_t idle_ns = 24LL * 3600 * 1'000'000'000;
  size_t series_max = 5'000;
  size_t label_bytes_max = 128;
  bool gauge_expires_at_zero_only = false;  // a level that will come down again
};

using LabelValues = std::span<const std::string_view>;  // in the order of the family's labels

class SeriesTable {
 public:
  SeriesTable(const FamilySpec& spec, const SeriesOptions& options)
      : spec_(spec), options_(options) {}

  // Counters and gauges. Adding nothing still makes the series known.
  void add(LabelValues labels, Wide amount, int64_t now_ns);
  // A level that was true at `as_of_ns` and says nothing after `expires_ns`: it yields to no older
  // one, and goes away once its time has passed and a Prometheus has seen it.
  void set_until(LabelValues labels, Wide value, int64_t as_of_ns, int64_t expires_ns,
                 int64_t now_ns);
  // Histograms.
  void observe(LabelValues labels, int64_t value_ns, int64_t now_ns);

  // Appends the family in the text exposition format; nothing when it has no series. `scrape` is a
  // number of the caller's that names this scrape.
  void write(Reader reader, uint64_t scrape, int64_t now_ns, std::string& out);
  // The scrape of that number reached its Prometheus.
  void delivered(uint64_t scrape);

  size_t series() const;
  uint64_t overflows() const;

 private:
  struct Histogram {
    uint64_t count = 0;
    std::array<uint64_t, 18> buckets{};  // not cumulative; the last is +Inf
  };
  struct Series {
    Wide value = 0;  // histograms: the sum
    std::unique_ptr<Histogram> histogram;
    bool overflow = false;
    uint32_t zeros_shown = 0;
    uint64_t updates = 0;
    int64_t updated_ns = 0;
    uint64_t written_scrape = 0;  // the last Prometheus scrape that had it, and what that showed
    uint64_t written_updates = 0;
    bool written_as_zero = false;
    bool scraped = false;  // its present value reached a Prometheus
    int64_t as_of_ns = 0;  // of set_until
    int64_t expires_ns = INT64_MAX;
  };

  Series& series_of(LabelValues labels, int64_t now_ns);
  void write_key(LabelValues labels, bool overflow);
  size_t weight_of(const std::string& key) const;
  void write_series(const std::string& key, const Series& series, bool as_zero,
                    std::string& out) const;
  void write_histogram(const std::string& key, const Series& series, bool as_zero,
                       std::string& out) const;
  void append_value(Wide value, std::string& out) const;
  bool expired(const Series& series, int64_t now_ns) const;

  const FamilySpec& spec_;
  const SeriesOptions options_;
  mutable std::mutex mutex_;
  std::map<std::string, Series, std::less<>> series_;  // by their labels as written
  size_t overflow_series_ = 0;
  uint64_t overflows_ = 0;
  std::string key_;  // scratch
  std::string value_;
};

// The text between the quotes of a label: no control characters, cut, and escaped.
void append_label_value(std::string& out, std::string_view value, size_t bytes_max,
                        std::string& scratch);

}  // namespace wiretally::sinks
