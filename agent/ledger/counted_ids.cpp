#include "counted_ids.h"

#include <algorithm>

namespace wiretally::ledger {
namespace {

constexpr uint32_t kNotReported = UINT32_MAX;

uint32_t packed(std::optional<uint64_t> tokens) {
  return static_cast<uint32_t>(std::min<uint64_t>(tokens.value_or(kNotReported), kNotReported));
}
std::optional<uint64_t> unpacked(uint32_t tokens) {
  if (tokens == kNotReported) return std::nullopt;
  return tokens;
}

}  // namespace

void CountedIds::remember(const Sighting& sighting, int64_t time_ns, const RecordId& record_id) {
  if (ids_max_ == 0) return;
  const auto index = static_cast<uint32_t>(next_);
  if (size_ == ids_max_) {
    forget(index);
  } else {
    if (index % kSlabSlots == 0) {
      slabs_.push_back(std::make_unique_for_overwrite<Slot[]>(kSlabSlots));
    }
    if (++size_ > buckets_.size()) grow_buckets();
  }
  next_ = next_ + 1 == ids_max_ ? 0 : next_ + 1;

  uint32_t& bucket = bucket_of(sighting.id.low);
  Slot& newest = slot(index);
  newest = {.id = sighting.id.low,
            .time_ns = time_ns,
            .tokens = {packed(sighting.input), packed(sighting.output)},
            .record_id = {},
            .next = bucket};
  record_id.view().copy(newest.record_id.data(), newest.record_id.size());
  bucket = index;
}

std::optional<RecordId> CountedIds::find(const Sighting& sighting) const {
  if (!sighting.id_is_proof || buckets_.empty()) return std::nullopt;
  uint32_t index = buckets_[sighting.id.low & (buckets_.size() - 1)];
  for (; index != kNone; index = slot(index).next) {
    const Slot& counted = slot(index);
    if (counted.id != sighting.id.low || sighting.finish_ns - counted.time_ns > keep_ns_) continue;
    Sighting before;
    before.input = unpacked(counted.tokens[0]);
    before.output = unpacked(counted.tokens[1]);
    if (!same_tokens(before, sighting)) continue;
    return RecordId(std::string_view(counted.record_id.data(), counted.record_id.size()));
  }
  return std::nullopt;
}

void CountedIds::forget(uint32_t index) {
  uint32_t* link = &bucket_of(slot(index).id);
  while (*link != index) link = &slot(*link).next;
  *link = slot(index).next;
}

// Before the newest slot is filled.
void CountedIds::grow_buckets() {
  buckets_.assign(buckets_.empty() ? kSlabSlots : buckets_.size() * 4, kNone);
  for (uint32_t i = 0; i < next_; ++i) {
    uint32_t& bucket = bucket_of(slot(i).id);
    slot(i).next = bucket;
    bucket = i;
  }
}

}  // namespace wiretally::ledger
