// Several lanes, each on a thread of its own, and the one thread that reads the sources and deals
// out what they say: packets and segments by their (inner) addresses, chunks by process and
// connection; time and the end to every lane. Packets are decoded by their lane; where it takes
// decoding to see whose they are (tunnels, fragments) the reader's thread hands over segments.
//
// What is dealt out is gathered in rounds. Each round holds a batch for each lane; a lane works
// through its batches in order and at its own pace, a few rounds ahead of the slowest at most. When
// all lanes are through a round, the reader's thread takes what they had to say about calls.
//
// Verdicts come back a round late: a chunk's caller is told kIgnoreFlow by a later chunk.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <set>
#include <thread>
#include <tuple>
#include <vector>

#include "event_batch.h"
#include "message_log.h"
#include "packet_decoder.h"
#include "pipeline.h"
#include "wiretally/capture.h"

namespace wiretally {

class LaneCrew final : public CaptureSink, public pcap::PacketTaker {
 public:
  struct Seat {
    Lane* lane = nullptr;
    MessageLog* log = nullptr;  // optional: what the lane's records go into
  };
  // Told what the lanes' logs hold, round by round, on the reader's thread.
  using Listener = std::function<void(MessageLog::Messages&)>;

  // Starts the threads. Lanes and logs outlive the crew.
  LaneCrew(std::vector<Seat> seats, Listener listener);
  ~LaneCrew() override;
  LaneCrew(const LaneCrew&) = delete;
  LaneCrew& operator=(const LaneCrew&) = delete;

  // Of what is dealt out next: its place in the order of all events.
  void at(uint64_t position) { position_ = position; }

  void on_packet(const pcap::RawPacket& packet, const Endpoint& source,
                 const Endpoint& destination) override;
  FlowDemand on_segment(const Segment& segment) override;
  FlowDemand on_chunk(const Chunk& chunk) override;
  void on_connection_close(const ConnectionClose& close) override;
  void on_connection_eof(const ConnectionEof& eof) override;
  void on_connection_audit(const ConnectionAudit& audit) override;
  void on_time(EventTime now) override;
  void on_end(EventTime now) override;

  // Hands out what is gathered, if anything. Waits while the lanes are too far behind.
  void send();
  // Hands out, and waits until the lanes have done everything.
  void finish();

 private:
  // A round's entries, of some 50 bytes each, stay in the processors' caches on their way.
  static constexpr size_t kRounds = 8;
  static constexpr size_t kRoundEvents = 1024;
  static constexpr size_t kRoundBytes = 1 << 20;
  static constexpr uint64_t kStop = uint64_t{1} << 63;
  static constexpr size_t kIgnoredMax = 4096;
  using ConnectionId = std::tuple<uint32_t, uint64_t, uint64_t, uint32_t>;

  struct Part {
    EventBatch events;
    MessageLog::Messages messages;
    std::vector<ConnectionKey> ignored;
  };
  struct Round {
    std::vector<Part> parts;
    std::atomic<uint32_t> lanes_left{0};
  };

  static ConnectionId id_of(const ConnectionKey& key) {
    return {key.pid, key.process_start_ns, key.handle, key.generation};
  }
  uint32_t lanes() const { return static_cast<uint32_t>(seats_.size()); }
  Part& part_of(uint32_t lane) { return filling().parts[lane]; }
  Round& filling() { return rounds_[dealt_ % kRounds]; }
  void dealt(size_t bytes);
  void collect(Round& round);
  void wait_for(Round& round);
  void collect_until(uint64_t rounds);

  void run(uint32_t lane);
  void work_through(const Seat& seat, Part& part);

  const std::vector<Seat> seats_;
  const Listener listener_;
  std::array<Round, kRounds> rounds_;
  // Rounds handed out so far, and kStop. Lanes wait for it.
  std::atomic<uint64_t> sent_{0};

  // Of the reader's thread, and in a cache line of its own.
  alignas(64) uint64_t dealt_ = 0;  // rounds handed out
  uint64_t collected_ = 0;          // rounds that are over
  uint64_t position_ = 0;
  size_t events_ = 0;  // of the round that is filled
  size_t bytes_ = 0;
  std::set<ConnectionId> ignored_;
  std::vector<std::thread> threads_;
};

}  // namespace wiretally
