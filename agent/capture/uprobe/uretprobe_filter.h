// Whether return probes can harm processes that live under a seccomp(2) filter.
//
// On x86-64 a return probe ends, since Linux 6.11, in a system call of the kernel's own,
// uretprobe(2). The first kernels that had it asked the process's filter about it, as if the
// process had made it; a filter that does not know it ends the process, or fails the call and
// leaves the process in the middle of nowhere. Linux 6.14 passes it by all filters, and so do older
// kernels that took the fix: so it is tried, and the version is asked only where trying tells
// nothing.
#pragma once

#include <cstdint>
#include <string_view>

namespace wiretally::uprobe {

enum class UretprobeFilter : uint8_t {
  kHarmless,   // the kernel has no such call, or no filter is asked about it
  kDangerous,  // filters are asked
  kUnknown,    // it could not be tried, and the version has both kinds
};

// What came of making the call in a process of its own: the kernel answers it with SIGILL, because
// only its own probes may make it.
enum class UretprobeTrial : uint8_t {
  kReached,  // SIGILL
  kAbsent,   // ENOSYS
  kStopped,  // another error: a filter's
  kFailed,   // it could not be tried
};

// `free`: without a filter of ours; `filtered`: under one that stops it. `confined`: we live under
// a filter ourselves, which may have given either answer. `release` is that of uname(2).
UretprobeFilter judge_uretprobe_filter(UretprobeTrial free, UretprobeTrial filtered, bool confined,
                                       std::string_view release);

// Tries it in two short-lived children, which do nothing but system calls.
UretprobeFilter try_uretprobe_filter(std::string_view release);

// For people: what may happen, and what helps.
inline constexpr std::string_view kUretprobeDanger =
    "return probes can end processes that run under a seccomp filter (containers, systemd units "
    "with SystemCallFilter): this kernel asks the filters about its own system call uretprobe";
inline constexpr std::string_view kUretprobeRemedy =
    "use Linux 6.14 or later, or allow system call 335 (uretprobe) in the filters of the services "
    "that use TLS, or see clear text alone: --no-tls";

}  // namespace wiretally::uprobe
