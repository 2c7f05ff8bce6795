// What each lane counts about its own work. Single writer (the lane), any number of readers
// (scrapes).
//
// The identity that holds whenever a lane is quiet, for each source:
//   captured bytes = parsed + skipped + dropped + buffered
// Bytes that never reached us (missing) stand beside the identity.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "wiretally/capture.h"

namespace wiretally {

enum class DropReason : uint8_t {
#define WIRETALLY_DROP(name, stage, label, sentence) k##name,
#include "wiretally/drop_reasons.def"
  kCount,
};
enum class SkipReason : uint8_t {
#define WIRETALLY_SKIP(name, stage, label, sentence) k##name,
#include "wiretally/drop_reasons.def"
  kCount,
};
enum class MissingReason : uint8_t {
#define WIRETALLY_MISSING(name, stage, label, sentence) k##name,
#include "wiretally/drop_reasons.def"
  kCount,
};

// A row of drop_reasons.def.
struct ReasonText {
  std::string_view stage;
  std::string_view label;
  std::string_view sentence;
};
inline constexpr ReasonText kDropReasons[] = {
#define WIRETALLY_DROP(name, stage, label, sentence) {stage, label, sentence},
#include "wiretally/drop_reasons.def"
};
inline constexpr ReasonText kSkipReasons[] = {
#define WIRETALLY_SKIP(name, stage, label, sentence) {stage, label, sentence},
#include "wiretally/drop_reasons.def"
};
inline constexpr ReasonText kMissingReasons[] = {
#define WIRETALLY_MISSING(name, stage, label, sentence) {stage, label, sentence},
#include "wiretally/drop_reasons.def"
};

// A counter with one writing thread: a plain add, made visible to readers without tearing.
class Cell {
 public:
  [[gnu::always_inline]] void add(uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void subtract(uint64_t n) {
    value_.store(value_.load(std::memory_order_relaxed) - n, std::memory_order_relaxed);
  }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

struct SourceCounters {
  Cell captured_events;
  Cell captured_bytes;
  Cell parsed_bytes;
  Cell buffered_bytes;  // a level, not a total: bytes held for reordering
  std::array<Cell, static_cast<size_t>(SkipReason::kCount)> skipped_bytes;
  std::array<Cell, static_cast<size_t>(DropReason::kCount)> dropped_events;
  std::array<Cell, static_cast<size_t>(DropReason::kCount)> dropped_bytes;
  std::array<Cell, static_cast<size_t>(MissingReason::kCount)> missing_bytes;
};

enum class FlowVerdict : uint8_t { kLlm, kIgnored, kUndecided, kCount };

// Born with the lane, lives as long as the pipeline.
struct Counters {
  std::array<SourceCounters, kSourceCount> sources;
  std::array<std::array<Cell, static_cast<size_t>(FlowVerdict::kCount)>, kSourceCount>
      flows;  // counted at the flow's end
  Cell packets_bad_checksum;
  Cell packets_not_tcp;

  SourceCounters& of(Source source) { return sources[static_cast<size_t>(source)]; }
  const SourceCounters& of(Source source) const { return sources[static_cast<size_t>(source)]; }

  void capture(Source source, uint64_t bytes) {
    of(source).captured_events.add();
    of(source).captured_bytes.add(bytes);
  }
  void parse(Source source, uint64_t bytes) { of(source).parsed_bytes.add(bytes); }
  void skip(Source source, SkipReason reason, uint64_t bytes) {
    of(source).skipped_bytes[static_cast<size_t>(reason)].add(bytes);
  }
  void drop(Source source, DropReason reason, uint64_t bytes) {
    of(source).dropped_events[static_cast<size_t>(reason)].add();
    of(source).dropped_bytes[static_cast<size_t>(reason)].add(bytes);
  }
  void miss(Source source, MissingReason reason, uint64_t bytes) {
    of(source).missing_bytes[static_cast<size_t>(reason)].add(bytes);
  }
};

}  // namespace wiretally
