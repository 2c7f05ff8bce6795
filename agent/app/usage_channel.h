// Carries what a lane says about calls to the ledger's thread: a byte ring with one writer and one
// reader. Messages are flat (UsageRecord, CallOpened …), so the same ring would work in shared
// memory between two processes. Payload never enters it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "wiretally/usage_record.h"

namespace wiretally {

class UsageChannel final : public UsageSink {
 public:
  // `capacity_bytes` must be a power of two and hold a few hundred records.
  explicit UsageChannel(size_t capacity_bytes);

  // Writer's side, the lane. What does not fit is dropped whole and counted; a lane never waits.
  void on_call_opened(const CallOpened& call) override;
  void on_record(const UsageRecord& record) override;
  void on_call_closed(ExchangeId exchange, uint32_t lane, EventTime time) override;
  void on_time(EventTime now) override;
  void on_suspect(Dialect dialect) override;
  void on_connection(const ConnectionSeen& connection) override;

  // Reader's side: hands everything that is there to `sink`. Returns how many messages.
  size_t drain(UsageSink& sink);

  uint64_t dropped_messages() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  template <typename Message>
  void put(uint32_t kind, const Message& message);
  template <typename Message>
  Message get(uint64_t position) const;
  void copy_in(uint64_t position, const void* from, size_t bytes);
  void copy_out(uint64_t position, void* to, size_t bytes) const;

  const size_t capacity_;
  std::unique_ptr<std::byte[]> ring_;
  alignas(64) std::atomic<uint64_t> written_{0};
  alignas(64) std::atomic<uint64_t> read_{0};
  alignas(64) std::atomic<uint64_t> dropped_{0};
};

}  // namespace wiretally
