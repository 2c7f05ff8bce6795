// Traffic of many connections at once, whole and damaged, for tests of lanes.
#pragma once

#include <cstdint>
#include <vector>

#include "connection.h"

namespace wiretally::test {

// Connections that go on at the same time, some of them seen a second time under a pod's address,
// some coded by gzip, some never closed, some reset, with long pauses and equal calls among them.
std::vector<TcpPacket> busy_hour(uint32_t seed);

// Loses, doubles (some with other bytes) and swaps packets.
std::vector<TcpPacket> damaged(std::vector<TcpPacket> packets, uint32_t seed);

}  // namespace wiretally::test
