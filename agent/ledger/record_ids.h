// Record ids: ULIDs (26 characters of Crockford's base 32; 48 bits of start time in milliseconds,
// 80 bits more). The 80 bits are a hash of what the wire showed, so that a replay gives the same
// ids again, on however many lanes.
#pragma once

#include <array>
#include <cstdint>

#include "wiretally/ledger_entry.h"

namespace wiretally::ledger {

class RecordIds {
 public:
  // Records that are equal in everything hashed get different ids as long as few others come
  // between them.
  RecordId make(const UsageRecord& record, int64_t start_epoch_ns);

 private:
  struct Recent {
    uint64_t hash = 0;
    uint64_t repeats = 0;
  };
  std::array<Recent, 4096> recent_{};
};

}  // namespace wiretally::ledger
