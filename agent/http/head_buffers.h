// Memory for heads that are split over events: borrowed from a lane-wide pool while a head is open.
// All of it together is bounded. Where it is used up, the head that was fed least recently is given
// up, so that a hundred heads that never end cannot keep out the others.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "wiretally/bytes.h"
#include "wiretally/counters.h"

namespace wiretally::http {

class HeadBuffers {
 public:
  class Buffer {
   public:
    size_t size() const { return bytes_.size(); }
    operator ByteView() const { return bytes_; }
    // Its bytes were given up, and counted, to make room. The borrower is still to release it.
    bool evicted() const { return evicted_; }

   private:
    friend class HeadBuffers;
    std::vector<uint8_t> bytes_;
    Source source_ = Source::kPacket;
    bool evicted_ = false;
    Buffer* older_ = nullptr;
    Buffer* newer_ = nullptr;
  };

  HeadBuffers(size_t bytes_max, Counters& counters) : bytes_max_(bytes_max), counters_(counters) {}

  // False if that is more than there may be. Borrows a buffer if there is none.
  [[nodiscard]] bool append(Buffer*& buffer, Source source, ByteView bytes) {
    const size_t before = buffer == nullptr ? 0 : buffer->bytes_.size();
    if (before + bytes.size() > bytes_max_) return false;
    if (buffer == nullptr) buffer = borrow(source);
    unlink(*buffer);
    grow(*buffer, before + bytes.size());
    link_newest(*buffer);
    buffer->bytes_.insert(buffer->bytes_.end(), bytes.begin(), bytes.end());
    return true;
  }

  // Its bytes are being read: until it is released, it is not given up. Not to be fed any more.
  void pin(Buffer& buffer) { unlink(buffer); }

  // Gives the buffer back and returns how many bytes it held.
  size_t release(Buffer*& buffer) {
    if (buffer == nullptr) return 0;
    const size_t held = buffer->bytes_.size();
    unlink(*buffer);
    buffer->bytes_.clear();
    if (buffer->bytes_.capacity() > kKeptBytes) free_memory(*buffer);
    (buffer->bytes_.capacity() > 0 ? warm_ : free_).push_back(buffer);
    buffer = nullptr;
    return held;
  }

  size_t bytes() const { return bytes_; }
  static constexpr size_t bytes_of_one() { return sizeof(Buffer) + 5 * sizeof(void*); }

 private:
  static constexpr size_t kKeptBytes = 4 << 10;  // a larger buffer gives its memory back
  static constexpr size_t kBytesMin = 256;

  Buffer* borrow(Source source) {
    if (warm_.empty() && free_.empty()) {
      all_.push_back(std::make_unique<Buffer>());
      free_.reserve(all_.size());
      warm_.reserve(all_.size());
      free_.push_back(all_.back().get());
    }
    std::vector<Buffer*>& spares = warm_.empty() ? free_ : warm_;
    Buffer* buffer = spares.back();
    spares.pop_back();
    buffer->source_ = source;
    buffer->evicted_ = false;
    link_newest(*buffer);
    return buffer;
  }

  void grow(Buffer& buffer, size_t wanted) {
    const size_t capacity = buffer.bytes_.capacity();
    if (wanted <= capacity) return;
    const size_t grown = std::clamp(std::max(wanted, 2 * capacity), kBytesMin, bytes_max_);
    make_room(grown - capacity);
    buffer.bytes_.reserve(std::max(grown, wanted));
    bytes_ += buffer.bytes_.capacity() - capacity;
  }

  void make_room(size_t bytes) {
    while (bytes_ + bytes > bytes_max_ && !warm_.empty()) {
      free_memory(*warm_.back());
      free_.push_back(warm_.back());
      warm_.pop_back();
    }
    while (bytes_ + bytes > bytes_max_ && oldest_ != nullptr) {
      Buffer& victim = *oldest_;
      counters_.of(victim.source_).buffered_bytes.subtract(victim.bytes_.size());
      counters_.drop(victim.source_, DropReason::kHttpHeadBudget, victim.bytes_.size());
      victim.evicted_ = true;
      unlink(victim);
      free_memory(victim);
    }
  }

  void free_memory(Buffer& buffer) {
    bytes_ -= buffer.bytes_.capacity();
    std::vector<uint8_t>().swap(buffer.bytes_);
  }

  void link_newest(Buffer& buffer) {
    buffer.older_ = newest_;
    buffer.newer_ = nullptr;
    (newest_ == nullptr ? oldest_ : newest_->newer_) = &buffer;
    newest_ = &buffer;
  }

  // Harmless for one that is not linked.
  void unlink(Buffer& buffer) {
    if (buffer.older_ == nullptr && oldest_ != &buffer) return;
    (buffer.older_ == nullptr ? oldest_ : buffer.older_->newer_) = buffer.newer_;
    (buffer.newer_ == nullptr ? newest_ : buffer.newer_->older_) = buffer.older_;
    buffer.older_ = buffer.newer_ = nullptr;
  }

  const size_t bytes_max_;
  Counters& counters_;
  size_t bytes_ = 0;  // of memory, of all buffers
  std::vector<std::unique_ptr<Buffer>> all_;
  std::vector<Buffer*> free_;
  std::vector<Buffer*> warm_;  // free, and have memory
  // Those that are borrowed, by when they were fed.
  Buffer* oldest_ = nullptr;
  Buffer* newest_ = nullptr;
};

}  // namespace wiretally::http
