#include "replay_lanes.h"

namespace wiretally {
namespace {

// Three places a packet: what time brings before it, the packet, what the end brings behind it.
constexpr uint64_t place_before(uint64_t packet) { return packet * 3; }
constexpr uint64_t place_of(uint64_t packet) { return packet * 3 + 1; }
constexpr uint64_t place_behind(uint64_t packet) { return packet * 3 + 2; }

}  // namespace

ReplayLanes::ReplayLanes(const Limits& limits, uint32_t lanes, const CredentialReader& credentials,
                         UsageSink& ledger)
    : limits_(limits), ledger_(ledger) {
  counters_.emplace_back();  // the reader's decoder's
  std::vector<LaneCrew::Seat> seats;
  for (uint32_t lane = 0; lane < lanes; ++lane) {
    logs_.push_back(std::make_unique<MessageLog>(lanes == 1 ? &ledger : nullptr));
    lanes_.push_back(
        std::make_unique<Lane>(limits, lane, counters_.emplace_back(), credentials, *logs_.back()));
    logs_.back()->follow(&lanes_.back()->current());
    seats.push_back({lanes_.back().get(), logs_.back().get()});
  }
  if (lanes == 1) return;
  crew_ = std::make_unique<LaneCrew>(std::move(seats), [this](MessageLog::Messages& messages) {
    MessageLog::tell(messages, ledger_);
  });
}

uint64_t ReplayLanes::next_packet(EventTime time, ByteView lasting) {
  ++packets_;
  if (tick_is_due(time)) tell_all(place_before(packets_), time, false);
  if (crew_) {
    crew_->at(place_of(packets_), lasting);
  } else {
    logs_[0]->at(place_of(packets_));
  }
  return packets_;
}

void ReplayLanes::end(EventTime time) { tell_all(place_behind(packets_), time, true); }

bool ReplayLanes::tick_is_due(EventTime now) {
  const bool early = last_tick_ns_ && now.ns - *last_tick_ns_ < kTickNs;
  const bool backwards = last_tick_ns_ && *last_tick_ns_ - now.ns > kBackwardsNs;
  if (early && !backwards) return false;
  last_tick_ns_ = now.ns;
  return true;
}

void ReplayLanes::tell_all(uint64_t position, EventTime time, bool end) {
  if (crew_) crew_->at(position);
  if (!crew_) logs_[0]->at_all(position);
  end ? capture().on_end(time) : capture().on_time(time);
  if (!crew_) MessageLog::tell(logs_[0]->messages(), ledger_);
}

}  // namespace wiretally
