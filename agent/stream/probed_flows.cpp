#include "probed_flows.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <random>
#include <vector>

namespace wiretally::stream {
namespace {

Rank rank_of(const ProbedFlow& flow) { return flow.ignored() ? Rank::kCheap : Rank::kActive; }

size_t index_of(Direction direction) { return static_cast<size_t>(direction); }

}  // namespace

ProbedFlows::ProbedFlows(const Limits& limits, Counters& counters, FlowOutput& output)
    : counters_(counters),
      output_(output),
      table_(limits.flows_max),
      hash_seed_(std::random_device{}()) {}

FlowDemand ProbedFlows::on_chunk(const Chunk& chunk) {
  ProbedFlow* flow = find(chunk.connection);
  if (flow != nullptr && chunk.connection.generation < flow->key.generation) {
    counters_.drop(Source::kTls, DropReason::kStreamOutOfWindow, chunk.bytes.size());
    return FlowDemand::kMore;
  }
  if (flow != nullptr && chunk.connection.generation > flow->key.generation) {
    finish(*flow, chunk.time, CloseReason::kFreed, false);
    flow = nullptr;
  }
  if (flow == nullptr) flow = &create(chunk);
  flow->last_time = chunk.time;

  const Direction direction =
      chunk.transfer == Transfer::kWritten ? Direction::kAToB : Direction::kBToA;
  advance(*flow, opposite(direction), chunk.time, chunk.peer_offset);
  advance(*flow, direction, chunk.time, chunk.offset);

  uint64_t& next = flow->next[index_of(direction)];
  const size_t old = std::min<uint64_t>(next - chunk.offset, chunk.bytes.size());
  const ByteView fresh = chunk.bytes.subspan(old);
  if (old > 0) counters_.skip(Source::kTls, SkipReason::kStreamDuplicate, old);
  if (!fresh.empty()) {
    const bool taken = output_.data(*flow, {.direction = direction,
                                            .time = chunk.time,
                                            .offset = next,
                                            .bytes = fresh,
                                            .peer_offset = chunk.peer_offset});
    if (!taken) counters_.skip(Source::kTls, SkipReason::kFlowIgnored, fresh.size());
  }
  next += fresh.size();
  table_.touch(*flow, rank_of(*flow));
  return flow->demand;
}

void ProbedFlows::on_connection_close(const ConnectionClose& close) {
  ProbedFlow* flow = find(close.connection);
  if (flow == nullptr || flow->key.generation != close.connection.generation) return;
  const bool lost_written = advance(*flow, Direction::kAToB, close.time, close.written_offset);
  const bool lost_read = advance(*flow, Direction::kBToA, close.time, close.read_offset);
  finish(*flow, close.time, close.reason, lost_written || lost_read);
}

void ProbedFlows::on_connection_eof(const ConnectionEof& eof) {
  ProbedFlow* flow = find(eof.connection);
  if (flow == nullptr || flow->key.generation != eof.connection.generation) return;
  flow->last_time = eof.time;
  const Direction direction =
      eof.transfer == Transfer::kWritten ? Direction::kAToB : Direction::kBToA;
  if (!flow->opened || flow->ignored()) return;
  advance(*flow, direction, eof.time, eof.offset);
  output_.end(*flow, direction, eof.time, flow->next[index_of(direction)]);
}

void ProbedFlows::on_connection_audit(const ConnectionAudit& audit) {
  ProbedFlow* flow = find(audit.connection);
  if (flow == nullptr || flow->key.generation != audit.connection.generation) return;
  advance(*flow, Direction::kAToB, audit.time, audit.written_offset);
  advance(*flow, Direction::kBToA, audit.time, audit.read_offset);
}

void ProbedFlows::on_end(EventTime now) {
  std::vector<ProbedFlow*> open;
  table_.for_each([&](ProbedFlow& flow) { open.push_back(&flow); });
  std::sort(open.begin(), open.end(), [](const ProbedFlow* left, const ProbedFlow* right) {
    return left->serial < right->serial;
  });
  for (ProbedFlow* flow : open) finish(*flow, now, CloseReason::kEndOfInput, false);
}

ProbedFlow* ProbedFlows::find(const ConnectionKey& key) {
  return table_.find(hash_of(key), [&](const ProbedFlow& flow) {
    return flow.key.pid == key.pid && flow.key.process_start_ns == key.process_start_ns &&
           flow.key.handle == key.handle;
  });
}

ProbedFlow& ProbedFlows::create(const Chunk& chunk) {
  if (table_.full()) evict_one();
  ProbedFlow& flow = table_.insert(hash_of(chunk.connection), Rank::kActive);
  flow.key = chunk.connection;
  flow.serial = ++flows_created_;
  flow.info.source = Source::kTls;
  flow.info.pid = chunk.connection.pid;
  flow.info.process_start_ns = chunk.connection.process_start_ns;
  flow.info.joined_midstream = chunk.joined;
  return flow;
}

void ProbedFlows::evict_one() {
  ProbedFlow& flow = *table_.victim();
  counters_.drop(Source::kTls, DropReason::kStreamFlowsFull, 0);
  finish(flow, flow.last_time, CloseReason::kEvicted, false);
}

// True when bytes up to `offset` were lost.
bool ProbedFlows::advance(ProbedFlow& flow, Direction direction, EventTime time, uint64_t offset) {
  uint64_t& next = flow.next[index_of(direction)];
  if (offset <= next) return false;
  if (!flow.ignored()) output_.gap(flow, direction, time, next, offset - next);
  next = offset;
  return true;
}

void ProbedFlows::finish(ProbedFlow& flow, EventTime time, CloseReason reason, bool incomplete) {
  const bool by_process = reason == CloseReason::kFreed || reason == CloseReason::kExit;
  output_.close(flow, {.time = time,
                       .reason = reason,
                       .closed_by = by_process ? std::optional(Direction::kAToB) : std::nullopt,
                       .incomplete = incomplete});
  table_.erase(flow);
}

uint64_t ProbedFlows::hash_of(const ConnectionKey& key) const {
  const uint64_t words[] = {key.pid, key.process_start_ns, key.handle};
  return XXH3_64bits_withSeed(words, sizeof words, hash_seed_);
}

}  // namespace wiretally::stream
