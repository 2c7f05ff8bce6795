// A wide value that is mostly zeros, kept without them: usage records have room for long texts and
// rarely need it (some 5 KB wide, some 600 bytes packed).
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
    uint64_t words[kWords];
    std::memcpy(words, &value, sizeof value);
    const auto kept = static_cast<size_t>(kWords - std::count(words, words + kWords, 0));
    make_room(kMaps + kept);
    words_.assign(kMaps + kept, 0);
    size_t next = kMaps;
    for (size_t i = 0; i < kWords; ++i) {
      if (words[i] == 0) continue;
      words_[i / 64] |= uint64_t{1} << (i % 64);
      words_[next++] = words[i];
    }
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
    uint64_t words[kWords] = {};
    size_t next = kMaps;
    for (size_t map = 0; map < kMaps; ++map) {
      for (uint64_t bits = words_[map]; bits != 0; bits &= bits - 1) {
        words[map * 64 + static_cast<size_t>(__builtin_ctzll(bits))] = words_[next++];
      }
    }
    std::memcpy(&value, words, sizeof value);
    return value;
  }

 private:
  static constexpr size_t kWords = sizeof(T) / sizeof(uint64_t);
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
