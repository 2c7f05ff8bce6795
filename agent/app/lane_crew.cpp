#include "lane_crew.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <utility>

#include "lane_of.h"

namespace wiretally {
namespace {

// Packets were last looked at by another processor, and every other one is another lane's: no
// pattern that this processor would foresee.
constexpr size_t kPacketsAhead = 4;

void fetch(const EventBatch::Entry& entry) {
  constexpr size_t kLineBytes = 64;
  constexpr size_t kFetchedMax = 512;  // behind that the pattern is plain
  const size_t size = std::min<size_t>(entry.size, kFetchedMax);
  for (size_t at = 0; at < size; at += kLineBytes) __builtin_prefetch(entry.bytes + at);
}

}  // namespace

LaneCrew::LaneCrew(std::vector<Seat> seats, Listener listener)
    : seats_(std::move(seats)), listener_(std::move(listener)) {
  for (Round& round : rounds_) round.parts.resize(seats_.size());
  for (uint32_t lane = 0; lane < lanes(); ++lane)
    threads_.emplace_back([this, lane] { run(lane); });
}

LaneCrew::~LaneCrew() {
  finish();
  sent_.fetch_or(kStop, std::memory_order_release);
  sent_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

// --- the reader's thread -------------------------------------------------------------------------

void LaneCrew::on_packet(const pcap::RawPacket& packet, const Endpoint& source,
                         const Endpoint& destination) {
  Part& part = part_of(lane_of(source, destination, lanes()));
  part.events.add_packet(position_, packet);
  dealt(packet.bytes.size());
}

FlowDemand LaneCrew::on_segment(const Segment& segment) {
  Part& part = part_of(lane_of(segment.source, segment.destination, lanes()));
  Segment& kept = part.events.add(position_, segment);
  kept.payload = part.events.keep(segment.payload);
  dealt(segment.payload.size());
  return FlowDemand::kMore;
}

FlowDemand LaneCrew::on_chunk(const Chunk& chunk) {
  Part& part = part_of(lane_of(chunk.connection, lanes()));
  Chunk& kept = part.events.add(position_, chunk);
  kept.bytes = part.events.keep(chunk.bytes);
  dealt(chunk.bytes.size());
  return ignored_.erase(id_of(chunk.connection)) > 0 ? FlowDemand::kIgnoreFlow : FlowDemand::kMore;
}

void LaneCrew::on_connection_close(const ConnectionClose& close) {
  ignored_.erase(id_of(close.connection));
  part_of(lane_of(close.connection, lanes())).events.add(position_, close);
  dealt(0);
}

void LaneCrew::on_connection_eof(const ConnectionEof& eof) {
  part_of(lane_of(eof.connection, lanes())).events.add(position_, eof);
  dealt(0);
}

void LaneCrew::on_connection_audit(const ConnectionAudit& audit) {
  part_of(lane_of(audit.connection, lanes())).events.add(position_, audit);
  dealt(0);
}

void LaneCrew::on_time(EventTime now) {
  for (Part& part : filling().parts) part.events.add(position_, EventBatch::Now{now});
  dealt(0);
}

void LaneCrew::on_end(EventTime now) {
  for (Part& part : filling().parts) part.events.add(position_, EventBatch::End{now});
  finish();
}

void LaneCrew::dealt(size_t bytes) {
  ++events_;
  bytes_ += bytes;
  if (events_ >= kRoundEvents * lanes() || bytes_ >= kRoundBytes * lanes()) send();
}

void LaneCrew::send() {
  bool anything = false;
  for (const Part& part : filling().parts) anything |= !part.events.empty();
  if (!anything) return;
  filling().lanes_left.store(lanes(), std::memory_order_relaxed);
  sent_.fetch_add(1, std::memory_order_release);
  sent_.notify_all();
  ++dealt_;
  events_ = bytes_ = 0;
  // The next round's place must be free. Where it is not, half of them are to be: to be woken up
  // round by round costs more than it is worth. What is over besides is taken on the way.
  if (dealt_ - collected_ == kRounds) collect_until(collected_ + kRounds / 2);
  while (collected_ < dealt_ &&
         rounds_[collected_ % kRounds].lanes_left.load(std::memory_order_acquire) == 0) {
    collect(rounds_[collected_ % kRounds]);
  }
}

void LaneCrew::finish() {
  send();
  collect_until(dealt_);
}

// Lanes do rounds in order: when the last of these is over, all are.
void LaneCrew::collect_until(uint64_t rounds) {
  if (collected_ < rounds) wait_for(rounds_[(rounds - 1) % kRounds]);
  while (collected_ < rounds) collect(rounds_[collected_ % kRounds]);
}

void LaneCrew::wait_for(Round& round) {
  for (uint32_t left = 0; (left = round.lanes_left.load(std::memory_order_acquire)) > 0;) {
    round.lanes_left.wait(left, std::memory_order_acquire);
  }
}

void LaneCrew::collect(Round& round) {
  MessageLog::Messages messages;
  for (Part& part : round.parts) {
    messages.insert(messages.end(), std::make_move_iterator(part.messages.begin()),
                    std::make_move_iterator(part.messages.end()));
    for (const ConnectionKey& key : part.ignored) {
      if (ignored_.size() < kIgnoredMax) ignored_.insert(id_of(key));
    }
    part.messages.clear();
    part.ignored.clear();
    part.events.clear();
  }
  ++collected_;
  if (listener_) listener_(messages);
}

// --- a lane's thread -----------------------------------------------------------------------------

void LaneCrew::run(uint32_t lane) {
  for (uint64_t done = 0;; ++done) {
    uint64_t sent = 0;
    while (((sent = sent_.load(std::memory_order_acquire)) & ~kStop) <= done) {
      if ((sent & kStop) != 0) return;
      sent_.wait(sent, std::memory_order_acquire);
    }
    Round& round = rounds_[done % kRounds];
    work_through(seats_[lane], round.parts[lane]);
    if (round.lanes_left.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      round.lanes_left.notify_all();
    }
  }
}

void LaneCrew::work_through(const Seat& seat, Part& part) {
  CaptureSink& sink = seat.lane->capture();
  pcap::PacketDecoder& decoder = seat.lane->decoder();
  const std::vector<EventBatch::Entry>& entries = part.events.entries();
  for (size_t i = 0; i < entries.size(); ++i) {
    const EventBatch::Entry& entry = entries[i];
    if (i + kPacketsAhead < entries.size()) fetch(entries[i + kPacketsAhead]);
    if (entry.event == EventBatch::Entry::kIsPacket) {
      if (seat.log != nullptr) seat.log->at(entry.position);
      decoder.decode(entry.packet());
      continue;
    }
    const EventBatch::Event& event = part.events.event_of(entry);
    if (const auto* segment = std::get_if<Segment>(&event)) {
      if (seat.log != nullptr) seat.log->at(entry.position);
      sink.on_segment(*segment);
    } else if (const auto* chunk = std::get_if<Chunk>(&event)) {
      if (sink.on_chunk(*chunk) == FlowDemand::kIgnoreFlow)
        part.ignored.push_back(chunk->connection);
    } else if (const auto* close = std::get_if<ConnectionClose>(&event)) {
      sink.on_connection_close(*close);
    } else if (const auto* eof = std::get_if<ConnectionEof>(&event)) {
      sink.on_connection_eof(*eof);
    } else if (const auto* audit = std::get_if<ConnectionAudit>(&event)) {
      sink.on_connection_audit(*audit);
    } else if (const auto* now = std::get_if<EventBatch::Now>(&event)) {
      if (seat.log != nullptr) seat.log->at_all(entry.position);
      sink.on_time(now->time);
    } else {
      if (seat.log != nullptr) seat.log->at_all(entry.position);
      sink.on_end(std::get<EventBatch::End>(event).time);
    }
  }
  if (seat.log != nullptr) part.messages.swap(seat.log->messages());
}

}  // namespace wiretally
