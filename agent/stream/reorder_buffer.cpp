#include "reorder_buffer.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace wiretally::stream {

Piece* PiecePool::take() {
  if (in_use() >= pieces_max_) return nullptr;
  if (free_.empty()) {
    const size_t pieces = slabs_.size() * kSlabPieces;
    slabs_.push_back(std::make_unique<Piece[]>(kSlabPieces));
    free_.reserve(pieces + kSlabPieces);
    for (size_t i = 0; i < kSlabPieces; ++i) free_.push_back(&slabs_.back()[i]);
  }
  Piece* piece = free_.back();
  free_.pop_back();
  return piece;
}

ReorderBuffer* ReorderMemory::take() {
  if (idle_.empty()) {
    all_.push_back(std::make_unique<ReorderBuffer>());
    idle_.reserve(all_.size());
    return all_.back().get();
  }
  ReorderBuffer* buffer = idle_.back();
  idle_.pop_back();
  return buffer;
}

ReorderBuffer::Held ReorderBuffer::hold(uint64_t offset, ByteView bytes, const Arrival& arrival,
                                        const Limits& limits, PiecePool& pool) {
  Held held;
  size_t at = first_that_reaches(offset);
  while (held.taken < bytes.size()) {
    const uint64_t from = offset + held.taken;
    const ByteView rest = bytes.subspan(held.taken);
    const bool met = at < entries_.size() && entries_[at].offset <= from;
    if (met && entries_[at].end() > from) {
      const size_t overlap = std::min<uint64_t>(rest.size(), entries_[at].end() - from);
      compare(entries_[at], from, rest.first(overlap), arrival, held);
      held.taken += overlap;
      ++at;
      continue;
    }
    const bool fill_in_place = met && entries_[at].offset == from;
    if (met && !fill_in_place) {
      ++at;
      continue;
    }
    const size_t follower = fill_in_place ? at + 1 : at;
    size_t room = std::min(rest.size(), Piece::kBytesMax);
    if (follower < entries_.size()) {
      room = std::min<uint64_t>(room, entries_[follower].offset - from);
    }
    if (bytes_ + room > limits.reorder_bytes_per_direction) break;
    Piece* piece = fill_in_place ? entries_[at].piece : add_piece(at, from, arrival, limits, pool);
    if (piece == nullptr) break;
    std::memcpy(piece->bytes, rest.data(), room);
    piece->length = static_cast<uint32_t>(room);
    bytes_ += room;
    held.stored += room;
    held.taken += room;
    ++at;
  }
  return held;
}

bool ReorderBuffer::hold_cut(uint64_t from, uint64_t until, const Arrival& arrival,
                             const Limits& limits, PiecePool& pool) {
  size_t at = first_that_reaches(from);
  const bool behind_lowest = at < entries_.size() && entries_[at].offset <= from;
  const bool attached = behind_lowest && entries_[at].end() >= from;
  if (behind_lowest && !attached) ++at;
  Piece* piece = attached ? entries_[at].piece : add_piece(at, from, arrival, limits, pool);
  if (piece == nullptr) return false;
  piece->cut_until = std::max(piece->cut_until, until);
  return true;
}

uint64_t ReorderBuffer::end_offset() const {
  return std::max(entries_.back().end(), entries_.back().piece->cut_until);
}

void ReorderBuffer::trust_all() {
  for (size_t i = first_; i < entries_.size(); ++i) entries_[i].piece->arrival.suspect = false;
}

void ReorderBuffer::remove_lowest(PiecePool& pool) {
  bytes_ -= entries_[first_].piece->length;
  pool.give_back(entries_[first_].piece);
  ++first_;
  if (first_ * 2 < entries_.size()) return;
  entries_.erase(entries_.begin(), entries_.begin() + static_cast<ptrdiff_t>(first_));
  first_ = 0;
}

uint64_t ReorderBuffer::clear(PiecePool& pool) {
  for (size_t i = first_; i < entries_.size(); ++i) pool.give_back(entries_[i].piece);
  entries_.clear();
  if (entries_.capacity() > kEntriesKept) entries_.shrink_to_fit();
  first_ = 0;
  return std::exchange(bytes_, 0);
}

// The entry that holds `offset` or stands right before it, else the first behind it.
size_t ReorderBuffer::first_that_reaches(uint64_t offset) const {
  const auto begin = entries_.begin() + static_cast<ptrdiff_t>(first_);
  auto found =
      std::upper_bound(begin, entries_.end(), offset,
                       [](uint64_t wanted, const Entry& entry) { return wanted < entry.offset; });
  if (found != begin) --found;
  return static_cast<size_t>(found - entries_.begin());
}

Piece* ReorderBuffer::add_piece(size_t at, uint64_t offset, const Arrival& arrival,
                                const Limits& limits, PiecePool& pool) {
  if (entries_.size() - first_ >= limits.reorder_segments_per_direction) return nullptr;
  Piece* piece = pool.take();
  if (piece == nullptr) return nullptr;
  piece->arrival = arrival;
  piece->cut_until = 0;
  piece->length = 0;
  piece->conflict = false;
  entries_.insert(entries_.begin() + static_cast<ptrdiff_t>(at), {offset, piece});
  return piece;
}

void ReorderBuffer::compare(Entry& entry, uint64_t offset, ByteView bytes, const Arrival& arrival,
                            Held& held) {
  Piece& piece = *entry.piece;
  uint8_t* kept = piece.bytes + (offset - entry.offset);
  const bool differs = std::memcmp(kept, bytes.data(), bytes.size()) != 0;
  const bool kept_is_corrupt = piece.arrival.checksum_bad && !arrival.checksum_bad;
  const bool copy_is_corrupt = !piece.arrival.checksum_bad && arrival.checksum_bad;
  if (!differs || copy_is_corrupt || kept_is_corrupt) {
    if (differs && kept_is_corrupt) std::memcpy(kept, bytes.data(), bytes.size());
    if (kept_is_corrupt && bytes.size() == piece.length) {
      piece.arrival.checksum_bad = piece.arrival.suspect = false;
    }
    held.duplicate += bytes.size();
  } else {
    piece.conflict = true;
    held.conflict += bytes.size();
  }
}

}  // namespace wiretally::stream
