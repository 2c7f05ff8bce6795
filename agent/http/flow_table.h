// Owns the flows' connections and finds them: open addressing with linear probing, because it is
// asked once an event. Memory of some that are over is kept for those that come.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "wiretally/stream_event.h"

namespace wiretally::http {

// `Value` has `FlowId flow() const`. Never more than half full.
template <typename Value>
class FlowTable {
 public:
  FlowTable() : slots_(kSlotsMin) { spares_.reserve(kSparesMax); }
  ~FlowTable() {
    for (Value* value : slots_) {
      if (value != nullptr) destroy(value);
    }
  }
  FlowTable(const FlowTable&) = delete;
  FlowTable& operator=(const FlowTable&) = delete;

  Value* find(FlowId flow) const { return slots_[slot_of(flow)]; }

  // Made from `arguments`. Its flow must not be in the table.
  template <typename... Arguments>
  Value* emplace(Arguments&&... arguments) {
    if ((size_ + 1) * 2 > slots_.size()) grow();
    std::unique_ptr<Memory> memory = take_memory();
    Value* const value = new (memory->bytes) Value(std::forward<Arguments>(arguments)...);
    memory.release();  // it lies at the value's address
    slots_[slot_of(value->flow())] = value;
    ++size_;
    return value;
  }

  void erase(FlowId flow) {
    size_t hole = slot_of(flow);
    if (slots_[hole] == nullptr) return;
    destroy(std::exchange(slots_[hole], nullptr));
    --size_;
    // Closes the hole: whatever probed past it moves up.
    for (size_t at = next(hole); slots_[at] != nullptr; at = next(at)) {
      const size_t wanted = home(slots_[at]->flow());
      const size_t distance = (at - wanted) & (slots_.size() - 1);
      const size_t reach = (at - hole) & (slots_.size() - 1);
      if (distance < reach) continue;
      slots_[hole] = std::exchange(slots_[at], nullptr);
      hole = at;
    }
  }

  size_t size() const { return size_; }

 private:
  static constexpr size_t kSlotsMin = 64;  // a power of two
  static constexpr size_t kSparesMax = 1'024;

  struct Memory {
    alignas(Value) std::byte bytes[sizeof(Value)];
  };

  // Flow ids ascend: taken as they are they would fill one long run, which each erase walks. Times
  // the golden ratio their high bits are spread evenly.
  size_t home(FlowId flow) const {
    constexpr uint64_t kGoldenRatio = 0x9e37'79b9'7f4a'7c15;
    return static_cast<size_t>((static_cast<uint64_t>(flow) * kGoldenRatio) >> 32) &
           (slots_.size() - 1);
  }
  size_t next(size_t at) const { return (at + 1) & (slots_.size() - 1); }
  size_t slot_of(FlowId flow) const {
    size_t at = home(flow);
    while (slots_[at] != nullptr && slots_[at]->flow() != flow) at = next(at);
    return at;
  }
  void grow() {
    std::vector<Value*> old(slots_.size() * 2);
    old.swap(slots_);
    for (Value* value : old) {
      if (value != nullptr) slots_[slot_of(value->flow())] = value;
    }
  }

  std::unique_ptr<Memory> take_memory() {
    if (spares_.empty()) return std::make_unique_for_overwrite<Memory>();
    std::unique_ptr<Memory> memory = std::move(spares_.back());
    spares_.pop_back();
    return memory;
  }
  void destroy(Value* value) {
    std::destroy_at(value);
    std::unique_ptr<Memory> memory(reinterpret_cast<Memory*>(value));
    if (spares_.size() < kSparesMax) spares_.push_back(std::move(memory));
  }

  std::vector<Value*> slots_;
  std::vector<std::unique_ptr<Memory>> spares_;
  size_t size_ = 0;
};

}  // namespace wiretally::http
