#include "batch_results.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "llm_room.h"
#include "unit/llm/gets.h"

namespace wiretally::llm {
namespace {

struct Room {
  explicit Room(Limits limits = {}) : room(limits, 0, credentials, out) {}

  BodyInterest get(uint64_t id, std::string_view target, std::string_view body, size_t cut = 0,
                   uint16_t status = 200) {
    const HeaderField host[] = {{"host", "api.openai.com"}};
    RequestHead request;
    request.flow = &flow;
    request.method = "GET";
    request.target = target;
    request.headers.fields = host;
    request.time = {.ns = 1};
    const ExchangeId exchange{id};
    if (room.on_request(exchange, request) == BodyInterest::kNotLlm) return BodyInterest::kNotLlm;
    room.on_message_end(exchange, Message::kRequest, MessageEnd::kComplete, {.ns = 2});
    ResponseHead response;
    response.flow = &flow;
    response.status = status;
    response.time = {.ns = 3};
    response.headers.fields = answer_headers;
    BodyInterest interest = room.on_response(exchange, response);
    const size_t step = cut == 0 ? std::max<size_t>(1, body.size()) : cut;
    for (size_t i = 0; i < body.size() && interest == BodyInterest::kWanted; i += step) {
      interest = room.on_body(exchange, Message::kResponse, as_bytes(body.substr(i, step)),
                              {.ns = 4 + static_cast<int64_t>(i)});
      if (i == lose_at && lose_at > 0) {
        room.on_body_loss(exchange, Message::kResponse, BodyLoss::kGap, 10, {.ns = 5});
      }
    }
    room.on_message_end(exchange, Message::kResponse, MessageEnd::kComplete, {.ns = 1 << 20});
    room.on_exchange_end(exchange, {.time = {.ns = 1 << 20}, .last_byte = {.ns = 1 << 20}});
    return interest;
  }

  std::vector<HeaderField> answer_headers;
  size_t lose_at = 0;  // something behind the part that begins here
  NoCredentials credentials;
  Records out;
  FlowInfo flow;
  LlmRoom room;
};

const std::string kChatLine =
    R"({"id":"batch_req_1","custom_id":"one","response":{"status_code":200,"request_id":"req-1","body":{"id":"chatcmpl-0123456789abcdef","object":"chat.completion","model":"gpt-5.5-2026-04-23","choices":[{"index":0,"message":{"role":"assistant","content":"hi \"usage\":{\"prompt_tokens\":5}"},"finish_reason":"stop"}],"usage":{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120,"prompt_tokens_details":{"cached_tokens":64}}}},"error":null})";
const std::string kResponsesLine =
    R"({"id":"batch_req_2","custom_id":"two","response":{"status_code":200,"request_id":"req-2","body":{"id":"resp_0123456789abcdef","object":"response","status":"completed","model":"gpt-5.5","output":[{"type":"function_call","id":"f","name":"search"}],"usage":{"input_tokens":7,"output_tokens":3,"output_tokens_details":{"reasoning_tokens":2},"total_tokens":10}}},"error":null})";
const std::string kErrorLine =
    R"({"id":"batch_req_3","custom_id":"three","response":{"status_code":400,"request_id":"req-3","body":{"error":{"message":"no","type":"invalid_request_error","code":"bad"}}},"error":null})";
const std::string kExpiredLine =
    R"({"id":"batch_req_4","custom_id":"four","response":null,"error":{"code":"batch_expired","message":"late"}})";

TEST(BatchResultsTest, EachLineOfAFileIsACall) {
  const std::string file =
      kChatLine + "\n" + kResponsesLine + "\n" + kErrorLine + "\n" + kExpiredLine + "\n";
  for (const size_t cut : {0, 1, 100}) {
    Room room;
    room.get(1, "/v1/files/file-abc/content", file, cut);
    ASSERT_EQ(room.out.records.size(), 3u) << cut;
    const UsageRecord& chat = room.out.records[0];
    EXPECT_EQ(chat.part, CallPart::kFetched);
    EXPECT_EQ(chat.dialect, Dialect::kOpenaiChat);
    EXPECT_EQ(chat.batch_file.view(), "file-abc");
    EXPECT_EQ(chat.batch_custom_id.view(), "one");
    EXPECT_EQ(chat.service_tier.view(), "batch");
    EXPECT_EQ(chat.response_model.view(), "gpt-5.5-2026-04-23");
    EXPECT_EQ(chat.request_id.view(), "req-1");
    EXPECT_EQ(chat.tokens.input, 100u);
    EXPECT_EQ(chat.tokens.cache_read, 64u);
    EXPECT_EQ(chat.tokens.output, 20u);
    EXPECT_EQ(chat.tokens.input_source, UsageSource::kReported);
    EXPECT_EQ(chat.outcome, Outcome::kOk);
    const UsageRecord& response = room.out.records[1];
    EXPECT_EQ(response.dialect, Dialect::kOpenaiResponses);
    EXPECT_EQ(response.index, 1u);
    EXPECT_EQ(response.tokens.reasoning, 2u);
    EXPECT_EQ(response.tool_call_count, 1);
    EXPECT_EQ(response.finish_reason, FinishReason::kToolCalls);
    const UsageRecord& error = room.out.records[2];
    EXPECT_EQ(error.outcome, Outcome::kHttpError);
    EXPECT_EQ(error.status_code, 400);
    EXPECT_EQ(error.error_type.view(), "bad");
    EXPECT_FALSE(error.tokens.input);
  }
}

