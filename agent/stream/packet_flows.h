// TCP connections put together from captured segments.
//
// Which connection. The key is the inner pair of addresses and ports. The same pair in another VLAN
// or tunnel is the same connection (paths differ by direction, and one packet is captured before
// and behind a tunnel), unless its SYN has another sequence number while the first connection
// lives. A SYN with another number in the same encapsulation replaces the connection; a repeated
// one does not. A finished connection's entry stays until it is replaced or evicted, so that late
// copies of its packets are recognised. Nothing ends by idleness.
//
// Which bytes (RFC 9293 section 3.4). Bytes are delivered in order, the first copy of each counts.
// A segment ahead of its turn is held; the bytes below it are a hole. A hole is given up, that is
// declared as a gap of exactly its size, once, on the first of these pieces of evidence:
//   1. The receiver has acknowledged all of it, so that no retransmission can come any more, and
//      kSegmentsAfterHole further segments of the connection or kHoleAge of event time have passed
//      since it showed, so that no reordering between capture interfaces explains it.
//   2. The receiver is never heard (only one direction is captured), and four times as many
//      segments, or three times as much time, have passed.
//   3. Both sides have sent their FIN and kHoleAge has passed.
//   4. More lies above it than the receiver's window allows: the ACK itself was not captured.
//   5. The limits of reordering are reached: then the lowest hole goes, never a later one. Counted
//      as an event of kStreamReorderFull.
//   6. The connection closes.
// A checksum that is wrong where the sender's others are right means that the receiver did not take
// these bytes: they wait for a good copy as if they were a hole, and go out, marked as a conflict,
// on the same evidence. Where all of a sender's checksums are wrong, or those of its data from the
// first on (kBadDataIsUsual), that is offload, and none says anything.
//
// Bytes that are acknowledged with nothing captured behind them are a hole as well, from the moment
// of the ACK, unless the file never shows any byte of that direction and no handshake tells where
// it begins.
//
// A sequence number further ahead than the window (or kAheadMin) is dropped as kStreamOutOfWindow
// and proves nothing, until the sender goes on there for kStraysToResync segments, or the
// receiver's ACKs have gone there too: then capturing was interrupted, and the jump is declared as
// a gap (modulo 2^32).
//
// RST: believed only inside the window. The flow closes kResetLinger later, because data sent
// before may still come, and stays open if the sender itself goes on sending: then the RST was
// forged. Before any payload RST is not believed at all, and neither is a bare FIN inside the
// handshake.
#pragma once

#include <vector>

#include "flow.h"
#include "flow_output.h"
#include "flow_table.h"
#include "tcp_side.h"
#include "wiretally/counters.h"
#include "wiretally/limits.h"

namespace wiretally::stream {

// Both endpoints in canonical order, as words that compare and hash fast.
struct TupleKey {
  uint64_t words[5] = {};

  friend bool operator==(const TupleKey&, const TupleKey&) = default;
};

struct TcpFlow : Flow {
  TupleKey key;
  TcpSide sides[2];  // by sender: the canonically lower endpoint first
  uint64_t segments = 0;
  uint64_t serial = 0;  // in order of creation
  EventTime last_time;
  EventTime reset_time;
  EventTime watched_since;
  TcpFlow* watch_older = nullptr;
  TcpFlow* watch_newer = nullptr;
  uint64_t reset_offset = 0;
  uint32_t slot = 0;
  uint8_t a_side = 0;
  bool watched = false;
  bool reset = false;
  uint8_t reset_side = 0;
  bool shares_tuple = false;  // another connection may have the same key
  bool payload_seen = false;
  std::optional<Direction> closed_by;

  Direction direction(int side) const {
    return side == a_side ? Direction::kAToB : Direction::kBToA;
  }
};

class PacketFlows {
 public:
  static constexpr uint64_t kSegmentsAfterHole = 64;
  static constexpr int64_t kHoleAgeNs = 3'000'000'000;
  static constexpr int64_t kResetLingerNs = 1'000'000'000;
  static constexpr uint8_t kStraysToResync = 4;

  PacketFlows(const Limits& limits, Counters& counters, FlowOutput& output);

  FlowDemand on_segment(const Segment& segment);
  // Lets silent connections' timers run. Nothing else does: not the segments of other connections,
  // which another lane may have.
  void on_time(EventTime now) { run_watch(now); }
  void on_end(EventTime now);

