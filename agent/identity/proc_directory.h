// What /proc says of the processes that call: name, executable, container, pod.
//
// A process is told from a later one with the same pid by its start time: field 22 of
// /proc/PID/stat is the boot clock's start in ticks of 10 ms, process_start_ns the same moment in
// nanoseconds.
//
// Container and pod are read from the cgroup path, as Docker, containerd, CRI-O, Podman and the
// kubelet write it, with the cgroupfs or the systemd driver, in version 1 and 2:
//
//   /docker/<id>                                    /system.slice/docker-<id>.scope
//   /kubepods/burstable/pod<uid>/<id>
//   /kubepods.slice/kubepods-pod<uid>.slice/cri-containerd-<id>.scope    (crio-, docker-, libpod-)
//
// <id> is 64 hexadecimal digits; a uid's dashes are underscores under systemd. Where containers
// nest, the innermost counts.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "wiretally/identity.h"

namespace wiretally::identity {

struct ContainerIdentity {
  Text<64> container_id;
  Text<64> pod_uid;
};

// `cgroup_file` is the content of /proc/PID/cgroup.
ContainerIdentity read_container(std::string_view cgroup_file);

// Thread-safe. Knows at most `processes_max` processes: the one first seen longest ago leaves, and
// is read again if it still runs when it is asked for.
class ProcDirectory final : public ProcessDirectory {
 public:
  struct Options {
    std::string proc_root = "/proc";
    size_t processes_max = 4096;
    int64_t ticks_per_second = 100;  // USER_HZ, the same on every Linux this runs on
  };

  ProcDirectory() : ProcDirectory(Options{}) {}
  explicit ProcDirectory(Options options);

  // Reads a process now, so that it is known after its exit. Called when a process is first seen
  // and when it maps a library: an exec keeps pid and start time, and changes the name.
  void observe(uint32_t pid);

  // Reads the process if it is not known yet and still runs.
  std::optional<ProcessIdentity> find(uint32_t pid, uint64_t process_start_ns) const override;

  // How many left because there was no room.
  uint64_t evicted() const;

 private:
  struct Process {
    uint64_t start_ticks = 0;
    ProcessIdentity identity;
  };

  std::optional<Process> read(uint32_t pid) const;
  void remember(uint32_t pid, const Process& process) const;
  bool started_at(const Process& process, uint64_t process_start_ns) const;

  const Options options_;
  const uint64_t ns_per_tick_;
  mutable std::mutex mutex_;
  mutable std::unordered_map<uint32_t, Process> processes_;  // a cache, hence mutable
  mutable uint64_t evicted_ = 0;
  mutable std::deque<uint32_t> order_;  // of first sight; one entry a process
};

}  // namespace wiretally::identity
