// The llm_* families as data: one row is one family. docs/metrics.md is the reader's side of it.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace wiretally::sinks {

enum class Family : uint8_t {
  kRequests,
  kTokens,
  kCost,
  kUnpricedTokens,
  kStatedCosts,
  kStatedCost,
  kUsageMissing,
  kErrors,
  kRateLimited,
  kInFlight,
  kToolCalls,
  kDuration,
  kTimeToFirstToken,
  kTimePerOutputToken,
  kStall,
  kModelMismatch,
  kRateLimit,
  kBackendRequests,
  kBackendDuration,
  kGatewayCache,
  kLegDifference,
  kWorkloadRequests,
  kWorkloadTokens,
  kWorkloadCost,
  kSubjectRequests,
  kSubjectTokens,
  kSubjectCost,
  kKeyRequests,
  kKeyTokens,
  kKeyCost,
  kConnections,
  kCalls,
  kLateTwins,
  kSuspects,
  kEstimatorError,
  kCount,
};
inline constexpr size_t kFamilyCount = static_cast<size_t>(Family::kCount);
inline constexpr size_t kLabelsMax = 7;

enum class Kind : uint8_t { kCounter, kGauge, kHistogram };
enum class Unit : uint8_t {
  kOne,
  kPicodollars,
  kNanoseconds,
  kMillionths
};                                                      // of the integers inside
enum class Cap : uint8_t { kSeries, kSubject, kTool };  // which of the limits applies

struct LabelSpec {
  std::string_view name;
  bool identifying = false;  // comes from the wire: becomes `other` past the cap
};

struct FamilySpec {
  std::string_view name;
  std::string_view help;
  Kind kind = Kind::kCounter;
  Unit unit = Unit::kOne;
  Cap cap = Cap::kSeries;
  std::array<LabelSpec, kLabelsMax> labels{};

  size_t label_count() const {
    size_t n = 0;
    while (n < kLabelsMax && !labels[n].name.empty()) ++n;
    return n;
  }
};

const FamilySpec& spec_of(Family family);

// Upper bounds of histogram buckets in ns, ascending; +Inf comes after them.
std::span<const int64_t> bucket_bounds_ns();

}  // namespace wiretally::sinks
