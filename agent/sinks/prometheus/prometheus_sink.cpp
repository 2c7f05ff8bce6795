#include "prometheus_sink.h"

#include <algorithm>
#include <chrono>

#include "record_fields.h"
#include "token_types.h"

namespace wiretally::sinks {
namespace {

constexpr std::string_view kOther = "other";
constexpr size_t kOwnTextBytes = 64 * 1024;  // help texts and the sink's own metrics
constexpr int64_t kMinuteNs = 60LL * 1'000'000'000;

// Error types that providers document; everything else is `other`. Sorted.
constexpr std::string_view kErrorTypes[] = {"ABORTED",
                                            "ALREADY_EXISTS",
                                            "AccessDeniedException",
                                            "BadRequestError",
                                            "CANCELLED",
                                            "DATA_LOSS",
                                            "DEADLINE_EXCEEDED",
                                            "DeploymentNotFound",
                                            "ExpiredTokenException",
                                            "FAILED_PRECONDITION",
                                            "INTERNAL",
                                            "INVALID_ARGUMENT",
                                            "InternalServerException",
                                            "ModelErrorException",
                                            "ModelNotReadyException",
                                            "ModelStreamErrorException",
                                            "ModelTimeoutException",
                                            "NOT_FOUND",
                                            "NotFoundError",
                                            "OUT_OF_RANGE",
                                            "PERMISSION_DENIED",
                                            "RESOURCE_EXHAUSTED",
                                            "ResourceNotFoundException",
                                            "ResponsibleAIPolicyViolation",
                                            "ServiceQuotaExceededException",
                                            "ServiceUnavailableException",
                                            "ThrottlingException",
                                            "UNAUTHENTICATED",
                                            "UNAVAILABLE",
                                            "UNIMPLEMENTED",
                                            "UNKNOWN",
                                            "UnrecognizedClientException",
                                            "ValidationException",
                                            "api_error",
                                            "authentication_error",
                                            "billing_error",
                                            "billing_not_active",
                                            "content_filter",
                                            "content_policy_violation",
                                            "context_length_exceeded",
                                            "conversation_already_has_active_response",
                                            "gateway_timeout",
                                            "insufficient_quota",
                                            "insufficient_system_resource",
                                            "internalServerException",
                                            "internal_error",
                                            "internal_server_error",
                                            "invalid_api_key",
                                            "invalid_authentication",
                                            "invalid_organization",
                                            "invalid_prompt",
                                            "invalid_request",
                                            "invalid_request_error",
                                            "invalid_value",
                                            "missing_required_parameter",
                                            "modelStreamErrorException",
                                            "model_not_active",
                                            "model_not_found",
                                            "not_found_error",
                                            "overloaded_error",
                                            "payment_required",
                                            "permission_error",
                                            "previous_response_not_found",
                                            "rate_limit_error",
                                            "rate_limit_exceeded",
                                            "rate_limit_reached",
                                            "rate_limited",
                                            "request_too_large",
                                            "requests",
                                            "server_error",
                                            "serviceUnavailableException",
                                            "service_unavailable",
                                            "string_above_max_length",
                                            "throttlingException",
                                            "timeout_error",
                                            "tokens",
                                            "tokens_usage_based",
                                            "unknown_parameter",
                                            "unsupported_parameter",
                                            "unsupported_value",
                                            "validationException",
                                            "vector_store_timeout"};
static_assert(std::is_sorted(std::begin(kErrorTypes), std::end(kErrorTypes)));

std::string_view known_error_type(std::string_view type) {
  return std::binary_search(std::begin(kErrorTypes), std::end(kErrorTypes), type) ? type : kOther;
}

bool is_success(const UsageRecord& record) {
  constexpr uint16_t kSwitchingProtocols = 101;  // a turn on a WebSocket
  if (!record.status_code) return false;
  const uint16_t status = *record.status_code;
  return (status >= 200 && status < 300) || status == kSwitchingProtocols;
}

std::string_view or_unknown(std::string_view text) { return text.empty() ? "unknown" : text; }

// The written forms of a cache header's word.
std::string_view cache_result(std::string_view word) {
  const auto is = [&](std::string_view lower) {
    return word.size() == lower.size() &&
           std::equal(word.begin(), word.end(), lower.begin(),
                      [](char a, char b) { return (a | 0x20) == b; });
  };
  for (const std::string_view known : {"hit", "miss", "bypass", "refresh", "expired", "true"}) {
    if (is(known)) return known == "true" ? "hit" : known;
  }
  return is("false") ? "miss" : kOther;
}

std::string_view accounting_of(const UsageRecord& record) {
  switch (usage_source(record)) {
    case UsageSource::kReported:
      return "full";
    case UsageSource::kPartial:
    case UsageSource::kEstimated:
      return "partial";
    case UsageSource::kNone:
      break;
  }
  // A refused call used nothing, and nothing is missing of it.
  const bool refused = (record.outcome == Outcome::kHttpError ||
                        record.outcome == Outcome::kStreamError) &&  // a status of gRPC
                       record.usage_missing == UsageMissing::kNot &&
                       record.saw_response;
  return refused ? "full" : "none";
}

// Where the answer came from: the backend's own address where packets show it, else its name.
std::string backend_of(const UsageRecord& record) {
  std::string text;
  uint16_t port = record.server_port.value_or(0);
  if (record.server.known()) {
    const bool v6 = record.server.address.version == 6;
    if (v6) text.push_back('[');
    append_address(text, record.server.address);
    if (v6) text.push_back(']');
    port = record.server.port;
  } else {
    text.append(record.server_name.view());
  }
  if (!text.empty() && port != 0) text.append(":").append(std::to_string(port));
  return text;
}

}  // namespace

struct PrometheusSink::Call {
  const LedgerEntry& entry;
  const UsageRecord& record;
  std::string_view leg;
  std::string_view provider;
  std::string_view model;
  std::string_view namespace_name;
  std::string_view workload;
  std::string status;
  std::string backend;

