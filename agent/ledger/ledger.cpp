#include "ledger.h"

#include <algorithm>
#include <cstdlib>
#include <tuple>

namespace wiretally::ledger {
namespace {

// Many equal calls at once share a digest; looking at more of them would only cost time.
constexpr size_t kCandidatesMax = 1024;
// One call shows at two ends and, on "any", under a few address pairs; beyond, it is another call.
constexpr size_t kSightingsMax = Limits::sightings_per_call_max;
// What a free place for a record may go on owning.
constexpr size_t kBytesKept = 1024;

template <typename Visit>
void for_each_key(const Sighting& sighting, Visit visit) {
  if (sighting.request.known()) visit(sighting.request.low);
  if (sighting.response.known() && !sighting.empty_answer) visit(sighting.response.low);
  if (sighting.id_is_proof) visit(sighting.id.low);
  if (const auto key = text_key(sighting)) visit(*key);
}

std::vector<const Observation*> pointers_to(const std::vector<Observation>& observations) {
  std::vector<const Observation*> pointers;
  pointers.reserve(observations.size());
  for (const Observation& observation : observations) pointers.push_back(&observation);
  return pointers;
}

bool equal_ignoring_case(std::string_view lower, std::string_view text) {
  return lower.size() == text.size() &&
         std::equal(lower.begin(), lower.end(), text.begin(), [](char a, char b) {
           return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b + 32) : b);
         });
}

}  // namespace

Ledger::Ledger(const Limits& limits, const LedgerOptions& options, std::vector<EntrySink*> sinks)
    : limits_(limits),
      options_(options),
      sinks_(std::move(sinks)),
      open_(limits.open_calls_max * std::max<uint32_t>(1, options.lanes)),
      ids_(limits.remembered_ids_max, limits.remembered_ids_ns),
      estimator_(limits.estimated_models_max),
      attempts_(limits.failed_attempts_max, limits.attempt_wait_ns),
      set_aside_(limits.set_aside_max, limits.remembered_ids_ns),
      connections_(limits_, options_.wall, sinks_) {}

void Ledger::on_call_opened(const CallOpened& call) {
  // While it runs: a command-line client may be gone before its record is made.
  if (call.pid != 0 && options_.processes != nullptr) {
    options_.processes->find(call.pid, call.process_start_ns);
  }
  if (options_.lanes <= 1) advance(call.start);
  if (!open_.open(call, options_.wall.epoch_ns(call.start))) return;
  for (EntrySink* sink : sinks_) sink->on_call_opened(call);
}

void Ledger::on_call_closed(ExchangeId exchange, uint32_t lane, EventTime time) {
  Ahead ahead;
  ahead.place.finish_ns = options_.wall.epoch_ns(time);
  ahead.place.exchange = exchange;
  ahead.lane = lane;
  ahead_.insert(ahead);
  make_room();
  if (options_.lanes <= 1) advance(time);
}

void Ledger::end_call(ExchangeId exchange, uint32_t lane) {
  const auto opened = open_.close(exchange, lane);
  if (!opened) return;
  for (EntrySink* sink : sinks_) sink->on_call_closed(*opened);
}

void Ledger::on_suspect(Dialect dialect) {
  for (EntrySink* sink : sinks_) sink->on_suspect(dialect);
}

void Ledger::on_connection(const ConnectionSeen& connection) {
  if (connection.visibility == Visibility::kPlain) return connections_.plain(connection);
  // Asked at once: the process may be gone before the hello is known to be opaque.
  ConnectionOwner owner;
  if (options_.owners != nullptr) {
    owner = options_.owners->owner_of(connection.client, connection.server);
  }
  connections_.hello(connection, owner);
}

void Ledger::on_time(EventTime now) {
  advance(now);
  for (EntrySink* sink : sinks_) sink->on_time(now);
}

void Ledger::on_record(const UsageRecord& record) {
  if (options_.lanes <= 1) advance(record.finish);
  const Observation seen{.record = record,
                         .start_ns = options_.wall.epoch_ns(record.start),
                         .finish_ns = options_.wall.epoch_ns(record.finish),
                         .process = process_of(record)};
  ahead_.insert({place_of(seen), record.lane, keep(seen)});
  make_room();
}

