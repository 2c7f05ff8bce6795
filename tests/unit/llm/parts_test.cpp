// The room's smaller parts: targets, providers, model names, merging.
#include <gtest/gtest.h>

#include "dialect_table.h"
#include "notes.h"
#include "provider.h"
#include "target.h"
#include "usage_merge.h"

namespace wiretally::llm {
namespace {

TEST(Target, Forms) {
  EXPECT_EQ(split_target("/a/b?c=/d#e").path, "/a/b");
  EXPECT_EQ(split_target("http://h:1?x").path, "/");
  EXPECT_EQ(split_target("http://h:1?x").authority, "h:1");
  EXPECT_EQ(split_target("https://[::1]:8/p").authority, "[::1]:8");
  EXPECT_EQ(split_target("/redirect?to=http://h/p").authority, "");
  EXPECT_EQ(split_target("").path, "/");
}

TEST(Target, Authorities) {
  const auto split = [](std::string_view text) {
    const Authority authority = split_authority(text);
    return std::string(authority.host) + "|" +
           (authority.port.has_value() ? std::to_string(*authority.port) : "");
  };
  EXPECT_EQ(split("h"), "h|");
  EXPECT_EQ(split("h:443"), "h|443");
  EXPECT_EQ(split("[::1]:8080"), "::1|8080");
  EXPECT_EQ(split("[fe80::1]"), "fe80::1|");
  EXPECT_EQ(split("user@h:1"), "h|1");
  EXPECT_EQ(split("h:99999"), "h|");
  EXPECT_EQ(split("h:"), "h|");
  EXPECT_EQ(split(""), "|");
}

TEST(Target, AzureDeployments) {
  EXPECT_EQ(azure_deployment("/openai/deployments/a%2Fb/chat/completions").view(), "a/b");
  EXPECT_EQ(azure_deployment("/x/openai/deployments/a%zz/embeddings").view(), "a%zz");
  EXPECT_EQ(azure_deployment("/openai/v1/chat/completions").view(), "");
}

TEST(Target, ModelsInPaths) {
  const auto model = [](std::string_view path) { return std::string(model_of_path(path).view()); };
  EXPECT_EQ(model("/v1beta/models/gemini-2.5-flash:generateContent"), "gemini-2.5-flash");
  EXPECT_EQ(model("/v1/projects/p/locations/l/publishers/anthropic/models/claude@1:rawPredict"),
            "claude@1");
  EXPECT_EQ(model("/v1/projects/p/locations/l/endpoints/42:generateContent"), "42");
  EXPECT_EQ(model("/model/us.anthropic.claude-v1%3A0/invoke"), "us.anthropic.claude-v1:0");
  EXPECT_EQ(model("/gw/bedrock/model/arn:aws:bedrock:r:1:inference-profile/x.y/converse"),
            "arn:aws:bedrock:r:1:inference-profile/x.y");
  EXPECT_EQ(model("/v1/models"), "");
  EXPECT_EQ(model("/model/"), "");
  EXPECT_EQ(model("/v1/messages"), "");
}

TEST(DialectTable, TheChooserTakesAnyPrefix) {
  struct Row {
    std::string_view path;
    std::string_view dialect;
  };
  static constexpr Row kRows[] = {
      {"/v1beta/models/m:generateContent", "gemini_generate"},
      {"/google-vertex/v1/publishers/google/models/m:streamGenerateContent", "gemini_generate"},
      {"/v1/projects/p/locations/l/publishers/google/models/gemini-embedding-001:predict",
       "gemini_embeddings"},
      {"/v1/projects/p/locations/l/publishers/google/models/imagen-4:predict", "none"},
      {"/v1beta/models/m:countTokens", "none"},
      {"/v1beta/interactions", "gemini_interactions"},
      {"/v1/p/publishers/anthropic/models/c:streamRawPredict", "anthropic_messages"},
      {"/v1/p/publishers/anthropic/models/count-tokens:rawPredict", "none"},
      {"/v1/p/publishers/mistralai/models/m:rawPredict", "openai_chat"},
      {"/anthropic/v1/messages/", "anthropic_messages"},
      {"/bedrock/model/a.b/converse", "bedrock_converse"},
      {"/model/arn%3Aaws%3Abedrock%3Ax/converse-stream", "bedrock_converse"},
      {"/model/a.b/invoke", "bedrock_invoke"},
      {"/model/arn%3Aaws%3Abedrock%3Ax/invoke-with-response-stream", "bedrock_invoke"},
      {"/model/7/invoke", "none"},
      {"/lambda/invoke", "none"},
      {"/model/a.b/count-tokens", "none"},
      {"/v1/chat", "cohere_v1"},
      {"/cohere/v2/chat", "cohere_v2"},
      {"/v2/rerank", "cohere_v2"},
      {"/api/chat", "ollama"},
      {"/api/generate", "ollama"},
      {"/generate", "tgi"},
      {"/completion", "llamacpp"},
      {"/v1/images/edits", "openai_images"},
      {"/openai/deployments/d/audio/transcriptions", "openai_audio"},
      {"/v1/traces/ingest", "none"},
      {"/mcp", "mcp"}};
  for (const Row& row : kRows) {
    const DialectSpec* spec = suspect_dialect(row.path);
    EXPECT_EQ(spec == nullptr ? "none" : dialect_name(spec->dialect), row.dialect) << row.path;
  }
}

TEST(DialectTable, PathTails) {
  const auto dialect = [](std::string_view path) {
    const DialectSpec* spec = suspect_dialect(path);
    return spec == nullptr ? std::string_view("none") : dialect_name(spec->dialect);
  };
  EXPECT_EQ(dialect("/v1/chat/completions"), "openai_chat");
  EXPECT_EQ(dialect("/api/paas/v4/chat/completions/"), "openai_chat");
  EXPECT_EQ(dialect("/v1/completions"), "openai_completions");
  EXPECT_EQ(dialect("/gw/anthropic/v1/messages"), "anthropic_messages");
  EXPECT_EQ(dialect("/openai/responses"), "openai_responses");
  EXPECT_EQ(dialect("/v1/responses/compact"), "openai_responses");
  EXPECT_EQ(dialect("/v1/embeddings"), "openai_embeddings");
  EXPECT_EQ(dialect("/serving-endpoints/a/served-models/b/invocations"), "openai_chat");
  for (std::string_view path :
       {"/v1/messages/count_tokens", "/v1/messages/batches", "/v1/responses/input_tokens",
        "/v1/moderations", "/v1/batches", "/v1/models", "/v1/chat/completions/chatcmpl-1", "/",
        "/mymessages", "/v1/threads/t/messages", "/endpoints/a/invocations",
        "/serving-endpoints/invocations", "/serving-endpoints//invocations"}) {
    EXPECT_EQ(dialect(path), "none") << path;
  }
}

TEST(Provider, Hosts) {
  EXPECT_EQ(provider_of_host("api.openai.com", "/"), "openai");
  EXPECT_EQ(provider_of_host("EU.API.OpenAI.com", "/"), "openai");
  EXPECT_EQ(provider_of_host("notapi.openai.com.evil.example", "/"), "");
  EXPECT_EQ(provider_of_host("xapi.openai.com", "/"), "");
  EXPECT_EQ(provider_of_host("acme.openai.azure.com", "/"), "azure.ai.openai");
  EXPECT_EQ(provider_of_host("10.1.2.3", "/openai/deployments/d/x"), "azure.ai.openai");
  EXPECT_EQ(provider_of_host("a.services.ai.azure.com", "/anthropic/v1/messages"),
            "azure.ai.inference");
  EXPECT_EQ(provider_of_host("us-east5-aiplatform.googleapis.com", "/"), "gcp.vertex_ai");
  EXPECT_EQ(provider_of_host("bedrock-mantle.us-east-1.api.aws", "/"), "aws.bedrock");
  EXPECT_EQ(provider_of_host("127.0.0.1", "/v1/chat/completions"), "");
  EXPECT_EQ(provider_of_host("", "/"), "");
  EXPECT_EQ(provider_of_host("adb-1.2.azuredatabricks.net", "/"), "databricks");
  EXPECT_EQ(provider_of_host("chatgpt.com", "/backend-api/codex/responses"), "openai.codex");
  EXPECT_EQ(provider_of_host("chatgpt.com", "/backend-api/conversation"), "");
  EXPECT_EQ(provider_of_host("api.minimaxi.com", "/"), "minimax_cn");
  EXPECT_EQ(provider_of_host("oai.endpoints.kepler.ai.cloud.ovh.net", "/"), "ovhcloud");
}

TEST(Provider, AConnectionSaysNothingWhereMostIsNoCall) {
  EXPECT_TRUE(is_llm_host("api.openai.com"));
  EXPECT_TRUE(is_llm_host("us-east5-aiplatform.googleapis.com"));
  EXPECT_FALSE(is_llm_host("adb-1.2.azuredatabricks.net"));
  EXPECT_FALSE(is_llm_host("acme-prod.snowflakecomputing.com"));
  EXPECT_FALSE(is_llm_host("chatgpt.com"));
  EXPECT_FALSE(is_llm_host("example.com"));
}

TEST(Models, IdsOfBedrock) {
  EXPECT_TRUE(same_bedrock_model("us.anthropic.claude-3-5-sonnet-20240620-v1:0",
                                 "claude-3-5-sonnet-20240620"));
  EXPECT_TRUE(same_bedrock_model("anthropic.claude-opus-4-7", "claude-opus-4-7"));
  EXPECT_FALSE(same_bedrock_model("anthropic.claude-opus-4-7", "claude-haiku-4-5"));
  EXPECT_FALSE(same_bedrock_model("gpt-4", "gpt-4o"));
}

TEST(Models, DatedSnapshotsAreTheSame) {
  EXPECT_TRUE(same_model("claude-opus-4-7@20260416", "claude-opus-4-7-20260416"));
  EXPECT_TRUE(same_model("gemini-2.0-flash", "gemini-2.0-flash-001"));
  EXPECT_TRUE(same_model("gpt-4o", "gpt-4o-2024-11-20"));
  EXPECT_TRUE(same_model("GigaChat-2", "GigaChat-2:2.0.28.2"));
  EXPECT_TRUE(same_model("GigaChat-2:2.0.28.2", "GigaChat-2:2.0.28.2"));
  EXPECT_FALSE(same_model("GigaChat-2:2.0.28.2", "GigaChat-2:2.1.0.1"));
  EXPECT_FALSE(same_model("qwen3", "qwen3:0.6b"));
  EXPECT_TRUE(same_model("claude-sonnet-4", "claude-sonnet-4-20250514"));
  EXPECT_TRUE(same_model("claude-x-latest", "claude-x-20250514"));
  EXPECT_TRUE(same_model("claude-x", "claude-x@20250514"));
  EXPECT_TRUE(same_model("gpt-4", "gpt-4-0613"));
  EXPECT_FALSE(same_model("gpt-4o-2024-05-13", "gpt-4o-2024-11-20"));
  EXPECT_TRUE(same_model("anthropic/claude-sonnet-4.5", "anthropic/claude-4.5-sonnet-20250929"));
  EXPECT_FALSE(same_model("claude-sonnet-4.5", "claude-4.5-haiku-x"));
  EXPECT_FALSE(same_model("a-b-b", "a-a-b"));
  EXPECT_FALSE(same_model("gpt-4o", "gpt-4o-mini"));
  EXPECT_FALSE(same_model("claude-opus-4-7", "deepseek-v4-pro"));
}

JsonEvent number(uint64_t value) {
  JsonEvent event;
  event.kind = JsonEvent::Kind::kNumber;
  event.integer = value;
  return event;
}

TEST(UsageSheet, ZeroesFillButNeverOverwrite) {
  UsageSheet sheet;
  UsageSheet frame;
  frame.note(UsageField::kInput, number(12));
  sheet.merge(frame);
  UsageSheet zeros;
  zeros.note(UsageField::kInput, number(0));
  zeros.note(UsageField::kOutput, number(0));
  sheet.merge(zeros);
  EXPECT_EQ(sheet.get(UsageField::kInput), 12u);
  EXPECT_EQ(sheet.get(UsageField::kOutput), 0u);
  EXPECT_EQ(sheet.get(UsageField::kTotal), std::nullopt);
}

TEST(UsageSheet, MalformedMakesUnknownUntilTheNextNumber) {
  UsageSheet sheet;
  sheet.note(UsageField::kInput, number(5));
  JsonEvent fraction;
  fraction.kind = JsonEvent::Kind::kNumber;
  sheet.note(UsageField::kInput, fraction);
  EXPECT_EQ(sheet.get(UsageField::kInput), std::nullopt);
  EXPECT_TRUE(sheet.malformed());
  UsageSheet frame;
  frame.note(UsageField::kInput, number(6));
  sheet.merge(frame);
  EXPECT_EQ(sheet.get(UsageField::kInput), 6u);
  EXPECT_FALSE(sheet.malformed());
}

TEST(UsageMerge, AnthropicSplitFollowsTheTotal) {
  UsageSheet sheet;
  sheet.set(UsageField::kInput, 1);
  sheet.set(UsageField::kCacheWrite, 30);
  sheet.set(UsageField::kCacheWrite5m, 60);
  sheet.set(UsageField::kCacheWrite1h, 40);
  TokenCounts tokens;
  RecordFlags flags;
  normalise_anthropic(sheet, {}, tokens, flags);
  EXPECT_EQ(tokens.input, 31u);
  EXPECT_EQ(tokens.cache_write_1h, 30u);
  EXPECT_EQ(tokens.cache_write_5m, 0u);
  EXPECT_TRUE(flags.empty());
}

}  // namespace
}  // namespace wiretally::llm
