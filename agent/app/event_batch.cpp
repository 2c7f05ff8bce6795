#include "event_batch.h"

#include <algorithm>
#include <cstring>

namespace wiretally {
ByteView EventBatch::keep(ByteView bytes) {
  if (bytes.empty()) return {};
  while (block_ < blocks_.size() && blocks_[block_].size - used_ < bytes.size()) {
    ++block_;
    used_ = 0;
  }
  if (block_ == blocks_.size()) {
    const size_t size = std::max(kBlockBytes, bytes.size());
    blocks_.push_back({std::make_unique_for_overwrite<uint8_t[]>(size), size});
  }
  uint8_t* const kept = blocks_[block_].bytes.get() + used_;
  std::memcpy(kept, bytes.data(), bytes.size());
  used_ += bytes.size();
  return {kept, bytes.size()};
}

void EventBatch::clear() {
  entries_.clear();
  events_.clear();
  if (blocks_.size() > kBlocksKept) blocks_.resize(kBlocksKept);
  block_ = used_ = 0;
}

}  // namespace wiretally
