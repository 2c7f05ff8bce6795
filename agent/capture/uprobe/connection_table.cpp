#include "connection_table.h"

#include <bit>

namespace wiretally::uprobe {
namespace {

uint64_t mix(uint64_t value) {
  value *= 0x9E3779B97F4A7C15ULL;
  return value ^ (value >> 32);
}

}  // namespace

ConnectionTable::ConnectionTable(size_t capacity)
    : connections_(capacity), used_(capacity), bucket_mask_(std::bit_ceil(capacity * 2) - 1) {
  buckets_.assign(bucket_mask_ + 1, kNone);
  process_buckets_.assign(bucket_mask_ + 1, kNone);
  for (size_t i = capacity; i-- > 0;) {
    connections_[i].bucket_next = free_;
    free_ = static_cast<uint32_t>(i);
  }
}

uint32_t& ConnectionTable::bucket_of(uint32_t pid, uint64_t handle) {
  return buckets_[mix((handle >> 3) ^ (static_cast<uint64_t>(pid) << 40)) & bucket_mask_];
}

uint32_t& ConnectionTable::process_bucket_of(uint32_t pid) {
  return process_buckets_[mix(pid) & bucket_mask_];
}

uint32_t ConnectionTable::index_of(const Connection* connection) const {
  return static_cast<uint32_t>(connection - connections_.data());
}

ConnectionTable::Connection* ConnectionTable::find(uint32_t pid, uint64_t handle) {
  for (uint32_t i = bucket_of(pid, handle); i != kNone; i = connections_[i].bucket_next) {
    Connection& connection = connections_[i];
    if (connection.key.pid == pid && connection.key.handle == handle) return &connection;
  }
  return nullptr;
}

void ConnectionTable::touch(Connection* connection) {
  const uint32_t index = index_of(connection);
  if (newest_ == index) return;
  unlink_activity(index);
  link_newest(index);
}

ConnectionTable::Connection* ConnectionTable::oldest() {
  return oldest_ == kNone ? nullptr : &connections_[oldest_];
}

ConnectionTable::Connection* ConnectionTable::insert(const ConnectionKey& key) {
  const uint32_t index = free_;
  Connection& connection = connections_[index];
  free_ = connection.bucket_next;
  connection = Connection{};
  connection.key = key;
  used_[index] = true;
  ++size_;
  uint32_t& bucket = bucket_of(key.pid, key.handle);
  connection.bucket_next = bucket;
  bucket = index;
  uint32_t& process = process_bucket_of(key.pid);
  connection.process_next = process;
  if (process != kNone) connections_[process].process_previous = index;
  process = index;
  link_newest(index);
  return &connection;
}

void ConnectionTable::erase(Connection* connection) {
  const uint32_t index = index_of(connection);
  uint32_t* link = &bucket_of(connection->key.pid, connection->key.handle);
  while (*link != index) link = &connections_[*link].bucket_next;
  *link = connection->bucket_next;

  const uint32_t next = connection->process_next;
  const uint32_t previous = connection->process_previous;
  if (next != kNone) connections_[next].process_previous = previous;
  (previous == kNone ? process_bucket_of(connection->key.pid)
                     : connections_[previous].process_next) = next;

  unlink_activity(index);
  used_[index] = false;
  connection->bucket_next = free_;
  free_ = index;
  --size_;
}

ConnectionTable::Connection* ConnectionTable::find_any_of_process(uint32_t pid,
                                                                  uint64_t process_start_ns) {
  for (uint32_t i = process_bucket_of(pid); i != kNone; i = connections_[i].process_next) {
    const ConnectionKey& key = connections_[i].key;
    if (key.pid == pid && key.process_start_ns == process_start_ns) return &connections_[i];
  }
  return nullptr;
}

ConnectionTable::Connection* ConnectionTable::at(size_t index) {
  return used_[index] ? &connections_[index] : nullptr;
}

void ConnectionTable::link_newest(uint32_t index) {
  Connection& connection = connections_[index];
  connection.older = newest_;
  connection.newer = kNone;
  if (newest_ != kNone) connections_[newest_].newer = index;
  newest_ = index;
  if (oldest_ == kNone) oldest_ = index;
}

void ConnectionTable::unlink_activity(uint32_t index) {
  const Connection& connection = connections_[index];
  (connection.older == kNone ? oldest_ : connections_[connection.older].newer) = connection.newer;
  (connection.newer == kNone ? newest_ : connections_[connection.newer].older) = connection.older;
}

}  // namespace wiretally::uprobe
