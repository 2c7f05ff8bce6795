// The bounded memory of what was counted: a response id that comes again (a stored answer fetched
// once more, the same batch file) is not a second call. Holds hashes, never ids. When full, the
// oldest is forgotten.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "sighting.h"
#include "wiretally/ledger_entry.h"

namespace wiretally::ledger {

class CountedIds {
 public:
  CountedIds(size_t ids_max, int64_t keep_ns) : ids_max_(ids_max), keep_ns_(keep_ns) {}

  // That the call `record_id`, whose id and tokens `sighting` has, was counted at `time_ns`.
  void remember(const Sighting& sighting, int64_t time_ns, const RecordId& record_id);
  // The call that was counted under this id with these tokens.
  std::optional<RecordId> find(const Sighting& sighting) const;
  // The slabs hold a whole number of slots, the buckets grow fourfold.
  static uint64_t worst_case_bytes(size_t ids_max) {
    return (ids_max + kSlabSlots) * (sizeof(Slot) + sizeof(void*)) + ids_max * 5 * sizeof(uint32_t);
  }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr size_t kSlabSlots = 1024;

  // One a counted call, for a day: kept small. Half of the id's digest tells a quarter of a million
  // ids apart, and 32 bits hold any call's tokens.
  struct Slot {
    uint64_t id;
    int64_t time_ns;
    std::array<uint32_t, 2> tokens;  // input, output
    std::array<char, RecordId::kCapacity> record_id;
    uint32_t next;  // of those in one bucket
  };

  Slot& slot(size_t index) { return slabs_[index / kSlabSlots][index % kSlabSlots]; }
  const Slot& slot(size_t index) const { return slabs_[index / kSlabSlots][index % kSlabSlots]; }
  uint32_t& bucket_of(uint64_t id) { return buckets_[id & (buckets_.size() - 1)]; }
  void forget(uint32_t index);
  void grow_buckets();

  size_t ids_max_;
  int64_t keep_ns_;
  std::vector<std::unique_ptr<Slot[]>> slabs_;  // a ring, once there are ids_max_ slots
  std::vector<uint32_t> buckets_;
  size_t next_ = 0;
  size_t size_ = 0;
};

}  // namespace wiretally::ledger
