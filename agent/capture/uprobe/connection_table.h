// The connections a reader knows: how far it has read each, so that a loss at the very end can be
// seen, and which process they belong to, so that its end closes them.
//
// All memory is taken at birth. When the table is full, the least recently active connection makes
// room. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "wiretally/capture.h"

namespace wiretally::uprobe {

class ConnectionTable {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  struct Connection {
    ConnectionKey key;
    uint64_t offset[2] = {0, 0};  // next byte expected, by wt_transfer
    bool ignored = false;         // downstream wants nothing of it

   private:
    friend class ConnectionTable;
    uint32_t bucket_next = kNone;
    uint32_t process_next = kNone;  // another connection in the same bucket of processes
    uint32_t process_previous = kNone;
    uint32_t newer = kNone;  // by activity
    uint32_t older = kNone;
  };

  explicit ConnectionTable(size_t capacity);

  // The connection under this process and handle, whatever its generation; nullptr if unknown.
  // The pointer holds until the next insert or erase.
  Connection* find(uint32_t pid, uint64_t handle);
  // Marks it as the most recently active.
  void touch(Connection* connection);
  // The least recently active one; nullptr if the table is empty.
  Connection* oldest();
  bool full() const { return free_ == kNone; }
  size_t size() const { return size_; }

  // There is room (else evict oldest() first) and no connection under this process and handle.
  Connection* insert(const ConnectionKey& key);
  void erase(Connection* connection);

  // Any connection of this process (of this start); nullptr when there is none left.
  Connection* find_any_of_process(uint32_t pid, uint64_t process_start_ns);

  // All of them: index runs from 0 to capacity(); nullptr where there is none.
  size_t capacity() const { return connections_.size(); }
  Connection* at(size_t index);

 private:
  uint32_t& bucket_of(uint32_t pid, uint64_t handle);
  uint32_t& process_bucket_of(uint32_t pid);
  uint32_t index_of(const Connection* connection) const;
  void link_newest(uint32_t index);
  void unlink_activity(uint32_t index);

  std::vector<Connection> connections_;
  std::vector<bool> used_;
  std::vector<uint32_t> buckets_;
  std::vector<uint32_t> process_buckets_;
  uint64_t bucket_mask_ = 0;
  uint32_t free_ = kNone;  // chained by bucket_next
  uint32_t newest_ = kNone;
  uint32_t oldest_ = kNone;
  size_t size_ = 0;
};

}  // namespace wiretally::uprobe
