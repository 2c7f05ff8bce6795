// Which connection a segment belongs to, and how connections begin and end.
#include "packet_flows.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <tuple>

namespace wiretally::stream {
namespace {

// Connections that may share addresses and ports in different encapsulations.
constexpr size_t kTwinsMax = 8;
// Most that a SYN may carry (Fast Open), generously.
constexpr int64_t kSynPayloadMax = 64 * 1024;
constexpr int32_t kUnacknowledgedMax = TcpSide::kBehindMax;  // of an ACK that is believed at once

// Ports first: they nearly always tell.
bool is_lower(const Endpoint& left, const Endpoint& right) {
  if (left.port != right.port) return left.port < right.port;
  return std::memcmp(left.address.bytes.data(), right.address.bytes.data(),
                     left.address.bytes.size()) < 0;
}

TupleKey key_of(const Endpoint& lower, const Endpoint& higher) {
  TupleKey key;
  std::memcpy(&key.words[0], lower.address.bytes.data(), 16);
  std::memcpy(&key.words[2], higher.address.bytes.data(), 16);
  key.words[4] = uint64_t{lower.port} << 48 | uint64_t{higher.port} << 32 |
                 uint64_t{lower.address.version} << 8 | higher.address.version;
  return key;
}

bool is_bare_syn(const Segment& segment) { return segment.flags.syn() && !segment.flags.ack(); }

bool in_other_encapsulation(const TcpFlow& flow, int side, const Segment& segment) {
  const TcpSide& me = flow.sides[side];
  const TcpSide& known = me.encapsulation_seen ? me : flow.sides[1 - side];
  return known.encapsulation != segment.encapsulation;
}

bool fits(const TcpFlow& flow, int side, const Segment& segment) {
  const TcpSide& me = flow.sides[side];
  if (me.base == TcpSide::Base::kUnknown) return true;
  const auto ahead = static_cast<int32_t>(segment.sequence - me.sequence_at(me.reference()));
  return ahead >= -TcpSide::kBehindMax && ahead <= static_cast<int64_t>(TcpSide::kAheadMin);
}

// A SYN whose number is not the one known may still be the first one's other half: a simultaneous
// open, or a Fast Open SYN captured behind its SYN-ACK.
bool completes_handshake(const TcpFlow& flow, int side, const Segment& segment) {
  const TcpSide& me = flow.sides[side];
  const TcpSide& peer = flow.sides[1 - side];
  if (flow.closed || me.next > 0 || me.holds()) return false;
  if (is_bare_syn(segment)) {
    if (me.base == TcpSide::Base::kUnknown) return peer.based();
    return me.base == TcpSide::Base::kHandshake && segment.payload_wire_bytes > 0 &&
           me.first_sequence - (segment.sequence + 1) == segment.payload_wire_bytes;
  }
  const int64_t confirmed = peer.offset_of(segment.acknowledgment);
  return peer.based() && confirmed >= 0 && confirmed <= kSynPayloadMax &&
         me.base <= TcpSide::Base::kGuessed;
}

}  // namespace

PacketFlows::PacketFlows(const Limits& limits, Counters& counters, FlowOutput& output)
    : limits_(limits),
      counters_(counters),
      output_(output),
      table_(limits.flows_max),
      reorder_(limits),
      hash_seed_(std::random_device{}()) {}

// Header prediction, as TCP's own receivers do it (V. Jacobson): of an open connection in which
// nothing waits for anything, the next bytes, or none, and an ACK of nothing that was not seen.
// Does what read() would, which asks about everything that may be odd. False: something is, nothing
// was done.
[[gnu::always_inline]] inline bool PacketFlows::read_predicted(TcpFlow& flow, int side,
                                                               const Segment& segment) {
  constexpr uint8_t kUnusual = TcpFlags::kFin | TcpFlags::kSyn | TcpFlags::kRst | TcpFlags::kUrg;
  TcpSide& me = flow.sides[side];
  TcpSide& peer = flow.sides[1 - side];
  const size_t size = segment.payload.size();
  if ((segment.flags.bits & (kUnusual | TcpFlags::kAck)) != TcpFlags::kAck) return false;
  if (segment.sequence != me.next_sequence || segment.checksum_bad) return false;
  if (flow.closed || flow.ignored() || flow.reset || flow.watched) return false;
  if (!me.is_plain() || !peer.is_plain() || segment.payload_wire_bytes != size) return false;
  const auto unacknowledged = static_cast<int32_t>(peer.next_sequence - segment.acknowledgment);
  if (unacknowledged < 0 || unacknowledged > kUnacknowledgedMax) return false;
  const auto acknowledged = static_cast<int64_t>(peer.next) - unacknowledged;
  if (acknowledged < 0) return false;
  const auto peer_offset = static_cast<uint64_t>(acknowledged);

  ++flow.segments;
  flow.last_time = segment.time;
  me.encapsulation = segment.encapsulation;
  me.encapsulation_seen = true;
  me.note_window(segment);
  me.note_checksum(segment);
  peer.ack_seen = true;
  peer.latest_ack = segment.acknowledgment;
  peer.acked = std::max(peer.acked, peer_offset);
  if (size == 0) return true;
  flow.payload_seen = true;
  me.strays = 0;
  me.remember(me.next, segment);
  pass_on(flow, side, segment.time, peer_offset, segment.payload, false);
  if (flow.ignored()) settle(flow, segment.time);
  return true;
}

FlowDemand PacketFlows::on_segment(const Segment& segment) {
  const int side = is_lower(segment.destination, segment.source) ? 1 : 0;
  const TupleKey key = side == 0 ? key_of(segment.source, segment.destination)
                                 : key_of(segment.destination, segment.source);
  TcpFlow* flow = flow_of(segment, key, side);
  if (flow == nullptr) return FlowDemand::kMore;
  if (!read_predicted(*flow, side, segment)) read(*flow, side, segment);
  const bool cheap = flow->ignored() || !flow->payload_seen;
  table_.touch(*flow, flow->closed ? Rank::kClosed : cheap ? Rank::kCheap : Rank::kActive);
  return flow->demand;
}

void PacketFlows::on_end(EventTime now) {
  std::vector<TcpFlow*> open;
  table_.for_each([&](TcpFlow& flow) {
    if (!flow.closed) open.push_back(&flow);
  });
  std::sort(open.begin(), open.end(), [](const TcpFlow* left, const TcpFlow* right) {
    return std::tuple(!left->opened, left->id, left->serial) <
           std::tuple(!right->opened, right->id, right->serial);
  });
  for (TcpFlow* flow : open) finish(*flow, now, CloseReason::kEndOfInput);
}

[[gnu::always_inline]] inline TcpFlow* PacketFlows::find(uint64_t hash, const TupleKey& key,
                                                         int side, const Segment& segment) {
  TcpFlow* first = table_.find(hash, [&](const TcpFlow& flow) { return flow.key == key; });
  if (first == nullptr || !first->shares_tuple) return first;
  return choose(hash, key, side, segment, first);
}

TcpFlow* PacketFlows::flow_of(const Segment& segment, const TupleKey& key, int side) {
  const uint64_t hash = hash_of(key);
  if (segment.flags.syn() && !segment.flags.rst()) return flow_of_syn(hash, key, side, segment);
  TcpFlow* flow = find(hash, key, side, segment);
  if (flow != nullptr && flow->closed && segment.payload_wire_bytes > 0 && !segment.flags.rst() &&
      !fits(*flow, side, segment)) {
    table_.erase(*flow);
    flow = nullptr;
  }
  if (flow != nullptr) return flow;
  if (segment.flags.rst()) {
    drop(DropReason::kStreamPastFin, segment.payload.size());
    return nullptr;
  }
  return &create(hash, key, side, segment);
}

// Of several connections with these addresses: the one that travels this way, else the one whose
// numbers fit.
TcpFlow* PacketFlows::choose(uint64_t hash, const TupleKey& key, int side, const Segment& segment,
                             TcpFlow* first) {
  TcpFlow* same_way = table_.find(hash, [&](const TcpFlow& flow) {
    const TcpSide& me = flow.sides[side];
    return flow.key == key && me.encapsulation_seen && me.encapsulation == segment.encapsulation;
  });
  if (same_way != nullptr) return same_way;
  TcpFlow* way_back = table_.find(hash, [&](const TcpFlow& flow) {
    return flow.key == key && !in_other_encapsulation(flow, side, segment);
  });
  if (way_back != nullptr) return way_back;
  TcpFlow* fitting = table_.find(
      hash, [&](const TcpFlow& flow) { return flow.key == key && fits(flow, side, segment); });
  return fitting != nullptr ? fitting : first;
}

TcpFlow* PacketFlows::flow_of_syn(uint64_t hash, const TupleKey& key, int side,
                                  const Segment& segment) {
  TcpFlow* repeated = table_.find(hash, [&](const TcpFlow& flow) {
    const TcpSide& me = flow.sides[side];
    return flow.key == key && me.based() && me.first_sequence == segment.sequence + 1;
  });
  if (repeated != nullptr) return repeated;
  if (!is_bare_syn(segment)) {
    TcpFlow* answered = table_.find(hash, [&](const TcpFlow& flow) {
      const TcpSide& peer = flow.sides[1 - side];
      return flow.key == key && !flow.closed && peer.based() &&
             peer.first_sequence == segment.acknowledgment;
    });
    if (answered != nullptr) return answered;
  }
  TcpFlow* flow = find(hash, key, side, segment);
  if (flow == nullptr) return &create(hash, key, side, segment);
  if (completes_handshake(*flow, side, segment)) return flow;
  if (!flow->closed && in_other_encapsulation(*flow, side, segment)) {
    size_t twins = 0;
    table_.find(hash, [&](const TcpFlow& other) {
      twins += other.key == key ? 1 : 0;
      return false;
    });
    if (twins < kTwinsMax) {
      flow->shares_tuple = true;
      TcpFlow& twin = create(hash, key, side, segment);
      twin.shares_tuple = true;
      return &twin;
    }
  }
  const bool shares_tuple = flow->shares_tuple;
  if (!flow->closed) finish(*flow, segment.time, CloseReason::kReplaced);
  table_.erase(*flow);
  TcpFlow& successor = create(hash, key, side, segment);
  successor.shares_tuple = shares_tuple;
  return &successor;
}

TcpFlow& PacketFlows::create(uint64_t hash, const TupleKey& key, int side, const Segment& segment) {
  if (table_.full()) evict_one();
  TcpFlow& flow = table_.insert(hash, Rank::kCheap);
  flow.key = key;
  flow.serial = ++flows_created_;
  const bool a_sent_it = !segment.flags.syn() || is_bare_syn(segment);
  flow.a_side = static_cast<uint8_t>(a_sent_it ? side : 1 - side);
  flow.info.source = Source::kPacket;
  flow.info.first_packet = segment.packet_number;
  flow.info.a = a_sent_it ? segment.source : segment.destination;
  flow.info.b = a_sent_it ? segment.destination : segment.source;
  flow.info.joined_midstream = !segment.flags.syn();
  return flow;
}

void PacketFlows::evict_one() {
  TcpFlow& flow = *table_.victim();
  if (!flow.closed) {
    if (flow.opened) counters_.drop(Source::kPacket, DropReason::kStreamFlowsFull, 0);
    finish(flow, flow.last_time, CloseReason::kEvicted);
  }
  table_.erase(flow);
}

void PacketFlows::finish(TcpFlow& flow, EventTime time, CloseReason reason) {
  if (flow.reset && reason != CloseReason::kFin) {
    reason = CloseReason::kReset;
    time = flow.last_time;
  }
  const int first = flow.a_side;
  const bool first_incomplete = flush(flow, first, time);
  const bool second_incomplete = flush(flow, 1 - first, time);
  release_held(flow);
  end_sides(flow, time);
  output_.close(flow, {.time = time,
                       .reason = reason,
                       .closed_by = flow.closed_by,
                       .incomplete = first_incomplete || second_incomplete});
  unwatch(flow);
  table_.touch(flow, Rank::kClosed);
}

void PacketFlows::watch(TcpFlow& flow, EventTime now) {
  if (flow.watched) return;
  flow.watched = true;
  flow.watched_since = now;
  flow.watch_older = watch_newest_;
  flow.watch_newer = nullptr;
  (watch_newest_ != nullptr ? watch_newest_->watch_newer : watch_oldest_) = &flow;
  watch_newest_ = &flow;
}

void PacketFlows::unwatch(TcpFlow& flow) {
  if (!flow.watched) return;
  flow.watched = false;
  (flow.watch_newer != nullptr ? flow.watch_newer->watch_older : watch_newest_) = flow.watch_older;
  (flow.watch_older != nullptr ? flow.watch_older->watch_newer : watch_oldest_) = flow.watch_newer;
}

// Looks at each watched flow once in kResetLingerNs, so that what a silent flow waits for comes out
// without further segments of its own.
void PacketFlows::run_watch(EventTime now) {
  while (watch_oldest_ != nullptr) {
    TcpFlow& flow = *watch_oldest_;
    bool backwards = false;
    const std::optional<int64_t> waited = elapsed_ns(flow.watched_since, now, &backwards);
    if (!waited.has_value()) return;
    if (backwards) flow.watched_since = now;
    if (*waited < kResetLingerNs) return;
    unwatch(flow);
    if (reset_is_due(flow, now)) {
      finish(flow, now, CloseReason::kReset);
    } else {
      settle(flow, now);
    }
  }
}

bool PacketFlows::reset_is_due(const TcpFlow& flow, EventTime now) const {
  return flow.reset && elapsed_ns(flow.reset_time, now).value_or(0) >= kResetLingerNs;
}

// An IPv4 address is the first four bytes of its two words.
uint64_t PacketFlows::hash_of(const TupleKey& key) const {
  constexpr uint64_t kBothIpv4 = 0x0404;
  if ((key.words[4] & 0xffff) != kBothIpv4) {
    return XXH3_64bits_withSeed(key.words, sizeof key.words, hash_seed_);
  }
  const uint64_t words[] = {key.words[0] << 32 ^ key.words[2], key.words[4]};
  return XXH3_64bits_withSeed(words, sizeof words, hash_seed_);
}

}  // namespace wiretally::stream
