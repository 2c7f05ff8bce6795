// Finds a flow's connection: open addressing with linear probing, because it is asked once an
// event.
#pragma once

#include <memory>
#include <vector>

#include "wiretally/stream_event.h"

namespace wiretally::http {

// `Value` has `FlowId flow() const`. Never more than half full.
template <typename Value>
class FlowTable {
 public:
  FlowTable() : slots_(kSlotsMin) {}

  Value* find(FlowId flow) const { return slots_[slot_of(flow)].get(); }

  // The flow must not be in the table.
  Value* insert(std::unique_ptr<Value> value) {
    if ((size_ + 1) * 2 > slots_.size()) grow();
    std::unique_ptr<Value>& slot = slots_[slot_of(value->flow())];
    slot = std::move(value);
    ++size_;
    return slot.get();
  }

  void erase(FlowId flow) {
    size_t hole = slot_of(flow);
    if (slots_[hole] == nullptr) return;
    slots_[hole].reset();
    --size_;
    // Closes the hole: whatever probed past it moves up.
    for (size_t at = next(hole); slots_[at] != nullptr; at = next(at)) {
      const size_t wanted = home(slots_[at]->flow());
      const size_t distance = (at - wanted) & (slots_.size() - 1);
      const size_t reach = (at - hole) & (slots_.size() - 1);
      if (distance < reach) continue;
      slots_[hole] = std::move(slots_[at]);
      hole = at;
    }
  }

  size_t size() const { return size_; }

 private:
  static constexpr size_t kSlotsMin = 64;  // a power of two

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
    std::vector<std::unique_ptr<Value>> old(slots_.size() * 2);
    old.swap(slots_);
    for (std::unique_ptr<Value>& value : old) {
      if (value != nullptr) slots_[slot_of(value->flow())] = std::move(value);
    }
  }

  std::vector<std::unique_ptr<Value>> slots_;
  size_t size_ = 0;
};

}  // namespace wiretally::http