void Ledger::take(uint32_t observation) {
  const Observation seen = observations_[observation].unpack();
  const Sighting sighting = sighting_of(seen.record);
  const Match match = find_group(sighting);
  if (match.twin != Twin::kNot) {
    if (match.late) return late_twin(match, sighting, observation);
    return join(match.group, sighting, observation);
  }
  if (const auto counted = ids_.find(sighting)) return repeat_of(*counted, observation);
  start_group(sighting, observation, place_of(seen));
}

bool Ledger::too_much_held() const {
  return observations_.size() - free_observations_.size() > limits_.held_records_max ||
         observation_bytes_ > limits_.held_record_bytes_max ||
         sightings_ > 2 * limits_.held_records_max;
}

// The calls that finished first wait no longer.
void Ledger::make_room() {
  while (ahead_.size() > limits_.held_records_max) catch_up(ahead_.begin()->place.finish_ns);
  while (too_much_held()) {
    if (!queue_.empty()) {
      count(queue_.begin()->group);
    } else if (!ahead_.empty()) {
      catch_up(ahead_.begin()->place.finish_ns);
    } else {
      break;
    }
    retire_counted();
  }
}

void Ledger::drain() {
  catch_up(INT64_MAX);
  while (!queue_.empty()) count(queue_.begin()->group);
  release_due(now_ns_, true);
  connections_.drain();
  for (EntrySink* sink : sinks_) sink->on_finish();
}

void Ledger::on_clock_step(WallClock wall) {
  catch_up(INT64_MAX);
  while (!queue_.empty()) count(queue_.begin()->group);
  release_due(now_ns_, true);
  while (!counted_.empty()) {
    retire(counted_.front());
    counted_.pop_front();
  }
  connections_.on_clock_step(wall);
  options_.wall = wall;
  now_ns_ = INT64_MIN;
}

// --- time ----------------------------------------------------------------------------------------

void Ledger::advance(EventTime time) {
  const int64_t time_ns = options_.wall.epoch_ns(time);
  if (time_ns <= now_ns_) return;
  catch_up(time_ns);
  now_ns_ = time_ns;
  release();
  release_due(queue_.empty() ? now_ns_ : std::min(now_ns_, queue_.begin()->finish_ns));
  retire_counted();
  connections_.advance(now_ns_);
}

// Takes what lanes sent ahead, up to this time.
void Ledger::catch_up(int64_t time_ns) {
  while (!ahead_.empty() && ahead_.begin()->place.finish_ns <= time_ns) {
    const Ahead next = *ahead_.begin();
    ahead_.erase(ahead_.begin());
    if (next.place.finish_ns > now_ns_) {
      now_ns_ = next.place.finish_ns;
      release();
    }
    if (next.observation) {
      take(*next.observation);
    } else {
      end_call(next.place.exchange, next.lane);
    }
  }
}

void Ledger::release() {
  while (!queue_.empty() && hold_is_over(groups_[queue_.begin()->group])) {
    count(queue_.begin()->group);
  }
}

bool Ledger::hold_is_over(const Group& group) const {
  const int64_t held_ns = now_ns_ - group.first_finish_ns;
  if (held_ns < limits_.hold_min_ns) return false;
  if (held_ns >= limits_.hold_max_ns) return true;
  return !open_.any_before(group.first_finish_ns, group.sightings);
}

// --- twins ---------------------------------------------------------------------------------------

// As a function of the records alone, whenever the hold really ended: so it does not depend on how
// the lanes interleave.
bool Ledger::within_hold(const Sighting& sighting, const Group& group) const {
  if (group.counted) return false;
  const int64_t early_ns = std::min(sighting.finish_ns, group.first_finish_ns);
  const int64_t late_ns = std::max(sighting.finish_ns, group.first_finish_ns);
  const int64_t wait_ns = late_ns - early_ns;
  if (wait_ns > limits_.hold_max_ns) return false;
  return wait_ns <= limits_.hold_min_ns || sighting.start_ns < group.first_finish_ns;
}

