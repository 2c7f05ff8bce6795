#include "attempts.h"

#include <xxhash.h>

#include <algorithm>

#include "sighting.h"

namespace wiretally::ledger {
namespace {

// The close of one connection may show behind the first packet of the next. Not much later: an
// equal call that was made while the other one was open repeats nothing.
constexpr int64_t kSkewNs = 10'000'000;

enum class Kind : uint64_t { kKey, kRequest, kCount };

uint64_t hash_of(std::initializer_list<uint64_t> parts) {
  return XXH3_64bits(parts.begin(), parts.size() * sizeof(uint64_t));
}

uint64_t text_hash(std::string_view text) { return XXH3_64bits(text.data(), text.size()); }

uint64_t address_hash(const Endpoint& endpoint) {
  const auto& bytes = endpoint.address.bytes;
  return XXH3_64bits(bytes.data(), bytes.size());
}

// Who asks whom.
uint64_t parties_of(const UsageRecord& record) {
  const bool own_process = record.pid != 0 && record.side == Side::kClient;
  const uint64_t caller =
      own_process ? hash_of({record.pid, record.process_start_ns}) : address_hash(record.client);
  const uint64_t server = record.server_name.empty() ? address_hash(record.server)
                                                     : text_hash(record.server_name.view());
  return hash_of({caller, server, static_cast<uint64_t>(record.side)});
}

uint64_t count_key(const UsageRecord& record, uint32_t earlier_attempts) {
  return hash_of({static_cast<uint64_t>(Kind::kCount), parties_of(record),
                  text_hash(record.path.view()), earlier_attempts});
}

template <typename Visit>
void for_each_sure_key(const UsageRecord& record, Visit visit) {
  if (record.attempt_key.known()) {
    visit(hash_of(
        {static_cast<uint64_t>(Kind::kKey), record.attempt_key.high, record.attempt_key.low}));
  }
  if (record.request_digest.known()) {
    visit(hash_of({static_cast<uint64_t>(Kind::kRequest), record.request_digest.high,
                   record.request_digest.low, parties_of(record)}));
  }
}

}  // namespace

bool Attempts::failed(const UsageRecord& record) {
  if (record.part != CallPart::kWhole) return false;
  switch (record.outcome) {
    case Outcome::kOk:
      return false;
    case Outcome::kClientAbort:
    case Outcome::kServerAbort:
    case Outcome::kIncomplete:
    case Outcome::kStreamError:
      return true;
    case Outcome::kHttpError:
      break;
  }
  const uint16_t status = record.status_code.value_or(0);
  return status == 408 || status == 409 || status == 429 || status >= 500;
}

std::optional<Attempts::Serial> Attempts::find(uint64_t key, const Observation& repeat) const {
  for (auto it = by_key_.lower_bound({key, 0}); it != by_key_.end() && it->first == key; ++it) {
    const Attempt& attempt = attempts_.at(it->second);
    const bool before = attempt.start_ns < repeat.start_ns &&
                        attempt.finish_ns <= repeat.start_ns + kSkewNs &&
                        repeat.start_ns - attempt.finish_ns <= wait_ns_;
    if (before) return it->second;
  }
  return std::nullopt;
}

std::optional<RecordId> Attempts::repeated_by(std::span<const Observation* const> seen) {
  std::optional<Serial> found;
  for (const Observation* one : seen) {
    for_each_sure_key(one->record, [&](uint64_t key) {
      if (!found) found = find(key, *one);
    });
  }
  for (const Observation* one : seen) {
    const uint32_t earlier = one->record.earlier_attempts.value_or(0);
    if (!found && earlier > 0) found = find(count_key(one->record, earlier - 1), *one);
  }
  if (!found) return std::nullopt;
  const auto position = attempts_.find(*found);
  const RecordId record_id = position->second.record_id;
  forget(position);
  return record_id;
}

void Attempts::remember(std::span<const Observation* const> seen, const RecordId& record_id) {
  if (attempts_max_ == 0) return;
  Attempt attempt{.record_id = record_id,
                  .start_ns = seen.front()->start_ns,
                  .finish_ns = seen.front()->finish_ns,
                  .keys = {}};
  for (const Observation* one : seen) {
    attempt.start_ns = std::min(attempt.start_ns, one->start_ns);
    // The caller knows that it failed when the first of its observations ended.
    attempt.finish_ns = std::min(attempt.finish_ns, one->finish_ns);
    for_each_sure_key(one->record, [&](uint64_t key) { attempt.keys.push_back(key); });
    if (one->record.earlier_attempts) {
      attempt.keys.push_back(count_key(one->record, *one->record.earlier_attempts));
    }
  }
  if (attempt.keys.empty()) return;
  if (attempt.keys.size() > kKeysMax) attempt.keys.resize(kKeysMax);
  while (!attempts_.empty() &&
         (attempts_.size() >= attempts_max_ ||
          attempt.finish_ns - attempts_.begin()->second.finish_ns > wait_ns_)) {
    forget(attempts_.begin());
  }
  for (const uint64_t key : attempt.keys) by_key_.emplace(key, next_);
  attempts_.emplace(next_++, std::move(attempt));
}

void Attempts::forget(std::map<Serial, Attempt>::iterator position) {
  for (const uint64_t key : position->second.keys) by_key_.erase({key, position->first});
  attempts_.erase(position);
}

}  // namespace wiretally::ledger
