#include "counted_ids.h"

namespace wiretally::ledger {

void CountedIds::remember(const CountedId& counted) {
  if (ids_max_ == 0) return;
  if (ring_.size() < ids_max_) {
    ring_.emplace_back();
    next_ = ring_.size() - 1;
  } else {
    next_ = next_ + 1 == ids_max_ ? 0 : next_ + 1;
    forget(static_cast<uint32_t>(next_));
  }
  if (ring_.size() > buckets_.size()) grow_buckets();
  Slot& slot = ring_[next_];
  slot.counted = counted;
  uint32_t& bucket = bucket_of(counted.id);
  slot.next = bucket;
  bucket = static_cast<uint32_t>(next_);
  ++size_;
}

const CountedId* CountedIds::find(const Sighting& sighting) const {
  if (!sighting.id_is_proof || buckets_.empty()) return nullptr;
  uint32_t index = buckets_[sighting.id.low & (buckets_.size() - 1)];
  for (; index != kNone; index = ring_[index].next) {
    const CountedId& counted = ring_[index].counted;
    if (counted.id != sighting.id || sighting.finish_ns - counted.time_ns > keep_ns_) continue;
    Sighting before;
    before.input = counted.input;
    before.output = counted.output;
    if (same_tokens(before, sighting)) return &counted;
  }
  return nullptr;
}

void CountedIds::forget(uint32_t index) {
  uint32_t* link = &bucket_of(ring_[index].counted.id);
  while (*link != index) link = &ring_[*link].next;
  *link = ring_[index].next;
  --size_;
}

void CountedIds::grow_buckets() {
  buckets_.assign(buckets_.empty() ? 1024 : buckets_.size() * 4, kNone);
  // The newest slot is not linked yet: remember() does that.
  for (uint32_t i = 0; i + 1 < ring_.size(); ++i) {
    uint32_t& bucket = bucket_of(ring_[i].counted.id);
    ring_[i].next = bucket;
    bucket = i;
  }
}

}  // namespace wiretally::ledger
