// The calls that are open now, by age: for whom a finished call may have to wait.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "sighting.h"
#include "wiretally/usage_record.h"

namespace wiretally::ledger {

class OpenCalls {
 public:
  explicit OpenCalls(size_t calls_max) : calls_max_(calls_max) {}

  // False when the limit is reached (or the exchange is open already): this call is not waited for.
  bool open(const CallOpened& call, int64_t start_ns);
  std::optional<CallOpened> close(ExchangeId exchange, uint32_t lane);

  // Whether a call on another connection than these was open before `time_ns`.
  bool any_before(int64_t time_ns, std::span<const Sighting> of_one_call) const;
  bool any_before(int64_t time_ns) const {
    return !by_start_.empty() && by_start_.begin()->first < time_ns;
  }
  size_t size() const { return calls_.size(); }
  static uint64_t worst_case_bytes(size_t calls_max) {
    constexpr uint64_t kNode = 64;  // a tree's, with its allocation
    return calls_max * (sizeof(Key) + sizeof(Call) + 2 * sizeof(uint64_t) + 2 * kNode);
  }

 private:
  using Key = std::pair<uint32_t, ExchangeId>;  // lane, exchange
  struct Call {
    CallOpened opened;
    int64_t start_ns = 0;
  };

  size_t calls_max_;
  std::map<Key, Call> calls_;
  std::set<std::pair<int64_t, const Call*>> by_start_;  // map nodes do not move
};

}  // namespace wiretally::ledger
