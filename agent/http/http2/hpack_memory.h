// Memory for the HPACK tables of a lane: counted, bounded, and used again by size. Where it is used
// up, the table that was used least recently is given up: who fills it pushes out himself, and the
// connections that come after him are read.
#pragma once

#include <nghttp2/nghttp2.h>

#include <array>
#include <cstddef>

namespace wiretally::http::http2 {

class HpackMemory {
 public:
  // Whoever keeps memory from here between his turns.
  class Tenant {
   public:
    virtual ~Tenant() = default;
    // Gives back all of it.
    virtual void evict() = 0;

   private:
    friend class HpackMemory;
    Tenant* older_ = nullptr;
    Tenant* newer_ = nullptr;
    bool is_linked_ = false;
  };

  explicit HpackMemory(size_t bytes_max);
  ~HpackMemory();
  HpackMemory(const HpackMemory&) = delete;
  HpackMemory& operator=(const HpackMemory&) = delete;

  // It is this one's turn: until it is another's, he is not evicted.
  void touch(Tenant& tenant) {
    if (newest_ == &tenant) return;
    unlink(tenant);
    link_newest(tenant);
  }
  void leave(Tenant& tenant) { unlink(tenant); }

  nghttp2_mem* functions() { return &functions_; }
  size_t used_bytes() const { return used_bytes_; }
  static constexpr size_t worst_case_bytes(size_t bytes_max) { return bytes_max + kKeptBytesMax; }

 private:
  struct Block {
    size_t size_class;
    Block* next;
  };
  static constexpr size_t kClasses = 40;
  static constexpr size_t kSmallestBytes = 32;
  static constexpr size_t kBlockHeaderBytes = 16;  // keeps the memory behind it aligned
  static constexpr size_t kAllocatorBytes = 16;    // what malloc adds
  static constexpr size_t kKeptBytesMax = 4 << 20;

  void* take(size_t bytes);
  void give_back(void* memory);
  bool evict_oldest();
  void link_newest(Tenant& tenant);
  void unlink(Tenant& tenant);
  static Block* block_of(void* memory);
  // 32, 48, 64, 96, 128, …
  static size_t capacity(size_t size_class) {
    return (kSmallestBytes + (size_class % 2) * (kSmallestBytes / 2)) << (size_class / 2);
  }
  static size_t size_of(const Block& block) {
    return kAllocatorBytes + kBlockHeaderBytes + capacity(block.size_class);
  }
  static void* allocate(size_t bytes, void* self);
  static void* allocate_zeroed(size_t count, size_t bytes, void* self);
  static void* reallocate(void* memory, size_t bytes, void* self);
  static void release(void* memory, void* self);

  size_t bytes_max_;
  size_t used_bytes_ = 0;
  size_t kept_bytes_ = 0;
  std::array<Block*, kClasses> free_{};
  Tenant* oldest_ = nullptr;
  Tenant* newest_ = nullptr;
  nghttp2_mem functions_;
};

}  // namespace wiretally::http::http2
