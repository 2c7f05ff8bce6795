#include "file_lanes.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <limits>
#include <optional>
#include <thread>
#include <utility>

#include "ignoring_sink.h"
#include "lane_of.h"

namespace wiretally {
namespace {

constexpr uint64_t kRoundBytes = 1 << 20;  // of the file
constexpr size_t kRounds = 16;             // that a lane may be ahead
// How far behind the packets the caller's thread keeps the file's pages mapped, and how far ahead
// it maps them; lanes that are there sooner do so themselves.
constexpr uint64_t kBytesBehind = 2 * kRounds * kRoundBytes;
constexpr uint64_t kBytesAhead = kRounds * kRoundBytes;
constexpr uint64_t kEnded = std::numeric_limits<uint64_t>::max();

}  // namespace

// One lane's thread.
class FileLanes::Reader final : public IgnoringSink {
 public:
  struct Round {
    MessageLog::Messages messages;
    uint64_t file_offset = 0;  // where it ended
  };

  Reader(const Limits& limits, const Seat& seat, uint32_t index, uint32_t lanes, Counters* counters,
         const std::atomic<uint64_t>& collected)
      : limits_(limits),
        lane_(*seat.lane),
        log_(*seat.log),
        index_(index),
        lanes_(lanes),
        counters_(counters != nullptr ? *counters : uncounted_),
        collected_(collected) {}

  void start(const pcap::CaptureFile& file, std::span<const uint16_t> ports, ReplayClock clock) {
    done_.store(0, std::memory_order_relaxed);
    rounds_done_ = 0;
    round_ends_at_ = kRoundBytes;
    clock_ = clock;
    thread_ = std::thread([this, &file, ports] { run(file, ports); });
  }
  void join() {
    if (thread_.joinable()) thread_.join();
  }

  // --- for the caller's thread
  // How many rounds are done; waits until it is more than `rounds`. kEnded, once all are.
  uint64_t wait_for_more_than(uint64_t rounds) const {
    uint64_t done = 0;
    while ((done = done_.load(std::memory_order_acquire)) <= rounds) {
      done_.wait(done, std::memory_order_acquire);
    }
    return done;
  }
  Round& round(uint64_t number) { return rounds_[number % kRounds]; }
  // After it has ended:
  uint64_t rounds() const { return rounds_done_; }
  const Status& status() const { return status_; }
  const ReplayClock& clock() const { return clock_; }

  // --- from read_through()
  void packet(uint64_t place, const pcap::RawPacket& packet) {
    if (packet.file_offset >= round_ends_at_) end_round(packet.file_offset);
    const pcap::PlainPacket plain = pcap::find_plain(packet);
    const bool shows = plain.ip != nullptr;
    if (shows) {
      Endpoint source, destination;
      plain.endpoints(source, destination);
      if (!is_mine(source, destination)) return;
    }
    log_.at(place);
    (shows ? lane_.decoder() : *anybodys_).decode(packet, plain);
  }
  void time(uint64_t place, EventTime time) {
    log_.at_all(place);
    lane_.capture().on_time(time);
  }
  void end(uint64_t place, EventTime time) {
    log_.at_all(place);
    lane_.capture().on_end(time);
  }

  // --- from the decoder of packets that may be any lane's
  FlowDemand on_segment(const Segment& segment) override {
    if (!is_mine(segment.source, segment.destination)) return FlowDemand::kMore;
    return lane_.capture().on_segment(segment);
  }

 private:
  bool is_mine(const Endpoint& source, const Endpoint& destination) const {
    return lane_of(source, destination, lanes_) == index_;
  }

  void run(const pcap::CaptureFile& file, std::span<const uint16_t> ports) {
    anybodys_.emplace(limits_, counters_, *this);
    anybodys_->only_ports(ports);
    lane_.decoder().only_ports(ports);
    auto own = file.again();
    status_ = own ? read_through(*own, *anybodys_, clock_, *this) : own.error();
    end_round(round_ends_at_);
    done_.store(kEnded, std::memory_order_release);
    done_.notify_all();
  }

  void end_round(uint64_t file_offset) {
    round_ends_at_ = file_offset + kRoundBytes;
    Round& ended = round(rounds_done_);
    ended.messages.swap(log_.messages());
    ended.file_offset = file_offset;
    done_.store(++rounds_done_, std::memory_order_release);
    done_.notify_all();
    // The next round's place must be free.
    for (uint64_t collected = 0;
         rounds_done_ - (collected = collected_.load(std::memory_order_acquire)) >= kRounds;) {
      collected_.wait(collected, std::memory_order_acquire);
    }
  }

  const Limits& limits_;
  Lane& lane_;
  MessageLog& log_;
  const uint32_t index_;
  const uint32_t lanes_;
  Counters uncounted_;
  Counters& counters_;
  const std::atomic<uint64_t>& collected_;
  ReplayClock clock_;
  std::optional<pcap::PacketDecoder> anybodys_;  // for packets that show no addresses
  uint64_t rounds_done_ = 0;
  uint64_t round_ends_at_ = 0;
  Status status_ = Done{};
  std::array<Round, kRounds> rounds_;
  std::thread thread_;
  alignas(64) std::atomic<uint64_t> done_{0};  // rounds, for the caller's thread
};

FileLanes::FileLanes(const Limits& limits, const std::vector<Seat>& seats, Counters& counters,
                     Listener listener)
    : limits_(limits), listener_(std::move(listener)) {
  const auto lanes = static_cast<uint32_t>(seats.size());
  for (uint32_t lane = 0; lane < lanes; ++lane) {
    readers_.emplace_back(limits_, seats[lane], lane, lanes, lane == 0 ? &counters : nullptr,
                          collected_);
  }
}

FileLanes::~FileLanes() = default;

Status FileLanes::read(pcap::CaptureFile& file, std::span<const uint16_t> ports,
                       ReplayClock& clock) {
  collected_.store(0, std::memory_order_relaxed);
  for (Reader& reader : readers_) reader.start(file, ports, clock);
  collect(file);
  for (Reader& reader : readers_) reader.join();
  clock = readers_.front().clock();
  return readers_.front().status();
}

// All lanes have as many rounds, unless somebody writes to the file meanwhile.
void FileLanes::collect(pcap::CaptureFile& file) {
  file.bring_in(kBytesAhead, kBytesBehind);
  MessageLog::Messages messages;
  for (uint64_t round = 0;; ++round) {
    bool any_open = false;
    uint64_t reached = 0;
    for (Reader& reader : readers_) {
      const bool ended = reader.wait_for_more_than(round) == kEnded;
      if (ended && reader.rounds() <= round) continue;
      any_open = true;
      Reader::Round& done = reader.round(round);
      messages.insert(messages.end(), std::make_move_iterator(done.messages.begin()),
                      std::make_move_iterator(done.messages.end()));
      done.messages.clear();
      reached = std::max(reached, done.file_offset);
    }
    if (!any_open) return;
    collected_.store(round + 1, std::memory_order_release);
    collected_.notify_all();
    file.bring_in(reached + kBytesAhead, kBytesBehind);
    listener_(messages);
    messages.clear();
  }
}

}  // namespace wiretally
