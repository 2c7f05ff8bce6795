// Header blocks of HTTP/2, RFC 7541, of one direction: libnghttp2's inflater, and what to do where
// earlier blocks were not seen.
//
// The encoder's dynamic table is then unknown. The inflater is filled with as many one-letter
// dummy entries as a table of the default size (4 096 bytes) can hold, 124: whatever refers to an
// entry from before resolves to a dummy, and is unknown; literals and the static table read as
// ever; new entries line up, because both tables take them in the same order and give up the
// oldest first. A table that is larger than the encoder's keeps entries to which the encoder does
// not refer any more; one that is smaller ends in an index it does not have, and the rest of that
// block is unknown. So a field is right or unknown.
//
// Table size updates stand in the blocks themselves (RFC 7541 section 6.3): the peer's SETTINGS
// are not needed. Updates beyond Limits::hpack_table_bytes_max make the direction unknown.
#pragma once

#include <nghttp2/nghttp2.h>

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "wiretally/bytes.h"

namespace wiretally::http::http2 {

// Memory for the inflaters of a lane: counted, bounded, and used again by size. Beyond the bound an
// inflater's allocation fails, and its direction is unknown from there on.
class HpackMemory {
 public:
  explicit HpackMemory(size_t bytes_max);
  ~HpackMemory();
  HpackMemory(const HpackMemory&) = delete;
  HpackMemory& operator=(const HpackMemory&) = delete;

  nghttp2_mem* functions() { return &functions_; }
  size_t used_bytes() const { return used_bytes_; }
  static constexpr size_t worst_case_bytes(size_t bytes_max) { return bytes_max + kKeptBytesMax; }

 private:
  struct Block {
    size_t size_class;
    Block* next;
  };
  static constexpr size_t kClasses = 20;
  static constexpr size_t kSmallestBytes = 32;
  static constexpr size_t kKeptBytesMax = 8 << 20;

  void* take(size_t bytes);
  void give_back(void* memory);
  static size_t capacity(size_t size_class) { return kSmallestBytes << size_class; }
  static void* allocate(size_t bytes, void* self);
  static void* allocate_zeroed(size_t count, size_t bytes, void* self);
  static void* reallocate(void* memory, size_t bytes, void* self);
  static void release(void* memory, void* self);

  size_t bytes_max_;
  size_t used_bytes_ = 0;
  size_t kept_bytes_ = 0;
  std::array<Block*, kClasses> free_{};
  nghttp2_mem functions_;
};

class HpackReader {
 public:
  struct Field {
    std::string_view name;  // borrowed until the next call
    std::string_view value;
  };
  enum class Step : uint8_t {
    kMore,     // the bytes are used up
    kField,    // a field
    kUnknown,  // a field that cannot be known
    kFailed,   // the rest of the block cannot be known; neither can the table
  };

  HpackReader(HpackMemory& memory, size_t table_bytes_max)
      : memory_(memory), table_bytes_max_(table_bytes_max) {}
  ~HpackReader();
  HpackReader(const HpackReader&) = delete;
  HpackReader& operator=(const HpackReader&) = delete;

  // False if there is no memory for it.
  [[nodiscard]] bool begin_block();
  // Takes bytes from the beginning of `block`; `last`: the block ends with them.
  Step next(ByteView& block, bool last, Field& field);
  // Call behind kMore with `last`.
  void end_block();
  // Blocks, or parts of one, were not seen.
  void lose();
  bool lost() const { return lost_; }

 private:
  bool fill_with_dummies();

  HpackMemory& memory_;
  const size_t table_bytes_max_;
  nghttp2_hd_inflater* inflater_ = nullptr;
  bool lost_ = false;  // the table must be made of dummies
};

}  // namespace wiretally::http::http2
