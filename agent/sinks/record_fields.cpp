#include "record_fields.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "text.h"

namespace wiretally::sinks {
namespace {

constexpr int kNanoDigits = 9;
constexpr int kPicoDigits = 12;
constexpr int kMoneyFractionMin = 7;  // a tenth of a microdollar: the grain of list prices

std::string_view credential_kind_name(CredentialKind kind) {
  static constexpr std::string_view kNames[] = {"none", "jwt", "api_key", "aws_sigv4", "oauth"};
  const auto index = static_cast<size_t>(kind);
  return index < std::size(kNames) ? kNames[index] : std::string_view{};
}

std::string_view http_version_name(HttpVersion version) {
  static constexpr std::string_view kNames[] = {"1.0", "1.1", "2"};
  const auto index = static_cast<size_t>(version);
  return index < std::size(kNames) ? kNames[index] : std::string_view{};
}

std::optional<int64_t> after(EventTime from, const std::optional<EventTime>& to) {
  return to ? elapsed_ns(from, *to) : std::nullopt;
}

std::optional<uint64_t> total_tokens(const UsageRecord& record) {
  const TokenCounts& tokens = record.tokens;
  if (!operation_has_output(record.operation) && !tokens.output) return tokens.input;
  if (!tokens.input || !tokens.output) return std::nullopt;
  return *tokens.input + *tokens.output;
}

std::optional<Picodollars> sum(const std::optional<Picodollars>& a,
                               const std::optional<Picodollars>& b) {
  if (!a) return b;
  if (!b) return a;
  return Picodollars{static_cast<int64_t>(*a) + static_cast<int64_t>(*b)};
}

// Turns typed values into the visitor's four kinds.
class Fields {
 public:
  explicit Fields(FieldVisitor& visitor) : visitor_(visitor) {}

  void null(std::string_view name) { visitor_.null(name); }
  void text(std::string_view name, std::string_view value) {
    value.empty() ? visitor_.null(name) : visitor_.text(name, value);
  }
  void boolean(std::string_view name, bool value) {
    visitor_.number(name, value ? "true" : "false");
  }
  void boolean(std::string_view name, const std::optional<bool>& value) {
    value ? boolean(name, *value) : null(name);
  }
  template <typename Number>
  void integer(std::string_view name, const std::optional<Number>& value) {
    if (!value) return null(name);
    scratch_.clear();
    append_integer(scratch_, *value);
    visitor_.number(name, scratch_);
  }
  void integer(std::string_view name, uint64_t value) {
    integer(name, std::optional<uint64_t>(value));
  }
  void seconds(std::string_view name, const std::optional<int64_t>& ns) {
    if (!ns) return null(name);
    scratch_.clear();
    append_decimal(scratch_, *ns, kNanoDigits);
    visitor_.number(name, scratch_);
  }
  void money(std::string_view name, const std::optional<Picodollars>& amount) {
    if (!amount) return null(name);
    scratch_.clear();
    append_decimal(scratch_, static_cast<int64_t>(*amount), kPicoDigits, kMoneyFractionMin);
    visitor_.text(name, scratch_);
  }
  void time(std::string_view name, int64_t epoch_ns) {
    scratch_.clear();
    append_time(scratch_, epoch_ns);
    visitor_.text(name, scratch_);
  }
  void address(std::string_view name, const IpAddress& address) {
    scratch_.clear();
    append_address(scratch_, address);
    text(name, scratch_);
  }
  void port(std::string_view name, const Endpoint& endpoint) {
    integer(name, endpoint.known() ? std::optional<uint64_t>(endpoint.port) : std::nullopt);
  }
  void list(std::string_view name, std::span<const std::string_view> values) {
    visitor_.list(name, values);
  }

