#include "usage_channel.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

namespace wiretally {
namespace {

enum Kind : uint32_t { kOpened, kRecord, kClosed, kTime, kSuspect, kConnection };

struct Header {
  uint32_t kind;
  uint32_t bytes;
};

struct Closed {
  ExchangeId exchange;
  uint32_t lane;
  EventTime time;
};

}  // namespace

UsageChannel::UsageChannel(size_t capacity_bytes)
    : capacity_(capacity_bytes), ring_(std::make_unique<std::byte[]>(capacity_bytes)) {
  assert(std::has_single_bit(capacity_bytes));
}

void UsageChannel::copy_in(uint64_t position, const void* from, size_t bytes) {
  const size_t at = position & (capacity_ - 1);
  const size_t first = std::min(bytes, capacity_ - at);
  std::memcpy(&ring_[at], from, first);
  std::memcpy(&ring_[0], static_cast<const std::byte*>(from) + first, bytes - first);
}

void UsageChannel::copy_out(uint64_t position, void* to, size_t bytes) const {
  const size_t at = position & (capacity_ - 1);
  const size_t first = std::min(bytes, capacity_ - at);
  std::memcpy(to, &ring_[at], first);
  std::memcpy(static_cast<std::byte*>(to) + first, &ring_[0], bytes - first);
}

template <typename Message>
void UsageChannel::put(uint32_t kind, const Message& message) {
  static_assert(std::is_trivially_copyable_v<Message>);
  const Header header{kind, sizeof message};
  const uint64_t written = written_.load(std::memory_order_relaxed);
  const uint64_t free = capacity_ - (written - read_.load(std::memory_order_acquire));
  if (free < sizeof header + sizeof message) {
    dropped_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  copy_in(written, &header, sizeof header);
  copy_in(written + sizeof header, &message, sizeof message);
  written_.store(written + sizeof header + sizeof message, std::memory_order_release);
}

template <typename Message>
Message UsageChannel::get(uint64_t position) const {
  Message message;
  copy_out(position, &message, sizeof message);
  return message;
}

void UsageChannel::on_call_opened(const CallOpened& call) { put(kOpened, call); }
void UsageChannel::on_record(const UsageRecord& record) { put(kRecord, record); }
void UsageChannel::on_call_closed(ExchangeId exchange, uint32_t lane, EventTime time) {
  put(kClosed, Closed{exchange, lane, time});
}
void UsageChannel::on_time(EventTime now) { put(kTime, now); }
void UsageChannel::on_suspect(Dialect dialect) { put(kSuspect, dialect); }
void UsageChannel::on_connection(const ConnectionSeen& connection) { put(kConnection, connection); }

size_t UsageChannel::drain(UsageSink& sink) {
  size_t messages = 0;
  uint64_t read = read_.load(std::memory_order_relaxed);
  const uint64_t written = written_.load(std::memory_order_acquire);
  while (read != written) {
    const auto header = get<Header>(read);
    const uint64_t body = read + sizeof header;
    switch (header.kind) {
      case kOpened:
        sink.on_call_opened(get<CallOpened>(body));
        break;
      case kRecord:
        sink.on_record(get<UsageRecord>(body));
        break;
      case kClosed: {
        const auto closed = get<Closed>(body);
        sink.on_call_closed(closed.exchange, closed.lane, closed.time);
        break;
      }
      case kTime:
        sink.on_time(get<EventTime>(body));
        break;
      case kSuspect:
        sink.on_suspect(get<Dialect>(body));
        break;
      case kConnection:
        sink.on_connection(get<ConnectionSeen>(body));
        break;
    }
    read = body + header.bytes;
    read_.store(read, std::memory_order_release);
    ++messages;
  }
  return messages;
}

}  // namespace wiretally
