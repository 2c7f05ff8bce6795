// A wide value that is mostly zeros, kept without them: usage records have room for long texts and
// rarely need it (some 6 KB wide, some 600 bytes packed).
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

namespace wiretally {

// Its memory is used again by the next pack().
template <typename T>
class Packed {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) % sizeof(uint64_t) == 0);

 public:
  Packed() = default;
  explicit Packed(const T& value) { pack(value); }

  void pack(const T& value) {
    const uint8_t* const bytes = reinterpret_cast<const uint8_t*>(&value);
    uint64_t maps[kMaps] = {};
    uint64_t kept[kWords + kGroup];
    size_t count = 0;
    for (size_t from = 0; from < kWords; from += kGroup) {
      uint64_t group[kGroup] = {};
      std::memcpy(group, bytes + from * kWordBytes, std::min(kGroup, kWords - from) * kWordBytes);
      uint64_t any = 0;
      for (const uint64_t word : group) any |= word;
      if (any == 0) continue;
      uint64_t map = 0;
      for (size_t i = 0; i < kGroup; ++i) {
        const bool keep = group[i] != 0;
        kept[count] = group[i];
        count += keep ? 1 : 0;
        map |= uint64_t{keep} << i;
      }
      maps[from / 64] |= map << (from % 64);
    }
    make_room(kMaps + count);
    words_.assign(maps, maps + kMaps);
    words_.insert(words_.end(), kept, kept + count);
  }

  void clear() { words_.clear(); }
  // What it takes besides itself; it is kept until forget().
  size_t bytes() const { return words_.capacity() * sizeof(uint64_t); }
  void forget() { std::vector<uint64_t>().swap(words_); }
  static constexpr size_t kBytesMax = sizeof(T) + sizeof(T) / 64 + sizeof(uint64_t);

  // As the value was; a default one if nothing was packed.
  T unpack() const {
    T value{};
    if (words_.empty()) return value;
    uint8_t* const bytes = reinterpret_cast<uint8_t*>(&value);
    std::memset(bytes, 0, sizeof value);
    size_t next = kMaps;
    for (size_t map = 0; map < kMaps; ++map) {
      for (uint64_t bits = words_[map]; bits != 0; bits &= bits - 1) {
        const size_t word = map * 64 + static_cast<size_t>(__builtin_ctzll(bits));
        std::memcpy(bytes + word * kWordBytes, &words_[next++], kWordBytes);
      }
    }
    return value;
  }

 private:
  static constexpr size_t kWordBytes = sizeof(uint64_t);
  static constexpr size_t kWords = sizeof(T) / kWordBytes;
  static constexpr size_t kGroup = 8;  // words that are passed over at once; divides 64
  static constexpr size_t kMaps = (kWords + 63) / 64;  // a bit for each word: is it kept?

  // What is packed here next needs a few words more or less: some room, so that memory that is used
  // again soon stays as it is.
  void make_room(size_t words) {
    constexpr size_t kStep = 16;
    if (words <= words_.capacity()) return;
    const size_t wanted = std::max(words, words_.capacity() + words_.capacity() / 4);
    words_.clear();
    words_.reserve(std::min((wanted + kStep - 1) / kStep * kStep, kMaps + kWords));
  }

  std::vector<uint64_t> words_;  // the maps, then the words that are not zero
};

}  // namespace wiretally
