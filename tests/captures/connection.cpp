#include "connection.h"

#include <algorithm>

namespace wiretally::test {
namespace {

size_t index(Party party) { return static_cast<size_t>(party); }
Party other(Party party) { return party == Party::kClient ? Party::kServer : Party::kClient; }

}  // namespace

Connection::Connection(const Options& options)
    : options_(options),
      now_ns_(options.start_ns),
      next_{options.client_isn, options.server_isn} {}

void Connection::add(Party party, uint32_t sequence, uint8_t flags, std::string_view payload) {
  const bool client = party == Party::kClient;
  const bool syn = flags & TcpFlags::kSyn;
  packets_.push_back(
      {.source = client ? options_.client : options_.server,
       .destination = client ? options_.server : options_.client,
       .sequence = sequence,
       .acknowledgment = flags & TcpFlags::kAck ? next_[index(other(party))] : 0,
       .flags = flags,
       .payload = std::string(payload),
       .time_ns = now_ns_,
       .window_scale = syn ? std::optional<uint8_t>(7) : std::nullopt});
  now_ns_ += kPacketNs;
}

void Connection::open() {
  add(Party::kClient, next_[0]++, TcpFlags::kSyn);
  add(Party::kServer, next_[1]++, TcpFlags::kSyn | TcpFlags::kAck);
  add(Party::kClient, next_[0], TcpFlags::kAck);
}

PacketRange Connection::send(Party party, std::string_view bytes) {
  PacketRange range{.first = packets_.size(), .count = 0};
  for (size_t at = 0; at < bytes.size(); at += options_.segment_bytes, ++range.count) {
    const std::string_view segment = bytes.substr(at, options_.segment_bytes);
    add(party, next_[index(party)], TcpFlags::kAck | TcpFlags::kPsh, segment);
    next_[index(party)] += static_cast<uint32_t>(segment.size());
  }
  add(other(party), next_[index(other(party))], TcpFlags::kAck);
  return range;
}

void Connection::close(Party first) {
  for (const Party party : {first, other(first)}) {
    add(party, next_[index(party)], TcpFlags::kFin | TcpFlags::kAck);
    ++next_[index(party)];
  }
  add(first, next_[index(first)], TcpFlags::kAck);
}

void Connection::reset(Party party) {
  add(party, next_[index(party)], TcpFlags::kRst | TcpFlags::kAck);
}

std::vector<TcpPacket> packets_of(const Dialogue& dialogue, const Connection::Options& options) {
  Connection connection(options);
  connection.at(dialogue.steps.empty() ? options.start_ns : dialogue.steps.front().time_ns);
  connection.open();
  std::vector<TcpPacket> packets;
  std::vector<PacketRange> lost;
  for (const Step& step : dialogue.steps) {
    connection.at(step.time_ns);
    const std::string_view bytes = step.bytes;
    switch (step.kind) {
      case Step::Kind::kBytes: {
        const auto [from, to] = step.lost;
        if (from > 0) connection.send(step.party, bytes.substr(0, from));
        if (to > from) lost.push_back(connection.send(step.party, bytes.substr(from, to - from)));
        if (to < bytes.size()) connection.send(step.party, bytes.substr(to));
        break;
      }
      case Step::Kind::kClose:
        connection.close(step.party);
        break;
      case Step::Kind::kReset:
        connection.reset(step.party);
        break;
    }
  }
  return without(connection.packets(), lost);
}

std::vector<TcpPacket> seen_as(std::vector<TcpPacket> packets,
                               const std::vector<AddressChange>& changes, int64_t later_ns) {
  for (TcpPacket& packet : packets) {
    for (Endpoint* end : {&packet.source, &packet.destination}) {
      for (const AddressChange& change : changes) {
        if (*end != change.from) continue;
        *end = change.to;
        break;
      }
    }
    packet.time_ns += later_ns;
  }
  return packets;
}

std::vector<TcpPacket> merged(const std::vector<std::vector<TcpPacket>>& connections) {
  std::vector<TcpPacket> all;
  for (const auto& packets : connections) all.insert(all.end(), packets.begin(), packets.end());
  std::stable_sort(all.begin(), all.end(), [](const TcpPacket& a, const TcpPacket& b) {
    return a.time_ns < b.time_ns;
  });
  return all;
}

std::vector<TcpPacket> without(const std::vector<TcpPacket>& packets,
                               const std::vector<PacketRange>& lost) {
  std::vector<TcpPacket> rest;
  for (size_t i = 0; i < packets.size(); ++i) {
    const bool is_lost = std::any_of(lost.begin(), lost.end(), [i](PacketRange range) {
      return i >= range.first && i < range.first + range.count;
    });
    if (!is_lost) rest.push_back(packets[i]);
  }
  return rest;
}

uint64_t payload_bytes(const std::vector<TcpPacket>& packets) {
  return payload_bytes(packets, {.first = 0, .count = packets.size()});
}

uint64_t payload_bytes(const std::vector<TcpPacket>& packets, PacketRange range) {
  uint64_t bytes = 0;
  for (size_t i = range.first; i < range.first + range.count; ++i) {
    bytes += packets[i].payload.size();
  }
  return bytes;
}

}  // namespace wiretally::test
