#include "agent.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <set>
#include <utility>

#include "commands.h"
#include "log.h"
#include "startup.h"
#include "survey.h"
#include "uretprobe_filter.h"
#include "version.h"

namespace wiretally {
namespace {

constexpr const char* kDefaultKeyFile = "/var/lib/wiretally/key";
constexpr int kLanePollMs = 10;
constexpr int kControlPollMs = 50;
constexpr int kControlNice = -20;
constexpr size_t kPacketsPerTurn = 4096;
constexpr int64_t kStatusEveryNs = 1'000'000'000;
constexpr int64_t kTimeEveryNs = 100'000'000;
constexpr int64_t kClockCheckEveryNs = 1'000'000'000;
constexpr int64_t kClockStepNs = 10'000'000;  // less is a matter of reading the clocks
constexpr int64_t kAheadOfClockNs = 2'000'000'000;
constexpr auto kSurveyEvery = std::chrono::seconds(60);
constexpr auto kLedgerEvery = std::chrono::milliseconds(20);

int64_t clock_ns(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

EventTime boot_now() { return {.ns = clock_ns(CLOCK_BOOTTIME), .clock = Clock::kBoot}; }

EventTime capture_now() { return {.ns = clock_ns(CLOCK_REALTIME), .clock = Clock::kCapture}; }

struct WallReading {
  WallClock wall;
  int64_t error_ns = 0;
};

// The two clocks cannot be read in one instant, and a busy machine may put anything between: of
// several readings the one with the least between them is right to its width.
WallReading read_wall_clock() {
  constexpr int kReadings = 5;
  WallReading best{.wall = {}, .error_ns = INT64_MAX};
  for (int i = 0; i < kReadings; ++i) {
    const int64_t before = clock_ns(CLOCK_BOOTTIME);
    const int64_t epoch = clock_ns(CLOCK_REALTIME);
    const int64_t after = clock_ns(CLOCK_BOOTTIME);
    if (after - before >= best.error_ns) continue;
    best = {.wall = {epoch - (before + (after - before) / 2)}, .error_ns = after - before};
  }
  return best;
}

// The memory of this process holds what services say: it is never written to a core file, and no
// other process of the same user may look into it.
void forbid_core_files() {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::prctl(PR_SET_DUMPABLE, 0);
}

// A probed library holds two files, or one a probe on kernels without uprobe_multi; the usual limit
// of 1024 would end at 70 libraries. Best effort: what cannot be probed then is said.
void raise_file_limit(const Limits& limits) {
  constexpr rlim_t kFilesALibrary = 14;
  constexpr rlim_t kOtherFiles = 1'024;
  const rlim_t wanted = limits.probed_libraries_max * kFilesALibrary + kOtherFiles;
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= wanted) return;
  const rlimit raised{wanted, std::max(wanted, files.rlim_max)};
  if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) return;
  files.rlim_cur = std::min(wanted, files.rlim_max);
  ::setrlimit(RLIMIT_NOFILE, &files);
}

sigset_t handled_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  return set;
}

