// Makes one record of the observations of one call. Which leg gives what:
//   provider-facing leg   model, tokens, status, outcome, times, price. The innermost hop; of it
//                         the client's end before an unknown one before the server's; but a whole
//                         observation before a damaged one
//   first leg             caller, process, client address: where the call came from
//
// Two observations are of different hops if the bytes of request or answer differ; the outer hop's
// request came first and its answer last. Where all bytes are equal, times decide.
// What the chosen leg lacks is filled from the others.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "wiretally/ledger_entry.h"

namespace wiretally::ledger {

struct Observation {
  UsageRecord record;
  int64_t start_ns = 0;  // epoch
  int64_t finish_ns = 0;
  std::optional<ProcessIdentity> process;  // looked up when the record came: it may be gone later
};

// The index of the observation that a record of these is built on. At least one.
size_t provider_facing(std::span<const Observation* const> seen);

// Fills record, process, start, legs, legs_tokens_delta and leg of `entry`.
void fold(std::span<const Observation* const> seen,
          const std::function<bool(const UsageRecord&)>& to_gateway, LedgerEntry& entry);

// What was fetched of a background call becomes its answer.
void fold_fetched(const LedgerEntry& fetched, LedgerEntry& asked);

}  // namespace wiretally::ledger
