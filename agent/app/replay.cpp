// `wiretally replay`: capture files through the same pipeline, driven by their time stamps. The
// output is a pure function of the input, whatever the number of lanes.
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <deque>
#include <memory>

#include "capture_file.h"
#include "commands.h"
#include "csv/csv_sink.h"
#include "key_secret.h"
#include "ndjson/ndjson_sink.h"
#include "prometheus/agent_metrics.h"
#include "prometheus/metrics_server.h"
#include "prometheus/prometheus_sink.h"
#include "replay_lanes.h"
#include "startup.h"
#include "table/table_sink.h"
#include "version.h"

namespace wiretally {
namespace {

// The sink that prints in the wanted format.
class Output {
 public:
  static Result<Output> open(const Settings& settings, const Limits& limits,
                             const PriceBook& prices) {
    Output output;
    output.format_ = settings.format;
    switch (settings.format) {
      case Format::kTable:
        output.sink_ = std::make_unique<sinks::TableSink>(stdout);
        return output;
      case Format::kPrometheus: {
        sinks::PrometheusOptions options;
        options.prices = &prices;
        auto calls = std::make_unique<sinks::PrometheusSink>(limits, options);
        output.calls_ = calls.get();
        output.sink_ = std::move(calls);
        output.agent_ = std::make_unique<sinks::AgentMetrics>(
            sinks::BuildInfo{std::string(version()), std::string(revision()), ""});
        return output;
      }
      case Format::kNdjson:
      case Format::kCsv:
        break;
    }
    auto file = sinks::LineFile::open("-", sinks::LineFile::Mode::kAtOnce);
    if (!file) return file.error();
    output.lines_ = file->get();
    if (settings.format == Format::kNdjson) {
      output.sink_ = std::make_unique<sinks::NdjsonSink>(*std::move(file));
    } else {
      output.sink_ = std::make_unique<sinks::CsvSink>(*std::move(file));
    }
    return output;
  }

  EntrySink* sink() { return sink_.get(); }

  void watch(const std::deque<Counters>& counters) {
    if (agent_ == nullptr) return;
    for (const Counters& one : counters) agent_->watch(one);
  }

  // Everything has been delivered: prints what is printed only now. Fails if anything could not be
  // written, for then the caller's file is not what it seems.
  Status finish() {
    if (format_ == Format::kPrometheus) {
      const std::string text = sinks::metrics_text(*calls_, agent_.get());
      std::fwrite(text.data(), 1, text.size(), stdout);
    }
    if (lines_ != nullptr && lines_->dropped_lines() > 0) {
      return Error{std::to_string(lines_->dropped_lines()) + " lines of output were not written"};
    }
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
      return Error{std::string("cannot write the output: ") + std::strerror(errno)};
    }
    return Done{};
  }

 private:
  Format format_ = Format::kTable;
  std::unique_ptr<EntrySink> sink_;
  sinks::LineFile* lines_ = nullptr;
  sinks::PrometheusSink* calls_ = nullptr;
  std::unique_ptr<sinks::AgentMetrics> agent_;
};

}  // namespace

int replay(const Settings& settings) {
  const Limits limits = limits_of(settings);
  const auto prices = price_book(settings);
  if (!prices) return fail(prices.error());
  const auto rules = load_rules(settings.rules);
  if (!rules) return fail(rules.error());
  identity::KeySecret secret = identity::public_replay_key();
  if (settings.key_secret.empty()) {
    std::fputs(
        "wiretally: hashes use the public replay key; give --key-secret FILE for an own one\n",
        stderr);
  } else {
    const auto own = identity::load_or_create_key(settings.key_secret);
    if (!own) return fail(own.error());
    secret = *own;
  }
  const identity::HeaderCredentialReader credentials(
      secret, privacy_of(settings, identity::SubjectPrivacy::kPlain),
      mark_headers(settings, *rules));

  // Sinks first, capture last.
  auto output = Output::open(settings, limits, **prices);
  if (!output) return fail(output.error());
  ledger::Ledger ledger(limits, ledger_options(settings, **prices, *rules), {output->sink()});
  ReplayLanes lanes(limits, settings.lanes, credentials, ledger);
  output->watch(lanes.counters());

  int status = kExitSuccess;
  for (const std::string& path : settings.files) {
    auto file = pcap::CaptureFile::open(path, limits);
    const Status read = file ? lanes.read(*file, settings.ports) : file.error();
    if (!read) {
      std::fflush(stdout);
      status = fail(read.error());
    }
  }
  ledger.drain();
  if (const Status finished = output->finish(); !finished) status = fail(finished.error());
  return status;
}

}  // namespace wiretally
