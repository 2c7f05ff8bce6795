// What a proxy may put before the bytes that matter, in either direction: PROXY protocol version 1
// and 2, SOCKS 4, 4a and 5 (RFC 1928, RFC 1929). Behind it a connection begins afresh.
#pragma once

#include <cstddef>

#include "wiretally/bytes.h"

namespace wiretally::http {

struct Preamble {
  enum class Kind : uint8_t {
    kNone,  // this is no preamble
    kOpen,  // could be; more bytes are needed
    kDone,  // `bytes` of it
  };
  Kind kind = Kind::kNone;
  size_t bytes = 0;
};

inline constexpr size_t kPreambleBytesMax = 4096;

// `first`: the direction's bytes from its beginning.
Preamble find_preamble(ByteView first);

}  // namespace wiretally::http
