// The lanes of a replay over a file that lies in memory: each reads it on a thread of its own, from
// its beginning to its end, and takes the packets of its own connections. To look at whose a packet
// is costs less than to be handed it by somebody else.
//
// Packets that show their addresses at first sight are decoded by the lane that they belong to. All
// others (tags, tunnels, fragments) are decoded by every lane, as it takes decoding to see whose
// they are; the first lane counts them.
//
// What lanes say about calls is collected in rounds, which end at the same packets for all of them,
// so that the ledger hears it in one order. A lane is a few rounds ahead of the slowest at most.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <vector>

#include "capture_file.h"
#include "message_log.h"
#include "pipeline.h"
#include "replay_reading.h"
#include "wiretally/counters.h"
#include "wiretally/limits.h"
#include "wiretally/result.h"

namespace wiretally {

class FileLanes {
 public:
  struct Seat {
    Lane* lane = nullptr;
    MessageLog* log = nullptr;
  };
  // Told what the lanes' logs hold, round by round, on the caller's thread.
  using Listener = std::function<void(MessageLog::Messages&)>;

  // Lanes, logs and `counters`, of what is no lane's own, outlive this.
  FileLanes(const Limits& limits, const std::vector<Seat>& seats, Counters& counters,
            Listener listener);
  ~FileLanes();
  FileLanes(const FileLanes&) = delete;
  FileLanes& operator=(const FileLanes&) = delete;

  // Reads the file as read_through() does; its bytes last (CaptureFile::bytes_last), and nobody has
  // read of it. Only segments of these ports count, if there are any.
  Status read(pcap::CaptureFile& file, std::span<const uint16_t> ports, ReplayClock& clock);

 private:
  class Reader;

  void collect(pcap::CaptureFile& file);

  const Limits limits_;
  const Listener listener_;
  std::deque<Reader> readers_;
  std::atomic<uint64_t> collected_{0};  // rounds
};

}  // namespace wiretally
