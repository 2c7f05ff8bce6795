// What the probes add to one call of SSL_write and one of SSL_read (200 bytes each, memory BIOs):
// CPU time of the watched process. Needs root.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "ignoring_sink.h"
#include "probe_source.h"

namespace wiretally::uprobe {
namespace {

// Nanoseconds of CPU for one write and one read, as tests/victims/tls_pair.c measures them.
double run_victim() {
  const auto folder = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  const std::string command = (folder / "tls_pair").string() + " bench:50000";
  FILE* pipe = ::popen(command.c_str(), "r");
  double ns = 0;
  if (pipe == nullptr || std::fscanf(pipe, "%lf", &ns) != 1) ns = 0;
  if (pipe != nullptr) ::pclose(pipe);
  return ns;
}

void measure(benchmark::State& state) {
  for (auto _ : state) {
    const double ns = run_victim();
    if (ns == 0) state.SkipWithError("tls_pair is not beside this benchmark");
    state.SetIterationTime(ns / 2e9);  // one call
  }
}

void BM_CallUnprobed(benchmark::State& state) { measure(state); }

void BM_CallProbed(benchmark::State& state) {
  Counters counters;
  IgnoringSink sink;
  auto source = ProbeSource::create({}, counters, sink);
  if (!source) {
    state.SkipWithError(source.error().message.c_str());
    return;
  }
  std::jthread lane([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) (*source)->poll(10);
  });
  measure(state);
  state.counters["lost_bytes"] = static_cast<double>((*source)->status().losses.ring_bytes);
}

BENCHMARK(BM_CallUnprobed)->UseManualTime()->Iterations(3);
BENCHMARK(BM_CallProbed)->UseManualTime()->Iterations(3);

}  // namespace
}  // namespace wiretally::uprobe
