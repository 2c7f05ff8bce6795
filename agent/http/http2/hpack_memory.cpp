#include "http2/hpack_memory.h"

#include <cstdlib>
#include <cstring>

namespace wiretally::http::http2 {

HpackMemory::HpackMemory(size_t bytes_max)
    : bytes_max_(bytes_max),
      functions_{.mem_user_data = this,
                 .malloc = allocate,
                 .free = release,
                 .calloc = allocate_zeroed,
                 .realloc = reallocate} {
  static_assert(sizeof(Block) <= kBlockHeaderBytes);
}

HpackMemory::~HpackMemory() {
  for (Block* block : free_) {
    while (block != nullptr) {
      Block* const next = block->next;
      std::free(block);
      block = next;
    }
  }
}

HpackMemory::Block* HpackMemory::block_of(void* memory) {
  return reinterpret_cast<Block*>(static_cast<unsigned char*>(memory) - kBlockHeaderBytes);
}

void* HpackMemory::take(size_t bytes) {
  size_t size_class = 0;
  while (size_class < kClasses && capacity(size_class) < bytes) ++size_class;
  if (size_class == kClasses) return nullptr;
  const size_t size = size_of({.size_class = size_class, .next = nullptr});
  while (used_bytes_ + size > bytes_max_) {
    if (!evict_oldest()) return nullptr;
  }
  Block* block = free_[size_class];
  if (block != nullptr) {
    free_[size_class] = block->next;
    kept_bytes_ -= size;
  } else {
    block = static_cast<Block*>(std::malloc(kBlockHeaderBytes + capacity(size_class)));
    if (block == nullptr) return nullptr;
    block->size_class = size_class;
  }
  used_bytes_ += size;
  return reinterpret_cast<unsigned char*>(block) + kBlockHeaderBytes;
}

void HpackMemory::give_back(void* memory) {
  if (memory == nullptr) return;
  Block* const block = block_of(memory);
  const size_t size = size_of(*block);
  used_bytes_ -= size;
  if (kept_bytes_ + size > kKeptBytesMax) {
    std::free(block);
    return;
  }
  kept_bytes_ += size;
  block->next = free_[block->size_class];
  free_[block->size_class] = block;
}

bool HpackMemory::evict_oldest() {
  Tenant* const victim = oldest_;
  if (victim == nullptr || victim == newest_) return false;
  unlink(*victim);
  victim->evict();
  return true;
}

void HpackMemory::link_newest(Tenant& tenant) {
  tenant.older_ = newest_;
  tenant.newer_ = nullptr;
  tenant.is_linked_ = true;
  (newest_ == nullptr ? oldest_ : newest_->newer_) = &tenant;
  newest_ = &tenant;
}

void HpackMemory::unlink(Tenant& tenant) {
  if (!tenant.is_linked_) return;
  (tenant.older_ == nullptr ? oldest_ : tenant.older_->newer_) = tenant.newer_;
  (tenant.newer_ == nullptr ? newest_ : tenant.newer_->older_) = tenant.older_;
  tenant.is_linked_ = false;
}

void* HpackMemory::allocate(size_t bytes, void* self) {
  return static_cast<HpackMemory*>(self)->take(bytes);
}

void* HpackMemory::allocate_zeroed(size_t count, size_t bytes, void* self) {
  void* const memory = allocate(count * bytes, self);
  if (memory != nullptr) std::memset(memory, 0, count * bytes);
  return memory;
}

void* HpackMemory::reallocate(void* memory, size_t bytes, void* self) {
  if (memory == nullptr) return allocate(bytes, self);
  const size_t old_bytes = capacity(block_of(memory)->size_class);
  if (bytes <= old_bytes) return memory;
  void* const larger = allocate(bytes, self);
  if (larger == nullptr) return nullptr;
  std::memcpy(larger, memory, old_bytes);
  release(memory, self);
  return larger;
}

void HpackMemory::release(void* memory, void* self) {
  static_cast<HpackMemory*>(self)->give_back(memory);
}

}  // namespace wiretally::http::http2
