// Calls that are over and not yet known: they wait for what another exchange will say of them.
//
//   background call   asked by one exchange, its result fetched by others, as often as they like:
//                     found by its response id
//   sum of a batch    what the batch object says of all its lines together; the file of results
//                     says it of each, and then the sum is not needed: found by the file
//
// Each waits until its deadline. What was decided of a batch's file is remembered as long again as
// `remember_ns`, for what comes later. Bounded: beyond, the one that waits longest is given out.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "packed.h"
#include "wiretally/ledger_entry.h"

namespace wiretally::ledger {

class SetAside {
 public:
  SetAside(size_t entries_max, int64_t remember_ns)
      : entries_max_(entries_max), remember_ns_(remember_ns) {}

  // True if it now waits; false if one of this key does, or did.
  bool put(const Digest& key, const LedgerEntry& entry, int64_t deadline_ns);
  bool has(const Digest& key) const { return waiting_.contains(key_of(key)); }
  // The entry that waits under this key; it does so no longer.
  std::optional<LedgerEntry> take(const Digest& key);

  // A line of this file is about to count. False if its batch was counted by its sum. Fills
  // batch_id where only the batch object names it.
  bool line_counts(const Digest& file, UsageRecord& line, int64_t now_ns);

  // The entry whose deadline is over (with its deadline), or that is one too many, or (`all`) any.
  struct Due {
    LedgerEntry entry;
    int64_t deadline_ns = 0;
  };
  std::optional<Due> due(int64_t now_ns, bool all = false);

  static uint64_t worst_case_bytes(size_t entries_max) {
    constexpr uint64_t kNode = 64;  // a tree's, with its allocation
    return (entries_max + 1) *
           (sizeof(Waiting) + Packed<LedgerEntry>::kBytesMax + 2 * (kNode + 2 * sizeof(Key)));
  }

 private:
  using Key = std::pair<uint64_t, uint64_t>;
  struct Waiting {
    int64_t deadline_ns = 0;
    std::optional<Packed<LedgerEntry>> entry;  // nothing: only what was decided is remembered
    Text<64> batch_id;
    bool counted = false;  // a batch, by its sum
  };

  static Key key_of(const Digest& digest) { return {digest.high, digest.low}; }
  void reschedule(std::map<Key, Waiting>::iterator position, int64_t deadline_ns);

  size_t entries_max_;
  int64_t remember_ns_;
  std::map<Key, Waiting> waiting_;
  std::set<std::pair<int64_t, Key>> by_deadline_;
};

}  // namespace wiretally::ledger
