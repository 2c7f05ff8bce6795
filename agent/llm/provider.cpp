#include "provider.h"

#include <algorithm>

#include "field_text.h"

namespace wiretally::llm {
namespace {

bool ends_with_no_case(std::string_view text, std::string_view tail) {
  return text.size() >= tail.size() &&
         same_but_for_case(text.substr(text.size() - tail.size()), tail);
}

bool starts_with_no_case(std::string_view text, std::string_view head) {
  return text.size() >= head.size() && same_but_for_case(text.substr(0, head.size()), head);
}

}  // namespace

bool is_host(std::string_view host, std::string_view domain) {
  return same_but_for_case(host, domain) ||
         (ends_with_no_case(host, domain) && host[host.size() - domain.size() - 1] == '.');
}

namespace {

struct HostRow {
  std::string_view domain;
  std::string_view provider;
  // Most of what is sent there is no call (queries, tables, jobs): a connection says nothing.
  bool has_more = false;
};
constexpr HostRow kHosts[] = {
    {"api.openai.com", "openai"},
    {"openai.azure.com", "azure.ai.openai"},
    {"openai.azure.us", "azure.ai.openai"},
    {"cognitiveservices.azure.com", "azure.ai.openai"},
    {"api.anthropic.com", "anthropic"},
    {"api.groq.com", "groq"},
    {"api.deepseek.com", "deepseek"},
    {"api.mistral.ai", "mistral_ai"},
    {"codestral.mistral.ai", "mistral_ai"},
    {"api.x.ai", "x_ai"},
    {"api.perplexity.ai", "perplexity"},
    {"openrouter.ai", "openrouter"},
    {"ai-gateway.vercel.sh", "vercel_ai_gateway"},
    {"api.writer.com", "writer"},
    {"githubcopilot.com", "github_copilot"},
    {"api.together.xyz", "together"},
    {"api.together.ai", "together"},
    {"api.fireworks.ai", "fireworks"},
    {"api.cohere.com", "cohere"},
    {"api.cohere.ai", "cohere"},
    {"api.moonshot.ai", "moonshot_ai"},
    {"api.moonshot.cn", "moonshot_ai"},
    {"api.cerebras.ai", "cerebras"},
    {"api.z.ai", "zai"},
    {"api.minimax.io", "minimax"},
    {"api.voyageai.com", "voyage"},
    {"dashscope-intl.aliyuncs.com", "dashscope"},
    {"dashscope-us.aliyuncs.com", "dashscope"},
    {"dashscope.aliyuncs.com", "dashscope_cn"},  // has prices of its own
    {"api.deepinfra.com", "deepinfra"},
    {"api.sambanova.ai", "sambanova"},
    {"integrate.api.nvidia.com", "nvidia_nim"},
    {"models.github.ai", "github"},
    {"api.cloudflare.com", "cloudflare"},
    {"models.ai.azure.com", "azure.ai.inference"},
    {"inference.ai.azure.com", "azure.ai.inference"},
    {"router.huggingface.co", "huggingface"},
    {"ml.cloud.ibm.com", "ibm.watsonx.ai"},
    {"generativelanguage.googleapis.com", "gcp.gemini"},
    {"cloudcode-pa.googleapis.com", "gcp.code_assist"},
    {"aiplatform.googleapis.com", "gcp.vertex_ai"},
    {"api.venice.ai", "venice"},
    {"api.doubleword.ai", "doubleword"},
    {"inference.do-ai.run", "digitalocean"},
    {"us.inference.heroku.com", "heroku"},
    {"api.jina.ai", "jina"},
    {"api.ai21.com", "ai21"},
    {"gigachat.devices.sberbank.ru", "gigachat"},
    {"api.novita.ai", "novita"},
    {"api.hyperbolic.xyz", "hyperbolic"},
    {"api.studio.nebius.com", "nebius"},
    {"api.studio.nebius.ai", "nebius"},
    {"api.tokenfactory.nebius.com", "nebius"},
    {"inference.baseten.co", "baseten"},
    {"api.friendli.ai", "friendli"},
    {"api.lambda.ai", "lambda"},
    {"api.featherless.ai", "featherless"},
    {"api.siliconflow.com", "siliconflow"},
    {"api.siliconflow.cn", "siliconflow"},
    {"api.stepfun.com", "stepfun"},
    {"api.upstage.ai", "upstage"},
    {"llm.chutes.ai", "chutes"},
    {"api.llama.com", "meta_llama"},
    {"api.scaleway.ai", "scaleway"},
    {"ai.cloud.ovh.net", "ovhcloud", true},
    // In China, in another currency than elsewhere: providers of their own.
    {"api.minimaxi.com", "minimax_cn"},
    {"api.minimax.chat", "minimax_cn"},
    {"open.bigmodel.cn", "zhipu"},
    {"ark.cn-beijing.volces.com", "volcengine"},
    {"azuredatabricks.net", "databricks", true},
    {"cloud.databricks.com", "databricks", true},
    {"gcp.databricks.com", "databricks", true},
    {"snowflakecomputing.com", "snowflake", true},
};

struct HeaderRow {
  std::string_view name;
  std::string_view provider;
};
constexpr HeaderRow kAnswerHeaders[] = {
    {"openai-version", "openai"},
    {"openai-organization", "openai"},
    {"anthropic-organization-id", "anthropic"},
    {"x-groq-region", "groq"},
    {"x-generation-id", "openrouter"},
    {"fireworks-prompt-tokens", "fireworks"},
    {"x-amzn-bedrock-input-token-count", "aws.bedrock"},
    {"x-amzn-bedrock-invocation-latency", "aws.bedrock"},
    {"x-gemini-service-tier", "gcp.gemini"},
};

// How gateways call the providers behind them.
std::string_view provider_of_word(std::string_view word) {
  struct Row {
    std::string_view word;
    std::string_view provider;
  };
  static constexpr Row kWords[] = {{"openai", "openai"},
                                   {"anthropic", "anthropic"},
                                   {"azure-openai", "azure.ai.openai"},
                                   {"azure", "azure.ai.openai"},
                                   {"google-ai-studio", "gcp.gemini"},
                                   {"google", "gcp.gemini"},
                                   {"gemini", "gcp.gemini"},
                                   {"google-vertex-ai", "gcp.vertex_ai"},
                                   {"vertex-ai", "gcp.vertex_ai"},
                                   {"aws-bedrock", "aws.bedrock"},
                                   {"bedrock", "aws.bedrock"},
                                   {"workers-ai", "cloudflare"},
                                   {"groq", "groq"},
                                   {"mistral", "mistral_ai"},
                                   {"mistral-ai", "mistral_ai"},
                                   {"cohere", "cohere"},
                                   {"perplexity-ai", "perplexity"},
                                   {"deepseek", "deepseek"},
                                   {"grok", "x_ai"},
                                   {"x-ai", "x_ai"},
                                   {"openrouter", "openrouter"},
                                   {"together-ai", "together"},
                                   {"fireworks-ai", "fireworks"},
                                   {"cerebras", "cerebras"}};
  for (const Row& row : kWords) {
    if (row.word == word) return row.provider;
  }
  return {};
}

// Cloudflare's gateway: /v1/{account}/{gateway}/{provider}/…; its path `compat` names none.
std::string_view provider_of_mount(std::string_view path) {
  for (int skipped = 0; skipped < 3; ++skipped) {
    const size_t slash = path.find('/', 1);
    if (slash == path.npos) return {};
    path.remove_prefix(slash);
  }
  return provider_of_word(path.substr(1, path.find('/', 1) - 1));
}

// https://api.openai.com/v1/ → api.openai.com
std::string_view host_of_url(std::string_view url) {
  const size_t scheme = url.find("://");
  if (scheme != url.npos) url.remove_prefix(scheme + 3);
  return url.substr(0, url.find_first_of("/:?"));
}

}  // namespace

std::string_view provider_of_host(std::string_view host, std::string_view path) {
  for (const HostRow& row : kHosts) {
    if (is_host(host, row.domain)) return row.provider;
  }
  if (is_host(host, "services.ai.azure.com")) {
    const bool of_others = path.find("/anthropic/") != path.npos || path.starts_with("/models/") ||
                           path.find("/providers/") != path.npos;
    return of_others ? "azure.ai.inference" : "azure.ai.openai";
  }
  if (is_host(host, "gateway.ai.cloudflare.com")) return provider_of_mount(path);
  // Codex under a login, where no token has a price. Everything else there is the web page's own:
  // by the host alone it is nobody's, and its connections are not counted.
  if (is_host(host, "chatgpt.com")) {
    return path.starts_with("/backend-api/codex/") ? "openai.codex" : "";
  }
  const bool of_a_region =
      ends_with_no_case(host, "-aiplatform.googleapis.com") ||
      (starts_with_no_case(host, "aiplatform.") && is_host(host, "rep.googleapis.com"));
  if (of_a_region) return "gcp.vertex_ai";
  const bool of_aws = is_host(host, "amazonaws.com") || is_host(host, "api.aws");
  // An interface endpoint puts a name of its own in front.
  const bool of_bedrock = starts_with_no_case(host, "bedrock-") ||
                          host.find(".bedrock-runtime.") != std::string_view::npos;
  if (of_aws && of_bedrock) return "aws.bedrock";
  if (of_aws && starts_with_no_case(host, "aws-external-anthropic.")) return "anthropic";
  if (path.find("/openai/deployments/") != std::string_view::npos) return "azure.ai.openai";
  // The package of a gRPC service is its maker's.
  struct PackageRow {
    std::string_view package;
    std::string_view provider;
  };
  static constexpr PackageRow kPackages[] = {{"/xai_api.", "x_ai"},
                                             {"/google.ai.generativelanguage.", "gcp.gemini"},
                                             {"/google.cloud.aiplatform.", "gcp.vertex_ai"}};
  for (const PackageRow& row : kPackages) {
    if (path.find(row.package) != std::string_view::npos) return row.provider;
  }
  return {};
}

bool is_llm_host(std::string_view host) {
  for (const HostRow& row : kHosts) {
    if (is_host(host, row.domain)) return !row.has_more;
  }
  return !provider_of_host(host, {}).empty();
}

std::string_view provider_of_answer_headers(const Headers& headers) {
  // Databricks passes on what those behind it say: Azure, OpenAI, AWS.
  if (headers.find("x-databricks-org-id").has_value()) return "databricks";
  // Azure passes OpenAI's own headers on.
  if (headers.find("apim-request-id").has_value() || headers.find("x-ms-region").has_value()) {
    return headers.find("openai-version").has_value() ||
                   headers.find("x-ms-deployment-name").has_value()
               ? "azure.ai.openai"
               : std::string_view();
  }
  for (const HeaderRow& row : kAnswerHeaders) {
    if (headers.find(row.name).has_value()) return row.provider;
  }
  // What gateways tell of whom they asked: Portkey a word, Kong word/model, LiteLLM an address.
  for (std::string_view name : {"x-portkey-provider", "x-kong-llm-model"}) {
    const std::string_view word = headers.find(name).value_or("");
    const std::string_view provider = provider_of_word(word.substr(0, word.find('/')));
    if (!provider.empty()) return provider;
  }
  if (const auto address = headers.find("x-litellm-model-api-base")) {
    const std::string_view provider = provider_of_host(host_of_url(*address), {});
    if (!provider.empty()) return provider;
  }
  const std::optional<std::string_view> server = headers.find("server");
  if (server.has_value() && same_but_for_case(*server, "llama.cpp")) return "llamacpp";
  return {};
}

std::string_view provider_of_answer_body(const AnswerNotes& notes) {
  if (notes.fingerprint.view() == "fp_ollama") return "ollama";
  if (notes.usage.get(UsageField::kCacheReadApart).has_value()) return "llamacpp";
  if (notes.of_groq) return "groq";
  return {};
}

namespace {

bool header_has(const Headers& headers, std::string_view name, std::string_view part) {
  const std::optional<std::string_view> value = headers.find(name);
  return value.has_value() && value->find(part) != value->npos;
}

}  // namespace

bool request_head_proves(Dialect dialect, std::string_view provider, const Headers& headers) {
  // Paths that others have too: no SDK of OpenAI's proves anything there.
  switch (dialect) {
    case Dialect::kXaiGrpc:
      return true;  // by its path and the content type of gRPC
    case Dialect::kOllama:
      return header_has(headers, "host", ":11434") || header_has(headers, ":authority", ":11434") ||
             header_has(headers, "user-agent", "ollama");
    case Dialect::kCohereV1:
    case Dialect::kCohereV2:
      return provider == "cohere" || header_has(headers, "x-fern-sdk-name", "cohere");
    case Dialect::kGeminiGenerate:
    case Dialect::kGeminiInteractions:
      return !provider.empty() || headers.find("x-goog-api-key").has_value();
    case Dialect::kDashscope:
      return !provider.empty() || headers.find("x-dashscope-sse").has_value();
    case Dialect::kTgi:
    case Dialect::kSglang:
    case Dialect::kLlamacpp:
    case Dialect::kTriton:
    case Dialect::kLmstudio:
      return false;
    case Dialect::kMcp:
    case Dialect::kA2a:
      return false;
    case Dialect::kBedrockConverse:
    case Dialect::kBedrockInvoke:
      return provider == "aws.bedrock" ||
             header_has(headers, "authorization", "/bedrock/aws4_request");
    default:
      break;
  }
  if (dialect == Dialect::kAnthropicMessages) {
    return provider == "anthropic" || headers.find("anthropic-version").has_value();
  }
  static constexpr std::string_view kSdkHeaders[] = {"x-stainless-lang", "openai-organization",
                                                     "openai-project"};
  return !provider.empty() ||
         std::any_of(std::begin(kSdkHeaders), std::end(kSdkHeaders),
                     [&](std::string_view name) { return headers.find(name).has_value(); });
}

bool answer_head_proves(const Headers& headers) {
  static constexpr std::string_view kNames[] = {
      "openai-version", "openai-processing-ms", "anthropic-organization-id",
      "x-groq-region",  "x-litellm-call-id",    "x-generated-tokens"};
  return std::any_of(std::begin(kNames), std::end(kNames),
                     [&](std::string_view name) { return headers.find(name).has_value(); });
}

namespace {

struct GatewayRow {
  std::string_view mark;  // a header that only this gateway sends
  std::string_view gateway;
  std::string_view cache_header;  // "" = it tells nothing of a cache
  // Providers have one in front of their own APIs too (Mistral): on their hosts it says nothing.
  bool anybodys = false;
};
constexpr GatewayRow kGateways[] = {
    {"x-litellm-call-id", "litellm", ""},
    {"x-litellm-version", "litellm", ""},
    {"x-portkey-trace-id", "portkey", "x-portkey-cache-status"},
    {"x-portkey-cache-status", "portkey", "x-portkey-cache-status"},
    {"cf-aig-log-id", "cloudflare", "cf-aig-cache-status"},
    {"cf-aig-cache-status", "cloudflare", "cf-aig-cache-status"},
    {"helicone-id", "helicone", "helicone-cache"},
    {"helicone-cache", "helicone", "helicone-cache"},
    {"x-kong-llm-model", "kong", "x-cache-status"},
    {"x-kong-request-id", "kong", "x-cache-status", true},
    {"x-ai-cache-status", "apisix", "x-ai-cache-status"},
};

// HIT, Hit, HIT-L1, SEMANTIC HIT
bool is_hit(std::string_view word) {
  return starts_with_no_case(word, "hit") || ends_with_no_case(word, " hit");
}

}  // namespace

void note_gateway_of_request(const Headers& request_headers, UsageRecord& record) {
  struct Row {
    std::string_view name;
    std::string_view gateway;
  };
  static constexpr Row kHostsOfGateways[] = {{"gateway.ai.cloudflare.com", "cloudflare"},
                                             {"azure-api.net", "apim"},
                                             {"helicone.ai", "helicone"},
                                             {"api.portkey.ai", "portkey"}};
  static constexpr Row kMarks[] = {{"ocp-apim-subscription-key", "apim"},
                                   {"cf-aig-authorization", "cloudflare"},
                                   {"helicone-auth", "helicone"},
                                   {"x-portkey-api-key", "portkey"},
                                   {"x-portkey-virtual-key", "portkey"}};
  const std::string_view host = record.server_name.view();
  if (!provider_of_host(host, {}).empty()) return;
  for (const Row& row : kHostsOfGateways) {
    if (is_host(host, row.name)) record.gateway.assign(row.gateway);
  }
  for (const Row& row : kMarks) {
    if (record.gateway.empty() && request_headers.find(row.name)) {
      record.gateway.assign(row.gateway);
    }
  }
}

void note_gateway(const Headers& answer_headers, UsageRecord& record) {
  // Some providers have one of these products at their own door: Mistral answers as Kong.
  if (!provider_of_host(record.server_name.view(), {}).empty()) return;
  for (const GatewayRow& row : kGateways) {
    if (!answer_headers.find(row.mark).has_value()) continue;
    const std::string_view host = record.server_name.view();
    if (row.anybodys && (host.empty() || !provider_of_host(host, {}).empty())) continue;
    record.gateway.assign(row.gateway);
    if (!row.cache_header.empty()) {
      const std::string_view word = answer_headers.find(row.cache_header).value_or("");
      record.cache_status.assign(word);
      record.served_from_cache = is_hit(word);
    }
    break;
  }
  // LiteLLM names the key only of answers that came out of its cache.
  if (record.gateway.view() == "litellm" && answer_headers.find("x-litellm-cache-key")) {
    record.cache_status.assign("hit");
    record.served_from_cache = true;
  }
}

}  // namespace wiretally::llm
