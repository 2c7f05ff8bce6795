// The decoded fields of a header block while it is open: copied, because the inflater's own copy
// lives until its next call only. They are no bytes of the wire: nothing of them is counted, and
// they lie in the budget of the HPACK tables.
#pragma once

#include <algorithm>
#include <cstring>
#include <string_view>

#include "http2/hpack_memory.h"

namespace wiretally::http::http2 {

class FieldBuffer {
 public:
  explicit FieldBuffer(HpackMemory& memory) : memory_(memory) {}
  ~FieldBuffer() { release(); }
  FieldBuffer(const FieldBuffer&) = delete;
  FieldBuffer& operator=(const FieldBuffer&) = delete;

  // What a field takes of bytes().
  static size_t bytes_of(std::string_view name, std::string_view value) {
    return kSizesBytes + name.size() + value.size();
  }
  // False if there is no memory for it.
  [[nodiscard]] bool append(std::string_view name, std::string_view value) {
    if (!reserve(bytes_of(name, value))) return false;
    const uint32_t sizes[2] = {static_cast<uint32_t>(name.size()),
                               static_cast<uint32_t>(value.size())};
    put(sizes, sizeof sizes);
    put(name.data(), name.size());
    put(value.data(), value.size());
    ++count_;
    return true;
  }
  void release() {
    nghttp2_mem* const functions = memory_.functions();
    functions->free(bytes_, functions->mem_user_data);
    bytes_ = nullptr;
    size_ = capacity_ = count_ = 0;
  }

  size_t count() const { return count_; }
  size_t bytes() const { return size_; }
  // Calls `visit` with name and value of each, in order; they live until release().
  template <typename Visit>
  void for_each(Visit visit) const {
    const char* at = bytes_;
    for (size_t i = 0; i < count_; ++i) {
      uint32_t sizes[2];
      std::memcpy(sizes, at, sizeof sizes);
      at += sizeof sizes;
      visit(std::string_view(at, sizes[0]), std::string_view(at + sizes[0], sizes[1]));
      at += sizes[0] + sizes[1];
    }
  }

 private:
  static constexpr size_t kBytesMin = 1024;
  static constexpr size_t kSizesBytes = 2 * sizeof(uint32_t);

  bool reserve(size_t bytes) {
    const size_t wanted = size_ + bytes;
    if (wanted <= capacity_) return true;
    const size_t capacity = std::max({kBytesMin, 2 * capacity_, wanted});
    nghttp2_mem* const functions = memory_.functions();
    void* const grown = functions->realloc(bytes_, capacity, functions->mem_user_data);
    if (grown == nullptr) return false;
    bytes_ = static_cast<char*>(grown);
    capacity_ = capacity;
    return true;
  }
  void put(const void* from, size_t bytes) {
    if (bytes == 0) return;
    std::memcpy(bytes_ + size_, from, bytes);
    size_ += bytes;
  }

  HpackMemory& memory_;
  char* bytes_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
  size_t count_ = 0;
};

}  // namespace wiretally::http::http2