 private:
  FieldVisitor& visitor_;
  std::string scratch_;
};

void visit_head(const LedgerEntry& entry, Fields& f) {
  const UsageRecord& r = entry.record;
  f.integer("schema", 1);
  f.text("record_id", entry.record_id.view());
  f.time("start_time", entry.start_epoch_ns);
  f.seconds("duration_s", elapsed_ns(r.start, r.last_byte));
  f.seconds("ttfb_s", r.saw_request ? after(r.start, r.response_start) : std::nullopt);
  f.seconds("ttft_s", r.saw_request && r.stream ? after(r.start, r.first_content) : std::nullopt);
  f.text("provider", r.provider.empty() ? "unknown" : r.provider.view());
  f.text("dialect", dialect_name(r.dialect));
  f.text("operation", operation_name(r.operation));
  f.text("method", r.method.view());
  f.text("path", r.path.view());
  f.text("request_model", r.request_model.view());
  f.text("response_model", r.response_model.view());
  f.text("response_id", r.response_id.view());
  f.text("request_id", r.request_id.view());
  f.boolean("stream", r.stream);
  f.text("http_version", r.http_version ? http_version_name(*r.http_version) : "");
  f.integer("status_code", r.status_code);
  f.text("outcome", outcome_name(r.outcome));
  f.text("error_type", r.error_type.view());
  f.text("finish_reason", finish_reason_name(r.finish_reason));
}

void visit_tokens(const LedgerEntry& entry, Fields& f) {
  const UsageRecord& r = entry.record;
  const TokenCounts& t = r.tokens;
  f.integer("input_tokens", t.input);
  f.integer("cache_read_tokens", t.cache_read);
  f.integer("cache_write_5m_tokens", t.cache_write_5m);
  f.integer("cache_write_1h_tokens", t.cache_write_1h);
  f.integer("output_tokens", t.output);
  f.integer("reasoning_tokens", t.reasoning);
  f.integer("input_audio_tokens", t.input_audio);
  f.integer("input_image_tokens", t.input_image);
  f.integer("output_audio_tokens", t.output_audio);
  f.integer("output_image_tokens", t.output_image);
  f.integer("total_tokens", total_tokens(r));
  f.text("input_source", usage_source_name(t.input_source));
  f.text("output_source", usage_source_name(t.output_source));
  f.text("usage_source", usage_source_name(usage_source(r)));
  // Where fields of the heads are unknown, no mark of a cache does not mean that there was none.
  const bool whole_head = r.saw_response && !r.flags.has(RecordFlag::kH2HeadersUnknown);
  const bool known = whole_head || r.served_from_cache;
  f.boolean("served_from_cache", known ? std::optional(r.served_from_cache) : std::nullopt);
  f.text("gateway", r.gateway.view());
  f.text("cache_status", r.cache_status.view());
  f.text("batch_id", r.batch_id.view());
  f.text("batch_custom_id", r.batch_custom_id.view());
}

void visit_cost(const LedgerEntry& entry, Fields& f) {
  const Cost& c = entry.cost;
  f.money("cost_usd", c.total);
  f.money("input_cost_usd", c.input);
  f.money("cache_cost_usd", sum(c.cache_read, c.cache_write));
  f.money("output_cost_usd", c.output);
  f.money("tool_cost_usd", c.tools);
  f.text("price_source", price_source_name(c.source));
  f.text("price_id", c.price_id.view());
}

void visit_answer(const LedgerEntry& entry, Fields& f) {
  const UsageRecord& r = entry.record;
  std::array<std::string_view, 16> tools;
  const size_t tool_count = std::min<size_t>(r.tool_call_count, tools.size());
  for (size_t i = 0; i < tool_count; ++i) tools[i] = r.tool_calls[i].view();
  f.text("service_tier", r.service_tier.view());
  f.list("tool_calls", {tools.data(), tool_count});
  f.integer("server_tool_requests", r.server_tool_requests);
}

void visit_caller(const LedgerEntry& entry, Fields& f) {
  const UsageRecord& r = entry.record;
  const Caller& c = r.caller;
  f.text("subject", c.subject.view());
  f.text("issuer", c.issuer.view());
  f.text("application", c.application.view());
  f.text("tenant", c.tenant.view());
  f.text("audience", c.audience.view());
  f.boolean("subject_verified", c.verified);
  f.text("key_id", c.key_id.view());
  // Where fields of the request are unknown, none found does not mean none sent.
  const bool whole_head = r.saw_request && !r.flags.has(RecordFlag::kH2HeadersUnknown);
  const bool known = whole_head || c.kind != CredentialKind::kNone;
  f.text("credential_kind", known ? credential_kind_name(c.kind) : "");
  f.text("end_user", r.end_user.view());
  f.text("session", r.session.view());
  f.text("team", entry.team.view());
  f.text("organization", r.organization.view());
  const ProcessIdentity process = entry.process.value_or(ProcessIdentity{});
  f.integer("pid", r.pid != 0 ? std::optional<uint64_t>(r.pid) : std::nullopt);
  f.text("process", process.name.view());
  f.text("executable", process.executable.view());
  f.text("container_id", process.container_id.view());
  f.text("pod", process.pod.view());
  f.text("namespace", process.namespace_name.view());
  f.text("workload", process.workload.view());
  f.text("workload_kind", process.workload_kind.view());
  f.text("node", entry.node.view());
}

void visit_addresses(const LedgerEntry& entry, Fields& f) {
  const UsageRecord& r = entry.record;
  if (r.server_name.empty()) {
    f.address("server_address", r.server.address);
  } else {
    f.text("server_address", r.server_name.view());
  }
  if (r.server_port) {
    f.integer("server_port", r.server_port);
  } else {
    f.port("server_port", r.server);
  }
  f.address("client_address", r.client.address);
  f.port("client_port", r.client);
}

void visit_evidence(const LedgerEntry& entry, Fields& f) {
  const UsageRecord& r = entry.record;
  f.text("side", side_name(r.side));
  f.text("leg", leg_name(entry.leg));
  f.integer("legs", entry.legs);
  f.integer("legs_tokens_delta", entry.legs_tokens_delta);
  f.text("duplicate_of", entry.duplicate_of ? entry.duplicate_of->view() : "");
  f.text("source", r.source == Source::kTls ? "tls" : "packet");
  f.integer("rate_limit_remaining_requests", r.rate_limit_remaining_requests);
  f.integer("rate_limit_remaining_tokens", r.rate_limit_remaining_tokens);
  f.text("service", entry.service.view());
  f.text("retry_of", entry.retry_of ? entry.retry_of->view() : "");
  f.integer("request_bytes", r.request_bytes);
  f.integer("response_bytes", r.response_bytes);
  f.integer("lost_bytes", r.lost_bytes);
  std::array<std::string_view, std::size(kRecordFlagNames)> flags;
  size_t count = 0;
  for (size_t i = 0; i < std::size(kRecordFlagNames); ++i) {
    if (r.flags.has(static_cast<RecordFlag>(i))) flags[count++] = kRecordFlagNames[i];
  }
  f.list("flags", {flags.data(), count});
}

}  // namespace

UsageSource usage_source(const UsageRecord& record) {
  const TokenCounts& tokens = record.tokens;
  if (!operation_has_output(record.operation)) return tokens.input_source;
  return std::min(tokens.input_source, tokens.output_source);
}

void visit_fields(const LedgerEntry& entry, FieldVisitor& visitor) {
  Fields fields(visitor);
  visit_head(entry, fields);
  visit_tokens(entry, fields);
  visit_cost(entry, fields);
  visit_answer(entry, fields);
  visit_caller(entry, fields);
  visit_addresses(entry, fields);
  visit_evidence(entry, fields);
}

}  // namespace wiretally::sinks
