#include "event_batch.h"

#include <algorithm>
#include <cstring>

namespace wiretally {
namespace {

uint64_t mix(uint64_t hash) {
  hash *= 0x9e37'79b9'7f4a'7c15;
  return hash ^ hash >> 32;
}

uint32_t lane_of_hash(uint64_t hash, uint32_t lanes) {
  return static_cast<uint32_t>((mix(hash) >> 32) * lanes >> 32);
}

}  // namespace

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

uint32_t lane_of(const Endpoint& one, const Endpoint& other, uint32_t lanes) {
  uint64_t words[2], more[2];
  std::memcpy(words, one.address.bytes.data(), sizeof words);
  std::memcpy(more, other.address.bytes.data(), sizeof more);
  const uint64_t ports = (uint64_t{one.port} + other.port) << 32;
  return lane_of_hash(mix(words[0] + more[0] + ports) ^ (words[1] + more[1]), lanes);
}

uint32_t lane_of(const ConnectionKey& connection, uint32_t lanes) {
  return lane_of_hash(mix(connection.pid ^ mix(connection.process_start_ns)) ^ connection.handle,
                      lanes);
}

}  // namespace wiretally
