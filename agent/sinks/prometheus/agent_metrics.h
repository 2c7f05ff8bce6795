// The agent's own metrics (wiretally_*): what was captured, parsed, skipped, dropped and missing,
// summed over the lanes, and what is probed. Held and written by prometheus-cpp.
//
// The byte identity: captured = parsed + skipped + dropped + buffered. Scrapes run beside the
// lanes, so it holds to the byte when the lanes are quiet.
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <array>
#include <atomic>
#include <string>
#include <vector>

#include "wiretally/counters.h"

namespace wiretally::sinks {

struct BuildInfo {
  std::string version;
  std::string revision;
  std::string kernel;
};

class AgentMetrics {
 public:
  explicit AgentMetrics(const BuildInfo& build);

  // A lane's counters; they outlive this. Before the first scrape.
  void watch(const Counters& counters) { lanes_.push_back(&counters); }

  // What is seen and what is not, and why. Any thread.
  void set_probed_libraries(const std::string& kind, double libraries);
  void set_unprobed_processes(const std::string& kind, const std::string& reason, double processes);
  void add_late_attach(const std::string& kind, double calls);
  // Packets that the kernel had to leave out of an interface's ring, since the last call.
  void add_kernel_drops(const std::string& interface, double packets);

  // The price book: how often its files were read anew, with what result; how many rows it has.
  void add_price_reload(const std::string& result);
  void set_price_rows(double rows);
  // Whole things that were left out because a limit of docs/limits.md was reached, in all so far.
  enum class GivenUp : uint8_t { kMessage, kLine, kUndecidedAnswer, kCount };
  void set_given_up(GivenUp what, uint64_t total) {
    given_up_[static_cast<size_t>(what)].store(total, std::memory_order_relaxed);
  }

  std::string text() const;

 private:
  void collect_bytes(std::vector<prometheus::MetricFamily>& families) const;
  void collect_given_up(std::vector<prometheus::MetricFamily>& families) const;
  void collect_connections(std::vector<prometheus::MetricFamily>& families) const;
  template <typename Read>
  double sum(Read read) const;

  std::vector<const Counters*> lanes_;
  std::array<std::atomic<uint64_t>, static_cast<size_t>(GivenUp::kCount)> given_up_{};
  prometheus::Registry registry_;
  prometheus::Family<prometheus::Gauge>& probed_libraries_;
  prometheus::Family<prometheus::Gauge>& unprobed_processes_;
  prometheus::Family<prometheus::Counter>& late_attach_;
  prometheus::Family<prometheus::Counter>& kernel_drops_;
  prometheus::Family<prometheus::Counter>& price_reloads_;
  prometheus::Family<prometheus::Gauge>& price_rows_;
};

}  // namespace wiretally::sinks
