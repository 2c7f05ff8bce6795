// Views of borrowed bytes, and bounded text that can be copied as plain memory.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace wiretally {

// Borrowed bytes. They die when the call that handed them over returns.
using ByteView = std::span<const uint8_t>;

inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// At most `Capacity` bytes of text, held in place; trivially copyable, so that a record may cross
// threads and processes as it is. Longer text is cut at a UTF-8 character border and `was_cut()`
// says so.
template <size_t Capacity>
class Text {
  static_assert(Capacity <= UINT16_MAX);

 public:
  static constexpr size_t kCapacity = Capacity;

  Text() = default;
  explicit Text(std::string_view text) { assign(text); }

  void assign(std::string_view text) {
    size_t size = text.size();
    cut_ = size > Capacity;
    if (cut_) {
      size = Capacity;
      while (size > 0 && (static_cast<uint8_t>(text[size]) & 0xC0) == 0x80) --size;
    }
    if (size > 0) std::memcpy(data_, text.data(), size);
    size_ = static_cast<uint16_t>(size);
  }
  void clear() {
    size_ = 0;
    cut_ = false;
  }

  std::string_view view() const { return {data_, size_}; }
  bool empty() const { return size_ == 0; }
  bool was_cut() const { return cut_; }

 private:
  uint16_t size_ = 0;
  bool cut_ = false;
  char data_[Capacity] = {};
};

}  // namespace wiretally
