// The kernel programs, loaded: their maps in memory, and how each kind of probe is attached.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "file_descriptor.h"
#include "kernel_links.h"
#include "probe_points.h"
#include "process_maps.h"
#include "wiretally/abi.h"
#include "wiretally/result.h"

struct probes_bpf;

namespace wiretally::uprobe {

struct KernelOptions {
  size_t ring_bytes = 64 << 20;  // rounded up to a power of two
  size_t connections_max = 65'536;
  bool force_perf_links = false;
  bool force_no_cookies = false;
};

class KernelPrograms {
 public:
  static Result<std::unique_ptr<KernelPrograms>> load(const KernelOptions& options);
  ~KernelPrograms();
  KernelPrograms(const KernelPrograms&) = delete;
  KernelPrograms& operator=(const KernelPrograms&) = delete;

  bool uses_multi_links() const { return multi_; }
  size_t ring_bytes() const { return ring_bytes_; }
  int events_ring() const;
  int lifecycle_ring() const;

  // Attaches the programs of the life of processes; returns what could not be attached, as
  // sentences for the log. Each is optional.
  std::vector<std::string> attach_lifecycle();
  void detach_lifecycle();

  // Probes one file; the links stand as long as the descriptors are open.
  Result<std::vector<FileDescriptor>> attach_library(const std::string& path,
                                                     std::span<const ProbePoint> points,
                                                     uint32_t library);

  // From now on nothing is emitted. No syscall.
  void stop_emitting();

  wt_losses losses() const;
  void ignore(uint32_t pid, uint64_t handle, uint32_t generation);

  bool lookup(const wt_connection_key& key, wt_connection* state) const;
  void forget(const wt_connection_key& key);
  // All connections of which bytes were lost.
  struct Lossy {
    wt_connection_key key;
    wt_connection state;
  };
  std::vector<Lossy> lossy_connections() const;

  // This file's mappings are no news any more.
  void mark_plain(const wt_file_key& file);

 private:
  KernelPrograms() = default;
  Status map_arrays();
  int entry_program(wt_function function) const;
  int return_program(wt_function function) const;
  Status link_at_once(const std::string& path, std::span<const ProbeAddress> addresses,
                      bool on_return, std::vector<FileDescriptor>* links);
  Status link_one_by_one(const std::string& path, std::span<const ProbeAddress> addresses,
                         bool on_return, std::vector<FileDescriptor>* links);

  probes_bpf* skeleton_ = nullptr;
  bool multi_ = false;
  bool cookies_ = false;
  size_t ring_bytes_ = 0;
  size_t connections_max_ = 0;
  volatile wt_losses* losses_ = nullptr;
  uint64_t* ignored_ = nullptr;
  std::vector<FileDescriptor> lifecycle_links_;
};

}  // namespace wiretally::uprobe
