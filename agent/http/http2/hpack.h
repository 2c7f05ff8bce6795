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
// A table that is evicted (hpack_memory.h) is made of as many dummies as it had entries.
//
// Table size updates stand in the blocks themselves (RFC 7541 section 6.3): the peer's SETTINGS
// are not needed. Updates beyond Limits::hpack_table_bytes_max make the direction unknown.
#pragma once

#include <nghttp2/nghttp2.h>

#include <array>
#include <cstdint>
#include <string_view>

#include "http2/field_buffer.h"
#include "http2/hpack_memory.h"
#include "wiretally/bytes.h"
#include "wiretally/capture.h"

namespace wiretally {
struct Counters;
}

namespace wiretally::http::http2 {

class HpackReader final : private HpackMemory::Tenant {
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

  HpackReader(HpackMemory& memory, size_t table_bytes_max, Counters& counters, Source source)
      : memory_(memory),
        table_bytes_max_(table_bytes_max),
        counters_(counters),
        source_(source),
        fields_(memory) {}
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
  // Fields of the open block that are kept. They may be gone after any other connection's turn; the
  // next step is kFailed then.
  FieldBuffer& fields() { return fields_; }
  const FieldBuffer& fields() const { return fields_; }

 private:
  void evict() override;
  void delete_inflater();
  bool fill_with_dummies();

  HpackMemory& memory_;
  const size_t table_bytes_max_;
  Counters& counters_;
  const Source source_;
  nghttp2_hd_inflater* inflater_ = nullptr;
  size_t unknown_entries_ = 0;  // a new table begins with so many dummies
  FieldBuffer fields_;
};

}  // namespace wiretally::http::http2