  size_t flows() const { return table_.size(); }
  size_t pieces_in_use() { return reorder_.pool().in_use(); }

 private:
  struct Arrived;  // a segment on its way through its flow

  TcpFlow* flow_of(const Segment& segment, const TupleKey& key, int side);
  TcpFlow* find(uint64_t hash, const TupleKey& key, int side, const Segment& segment);
  TcpFlow* choose(uint64_t hash, const TupleKey& key, int side, const Segment& segment,
                  TcpFlow* first);
  TcpFlow* flow_of_syn(uint64_t hash, const TupleKey& key, int side, const Segment& segment);
  TcpFlow& create(uint64_t hash, const TupleKey& key, int side, const Segment& segment);
  void evict_one();

  void read(TcpFlow& flow, int side, const Segment& segment);
  bool read_predicted(TcpFlow& flow, int side, const Segment& segment);
  void read_ignored(TcpFlow& flow, int side, const Segment& segment);
  void read_closed(TcpFlow& flow, int side, const Segment& segment);
  void begin(TcpFlow& flow, int side, const Segment& segment);
  void note_ack(TcpFlow& flow, int acked_side, const Segment& segment);
  void note_tail(const TcpFlow& flow, TcpSide& acked, EventTime now);
  void note_reset(TcpFlow& flow, int side, const Segment& segment);
  void note_fin(TcpFlow& flow, int side, int64_t offset);
  void read_payload(TcpFlow& flow, int side, const Segment& segment);
  bool settle_base(TcpFlow& flow, int side, const Segment& segment, uint32_t sequence);
  bool resync(TcpFlow& flow, int side, const Segment& segment, uint32_t sequence);
  bool is_stray(const TcpFlow& flow, int side, int64_t offset) const;
  void repeat(TcpSide& me, const Segment& segment, int64_t offset);
  void hold(TcpFlow& flow, int side, Arrived& arrived);
  void deliver(TcpFlow& flow, int side, Arrived& arrived);
  void count_held(const ReorderBuffer::Held& held);
  void drain(TcpFlow& flow, int side, EventTime not_before);
  void pass_on_lowest(TcpFlow& flow, int side, EventTime not_before);
  void pass_on(TcpFlow& flow, int side, EventTime time, std::optional<uint64_t> peer_offset,
               ByteView bytes, bool conflict);
  void skip_cut(TcpFlow& flow, int side, EventTime time, uint64_t until);
  void declare_lost(TcpFlow& flow, int side, EventTime time, uint64_t until, uint64_t had = 0);
  void give_up_lowest(TcpFlow& flow, int side);

  void settle(TcpFlow& flow, EventTime now);
  void weigh_holes(TcpFlow& flow, int side, EventTime now);
  bool hole_is_lost(const TcpFlow& flow, int side, uint64_t hole_end, uint64_t since_segment,
                    EventTime since, EventTime now) const;
  void end_sides(TcpFlow& flow, EventTime time);
  void finish(TcpFlow& flow, EventTime time, CloseReason reason);
  bool flush(TcpFlow& flow, int side, EventTime time);
  void release_held(TcpFlow& flow);

  void watch(TcpFlow& flow, EventTime now);
  void unwatch(TcpFlow& flow);
  void run_watch(EventTime now);
  bool reset_is_due(const TcpFlow& flow, EventTime now) const;

  uint64_t ahead_max(const TcpFlow& flow, int side) const;
  uint64_t hash_of(const TupleKey& key) const;
  void skip(SkipReason reason, uint64_t bytes) {
    if (bytes > 0) counters_.skip(Source::kPacket, reason, bytes);
  }
  void drop(DropReason reason, uint64_t bytes) {
    if (bytes > 0) counters_.drop(Source::kPacket, reason, bytes);
  }
  Cell& buffered() { return counters_.of(Source::kPacket).buffered_bytes; }

  const Limits limits_;
  Counters& counters_;
  FlowOutput& output_;
  FlowTable<TcpFlow> table_;
  ReorderMemory reorder_;
  uint64_t hash_seed_;
  uint64_t flows_created_ = 0;
  // Flows with a hole or a reset, longest watched first.
  TcpFlow* watch_oldest_ = nullptr;
  TcpFlow* watch_newest_ = nullptr;
};

}  // namespace wiretally::stream
