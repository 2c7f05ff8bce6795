#include "worst_case.h"

#include "connection_table.h"
#include "ledger.h"
#include "pipeline.h"
#include "proc_directory.h"
#include "prometheus/prometheus_sink.h"

namespace wiretally {
namespace {

// Program, libraries, prices, stacks and the first arenas: an idle `replay` takes 13 MiB, `run` 20.
constexpr uint64_t kIdleBytes = 32 << 20;
// A ring of the kernel is mapped twice, end to end, so that no record is cut; both mappings count.
constexpr uint64_t kProbeRingMappings = 2;
// What the allocator cannot use again between blocks of many sizes.
constexpr uint64_t kFragmentationPercent = 10;

uint64_t probes(const Limits& limits) {
  constexpr uint64_t kBuckets = 2 * 4 * sizeof(uint32_t);  // a power of two, twice the connections
  // Of the prober and of the survey: a node of a hash table each, with what is known of a file.
  constexpr uint64_t kFile = 2 * 128;
  return limits.probed_connections_max * (sizeof(uprobe::ConnectionTable::Connection) + kBuckets) +
         Limits::files_known_max * kFile + limits.probed_libraries_max * 4'096;
}

uint64_t fragments(const Limits& limits) {
  constexpr uint64_t kEntry = 1'280;  // with the map of its blocks
  return limits.fragment_bytes_total + limits.fragment_packets_max * kEntry;
}

uint64_t processes(const Limits& limits) {
  constexpr uint64_t kNodes = 128;
  return limits.processes_max * (sizeof(ProcessIdentity) + kNodes);
}

uint64_t mib(uint64_t bytes) { return (bytes + (1 << 20) - 1) >> 20; }

}  // namespace

std::vector<MemoryShare> worst_case(const Limits& limits, const MemoryUse& use) {
  const bool has_probes = use.probe_ring_bytes > 0;
  std::vector<MemoryShare> shares = {
      {"idle", kIdleBytes},
      {"rings", use.packet_ring_bytes + kProbeRingMappings * use.probe_ring_bytes},
      {"capture",
       limits.capture_packet_bytes_max + fragments(limits) + (has_probes ? probes(limits) : 0)},
      {"stream", use.lanes * stream::StreamRoom::worst_case_bytes(limits)},
      {"http", use.lanes * http::HttpRoom::worst_case_bytes(limits)},
      {"llm", use.lanes * llm::LlmRoom::worst_case_bytes(limits)},
      {"ledger", ledger::Ledger::worst_case_bytes(limits, use.lanes) +
                     use.lanes * limits.usage_channel_bytes},
      {"identity", processes(limits)},
      {"sinks", (use.serves_metrics ? sinks::PrometheusSink::worst_case_bytes(limits) : 0) +
                    (use.writes_lines ? 3 * limits.line_queue_bytes_max : 0)},
  };
  uint64_t heap = 0;
  for (const MemoryShare& share : shares) {
    if (share.room != "rings" && share.room != "idle") heap += share.bytes;
  }
  shares.push_back({"allocator", heap * kFragmentationPercent / 100});
  return shares;
}

uint64_t worst_case_bytes(const Limits& limits, const MemoryUse& use) {
  uint64_t sum = 0;
  for (const MemoryShare& share : worst_case(limits, use)) sum += share.bytes;
  return sum;
}

std::string worst_case_text(const Limits& limits, const MemoryUse& use) {
  std::string text = std::to_string(mib(worst_case_bytes(limits, use))) + " MiB (";
  const char* comma = "";
  for (const MemoryShare& share : worst_case(limits, use)) {
    text += comma + std::string(share.room) + " " + std::to_string(mib(share.bytes));
    comma = ", ";
  }
  return text + ")";
}

}  // namespace wiretally
