// Canaries in prompt, answer, key, JWT signature and URL query must not come out anywhere.
#include <gtest/gtest.h>

#include "binary.h"
#include "calls.h"

namespace wiretally::test {
namespace {

constexpr const char* kPrompt = "CANARY-prompt-91f3";
constexpr const char* kAnswer = "CANARY-answer-52ab";
constexpr const char* kKey = "CANARY-key-77d0";
constexpr const char* kSignature = "CANARY-signature-3c18";
constexpr const char* kQuery = "CANARY-query-e844";
constexpr const char* kHeader = "CANARY-header-0b6e";

// A token whose signature part is the canary itself, as text.
std::string token() {
  const std::string unsigned_token = jwt(R"({"sub":"user-1","iss":"https://idp.example"})");
  return unsigned_token.substr(0, unsigned_token.rfind('.') + 1) + kSignature;
}

std::string request(const std::string& path, const std::string& credential_lines,
                    const std::string& body) {
  return message("POST " + path + "?api-key=" + kQuery + "&token=" + kQuery +
                     " HTTP/1.1\r\nHost: llm.example\r\n" + credential_lines + "Cookie: session=" +
                     kHeader + "\r\nX-Custom-Secret: " + kHeader + "\r\n",
                 body);
}

std::vector<std::vector<TcpPacket>> conversations() {
  const std::string prompt = R"({"model":"m-1","messages":[{"role":"system","content":")" +
                             std::string(kPrompt) + R"("},{"role":"user","content":[{"type":"text","text":")" +
                             kPrompt + R"("}]}],"tools":[{"type":"function","function":{"name":"lookup","description":")" +
                             kPrompt + R"("}}]})";
  const std::vector<std::string> credentials = {
      std::string("Authorization: Bearer ") + kKey + "\r\n",
      std::string("Authorization: Bearer sk-proj-") + kKey + "\r\n",
      "Authorization: Bearer " + token() + "\r\n",
      "Authorization: Bearer " + token() + "." + kSignature + "\r\n",
      std::string("Authorization: Basic ") + base64url(std::string("user:") + kKey) + "\r\n",
      std::string("Authorization: ") + kKey + "\r\n",
      std::string("api-key: ") + kKey + "\r\n",
      std::string("x-api-key: ") + kKey + "\r\n",
      std::string("Proxy-Authorization: Basic ") + kKey + "\r\n",
  };
  const std::vector<std::string> answers = {
      chat_answer({.number = 1, .text = kAnswer}),
      chat_answer({.number = 1, .stream = true, .text = kAnswer}),
      message("HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\n",
              R"({"error":{"message":"Incorrect API key provided: )" + std::string(kKey) + " " +
                  kPrompt + R"(","type":"invalid_request_error","code":"invalid_api_key"}})"),
      message("HTTP/1.1 500 Oops\r\nContent-Type: text/html\r\n",
              std::string("<html>") + kAnswer + "</html>"),
      message("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n",
              R"({"id":"chatcmpl-Tools0000000001","object":"chat.completion","model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"lookup","arguments":"{\"q\":\")" +
                  std::string(kAnswer) +
                  R"(\"}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":1,"completion_tokens":2}})"),
      // Cut in its middle.
      chat_answer({.number = 1, .text_bytes = 4'000, .stream = true, .text = kAnswer})
          .substr(0, 900),
  };
  const std::string anthropic =
      R"({"model":"claude-x","max_tokens":1,"system":")" + std::string(kPrompt) +
      R"(","messages":[{"role":"user","content":")" + kPrompt + R"("}]})";
  std::vector<std::vector<TcpPacket>> connections;
  for (const std::string& credential : credentials) {
    Connection::Options options;
    options.client.port = static_cast<uint16_t>(40'000 + connections.size());
    options.start_ns += static_cast<int64_t>(connections.size()) * 1'000'000;
    Connection connection(options);
    connection.open();
    for (const std::string& answer : answers) {
      connection.send(Party::kClient, request("/v1/chat/completions", credential, prompt));
      connection.wait_ms(50);
      connection.send(Party::kServer, answer);
      if (answer == answers.back()) connection.reset(Party::kServer);
    }
    connections.push_back(connection.packets());

    options.client.port = static_cast<uint16_t>(options.client.port + 1'000);
    Connection other(options);
    other.open();
    other.send(Party::kClient, request("/v1/messages", credential, anthropic));
    other.wait_ms(50);
    other.send(Party::kServer,
               message("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n",
                       R"({"id":"msg_01Secret","type":"message","role":"assistant","model":"claude-x","content":[{"type":"text","text":")" +
                           std::string(kAnswer) +
                           R"("}],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":4}})"));
    // Never answered, and a head that ends nowhere.
    other.send(Party::kClient, request("/v1/embeddings", credential,
                                       R"({"model":"e","input":")" + std::string(kPrompt) + R"("})"));
    other.send(Party::kServer, std::string("HTTP/1.1 200 OK\r\nX-Broken: ") + kAnswer);
    connections.push_back(other.packets());
  }
  return connections;
}

TEST(Secrets, NeverComeOut) {
  const std::string capture = make_capture({}, merged(conversations()));
  const std::string cut = capture.substr(0, capture.size() - 40);
  for (const std::string* input : {&capture, &cut}) {
    for (const char* format : {"ndjson", "csv", "table", "prometheus"}) {
      for (const std::vector<std::string>& more :
           {std::vector<std::string>{}, {"--all-legs"}, {"--privacy-subjects", "auto"}}) {
        const Outcome run = replay_bytes(*input, format, more);
        EXPECT_FALSE(run.out.empty());
        for (const std::string* text : {&run.out, &run.err}) {
          const size_t hit = text->find("CANARY");
          EXPECT_EQ(hit, text->npos) << format << ": " << text->substr(hit == text->npos ? 0 : hit, 80);
          EXPECT_EQ(text->find(base64url(kKey).substr(0, 16)), text->npos) << format;
          EXPECT_EQ(text->find("eyJ"), text->npos) << format << ": a part of a token";
        }
      }
    }
  }
}

TEST(Secrets, TheCallsWereReadAllTheSame) {
  const std::vector<Json> records = records_of(merged(conversations()));
  size_t jwt_calls = 0;
  size_t keyed = 0;
  for (const Json& record : records) {
    jwt_calls += record["subject"] == "user-1";
    keyed += record["key_id"].is_string();
    EXPECT_TRUE(record["path"].is_null() || record["path"].get<std::string>().find('?') ==
                                                std::string::npos);
  }
  EXPECT_GE(records.size(), 9u * 6u);
  EXPECT_GE(jwt_calls, 6u);
  EXPECT_GE(keyed, 30u);
}

}  // namespace
}  // namespace wiretally::test
