// Which hosts and headers make a gateway, and which attempt a request is.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "record_facts.h"

namespace wiretally::llm {
namespace {

UsageRecord heads(std::string_view host, std::vector<HeaderField> asked,
                  std::vector<HeaderField> answered) {
  UsageRecord record;
  asked.push_back({"host", host});
  RequestHead request;
  request.method = "POST";
  request.target = "/v1/chat/completions";
  request.headers.fields = asked;
  note_request_head(request, record);
  ResponseHead response;
  response.status = 200;
  response.headers.fields = answered;
  note_answer_head(response, record);
  return record;
}

TEST(GatewayMarks, AnswersSayIt) {
  EXPECT_EQ(heads("llm.corp", {}, {{"x-litellm-call-id", "1"}}).gateway.view(), "litellm");
  EXPECT_EQ(heads("llm.corp", {}, {{"x-kong-request-id", "1"}}).gateway.view(), "kong");
  EXPECT_EQ(heads("llm.corp", {}, {{"x-portkey-trace-id", "1"}}).gateway.view(), "portkey");
  EXPECT_TRUE(heads("llm.corp", {}, {{"x-request-id", "1"}}).gateway.empty());
}

TEST(GatewayMarks, SoDoHostsAndRequests) {
  EXPECT_EQ(heads("corp.azure-api.net", {}, {}).gateway.view(), "apim");
  EXPECT_EQ(heads("oai.helicone.ai", {}, {}).gateway.view(), "helicone");
  EXPECT_EQ(heads("llm.corp", {{"ocp-apim-subscription-key", "k"}}, {}).gateway.view(), "apim");
  EXPECT_TRUE(heads("notazure-api.net", {}, {}).gateway.empty());
}

// Mistral's own door is Kong; and a gateway may send its caller's headers on.
TEST(GatewayMarks, AKnownProvidersHostIsNone) {
  EXPECT_TRUE(heads("api.mistral.ai", {}, {{"x-kong-request-id", "1"}}).gateway.empty());
  EXPECT_TRUE(heads("api.openai.com", {{"ocp-apim-subscription-key", "k"}}, {}).gateway.empty());
}

TEST(AttemptMarks, KeysAndCounts) {
  const UsageRecord first =
      heads("h", {{"idempotency-key", "a"}, {"x-stainless-retry-count", "0"}}, {});
  const UsageRecord second =
      heads("h", {{"Idempotency-Key", "a"}, {"X-Stainless-Retry-Count", "1"}}, {});
  const UsageRecord other = heads("h", {{"idempotency-key", "b"}}, {});
  EXPECT_TRUE(first.attempt_key.known());
  EXPECT_EQ(first.attempt_key, second.attempt_key);
  EXPECT_FALSE(first.attempt_key == other.attempt_key);
  EXPECT_EQ(first.earlier_attempts, 0u);
  EXPECT_EQ(second.earlier_attempts, 1u);
  EXPECT_FALSE(other.earlier_attempts);
  const UsageRecord aws =
      heads("h", {{"amz-sdk-invocation-id", "i"}, {"amz-sdk-request", "attempt=3; max=5"}}, {});
  EXPECT_TRUE(aws.attempt_key.known());
  EXPECT_EQ(aws.earlier_attempts, 2u);
  for (const std::string_view bad : {"", "-1", "many", "99999999999999999999", "1001"}) {
    EXPECT_FALSE(heads("h", {{"x-stainless-retry-count", bad}}, {}).earlier_attempts) << bad;
  }
  EXPECT_FALSE(heads("h", {{"amz-sdk-request", "attempt=0; max=5"}}, {}).earlier_attempts);
}

}  // namespace
}  // namespace wiretally::llm
