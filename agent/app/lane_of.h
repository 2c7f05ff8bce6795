// Which of several lanes a connection belongs to; the same for both directions.
#pragma once

#include <cstdint>
#include <cstring>

#include "wiretally/capture.h"

namespace wiretally {
namespace lane_of_detail {

inline uint64_t mix(uint64_t hash) {
  hash *= 0x9e37'79b9'7f4a'7c15;
  return hash ^ hash >> 32;
}

inline uint32_t lane_of_hash(uint64_t hash, uint32_t lanes) {
  return static_cast<uint32_t>((mix(hash) >> 32) * lanes >> 32);
}

}  // namespace lane_of_detail

inline uint32_t lane_of(const Endpoint& one, const Endpoint& other, uint32_t lanes) {
  uint64_t words[2], more[2];
  std::memcpy(words, one.address.bytes.data(), sizeof words);
  std::memcpy(more, other.address.bytes.data(), sizeof more);
  const uint64_t ports = (uint64_t{one.port} + other.port) << 32;
  const uint64_t hash = lane_of_detail::mix(words[0] + more[0] + ports) ^ (words[1] + more[1]);
  return lane_of_detail::lane_of_hash(hash, lanes);
}

// All generations of a connection's object meet in one lane: a later one ends the one before.
inline uint32_t lane_of(const ConnectionKey& connection, uint32_t lanes) {
  const uint64_t process =
      lane_of_detail::mix(connection.pid ^ lane_of_detail::mix(connection.process_start_ns));
  return lane_of_detail::lane_of_hash(process ^ connection.handle, lanes);
}

}  // namespace wiretally
