#include "replay_lanes.h"

#include "file_lanes.h"
#include "lane_crew.h"

namespace wiretally {

ReplayLanes::ReplayLanes(const Limits& limits, uint32_t lanes, const CredentialReader& credentials,
                         UsageSink& ledger)
    : limits_(limits), ledger_(ledger) {
  counters_.emplace_back();
  for (uint32_t lane = 0; lane < lanes; ++lane) {
    logs_.push_back(std::make_unique<MessageLog>(lanes == 1 ? &ledger : nullptr));
    lanes_.push_back(
        std::make_unique<Lane>(limits, lane, counters_.emplace_back(), credentials, *logs_.back()));
    logs_.back()->follow(&lanes_.back()->current());
  }
}

template <typename Crew>
std::vector<typename Crew::Seat> ReplayLanes::seats() {
  std::vector<typename Crew::Seat> seats;
  for (size_t i = 0; i < lanes_.size(); ++i) seats.push_back({lanes_[i].get(), logs_[i].get()});
  return seats;
}

Status ReplayLanes::read(pcap::CaptureFile& file, std::span<const uint16_t> ports) {
  if (lanes_.size() == 1) return read_alone(file, ports);
  if (!file.bytes_last()) return deal_out(file, ports);
  FileLanes lanes(limits_, seats<FileLanes>(), counters_.front(),
                  [this](MessageLog::Messages& messages) { MessageLog::tell(messages, ledger_); });
  return lanes.read(file, ports, clock_);
}

Status ReplayLanes::read_alone(pcap::CaptureFile& file, std::span<const uint16_t> ports) {
  pcap::PacketDecoder decoder(limits_, counters_.front(), lanes_[0]->capture());
  decoder.only_ports(ports);
  struct {
    pcap::PacketDecoder& decoder;
    MessageLog& log;
    CaptureSink& lane;
    UsageSink& ledger;

    void packet(uint64_t place, const pcap::RawPacket& packet) {
      log.at(place);
      decoder.decode(packet);
    }
    void time(uint64_t place, EventTime now) {
      log.at_all(place);
      lane.on_time(now);
      MessageLog::tell(log.messages(), ledger);
    }
    void end(uint64_t place, EventTime now) {
      log.at_all(place);
      lane.on_end(now);
      MessageLog::tell(log.messages(), ledger);
    }
  } told{decoder, *logs_[0], lanes_[0]->capture(), ledger_};
  return read_through(file, decoder, clock_, told);
}

Status ReplayLanes::deal_out(pcap::CaptureFile& file, std::span<const uint16_t> ports) {
  LaneCrew crew(seats<LaneCrew>(),
                [this](MessageLog::Messages& messages) { MessageLog::tell(messages, ledger_); });
  pcap::PacketDecoder decoder(limits_, counters_.front(), crew);
  decoder.deal_out_to(crew);
  decoder.only_ports(ports);
  struct {
    pcap::PacketDecoder& decoder;
    LaneCrew& crew;

    void packet(uint64_t place, const pcap::RawPacket& packet) {
      crew.at(place);
      decoder.decode(packet);
    }
    void time(uint64_t place, EventTime now) {
      crew.at(place);
      crew.on_time(now);
    }
    void end(uint64_t place, EventTime now) {
      crew.at(place);
      crew.on_end(now);
    }
  } told{decoder, crew};
  return read_through(file, decoder, clock_, told);
}

}  // namespace wiretally
