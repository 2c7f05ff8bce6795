// Time carries its clock, because durations between two clocks mean nothing.
#pragma once

#include <cstdint>
#include <optional>

namespace wiretally {

// As wide as what stands beside it: a copy of an EventTime that was just put together would
// otherwise wait until its parts are stored.
enum class Clock : uint64_t {
  kCapture,  // packet time stamps: nanoseconds since the Unix epoch; may run backwards between
             // interfaces
  kBoot,     // CLOCK_BOOTTIME nanoseconds, stamped in the kernel by a probe
};

struct EventTime {
  int64_t ns = 0;
  Clock clock = Clock::kCapture;

  friend bool operator==(const EventTime&, const EventTime&) = default;
};

// Nanoseconds from `from` to `to`: never negative (`clamped` is set when it would have been),
// nothing across clocks.
inline std::optional<int64_t> elapsed_ns(EventTime from, EventTime to, bool* clamped = nullptr) {
  if (from.clock != to.clock) return std::nullopt;
  int64_t elapsed = 0;
  if (__builtin_sub_overflow(to.ns, from.ns, &elapsed) || elapsed < 0) {
    if (clamped != nullptr) *clamped = true;
    return 0;
  }
  return elapsed;
}

// What turns event time into wall time, once a record.
struct WallClock {
  int64_t boot_to_epoch_ns = 0;  // CLOCK_REALTIME minus CLOCK_BOOTTIME; 0 in replay

  int64_t epoch_ns(EventTime time) const {
    return time.clock == Clock::kBoot ? time.ns + boot_to_epoch_ns : time.ns;
  }
};

}  // namespace wiretally