Ledger::Twin Ledger::twin_of(const Sighting& sighting, const Group& group) const {
  if (group.sightings.size() >= kSightingsMax) return Twin::kNot;
  bool all_elsewhere = true;
  bool on_same_flow = false;
  bool equal_call = false;  // the same again, from the same place: another call
  bool by_bytes = false;
  bool by_id = false;
  bool by_cut_answer = false;
  bool by_text = false;
  bool all_legs = true;  // each is another leg, or the same leg seen elsewhere
  for (const Sighting& other : group.sightings) {
    const bool apart = elsewhere(sighting, other);
    const bool bytes = same_bytes(sighting, other);
    const bool other_leg = may_be_legs(sighting, other);
    all_elsewhere &= apart || other_leg;
    all_legs &= other_leg || (apart && bytes);
    by_text |= other_leg && nested_legs(sighting, other);
    on_same_flow |= same_flow(sighting, other);
    equal_call |= bytes && !apart && same_process(sighting, other);
    by_id |= same_id(sighting, other);
    if (overlapping(sighting, other)) {
      by_bytes |= apart && bytes;
      by_cut_answer |= apart && same_request_cut_answer(sighting, other);
    }
  }
  if (all_elsewhere && by_bytes) return Twin::kSameBytes;
  if (by_id && sighting.fetched) return Twin::kRepeat;
  if (by_id && equal_call) return Twin::kNot;
  if (by_id) return on_same_flow ? Twin::kRepeat : Twin::kSameId;
  if (all_legs && by_text) return Twin::kNested;
  return all_elsewhere && by_cut_answer ? Twin::kSameBytes : Twin::kNot;
}

Ledger::Match Ledger::find_group(const Sighting& sighting) const {
  // In time before late; then the stronger evidence; then the same client address and the nearest
  // start. Of other legs: equal counts and the nearest answer, because a gateway that asked several
  // times passes on the last one.
  using Rank = std::tuple<bool, Twin, bool, int64_t, uint32_t>;
  std::optional<Rank> best_rank;
  Match best;
  size_t candidates = 0;
  const auto consider = [&](uint32_t group_index) {
    const Group& group = groups_[group_index];
    const Twin twin = twin_of(sighting, group);
    if (twin == Twin::kNot) return;
    const bool late = twin == Twin::kRepeat || !within_hold(sighting, group);
    const Sighting& first = group.sightings.front();
    const bool leg = twin == Twin::kNested;
    const int64_t distance_ns = leg ? first.answer_ns.value_or(0) - sighting.answer_ns.value_or(0)
                                    : first.start_ns - sighting.start_ns;
    const bool weaker = leg ? !same_tokens(first, sighting) : first.client != sighting.client;
    const Rank rank{late, twin, weaker, std::abs(distance_ns), group_index};
    if (best_rank && !(rank < *best_rank)) return;
    best_rank = rank;
    best = {.twin = twin, .late = late, .group = group_index};
  };
  for_each_key(sighting, [&](uint64_t key) {
    for (auto it = by_digest_.lower_bound({key, 0});
         it != by_digest_.end() && it->first == key && candidates < kCandidatesMax;
         ++it, ++candidates) {
      consider(it->second);
    }
  });
  return best;
}

void Ledger::start_group(const Sighting& sighting, uint32_t observation, const Place& place) {
  uint32_t group_index = 0;
  if (free_groups_.empty()) {
    group_index = static_cast<uint32_t>(groups_.size());
    groups_.emplace_back();
  } else {
    group_index = free_groups_.back();
    free_groups_.pop_back();
  }
  Group& group = groups_[group_index];
  group.sightings.assign(1, sighting);
  ++sightings_;
  group.seen.assign(1, observation);
  group.first_finish_ns = group.last_finish_ns = sighting.finish_ns;
  group.counted = false;
  group.place = place;
  group.place.group = group_index;
  index(group_index, sighting);
  queue_.insert(group.place);
}

void Ledger::join(uint32_t group_index, const Sighting& sighting, uint32_t observation) {
  Group& group = groups_[group_index];
  queue_.erase(group.place);
  group.sightings.push_back(sighting);
  ++sightings_;
  group.seen.push_back(observation);
  group.first_finish_ns = std::min(group.first_finish_ns, sighting.finish_ns);
  group.last_finish_ns = std::max(group.last_finish_ns, sighting.finish_ns);
  const std::vector<Observation> seen = unpacked(group.seen);
  group.place = place_of(seen[provider_facing(pointers_to(seen))]);
  group.place.group = group_index;
  index(group_index, sighting);
  queue_.insert(group.place);
}

