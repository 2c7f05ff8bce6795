// Puts IP fragments together (RFC 791 section 3.2, RFC 8200 section 4.5).
//
// One entry a packet. Its bytes lie in one buffer at their offsets, and a map of 8-byte blocks says
// which of them have come. Fragments come in any order; copies of one (a second interface) are
// passed over, also once the packet is complete: the entry stays until it is the oldest.
//
// What no receiver agrees about is not read: where two fragments state other bytes for the same
// place, or lengths that exclude each other, the whole packet is dropped as kPacketFragmentConflict
// (RFC 5722 wants that; for IPv4 systems differ). Copies that overlap with equal bytes do no harm.
//
// A packet that is never completed is dropped as kPacketFragment once kLifetimeNs of event time
// have passed, and at the end; and as kPacketFragmentsFull when its place is needed
// (fragment_packets_max, fragment_bytes_total): the oldest goes first. Of a packet that is no TCP
// (a tunnel's) the payload is not known: it counts as an event of no bytes.
//
// Bytes that wait here are not yet counted as captured: they are when their packet is delivered or
// dropped. Memory is taken when the first fragment comes.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <vector>

#include "wiretally/bytes.h"
#include "wiretally/clock.h"
#include "wiretally/counters.h"
#include "wiretally/limits.h"

namespace wiretally::pcap {

// Which packet a fragment is of: addresses, identification, for IPv4 the protocol, and the network.
struct FragmentKey {
  std::array<uint64_t, 6> words{};

  friend bool operator==(const FragmentKey&, const FragmentKey&) = default;
};

class FragmentTable {
 public:
  static constexpr int64_t kLifetimeNs = 30'000'000'000;
  static constexpr int64_t kRefusedNs = 1'000'000'000;  // then its identification may be another's
  static constexpr size_t kPacketBytesMax = 65'535;

  struct Fragment {
    FragmentKey key = {};
    EventTime time = {};
    uint8_t protocol = 0;  // of what the packet's first byte begins
    uint32_t offset = 0;
    bool more = false;        // it is not the last
    bool unwanted = false;    // it shows that its packet carries no TCP
    ByteView bytes = {};      // as captured
    uint64_t wire_bytes = 0;  // >= bytes.size(); behind a cut nothing of the packet is delivered
  };

  struct Packet {
    uint8_t protocol = 0;
    ByteView bytes;  // what of it was captured, from its beginning on; valid until release()
    uint64_t wire_bytes = 0;
    size_t entry = 0;
  };

  FragmentTable(const Limits& limits, Counters& counters);

  // True if the packet is complete with this fragment: then `packet` is filled, and its entry is
  // not reused until release(packet).
  bool add(const Fragment& fragment, Packet& packet);
  void release(const Packet& packet) { entries_[packet.entry].in_use = false; }

  // Nothing more will come: every incomplete packet is dropped.
  void finish();

  // A level, for tests.
  size_t bytes_reserved() const { return bytes_reserved_; }

 private:
  static constexpr size_t kBlockBytes = 8;  // offsets are in units of it
  static constexpr size_t kBlocks = (kPacketBytesMax + kBlockBytes) / kBlockBytes;

  enum class State : uint8_t {
    kFree,
    kOpen,      // fragments are missing
    kComplete,  // delivered; kept to know copies
    kRefused,   // dropped for contradictions or for want of memory: so are its other fragments
    kUnwanted,  // it carries no TCP
  };
  struct Entry {
    FragmentKey key;
    State state = State::kFree;
    bool in_use = false;  // somebody reads its buffer
    bool first_seen = false;
    uint8_t protocol = 0;
    DropReason refused_for{};
    EventTime since;
    uint32_t end = 0;       // behind the highest byte seen
    uint32_t total = 0;     // 0 = the last fragment has not come
    uint32_t blocks = 0;    // that have come
    uint32_t cut_from = 0;  // the capture lacks bytes from here on
    uint32_t held_bytes = 0;
    std::vector<uint8_t> buffer;
    std::bitset<kBlocks> come;
  };

  Entry* find(const FragmentKey& key, uint32_t tag);
  Entry* open(const Fragment& fragment, uint32_t tag);
  void start(Entry& entry, const Fragment& fragment);
  bool take(Entry& entry, const Fragment& fragment, Packet& packet);
  bool contradicts(const Entry& entry, const Fragment& fragment) const;
  bool differs(const Entry& entry, const Fragment& fragment) const;
  void copy(Entry& entry, const Fragment& fragment);
  bool is_copy(const Entry& entry, const Fragment& fragment) const;
  bool make_room(Entry& entry, size_t bytes);
  void sweep(EventTime now);
  void evict(Entry& entry, DropReason reason);
  void refuse(Entry& entry, DropReason reason);
  void drop(const Fragment& fragment, DropReason reason);
  void pass_copy(const Fragment& fragment);

  size_t packets_max_;
  size_t bytes_max_;
  Counters& counters_;
  std::vector<Entry> entries_;  // a ring: the oldest is the one opened next
  std::vector<uint32_t> tags_;  // of the entries' keys, beside them: quick to search
  size_t next_ = 0;
  size_t sweep_ = 0;
  size_t bytes_reserved_ = 0;
};

}  // namespace wiretally::pcap
