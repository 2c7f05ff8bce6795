#include "open_calls.h"

#include <algorithm>

namespace wiretally::ledger {

bool OpenCalls::open(const CallOpened& call, int64_t start_ns) {
  if (calls_.size() >= calls_max_) return false;
  const auto [position, fresh] =
      calls_.try_emplace({call.lane, call.exchange}, Call{.opened = call, .start_ns = start_ns});
  if (fresh) by_start_.emplace(start_ns, &position->second);
  return fresh;
}

std::optional<CallOpened> OpenCalls::close(ExchangeId exchange, uint32_t lane) {
  const auto position = calls_.find({lane, exchange});
  if (position == calls_.end()) return std::nullopt;
  const CallOpened opened = position->second.opened;
  by_start_.erase({position->second.start_ns, &position->second});
  calls_.erase(position);
  return opened;
}

bool OpenCalls::any_before(int64_t time_ns, std::span<const Sighting> of_one_call) const {
  for (const auto& [start_ns, call] : by_start_) {
    if (start_ns >= time_ns) return false;
    const CallOpened& opened = call->opened;
    const bool own = std::any_of(of_one_call.begin(), of_one_call.end(), [&](const Sighting& s) {
      return s.lane == opened.lane && s.flow == opened.flow;
    });
    if (!own) return true;
  }
  return false;
}

}  // namespace wiretally::ledger
