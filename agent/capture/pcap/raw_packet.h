// One packet as a capture source delivers it, before any header of it has been read.
#pragma once

#include <cstdint>

#include "wiretally/bytes.h"
#include "wiretally/clock.h"

namespace wiretally::pcap {

struct RawPacket {
  EventTime time;            // Clock::kCapture; the previous packet's where the file states none
  uint32_t link_type = 0;    // LINKTYPE_ number, as in capture files
  ByteView bytes;            // as captured; borrowed until the source is asked for the next packet
  uint32_t wire_bytes = 0;   // >= bytes.size()
  uint64_t number = 0;       // 1-based, in order of capture
  uint64_t file_offset = 0;  // of the packet's record; 0 in a live capture
};

}  // namespace wiretally::pcap