void Ledger::late_twin(const Match& match, const Sighting& sighting, uint32_t observation) {
  Group& group = groups_[match.group];
  if (match.twin != Twin::kRepeat) {
    // It has found its call, and cannot be mistaken for the twin of an equal one.
    group.sightings.push_back(sighting);
    ++sightings_;
    index(match.group, sighting);
  }
  report_late(match.twin == Twin::kSameBytes ? "same_bytes"
              : match.twin == Twin::kNested  ? "nested"
                                             : "same_id");
  if (options_.all_legs && !group.counted) {
    group.late.push_back(observation);
    return;
  }
  if (options_.all_legs) {
    const Observation seen = observations_[observation].unpack();
    const Observation* twin = &seen;
    emit_twins({&twin, 1}, group.record_id);
  }
  forget(observation);
}

void Ledger::repeat_of(const RecordId& counted, uint32_t observation) {
  report_late("same_id");
  if (options_.all_legs) {
    const Observation seen = observations_[observation].unpack();
    const Observation* twin = &seen;
    emit_twins({&twin, 1}, counted);
  }
  forget(observation);
}

void Ledger::report_late(std::string_view kind) {
  for (EntrySink* sink : sinks_) sink->on_late_twin(kind);
}

// --- counting ------------------------------------------------------------------------------------

void Ledger::count(uint32_t group_index) {
  Group& group = groups_[group_index];
  queue_.erase(group.place);
  const std::vector<Observation> observations = unpacked(group.seen);
  std::vector<const Observation*> seen = pointers_to(observations);
  make_entry(seen);
  estimate(entry_.record);
  if (entry_.record.part == CallPart::kWhole) entry_.retry_of = attempts_.repeated_by(seen);
  if (Attempts::failed(entry_.record)) attempts_.remember(seen, entry_.record_id);
  price(entry_);
  group.record_id = entry_.record_id;
  group.counted = true;
  remember_ids(group);
  settle(group.place.finish_ns);

  if (options_.all_legs) {
    seen.erase(seen.begin() + static_cast<std::ptrdiff_t>(provider_facing(seen)));
    const std::vector<Observation> late = unpacked(group.late);
    for (const Observation& twin : late) seen.push_back(&twin);
    std::stable_sort(seen.begin(), seen.end(), [](const Observation* a, const Observation* b) {
      return std::tie(a->finish_ns, a->start_ns) < std::tie(b->finish_ns, b->start_ns);
    });
    emit_twins(seen, group.record_id);
  }
  for (const uint32_t observation : group.seen) forget(observation);
  for (const uint32_t observation : group.late) forget(observation);
  group.seen.clear();
  group.late.clear();
  counted_.push_back(group_index);
}

// Hands the entry on, or sets it aside until more is known of its call.
void Ledger::settle(int64_t finish_ns) {
  release_due(finish_ns);
  switch (entry_.record.part) {
    case CallPart::kWhole:
      deliver(entry_);
      break;
    case CallPart::kAsked:
      if (!set_aside_.put(digest_of(entry_.record.response_id.view()), entry_,
                          finish_ns + limits_.background_wait_ns)) {
        deliver(entry_);
      }
      break;
    case CallPart::kFetched:
      if (entry_.record.batch_custom_id.empty()) {
        settle_fetched();
      } else {
        settle_line(finish_ns);
      }
      break;
    case CallPart::kStored:
      settle_fetched();
      break;
    case CallPart::kSum:
      if (!set_aside_.put(digest_of(entry_.record.batch_file.view()), entry_,
                          finish_ns + limits_.batch_wait_ns)) {
        report_late("same_id");
      }
      break;
  }
  release_due(finish_ns);  // who has to make room leaves now, whatever the lanes do
}

void Ledger::settle_line(int64_t finish_ns) {
  const Digest file = digest_of(entry_.record.batch_file.view());
  if (file.known() && !set_aside_.line_counts(file, entry_.record, finish_ns)) {
    return report_late("same_id");
  }
  deliver(entry_);
}

