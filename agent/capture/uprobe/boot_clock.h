// The clock that kernel programs stamp events with.
#pragma once

#include <time.h>

#include <cstdint>

namespace wiretally::uprobe {

inline int64_t boot_now_ns() {
  timespec now = {};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

}  // namespace wiretally::uprobe