sinks::PrometheusOptions prometheus_options(const Settings& settings, const PriceBook& prices) {
  sinks::PrometheusOptions options;
  options.zero_scrapes = settings.metrics_zero_scrapes;
  options.idle_ns = settings.metrics_idle_ns;
  options.prices = &prices;
  return options;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

Agent::Agent(const Settings& settings, std::unique_ptr<pricing::LivePriceBook> prices,
             AttributionRules rules, const identity::KeySecret& secret)
    : settings_(settings),
      limits_(limits_of(settings)),
      prices_(std::move(prices)),
      rules_(std::move(rules)),
      credentials_(secret, privacy_of(settings, identity::SubjectPrivacy::kAuto),
                   mark_headers(settings, rules_)),
      processes_({.processes_max = limits_.processes_max}),
      calls_(limits_, prometheus_options(settings, *prices_)),
      metrics_({std::string(version()), std::string(revision()), kernel_release()}) {
  metrics_.watch(counters_);
  make_lanes();
}

void Agent::make_lanes() {
  if (settings_.lanes == 1) {
    lanes_.emplace_back(limits_, 0, counters_, credentials_);
    return;
  }
  std::vector<LaneCrew::Seat> seats;
  for (uint32_t lane = 0; lane < settings_.lanes; ++lane) {
    lanes_.emplace_back(limits_, lane, lane_counters_.emplace_back(), credentials_);
    metrics_.watch(lane_counters_.back());
    seats.push_back({.lane = &lanes_.back().lane});
  }
  crew_ = std::make_unique<LaneCrew>(std::move(seats), nullptr);
}

Agent::~Agent() {
  if (signals_ >= 0) ::close(signals_);
}

Result<std::unique_ptr<Agent>> Agent::start(const Settings& settings) {
  forbid_core_files();
  raise_file_limit(limits_of(settings));
  // Before any thread is made, so that every thread inherits the mask.
  const sigset_t signals = handled_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  auto prices = price_book(settings);
  if (!prices) return prices.error();
  auto rules = load_rules(settings.rules);
  if (!rules) return rules.error();
  const auto secret = identity::load_or_create_key(
      settings.key_secret.empty() ? kDefaultKeyFile : settings.key_secret);
  if (!secret) return secret.error();

  std::unique_ptr<Agent> agent(new Agent(settings, *std::move(prices), *std::move(rules), *secret));
  agent->signals_ = ::signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
  if (Status status = agent->open_sinks(); !status) return status.error();
  if (Status status = agent->open_server(); !status) return status.error();
  if (Status status = agent->open_sources(); !status) return status.error();
  return agent;
}

Status Agent::open_sinks() {
  std::vector<EntrySink*> sinks = {&calls_};
  if (!settings_.ndjson.empty()) {
    auto file = sinks::LineFile::open(settings_.ndjson, sinks::LineFile::Mode::kBehind,
                                      limits_.line_queue_bytes_max);
    if (!file) return file.error();
    ndjson_ = std::make_unique<sinks::NdjsonSink>(*std::move(file));
    sinks.push_back(ndjson_.get());
  }
  ledger::LedgerOptions options = ledger_options(settings_, *prices_, rules_);
  options.wall = wall_ = read_wall_clock().wall;
  options.processes = &processes_;
  options.owners = &owners_;
  options.lanes = settings_.lanes;
  ledger_ = std::make_unique<ledger::Ledger>(limits_, options, sinks);
  if (crew_) ears_ = std::make_unique<LaneEars>(lanes_.size(), *ledger_);
  return Done{};
}

// One source that cannot be opened degrades the agent and is said; without any it cannot start.
Status Agent::open_sources() {
  std::string why;
  if (settings_.packets) {
    for (const std::string& name : settings_.interfaces) {
      auto capture = pcap::LiveCapture::open({.interface = name, .ring_mib = settings_.ring_mib});
      if (!capture) {
        log_line(LogLevel::kWarning, capture.error().message);
        why = capture.error().message;
        continue;
      }
      interfaces_.emplace_back(
          new Interface{.name = name,
                        .capture = *std::move(capture),
                        .decoder = pcap::PacketDecoder(limits_, counters_, lane_entrance()),
                        .gone = false,
                        .kernel_drops_published = 0});
      if (crew_) interfaces_.back()->decoder.deal_out_to(*crew_);
    }
  }
  if (settings_.tls) {
    uprobe::ProbeOptions options;
    options.ring_mib = settings_.ring_mib;
    // Now, while it runs: a command-line client is gone before its first call is read from the
    // ring.
    options.on_process = [this](uint32_t pid) { processes_.observe(pid); };
    options.connections_max = limits_.probed_connections_max;
    options.libraries_max = limits_.probed_libraries_max;
    if (uprobe::try_uretprobe_filter(kernel_release()) == uprobe::UretprobeFilter::kDangerous) {
      log_line(LogLevel::kWarning, std::string(uprobe::kUretprobeDanger) + "; " +
                                       std::string(uprobe::kUretprobeRemedy));
    }
    auto probes = uprobe::ProbeSource::create(options, counters_, lane_entrance());
    if (probes) {
      probes_ = *std::move(probes);
    } else {
      log_line(LogLevel::kWarning, probes.error().message);
      why = probes.error().message;
    }
  }
  owners_.set_probes_run(probes_ != nullptr);
  if (interfaces_.empty() && !probes_) {
    if (why.empty()) why = "both --no-tls and --no-packets are set; leave one of them out";
    return Error{"nothing to watch: " + why};
  }
  return Done{};
}

Status Agent::open_server() {
  sinks::MetricsServer::Options options;
  options.listen = settings_.listen;
  options.ready = [this] { return lane_runs_.load(); };
  auto server = sinks::MetricsServer::start(options, calls_, &metrics_);
  if (!server) return server.error();
  server_ = *std::move(server);
  return Done{};
}

void Agent::say_what_is_watched() const {
  const auto say = [](const std::string& text) { log_line(LogLevel::kInfo, text); };
  say("version " + std::string(version()) + " (" + std::string(revision()) + "), kernel " +
      kernel_release());
  if (probes_) {
    const uprobe::ProbeStatus status = probes_->status();
    say("probes " + std::to_string(status.libraries.libraries.size()) +
        " TLS libraries so far, and every OpenSSL that a process maps from now on (" +
        (status.multi_links ? "uprobe_multi" : "perf events") + ")");
    for (const std::string& sentence : status.degraded) log_line(LogLevel::kWarning, sentence);
  } else {
    say("probes no TLS library: encrypted calls are not seen");
  }
  std::vector<std::string> names;
  for (const auto& interface : interfaces_) names.push_back(interface->name);
  say(names.empty() ? "reads no packets: clear-text calls are not seen"
                    : "reads packets on " + joined(names) + " (clear-text HTTP)");
  say("cannot see inside Go, Java, rustls, stripped BoringSSL, or QUIC: `wiretally doctor` tells "
      "process by process");
  say(ndjson_ ? "writes a record of each call to " + settings_.ndjson +
                    "; no prompt, no answer, no credential"
              : "stores nothing; counters only");
  say("takes at worst " + worst_case_text(limits_, memory_use(settings_)));
  say("serves http://" + settings_.listen.substr(0, settings_.listen.rfind(':')) + ":" +
      std::to_string(server_->port()) + "/metrics; keeps the privileges it was started with");
}

int Agent::run() {
  ledger_thread_ = std::thread([this] { ledger_loop(); });
  lane_thread_ = std::thread([this] { lane_loop(); });
  survey_thread_ = std::thread([this] { survey_loop(); });
  say_what_is_watched();
  control_loop();
  shut_down();
  return kExitSuccess;
}

// --- lane thread ---------------------------------------------------------------------------------

void Agent::lane_loop() {
  std::vector<pollfd> waits;
  if (probes_) waits.push_back({probes_->epoll_fd(), POLLIN, 0});
  for (const auto& interface : interfaces_) waits.push_back({interface->capture.fd(), POLLIN, 0});
  int64_t next_time_ns = 0;
  lane_runs_ = true;
  while (!lane_stops_.load(std::memory_order_relaxed)) {
    // A full ring wakes us; else the timer does. Probes never wake the reader event by event.
    ::poll(waits.data(), waits.size(), kLanePollMs);
    poll_packets();
    if (probes_) probes_->poll(0);
    // Time passes on both clocks: packet timers run on the capture clock, probes tell their own.
    if (const EventTime now = capture_now(); now.ns >= next_time_ns) {
      next_time_ns = now.ns + kTimeEveryNs;
      lane_entrance().on_time(now);
      publish_kernel_drops();
    }
    hand_out();
  }
  drain_packets();
  for (const auto& interface : interfaces_) interface->decoder.finish();
  if (probes_) probes_->drain();
  lane_entrance().on_end(boot_now());
}

// What was on the wire before the signal lies in a block that the kernel has not handed over yet.
void Agent::drain_packets() {
  if (interfaces_.empty()) return;
  std::vector<pollfd> waits;
  for (const auto& interface : interfaces_) waits.push_back({interface->capture.fd(), POLLIN, 0});
  const int64_t until_ns = boot_now().ns + int64_t{pcap::LiveCapture::kHandOverMs} * 1'000'000;
  do {
    poll_packets();
    ::poll(waits.data(), waits.size(), kLanePollMs);
  } while (boot_now().ns < until_ns);
  poll_packets();
}

void Agent::poll_packets() {
  for (const auto& interface : interfaces_) {
    if (interface->gone) continue;
    const auto packets = interface->capture.poll(kPacketsPerTurn, interface->decoder);
    if (packets) continue;
    interface->gone = true;
    log_line(LogLevel::kWarning, packets.error().message);
  }
}

// The thread that reads a capture asks for its statistics, too: libpcap's handles are no shared
// objects.
void Agent::publish_kernel_drops() {
  uint64_t refused = 0;
  for (const LaneSeat& seat : lanes_) refused += seat.lane.refused();
  metrics_.set_given_up(sinks::AgentMetrics::GivenUp::kUndecidedAnswer, refused);
  for (const auto& interface : interfaces_) {
    const uint64_t dropped = interface->capture.stats().ring_dropped;
    const uint64_t fresh = dropped - std::exchange(interface->kernel_drops_published, dropped);
    metrics_.add_kernel_drops(interface->name, static_cast<double>(fresh));
  }
}

// --- ledger thread -------------------------------------------------------------------------------

void Agent::drain_channels() {
  if (!ears_) {
    lanes_.front().channel.drain(*ledger_);
    return;
  }
  for (size_t lane = 0; lane < lanes_.size(); ++lane) ears_->drain(lane, lanes_[lane].channel);
  ears_->pass_time();
}

void Agent::ledger_loop() {
  std::unique_lock lock(ledger_mutex_);
  int64_t next_check_ns = 0;
  while (!ledger_stops_) {
    lock.unlock();
    drain_channels();
    if (const int64_t now = boot_now().ns; now >= next_check_ns) {
      next_check_ns = now + kClockCheckEveryNs;
      check_clock();
    }
    lock.lock();
    ledger_wakes_.wait_for(lock, kLedgerEvery, [this] { return ledger_stops_; });
  }
  drain_channels();
  ledger_->drain();
}

// Somebody may set the clock, at boot above all: what probes see keeps its right time, and event
// time does not stand still until the old time has come again. A packet stamped before the step may
// come behind it, hence the second question.
void Agent::check_clock() {
  const WallReading now = read_wall_clock();
  const int64_t step_ns = now.wall.boot_to_epoch_ns - wall_.boot_to_epoch_ns;
  const bool stepped = std::abs(step_ns) > kClockStepNs + now.error_ns;
  const bool ahead = ledger_->now_ns() > now.wall.epoch_ns(boot_now()) + kAheadOfClockNs;
  if (!stepped && !ahead) return;
  if (stepped) {
    wall_ = now.wall;
    log_line(LogLevel::kWarning, "the clock of this machine was set by " +
                                     std::to_string(step_ns / 1'000'000) +
                                     " ms: calls that were being held are counted now");
  }
  ledger_->on_clock_step(wall_);
}

// --- control thread ------------------------------------------------------------------------------

void Agent::control_loop() {
  // A quick process makes its first TLS call a few milliseconds after it has mapped its library.
  // This thread does little, but on a busy machine it must not wait for its turn then. Linux keeps
  // the nice value by thread; without the privilege this has no effect.
  ::setpriority(PRIO_PROCESS, 0, kControlNice);
  int64_t next_status_ns = 0;
  while (true) {
    pollfd waits[] = {{signals_, POLLIN, 0}, {probes_ ? probes_->control_fd() : -1, POLLIN, 0}};
    ::poll(waits, std::size(waits), kControlPollMs);
    signalfd_siginfo signal;
    while (::read(signals_, &signal, sizeof signal) == sizeof signal) {
      if (signal.ssi_signo != SIGHUP) return;
      if (ndjson_) ndjson_->reopen();
      reload_prices();
    }
    if (probes_) probes_->control(0);
    if (const int64_t now = boot_now().ns; now >= next_status_ns) {
      next_status_ns = now + kStatusEveryNs;
      publish_status();
      if (prices_->files_changed()) reload_prices();
    }
  }
}

// SIGHUP, or a price file is another one than was read. The old book prices on where the new one
// cannot be read.
void Agent::reload_prices() {
  const Status status = prices_->reload();
  metrics_.add_price_reload(status ? "ok" : "error");
  metrics_.set_price_rows(static_cast<double>(prices_->book()->size()));
  if (status) {
    log_line(LogLevel::kInfo, "prices read: " + std::to_string(prices_->book()->size()) + " rows");
  } else {
    log_line(LogLevel::kWarning, status.error().message + "; the old prices stay in use");
  }
}

void Agent::publish_status() {
  uint64_t dropped = 0;
  for (const LaneSeat& seat : lanes_) dropped += seat.channel.dropped_messages();
  metrics_.set_given_up(sinks::AgentMetrics::GivenUp::kMessage, dropped);
  if (ndjson_) {
    metrics_.set_given_up(sinks::AgentMetrics::GivenUp::kLine, ndjson_->dropped_records());
  }
  if (!probes_) return;
  const uprobe::ProbeStatus status = probes_->status();
  metrics_.set_probed_libraries("openssl", static_cast<double>(status.libraries.libraries.size()));
  for (size_t i = 0; i < std::size(late_attach_published_); ++i) {
    const uint64_t fresh = status.late_attach[i] - late_attach_published_[i];
    late_attach_published_[i] = status.late_attach[i];
    metrics_.add_late_attach(std::string(uprobe::kLateAttachNames[i]), static_cast<double>(fresh));
  }
}

// Which processes speak TLS in ways that no probe reaches. A thread of its own: the first look at
// a host's files takes tenths of a second, and signals must not wait for it.
void Agent::survey_loop() {
  std::unique_lock lock(survey_mutex_);
  do {
    lock.unlock();
    std::map<uprobe::TlsVerdict, double> processes;
    for (const uprobe::ProcessVerdict& process : survey_.run()) ++processes[process.verdict];
    for (size_t i = 0; i < static_cast<size_t>(uprobe::TlsVerdict::kCount); ++i) {
      const auto verdict = static_cast<uprobe::TlsVerdict>(i);
      if (verdict == uprobe::TlsVerdict::kProbed) continue;
      metrics_.set_unprobed_processes("tls", std::string(uprobe::tls_verdict_name(verdict)),
                                      processes[verdict]);
    }
    lock.lock();
  } while (!survey_wakes_.wait_for(lock, kSurveyEvery, [this] { return survey_stops_; }));
}

// Stops emitting at once; what is captured is read to its end; calls still open leave records; then
// the probes go.
void Agent::shut_down() {
  if (probes_) probes_->stop_emitting();
  lane_stops_ = true;
  lane_thread_.join();
  {
    const std::lock_guard lock(ledger_mutex_);
    ledger_stops_ = true;
  }
  ledger_wakes_.notify_one();
  if (probes_) probes_->detach();
  ledger_thread_.join();
  {
    const std::lock_guard lock(survey_mutex_);
    survey_stops_ = true;
  }
  survey_wakes_.notify_one();
  survey_thread_.join();
}

// --dry-run: what would be probed and served; attaches nothing.
static int say_what_would_be_watched(const Settings& settings) {
  if (settings.tls) {
    std::set<std::string> libraries;
    for (const uprobe::ProcessVerdict& process : uprobe::Survey().run()) {
      if (process.verdict == uprobe::TlsVerdict::kProbed) libraries.insert(process.library);
    }
    for (const std::string& library : libraries) std::printf("would probe %s\n", library.c_str());
  }
  if (settings.packets) {
    std::printf("would read packets on %s\n", joined(settings.interfaces).c_str());
  }
  if (!settings.ndjson.empty()) std::printf("would write records to %s\n", settings.ndjson.c_str());
  std::printf("would serve /metrics on %s\n", settings.listen.c_str());
  return kExitSuccess;
}

int run_agent(const Settings& settings) {
  if (settings.dry_run) return say_what_would_be_watched(settings);
  auto agent = Agent::start(settings);
  if (!agent) return fail(agent.error());
  return (*agent)->run();
}

}  // namespace wiretally
