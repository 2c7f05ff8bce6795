// The lanes of a replay: one on the caller's thread, or several on threads of their own. What they
// say about calls reaches the ledger in one order, which depends on the packets alone, so that the
// output is the same whatever their number.
//
// What makes it so: a connection's packets all go to one lane; timers run on the packets' time,
// told to every lane at the same places of the input; and MessageLog puts what lanes say in order.
// Limits are of each lane: where they are reached (65 536 connections open at once), which
// connection gives way depends on the number of lanes.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "lane_crew.h"
#include "message_log.h"
#include "pipeline.h"
#include "wiretally/capture.h"
#include "wiretally/counters.h"
#include "wiretally/identity.h"
#include "wiretally/limits.h"

namespace wiretally {

class ReplayLanes {
 public:
  // How much of a mapped file may be needed still, behind the packet at hand.
  static constexpr size_t kBytesBehind = 32 << 20;

  // All references outlive this.
  ReplayLanes(const Limits& limits, uint32_t lanes, const CredentialReader& credentials,
              UsageSink& ledger);

  // The reader's decoder, for one file: its segments go to the lanes, and with several lanes
  // packets that show at first sight whose they are.
  pcap::PacketDecoder make_decoder() {
    pcap::PacketDecoder decoder(limits_, counters_.front(), capture());
    if (crew_) decoder.deal_out_to(*crew_);
    return decoder;
  }

  // Before each packet is decoded. `lasting`: its bytes, if they stay where they are until end().
  // Returns the packet's number, over all files.
  uint64_t next_packet(EventTime time, ByteView lasting);
  // A file has ended: every connection closes, and the ledger has heard everything.
  void end(EventTime time);

  // Of each lane, and of the reader's decoder.
  const std::deque<Counters>& counters() const { return counters_; }

 private:
  static constexpr int64_t kTickNs = 100'000'000;
  // Time stamps of several interfaces may run back by so much; more is a clock that was set.
  static constexpr int64_t kBackwardsNs = 1'000'000'000;

  CaptureSink& capture() {
    return crew_ ? static_cast<CaptureSink&>(*crew_) : lanes_[0]->capture();
  }
  bool tick_is_due(EventTime now);
  void tell_all(uint64_t position, EventTime time, bool end);

  const Limits& limits_;
  UsageSink& ledger_;
  std::deque<Counters> counters_;
  std::vector<std::unique_ptr<MessageLog>> logs_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::unique_ptr<LaneCrew> crew_;  // of several lanes
  uint64_t packets_ = 0;
  std::optional<int64_t> last_tick_ns_;
};

}  // namespace wiretally
