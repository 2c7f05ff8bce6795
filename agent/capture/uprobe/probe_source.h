// The live TLS source: plaintext from the uprobes on TLS libraries, as Chunks.
//
// Two threads. The lane's thread calls `poll`, and everything the sink hears comes from there. The
// control thread calls `control`, which finds libraries, attaches and detaches. To end: control
// thread `stop_emitting`; lane thread `drain`; control thread `detach` (or the destructor).
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "attach_warmer.h"
#include "connection_table.h"
#include "kernel_programs.h"
#include "library_prober.h"
#include "wiretally/capture.h"
#include "wiretally/counters.h"
#include "wiretally/result.h"

struct ring_buffer;

namespace wiretally::uprobe {

struct ProbeOptions {
  size_t ring_mib = 64;  // twice the largest single call, or its end is lost (and declared)
  size_t connections_max = 65'536;
  size_t libraries_max = 1'024;
  std::string proc = "/proc";
  int64_t linger_ns = 1'000'000'000;  // probes stay this long after a file's last process
  bool standard_paths = true;
  std::string only_under{};            // if set: only libraries whose path begins with this
  int64_t verify_ns = 30'000'000'000;  // how often to look whether the probes are still there
  bool force_perf_links = false;       // as on kernels without uprobe_multi (before 6.6)
  bool force_no_cookies = false;       // as on kernels without uprobe cookies (before 5.15)
  // If set: told, on the control thread and as soon as the kernel says so, of each process that
  // maps a file which may speak TLS. The process may live only a few milliseconds more.
  std::function<void(uint32_t pid)> on_process{};
};

// What slipped by because its process was quicker than the attachment: connections whose first
// request we have not seen, and processes that mapped a new library and ended unheard.
enum class LateAttach : uint8_t {
  kAgentStart,  // it was there before the agent
  kNewLibrary,  // its library had never been seen before
  kCount,
};
inline constexpr std::string_view kLateAttachNames[] = {"agent_start", "new_library"};

struct ProbeStatus {
  ProberStatus libraries;
  std::array<uint64_t, static_cast<size_t>(LateAttach::kCount)> late_attach{};
  wt_losses losses{};
  std::vector<std::string> degraded;  // sentences: what of the kernel could not be used
  bool multi_links = false;
};

class ProbeSource {
 public:
  // Loads the kernel programs and probes everything found. `counters` and `sink` outlive it.
  static Result<std::unique_ptr<ProbeSource>> create(const ProbeOptions& options,
                                                     Counters& counters, CaptureSink& sink);
  ~ProbeSource();
  ProbeSource(const ProbeSource&) = delete;
  ProbeSource& operator=(const ProbeSource&) = delete;

  // --- the lane's thread -------------------------------------------------------------------------
  // Readable when the ring fills faster than the timer empties it.
  int epoll_fd() const;
  // Waits up to `timeout_ms` (at most kPollMs), then hands over what is in the ring. Returns how
  // many records. Call it at least every 20 ms.
  size_t poll(int timeout_ms);
  // After stop_emitting: hands over the rest and audits every connection.
  void drain();

  // --- the control thread ------------------------------------------------------------------------
  int control_fd() const;
  // Waits up to `timeout_ms` for news of processes and acts on it.
  void control(int timeout_ms);
  void stop_emitting();
  void detach();

  // --- any thread --------------------------------------------------------------------------------
  ProbeStatus status() const;

  static constexpr int kPollMs = 10;

 private:
  ProbeSource(const ProbeOptions& options, Counters& counters, CaptureSink& sink,
              std::unique_ptr<KernelPrograms> programs);
  Status open_rings();
  static int on_event_record(void* self, void* data, size_t size);
  static int on_lifecycle_record(void* self, void* data, size_t size);

  size_t consume();
  void on_data(const wt_event& event, ByteView bytes);
  void on_close(const wt_event& event);
  void on_eof(const wt_event& event);
  void on_exit(const wt_event& event);
  ConnectionTable::Connection* track(const wt_event& event, ByteView bytes);
  void end(ConnectionTable::Connection* connection, CloseReason reason, EventTime time,
           const uint64_t (&offset)[2]);
  void end_process(uint32_t pid, uint64_t process_start_ns, EventTime time);
  void count_late(const wt_event& event, ByteView bytes);
  void count_losses();
  void audit();
  void sweep();

  const ProbeOptions options_;
  Counters& counters_;
  CaptureSink& sink_;
  std::unique_ptr<KernelPrograms> programs_;
  AttachWarmer warmer_;
  LibraryProber prober_;
  std::vector<std::string> degraded_;
  std::unique_ptr<ring_buffer, void (*)(ring_buffer*)> events_;
  std::unique_ptr<ring_buffer, void (*)(ring_buffer*)> lifecycle_;

  // the lane's thread
  ConnectionTable connections_;
  wt_losses counted_{};  // of the kernel's losses, those already in the counters
  wt_losses audited_{};  // and those already looked into
  int64_t next_audit_ns_ = 0;
  int64_t next_sweep_ns_ = 0;
  int64_t last_time_ns_ = 0;
  size_t records_ = 0;
  size_t records_bytes_ = 0;

  // the control thread
  int64_t next_scan_ns_ = 0;
  uint64_t lost_lifecycle_ = 0;

  std::array<std::atomic<uint64_t>, static_cast<size_t>(LateAttach::kCount)> late_{};
};

}  // namespace wiretally::uprobe
