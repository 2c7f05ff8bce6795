// The last door: a counted call, from the ledger to every sink.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "wiretally/identity.h"
#include "wiretally/price.h"
#include "wiretally/usage_record.h"

namespace wiretally {

enum class Leg : uint8_t { kProvider, kGateway, kServed };
std::string_view leg_name(Leg leg);

// ULID text (26 characters, Crockford base 32): 48 bits of start time, 80 bits derived from flow
// and index.
using RecordId = Text<26>;

struct LedgerEntry {
  UsageRecord record;  // of twins: tokens, status and price of the provider-facing leg, caller of
                       // the first leg
  RecordId record_id;
  int64_t start_epoch_ns = 0;
  std::optional<ProcessIdentity> process;
  Text<64> node;
  Text<64> team;  // by the configured rules
  Text<64> service;
  Cost cost;
  Leg leg = Leg::kProvider;
  uint32_t legs = 1;
  std::optional<int64_t> legs_tokens_delta;
  std::optional<RecordId>
      duplicate_of;  // set only with --all-legs, on the twin that is not counted
  std::optional<RecordId> retry_of;
};

// How far estimates of streams that do report were off: tokens they were wrong by, of the tokens
// that were reported.
struct EstimatorError {
  uint64_t off_by = 0;
  uint64_t reported = 0;
};
enum class TokenSide : uint8_t { kInput, kOutput };

class EntrySink {
 public:
  virtual ~EntrySink() = default;
  // Called once for each counted call, in order of finish time (and once for each uncounted twin
  // with --all-legs).
  virtual void on_entry(const LedgerEntry& entry) = 0;
  // Answered calls that are open now, for gauges.
  virtual void on_call_opened(const CallOpened& call) = 0;
  virtual void on_call_closed(const CallOpened& call) = 0;
  virtual void on_suspect(Dialect dialect) = 0;
  // A twin of a call that was counted before: it moves nothing.
  virtual void on_late_twin(std::string_view kind) = 0;
  // A connection to a known provider's host, once: decoded, or (with a reason) not.
  virtual void on_connection(std::string_view /*server*/, bool /*plain*/,
                             std::string_view /*reason*/) {}
  // How well streams such as this record's (its provider, dialect and model) are estimated by now.
  virtual void on_estimator(const UsageRecord& /*record*/, TokenSide /*side*/,
                            EstimatorError /*error*/) {}
  virtual void on_time(EventTime now) = 0;
  // All entries have been delivered.
  virtual void on_finish() = 0;
};

}  // namespace wiretally
