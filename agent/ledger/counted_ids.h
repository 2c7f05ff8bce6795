// The bounded memory of what was counted: a response id that comes again (a stored answer fetched
// once more, the same batch file) is not a second call. Holds hashes, never ids. When full, the
// oldest is forgotten.
#pragma once

#include <cstdint>
#include <vector>

#include "sighting.h"
#include "wiretally/ledger_entry.h"

namespace wiretally::ledger {

struct CountedId {
  Digest id;
  std::optional<uint64_t> input;
  std::optional<uint64_t> output;
  int64_t time_ns = 0;
  RecordId record_id;
};

class CountedIds {
 public:
  CountedIds(size_t ids_max, int64_t keep_ns) : ids_max_(ids_max), keep_ns_(keep_ns) {}

  void remember(const CountedId& counted);
  // The call that was counted under this id with these tokens, or nullptr. Valid until the next
  // remember().
  const CountedId* find(const Sighting& sighting) const;
  size_t size() const { return size_; }
  // The ring doubles as it grows, the buckets grow fourfold.
  static uint64_t worst_case_bytes(size_t ids_max) {
    return ids_max * (2 * sizeof(Slot) + 5 * sizeof(uint32_t));
  }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  struct Slot {
    CountedId counted;
    uint32_t next = kNone;
  };

  uint32_t& bucket_of(const Digest& id) { return buckets_[id.low & (buckets_.size() - 1)]; }
  void forget(uint32_t index);
  void grow_buckets();

  size_t ids_max_;
  int64_t keep_ns_;
  std::vector<Slot> ring_;  // grows up to ids_max_, then wraps
  std::vector<uint32_t> buckets_;
  size_t next_ = 0;
  size_t size_ = 0;
};

}  // namespace wiretally::ledger
