// The lanes of a replay: one on the caller's thread, or several on threads of their own. What they
// say about calls reaches the ledger in one order, which depends on the packets alone, so that the
// output is the same whatever their number.
//
// What makes it so: a connection's packets all go to one lane; timers run on the packets' time,
// told to every lane at the same places of the input; and MessageLog puts what lanes say in order.
// Limits are of each lane: where they are reached (65 536 connections open at once), which
// connection gives way depends on the number of lanes.
//
// Several lanes read a file that lies in memory by themselves (FileLanes); what comes through a
// pipe or is unpacked on the way one thread reads and deals out (LaneCrew).
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "capture_file.h"
#include "message_log.h"
#include "pipeline.h"
#include "replay_reading.h"
#include "wiretally/counters.h"
#include "wiretally/identity.h"
#include "wiretally/limits.h"
#include "wiretally/result.h"

namespace wiretally {

class ReplayLanes {
 public:
  // All references outlive this.
  ReplayLanes(const Limits& limits, uint32_t lanes, const CredentialReader& credentials,
              UsageSink& ledger);

  // Reads a file through, which nobody has read of; fails as read_through() does. Every connection
  // has closed then, and the ledger has heard everything. Only segments to or from one of these
  // ports count, if there are any.
  Status read(pcap::CaptureFile& file, std::span<const uint16_t> ports);

  // Of each lane, and of what is no lane's own.
  const std::deque<Counters>& counters() const { return counters_; }

 private:
  Status read_alone(pcap::CaptureFile& file, std::span<const uint16_t> ports);
  Status deal_out(pcap::CaptureFile& file, std::span<const uint16_t> ports);
  template <typename Crew>
  std::vector<typename Crew::Seat> seats();

  const Limits& limits_;
  UsageSink& ledger_;
  std::deque<Counters> counters_;
  std::vector<std::unique_ptr<MessageLog>> logs_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  ReplayClock clock_;
};

}  // namespace wiretally
