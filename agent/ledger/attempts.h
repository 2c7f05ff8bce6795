// Failed calls that a later one may repeat: retry_of.
//
// A call repeats another if that one failed in a way that clients retry (no answer, an aborted one,
// 408, 409, 429, 5xx), ended before this one began (`skew` for two connections' clocks), at most
// `wait` before, and one of these holds, in this order:
//
//   same key      both carry the key that an SDK gives to all attempts at one call
//   same request  equal digest of method, path and body, from the same process (or, where it is not
//                 known, the same client address), to the same server
//   count         the SDK says which attempt this is, and the one before it came from the same
//                 process or address, to the same server and path
//
// A failed call is repeated by one call: of several the oldest is taken first. So a chain of
// attempts is linked one to the next. Bounded; when full, the oldest is forgotten.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "fold.h"
#include "wiretally/ledger_entry.h"

namespace wiretally::ledger {

class Attempts {
 public:
  Attempts(size_t attempts_max, int64_t wait_ns) : attempts_max_(attempts_max), wait_ns_(wait_ns) {}

  // Whether a client would try again after this.
  static bool failed(const UsageRecord& record);

  // The failed call that this one (its observations) repeats. It is repeated by no other.
  std::optional<RecordId> repeated_by(std::span<const Observation* const> seen);
  void remember(std::span<const Observation* const> seen, const RecordId& record_id);

  size_t size() const { return attempts_.size(); }
  static uint64_t worst_case_bytes(size_t attempts_max) {
    constexpr uint64_t kNode = 64;  // a tree's, with its allocation
    return attempts_max * (sizeof(Attempt) + kNode + kKeysMax * (sizeof(uint64_t) * 3 + kNode));
  }

 private:
  struct Attempt {
    RecordId record_id;
    int64_t start_ns = 0;
    int64_t finish_ns = 0;
    std::vector<uint64_t> keys;
  };
  using Serial = uint64_t;
  static constexpr size_t kKeysMax = 9;  // of one call: three observations

  std::optional<Serial> find(uint64_t key, const Observation& repeat) const;
  void forget(std::map<Serial, Attempt>::iterator position);

  size_t attempts_max_;
  int64_t wait_ns_;
  Serial next_ = 0;
  std::map<Serial, Attempt> attempts_;  // oldest first
  std::set<std::pair<uint64_t, Serial>> by_key_;
};

}  // namespace wiretally::ledger
