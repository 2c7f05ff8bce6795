// CRC-32 as gzip, zlib and AWS event streams use it (RFC 1952 section 8), faster than zlib's where
// the processor multiplies without carry.
#pragma once

#include <cstdint>

#include "wiretally/bytes.h"

namespace wiretally {

// Of what came before, 0 at the beginning, and these bytes.
uint32_t crc32_of(uint32_t before, ByteView bytes);

}  // namespace wiretally
