// Which bytes of its stream a segment carries: reassembly of one connection.

#include <algorithm>

#include "byte_sums.h"
#include "packet_flows.h"

namespace wiretally::stream {
namespace {

constexpr uint64_t kWindowMin = 65'535;  // what a sender may have in flight without scaling

uint64_t wire_bytes(const Segment& segment) {
  return std::max<uint64_t>(segment.payload_wire_bytes, segment.payload.size());
}

uint32_t payload_sequence(const Segment& segment) {
  return segment.sequence + (segment.flags.syn() ? 1 : 0);
}

// A payload larger than any good one was put together by offload, which keeps the first checksum.
bool is_suspect(const TcpSide& me, const Segment& segment) {
  return segment.checksum_bad && me.checksums_tell() && segment.payload.size() <= me.good_size_max;
}

EventTime later_of(EventTime left, EventTime right) { return left.ns < right.ns ? right : left; }

// How far the sender of `segment` had read its peer's bytes.
std::optional<uint64_t> peer_offset_of(const TcpSide& peer, uint64_t ahead_max,
                                       const Segment& segment) {
  if (!segment.flags.ack() || !peer.based()) return std::nullopt;
  const int64_t offset = peer.offset_of(segment.acknowledgment);
  if (offset > static_cast<int64_t>(peer.reference() + ahead_max)) return std::nullopt;
  if (offset < static_cast<int64_t>(peer.next) - TcpSide::kBehindMax) return std::nullopt;
  return std::min(static_cast<uint64_t>(std::max<int64_t>(offset, 0)), peer.fin_offset);
}

}  // namespace

// The part of a segment that is neither old nor past the FIN.
struct PacketFlows::Arrived {
  const Segment* segment = nullptr;
  uint64_t offset = 0;
  ByteView bytes;         // as captured
  uint64_t wire_end = 0;  // behind what was on the wire
  Arrival arrival;
  bool whole = false;  // nothing was trimmed
};

void PacketFlows::read(TcpFlow& flow, int side, const Segment& segment) {
  if (!flow.closed && reset_is_due(flow, segment.time)) {
    finish(flow, segment.time, CloseReason::kReset);
  }
  if (flow.closed) return read_closed(flow, side, segment);
  ++flow.segments;
  flow.last_time = segment.time;
  TcpSide& me = flow.sides[side];
  me.encapsulation = segment.encapsulation;
  me.encapsulation_seen = true;
  if (segment.flags.syn()) begin(flow, side, segment);
  me.note_window(segment);
  if (me.note_checksum(segment) && me.holds()) {
    me.held->trust_all();
    drain(flow, side, segment.time);
  }
  if (segment.flags.ack()) note_ack(flow, 1 - side, segment);
  if (segment.flags.rst()) {
    note_reset(flow, side, segment);
  } else if (flow.ignored()) {
    read_ignored(flow, side, segment);
  } else if (wire_bytes(segment) > 0 || segment.flags.fin()) {
    read_payload(flow, side, segment);
  }
  settle(flow, segment.time);
}

void PacketFlows::read_closed(TcpFlow& flow, int side, const Segment& segment) {
  const uint64_t size = segment.payload.size();
  if (flow.ignored()) return skip(SkipReason::kFlowIgnored, size);
  const TcpSide& me = flow.sides[side];
  if (segment.flags.rst() || me.base == TcpSide::Base::kUnknown) {
    return drop(DropReason::kStreamPastFin, size);
  }
  const int64_t behind = static_cast<int64_t>(me.next) - me.offset_of(payload_sequence(segment));
  const uint64_t old = std::min(static_cast<uint64_t>(std::max<int64_t>(behind, 0)), size);
  skip(SkipReason::kStreamDuplicate, old);
  drop(DropReason::kStreamPastFin, size - old);
}

// Of an ignored flow only its place in the sequence space and its end are followed.
void PacketFlows::read_ignored(TcpFlow& flow, int side, const Segment& segment) {
  skip(SkipReason::kFlowIgnored, segment.payload.size());
  TcpSide& me = flow.sides[side];
  if (me.based()) {
    const int64_t end =
        me.offset_of(payload_sequence(segment)) + static_cast<int64_t>(wire_bytes(segment));
    const bool plausible = end <= static_cast<int64_t>(me.reference() + ahead_max(flow, side));
    if (plausible && end > static_cast<int64_t>(me.next)) me.advance_to(static_cast<uint64_t>(end));
  }
  if (segment.flags.fin()) {
    me.fin_seen = true;
    if (!flow.closed_by.has_value()) flow.closed_by = flow.direction(side);
  }
}

void PacketFlows::begin(TcpFlow& flow, int side, const Segment& segment) {
  TcpSide& me = flow.sides[side];
  const uint32_t first = segment.sequence + 1;
  if (me.based() && me.first_sequence == first) {
    me.base = TcpSide::Base::kKnown;
    return;
  }
  if (me.next > 0 || me.holds()) return;
  // Bytes of a Fast Open SYN that its SYN-ACK has confirmed already.
  const uint64_t confirmed = me.base == TcpSide::Base::kHandshake ? me.first_sequence - first : 0;
  me.start_at(first, TcpSide::Base::kKnown);
  me.acked = confirmed;
}

void PacketFlows::note_ack(TcpFlow& flow, int acked_side, const Segment& segment) {
  TcpSide& acked = flow.sides[acked_side];
  const uint32_t number = segment.acknowledgment;
  if (acked.base == TcpSide::Base::kUnknown) {
    if (segment.flags.rst()) return;
    acked.start_at(number,
                   segment.flags.syn() ? TcpSide::Base::kHandshake : TcpSide::Base::kGuessed);
  }
  acked.ack_seen = true;
  acked.latest_ack = number;
  const int64_t offset = acked.offset_of(number);
  if (offset <= static_cast<int64_t>(acked.acked)) return;
  if (is_stray(flow, acked_side, offset)) return;
  acked.acked = static_cast<uint64_t>(offset);
  note_tail(flow, acked, segment.time);
}

void PacketFlows::note_tail(const TcpFlow& flow, TcpSide& acked, EventTime now) {
  if (!acked.based() || acked.tail_until > acked.next) return;
  const uint64_t until = acked.acked_bytes();
  if (until <= acked.next) return;
  acked.tail_until = until;
  acked.tail_segment = flow.segments;
  acked.tail_time = now;
}

void PacketFlows::note_reset(TcpFlow& flow, int side, const Segment& segment) {
  drop(DropReason::kStreamPastFin, segment.payload.size());
  if (!flow.payload_seen || flow.reset) return;
  const TcpSide& me = flow.sides[side];
  const int64_t offset = me.offset_of(segment.sequence);
  if (!flow.ignored()) {
    if (me.base == TcpSide::Base::kUnknown) return;
    const uint64_t lowest = me.ack_seen ? std::min(me.acked, me.next) : me.next;
    if (offset < static_cast<int64_t>(lowest) || is_stray(flow, side, offset)) return;
  }
  flow.reset = true;
  flow.reset_time = segment.time;
  flow.reset_side = static_cast<uint8_t>(side);
  flow.reset_offset = static_cast<uint64_t>(std::max<int64_t>(offset, 0));
  if (!flow.closed_by.has_value()) flow.closed_by = flow.direction(side);
}

void PacketFlows::note_fin(TcpFlow& flow, int side, int64_t offset) {
  TcpSide& me = flow.sides[side];
  const bool bare_in_handshake = !flow.info.joined_midstream && !flow.payload_seen &&
                                 flow.sides[1 - side].base == TcpSide::Base::kUnknown;
  if (bare_in_handshake || me.fin_offset != TcpSide::kNoFin) return;
  // Bytes seen behind it prove that it is not the end.
  if (offset < static_cast<int64_t>(me.next)) return;
  if (me.holds() && me.held->end_offset() > static_cast<uint64_t>(offset)) return;
  me.fin_offset = static_cast<uint64_t>(offset);
  me.fin_seen = true;
  if (!flow.closed_by.has_value()) flow.closed_by = flow.direction(side);
}

void PacketFlows::read_payload(TcpFlow& flow, int side, const Segment& segment) {
  TcpSide& me = flow.sides[side];
  const uint32_t sequence = payload_sequence(segment);
  const auto wire = static_cast<int64_t>(wire_bytes(segment));
  if (!settle_base(flow, side, segment, sequence)) return;
  int64_t offset = me.offset_of(sequence);
  if (is_stray(flow, side, offset)) {
    if (!resync(flow, side, segment, sequence)) return;
    offset = static_cast<int64_t>(me.next);
  }
  if (wire > 0) flow.payload_seen = true;
  if (segment.flags.fin()) note_fin(flow, side, offset + wire);
  const auto next = static_cast<int64_t>(me.next);
  if (offset + wire <= next) return repeat(me, segment, offset);
  me.strays = 0;

  Arrived arrived;
  arrived.segment = &segment;
  arrived.bytes = segment.payload;
  arrived.wire_end = static_cast<uint64_t>(offset + wire);
  arrived.whole = offset >= next;
  if (offset < next) {
    const size_t before =
        std::min<uint64_t>(offset < 0 ? static_cast<uint64_t>(-offset) : 0, arrived.bytes.size());
    const size_t old =
        std::min<uint64_t>(static_cast<uint64_t>(next - offset), arrived.bytes.size());
    drop(DropReason::kStreamOutOfWindow, before);
    skip(SkipReason::kStreamDuplicate, old - before);
    arrived.bytes = arrived.bytes.subspan(old);
    offset = next;
  }
  arrived.offset = static_cast<uint64_t>(offset);
  if (arrived.wire_end > me.fin_offset) {
    const uint64_t room = me.fin_offset > arrived.offset ? me.fin_offset - arrived.offset : 0;
    const size_t kept = std::min<uint64_t>(room, arrived.bytes.size());
    drop(DropReason::kStreamPastFin, arrived.bytes.size() - kept);
    if (room == 0) return;
    arrived.bytes = arrived.bytes.first(kept);
    arrived.wire_end = me.fin_offset;
    arrived.whole = false;
  }
  // Member by member: a copy of the whole would wait for the parts to be stored.
  arrived.arrival.time = segment.time;
  arrived.arrival.peer_offset =
      peer_offset_of(flow.sides[1 - side], ahead_max(flow, 1 - side), segment);
  arrived.arrival.segment_number = flow.segments;
  arrived.arrival.checksum_bad = segment.checksum_bad;
  arrived.arrival.suspect = is_suspect(me, segment);
  // A sender that goes on behind its own RST did not send it.
  if (flow.reset && flow.reset_side == side && arrived.offset >= flow.reset_offset) {
    flow.reset = false;
  }
  if (arrived.offset == me.next && !arrived.arrival.suspect) {
    deliver(flow, side, arrived);
  } else {
    hold(flow, side, arrived);
  }
}

// Finds out where offset 0 is. False when the segment was a keep-alive and is dealt with.
bool PacketFlows::settle_base(TcpFlow& flow, int side, const Segment& segment, uint32_t sequence) {
  TcpSide& me = flow.sides[side];
  if (me.based()) return true;
  if (me.base == TcpSide::Base::kUnknown) {
    me.start_at(sequence, TcpSide::Base::kKnown);
    return true;
  }
  const auto ahead = static_cast<int64_t>(static_cast<int32_t>(sequence - me.first_sequence));
  const auto limit = static_cast<int64_t>(ahead_max(flow, side));
  if (ahead >= 0 && ahead <= limit) {
    // The receiver waited for the byte at first_sequence: what lies between was lost.
    me.base = TcpSide::Base::kKnown;
    return true;
  }
  if (ahead == -1 && wire_bytes(segment) == 1) {
    skip(SkipReason::kStreamDuplicate, segment.payload.size());
    return false;
  }
  // The ACK was captured before the bytes it confirms, or was nonsense.
  const uint64_t acked =
      ahead < 0 && ahead >= -limit ? me.acked + static_cast<uint64_t>(-ahead) : 0;
  me.start_at(sequence, TcpSide::Base::kKnown);
  me.acked = acked;
  return true;
}

bool PacketFlows::is_stray(const TcpFlow& flow, int side, int64_t offset) const {
  const TcpSide& me = flow.sides[side];
  return offset > static_cast<int64_t>(me.reference() + ahead_max(flow, side)) ||
         offset < static_cast<int64_t>(me.next) - TcpSide::kBehindMax;
}

// A far away segment. True when the sender is believed to be there: then `next` stands at its first
// byte and the jump was declared.
bool PacketFlows::resync(TcpFlow& flow, int side, const Segment& segment, uint32_t sequence) {
  TcpSide& me = flow.sides[side];
  const auto wire = static_cast<uint32_t>(wire_bytes(segment));
  const bool repeats = me.strays > 0 && sequence + wire == me.stray_next;
  if (wire == 0 || repeats || me.fin_offset != TcpSide::kNoFin) {
    drop(DropReason::kStreamOutOfWindow, segment.payload.size());
    return false;
  }
  if (me.strays == 0 || sequence != me.stray_next) {
    me.strays = 0;
    me.stray_first = sequence;
  }
  ++me.strays;
  me.stray_next = sequence + wire;
  const int64_t from_ack = static_cast<int32_t>(sequence - me.latest_ack);
  const auto limit = static_cast<int64_t>(ahead_max(flow, side));
  const bool acks_are_there = me.ack_seen && is_stray(flow, side, me.offset_of(me.latest_ack)) &&
                              from_ack >= -limit && from_ack <= limit;
  if (!acks_are_there && me.strays < kStraysToResync) {
    drop(DropReason::kStreamOutOfWindow, segment.payload.size());
    return false;
  }
  while (me.holds() && !flow.ignored()) give_up_lowest(flow, side);
  const uint64_t jump = static_cast<uint32_t>(sequence - me.next_sequence);
  const uint64_t had = std::min<uint64_t>(static_cast<uint32_t>(sequence - me.stray_first), jump);
  me.strays = 0;
  if (!flow.ignored()) declare_lost(flow, side, segment.time, me.next + jump, had);
  if (flow.ignored()) {
    skip(SkipReason::kFlowIgnored, segment.payload.size());
    return false;
  }
  return true;
}

// Nothing new in it. Compared with the first copy where that was the last segment delivered.
void PacketFlows::repeat(TcpSide& me, const Segment& segment, int64_t offset) {
  const ByteView bytes = segment.payload;
  if (bytes.empty()) return;
  const bool keep_alive = wire_bytes(segment) == 1 && offset == static_cast<int64_t>(me.next) - 1;
  if (keep_alive) return skip(SkipReason::kStreamDuplicate, bytes.size());
  const bool same_place =
      offset == static_cast<int64_t>(me.last_offset) && bytes.size() == me.last_size;
  const bool copy_is_corrupt = segment.checksum_bad && !me.last_checksum_bad;
  if (same_place && !copy_is_corrupt && TcpSide::hash_of_payload(segment) != me.last_hash) {
    me.conflict_pending = true;
    return drop(DropReason::kStreamConflict, bytes.size());
  }
  const uint64_t before =
      std::min<uint64_t>(offset < 0 ? static_cast<uint64_t>(-offset) : 0, bytes.size());
  drop(DropReason::kStreamOutOfWindow, before);
  skip(SkipReason::kStreamDuplicate, bytes.size() - before);
}

// The segment's first byte is the next one. Held pieces came before it and are kept where both have
// bytes.
void PacketFlows::deliver(TcpFlow& flow, int side, Arrived& arrived) {
  TcpSide& me = flow.sides[side];
  if (arrived.whole && !arrived.bytes.empty()) me.remember(arrived.offset, *arrived.segment);
  while (!flow.ignored() && me.holds() && !arrived.bytes.empty() &&
         me.held->lowest_offset() < me.next + arrived.bytes.size()) {
    const size_t lead = me.held->lowest_offset() - me.next;
    pass_on(flow, side, arrived.arrival.time, arrived.arrival.peer_offset,
            arrived.bytes.first(lead), arrived.arrival.suspect);
    arrived.bytes = arrived.bytes.subspan(lead);
    if (flow.ignored()) break;
    const size_t overlap = std::min<size_t>(arrived.bytes.size(), me.held->lowest().length);
    count_held(me.held->hold(me.next, arrived.bytes.first(overlap), arrived.arrival, limits_,
                             reorder_.pool()));
    arrived.bytes = arrived.bytes.subspan(overlap);
    arrived.wire_end = std::max(arrived.wire_end, me.held->lowest().cut_until);
    if (me.held->lowest().arrival.suspect) {
      // It was longer than this good copy: its rest waits on. Or this copy is no better.
      if (arrived.bytes.empty() && arrived.wire_end <= me.held->lowest_end()) return;
      me.held->trust_lowest();
    }
    pass_on_lowest(flow, side, arrived.arrival.time);
  }
  if (flow.ignored()) return skip(SkipReason::kFlowIgnored, arrived.bytes.size());
  pass_on(flow, side, arrived.arrival.time, arrived.arrival.peer_offset, arrived.bytes,
          arrived.arrival.suspect);
  if (flow.ignored()) return;
  skip_cut(flow, side, arrived.arrival.time, arrived.wire_end);
  drain(flow, side, arrived.arrival.time);
}

// The segment is ahead of its turn, or suspect. Where a limit is reached, the lowest hole makes
// room.
void PacketFlows::hold(TcpFlow& flow, int side, Arrived& arrived) {
  TcpSide& me = flow.sides[side];
  while (me.next < arrived.offset || (me.next == arrived.offset && arrived.arrival.suspect)) {
    if (me.held == nullptr) me.held = reorder_.take();
    const ReorderBuffer::Held held =
        me.held->hold(arrived.offset, arrived.bytes, arrived.arrival, limits_, reorder_.pool());
    count_held(held);
    arrived.offset += held.taken;
    arrived.bytes = arrived.bytes.subspan(held.taken);
    arrived.whole = arrived.whole && held.taken == 0;
    if (arrived.bytes.empty() && (arrived.offset >= arrived.wire_end ||
                                  me.held->hold_cut(arrived.offset, arrived.wire_end,
                                                    arrived.arrival, limits_, reorder_.pool()))) {
      return;
    }
    counters_.drop(Source::kPacket, DropReason::kStreamReorderFull, 0);
    if (me.holds() && me.held->lowest_offset() <= me.next) {
      me.held->trust_lowest();
    } else if (arrived.offset == me.next) {
      break;
    }
    const uint64_t lowest =
        me.holds() ? std::min(me.held->lowest_offset(), arrived.offset) : arrived.offset;
    if (lowest > me.next) declare_lost(flow, side, arrived.arrival.time, lowest);
    drain(flow, side, arrived.arrival.time);
    if (flow.ignored()) return skip(SkipReason::kFlowIgnored, arrived.bytes.size());
    if (me.next > arrived.offset) {
      // A cut that was held here has just been declared over these bytes.
      const size_t passed = std::min<uint64_t>(me.next - arrived.offset, arrived.bytes.size());
      drop(DropReason::kStreamReorderFull, passed);
      arrived.bytes = arrived.bytes.subspan(passed);
      arrived.offset = me.next;
      arrived.whole = false;
    }
  }
  deliver(flow, side, arrived);
}

void PacketFlows::count_held(const ReorderBuffer::Held& held) {
  buffered().add(held.stored);
  skip(SkipReason::kStreamDuplicate, held.duplicate);
  drop(DropReason::kStreamConflict, held.conflict);
}

// Held bytes whose turn has come. They count as arrived no earlier than what they waited for.
void PacketFlows::drain(TcpFlow& flow, int side, EventTime not_before) {
  TcpSide& me = flow.sides[side];
  while (!flow.ignored() && me.holds() && me.held->lowest_offset() <= me.next &&
         !me.held->lowest().arrival.suspect) {
    const uint64_t cut_until = me.held->lowest().cut_until;
    pass_on_lowest(flow, side, not_before);
    if (!flow.ignored()) skip_cut(flow, side, not_before, cut_until);
  }
  if (me.held == nullptr || !me.held->empty()) return;
  me.held->clear(reorder_.pool());
  reorder_.give_back(me.held);
  me.held = nullptr;
}

void PacketFlows::pass_on_lowest(TcpFlow& flow, int side, EventTime not_before) {
  TcpSide& me = flow.sides[side];
  const Piece& piece = me.held->lowest();
  buffered().subtract(piece.length);
  pass_on(flow, side, later_of(piece.arrival.time, not_before), piece.arrival.peer_offset,
          {piece.bytes, piece.length}, piece.conflict);
  me.held->remove_lowest(reorder_.pool());
}

void PacketFlows::pass_on(TcpFlow& flow, int side, EventTime time,
                          std::optional<uint64_t> peer_offset, ByteView bytes, bool conflict) {
  if (bytes.empty()) return;
  TcpSide& me = flow.sides[side];
  const uint64_t offset = me.next;
  me.advance_to(offset + bytes.size());
  FlowOutput::Data data;
  data.direction = flow.direction(side);
  data.time = time;
  data.offset = offset;
  // Neither is copied as a whole: that would wait for its parts to be stored.
  data.bytes = ByteView(bytes.data(), bytes.size());
  if (peer_offset.has_value()) data.peer_offset = *peer_offset;
  data.conflict = conflict || me.conflict_pending;
  const bool taken = output_.data(flow, data);
  if (!taken) skip(SkipReason::kFlowIgnored, bytes.size());
  me.conflict_pending = false;
}

// What the capture cut off is a gap as well; the source has counted it as missing.
void PacketFlows::skip_cut(TcpFlow& flow, int side, EventTime time, uint64_t until) {
  TcpSide& me = flow.sides[side];
  const uint64_t sent = std::min(until, me.fin_offset);  // two FINs may contradict each other
  const uint64_t end = me.holds() ? std::min(sent, me.held->lowest_offset()) : sent;
  if (end <= me.next) return;
  const uint64_t offset = me.next;
  me.advance_to(end);
  output_.gap(flow, flow.direction(side), time, offset, end - offset);
}

// Of the gap, `had` bytes were captured and dropped under a name.
void PacketFlows::declare_lost(TcpFlow& flow, int side, EventTime time, uint64_t until,
                               uint64_t had) {
  TcpSide& me = flow.sides[side];
  const uint64_t offset = me.next;
  me.advance_to(until);
  counters_.miss(Source::kPacket, MissingReason::kStreamSegmentLost, until - offset - had);
  output_.gap(flow, flow.direction(side), time, offset, until - offset);
}

void PacketFlows::give_up_lowest(TcpFlow& flow, int side) {
  TcpSide& me = flow.sides[side];
  const EventTime time = me.held->lowest().arrival.time;
  if (me.held->lowest_offset() > me.next) {
    declare_lost(flow, side, time, me.held->lowest_offset());
  } else {
    me.held->trust_lowest();
  }
  drain(flow, side, time);
}

// After each segment: what has become certain by it.
void PacketFlows::settle(TcpFlow& flow, EventTime now) {
  if (flow.closed) return;
  if (!flow.ignored()) {
    for (int side = 0; side < 2; ++side) {
      if (flow.sides[side].has_hole()) weigh_holes(flow, side, now);
    }
  }
  if (flow.ignored()) {
    release_held(flow);
    const bool over = flow.reset || (flow.sides[0].fin_seen && flow.sides[1].fin_seen);
    if (over) finish(flow, now, flow.reset ? CloseReason::kReset : CloseReason::kFin);
    return;
  }
  if (flow.sides[0].at_fin() || flow.sides[1].at_fin()) {
    end_sides(flow, now);
    if (flow.sides[0].at_fin() && flow.sides[1].at_fin()) {
      return finish(flow, now, CloseReason::kFin);
    }
  }
  if (flow.reset || flow.sides[0].has_hole() || flow.sides[1].has_hole()) {
    watch(flow, now);
  } else {
    unwatch(flow);
  }
}

void PacketFlows::weigh_holes(TcpFlow& flow, int side, EventTime now) {
  TcpSide& me = flow.sides[side];
  while (!flow.ignored() && me.holds()) {
    const Arrival& shown_by = me.held->lowest().arrival;
    const bool suspect = me.held->lowest_offset() <= me.next;  // no hole: a good copy is awaited
    const uint64_t end = suspect ? me.held->lowest_end() : me.held->lowest_offset();
    if (!hole_is_lost(flow, side, end, shown_by.segment_number, shown_by.time, now)) {
      return;
    }
    give_up_lowest(flow, side);
  }
  if (flow.ignored() || me.tail_until <= me.next) return;
  const uint64_t until = std::min(me.tail_until, me.acked_bytes());
  if (until > me.next && !hole_is_lost(flow, side, until, me.tail_segment, me.tail_time, now)) {
    return;
  }
  if (until > me.next) declare_lost(flow, side, me.tail_time, until);
  me.tail_until = 0;
  note_tail(flow, me, now);
}

bool PacketFlows::hole_is_lost(const TcpFlow& flow, int side, uint64_t hole_end,
                               uint64_t since_segment, EventTime since, EventTime now) const {
  const TcpSide& me = flow.sides[side];
  const uint64_t segments = flow.segments - since_segment;
  const int64_t age_ns = elapsed_ns(since, now).value_or(0);
  const bool acknowledged = me.acked >= hole_end;
  if (acknowledged && (segments >= kSegmentsAfterHole || age_ns >= kHoleAgeNs)) return true;
  const bool unheard = !me.ack_seen;
  if (unheard && (segments >= 4 * kSegmentsAfterHole || age_ns >= 3 * kHoleAgeNs)) return true;
  const bool both_fins = flow.sides[0].fin_seen && flow.sides[1].fin_seen;
  if (both_fins && age_ns >= kHoleAgeNs) return true;
  const uint64_t advertised = flow.sides[1 - side].window_max;
  const uint64_t window = advertised > 0 ? std::max(advertised, kWindowMin) : TcpSide::kAheadMin;
  return me.holds() && me.held->end_offset() - me.next > window;
}

void PacketFlows::end_sides(TcpFlow& flow, EventTime time) {
  if (!flow.opened || flow.ignored()) return;
  for (int side = 0; side < 2; ++side) {
    TcpSide& me = flow.sides[side];
    if (me.ended || !me.at_fin() || flow.ignored()) continue;
    me.ended = true;
    output_.end(flow, flow.direction(side), time, me.next);
  }
}

// Everything held goes out, lowest first, and what is proven to be missing behind it. True when the
// direction's end was lost.
bool PacketFlows::flush(TcpFlow& flow, int side, EventTime time) {
  TcpSide& me = flow.sides[side];
  while (!flow.ignored() && me.holds()) give_up_lowest(flow, side);
  if (flow.ignored() || !me.based()) return false;
  const uint64_t sent = me.fin_offset != TcpSide::kNoFin ? me.fin_offset : me.acked_bytes();
  if (sent <= me.next) return false;
  declare_lost(flow, side, time, sent);
  return true;
}

void PacketFlows::release_held(TcpFlow& flow) {
  for (TcpSide& me : flow.sides) {
    if (me.held == nullptr) continue;
    const uint64_t bytes = me.held->clear(reorder_.pool());
    buffered().subtract(bytes);
    skip(SkipReason::kFlowIgnored, bytes);
    reorder_.give_back(me.held);
    me.held = nullptr;
  }
}

uint64_t PacketFlows::ahead_max(const TcpFlow& flow, int side) const {
  return TcpSide::kAheadMin + flow.sides[1 - side].window_max;
}

}  // namespace wiretally::stream
