// The ledger: takes the records of all lanes, holds each finished call while a twin may still come,
// joins who called, prices it, and hands every call on exactly once, in order of finish time. Keeps
// no totals: each sink adds up what it shows.
//
// Which records are one call: sighting.h. When a call counts: a finished call is held at least
// `hold_min_ns`, and as long as a call that was open before it finished may turn out to be its
// twin, at most `hold_max_ns`. What comes later is a late twin and moves nothing.
//
// One thread calls it. All waiting runs on event time, so a replay is a function of its input.
#pragma once

#include <compare>
#include <cstdint>
#include <deque>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "attempts.h"
#include "attribution.h"
#include "connections.h"
#include "counted_ids.h"
#include "estimator.h"
#include "fold.h"
#include "open_calls.h"
#include "packed.h"
#include "record_ids.h"
#include "set_aside.h"
#include "sighting.h"
#include "wiretally/ledger_entry.h"
#include "wiretally/limits.h"

namespace wiretally::ledger {

struct LedgerOptions {
  WallClock wall;
  const ProcessDirectory* processes = nullptr;  // optional; outlives the ledger
  const PriceBook* prices = nullptr;            // optional; outlives the ledger
  ConnectionOwners* owners = nullptr;           // optional; outlives the ledger
  bool price_estimates = false;                 // estimated tokens cost what reported ones do
  bool all_legs = false;  // hand on the uncounted twins too, each behind its counted one
  std::string node;
  // Lanes that feed this ledger. With one, every event moves event time on. With several, only
  // on_time() does: its caller promises that every lane has come that far, and what lanes sent
  // ahead of it waits, so that the outcome does not depend on how they interleave.
  uint32_t lanes = 1;
  std::vector<std::string> gateways;   // host names, in lower case, that are gateways
  std::vector<AttributionRule> rules;  // whose team and service a call is
};

class Ledger final : public UsageSink {
 public:
  // The sinks outlive the ledger.
  Ledger(const Limits& limits, const LedgerOptions& options, std::vector<EntrySink*> sinks);

  void on_call_opened(const CallOpened& call) override;
  void on_record(const UsageRecord& record) override;
  void on_call_closed(ExchangeId exchange, uint32_t lane, EventTime time) override;
  void on_time(EventTime now) override;
  void on_suspect(Dialect dialect) override;
  void on_connection(const ConnectionSeen& connection) override;

  // Nothing more will come: every hold ends, and the sinks finish.
  void drain();

  // Live only: somebody set the machine's clock, and `wall` is what holds from now on. Times on the
  // two sides of the step cannot be compared, so all holds end and event time begins anew.
  void on_clock_step(WallClock wall);
  // Event time, nanoseconds since the epoch; INT64_MIN before the first event.
  int64_t now_ns() const { return now_ns_; }

  size_t held() const { return queue_.size(); }

  // The most that a ledger with these limits takes.
  static uint64_t worst_case_bytes(const Limits& limits, uint32_t lanes);

 private:
  enum class Twin : uint8_t { kNot, kSameBytes, kSameId, kNested, kRepeat };

  // Order of leaving: by finish time; ties by what the wire shows, whatever the lane.
  struct Place {
    int64_t finish_ns = 0;
    int64_t start_ns = 0;
    Endpoint client;
    Endpoint server;
    uint32_t pid = 0;
    FlowId flow{};
    ExchangeId exchange{};
    uint32_t index = 0;
    uint32_t group = 0;
    friend auto operator<=>(const Place&, const Place&) = default;
  };

  // A call: what was seen of it. `seen` is empty once it was counted; the sightings stay while a
  // late twin may overlap them.
  struct Group {
    std::vector<Sighting> sightings;
    std::vector<uint32_t> seen;  // into observations_
    std::vector<uint32_t> late;  // with all_legs: late twins that wait for the call to be counted
    int64_t first_finish_ns = 0;
    int64_t last_finish_ns = 0;
    bool counted = false;
    Place place;  // in queue_, until it is counted
    RecordId record_id;
  };

  // What a lane sent ahead of event time: a record, or (no observation) the end of an exchange.
  struct Ahead {
    Place place;
    uint32_t lane = 0;
    std::optional<uint32_t> observation;
    friend bool operator<(const Ahead& a, const Ahead& b) {
      const bool a_ends = !a.observation, b_ends = !b.observation;
      return std::tie(a.place.finish_ns, a_ends, a.place, a.lane) <
             std::tie(b.place.finish_ns, b_ends, b.place, b.lane);
    }
  };

  struct Match {
    Twin twin = Twin::kNot;
    bool late = false;
    uint32_t group = 0;
  };

  void advance(EventTime time);
  void catch_up(int64_t time_ns);
  void take(uint32_t observation);
  void end_call(ExchangeId exchange, uint32_t lane);
  void release();
  bool hold_is_over(const Group& group) const;
  void count(uint32_t group_index);
  void emit_twins(std::span<const Observation* const> twins, const RecordId& of);
  void retire_counted();
  void retire(uint32_t group_index);

  Match find_group(const Sighting& sighting) const;
  Twin twin_of(const Sighting& sighting, const Group& group) const;
  bool within_hold(const Sighting& sighting, const Group& group) const;
  void join(uint32_t group_index, const Sighting& sighting, uint32_t observation);
  void start_group(const Sighting& sighting, uint32_t observation, const Place& place);
  void late_twin(const Match& match, const Sighting& sighting, uint32_t observation);
  void repeat_of(const RecordId& counted, uint32_t observation);
  void report_late(std::string_view kind);

  static Place place_of(const Observation& observation);
  std::vector<Observation> unpacked(std::span<const uint32_t> slots) const;
  void remember_ids(const Group& group);
  void settle(int64_t finish_ns);
  void settle_line(int64_t finish_ns);
  void settle_fetched();
  void release_due(int64_t now_ns, bool all = false);
  void make_entry(std::span<const Observation* const> seen);
  void index(uint32_t group_index, const Sighting& sighting);
  void unindex(uint32_t group_index, const Sighting& sighting);
  uint32_t keep(const Observation& observation);
  void forget(uint32_t observation);
  bool too_much_held() const;
  void make_room();
  std::optional<ProcessIdentity> process_of(const UsageRecord& record) const;
  bool to_gateway(const UsageRecord& record) const;
  void estimate(UsageRecord& record);
  Sighting sighting_of(const UsageRecord& record) const;
  void price(LedgerEntry& entry) const;
  void deliver(const LedgerEntry& entry);

  Limits limits_;
  LedgerOptions options_;
  std::vector<EntrySink*> sinks_;

  int64_t now_ns_ = INT64_MIN;  // event time, epoch
  OpenCalls open_;
  std::deque<Packed<Observation>> observations_;
  std::vector<uint32_t> free_observations_;
  size_t observation_bytes_ = 0;  // of those that are not free
  size_t sightings_ = 0;          // of all groups
  std::deque<Group> groups_;
  std::vector<uint32_t> free_groups_;
  // Digest of request, answer or id, and the group. Ordered: in a hash table each step among the
  // equal digests of many equal calls would walk all of them.
  std::set<std::pair<uint64_t, uint32_t>> by_digest_;
  std::set<Ahead> ahead_;
  std::set<Place> queue_;         // held calls
  std::deque<uint32_t> counted_;  // counted calls, oldest first
  CountedIds ids_;
  Estimator estimator_;
  Attempts attempts_;
  SetAside set_aside_;
  Connections connections_;
  RecordIds record_ids_;
  LedgerEntry entry_;  // reused: it is large
};

}  // namespace wiretally::ledger
