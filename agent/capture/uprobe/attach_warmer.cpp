#include "attach_warmer.h"

#include <sys/resource.h>
#include <unistd.h>

#include "boot_clock.h"
#include "kernel_links.h"
#include "process_maps.h"

namespace wiretally::uprobe {
namespace {

constexpr int kNice = -20;
constexpr int64_t kWarmNs = 2'000'000'000;

// The function under the probe.
[[gnu::noinline, gnu::used]] void never_called() { asm volatile(""); }

// Where it stands in the agent's own file; 0 if that cannot be told.
uint64_t own_file_offset() {
  const auto address = reinterpret_cast<uintptr_t>(&never_called);
  uint64_t offset = 0;
  visit_mappings("/proc", static_cast<uint32_t>(::getpid()), [&](const Mapping& mapping) {
    if (address < mapping.start || address >= mapping.end) return true;
    offset = address - mapping.start + mapping.file_offset;
    return false;
  });
  return offset;
}

}  // namespace

AttachWarmer::AttachWarmer(KernelPrograms& programs)
    : programs_(programs),
      target_{.function = WT_FN_READ,
              .file_offset = own_file_offset(),
              .on_entry = true,
              .on_return = false} {
  if (!programs.uses_multi_links() || target_.file_offset == 0) return;
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

AttachWarmer::~AttachWarmer() { stop(); }

void AttachWarmer::stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void AttachWarmer::keep_warm(int64_t now_ns) {
  {
    const std::lock_guard lock(mutex_);
    const bool warm = until_ns_ > now_ns;
    until_ns_ = now_ns + kWarmNs;
    if (warm) return;
  }
  wake_.notify_one();
}

void AttachWarmer::run(const std::stop_token& stop) {
  // It sleeps in the kernel nearly always, and on a busy machine must not wait for its turn. Linux
  // keeps the nice value by thread; without the privilege this has no effect.
  ::setpriority(PRIO_PROCESS, 0, kNice);
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, stop, [this] { return until_ns_ > boot_now_ns(); });
    }
    if (stop.stop_requested()) return;
    // Removing it takes some 25 ms: that is the loop's pace.
    const auto links = programs_.attach_library("/proc/self/exe", {&target_, 1}, 0);
    if (!links) return;
  }
}

}  // namespace wiretally::uprobe
