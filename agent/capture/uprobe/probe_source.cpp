#include "probe_source.h"

#include <bpf/libbpf.h>
#include <signal.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "boot_clock.h"
#include "log.h"

namespace wiretally::uprobe {
namespace {

constexpr int64_t kMillisecond = 1'000'000;
constexpr int64_t kAuditEveryNs = 100 * kMillisecond;
constexpr int64_t kTimeEveryNs = 100 * kMillisecond;
constexpr int64_t kSweepEveryNs = 2'000 * kMillisecond;
// A look at all processes, in case some news never reached us; more often where none comes at all.
constexpr int64_t kScanEveryNs = 60'000 * kMillisecond;
constexpr int64_t kBlindScanEveryNs = 1'000 * kMillisecond;
// One turn of `poll` ends here, so that timers run however fast the ring fills.
constexpr size_t kTurnBytes = 16 << 20;

EventTime boot_time(uint64_t ns) { return {static_cast<int64_t>(ns), Clock::kBoot}; }

// Whether these bytes begin a client's side of HTTP, so that no earlier call can be missing them.
bool begins_a_request(std::string_view text) {
  static constexpr std::string_view kStarts[] = {"GET ",   "POST ",         "PUT ",     "HEAD ",
                                                 "PATCH ", "DELETE ",       "OPTIONS ", "CONNECT ",
                                                 "TRACE ", "PRI * HTTP/2.0"};
  return std::any_of(std::begin(kStarts), std::end(kStarts),
                     [&](std::string_view start) { return text.starts_with(start); });
}

// Perf links take about 0.1 s each to remove, and the file system should be free in 2 s.
int64_t linger_ns(const ProbeOptions& options, const KernelPrograms& programs) {
  return programs.uses_multi_links() ? options.linger_ns
                                     : std::min(options.linger_ns, 300 * kMillisecond);
}

void free_ring(ring_buffer* ring) { ::ring_buffer__free(ring); }

}  // namespace

Result<std::unique_ptr<ProbeSource>> ProbeSource::create(const ProbeOptions& options,
                                                         Counters& counters, CaptureSink& sink) {
  Result<std::unique_ptr<KernelPrograms>> programs =
      KernelPrograms::load({.ring_bytes = options.ring_mib << 20,
                            .connections_max = options.connections_max,
                            .force_perf_links = options.force_perf_links,
                            .force_no_cookies = options.force_no_cookies});
  if (!programs) return programs.error();
  std::unique_ptr<ProbeSource> source(
      new ProbeSource(options, counters, sink, std::move(*programs)));
  if (Status opened = source->open_rings(); !opened) return opened.error();
  // News first, then the look around: nobody falls between the two.
  source->degraded_ = source->programs_->attach_lifecycle();
  source->prober_.scan_all(true, boot_now_ns());
  return source;
}

ProbeSource::ProbeSource(const ProbeOptions& options, Counters& counters, CaptureSink& sink,
                         std::unique_ptr<KernelPrograms> programs)
    : options_(options),
      counters_(counters),
      sink_(sink),
      programs_(std::move(programs)),
      warmer_(*programs_),
      prober_({.proc = options.proc,
               .linger_ns = linger_ns(options, *programs_),
               .standard_paths = options.standard_paths,
               .only_under = options.only_under,
               .verify_ns = options.verify_ns,
               .libraries_max = options.libraries_max},
              *programs_),
      events_(nullptr, free_ring),
      lifecycle_(nullptr, free_ring),
      connections_(options.connections_max) {}

ProbeSource::~ProbeSource() {
  stop_emitting();
  detach();
}

Status ProbeSource::open_rings() {
  events_.reset(::ring_buffer__new(programs_->events_ring(), on_event_record, this, nullptr));
  lifecycle_.reset(
      ::ring_buffer__new(programs_->lifecycle_ring(), on_lifecycle_record, this, nullptr));
  if (!events_ || !lifecycle_) return Error{"the rings between kernel and agent cannot be mapped"};
  return Done{};
}

// --- the lane's thread ---------------------------------------------------------------------------

int ProbeSource::epoll_fd() const { return ::ring_buffer__epoll_fd(events_.get()); }

size_t ProbeSource::poll(int timeout_ms) {
  epoll_event event;
  ::epoll_wait(epoll_fd(), &event, 1, std::clamp(timeout_ms, 0, kPollMs));
  const size_t records = consume();
  count_losses();
  const int64_t now = boot_now_ns();
  if (now >= next_audit_ns_) {
    next_audit_ns_ = now + kAuditEveryNs;
    audit();
  }
  if (now >= next_sweep_ns_) {
    next_sweep_ns_ = now + kSweepEveryNs;
    sweep();
  }
  if (now - last_time_ns_ >= kTimeEveryNs) {
    last_time_ns_ = now;
    sink_.on_time({now, Clock::kBoot});
  }
  return records;
}

void ProbeSource::drain() {
  while (consume() > 0) {
  }
  count_losses();
  audit();
}

// Empties the ring, or one turn's worth of it.
size_t ProbeSource::consume() {
  records_ = 0;
  records_bytes_ = 0;
  ::ring_buffer__consume(events_.get());
  return records_;
}

// The record lies in the ring and is given back to the kernel when this returns.
int ProbeSource::on_event_record(void* self, void* data, size_t size) {
  auto& source = *static_cast<ProbeSource*>(self);
  const auto* event = static_cast<const wt_event*>(data);
  if (size < sizeof *event || event->length > size - sizeof *event) return 0;
  ++source.records_;
  source.records_bytes_ += size;
  switch (event->kind) {
    case WT_EVENT_DATA:
      source.on_data(*event, {reinterpret_cast<const uint8_t*>(event + 1), event->length});
      break;
    case WT_EVENT_CLOSE:
      source.on_close(*event);
      break;
    case WT_EVENT_EOF:
      source.on_eof(*event);
      break;
    case WT_EVENT_EXIT:
      source.on_exit(*event);
      break;
    default:
      break;
  }
  return source.records_bytes_ >= kTurnBytes ? -EAGAIN : 0;
}

// The connection of this event; what stood under its handle before is over.
ConnectionTable::Connection* ProbeSource::track(const wt_event& event, ByteView bytes) {
  ConnectionTable::Connection* connection = connections_.find(event.pid, event.handle);
  if (connection != nullptr) {
    const bool same = connection->key.generation == event.generation &&
                      connection->key.process_start_ns == event.process_start_ns;
    if (same) {
      connections_.touch(connection);
      return connection;
    }
    end(connection, CloseReason::kFreed, boot_time(event.time_ns), connection->offset);
  }
  if (connections_.full()) {
    ConnectionTable::Connection* oldest = connections_.oldest();
    end(oldest, CloseReason::kEvicted, boot_time(event.time_ns), oldest->offset);
  }
  count_late(event, bytes);
  return connections_.insert({.pid = event.pid,
                              .process_start_ns = event.process_start_ns,
                              .handle = event.handle,
                              .generation = event.generation});
}

// A connection joined in its middle: if what we see first begins a request, nothing is missing.
void ProbeSource::count_late(const wt_event& event, ByteView bytes) {
  if (event.joined != WT_JOINED || begins_a_request(as_text(bytes))) return;
  const LateAttach kind = prober_.library(event.cookie).from_the_start ? LateAttach::kAgentStart
                                                                       : LateAttach::kNewLibrary;
  late_[static_cast<size_t>(kind)].fetch_add(1, std::memory_order_relaxed);
}

void ProbeSource::on_data(const wt_event& event, ByteView bytes) {
  ConnectionTable::Connection* connection = track(event, bytes);
  const uint32_t transfer = event.transfer & 1;
  connection->offset[transfer] = event.offset + event.length;
  counters_.capture(Source::kTls, bytes.size());
  if (connection->ignored) {
    // The kernel had not heard of it yet, or has forgotten it for another connection.
    counters_.skip(Source::kTls, SkipReason::kFlowIgnored, bytes.size());
    programs_->ignore(event.pid, event.handle, event.generation);
    return;
  }
  const Chunk chunk{.time = boot_time(event.time_ns),
                    .connection = connection->key,
                    .transfer = transfer == WT_READ ? Transfer::kRead : Transfer::kWritten,
                    .offset = event.offset,
                    .peer_offset = event.peer_offset,
                    .joined = event.joined != WT_BORN,
                    .bytes = bytes,
                    .library = prober_.library(event.cookie).hash};
  if (sink_.on_chunk(chunk) != FlowDemand::kIgnoreFlow) return;
  connection->ignored = true;
  programs_->ignore(event.pid, event.handle, event.generation);
}

void ProbeSource::on_close(const wt_event& event) {
  ConnectionTable::Connection* connection = connections_.find(event.pid, event.handle);
  const bool known = connection != nullptr && connection->key.generation == event.generation;
  const bool silent = event.offset == 0 && event.peer_offset == 0;
  if (!known && silent) {  // never a byte of it: nobody downstream knows it
    count_late(event, {});
    return;
  }
  connection = track(event, {});
  const uint64_t offset[2] = {event.offset, event.peer_offset};
  end(connection, CloseReason::kFreed, boot_time(event.time_ns), offset);
}

void ProbeSource::on_eof(const wt_event& event) {
  ConnectionTable::Connection* connection = connections_.find(event.pid, event.handle);
  if (connection == nullptr || connection->key.generation != event.generation) return;
  sink_.on_connection_eof({.time = boot_time(event.time_ns),
                           .connection = connection->key,
                           .transfer = Transfer::kRead,
                           .offset = event.peer_offset});
}

void ProbeSource::on_exit(const wt_event& event) {
  end_process(event.pid, event.process_start_ns, boot_time(event.time_ns));
}

void ProbeSource::end(ConnectionTable::Connection* connection, CloseReason reason, EventTime time,
                      const uint64_t (&offset)[2]) {
  const ConnectionClose close{.time = time,
                              .connection = connection->key,
                              .reason = reason,
                              .written_offset = offset[WT_WRITTEN],
                              .read_offset = offset[WT_READ]};
  connections_.erase(connection);
  sink_.on_connection_close(close);
}

// The kernel's offsets tell whether the last bytes were lost; its state of them goes too.
void ProbeSource::end_process(uint32_t pid, uint64_t process_start_ns, EventTime time) {
  while (auto* connection = connections_.find_any_of_process(pid, process_start_ns)) {
    const wt_connection_key key = {.pid = pid, .padding = 0, .handle = connection->key.handle};
    wt_connection state = {};
    if (programs_->lookup(key, &state) && state.generation == connection->key.generation) {
      std::copy(std::begin(state.offset), std::end(state.offset), connection->offset);
      programs_->forget(key);
    }
    end(connection, CloseReason::kExit, time, connection->offset);
  }
}

void ProbeSource::count_losses() {
  const wt_losses now = programs_->losses();
  if (now.ring_bytes != counted_.ring_bytes) {
    counters_.miss(Source::kTls, MissingReason::kTlsRingFull, now.ring_bytes - counted_.ring_bytes);
  }
  if (now.fault_bytes != counted_.fault_bytes) {
    counters_.miss(Source::kTls, MissingReason::kTlsCopyFault,
                   now.fault_bytes - counted_.fault_bytes);
  }
  counted_ = now;
}

// A loss shows by the offset of what comes next. Where nothing has come, ask the kernel: its
// offsets first, then what is in the ring; what is then still behind was lost.
void ProbeSource::audit() {
  const wt_losses now = programs_->losses();
  if (now.ring_bytes == audited_.ring_bytes && now.fault_bytes == audited_.fault_bytes) return;
  const std::vector<KernelPrograms::Lossy> lossy = programs_->lossy_connections();
  for (size_t bytes = 0; bytes <= programs_->ring_bytes() && consume() > 0;) {
    bytes += records_bytes_;
  }
  audited_ = now;
  const EventTime time{boot_now_ns(), Clock::kBoot};
  for (const auto& [key, state] : lossy) {
    ConnectionTable::Connection* connection = connections_.find(key.pid, key.handle);
    if (connection == nullptr || connection->key.generation != state.generation) continue;
    const bool behind = connection->offset[WT_WRITTEN] < state.offset[WT_WRITTEN] ||
                        connection->offset[WT_READ] < state.offset[WT_READ];
    if (!behind) continue;
    for (int i = 0; i < 2; ++i) {
      connection->offset[i] = std::max(connection->offset[i], state.offset[i]);
    }
    sink_.on_connection_audit({.time = time,
                               .connection = connection->key,
                               .written_offset = connection->offset[WT_WRITTEN],
                               .read_offset = connection->offset[WT_READ]});
  }
}

// Ends whose record found no room in the ring: ask after each connection's process and state.
void ProbeSource::sweep() {
  const wt_losses now = programs_->losses();
  const bool told = now.close_events == audited_.close_events && degraded_.empty();
  if (told) return;
  audited_.close_events = now.close_events;
  const EventTime time{boot_now_ns(), Clock::kBoot};
  for (size_t i = 0; i < connections_.capacity(); ++i) {
    ConnectionTable::Connection* connection = connections_.at(i);
    if (connection == nullptr) continue;
    const ConnectionKey& key = connection->key;
    if (::kill(static_cast<pid_t>(key.pid), 0) != 0 && errno == ESRCH) {
      end_process(key.pid, key.process_start_ns, time);
      continue;
    }
    wt_connection state = {};
    const wt_connection_key kernel_key = {.pid = key.pid, .padding = 0, .handle = key.handle};
    if (!programs_->lookup(kernel_key, &state) || state.generation != key.generation) {
      end(connection, CloseReason::kFreed, time, connection->offset);
    }
  }
}

// --- the control thread --------------------------------------------------------------------------

int ProbeSource::control_fd() const { return ::ring_buffer__epoll_fd(lifecycle_.get()); }

void ProbeSource::control(int timeout_ms) {
  epoll_event event;
  ::epoll_wait(control_fd(), &event, 1, timeout_ms);
  ::ring_buffer__consume(lifecycle_.get());
  const int64_t now = boot_now_ns();
  const uint64_t lost = programs_->losses().lifecycle_events;
  if (now >= next_scan_ns_ || lost != lost_lifecycle_) {
    lost_lifecycle_ = lost;
    if (next_scan_ns_ != 0) prober_.scan_all(false, now);
    next_scan_ns_ = now + (degraded_.empty() ? kScanEveryNs : kBlindScanEveryNs);
  }
  prober_.tick(now);
}

int ProbeSource::on_lifecycle_record(void* self, void* data, size_t size) {
  auto& source = *static_cast<ProbeSource*>(self);
  const auto* event = static_cast<const wt_event*>(data);
  if (size < sizeof *event) return 0;
  const auto now = static_cast<int64_t>(event->time_ns);
  source.warmer_.keep_warm(now);
  if (event->kind == WT_EVENT_MAP) {
    if (source.options_.on_process) source.options_.on_process(event->pid);
    source.prober_.on_mapping(event->pid,
                              {.inode = event->handle,
                               .device = event->generation,
                               .generation = static_cast<uint32_t>(event->offset)},
                              event->joined != WT_BORN, now);
  } else if (event->kind == WT_EVENT_EXIT) {
    source.prober_.on_exit(event->pid, event->joined != WT_BORN, now);
  }
  return 0;
}

void ProbeSource::stop_emitting() { programs_->stop_emitting(); }

void ProbeSource::detach() {
  warmer_.stop();
  prober_.detach_all();
  programs_->detach_lifecycle();
}

// --- any thread ----------------------------------------------------------------------------------

ProbeStatus ProbeSource::status() const {
  ProbeStatus status;
  status.libraries = prober_.status();
  for (size_t i = 0; i < late_.size(); ++i) {
    status.late_attach[i] = late_[i].load(std::memory_order_relaxed);
  }
  status.late_attach[static_cast<size_t>(LateAttach::kNewLibrary)] +=
      status.libraries.slipped_processes;
  status.losses = programs_->losses();
  status.degraded = degraded_;
  status.multi_links = programs_->uses_multi_links();
  return status;
}

}  // namespace wiretally::uprobe
