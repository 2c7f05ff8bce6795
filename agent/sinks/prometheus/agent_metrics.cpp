#include "agent_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <sstream>

namespace wiretally::sinks {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr std::string_view kSourceNames[] = {"tls", "packet"};
constexpr std::string_view kVerdictNames[] = {"llm", "ignored", "undecided"};
static_assert(std::size(kVerdictNames) == static_cast<size_t>(FlowVerdict::kCount));

ClientMetric metric(MetricType type, double value,
                    std::initializer_list<std::pair<std::string_view, std::string_view>> labels) {
  ClientMetric m;
  for (const auto& [name, label] : labels) {
    m.label.push_back({std::string(name), std::string(label)});
  }
  if (type == MetricType::Counter) {
    m.counter.value = value;
  } else {
    m.gauge.value = value;
  }
  return m;
}

MetricFamily& begin(std::vector<MetricFamily>& families, std::string name, std::string help,
                    MetricType type = MetricType::Counter) {
  MetricFamily& family = families.emplace_back();
  family.name = std::move(name);
  family.help = std::move(help);
  family.type = type;
  return family;
}

}  // namespace

AgentMetrics::AgentMetrics(const BuildInfo& build)
    : probed_libraries_(prometheus::BuildGauge()
                            .Name("wiretally_probed_libraries")
                            .Help("TLS libraries and executables that carry probes now.")
                            .Register(registry_)),
      unprobed_processes_(prometheus::BuildGauge()
                              .Name("wiretally_unprobed_processes")
                              .Help("Processes that use TLS and cannot be read, by the reason.")
                              .Register(registry_)),
      late_attach_(prometheus::BuildCounter()
                       .Name("wiretally_late_attach_total")
                       .Help("Connections that were in use before their library was probed.")
                       .Register(registry_)),
      kernel_drops_(prometheus::BuildCounter()
                        .Name("wiretally_capture_kernel_dropped_packets_total")
                        .Help("Packets that found the kernel's ring full: what they carried of "
                              "watched connections is in wiretally_missing_bytes_total.")
                        .Register(registry_)),
      price_reloads_(prometheus::BuildCounter()
                         .Name("wiretally_price_reloads_total")
                         .Help("Readings of the price files after the start, by result; after an "
                               "error the old prices stay.")
                         .Register(registry_)),
      price_rows_(prometheus::BuildGauge()
                      .Name("wiretally_price_rows")
                      .Help("Rows of the price book in use.")
                      .Register(registry_)) {
  prometheus::BuildGauge()
      .Name("wiretally_build_info")
      .Help("The agent's version and the kernel it runs on.")
      .Register(registry_)
      .Add({{"version", build.version}, {"revision", build.revision}, {"kernel", build.kernel}})
      .Set(1);
}

void AgentMetrics::set_probed_libraries(const std::string& kind, double libraries) {
  probed_libraries_.Add({{"kind", kind}}).Set(libraries);
}

void AgentMetrics::set_unprobed_processes(const std::string& kind, const std::string& reason,
                                          double processes) {
  unprobed_processes_.Add({{"kind", kind}, {"reason", reason}}).Set(processes);
}

void AgentMetrics::add_late_attach(const std::string& kind, double calls) {
  late_attach_.Add({{"kind", kind}}).Increment(calls);
}

void AgentMetrics::add_price_reload(const std::string& result) {
  price_reloads_.Add({{"result", result}}).Increment();
}

void AgentMetrics::set_price_rows(double rows) { price_rows_.Add({}).Set(rows); }

void AgentMetrics::add_kernel_drops(const std::string& interface, double packets) {
  kernel_drops_.Add({{"interface", interface}}).Increment(packets);
}

template <typename Read>
double AgentMetrics::sum(Read read) const {
  uint64_t total = 0;
  for (const Counters* lane : lanes_) total += read(*lane);
  return static_cast<double>(total);
}

void AgentMetrics::collect_given_up(std::vector<MetricFamily>& families) const {
  constexpr std::string_view kNames[] = {"message", "line", "undecided_answer"};
  static_assert(std::size(kNames) == static_cast<size_t>(GivenUp::kCount));
  MetricFamily& family =
      begin(families, "wiretally_given_up_total",
            "Messages to the ledger, lines of records and answers without request that found no "
            "room, each left out whole.");
  for (size_t i = 0; i < std::size(kNames); ++i) {
    family.metric.push_back(metric(
        MetricType::Counter, static_cast<double>(given_up_[i].load(std::memory_order_relaxed)),
        {{"what", kNames[i]}}));
  }
}

