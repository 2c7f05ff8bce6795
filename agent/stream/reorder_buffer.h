// Holds the bytes of one direction that came before their turn, until the hole below them is filled
// or given up.
//
// Bytes are copied into pieces of one size from a pool that all directions share. Of overlapping
// copies the first is kept; a copy with a bad checksum gives way to a good one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "wiretally/bytes.h"
#include "wiretally/clock.h"
#include "wiretally/limits.h"

namespace wiretally::stream {

// What is remembered of the segment that a piece came with.
struct Arrival {
  EventTime time;
  std::optional<uint64_t> peer_offset;
  uint64_t segment_number = 0;  // within the flow
  bool checksum_bad = false;
  // Among good checksums this one is bad: the receiver will not have taken these bytes. They wait
  // for a good copy, or for proof that none comes.
  bool suspect = false;
};

struct Piece {
  static constexpr size_t kBytesMax = 2048 - 72;

  Arrival arrival;
  uint64_t cut_until =
      0;                // behind the piece the capture kept nothing up to this offset; 0 = not cut
  uint32_t length = 0;  // may be 0 where everything was cut
  bool conflict = false;  // another copy of it had other content
  uint8_t bytes[kBytesMax];
};

class PiecePool {
 public:
  explicit PiecePool(size_t bytes_max) : pieces_max_(bytes_max / sizeof(Piece)) {}

  Piece* take();  // nothing when the limit is reached
  void give_back(Piece* piece) { free_.push_back(piece); }
  size_t in_use() const { return slabs_.size() * kSlabPieces - free_.size(); }

 private:
  static constexpr size_t kSlabPieces = 32;

  size_t pieces_max_;
  std::vector<std::unique_ptr<Piece[]>> slabs_;
  std::vector<Piece*> free_;
};

class ReorderBuffer {
 public:
  struct Held {
    size_t taken =
        0;  // bytes dealt with, from the first on; less than offered when a limit was hit
    uint64_t stored = 0;
    uint64_t duplicate = 0;
    uint64_t conflict = 0;  // duplicates with other content
  };
  // Keeps bytes[0, n) as offset…offset + n; n is `Held::taken`.
  Held hold(uint64_t offset, ByteView bytes, const Arrival& arrival, const Limits& limits,
            PiecePool& pool);
  // Remembers that the capture cut off from..until. False when a limit was hit.
  bool hold_cut(uint64_t from, uint64_t until, const Arrival& arrival, const Limits& limits,
                PiecePool& pool);

  bool empty() const { return first_ == entries_.size(); }
  uint64_t bytes() const { return bytes_; }
  uint64_t lowest_offset() const { return entries_[first_].offset; }
  uint64_t end_offset() const;  // behind the highest piece, and what was cut off it
  const Piece& lowest() const { return *entries_[first_].piece; }
  uint64_t lowest_end() const { return entries_[first_].end(); }
  // The lowest waits no longer for a good copy; where it did, it is marked as a conflict.
  void trust_lowest() {
    Piece& piece = *entries_[first_].piece;
    piece.conflict = piece.conflict || piece.arrival.suspect;
    piece.arrival.suspect = false;
  }
  // None waits any longer.
  void trust_all();
  void remove_lowest(PiecePool& pool);
  // Gives every piece back and returns how many bytes they held.
  uint64_t clear(PiecePool& pool);

  static constexpr size_t kEntriesKept = 16;  // what an idle buffer may go on owning
  static constexpr size_t kEntryBytes = sizeof(uint64_t) + sizeof(Piece*);

 private:
  struct Entry {
    uint64_t offset = 0;
    Piece* piece = nullptr;

    uint64_t end() const { return offset + piece->length; }
  };

  size_t first_that_reaches(uint64_t offset) const;
  Piece* add_piece(size_t at, uint64_t offset, const Arrival& arrival, const Limits& limits,
                   PiecePool& pool);
  static void compare(Entry& entry, uint64_t offset, ByteView bytes, const Arrival& arrival,
                      Held& held);

  std::vector<Entry> entries_;  // ascending, no two of one offset, bytes disjoint; live from first_
  size_t first_ = 0;
  uint64_t bytes_ = 0;
};

// Buffers wait here while their directions have no hole.
class ReorderMemory {
 public:
  explicit ReorderMemory(const Limits& limits) : pool_(limits.reorder_bytes_total) {}

  ReorderBuffer* take();
  void give_back(ReorderBuffer* buffer) { idle_.push_back(buffer); }
  PiecePool& pool() { return pool_; }

  // A buffer that is in use has a piece at least; its entries may fill a quarter of their memory.
  static uint64_t worst_case_bytes(const Limits& limits) {
    const uint64_t pieces = limits.reorder_bytes_total / sizeof(Piece) + 32;
    const uint64_t a_buffer = sizeof(ReorderBuffer) + 6 * sizeof(void*) +
                              ReorderBuffer::kEntriesKept * ReorderBuffer::kEntryBytes;
    return pieces * (sizeof(Piece) + 2 * sizeof(Piece*)) +
           pieces * (a_buffer + 4 * ReorderBuffer::kEntryBytes);
  }

 private:
  PiecePool pool_;
  std::vector<std::unique_ptr<ReorderBuffer>> all_;
  std::vector<ReorderBuffer*> idle_;
};

}  // namespace wiretally::stream
