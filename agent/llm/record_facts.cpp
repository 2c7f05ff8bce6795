#include "record_facts.h"

#include <charconv>
#include <initializer_list>

#include "body_digest.h"
#include "provider.h"
#include "rate_limits.h"
#include "target.h"

namespace wiretally::llm {
namespace {

// The value of the first of these headers that is there and not empty.
std::string_view first_of(const Headers& headers, std::initializer_list<std::string_view> names) {
  for (std::string_view name : names) {
    const std::optional<std::string_view> value = headers.find(name);
    if (value.has_value() && !value->empty()) return *value;
  }
  return {};
}

std::optional<uint64_t> number_of(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

void note_flow(const FlowInfo& flow, Direction request_direction, UsageRecord& record) {
  const bool a_asks = request_direction == Direction::kAToB;
  record.client = a_asks ? flow.a : flow.b;
  record.server = a_asks ? flow.b : flow.a;
  record.source = flow.source;
  record.pid = flow.pid;
  record.process_start_ns = flow.process_start_ns;
  // For a probed connection a→b is what the process wrote.
  if (flow.source == Source::kTls) record.side = a_asks ? Side::kClient : Side::kServer;
}

namespace {

Authority authority_of(const RequestHead& head, const Target& target) {
  std::string_view host = target.authority;
  if (host.empty()) host = first_of(head.headers, {"host", ":authority"});
  return split_authority(host);
}

}  // namespace

std::string_view host_of(const RequestHead& head) {
  return authority_of(head, split_target(head.target)).host;
}

namespace {

// Which attempt this is: Stainless' SDKs (OpenAI, Anthropic, Groq …) and AWS'.
void note_attempt(const Headers& headers, UsageRecord& record) {
  const std::string_view key = first_of(headers, {"idempotency-key", "amz-sdk-invocation-id"});
  if (!key.empty()) {
    BodyDigest digest;
    digest.feed_part(key);
    record.attempt_key = digest.value();
  }
  std::optional<uint64_t> earlier = number_of(first_of(headers, {"x-stainless-retry-count"}));
  // gRPC's own, of calls that its library makes again.
  if (!earlier) earlier = number_of(first_of(headers, {"grpc-previous-rpc-attempts"}));
  // attempt=2; max=3
  static constexpr std::string_view kAttempt = "attempt=";
  std::string_view of_aws = first_of(headers, {"amz-sdk-request"});
  if (of_aws.starts_with(kAttempt)) {
    of_aws.remove_prefix(kAttempt.size());
    const auto attempt = number_of(of_aws.substr(0, of_aws.find(';')));
    if (attempt.value_or(0) > 0) earlier = *attempt - 1;
  }
  constexpr uint64_t kAttemptsMax = 1000;  // beyond, it is no count
  if (earlier && *earlier < kAttemptsMax) {
    record.earlier_attempts = static_cast<uint32_t>(*earlier);
  }
}

}  // namespace

void note_request_head(const RequestHead& head, UsageRecord& record) {
  const Target target = split_target(head.target);
  const Authority authority = authority_of(head, target);
  record.saw_request = true;
  record.start = head.time;
  record.http_version = head.version;
  record.method.assign(head.method);
  if (!head.target.empty()) record.path.assign(target.path);
  record.server_name.assign(authority.host);
  record.server_port = authority.port;
  record.provider.assign(provider_of_host(authority.host, target.path));
  record.request_model = model_of_path(target.path);
  note_gateway_of_request(head.headers, record);
  note_attempt(head.headers, record);
  if (first_of(head.headers, {"x-dashscope-sse"}) == "enable") record.stream = true;
  record.organization.assign(
      first_of(head.headers, {"openai-organization", "x-goog-user-project", "x-hf-bill-to"}));
  if (record.organization.empty()) record.organization.assign(google_project(target.path));
  record.session.assign(
      first_of(head.headers, {"x-claude-code-session-id", "helicone-session-id", "x-session-id",
                              "session_id", "session-id", "x-conversation-id", "conversation_id"}));
}

void note_caller(const RequestHead& head, const CredentialReader& credentials,
                 UsageRecord& record) {
  record.caller = credentials.read(head.headers, head.target);
  const RequestMarks marks = credentials.marks(head.headers);
  record.end_user = marks.end_user;
  if (!marks.session.empty()) record.session = marks.session;
  record.marks = marks.marks;
}

namespace {

// Numbers and errors in headers.
//
// AWS: The type of an error may carry the address of its description behind a
// colon; for many models of InvokeModel the token counts stand nowhere else.
void note_stated_headers(const Headers& headers, UsageRecord& record) {
  const std::string_view error = first_of(headers, {"x-amzn-errortype"});
  record.error_type.assign(error.substr(0, error.find(':')));
  const auto count = [&](std::string_view name) { return number_of(first_of(headers, {name})); };
  TokenCounts& tokens = record.tokens;
  tokens.cache_read = count("x-amzn-bedrock-cache-read-input-token-count");
  tokens.cache_write_5m = count("x-amzn-bedrock-cache-write-input-token-count");
  tokens.output = count("x-amzn-bedrock-output-token-count");
  if (const auto input = count("x-amzn-bedrock-input-token-count")) {
    tokens.input = *input + tokens.cache_read.value_or(0) + tokens.cache_write_5m.value_or(0);
    tokens.input_source = UsageSource::kReported;
  }
  // TGI's, where its own headers stand beside them.
  if (headers.find("x-inference-time").has_value() && !tokens.input.has_value()) {
    tokens.input = count("x-prompt-tokens");
    tokens.output = count("x-generated-tokens");
    if (tokens.input.has_value()) tokens.input_source = UsageSource::kReported;
  }
  if (tokens.output.has_value()) tokens.output_source = UsageSource::kReported;
}

}  // namespace

void note_answer_head(const ResponseHead& head, UsageRecord& record) {
  record.saw_response = true;
  record.response_start = head.time;
  if (head.status != 0) record.status_code = head.status;
  if (head.headers.unknown) record.flags.set(RecordFlag::kH2HeadersUnknown);
  if (!record.http_version.has_value()) record.http_version = head.version;
  record.request_id.assign(first_of(head.headers, {"x-request-id", "request-id", "apim-request-id",
                                                   "x-amzn-requestid", "mistral-correlation-id"}));
  note_rate_limits(head.headers, record);
  record.service_tier.assign(
      first_of(head.headers,
               {"x-gemini-service-tier", "azureai-processed-tier", "x-amzn-bedrock-service-tier"}));
  if (record.organization.empty()) {
    record.organization.assign(
        first_of(head.headers, {"openai-organization", "anthropic-organization-id",
                                "openai-project", "anthropic-workspace-id"}));
  }
  if (record.provider.empty()) {
    record.provider.assign(provider_of_answer_headers(head.headers));
  }
  note_gateway(head.headers, record);
  note_stated_headers(head.headers, record);
  if (const auto cost = head.headers.find("x-litellm-response-cost")) {
    StatedCost stated;
    stated.note(CostStatement::kGatewayHeader, *cost);
    note_stated_cost(stated, record);
  }
}

void note_stated_cost(const StatedCost& cost, UsageRecord& record) {
  const auto total = cost.total();
  if (!total || (*total == 0 && record.stated_cost_femtodollars.value_or(0) > 0)) return;
  record.stated_cost_femtodollars = total;
  record.cost_statement = cost.by;
}

namespace {

// Claude Code packs ids into metadata.user_id as JSON text, or as user_…_session_{uuid}.
std::string_view session_of_user_id(std::string_view user_id) {
  static constexpr std::string_view kMember = "\"session_id\":\"";
  size_t begin = user_id.find(kMember);
  if (begin != std::string_view::npos) {
    begin += kMember.size();
    const size_t end = user_id.find('"', begin);
    return end == std::string_view::npos ? std::string_view() : user_id.substr(begin, end - begin);
  }
  static constexpr std::string_view kMark = "_session_";
  begin = user_id.rfind(kMark);
  if (!user_id.starts_with("user_") || begin == std::string_view::npos) return {};
  return user_id.substr(begin + kMark.size());
}

}  // namespace

void note_request_body(const RequestNotes& notes, const CredentialReader& credentials,
                       UsageRecord& record) {
  if (!notes.model.empty()) record.request_model = notes.model;
  if (!notes.fetched_id.empty()) record.response_id = notes.fetched_id;
  if (notes.stream) record.stream = true;
  if (!notes.tool.empty() && record.operation == Operation::kToolCall) {
    record.tool_calls[0] = notes.tool;
    record.tool_call_count = 1;
  }
  for (const Text<256>* user : {&notes.user, &notes.safety_identifier, &notes.metadata_user_id}) {
    if (user->empty() || !record.end_user.empty()) continue;
    record.end_user = credentials.shown_end_user(*user);
  }
  if (record.session.empty()) record.session = notes.session;
  if (record.session.empty()) {
    record.session.assign(session_of_user_id(notes.metadata_user_id.view()));
  }
  if (notes.text_cut) record.flags.set(RecordFlag::kTextCut);
}

void note_rpc_status(const Headers& headers, std::optional<uint32_t>& status) {
  constexpr uint32_t kUnknown = 2;
  const std::optional<std::string_view> field = headers.find("grpc-status");
  if (!field.has_value()) return;
  const std::optional<uint64_t> number = number_of(*field);
  status = number.has_value() && *number <= UINT32_MAX ? static_cast<uint32_t>(*number) : kUnknown;
}

std::string_view rpc_status_name(uint32_t status) {
  static constexpr std::string_view kNames[] = {"OK",
                                                "CANCELLED",
                                                "UNKNOWN",
                                                "INVALID_ARGUMENT",
                                                "DEADLINE_EXCEEDED",
                                                "NOT_FOUND",
                                                "ALREADY_EXISTS",
                                                "PERMISSION_DENIED",
                                                "RESOURCE_EXHAUSTED",
                                                "FAILED_PRECONDITION",
                                                "ABORTED",
                                                "OUT_OF_RANGE",
                                                "UNIMPLEMENTED",
                                                "INTERNAL",
                                                "UNAVAILABLE",
                                                "DATA_LOSS",
                                                "UNAUTHENTICATED"};
  return kNames[status < std::size(kNames) ? status : 2];
}

void note_words(const AnswerNotes& notes, UsageRecord& record) {
  if (!record.stream) return;
  record.words.content_events = notes.content_events;
  record.words.content_bytes = notes.content_bytes;
}

void note_limits_and_sound(const AnswerNotes& notes, UsageRecord& record) {
  constexpr uint16_t kTooManyRequests = 429;
  record.billed_audio_ms = notes.billed_audio_ms;
  // Both at once: it does not matter which.
  if (record.status_code != kTooManyRequests || notes.requests_limited == notes.tokens_limited) {
    return;
  }
  record.rate_limited_by.assign(notes.requests_limited ? "requests" : "tokens");
}

Outcome outcome_of(const UsageRecord& record, const AnswerState& answer, ExchangeOutcome end) {
  if (answer.seen) {
    if (record.status_code.value_or(0) >= 400) return Outcome::kHttpError;
    if (answer.failed) return Outcome::kStreamError;
    if (answer.complete || answer.terminal) return Outcome::kOk;
  }
  switch (end) {
    case ExchangeOutcome::kClientClosed:
      return Outcome::kClientAbort;
    case ExchangeOutcome::kServerClosed:
      return Outcome::kServerAbort;
    case ExchangeOutcome::kComplete:
    case ExchangeOutcome::kUnknown:
    case ExchangeOutcome::kEndOfInput:
      break;
  }
  return Outcome::kIncomplete;
}

UsageMissing missing_of(const UsageRecord& record, const AnswerState& answer) {
  const uint16_t status = record.status_code.value_or(0);
  constexpr uint16_t kSwitchingProtocols = 101;  // a turn on a WebSocket
  const bool answered = answer.seen && !answer.refused &&
                        (!record.status_code.has_value() || (status >= 200 && status < 300) ||
                         status == kSwitchingProtocols);
  const bool known = record.tokens.input.has_value() &&
                     (record.tokens.output.has_value() || !operation_has_output(record.operation));
  if (!answered || known) return UsageMissing::kNot;
  if (record.flags.has(RecordFlag::kUsageMalformed)) return UsageMissing::kMalformed;
  if (answer.decode_failed) return UsageMissing::kCoding;
  if (answer.lost) return UsageMissing::kGap;
  if (record.flags.has(RecordFlag::kH2HeadersUnknown)) return UsageMissing::kHeadersUnknown;
  if (!answer.complete && !answer.terminal) return UsageMissing::kAborted;
  if (answer.midstream) return UsageMissing::kMidstream;
  if (answer.usage_not_requested && !answer.failed) return UsageMissing::kNotRequested;
  if (answer.request_damaged) return UsageMissing::kGap;
  return UsageMissing::kNotInAnswer;
}

void set_final_flags(UsageRecord& record) {
  const bool cut = record.path.was_cut() || record.request_model.was_cut() ||
                   record.response_model.was_cut() || record.response_id.was_cut() ||
                   record.request_id.was_cut() || record.server_name.was_cut() ||
                   record.end_user.was_cut() || record.session.was_cut() ||
                   record.organization.was_cut() || record.caller.subject.was_cut() ||
                   record.caller.issuer.was_cut() || record.caller.application.was_cut() ||
                   record.caller.tenant.was_cut() || record.caller.audience.was_cut();
  if (cut) record.flags.set(RecordFlag::kTextCut);

  bool clamped = false;
  const auto check = [&](const std::optional<EventTime>& time) {
    if (time.has_value()) elapsed_ns(record.start, *time, &clamped);
  };
  check(record.response_start);
  check(record.first_content);
  check(record.last_content);
  check(record.last_byte);
  if (clamped) record.flags.set(RecordFlag::kTimeClamped);

  // An Azure deployment, an endpoint of Databricks is the customer's own name for some model.
  const std::string_view provider = record.provider.view();
  const bool comparable = !record.request_model.empty() && !record.response_model.empty() &&
                          provider != "azure.ai.openai" && provider != "databricks" &&
                          !record.request_model.view().starts_with("arn:");
  if (comparable && !same_model(record.request_model.view(), record.response_model.view()) &&
      !same_bedrock_model(record.request_model.view(), record.response_model.view())) {
    record.flags.set(RecordFlag::kModelMismatch);
  }
}

}  // namespace wiretally::llm
