// Makes the next attachment quick.
//
// Setting a uprobe waits for a grace period of RCU (10 to 30 ms) unless another was set just
// before: the kernel then still has its lock in the writers' state. That wait is what lets a quick
// process make its first TLS call before its library is probed. So while processes come and go, a
// thread of its own sets and removes a probe on a function of the agent that nobody calls.
//
// uprobe_multi links only (a perf link takes 0.1 s to remove).
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "kernel_programs.h"

namespace wiretally::uprobe {

class AttachWarmer {
 public:
  explicit AttachWarmer(KernelPrograms& programs);
  ~AttachWarmer();

  // A process came or went: new libraries are likely in the next seconds.
  void keep_warm(int64_t now_ns);
  void stop();

 private:
  void run(const std::stop_token& stop);

  KernelPrograms& programs_;
  ProbePoint target_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  int64_t until_ns_ = 0;
  std::jthread thread_;
};

}  // namespace wiretally::uprobe
