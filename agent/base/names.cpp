// The written names of the doors' enumerations, in one place.
#include <strings.h>

#include "wiretally/ledger_entry.h"
#include "wiretally/price.h"
#include "wiretally/usage_record.h"

namespace wiretally {
namespace {

template <typename Enum, size_t N>
std::string_view name_of(const std::string_view (&names)[N], Enum value) {
  const auto index = static_cast<size_t>(value);
  return index < N ? names[index] : std::string_view{};
}

}  // namespace

std::string_view dialect_name(Dialect dialect) {
  static constexpr std::string_view kNames[] = {"unknown",
                                                "openai_chat",
                                                "openai_completions",
                                                "openai_responses",
                                                "openai_embeddings",
                                                "anthropic_messages",
                                                "openai_realtime",
                                                "openai_images",
                                                "openai_audio",
                                                "gemini_generate",
                                                "gemini_embeddings",
                                                "gemini_interactions",
                                                "bedrock_converse",
                                                "bedrock_invoke",
                                                "cohere_v1",
                                                "cohere_v2",
                                                "ollama",
                                                "tgi",
                                                "llamacpp",
                                                "mcp",
                                                "a2a",
                                                "triton",
                                                "lmstudio",
                                                "gemini_live",
                                                "xai_grpc",
                                                "sglang",
                                                "dashscope"};
  return name_of(kNames, dialect);
}

std::string_view operation_name(Operation operation) {
  static constexpr std::string_view kNames[] = {
      "chat",   "text_completion",  "embeddings", "transcription",
      "speech", "image_generation", "rerank",     "tool_call"};
  return name_of(kNames, operation);
}

std::string_view usage_source_name(UsageSource source) {
  static constexpr std::string_view kNames[] = {"none", "estimated", "partial", "reported"};
  return name_of(kNames, source);
}

std::string_view usage_missing_name(UsageMissing reason) {
  static constexpr std::string_view kNames[] = {"",          "not_requested", "aborted",
                                                "gap",       "coding",        "headers_unknown",
                                                "midstream", "not_in_answer", "malformed"};
  return name_of(kNames, reason);
}

std::string_view outcome_name(Outcome outcome) {
  static constexpr std::string_view kNames[] = {"ok",           "http_error",   "stream_error",
                                                "client_abort", "server_abort", "incomplete"};
  return name_of(kNames, outcome);
}

std::string_view finish_reason_name(FinishReason reason) {
  static constexpr std::string_view kNames[] = {
      "", "stop", "length", "tool_calls", "content_filter", "error", "other"};
  return name_of(kNames, reason);
}

std::string_view side_name(Side side) {
  static constexpr std::string_view kNames[] = {"unknown", "client", "server"};
  return name_of(kNames, side);
}

std::string_view leg_name(Leg leg) {
  static constexpr std::string_view kNames[] = {"provider", "gateway", "served"};
  return name_of(kNames, leg);
}

std::string_view price_source_name(PriceSource source) {
  static constexpr std::string_view kNames[] = {"none", "catalog", "override", "provider",
                                                "self_hosted"};
  return name_of(kNames, source);
}

std::string_view opaque_reason_name(OpaqueReason reason) {
  static constexpr std::string_view kNames[] = {"go",   "java",         "rustls", "unknown_build",
                                                "quic", "not_attached", "other"};
  return name_of(kNames, reason);
}

std::optional<std::string_view> Headers::find(std::string_view lower_case_name) const {
  for (const HeaderField& field : fields) {
    if (field.name.size() == lower_case_name.size() &&
        strncasecmp(field.name.data(), lower_case_name.data(), field.name.size()) == 0) {
      return field.value;
    }
  }
  return std::nullopt;
}

}  // namespace wiretally