TEST(BatchResultsTest, AnthropicResults) {
  Room room;
  room.get(
      1, "/v1/messages/batches/msgbatch_01/results",
      R"({"custom_id":"a","result":{"type":"succeeded","message":{"id":"msg_0123456789abcdef","type":"message","role":"assistant","model":"claude-opus-4-7","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","usage":{"input_tokens":10,"cache_read_input_tokens":5,"output_tokens":3,"service_tier":"batch"}}}})"
      "\n"
      R"({"custom_id":"b","result":{"type":"errored","error":{"type":"error","error":{"type":"invalid_request_error"}}}})"
      "\n"
      R"({"custom_id":"c","result":{"type":"expired"}})"
      "\n");
  ASSERT_EQ(room.out.records.size(), 2u);
  const UsageRecord& one = room.out.records[0];
  EXPECT_EQ(one.dialect, Dialect::kAnthropicMessages);
  EXPECT_EQ(one.batch_id.view(), "msgbatch_01");
  EXPECT_EQ(one.tokens.input, 15u);
  EXPECT_EQ(one.tokens.cache_read, 5u);
  EXPECT_EQ(one.tokens.output, 3u);
  EXPECT_EQ(one.finish_reason, FinishReason::kStop);
  EXPECT_EQ(room.out.records[1].outcome, Outcome::kHttpError);
  EXPECT_EQ(room.out.records[1].error_type.view(), "invalid_request_error");
}

TEST(BatchResultsTest, ABatchObjectIsASumOnceItIsCompleted) {
  const auto object = [](std::string_view status, std::string_view input) {
    return R"({"id":"batch_abc","object":"batch","endpoint":"/v1/chat/completions","status":")" +
           std::string(status) +
           R"(","output_file_id":"file-out","model":"gpt-5.5","usage":{"input_tokens":)" +
           std::string(input) + R"(,"output_tokens":50,"total_tokens":250}})";
  };
  Room room;
  room.get(1, "/v1/batches/batch_abc", object("in_progress", "200"));
  EXPECT_TRUE(room.out.records.empty());
  room.get(2, "/v1/batches/batch_abc", object("completed", "200"), 7);
  ASSERT_EQ(room.out.records.size(), 1u);
  EXPECT_EQ(room.out.records[0].part, CallPart::kSum);
  EXPECT_EQ(room.out.records[0].batch_id.view(), "batch_abc");
  EXPECT_EQ(room.out.records[0].batch_file.view(), "file-out");
  EXPECT_EQ(room.out.records[0].tokens.input, 200u);
  EXPECT_EQ(room.out.records[0].service_tier.view(), "batch");
}

std::string gemini_item(std::string_view key, std::string_view input) {
  return R"({"response":{"candidates":[{"content":{"parts":[{"text":"x"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":)" +
         std::string(input) + R"(,"candidatesTokenCount":2,"totalTokenCount":)" +
         std::to_string(std::stoi(std::string(input)) + 2) + R"(}},"metadata":{"key":")" +
         std::string(key) + R"("}})";
}

