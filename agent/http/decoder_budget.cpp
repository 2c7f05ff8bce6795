#include "decoder_budget.h"

#include <algorithm>
#include <bit>
#include <new>

namespace wiretally::http {

// Stands before the memory that is handed out, and keeps it aligned.
struct alignas(std::max_align_t) DecoderBudget::Block {
  union {
    DecoderBudget* budget;  // while it is used
    Block* next;            // while it is idle
  };
  size_t bytes;  // handed out, this header apart

  size_t charged() const { return bytes + sizeof(Block); }
  void* memory() { return this + 1; }
  static Block* of(void* memory) { return static_cast<Block*>(memory) - 1; }
};

namespace {

constexpr size_t kSmallestStep = 64;
constexpr size_t kSmallSteps = 4;
constexpr size_t kSmallMax = kSmallestStep * kSmallSteps;
constexpr size_t kBlockBytesMax = size_t{1} << 32;

// A block's size: at most a quarter more than was asked for.
size_t rounded(size_t bytes) {
  const size_t step = bytes <= kSmallMax ? kSmallestStep : std::bit_floor(bytes - 1) / 4;
  return (std::max<size_t>(bytes, 1) + step - 1) / step * step;
}

size_t place_of(size_t rounded_bytes) {
  if (rounded_bytes <= kSmallMax) return rounded_bytes / kSmallestStep - 1;
  const size_t below = std::bit_floor(rounded_bytes - 1);
  const auto doublings = static_cast<size_t>(std::countr_zero(below / kSmallMax));
  return kSmallSteps - 1 + doublings * 4 + (rounded_bytes - below) / (below / 4);
}

}  // namespace

DecoderBudget::~DecoderBudget() { make_room(bytes_max_ + 1); }

void* DecoderBudget::allocate(size_t bytes) noexcept {
  if (bytes > kBlockBytesMax) return nullptr;
  const size_t size = rounded(bytes);
  Block*& idle = idle_[place_of(size)];
  Block* block = idle;
  if (block != nullptr) {
    idle = block->next;
    idle_bytes_ -= block->charged();
  } else {
    const size_t charged = size + sizeof(Block);
    if (!make_room(charged)) return nullptr;
    block = static_cast<Block*>(::operator new(charged, std::nothrow));
    if (block == nullptr) return nullptr;
    block->bytes = size;
  }
  block->budget = this;
  used_bytes_ += block->charged();
  return block->memory();
}

void DecoderBudget::release(void* memory) noexcept {
  if (memory == nullptr) return;
  Block* const block = Block::of(memory);
  block->budget->give_back(block);
}

void DecoderBudget::give_back(Block* block) noexcept {
  used_bytes_ -= block->charged();
  if (idle_bytes_ + block->charged() > idle_bytes_max_) {
    ::operator delete(block);
    return;
  }
  Block*& idle = idle_[place_of(block->bytes)];
  block->next = idle;
  idle = block;
  idle_bytes_ += block->charged();
}

// Idle blocks go, the largest first, until there is room. False if what is used leaves none.
bool DecoderBudget::make_room(size_t bytes) noexcept {
  size_t place = kSizes;
  while (used_bytes_ + idle_bytes_ + bytes > bytes_max_ && place > 0) {
    Block*& idle = idle_[place - 1];
    if (idle == nullptr) {
      --place;
      continue;
    }
    Block* const block = idle;
    idle = block->next;
    idle_bytes_ -= block->charged();
    ::operator delete(block);
  }
  return used_bytes_ + idle_bytes_ + bytes <= bytes_max_;
}

void* DecoderBudget::allocate_from(void* budget, size_t bytes) {
  return static_cast<DecoderBudget*>(budget)->allocate(bytes);
}
void DecoderBudget::release_to(void* /*budget*/, void* block) { release(block); }
voidpf DecoderBudget::allocate_for_zlib(voidpf budget, uInt items, uInt size) {
  return allocate_from(budget, size_t{items} * size);
}

}  // namespace wiretally::http
