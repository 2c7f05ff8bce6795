// Serves /metrics, /healthz and /readyz, and nothing else, from a few threads (CivetWeb).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "prometheus/agent_metrics.h"
#include "prometheus/prometheus_sink.h"
#include "wiretally/result.h"

namespace wiretally::sinks {

// What anybody but a Prometheus sees of /metrics; what `replay --format prometheus` prints.
std::string metrics_text(PrometheusSink& calls, const AgentMetrics* agent);

class MetricsServer {
 public:
  struct Options {
    std::string listen = "127.0.0.1:9477";  // address:port; [address]:port for IPv6, where CivetWeb
                                            // has it; port 0: any
    std::function<bool()> ready = {};       // for /readyz; any thread
  };

  // The sink and the metrics outlive the server. `agent` may be nullptr.
  static Result<std::unique_ptr<MetricsServer>> start(const Options& options, PrometheusSink& calls,
                                                      const AgentMetrics* agent);
  ~MetricsServer();  // open requests are finished

  uint16_t port() const;

 private:
  class Impl;
  explicit MetricsServer(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace wiretally::sinks