TEST(BatchResultsTest, GeminisOperationHoldsItsResponsesOnceOrTwice) {
  const std::string list = gemini_item("a", "10") + "," + gemini_item("b", "20");
  const std::string inlined = R"({"inlinedResponses":{"inlinedResponses":[)" + list + "]}}";
  for (const std::string& body :
       {R"({"name":"batches/b1","metadata":{"model":"models/gemini-x"},"done":true,"response":)" +
            inlined + "}",
        R"({"name":"batches/b1","metadata":{"model":"models/gemini-x","output":)" + inlined +
            R"(},"done":true,"response":)" + inlined + "}",
        R"({"name":"batches/b1","model":"models/gemini-x","output":)" + inlined + "}"}) {
    for (const size_t cut : {0, 1, 7}) {
      Room room;
      room.get(1, "/v1beta/batches/b1", body, cut);
      ASSERT_EQ(room.out.records.size(), 2u) << body;
      const UsageRecord& first = room.out.records[0];
      EXPECT_EQ(first.part, CallPart::kFetched);
      EXPECT_EQ(first.dialect, Dialect::kGeminiGenerate);
      EXPECT_EQ(first.batch_id.view(), "b1");
      EXPECT_EQ(first.batch_custom_id.view(), "a");
      EXPECT_EQ(first.response_model.view(), "gemini-x");
      EXPECT_EQ(first.service_tier.view(), "batch");
      EXPECT_EQ(first.tokens.input, 10u);
      EXPECT_EQ(first.tokens.output, 2u);
      EXPECT_EQ(first.index, 0u);
      EXPECT_EQ(room.out.records[1].tokens.input, 20u);
      EXPECT_EQ(room.out.records[1].index, 1u);
      EXPECT_EQ(room.out.records[1].batch_custom_id.view(), "b");
    }
  }
}

TEST(BatchResultsTest, AnOperationThatRunsOrIsAnothersHoldsNothing) {
  for (
      const std::string_view body :
      {R"({"name":"batches/b1","metadata":{"state":"BATCH_STATE_RUNNING"}})",
       R"({"name":"batches/b1","done":true,"response":{"responsesFile":"files/batch-b1"}})",
       R"({"name":"batches/b1","done":true,"response":{"inlinedResponses":{"inlinedResponses":[{"metadata":{"key":"a"}}]}}})",
       R"({"response":[1]})", "[]", "<html>"}) {
    Room room;
    room.get(1, "/v1beta/batches/b1", body, 3);
    EXPECT_TRUE(room.out.records.empty()) << body;
    EXPECT_EQ(room.room.open(), 0u);
  }
}

TEST(BatchResultsTest, LinesOfGeminisFile) {
  const std::string file =
      R"({"key":"a","response":{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":1,"totalTokenCount":6},"modelVersion":"gemini-x"}})"
      "\n"
      R"({"response":{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":6,"candidatesTokenCount":1,"totalTokenCount":7}}})"
      "\n"
      R"({"key":"c","error":{"code":3,"status":"INVALID_ARGUMENT"}})"
      "\n"
      R"({"key":"d","response":{"candidates":[]}})"
      "\n";
  for (const size_t cut : {0, 1, 50}) {
    Room room;
    room.get(1, "/download/v1beta/files/batch-b1:download", file, cut);
    ASSERT_EQ(room.out.records.size(), 4u) << cut;
    EXPECT_EQ(room.out.records[0].batch_file.view(), "batch-b1");
    EXPECT_EQ(room.out.records[0].batch_custom_id.view(), "a");
    EXPECT_EQ(room.out.records[1].batch_custom_id.view(), "1") << "its place, for want of a key";
    EXPECT_EQ(room.out.records[1].tokens.input, 6u);
    EXPECT_EQ(room.out.records[2].outcome, Outcome::kHttpError);
    EXPECT_EQ(room.out.records[2].error_type.view(), "INVALID_ARGUMENT");
    EXPECT_EQ(room.out.records[3].usage_missing, UsageMissing::kNotInAnswer);
    EXPECT_TRUE(room.out.records[3].flags.has(RecordFlag::kUsageMissing));
  }
}

TEST(BatchResultsTest, OtherFilesAreSkippedFromTheirFirstLine) {
  for (const std::string_view body :
       {R"({"custom_id":"one","method":"POST","url":"/v1/chat/completions","body":{"model":"m"}})"
        "\n",
        "{\"a\":1}\n", "%PDF-1.7", "[1,2]", "{broken\n{\"custom_id\":\"x\",\"response\":{}}\n"}) {
    Room room;
    const std::string long_body = std::string(body) + std::string(5000, ' ') + kChatLine + "\n";
    EXPECT_EQ(room.get(1, "/v1/files/file-abc/content", long_body, 512), BodyInterest::kNotLlm)
        << body;
    EXPECT_TRUE(room.out.records.empty()) << body;
    EXPECT_EQ(room.room.open(), 0u);
  }
}