void AgentMetrics::collect_bytes(std::vector<MetricFamily>& families) const {
  struct PerSource {
    const char* name;
    const char* help;
    MetricType type;
    Cell SourceCounters::*cell;
  };
  static constexpr PerSource kPerSource[] = {
      {"wiretally_capture_events_total", "Events with payload that were captured.",
       MetricType::Counter, &SourceCounters::captured_events},
      {"wiretally_capture_bytes_total",
       "Payload bytes captured: parsed, skipped, dropped and buffered ones together.",
       MetricType::Counter, &SourceCounters::captured_bytes},
      {"wiretally_parsed_bytes_total", "Payload bytes that were read.", MetricType::Counter,
       &SourceCounters::parsed_bytes},
      {"wiretally_buffered_bytes", "Payload bytes that wait for earlier ones.", MetricType::Gauge,
       &SourceCounters::buffered_bytes},
  };
  for (const PerSource& row : kPerSource) {
    MetricFamily& family = begin(families, row.name, row.help, row.type);
    for (size_t s = 0; s < kSourceCount; ++s) {
      const double value =
          sum([&](const Counters& lane) { return (lane.sources[s].*row.cell).value(); });
      family.metric.push_back(metric(row.type, value, {{"source", kSourceNames[s]}}));
    }
  }

  const auto by_reason = [&](const char* name, const char* help, const auto& reasons, auto member) {
    MetricFamily& family = begin(families, name, help);
    for (size_t i = 0; i < std::size(reasons); ++i) {
      const double value = sum([&](const Counters& lane) {
        uint64_t total = 0;
        for (const SourceCounters& source : lane.sources) total += (source.*member)[i].value();
        return total;
      });
      family.metric.push_back(metric(MetricType::Counter, value,
                                     {{"stage", reasons[i].stage}, {"reason", reasons[i].label}}));
    }
  };
  by_reason("wiretally_skipped_bytes_total", "Payload bytes passed over on purpose.", kSkipReasons,
            &SourceCounters::skipped_bytes);
  by_reason("wiretally_dropped_total", "Times that payload was given up.", kDropReasons,
            &SourceCounters::dropped_events);
  by_reason("wiretally_dropped_bytes_total", "Payload bytes that were captured and given up.",
            kDropReasons, &SourceCounters::dropped_bytes);
  by_reason("wiretally_missing_bytes_total", "Payload bytes that were never captured.",
            kMissingReasons, &SourceCounters::missing_bytes);

  struct OfPackets {
    const char* name;
    const char* help;
    Cell Counters::*cell;
  };
  static constexpr OfPackets kOfPackets[] = {
      {"wiretally_packets_bad_checksum_total",
       "TCP segments whose checksum is wrong as captured; normal with offload, and read.",
       &Counters::packets_bad_checksum},
      {"wiretally_packets_not_tcp_total", "Packets captured that carry no TCP.",
       &Counters::packets_not_tcp},
  };
  for (const OfPackets& row : kOfPackets) {
    const double value = sum([&](const Counters& lane) { return (lane.*row.cell).value(); });
    MetricFamily& family = begin(families, row.name, row.help);
    family.metric.push_back(metric(MetricType::Counter, value, {}));
  }
}

void AgentMetrics::collect_connections(std::vector<MetricFamily>& families) const {
  MetricFamily& family =
      begin(families, "wiretally_connections_total", "Connections that have ended, by verdict.");
  for (size_t s = 0; s < kSourceCount; ++s) {
    for (size_t v = 0; v < std::size(kVerdictNames); ++v) {
      const double value = sum([&](const Counters& lane) { return lane.flows[s][v].value(); });
      family.metric.push_back(metric(MetricType::Counter, value,
                                     {{"source", kSourceNames[s]}, {"verdict", kVerdictNames[v]}}));
    }
  }
}

std::string AgentMetrics::text() const {
  std::vector<MetricFamily> families = registry_.Collect();
  collect_bytes(families);
  collect_given_up(families);
  collect_connections(families);
  for (MetricFamily& family : families) {
    std::sort(family.metric.begin(), family.metric.end(),
              [](const ClientMetric& a, const ClientMetric& b) { return a.label < b.label; });
  }
  families.erase(std::remove_if(families.begin(), families.end(),
                                [](const MetricFamily& f) { return f.metric.empty(); }),
                 families.end());
  std::sort(families.begin(), families.end(),
            [](const MetricFamily& a, const MetricFamily& b) { return a.name < b.name; });
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, families);
  return out.str();
}

}  // namespace wiretally::sinks
