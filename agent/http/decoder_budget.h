// The memory of all decoders of a lane: content codings and permessage-deflate alike.
//
// A decoding library is given this as its allocator, so that what is charged is what it really
// takes, and a library that asks for more than is left is told that there is no memory. Memory that
// comes back is kept for the next decoder, whichever coding it is for (no call of the system's
// allocator for a body after warm-up), up to Limits::decoder_idle_bytes_max, and given back to the
// system when the budget is needed for a block of another size. One thread.
#pragma once

#include <zlib.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace wiretally::http {

class DecoderBudget {
 public:
  DecoderBudget(size_t bytes_max, size_t idle_bytes_max)
      : bytes_max_(bytes_max), idle_bytes_max_(idle_bytes_max) {}
  ~DecoderBudget();  // every block has been released before
  DecoderBudget(const DecoderBudget&) = delete;
  DecoderBudget& operator=(const DecoderBudget&) = delete;

  // Aligned as from malloc. Null if the budget is used up.
  void* allocate(size_t bytes) noexcept;
  static void release(void* block) noexcept;  // null is allowed

  // The same as a library's hooks; `budget` is the opaque pointer, a DecoderBudget*.
  static void* allocate_from(void* budget, size_t bytes);
  static void release_to(void* budget, void* block);
  static voidpf allocate_for_zlib(voidpf budget, uInt items, uInt size);

  size_t used_bytes() const { return used_bytes_; }  // by decoders
  size_t idle_bytes() const { return idle_bytes_; }  // kept for the next ones

 private:
  struct Block;
  // Four sizes between one power of two and the next, from 64 bytes on.
  static constexpr size_t kSizes = 120;

  void give_back(Block* block) noexcept;
  bool make_room(size_t bytes) noexcept;

  const size_t bytes_max_;
  const size_t idle_bytes_max_;
  size_t used_bytes_ = 0;
  size_t idle_bytes_ = 0;
  std::array<Block*, kSizes> idle_{};
};

}  // namespace wiretally::http
