#include "conversation.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace wiretally::test {
namespace {

Call call_number(int i) {
  return {.number = i,
          .prompt_bytes = static_cast<size_t>(1'500 + 17 * (i % 40)),
          .text_bytes = static_cast<size_t>(1'500 + 23 * (i % 30)),
          .stream = i % 3 == 2};
}

Conversation conversation(int count, int depth, size_t segment_bytes) {
  Connection::Options options;
  options.segment_bytes = segment_bytes;
  Connection connection(options);
  Conversation result;
  connection.open();
  for (int first = 0; first < count; first += depth) {
    const int end = std::min(count, first + depth);
    for (int i = first; i < end; ++i) {
      result.calls.push_back(call_number(i));
      result.requests.push_back(connection.send(Party::kClient, chat_request(call_number(i))));
    }
    connection.wait_ms(5);
    for (int i = first; i < end; ++i) {
      result.answers.push_back(connection.send(Party::kServer, chat_answer(call_number(i))));
    }
    connection.wait_ms(5);
  }
  connection.close(Party::kClient);
  result.packets = connection.packets();
  return result;
}

}  // namespace

Conversation keep_alive(int count, size_t segment_bytes) {
  return conversation(count, 1, segment_bytes);
}
Conversation pipelined(int count, int depth) { return conversation(count, depth, 1'400); }

Result replay(const std::vector<TcpPacket>& packets) {
  const Outcome ndjson = replay_packets(packets, "ndjson");
  const Outcome metrics = replay_packets(packets, "prometheus");
  EXPECT_EQ(ndjson.exit_status, 0) << ndjson.err;
  EXPECT_EQ(metrics.exit_status, 0) << metrics.err;
  const Result result{.records = records_of(ndjson.out), .accounts = accounts_of(metrics.out)};
  EXPECT_EQ(result.accounts.captured, payload_bytes(packets));
  EXPECT_EQ(result.accounts.captured, result.accounts.accounted());
  return result;
}

uint64_t lost_bytes(const std::vector<Json>& records) {
  uint64_t lost = 0;
  for (const Json& record : records) lost += record["lost_bytes"].get<uint64_t>();
  return lost;
}

bool says_all(const Json& record, const Call& call) {
  return record["response_id"] == response_id_of(call) && record["subject"] == subject_of(call) &&
         record["request_model"] == model_of(call) && record["response_model"] == model_of(call) &&
         record["input_tokens"] == 1000 + call.number &&
         record["output_tokens"] == call.number + 1 && record["outcome"] == "ok";
}

bool is_whole(const Json& record, const Call& call) {
  return says_all(record, call) && record["lost_bytes"] == 0 && record["flags"].empty();
}

bool contradicts(const Json& record, const Call& call) {
  const auto wrong = [&record](const char* field, const Json& right) {
    return !record[field].is_null() && record[field] != right;
  };
  return wrong("subject", subject_of(call)) || wrong("request_model", model_of(call)) ||
         wrong("response_model", model_of(call)) || wrong("response_id", response_id_of(call)) ||
         wrong("input_tokens", 1000 + call.number) || wrong("output_tokens", call.number + 1);
}

}  // namespace wiretally::test