void Ledger::settle_fetched() {
  auto asked = set_aside_.take(digest_of(entry_.record.response_id.view()));
  if (!asked && entry_.record.part == CallPart::kStored) return report_late("same_id");
  if (!asked) return deliver(entry_);
  fold_fetched(entry_, *asked);
  price(*asked);
  deliver(*asked);
}

// Their ends are known only now: they leave as calls that end here.
void Ledger::release_due(int64_t now_ns, bool all) {
  while (auto due = set_aside_.due(now_ns, all)) {
    UsageRecord& record = due->entry.record;
    const int64_t end_ns = std::min(due->deadline_ns, now_ns);
    record.finish.ns += std::max<int64_t>(0, end_ns - options_.wall.epoch_ns(record.finish));
    deliver(due->entry);
  }
}

// Of each leg: a gateway may have written an id of its own.
void Ledger::remember_ids(const Group& group) {
  const auto remember = [&](const Sighting& sighting) {
    ids_.remember(sighting, group.last_finish_ns, group.record_id);
  };
  const Sighting folded = sighting_of(entry_.record);
  if (folded.id_is_proof) remember(folded);
  for (size_t i = 0; i < group.sightings.size(); ++i) {
    const Sighting& sighting = group.sightings[i];
    if (!sighting.id_is_proof || sighting.id == folded.id) continue;
    const auto before = group.sightings.begin() + static_cast<std::ptrdiff_t>(i);
    const bool known = std::any_of(group.sightings.begin(), before,
                                   [&](const Sighting& other) { return other.id == sighting.id; });
    if (!known) remember(sighting);
  }
}

void Ledger::make_entry(std::span<const Observation* const> seen) {
  entry_ = {};
  fold(
      seen, [this](const UsageRecord& record) { return to_gateway(record); }, entry_);
  entry_.node.assign(options_.node);
  attribute(options_.rules, entry_);
  entry_.record_id = record_ids_.make(entry_.record, entry_.start_epoch_ns);
}

void Ledger::emit_twins(std::span<const Observation* const> twins, const RecordId& of) {
  for (const Observation* twin : twins) {
    make_entry({&twin, 1});
    entry_.duplicate_of = of;
    deliver(entry_);
  }
}

// A counted call is kept in sight while an open call overlaps it: that one may still be its twin.
void Ledger::retire_counted() {
  while (!counted_.empty()) {
    const Group& oldest = groups_[counted_.front()];
    const bool too_many =
        counted_.size() > limits_.held_records_max || sightings_ > 2 * limits_.held_records_max;
    if (!too_many && open_.any_before(oldest.last_finish_ns)) return;
    retire(counted_.front());
    counted_.pop_front();
  }
}

void Ledger::retire(uint32_t group_index) {
  Group& group = groups_[group_index];
  for (const Sighting& sighting : group.sightings) unindex(group_index, sighting);
  sightings_ -= group.sightings.size();
  group.sightings.clear();
  if (group.sightings.capacity() > 1) group.sightings.shrink_to_fit();
  free_groups_.push_back(group_index);
}

void Ledger::estimate(UsageRecord& record) {
  const Estimator::News news = estimator_.take(record);
  for (EntrySink* sink : sinks_) {
    if (news.input) sink->on_estimator(record, TokenSide::kInput, *news.input);
    if (news.output) sink->on_estimator(record, TokenSide::kOutput, *news.output);
  }
}

namespace {

// As if what was estimated had been reported.
UsageRecord with_estimates_reported(const UsageRecord& record) {
  UsageRecord reported = record;
  for (UsageSource* source : {&reported.tokens.input_source, &reported.tokens.output_source}) {
    if (*source == UsageSource::kEstimated) *source = UsageSource::kReported;
  }
  return reported;
}

}  // namespace

void Ledger::price(LedgerEntry& entry) const {
  if (options_.prices == nullptr) return;
  // What a gateway had in its cache costs nothing, and there is no other leg to say so.
  if (entry.leg == Leg::kProvider || entry.record.served_from_cache) {
    entry.cost = options_.prices->price_at(
        options_.price_estimates ? with_estimates_reported(entry.record) : entry.record,
        entry.start_epoch_ns);
  } else if (entry.leg == Leg::kGateway) {
    entry.cost = options_.prices->stated_cost(entry.record);
  }
  if (entry.cost.stated_doubtful) entry.record.flags.set(RecordFlag::kStatedCostDoubtful);
}

