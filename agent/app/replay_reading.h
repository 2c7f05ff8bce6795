// How a replay reads a file, whoever the lanes are: packets are numbered through all files, time is
// told at the same places whatever the number of lanes, and connections close where a file ends.
#pragma once

#include <cstdint>
#include <string>

#include "capture_file.h"
#include "packet_decoder.h"
#include "wiretally/clock.h"
#include "wiretally/result.h"

namespace wiretally {

// Where a replay is in its input. Copies that read the same go the same way.
class ReplayClock {
 public:
  // Of the packet that was read last, 1-based; 0 before the first.
  uint64_t packet() const { return packet_; }
  uint64_t next_packet() { return ++packet_; }
  // Whether time is to be told before a packet of this time.
  bool tick_is_due(EventTime now) {
    const auto ns = static_cast<uint64_t>(now.ns);
    if (ticked_ && ns - quiet_from_ < kBackwardsNs + kTickNs) return false;
    ticked_ = true;
    quiet_from_ = ns - kBackwardsNs;
    return true;
  }

 private:
  static constexpr uint64_t kTickNs = 100'000'000;
  // Time stamps of several interfaces may run back by so much; more is a clock that was set.
  static constexpr uint64_t kBackwardsNs = 1'000'000'000;

  uint64_t packet_ = 0;
  bool ticked_ = false;
  uint64_t quiet_from_ = 0;  // modulo 2^64, as time stamps may say anything
};

// Reads `file` through, or up to where it is corrupt; that, or link types nobody knows, is the
// error. `told` is told packets, time and the end, with their places in the order of everything:
//   told.packet(place, packet)   told.time(place, time)   told.end(place, time)
// It decodes packets: by `decoder` all that find_plain() does not know, at least.
template <typename Told>
Status read_through(pcap::CaptureFile& file, pcap::PacketDecoder& decoder, ReplayClock& clock,
                    Told& told) {
  // Three places a packet: what time brings before it, the packet, what the end brings behind it.
  constexpr uint64_t kPlaces = 3;
  pcap::RawPacket packet;
  EventTime last;
  auto step = pcap::CaptureFile::Step::kPacket;
  while ((step = file.next(packet)) == pcap::CaptureFile::Step::kPacket) {
    packet.number = clock.next_packet();
    const uint64_t place = packet.number * kPlaces;
    if (clock.tick_is_due(packet.time)) told.time(place, packet.time);
    told.packet(place + 1, packet);
    last = packet.time;
  }
  decoder.finish();
  told.end(clock.packet() * kPlaces + 2, last);
  if (step == pcap::CaptureFile::Step::kCorrupt) return Error{file.error()};
  if (std::string unknown = decoder.link_type_error(); !unknown.empty()) {
    return Error{file.name() + ": " + unknown};
  }
  return Done{};
}

}  // namespace wiretally
