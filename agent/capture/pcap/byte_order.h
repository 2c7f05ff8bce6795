// Numbers in network byte order, read from any alignment.
#pragma once

#include <cstdint>
#include <cstring>

namespace wiretally::pcap {

inline uint16_t load_be16(const uint8_t* at) {
  uint16_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return __builtin_bswap16(value);
}
inline uint32_t load_be32(const uint8_t* at) {
  uint32_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return __builtin_bswap32(value);
}

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the loads above swap always");

}  // namespace wiretally::pcap