  // Chargeback by token or key is for calls that carry one.
  bool has_subject() const {
    return !record.caller.subject.empty() || !record.caller.issuer.empty() ||
           !record.caller.application.empty();
  }
  bool has_key() const { return !record.caller.key_id.empty(); }
};

PrometheusSink::PrometheusSink(const Limits& limits, PrometheusOptions options)
    : options_([&] {
        if (!options.now_ns) {
          options.now_ns = [] {
            return std::chrono::steady_clock::now().time_since_epoch() /
                   std::chrono::nanoseconds(1);
          };
        }
        return std::move(options);
      }()) {
  for (size_t i = 0; i < kFamilyCount; ++i) {
    const auto family = static_cast<Family>(i);
    const FamilySpec& spec = spec_of(family);
    const size_t caps[] = {limits.series_per_family_max, limits.subject_series_max,
                           limits.tool_series_max};
    SeriesOptions series{.budget = &budget_,
                         .zero_scrapes = options_.zero_scrapes,
                         .idle_ns = options_.idle_ns,
                         .series_max = caps[static_cast<size_t>(spec.cap)],
                         .label_bytes_max = limits.label_bytes_max};
    if (family == Family::kRateLimit) series.idle_ns = kMinuteNs;
    series.gauge_expires_at_zero_only = family == Family::kInFlight;
    tables_[i] = std::make_unique<SeriesTable>(spec, series);
  }
  // Families of a few fixed label sets are there from the start.
  for (const std::string_view accounting : {"full", "partial", "none"}) {
    add(Family::kCalls, {accounting}, 0);
  }
  for (const std::string_view kind : {"same_bytes", "same_id", "nested"})
    add(Family::kLateTwins, {kind}, 0);
}

void PrometheusSink::add(Family family, std::initializer_list<std::string_view> labels,
                         Wide amount) {
  table(family).add({labels.begin(), labels.size()}, amount, now());
}

void PrometheusSink::observe(Family family, std::initializer_list<std::string_view> labels,
                             int64_t ns) {
  table(family).observe({labels.begin(), labels.size()}, ns, now());
}

// --- labels --------------------------------------------------------------------------------------

bool PrometheusSink::knows(std::string_view provider, std::string_view model) const {
  return !model.empty() && options_.prices != nullptr && options_.prices->knows(provider, model);
}

// Anybody can ask for a model of any name: only a name that the answer or the catalog vouches for
// becomes a label.
std::string_view PrometheusSink::model_label(const UsageRecord& record) const {
  const std::string_view served = record.response_model.view();
  const std::string_view asked = record.request_model.view();
  if (!served.empty() && (is_success(record) || knows(record.provider.view(), served))) {
    return served;
  }
  return knows(record.provider.view(), asked) ? asked : kOther;
}

// --- entries -------------------------------------------------------------------------------------

void PrometheusSink::on_entry(const LedgerEntry& entry) {
  if (entry.duplicate_of) return;
  const UsageRecord& record = entry.record;
  Call call{.entry = entry,
            .record = record,
            .leg = leg_name(entry.leg),
            .provider = or_unknown(record.provider.view()),
            .model = model_label(record),
            .namespace_name = {},
            .workload = "unknown",
            .status = record.status_code ? std::to_string(*record.status_code) : "none",
            .backend = backend_of(record)};
  if (entry.process) {
    const ProcessIdentity& process = *entry.process;
    call.namespace_name = process.namespace_name.view();
    call.workload =
        or_unknown(process.workload.empty() ? process.name.view() : process.workload.view());
  }
  count_requests(call);
  count_tokens(call);
  count_cost(call);
  count_times(call);
  count_extras(call);
}

void PrometheusSink::count_requests(const Call& call) {
  const UsageRecord& r = call.record;
  add(Family::kRequests,
      {call.leg, call.provider, call.model, operation_name(r.operation),
       r.stream ? "true" : "false", call.status, outcome_name(r.outcome)},
      1);
  add(Family::kCalls, {accounting_of(r)}, 1);
  add(Family::kWorkloadRequests,
      {call.leg, call.namespace_name, call.workload, call.provider, call.model}, 1);
  if (call.has_subject()) {
    const Caller& c = r.caller;
    add(Family::kSubjectRequests, {c.issuer.view(), c.subject.view(), c.application.view()}, 1);
  }
  if (call.has_key()) add(Family::kKeyRequests, {r.caller.key_id.view()}, 1);
  if (!call.backend.empty()) add(Family::kBackendRequests, {call.backend, call.status}, 1);
  if (r.usage_missing != UsageMissing::kNot) {
    add(Family::kUsageMissing, {call.provider, call.model, usage_missing_name(r.usage_missing)}, 1);
  }
  if (r.outcome == Outcome::kHttpError || r.outcome == Outcome::kStreamError) {
    add(Family::kErrors, {call.provider, call.model, known_error_type(r.error_type.view())}, 1);
  }
  constexpr uint16_t kTooManyRequests = 429;
  if (r.status_code == kTooManyRequests) {
    const std::string_view limit = r.rate_limited_by.view();
    add(Family::kRateLimited, {call.provider, call.model, limit.empty() ? "unknown" : limit}, 1);
  }
}

void PrometheusSink::count_tokens(const Call& call) {
  for_each_token_type(call.record.tokens,
                      [&](std::string_view type, UsageSource source, uint64_t tokens) {
                        count_token_kind(call, type, source, tokens);
                      });
}

void PrometheusSink::count_token_kind(const Call& call, std::string_view type, UsageSource source,
                                      Wide amount) {
  add(Family::kTokens, {call.leg, call.provider, call.model, type, usage_source_name(source)},
      amount);
  if (source == UsageSource::kEstimated) return;  // the other families cannot tell them apart
  add(Family::kWorkloadTokens,
      {call.leg, call.namespace_name, call.workload, call.provider, call.model, type}, amount);
  const Caller& c = call.record.caller;
  if (call.has_subject()) {
    add(Family::kSubjectTokens, {c.issuer.view(), c.subject.view(), c.application.view(), type},
        amount);
  }
  if (call.has_key()) add(Family::kKeyTokens, {c.key_id.view(), type}, amount);
  if (call.entry.leg == Leg::kProvider && call.entry.cost.source == PriceSource::kNone) {
    add(Family::kUnpricedTokens, {call.provider, call.model}, amount);
  }
}

void PrometheusSink::count_cost(const Call& call) {
  const Cost& cost = call.entry.cost;
  count_stated_cost(call);
  if (!cost.total) return;
  const Caller& c = call.record.caller;
  Wide rest = static_cast<int64_t>(*cost.total);
  const auto count = [&](std::string_view type, Wide amount) {
    if (amount == 0) return;
    rest -= amount;
    add(Family::kCost, {call.leg, call.provider, call.model, type, price_source_name(cost.source)},
        amount);
    add(Family::kWorkloadCost,
        {call.leg, call.namespace_name, call.workload, call.provider, call.model, type}, amount);
    if (call.entry.leg != Leg::kProvider) return;  // these families have no leg: money counts once
    if (call.has_subject()) {
      add(Family::kSubjectCost, {c.issuer.view(), c.subject.view(), c.application.view(), type},
          amount);
    }
    if (call.has_key()) add(Family::kKeyCost, {c.key_id.view(), type}, amount);
  };
  const auto part = [&](std::string_view type, const std::optional<Picodollars>& amount) {
    if (amount) count(type, static_cast<int64_t>(*amount));
  };
  part("input", cost.input);
  part("cache_read", cost.cache_read);
  part("cache_write", cost.cache_write);
  part("output", cost.output);
  part("tools", cost.tools);
  if (rest > 0) count("unsplit", rest);  // the provider stated a total without parts
}

// Where the answer says what it cost: that, and what the price book would have said of the same
// calls. Their difference is by how much one of them is wrong.
void PrometheusSink::count_stated_cost(const Call& call) {
  const Cost& cost = call.entry.cost;
  if (!cost.stated || call.entry.leg != Leg::kProvider) return;
  const std::string_view verdict = cost.stated_doubtful            ? "doubtful_zero"
                                   : !cost.by_book                 ? "no_price"
                                   : *cost.stated == *cost.by_book ? "equal"
                                                                   : "different";
  add(Family::kStatedCosts, {call.provider, call.model, verdict}, 1);
  if (!cost.by_book) return;
  const auto amount = [&](std::string_view by, Picodollars money) {
    add(Family::kStatedCost, {call.provider, call.model, by}, static_cast<int64_t>(money));
  };
  amount("provider", *cost.stated);
  amount("price_book", *cost.by_book);
}

void PrometheusSink::count_times(const Call& call) {
  const UsageRecord& r = call.record;
  if (!r.batch_id.empty() || !r.batch_custom_id.empty())
    return;  // how long its results took to fetch
  const auto duration = elapsed_ns(r.start, r.last_byte);
  if (duration && r.saw_request && r.saw_response) {
    observe(Family::kDuration,
            {call.provider, call.model, r.outcome == Outcome::kOk ? "ok" : "error"}, *duration);
    if (!call.backend.empty()) observe(Family::kBackendDuration, {call.backend}, *duration);
  }
  if (!r.stream || !r.first_content) return;
  const auto ttft = elapsed_ns(r.start, *r.first_content);
  if (ttft && r.saw_request) observe(Family::kTimeToFirstToken, {call.provider, call.model}, *ttft);
  const auto content =
      r.last_content ? elapsed_ns(*r.first_content, *r.last_content) : std::optional<int64_t>();
  if (!content || *content == 0) return;
  observe(Family::kStall, {call.provider}, r.longest_stall_ns);
  if (r.tokens.output_source == UsageSource::kReported && r.tokens.output.value_or(0) >= 2) {
    const auto steps = static_cast<int64_t>(std::min<uint64_t>(*r.tokens.output - 1, INT64_MAX));
    observe(Family::kTimePerOutputToken, {call.provider, call.model}, *content / steps);
  }
}

void PrometheusSink::count_extras(const Call& call) {
  const UsageRecord& r = call.record;
  for (size_t i = 0; i < std::min<size_t>(r.tool_call_count, r.tool_calls.size()); ++i) {
    add(Family::kToolCalls, {call.provider, call.model, r.tool_calls[i].view()}, 1);
  }
  if (r.flags.has(RecordFlag::kModelMismatch) && is_success(r)) {
    add(Family::kModelMismatch,
        {call.provider, or_unknown(r.request_model.view()), or_unknown(r.response_model.view())},
        1);
  }
  if (!r.gateway.empty() && !r.cache_status.empty()) {
    add(Family::kGatewayCache, {r.gateway.view(), cache_result(r.cache_status.view())}, 1);
  }
  if (const int64_t delta = call.entry.legs_tokens_delta.value_or(0); delta != 0) {
    add(Family::kLegDifference, {call.provider, call.model, delta > 0 ? "more" : "less"},
        delta > 0 ? delta : -Wide{delta});
  }
  // The answer's head told it; a long stream ends much later.
  const int64_t age_ns =
      r.response_start ? elapsed_ns(*r.response_start, r.finish).value_or(0) : int64_t{0};
  const auto limit = [&](std::string_view kind, const std::optional<uint64_t>& remaining,
                         const std::optional<int64_t>& reset_ns) {
    if (!remaining) return;
    const std::string_view labels[] = {call.provider, kind, r.caller.key_id.view()};
    const int64_t told_ns = now() - age_ns;
    table(Family::kRateLimit)
        .set_until(labels, *remaining, told_ns, told_ns + reset_ns.value_or(kMinuteNs), now());
  };
  limit("requests", r.rate_limit_remaining_requests, r.rate_limit_requests_reset_ns);
  limit("tokens", r.rate_limit_remaining_tokens, r.rate_limit_tokens_reset_ns);
}

// --- everything else -----------------------------------------------------------------------------

void PrometheusSink::on_call_opened(const CallOpened& call) {
  const std::string_view model = call.request_model.view();
  add(Family::kInFlight,
      {or_unknown(call.provider.view()), knows(call.provider.view(), model) ? model : kOther}, 1);
}

void PrometheusSink::on_call_closed(const CallOpened& call) {
  const std::string_view model = call.request_model.view();
  add(Family::kInFlight,
      {or_unknown(call.provider.view()), knows(call.provider.view(), model) ? model : kOther}, -1);
}

void PrometheusSink::on_suspect(Dialect dialect) {
  add(Family::kSuspects, {dialect_name(dialect)}, 1);
}

void PrometheusSink::on_late_twin(std::string_view kind) { add(Family::kLateTwins, {kind}, 1); }

void PrometheusSink::on_connection(std::string_view server, bool plain, std::string_view reason) {
  add(Family::kConnections, {server, plain ? "plain" : "opaque", plain ? "" : reason}, 1);
  const int64_t number = now() / kMinuteNs;
  const std::lock_guard lock(coverage_mutex_);
  Minute& minute = coverage_[static_cast<size_t>(number) % kCoverageMinutes];
  if (minute.number != number) minute = {.number = number};
  plain ? ++minute.plain : ++minute.opaque;
}

// Models that may not become a label have no error of their own to show.
void PrometheusSink::on_estimator(const UsageRecord& record, TokenSide side, EstimatorError error) {
  const std::string_view model = model_label(record);
  if (model == kOther || error.reported == 0) return;
  constexpr Wide kMillionths = 1'000'000;
  const std::string_view labels[] = {or_unknown(record.provider.view()),
                                     dialect_name(record.dialect), model,
                                     side == TokenSide::kInput ? "input" : "output"};
  table(Family::kEstimatorError)
      .set_until(labels, static_cast<Wide>(error.off_by) * kMillionths / error.reported, now(),
                 INT64_MAX, now());
}

// --- scrapes -------------------------------------------------------------------------------------

Scrape PrometheusSink::scrape(Reader reader) {
  Scrape scrape;
  scrape.number = ++scrapes_;
  scrape.text.reserve(budget_.bytes + kOwnTextBytes);
  for (const auto& table : tables_) table->write(reader, scrape.number, now(), scrape.text);
  write_coverage(scrape.text);
  write_own(scrape.text);
  return scrape;
}

uint64_t PrometheusSink::worst_case_bytes(const Limits& limits) {
  // A series' key stands once in the table and in each of its lines; the lightest series weighs a
  // hundred bytes of text, so there are no more than this many.
  constexpr uint64_t kLightest = 100;
  constexpr uint64_t kSeriesBytes = 256;  // a map's node with its histogram's share
  const uint64_t text = limits.exposition_bytes_max + kOwnTextBytes;
  return limits.exposition_bytes_max + text / kLightest * kSeriesBytes + Limits::scrapes_max * text;
}

void PrometheusSink::delivered(const Scrape& scrape) {
  for (const auto& table : tables_) table->delivered(scrape.number);
}

void PrometheusSink::write_coverage(std::string& out) {
  const int64_t oldest = now() / kMinuteNs - static_cast<int64_t>(kCoverageMinutes);
  uint64_t plain = 0, all = 0;
  {
    const std::lock_guard lock(coverage_mutex_);
    for (const Minute& minute : coverage_) {
      if (minute.number <= oldest) continue;
      plain += minute.plain;
      all += minute.plain + minute.opaque;
    }
  }
  if (all == 0) return;
  out.append(
      "# HELP wiretally_coverage_ratio Share of the last hour's connections to known LLM hosts "
      "that "
      "were decoded.\n# TYPE wiretally_coverage_ratio gauge\nwiretally_coverage_ratio ");
  append_decimal(out, static_cast<Wide>(plain) * 1'000'000 / all, 6);
  out.push_back('\n');
}

void PrometheusSink::write_own(std::string& out) {
  const auto family = [&](std::string_view name, std::string_view type, std::string_view help,
                          auto value_of) {
    out.append("# HELP ").append(name).append(" ").append(help);
    out.append("\n# TYPE ").append(name).append(" ").append(type).push_back('\n');
    for (size_t i = 0; i < kFamilyCount; ++i) {
      out.append(name).append("{metric=\"").append(spec_of(static_cast<Family>(i)).name);
      out.append("\"} ");
      append_integer(out, static_cast<Wide>(value_of(*tables_[i])));
      out.push_back('\n');
    }
  };
  family("wiretally_series", "gauge", "Label sets that a metric has now.",
         [](const SeriesTable& table) { return table.series(); });
  family("wiretally_series_overflow_total", "counter",
         "Updates that fell into the label value other because a metric had too many label sets.",
         [](const SeriesTable& table) { return table.overflows(); });
}

}  // namespace wiretally::sinks
