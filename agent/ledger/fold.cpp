#include "fold.h"

#include <algorithm>
#include <tuple>
#include <vector>

namespace wiretally::ledger {
namespace {

bool damaged(const UsageRecord& record) {
  return record.lost_bytes > 0 || record.outcome == Outcome::kIncomplete || !record.saw_request ||
         !record.saw_response;
}

int role(const UsageRecord& record) {
  switch (record.side) {
    case Side::kClient:
      return 0;
    case Side::kUnknown:
      return 1;
    case Side::kServer:
      return 2;
  }
  return 2;
}

using Seen = std::span<const Observation* const>;

bool differ(const Digest& a, const Digest& b) { return a.known() && b.known() && a != b; }

// Whether `outer` is of a hop around the one of `inner`.
bool is_around(const Observation& outer, const Observation& inner) {
  const UsageRecord& a = outer.record;
  const UsageRecord& b = inner.record;
  const bool other_hop =
      differ(a.request_digest, b.request_digest) || differ(a.response_digest, b.response_digest);
  if (!other_hop || !a.response_start || !b.response_start) return false;
  const int64_t a_answer_ns = outer.start_ns + (a.response_start->ns - a.start.ns);
  const int64_t b_answer_ns = inner.start_ns + (b.response_start->ns - b.start.ns);
  return outer.start_ns <= inner.start_ns && b_answer_ns <= a_answer_ns;
}

auto provider_rank(const Observation& seen, Seen all) {
  const bool outer = std::any_of(all.begin(), all.end(),
                                 [&](const auto* other) { return is_around(seen, *other); });
  return std::make_tuple(damaged(seen.record), outer, role(seen.record), -seen.start_ns,
                         seen.record.source != Source::kTls);
}

auto first_rank(const Observation& seen, Seen all) {
  const bool inner = std::any_of(all.begin(), all.end(),
                                 [&](const auto* other) { return is_around(*other, seen); });
  return std::make_tuple(inner, role(seen.record), seen.start_ns,
                         seen.record.source != Source::kTls);
}

std::optional<uint64_t> total_tokens(const TokenCounts& tokens) {
  if (!tokens.input || !tokens.output) return std::nullopt;
  return *tokens.input + *tokens.output;
}

// How much is known of a call's tokens; more is better.
auto certainty(const TokenCounts& tokens) {
  return std::make_pair(std::min(tokens.input_source, tokens.output_source),
                        std::max(tokens.input_source, tokens.output_source));
}

template <typename T>
void fill(T& mine, const T& theirs) {
  if (mine.empty()) mine = theirs;
}

template <typename T>
void fill(std::optional<T>& mine, const std::optional<T>& theirs) {
  if (!mine) mine = theirs;
}

void fill_endpoint(Endpoint& mine, const Endpoint& theirs) {
  if (!mine.known()) mine = theirs;
}

RecordFlags without_usage_flags(const RecordFlags& flags) {
  RecordFlags kept;
  for (unsigned i = 0; i < static_cast<unsigned>(RecordFlag::kCount); ++i) {
    const auto flag = static_cast<RecordFlag>(i);
    if (flag == RecordFlag::kUsageMissing || flag == RecordFlag::kUsageMalformed) continue;
    if (flags.has(flag)) kept.set(flag);
  }
  return kept;
}

void take_tokens(UsageRecord& mine, const UsageRecord& theirs) {
  mine.tokens = theirs.tokens;
  mine.apart = theirs.apart;
  mine.usage_missing = theirs.usage_missing;
  mine.server_tool_requests = theirs.server_tool_requests;
  mine.billed_audio_ms = theirs.billed_audio_ms;
  RecordFlags flags = without_usage_flags(mine.flags);
  for (const RecordFlag flag : {RecordFlag::kUsageMissing, RecordFlag::kUsageMalformed}) {
    if (theirs.flags.has(flag)) flags.set(flag);
  }
  mine.flags = flags;
}

// The answer's members that another leg saw and this one did not.
void fill_answer(UsageRecord& mine, const UsageRecord& theirs) {
  fill(mine.request_model, theirs.request_model);
  fill(mine.response_model, theirs.response_model);
  fill(mine.response_id, theirs.response_id);
  fill(mine.request_id, theirs.request_id);
  fill(mine.service_tier, theirs.service_tier);
  fill(mine.gateway, theirs.gateway);
  fill(mine.cache_status, theirs.cache_status);
  // Each that saw the mark: a cache's answer has no legs behind it.
  mine.served_from_cache = mine.served_from_cache || theirs.served_from_cache;
  fill(mine.status_code, theirs.status_code);
  if (mine.outcome == Outcome::kHttpError) fill(mine.error_type, theirs.error_type);
  fill(mine.rate_limited_by, theirs.rate_limited_by);
  fill(mine.rate_limit_remaining_requests, theirs.rate_limit_remaining_requests);
  fill(mine.rate_limit_remaining_tokens, theirs.rate_limit_remaining_tokens);
  fill(mine.rate_limit_requests_reset_ns, theirs.rate_limit_requests_reset_ns);
  fill(mine.rate_limit_tokens_reset_ns, theirs.rate_limit_tokens_reset_ns);
  if (mine.finish_reason == FinishReason::kUnknown) mine.finish_reason = theirs.finish_reason;
  if (mine.server_name.empty()) {
    mine.server_name = theirs.server_name;
    mine.server_port = theirs.server_port;
  }
  fill_endpoint(mine.client, theirs.client);
  fill_endpoint(mine.server, theirs.server);
}

// Who called is what the outermost leg says; a server's end knows its own process, not the
// caller's.
void take_caller(LedgerEntry& entry, std::span<const Observation* const> by_nearness) {
  UsageRecord& mine = entry.record;
  const Observation& first = *by_nearness.front();
  if (first.record.client.known()) mine.client = first.record.client;
  // A gateway that was seen at both its sides has at least a process.
  if (first.record.side != Side::kServer || mine.side == Side::kServer) {
    mine.side = first.record.side;
    mine.pid = first.record.pid;
    mine.process_start_ns = first.record.process_start_ns;
    entry.process = first.process;
  }
  mine.caller = first.record.caller;
  mine.end_user = first.record.end_user;
  mine.session = first.record.session;
  mine.organization = first.record.organization;
  mine.marks = first.record.marks;
  for (const Observation* seen : by_nearness) {
    const UsageRecord& theirs = seen->record;
    if (mine.caller.kind == CredentialKind::kNone) mine.caller = theirs.caller;
    fill(mine.end_user, theirs.end_user);
    fill(mine.session, theirs.session);
    fill(mine.organization, theirs.organization);
    for (size_t i = 0; i < mine.marks.size(); ++i) fill(mine.marks[i], theirs.marks[i]);
    if (mine.pid == 0 && theirs.side != Side::kServer) {
      mine.pid = theirs.pid;
      mine.process_start_ns = theirs.process_start_ns;
      entry.process = seen->process;
    }
  }
}

bool was_aborted(Outcome outcome) {
  return outcome == Outcome::kClientAbort || outcome == Outcome::kServerAbort;
}

// A probe knows when its own process closed, and takes that for the beginning of the end. Where
// both ends of an aborted call were watched, the earlier close is what ended it.
void take_first_abort(UsageRecord& mine, std::span<const Observation* const> seen) {
  if (!was_aborted(mine.outcome)) return;
  const Observation* first = nullptr;
  for (const Observation* other : seen) {
    if (!was_aborted(other->record.outcome)) continue;
    if (first == nullptr || other->finish_ns < first->finish_ns) first = other;
  }
  if (first != nullptr) mine.outcome = first->record.outcome;
}

Leg leg_of(const UsageRecord& provider_facing, Seen seen,
           const std::function<bool(const UsageRecord&)>& to_gateway) {
  const bool only_arriving = std::all_of(
      seen.begin(), seen.end(), [](const auto* one) { return one->record.side == Side::kServer; });
  if (only_arriving) return Leg::kServed;
  return to_gateway(provider_facing) ? Leg::kGateway : Leg::kProvider;
}

}  // namespace

size_t provider_facing(std::span<const Observation* const> seen) {
  const auto best = std::min_element(seen.begin(), seen.end(), [&](const auto* a, const auto* b) {
    return provider_rank(*a, seen) < provider_rank(*b, seen);
  });
  return static_cast<size_t>(best - seen.begin());
}

void fold(std::span<const Observation* const> seen,
          const std::function<bool(const UsageRecord&)>& to_gateway, LedgerEntry& entry) {
  const Observation& base = *seen[provider_facing(seen)];
  entry.record = base.record;
  entry.process = base.process;
  entry.start_epoch_ns = base.start_ns;
  entry.legs = static_cast<uint32_t>(seen.size());
  entry.legs_tokens_delta.reset();
  if (seen.size() == 1) {
    entry.leg = leg_of(base.record, seen, to_gateway);
    return;
  }

  std::vector<const Observation*> by_nearness(seen.begin(), seen.end());
  std::stable_sort(by_nearness.begin(), by_nearness.end(), [&](const auto* a, const auto* b) {
    return first_rank(*a, seen) < first_rank(*b, seen);
  });
  const UsageRecord& first = by_nearness.front()->record;
  entry.leg = leg_of(base.record, seen, to_gateway);
  const auto first_total = total_tokens(first.tokens);
  const auto base_total = total_tokens(base.record.tokens);
  if (&first != &base.record && first_total && base_total) {
    entry.legs_tokens_delta =
        static_cast<int64_t>(*first_total) - static_cast<int64_t>(*base_total);
  }
  for (const Observation* other : by_nearness) {
    if (certainty(other->record.tokens) > certainty(entry.record.tokens)) {
      take_tokens(entry.record, other->record);
    }
    fill_answer(entry.record, other->record);
  }
  take_first_abort(entry.record, by_nearness);
  take_caller(entry, by_nearness);
}

void fold_fetched(const LedgerEntry& fetched, LedgerEntry& asked) {
  UsageRecord& mine = asked.record;
  const UsageRecord& theirs = fetched.record;
  // The two exchanges' clocks may differ.
  const int64_t later_ns = fetched.start_epoch_ns - asked.start_epoch_ns;
  const auto on_my_clock = [&](EventTime time) {
    return EventTime{.ns = mine.start.ns + later_ns + (time.ns - theirs.start.ns),
                     .clock = mine.start.clock};
  };
  mine.part = CallPart::kWhole;
  mine.finish = on_my_clock(theirs.finish);
  mine.last_byte = on_my_clock(theirs.last_byte);
  take_tokens(mine, theirs);
  mine.outcome = theirs.outcome;
  mine.error_type = theirs.error_type;
  mine.finish_reason = theirs.finish_reason;
  if (!theirs.response_model.empty()) mine.response_model = theirs.response_model;
  if (!theirs.service_tier.empty()) mine.service_tier = theirs.service_tier;
  mine.inference_geo = theirs.inference_geo;
  mine.speed = theirs.speed;
  mine.tool_calls = theirs.tool_calls;
  mine.tool_call_count = theirs.tool_call_count;
  mine.stated_cost_femtodollars = theirs.stated_cost_femtodollars;
  mine.cost_statement = theirs.cost_statement;
  mine.response_bytes += theirs.response_bytes;
  mine.lost_bytes += theirs.lost_bytes;
}

}  // namespace wiretally::ledger
