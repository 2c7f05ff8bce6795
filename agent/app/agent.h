// The running agent: sources, lanes, the ledger, sinks and the web server, and the threads that
// drive them.
//
//   lane thread     polls probes and packets, runs stream → http → llm; with several lanes it
//                   deals out what it polls, and each lane has a thread of its own (lane_crew.h)
//   ledger thread   drains the lanes' channels, holds, folds, hands on
//   control thread  signals, discovery, attach and detach, status (the thread that calls run())
//   survey thread   once a minute: which processes speak TLS out of the probes' reach
//
// Members are declared in the order of their making: sinks first, capture last; they go in reverse.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "connection_owners.h"
#include "credential_reader.h"
#include "lane_crew.h"
#include "lane_ears.h"
#include "ledger.h"
#include "live_capture.h"
#include "live_price_book.h"
#include "ndjson/ndjson_sink.h"
#include "packet_decoder.h"
#include "pipeline.h"
#include "probe_source.h"
#include "proc_directory.h"
#include "prometheus/agent_metrics.h"
#include "prometheus/metrics_server.h"
#include "prometheus/prometheus_sink.h"
#include "rules_file.h"
#include "settings.h"
#include "survey.h"
#include "usage_channel.h"
#include "wiretally/counters.h"
#include "wiretally/limits.h"
#include "wiretally/result.h"

namespace wiretally {

class Agent {
 public:
  // Opens every source that can be opened. Fails only if none can, or if a file, the address or the
  // price list cannot be used; what is degraded is said in the log.
  static Result<std::unique_ptr<Agent>> start(const Settings& settings);
  ~Agent();

  // Until SIGTERM or SIGINT. Returns the exit status.
  int run();

 private:
  Agent(const Settings& settings, std::unique_ptr<pricing::LivePriceBook> prices,
        AttributionRules rules, const identity::KeySecret& secret);

  Status open_sinks();
  Status open_sources();
  Status open_server();
  void say_what_is_watched() const;

  void make_lanes();
  CaptureSink& lane_entrance() {
    return crew_ ? static_cast<CaptureSink&>(*crew_) : lanes_.front().lane.capture();
  }
  void hand_out() {
    if (crew_) crew_->send();
  }
  void lane_loop();
  void drain_channels();
  void poll_packets();
  void drain_packets();
  void publish_kernel_drops();
  void ledger_loop();
  void check_clock();
  void control_loop();
  void publish_status();
  void reload_prices();
  void survey_loop();
  void shut_down();

  const Settings settings_;
  const Limits limits_;
  const std::unique_ptr<pricing::LivePriceBook> prices_;
  const AttributionRules rules_;
  const identity::HeaderCredentialReader credentials_;
  identity::ProcDirectory processes_;
  Counters counters_;

  sinks::PrometheusSink calls_;
  sinks::AgentMetrics metrics_;
  std::unique_ptr<sinks::NdjsonSink> ndjson_;
  ProcConnectionOwners owners_;  // of the ledger's thread
  std::unique_ptr<ledger::Ledger> ledger_;
  WallClock wall_;                  // of the ledger's thread, as ledger_ knows it
  std::unique_ptr<LaneEars> ears_;  // of several lanes
  struct LaneSeat {
    LaneSeat(const Limits& limits, uint32_t index, Counters& counters,
             const CredentialReader& credentials)
        : channel(limits.usage_channel_bytes),
          lane(limits, index, counters, credentials, channel) {}
    UsageChannel channel;
    Lane lane;
  };
  std::deque<Counters> lane_counters_;  // of several lanes; a single one shares counters_
  std::deque<LaneSeat> lanes_;
  std::unique_ptr<LaneCrew> crew_;  // of several lanes

  struct Interface {
    std::string name;
    pcap::LiveCapture capture;
    pcap::PacketDecoder decoder;
    bool gone = false;
    uint64_t kernel_drops_published = 0;
  };
  std::vector<std::unique_ptr<Interface>> interfaces_;
  std::unique_ptr<uprobe::ProbeSource> probes_;
  std::unique_ptr<sinks::MetricsServer> server_;

  int signals_ = -1;  // signalfd
  std::atomic<bool> lane_stops_{false};
  std::atomic<bool> lane_runs_{false};
  std::mutex ledger_mutex_;
  std::condition_variable ledger_wakes_;
  bool ledger_stops_ = false;
  uint64_t late_attach_published_[static_cast<size_t>(uprobe::LateAttach::kCount)] = {};
  uprobe::Survey survey_;
  std::mutex survey_mutex_;
  std::condition_variable survey_wakes_;
  bool survey_stops_ = false;
  std::thread survey_thread_;
  std::thread lane_thread_;
  std::thread ledger_thread_;
};

}  // namespace wiretally
