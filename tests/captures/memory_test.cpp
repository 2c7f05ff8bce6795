// Bodies of any size in constant memory: at most 16 MiB above a replay of an empty capture.
#include <gtest/gtest.h>

#include <cstdio>

#include "binary.h"
#include "calls.h"

namespace wiretally::test {
namespace {

constexpr uint64_t kAboveEmptyKib = 16 * 1024;

class Memory : public testing::Test {
 protected:
  void SetUp() override {
#ifdef WIRETALLY_SANITIZED
    GTEST_SKIP() << "a sanitizer's own memory hides the agent's";
#endif
  }

  // The one record of the call, and its peak of memory measured.
  Json replay_one(const std::string& request, const std::string& answer) {
    Connection connection;
    connection.open();
    connection.send(Party::kClient, request);
    connection.wait_ms(20);
    connection.send(Party::kServer, answer);
    connection.close(Party::kClient);
    // From a file: a pipe's reader might buffer differently.
    const std::string file = folder_.save("big.pcap", make_capture({}, connection.packets()));
    const std::string empty = folder_.save("empty.pcap", make_capture({}, {}));
    const Outcome without = wiretally({"replay", empty, "--format", "ndjson"});
    const Outcome run = wiretally({"replay", file, "--format", "ndjson"});
    EXPECT_EQ(run.exit_status, 0) << run.err;
    EXPECT_GT(without.peak_kib, 0u);
    EXPECT_LE(run.peak_kib, without.peak_kib + kAboveEmptyKib);
    std::printf("    peak %.1f MiB, empty %.1f MiB\n", static_cast<double>(run.peak_kib) / 1024,
                static_cast<double>(without.peak_kib) / 1024);
    const std::vector<Json> records = records_of(run.out);
    EXPECT_EQ(records.size(), 1u);
    return records.empty() ? Json() : records[0];
  }

  TemporaryFolder folder_;
};

TEST_F(Memory, SseOfAHundredMegabytes) {
  const Call call{.number = 1, .text_bytes = 23'000'000, .stream = true};
  const std::string answer = chat_answer(call);
  ASSERT_GT(answer.size(), 100'000'000u);
  const Json record = replay_one(chat_request(call), answer);
  EXPECT_EQ(record["input_tokens"], 1001);
  EXPECT_EQ(record["outcome"], "ok");
  EXPECT_EQ(record["lost_bytes"], 0);
}

std::string embeddings_request() {
  return message("POST /v1/embeddings HTTP/1.1\r\nHost: api.openai.com\r\n",
                 R"({"model":"text-embedding-3-large","input":["a"]})");
}
std::string embeddings_answer(const std::string& embedding) {
  return message("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n",
                 R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":)" +
                     embedding +
                     R"(}],"model":"text-embedding-3-large","usage":{"prompt_tokens":9,"total_tokens":9}})");
}

TEST_F(Memory, EmbeddingsOfTwentyMegabytesOfNumbers) {
  std::string numbers = "[";
  while (numbers.size() < 20'000'000) numbers += "-0.0123456789,";
  numbers += "1]";
  const Json record = replay_one(embeddings_request(), embeddings_answer(numbers));
  EXPECT_EQ(record["input_tokens"], 9);
  EXPECT_GT(record["response_bytes"], 20'000'000);
}

TEST_F(Memory, EmbeddingsOfTwentyMegabytesInBase64) {
  const Json record = replay_one(
      embeddings_request(), embeddings_answer("\"" + std::string(20'000'000, 'A') + "\""));
  EXPECT_EQ(record["input_tokens"], 9);
}

TEST_F(Memory, RequestOfTwentyMegabytes) {
  const Call call{.number = 1, .prompt_bytes = 20'000'000};
  const Json record = replay_one(chat_request(call), chat_answer(call));
  EXPECT_EQ(record["input_tokens"], 1001);
  EXPECT_EQ(record["request_model"], "model-1");
  EXPECT_GT(record["request_bytes"], 20'000'000);
  EXPECT_EQ(record["lost_bytes"], 0);
}

}  // namespace
}  // namespace wiretally::test
