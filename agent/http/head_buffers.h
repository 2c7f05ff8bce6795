// Memory for heads that are split over events: borrowed from a lane-wide pool while a head is open.
// All of them together are bounded, so that a thousand slow heads cannot exhaust memory.
#pragma once

#include <memory>
#include <vector>

#include "wiretally/bytes.h"

namespace wiretally::http {

class HeadBuffers {
 public:
  using Buffer = std::vector<uint8_t>;

  // False if the bytes of all open heads would exceed kBytesMax. Borrows a buffer if there is none.
  [[nodiscard]] bool append(Buffer*& buffer, ByteView bytes) {
    if (held_bytes_ + bytes.size() > kBytesMax) return false;
    if (buffer == nullptr) buffer = borrow();
    buffer->insert(buffer->end(), bytes.begin(), bytes.end());
    held_bytes_ += bytes.size();
    return true;
  }

  // Gives the buffer back and returns how many bytes it held.
  size_t release(Buffer*& buffer) {
    if (buffer == nullptr) return 0;
    const size_t held = buffer->size();
    held_bytes_ -= held;
    buffer->clear();
    if (buffer->capacity() > kKeptBytes) Buffer().swap(*buffer);
    free_.push_back(buffer);
    buffer = nullptr;
    return held;
  }

 private:
  static constexpr size_t kBytesMax = 64 << 20;
  static constexpr size_t kKeptBytes = 16 << 10;  // a larger buffer gives its memory back

  Buffer* borrow() {
    if (free_.empty()) {
      all_.push_back(std::make_unique<Buffer>());
      free_.reserve(all_.size());
      free_.push_back(all_.back().get());
    }
    Buffer* buffer = free_.back();
    free_.pop_back();
    return buffer;
  }

  size_t held_bytes_ = 0;
  std::vector<std::unique_ptr<Buffer>> all_;
  std::vector<Buffer*> free_;
};

}  // namespace wiretally::http
