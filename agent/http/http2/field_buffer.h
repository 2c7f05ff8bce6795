// The decoded fields of a header block while it is open. They are no bytes of the wire: nothing of
// them is counted, and they lie in the budget of the HPACK tables.
#pragma once

#include <algorithm>
#include <cstring>

#include "http2/hpack.h"

namespace wiretally::http::http2 {

class FieldBuffer {
 public:
  explicit FieldBuffer(HpackMemory& memory) : memory_(memory) {}
  ~FieldBuffer() { release(); }
  FieldBuffer(const FieldBuffer&) = delete;
  FieldBuffer& operator=(const FieldBuffer&) = delete;

  // Makes room for so many bytes more; false if there is no memory for them.
  [[nodiscard]] bool reserve(size_t bytes) {
    const size_t wanted = size_ + bytes;
    if (wanted <= capacity_) return true;
    const size_t capacity = std::max({kBytesMin, 2 * capacity_, wanted});
    nghttp2_mem* const functions = memory_.functions();
    void* const grown = functions->realloc(bytes_, capacity, functions->mem_user_data);
    if (grown == nullptr) return false;
    bytes_ = static_cast<uint8_t*>(grown);
    capacity_ = capacity;
    return true;
  }
  // Room for them is reserved.
  void append(ByteView bytes) {
    if (bytes.empty()) return;
    std::memcpy(bytes_ + size_, bytes.data(), bytes.size());
    size_ += bytes.size();
  }
  void release() {
    nghttp2_mem* const functions = memory_.functions();
    functions->free(bytes_, functions->mem_user_data);
    bytes_ = nullptr;
    size_ = capacity_ = 0;
  }

  const uint8_t* data() const { return bytes_; }

 private:
  static constexpr size_t kBytesMin = 1024;

  HpackMemory& memory_;
  uint8_t* bytes_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace wiretally::http::http2
