#include "families.h"

namespace wiretally::sinks {
namespace {

constexpr bool kId = true;  // an identifying label

// Aligned as a table; in the order of Family.
// clang-format off
constexpr std::array<FamilySpec, kFamilyCount> kFamilies = {{
    {"llm_requests_total", "Calls to LLM APIs, counted once each.", Kind::kCounter, Unit::kOne, Cap::kSeries,
     {{{"leg"}, {"provider", kId}, {"model", kId}, {"operation"}, {"stream"}, {"status", kId}, {"outcome"}}}},
    {"llm_tokens_total", "Tokens by disjoint type, so that a sum never counts one twice; source says how sure the number is.", Kind::kCounter, Unit::kOne, Cap::kSeries,
     {{{"leg"}, {"provider", kId}, {"model", kId}, {"type"}, {"source"}}}},
    {"llm_cost_usd_total", "Cost in USD of reported tokens; what has no price is in llm_unpriced_tokens_total.", Kind::kCounter, Unit::kPicodollars, Cap::kSeries,
     {{{"leg"}, {"provider", kId}, {"model", kId}, {"type"}, {"price_source"}}}},
    {"llm_unpriced_tokens_total", "Tokens for which no price is known.", Kind::kCounter, Unit::kOne, Cap::kSeries,
     {{{"provider", kId}, {"model", kId}}}},
    {"llm_stated_costs_total", "Calls whose answer says what they cost, by how that compares with the price book.", Kind::kCounter, Unit::kOne, Cap::kSeries,
     {{{"provider", kId}, {"model", kId}, {"verdict"}}}},
    {"llm_stated_cost_usd_total", "Cost in USD of those calls that both know, as the provider states it and as the price book has it.", Kind::kCounter, Unit::kPicodollars, Cap::kSeries,
     {{{"provider", kId}, {"model", kId}, {"by"}}}},
    {"llm_usage_missing_total", "Answered calls whose token usage is unknown, by reason.", Kind::kCounter, Unit::kOne, Cap::kSeries,
     {{{"provider", kId}, {"model", kId}, {"reason"}}}},
    {"llm_errors_total", "Calls that the provider answered with an error, by the error's type.", Kind::kCounter, Unit::kOne, Cap::kSeries,
     {{{"provider", kId}, {"model", kId}, {"error_type"}}}},
    {"llm_rate_limited_total", "Calls refused with 429, by the limit that the answer says was met.", Kind::kCounter, Unit::kOne, Cap::kSeries,
     {{{"provider", kId}, {"model", kId}, {"limit"}}}},
    {"llm_requests_in_flight", "Observations of calls that are open now.", Kind::kGauge, Unit::kOne, Cap::kSeries,
     {{{"provider", kId}, {"model", kId}}}},
    {"llm_tool_calls_total", "Tool calls that answers asked for.", Kind::kCounter, Unit::kOne, Cap::kTool,
     {{{"provider", kId}, {"model", kId}, {"tool", kId}}}},
    {"llm_request_duration_seconds", "Time from the first byte of the request to the last byte of the answer.", Kind::kHistogram, Unit::kNanoseconds, Cap::kSeries,
     {{{"provider", kId}, {"model", kId}, {"outcome"}}}},
    {"llm_time_to_first_token_seconds", "Time from the first byte of the request to the first event with generated content; streams only.", Kind::kHistogram, Unit::kNanoseconds, Cap::kSeries,
     {{{"provider", kId}, {"model", kId}}}},
    {"llm_time_per_output_token_seconds", "Time between first and last content event divided by the output tokens but one; streams only.", Kind::kHistogram, Unit::kNanoseconds, Cap::kSeries,
     {{{"provider", kId}, {"model", kId}}}},
    {"llm_stream_stall_seconds", "Longest pause between two content events of a stream.", Kind::kHistogram, Unit::kNanoseconds, Cap::kSeries,
     {{{"provider", kId}}}},
    {"llm_model_mismatch_total", "Calls answered by another model than was asked for.", Kind::kCounter, Unit::kOne, Cap::kSeries,
     {{{"provider", kId}, {"requested", kId}, {"served", kId}}}},
    {"llm_rate_limit_remaining", "What the provider last said remains of a rate limit; goes away when its window has passed, or after a minute where the provider tells no window.", Kind::kGauge, Unit::kOne, Cap::kSeries,
     {{{"provider", kId}, {"kind"}, {"key_id", kId}}}},
    {"llm_backend_requests_total", "Calls by the address that answered.", Kind::kCounter, Unit::kOne, Cap::kSeries,
     {{{"server_address", kId}, {"status", kId}}}},
    {"llm_backend_request_duration_seconds", "Duration of calls by the address that answered.", Kind::kHistogram, Unit::kNanoseconds, Cap::kSeries,
     {{{"server_address", kId}}}},
    {"llm_gateway_cache_total", "Calls through a gateway by what its response cache said.", Kind::kCounter, Unit::kOne, Cap::kSeries,
     {{{"gateway", kId}, {"result"}}}},
    {"llm_leg_token_difference_total", "Tokens by which the legs of one call differ: what the client's leg shows more, or less, than the provider's.", Kind::kCounter, Unit::kOne, Cap::kSeries,
     {{{"provider", kId}, {"model", kId}, {"direction"}}}},
    {"llm_workload_requests_total", "Calls by the workload that made them.", Kind::kCounter, Unit::kOne, Cap::kSeries,
     {{{"leg"}, {"namespace", kId}, {"workload", kId}, {"provider", kId}, {"model", kId}}}},
    {"llm_workload_tokens_total", "Tokens by workload and disjoint type.", Kind::kCounter, Unit::kOne, Cap::kSeries,
     {{{"leg"}, {"namespace", kId}, {"workload", kId}, {"provider", kId}, {"model", kId}, {"type"}}}},
    {"llm_workload_cost_usd_total", "Cost in USD by workload.", Kind::kCounter, Unit::kPicodollars, Cap::kSeries,
     {{{"leg"}, {"namespace", kId}, {"workload", kId}, {"provider", kId}, {"model", kId}, {"type"}}}},
    {"llm_subject_requests_total", "Calls by the subject of their token (JWT).", Kind::kCounter, Unit::kOne, Cap::kSubject,
     {{{"issuer", kId}, {"subject", kId}, {"application", kId}}}},
    {"llm_subject_tokens_total", "Tokens by subject and disjoint type.", Kind::kCounter, Unit::kOne, Cap::kSubject,
     {{{"issuer", kId}, {"subject", kId}, {"application", kId}, {"type"}}}},
    {"llm_subject_cost_usd_total", "Cost in USD by subject.", Kind::kCounter, Unit::kPicodollars, Cap::kSubject,
     {{{"issuer", kId}, {"subject", kId}, {"application", kId}, {"type"}}}},
    {"llm_key_requests_total", "Calls by the keyed hash of their credential.", Kind::kCounter, Unit::kOne, Cap::kSubject,
     {{{"key_id", kId}}}},
    {"llm_key_tokens_total", "Tokens by credential and disjoint type.", Kind::kCounter, Unit::kOne, Cap::kSubject,
     {{{"key_id", kId}, {"type"}}}},
    {"llm_key_cost_usd_total", "Cost in USD by credential.", Kind::kCounter, Unit::kPicodollars, Cap::kSubject,
     {{{"key_id", kId}, {"type"}}}},
    {"llm_connections_total", "Connections to known LLM hosts: plain ones are decoded, opaque ones are not.", Kind::kCounter, Unit::kOne, Cap::kSeries,
     {{{"server", kId}, {"visibility"}, {"reason"}}}},
    {"wiretally_calls_total", "Counted calls by how well their usage is known.", Kind::kCounter, Unit::kOne, Cap::kSeries,
     {{{"accounting"}}}},
    {"wiretally_late_twins_total", "Observations of calls that had been counted before; they move nothing.", Kind::kCounter, Unit::kOne, Cap::kSeries,
     {{{"kind"}}}},
    {"wiretally_suspects_total", "Paths that looked like an LLM API's and were not.", Kind::kCounter, Unit::kOne, Cap::kSeries,
     {{{"dialect"}}}},
    {"wiretally_estimator_error_ratio", "By how much estimates of streams that do report were wrong, over what they reported; above 0.5 nothing is estimated.", Kind::kGauge, Unit::kMillionths, Cap::kSeries,
     {{{"provider", kId}, {"dialect"}, {"model", kId}, {"type"}}}},
}};
// clang-format on

// OpenTelemetry's GenAI durations (doubling from 10 ms), extended to ten minutes.
constexpr int64_t kMs = 1'000'000;
constexpr std::array<int64_t, 17> kBucketsNs = {
    10 * kMs,     20 * kMs,     40 * kMs,      80 * kMs,      160 * kMs,     320 * kMs,
    640 * kMs,    1'280 * kMs,  2'560 * kMs,   5'120 * kMs,   10'240 * kMs,  20'480 * kMs,
    40'960 * kMs, 81'920 * kMs, 163'840 * kMs, 327'680 * kMs, 600'000 * kMs,
};

}  // namespace

const FamilySpec& spec_of(Family family) { return kFamilies[static_cast<size_t>(family)]; }

std::span<const int64_t> bucket_bounds_ns() { return kBucketsNs; }

}  // namespace wiretally::sinks