void Ledger::deliver(const LedgerEntry& entry) {
  for (EntrySink* sink : sinks_) sink->on_entry(entry);
}

uint64_t Ledger::worst_case_bytes(const Limits& limits, uint32_t lanes) {
  constexpr uint64_t kNode = 64;   // a tree's, with its allocation
  constexpr uint64_t kBlock = 16;  // what an allocation costs besides its bytes
  constexpr uint64_t kKeys = 4;    // of one sighting
  const uint64_t records = limits.held_records_max + 1;
  const uint64_t sightings = 2 * records + Limits::sightings_per_call_max;
  // A record's place, used or kept for the next; the group it makes; its places in the queues.
  const uint64_t a_place = sizeof(Packed<Observation>) + kBytesKept + kBlock + sizeof(uint32_t) * 4;
  const uint64_t a_group = sizeof(Group) + 4 * sizeof(uint32_t) + 3 * kBlock;
  const uint64_t queued = sizeof(Ahead) + sizeof(Place) + 2 * kNode;
  return sizeof(Ledger) + limits.held_record_bytes_max + Packed<Observation>::kBytesMax +
         records * (a_place + queued) +
         sightings * (2 * sizeof(Sighting) + a_group + kKeys * kNode) +
         CountedIds::worst_case_bytes(limits.remembered_ids_max) +
         Estimator::worst_case_bytes(limits.estimated_models_max) +
         OpenCalls::worst_case_bytes(limits.open_calls_max * std::max<uint32_t>(1, lanes)) +
         Attempts::worst_case_bytes(limits.failed_attempts_max) +
         SetAside::worst_case_bytes(limits.set_aside_max) + Connections::worst_case_bytes(limits);
}

// --- containers ----------------------------------------------------------------------------------

Ledger::Place Ledger::place_of(const Observation& observation) {
  const UsageRecord& record = observation.record;
  return {.finish_ns = observation.finish_ns,
          .start_ns = observation.start_ns,
          .client = record.client,
          .server = record.server,
          .pid = record.pid,
          .flow = record.flow,
          .exchange = record.exchange,
          .index = record.index};
}

std::vector<Observation> Ledger::unpacked(std::span<const uint32_t> slots) const {
  std::vector<Observation> observations;
  observations.reserve(slots.size());
  for (const uint32_t slot : slots) observations.push_back(observations_[slot].unpack());
  return observations;
}

void Ledger::index(uint32_t group_index, const Sighting& sighting) {
  for_each_key(sighting, [&](uint64_t key) { by_digest_.emplace(key, group_index); });
}

void Ledger::unindex(uint32_t group_index, const Sighting& sighting) {
  for_each_key(sighting, [&](uint64_t key) { by_digest_.erase({key, group_index}); });
}

uint32_t Ledger::keep(const Observation& observation) {
  uint32_t slot = 0;
  if (free_observations_.empty()) {
    slot = static_cast<uint32_t>(observations_.size());
    observations_.emplace_back();
  } else {
    slot = free_observations_.back();
    free_observations_.pop_back();
  }
  observations_[slot].pack(observation);
  observation_bytes_ += observations_[slot].bytes();
  return slot;
}

void Ledger::forget(uint32_t observation) {
  Packed<Observation>& slot = observations_[observation];
  observation_bytes_ -= slot.bytes();
  if (slot.bytes() > kBytesKept) slot.forget();
  free_observations_.push_back(observation);
}

std::optional<ProcessIdentity> Ledger::process_of(const UsageRecord& record) const {
  if (record.pid == 0 || options_.processes == nullptr) return std::nullopt;
  return options_.processes->find(record.pid, record.process_start_ns);
}

Sighting Ledger::sighting_of(const UsageRecord& record) const {
  return make_sighting(record, options_.wall, to_gateway(record));
}

bool Ledger::to_gateway(const UsageRecord& record) const {
  if (!record.gateway.empty()) return true;
  return std::any_of(options_.gateways.begin(), options_.gateways.end(),
                     [&](const std::string& name) {
                       return equal_ignoring_case(name, record.server_name.view());
                     });
}

}  // namespace wiretally::ledger
