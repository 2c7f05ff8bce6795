#include "fragment_table.h"

#include <algorithm>
#include <cstring>

namespace wiretally::pcap {
namespace {

constexpr uint8_t kProtocolTcp = 6;
constexpr uint8_t kProtocolUdp = 17;
constexpr size_t kBufferBytesMin = 4096;

uint32_t tag_of(const FragmentKey& key) {
  uint64_t hash = 0;
  for (const uint64_t word : key.words) {
    hash = (hash ^ word) * 0x9e37'79b9'7f4a'7c15;
    hash ^= hash >> 29;
  }
  return static_cast<uint32_t>(hash >> 32);
}

// Bytes of a TCP header at the front of what begins its packet; 0 where too little of it is there.
uint64_t tcp_header_bytes(ByteView front) {
  constexpr size_t kDataOffsetAt = 12;
  return front.size() > kDataOffsetAt ? uint64_t{front[kDataOffsetAt]} / 16 * 4 : 0;
}

// Payload bytes of TCP in a fragment.
uint64_t payload_bytes_of(const FragmentTable::Fragment& fragment) {
  if (fragment.protocol != kProtocolTcp) return 0;
  const uint64_t size = fragment.bytes.size();
  if (fragment.offset > 0) return size;
  return size - std::min(size, tcp_header_bytes(fragment.bytes));
}

}  // namespace

FragmentTable::FragmentTable(const Limits& limits, Counters& counters)
    : packets_max_(std::max<size_t>(limits.fragment_packets_max, 1)),
      bytes_max_(limits.fragment_bytes_total),
      counters_(counters) {}

bool FragmentTable::add(const Fragment& fragment, Packet& packet) {
  if (entries_.empty()) {
    entries_.resize(packets_max_);
    tags_.resize(packets_max_);
  }
  const uint32_t tag = tag_of(fragment.key);
  Entry* entry = find(fragment.key, tag);
  if (entry == nullptr) {
    sweep(fragment.time);
    entry = open(fragment, tag);
    if (entry == nullptr) {
      drop(fragment, DropReason::kPacketFragmentsFull);
      return false;
    }
  }
  const int64_t age_ns = elapsed_ns(entry->since, fragment.time).value_or(0);
  switch (entry->state) {
    case State::kFree:
      break;
    case State::kOpen:
      if (age_ns <= kLifetimeNs) break;
      evict(*entry, DropReason::kPacketFragment);
      start(*entry, fragment);
      break;
    case State::kComplete:
      if (is_copy(*entry, fragment)) {
        pass_copy(fragment);
        return false;
      }
      if (entry->in_use) {  // a packet inside itself
        drop(fragment, DropReason::kPacketFragmentConflict);
        return false;
      }
      start(*entry, fragment);  // its identification belongs to another packet now
      break;
    case State::kRefused:
      if (age_ns <= kRefusedNs) {
        drop(fragment, entry->refused_for);
        return false;
      }
      start(*entry, fragment);
      break;
    case State::kUnwanted:
      if (age_ns <= kLifetimeNs) {
        counters_.packets_not_tcp.add();
        return false;
      }
      start(*entry, fragment);
      break;
  }
  return take(*entry, fragment, packet);
}

// The entry is open. True if the packet is complete.
bool FragmentTable::take(Entry& entry, const Fragment& fragment, Packet& packet) {
  if (fragment.unwanted) {
    counters_.packets_not_tcp.add();
    entry.state = State::kUnwanted;
    return false;
  }
  if (contradicts(entry, fragment) || differs(entry, fragment)) {
    refuse(entry, DropReason::kPacketFragmentConflict);
    drop(fragment, entry.refused_for);
    return false;
  }
  const auto end = static_cast<uint32_t>(fragment.offset + fragment.wire_bytes);
  if (!make_room(entry, end)) {
    refuse(entry, DropReason::kPacketFragmentsFull);
    drop(fragment, entry.refused_for);
    return false;
  }
  const uint32_t blocks_before = entry.blocks;
  copy(entry, fragment);
  if (entry.blocks == blocks_before) pass_copy(fragment);
  entry.end = std::max(entry.end, end);
  if (!fragment.more) entry.total = end;
  if (fragment.offset == 0) {
    entry.first_seen = true;
    entry.protocol = fragment.protocol;
  }
  if (entry.total == 0 || size_t{entry.blocks} * kBlockBytes < entry.total) return false;
  entry.state = State::kComplete;
  entry.in_use = true;
  packet.protocol = entry.protocol;
  packet.bytes = {entry.buffer.data(), std::min(entry.total, entry.cut_from)};
  packet.wire_bytes = entry.total;
  packet.entry = static_cast<size_t>(&entry - entries_.data());
  return true;
}

// Of two packets of one name at once the later is meant; fragments of one packet come close
// together, so the search begins with the newest.
FragmentTable::Entry* FragmentTable::find(const FragmentKey& key, uint32_t tag) {
  for (size_t i = 0, at = next_; i < entries_.size(); ++i) {
    at = (at == 0 ? entries_.size() : at) - 1;
    if (tags_[at] == tag && entries_[at].state != State::kFree && entries_[at].key == key) {
      return &entries_[at];
    }
  }
  return nullptr;
}

// Nothing if every entry is in use: each packet inside another holds one.
FragmentTable::Entry* FragmentTable::open(const Fragment& fragment, uint32_t tag) {
  for (size_t tried = 1; entries_[next_].in_use; ++tried) {
    if (tried == entries_.size()) return nullptr;
    next_ = (next_ + 1) % entries_.size();
  }
  Entry& entry = entries_[next_];
  tags_[next_] = tag;
  next_ = (next_ + 1) % entries_.size();
  if (entry.state == State::kOpen) evict(entry, DropReason::kPacketFragmentsFull);
  start(entry, fragment);
  return &entry;
}

void FragmentTable::start(Entry& entry, const Fragment& fragment) {
  entry.key = fragment.key;
  entry.state = State::kOpen;
  entry.first_seen = false;
  entry.protocol = fragment.protocol;
  entry.since = fragment.time;
  entry.end = entry.total = entry.blocks = entry.held_bytes = 0;
  entry.cut_from = kPacketBytesMax + 1;
  entry.come.reset();
}

bool FragmentTable::contradicts(const Entry& entry, const Fragment& fragment) const {
  const uint64_t end = fragment.offset + fragment.wire_bytes;
  if (fragment.wire_bytes == 0 || end > kPacketBytesMax) return true;
  if (fragment.more) {
    if (fragment.wire_bytes % kBlockBytes != 0) return true;
    return entry.total != 0 && end > entry.total;
  }
  return entry.total != 0 ? end != entry.total : end < entry.end;
}

// It states other bytes for a place than an earlier one.
bool FragmentTable::differs(const Entry& entry, const Fragment& fragment) const {
  if (fragment.offset >= entry.end) return false;
  const uint64_t known = std::min({uint64_t{entry.end}, uint64_t{entry.cut_from},
                                   fragment.offset + uint64_t{fragment.bytes.size()}});
  for (uint64_t at = fragment.offset; at < known; at += kBlockBytes) {
    const size_t size = std::min<uint64_t>(kBlockBytes, known - at);
    if (entry.come[at / kBlockBytes] &&
        std::memcmp(entry.buffer.data() + at, fragment.bytes.data() + (at - fragment.offset),
                    size) != 0) {
      return true;
    }
  }
  return false;
}

void FragmentTable::copy(Entry& entry, const Fragment& fragment) {
  const size_t captured = fragment.bytes.size();
  for (size_t at = 0; at < fragment.wire_bytes; at += kBlockBytes) {
    const size_t place = fragment.offset + at;
    if (entry.come[place / kBlockBytes]) continue;
    const size_t have = at < captured ? std::min(kBlockBytes, captured - at) : 0;
    if (have > 0) {
      std::memcpy(entry.buffer.data() + place, fragment.bytes.data() + at, have);
      entry.held_bytes += static_cast<uint32_t>(have);
    }
    entry.come.set(place / kBlockBytes);
    ++entry.blocks;
  }
  if (captured < fragment.wire_bytes) {
    entry.cut_from = std::min(entry.cut_from, static_cast<uint32_t>(fragment.offset + captured));
  }
}

bool FragmentTable::is_copy(const Entry& entry, const Fragment& fragment) const {
  const uint64_t end = fragment.offset + fragment.wire_bytes;
  if (end > entry.total || fragment.more != (end < entry.total)) return false;
  const uint64_t known =
      std::min<uint64_t>(entry.cut_from, fragment.offset + fragment.bytes.size());
  if (known <= fragment.offset) return true;
  return std::memcmp(entry.buffer.data() + fragment.offset, fragment.bytes.data(),
                     known - fragment.offset) == 0;
}

// False if other packets' memory is not enough for it.
bool FragmentTable::make_room(Entry& entry, size_t bytes) {
  if (entry.buffer.size() >= bytes) return true;
  size_t wanted = kBufferBytesMin;
  while (wanted < bytes) wanted *= 2;
  const size_t more = wanted - entry.buffer.size();
  for (size_t i = 0, at = next_; i < entries_.size() && bytes_reserved_ + more > bytes_max_; ++i) {
    Entry& other = entries_[at];
    at = (at + 1) % entries_.size();
    if (&other == &entry || other.in_use || other.buffer.empty()) continue;
    if (other.state == State::kOpen) evict(other, DropReason::kPacketFragmentsFull);
    other.state = State::kFree;
    bytes_reserved_ -= other.buffer.size();
    other.buffer = {};
  }
  if (bytes_reserved_ + more > bytes_max_) return false;
  bytes_reserved_ += more;
  entry.buffer.resize(wanted);
  return true;
}

// Looks at two entries for each that is opened, so that all are looked at in time.
void FragmentTable::sweep(EventTime now) {
  for (int i = 0; i < 2; ++i) {
    Entry& entry = entries_[sweep_];
    sweep_ = (sweep_ + 1) % entries_.size();
    const bool old = elapsed_ns(entry.since, now).value_or(0) > kLifetimeNs;
    if (entry.state == State::kOpen && old) evict(entry, DropReason::kPacketFragment);
  }
}

void FragmentTable::finish() {
  for (Entry& entry : entries_) {
    if (entry.state == State::kOpen) evict(entry, DropReason::kPacketFragment);
    entry.state = State::kFree;
  }
}

// An open entry is given up; it is free then.
void FragmentTable::evict(Entry& entry, DropReason reason) {
  entry.state = State::kFree;
  // Without the first fragment nobody knows whether it was a tunnel.
  if (entry.protocol == kProtocolUdp && !entry.first_seen) return counters_.packets_not_tcp.add();
  uint64_t bytes = entry.protocol == kProtocolTcp ? entry.held_bytes : 0;
  constexpr size_t kDataOffsetBlock = 1;
  if (entry.first_seen && entry.come[kDataOffsetBlock]) {
    bytes -= std::min(bytes, tcp_header_bytes(entry.buffer));
  }
  counters_.capture(Source::kPacket, bytes);
  counters_.drop(Source::kPacket, reason, bytes);
}

void FragmentTable::refuse(Entry& entry, DropReason reason) {
  if (entry.blocks > 0) evict(entry, reason);
  entry.state = State::kRefused;
  entry.refused_for = reason;
}

void FragmentTable::drop(const Fragment& fragment, DropReason reason) {
  const uint64_t bytes = payload_bytes_of(fragment);
  counters_.capture(Source::kPacket, bytes);
  counters_.drop(Source::kPacket, reason, bytes);
}

void FragmentTable::pass_copy(const Fragment& fragment) {
  const uint64_t bytes = payload_bytes_of(fragment);
  counters_.capture(Source::kPacket, bytes);
  counters_.skip(Source::kPacket, SkipReason::kStreamDuplicate, bytes);
}

}  // namespace wiretally::pcap
