// The most memory that the agent may take, room by room, computed from its limits. Printed at the
// start of `run` and by `doctor`; held by a test with hostile connections (tests/captures).
//
// What is counted: every container at its limit, the space its growth leaves unused, what the
// allocator adds to each block. All of it at once is what an attacker would have to bring about;
// docs/performance.md says what a busy agent really takes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "wiretally/limits.h"

namespace wiretally {

struct MemoryShare {
  std::string_view room;
  uint64_t bytes = 0;
};

struct MemoryUse {
  uint32_t lanes = 1;
  // Kernel rings; 0 where there is none.
  uint64_t packet_ring_bytes = 0;  // all interfaces together
  uint64_t probe_ring_bytes = 0;
  bool serves_metrics = true;
  bool writes_lines = true;  // through a queue
};

std::vector<MemoryShare> worst_case(const Limits& limits, const MemoryUse& use);
uint64_t worst_case_bytes(const Limits& limits, const MemoryUse& use);
// "1024 MiB: rings 192, …"
std::string worst_case_text(const Limits& limits, const MemoryUse& use);

}  // namespace wiretally
