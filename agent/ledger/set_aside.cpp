#include "set_aside.h"

namespace wiretally::ledger {

bool SetAside::put(const Digest& key, const LedgerEntry& entry, int64_t deadline_ns) {
  const auto [position, fresh] = waiting_.try_emplace(key_of(key));
  if (!fresh) {
    if (position->second.batch_id.empty()) position->second.batch_id = entry.record.batch_id;
    return false;
  }
  position->second.deadline_ns = deadline_ns;
  position->second.entry.emplace(entry);
  position->second.batch_id = entry.record.batch_id;
  by_deadline_.emplace(deadline_ns, position->first);
  return true;
}

std::optional<LedgerEntry> SetAside::take(const Digest& key) {
  const auto position = waiting_.find(key_of(key));
  if (position == waiting_.end() || !position->second.entry) return std::nullopt;
  const LedgerEntry entry = position->second.entry->unpack();
  by_deadline_.erase({position->second.deadline_ns, position->first});
  waiting_.erase(position);
  return entry;
}

bool SetAside::line_counts(const Digest& file, UsageRecord& line, int64_t now_ns) {
  const auto [position, fresh] = waiting_.try_emplace(key_of(file));
  Waiting& waiting = position->second;
  if (!fresh && waiting.counted) return false;
  if (line.batch_id.empty()) line.batch_id = waiting.batch_id;
  if (!fresh && !waiting.entry) return true;
  // The sum is not needed any more.
  waiting.entry.reset();
  reschedule(position, now_ns + remember_ns_);
  return true;
}

void SetAside::reschedule(std::map<Key, Waiting>::iterator position, int64_t deadline_ns) {
  by_deadline_.erase({position->second.deadline_ns, position->first});
  position->second.deadline_ns = deadline_ns;
  by_deadline_.emplace(deadline_ns, position->first);
}

std::optional<SetAside::Due> SetAside::due(int64_t now_ns, bool all) {
  while (!by_deadline_.empty()) {
    const auto [deadline_ns, key] = *by_deadline_.begin();
    if (!all && waiting_.size() <= entries_max_ && deadline_ns > now_ns) return std::nullopt;
    const auto position = waiting_.find(key);
    if (!position->second.entry) {
      by_deadline_.erase(by_deadline_.begin());
      waiting_.erase(position);
      continue;
    }
    const Due due{.entry = position->second.entry->unpack(), .deadline_ns = deadline_ns};
    if (due.entry.record.part == CallPart::kSum) {
      position->second.entry.reset();
      position->second.counted = true;
      reschedule(position, deadline_ns + remember_ns_);
    } else {
      by_deadline_.erase(by_deadline_.begin());
      waiting_.erase(position);
    }
    return due;
  }
  return std::nullopt;
}

}  // namespace wiretally::ledger