TEST(BatchResultsTest, PathsOfOthers) {
  for (const std::string_view target :
       {"/v1/files", "/v1/files/file-abc", "/v1/batches", "/v1/batches/mine", "/files//content",
        "/v1/messages/batches/msgbatch_01", "/v1/batches/batch_1/cancel", "/jobs/7/results",
        "/v1beta/batches", "/v1beta/files/f1", "/v1/files/f1:download", "/v1beta/batches/b1:cancel",
        "/v1beta/batches/b1:delete"}) {
    Room room;
    EXPECT_EQ(room.get(1, target, kChatLine), BodyInterest::kNotLlm) << target;
    EXPECT_TRUE(room.out.records.empty()) << target;
  }
}

TEST(BatchResultsTest, DownloadsAreBounded) {
  Limits limits;
  limits.batch_downloads_max = 2;
  Room room(limits);
  const HeaderField host[] = {{"host", "api.openai.com"}};
  RequestHead request;
  request.flow = &room.flow;
  request.method = "GET";
  request.target = "/v1/files/file-abc/content";
  request.headers.fields = host;
  for (uint64_t id = 1; id <= 4; ++id) room.room.on_request(ExchangeId{id}, request);
  EXPECT_EQ(room.room.refused(), 2u);
}

TEST(BatchResultsTest, ManyLines) {
  std::string file;
  for (int i = 0; i < 5'000; ++i) file += kResponsesLine + "\n";
  Room room;
  room.get(1, "/v1/files/file-abc/content", file, 64 * 1024);
  ASSERT_EQ(room.out.records.size(), 5'000u);
  EXPECT_EQ(room.out.records.back().index, 4'999u);
  EXPECT_EQ(room.out.records.back().tokens.input, 7u);
}

TEST(BatchResultsTest, WhatBillsNothingOrWasRefusedLeavesNothing) {
  const std::string cancelled =
      R"({"id":"b","custom_id":"x","response":null,"error":{"code":"batch_cancelled","message":"m"}})";
  Room lines;
  lines.get(1, "/v1/files/file-abc/content", kChatLine + "\n" + cancelled + "\n");
  EXPECT_EQ(lines.out.records.size(), 1u);
  Room refused;
  refused.get(1, "/v1/files/file-abc/content", kChatLine + "\n", 0, 404);
  EXPECT_TRUE(refused.out.records.empty());
  Room zero;
  zero.get(
      1, "/v1/batches/batch_abc",
      R"({"id":"batch_abc","object":"batch","endpoint":"/v1/chat/completions","status":"completed","output_file_id":"f","usage":{"input_tokens":0,"output_tokens":0,"total_tokens":0}})");
  EXPECT_TRUE(zero.out.records.empty());
}

TEST(BatchResultsTest, WhatRemainsNowIsNotTheBatchs) {
  Room room;
  room.answer_headers = {{"x-ratelimit-remaining-tokens", "5"},
                         {"x-ratelimit-remaining-requests", "6"}};
  room.get(1, "/v1/files/file-abc/content", kChatLine + "\n");
  ASSERT_EQ(room.out.records.size(), 1u);
  EXPECT_EQ(room.out.records[0].rate_limit_remaining_tokens, std::nullopt);
  EXPECT_EQ(room.out.records[0].rate_limit_remaining_requests, std::nullopt);
}

TEST(BatchResultsTest, AnObjectWithAHoleSaysNoMore) {
  const std::string object =
      R"({"id":"batch_abc","object":"batch","endpoint":"/v1/chat/completions","status":"completed","output_file_id":"f","usage":{"input_tokens":9,"output_tokens":1,"total_tokens":10}})";
  Room room;
  room.lose_at = 40;
  room.get(1, "/v1/batches/batch_abc", object, 20);
  EXPECT_TRUE(room.out.records.empty());
  Room gemini;
  gemini.lose_at = 40;
  gemini.get(
      1, "/v1beta/batches/b1",
      R"({"name":"batches/b1","done":true,"response":{"inlinedResponses":{"inlinedResponses":[)" +
          gemini_item("a", "10") + "]}}}",
      20);
  EXPECT_TRUE(gemini.out.records.empty());
}

TEST(BatchResultsTest, AResponseWithoutAKeyIsKnownByItsPlace) {
  std::string keyless = gemini_item("a", "20");
  keyless.resize(keyless.find(R"(,"metadata")"));
  Room room;
  room.get(
      1, "/v1beta/batches/b1",
      R"({"name":"batches/b1","done":true,"response":{"inlinedResponses":{"inlinedResponses":[)" +
          gemini_item("a", "10") + "," + keyless + "}]}}}");
  ASSERT_EQ(room.out.records.size(), 2u);
  EXPECT_EQ(room.out.records[1].batch_custom_id.view(), "1");
  EXPECT_EQ(room.out.records[1].tokens.input, 20u);
}

}  // namespace
}  // namespace wiretally::llm
