// A call through a gateway is one call: app → gateway → provider, as tcpdump saw both connections.
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "binary.h"
#include "calls.h"

namespace wiretally::test {
namespace {

const Endpoint kApp = endpoint("10.1.0.1", 40'000);
const Endpoint kGateway = endpoint("10.1.0.2", 4'000);
const Endpoint kGatewayOut = endpoint("10.1.0.2", 50'000);
const Endpoint kProvider = endpoint("203.0.113.9", 80);

std::string with(std::string text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != text.npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

// As a gateway passes an answer on.
struct Gateway {
  bool new_ids = false;
  std::string header = {};  // of its answers
  int64_t client_takes_ms = 0;
};

std::string passed_on(const Call& call, const Gateway& gateway) {
  std::string answer = chat_answer(call);
  if (gateway.new_ids) answer = with(answer, "chatcmpl-Test", "chatcmpl-Gate");
  return with(answer, "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\n" + gateway.header);
}

std::vector<TcpPacket> outer_leg(const Call& call, const Gateway& gateway) {
  Connection outer({.client = kApp, .server = kGateway});
  outer.open();
  outer.send(Party::kClient, with(chat_request(call), "llm.example", "gw.internal"));
  outer.wait_ms(400);
  const std::string answer = passed_on(call, gateway);
  if (gateway.client_takes_ms == 0) {
    outer.send(Party::kServer, answer);
  } else {
    constexpr size_t kPieces = 60;
    for (size_t i = 0; i < kPieces; ++i) {
      const size_t begin = answer.size() * i / kPieces, end = answer.size() * (i + 1) / kPieces;
      outer.send(Party::kServer, answer.substr(begin, end - begin));
      outer.wait_ms(gateway.client_takes_ms / static_cast<int64_t>(kPieces));
    }
  }
  outer.wait_ms(5);
  outer.close(Party::kClient);
  return outer.packets();
}

std::vector<TcpPacket> inner_leg(const Call& call, int64_t start_ms = 20, uint16_t port = 50'000) {
  Connection inner({.client = endpoint("10.1.0.2", port),
                    .server = kProvider,
                    .start_ns = kCaptureStartNs + start_ms * 1'000'000});
  inner.open();
  Call of_gateway = call;
  of_gateway.subject = "the-gateway";
  inner.send(Party::kClient, with(chat_request(of_gateway), "llm.example", "api.example"));
  inner.wait_ms(100);
  inner.send(Party::kServer, chat_answer(call));
  inner.wait_ms(5);
  inner.close(Party::kClient);
  return inner.packets();
}

// Counters that a scraper would add up: everything of the calls themselves.
std::string counters(const std::vector<TcpPacket>& packets) {
  std::istringstream text(replay_packets(packets, "prometheus").out);
  std::string kept;
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with("llm_") && !line.starts_with("llm_requests_in_flight"))
      kept += line + "\n";
  }
  return kept;
}

void expect_the_same_on_three_lanes(const std::vector<TcpPacket>& packets) {
  EXPECT_EQ(replay_packets(packets, "ndjson", {"--lanes", "3"}).out,
            replay_packets(packets, "ndjson").out);
}

std::string http(std::string_view head, std::string_view body) {
  return std::string(head) +
         "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + std::string(body);
}

// An embedding through a gateway that writes the body anew: no id, other spaces and members, and
// `passed_on` for the provider's `vector`.
std::vector<TcpPacket> embedding_legs(std::string_view vector, std::string_view passed_on) {
  const std::string request = R"({"model":"text-embedding-3-small","input":"hi"})";
  const std::string data = R"("data": [{"object": "embedding", "index": 0, "embedding": )";
  Connection outer({.client = kApp, .server = kGateway});
  outer.open();
  outer.send(Party::kClient,
             http("POST /v1/embeddings HTTP/1.1\r\nHost: gw.internal\r\n", request));
  outer.wait_ms(400);
  outer.send(
      Party::kServer,
      http("HTTP/1.1 200 OK\r\n",
           R"({"model": "emb", )" + data + std::string(passed_on) +
               R"(}], "object": "list", "usage": {"prompt_tokens": 1, "total_tokens": 1}})"));
  outer.close(Party::kClient);
  Connection inner(
      {.client = kGatewayOut, .server = kProvider, .start_ns = kCaptureStartNs + 20 * 1'000'000});
  inner.open();
  inner.send(Party::kClient,
             http("POST /v1/embeddings HTTP/1.1\r\nHost: api.example\r\n", request + " "));
  inner.wait_ms(100);
  inner.send(
      Party::kServer,
      http(
          "HTTP/1.1 200 OK\r\n",
          R"({"object":"list",)" + data + std::string(vector) +
              R"(}],"model":"text-embedding-3-small","usage":{"prompt_tokens":1,"total_tokens":1}})"));
  inner.close(Party::kClient);
  return merged({outer.packets(), inner.packets()});
}

// One vector as a provider writes its floats, as a gateway writes the same numbers, and in base64.
constexpr const char* kVector =
    "[0.0024999999441206455,-0.004100000020116568,9.999999747378752e-06,0.125,-0."
    "031199999153614044,0.0007699999841861427,0.5,-1.0,0.25,0.75]";
constexpr const char* kVectorAgain =
    "[2.5e-3, -4.1e-3, 0.00001, 1.25E-1, -0.0312, 0.00077, 0.5, -1, 0.25, 0.75]";
constexpr const char* kVectorBase64 =
    "\"CtcjO0tZhrusxSc3AAAAPiSX/7zT2Uk6AAAAPwAAgL8AAIA+AABAPw==\"";

TEST(GatewayEmbeddings, AreOneByTheirVectorHoweverItIsWritten) {
  for (const auto& [vector, passed_on] :
       {std::pair{kVectorBase64, kVectorBase64}, std::pair{kVector, kVectorAgain},
        std::pair{kVector, kVectorBase64}, std::pair{kVectorBase64, kVector}}) {
    const auto packets = embedding_legs(vector, passed_on);
    const std::vector<Json> records = records_of(packets);
    ASSERT_EQ(records.size(), 1u) << vector << " " << passed_on;
    EXPECT_EQ(records[0]["legs"], 2);
    EXPECT_EQ(records[0]["server_address"], "api.example");
    EXPECT_EQ(records[0]["client_address"], "10.1.0.1");
    EXPECT_EQ(records[0]["response_model"], "text-embedding-3-small");
    expect_the_same_on_three_lanes(packets);
  }
}

TEST(GatewayEmbeddings, WithOtherOrTooFewNumbersStayTwo) {
  EXPECT_EQ(
      records_of(embedding_legs(kVector, "[0.0026,-0.0041,1e-05,0.125,-0.0312,0.00077,0.5,-1]"))
          .size(),
      2u);
  EXPECT_EQ(records_of(embedding_legs("[0.25,0.5]", "[0.25,0.5]")).size(), 2u)
      << "anybody's vector may begin so";
}

class GatewayCalls : public testing::TestWithParam<bool> {
 protected:
  Call call_{.number = 7, .stream = GetParam()};
};

TEST_P(GatewayCalls, WithTheProvidersIdsAreOne) {
  const auto packets = merged({outer_leg(call_, {}), inner_leg(call_)});
  const std::vector<Json> records = records_of(packets);
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0]["legs"], 2);
  EXPECT_EQ(records[0]["leg"], "provider");
  EXPECT_EQ(records[0]["subject"], "user-7");
  EXPECT_EQ(records[0]["server_address"], "api.example");
  EXPECT_EQ(records[0]["client_address"], "10.1.0.1");
  EXPECT_EQ(records[0]["legs_tokens_delta"], 0);
  expect_the_same_on_three_lanes(packets);
}

TEST_P(GatewayCalls, WithNewIdsAreOneByTheirText) {
  const auto packets = merged({outer_leg(call_, {.new_ids = true}), inner_leg(call_)});
  const std::vector<Json> records = records_of(packets);
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0]["legs"], 2);
  EXPECT_EQ(records[0]["leg"], "provider");
  EXPECT_EQ(records[0]["subject"], "user-7");
  EXPECT_EQ(records[0]["response_id"], response_id_of(call_));
  EXPECT_EQ(records[0]["input_tokens"], 1007);
  EXPECT_EQ(metric(replay_packets(packets, "prometheus").out, "llm_requests_total"), 1u);
  expect_the_same_on_three_lanes(packets);
}

TEST_P(GatewayCalls, WithOtherCountsSayByHowMuchTheyDiffer) {
  // The gateway's answer claims 2 tokens more.
  Call claimed = call_;
  std::vector<TcpPacket> outer;
  {
    Connection connection({.client = kApp, .server = kGateway});
    connection.open();
    connection.send(Party::kClient, with(chat_request(call_), "llm.example", "gw.internal"));
    connection.wait_ms(400);
    connection.send(Party::kServer, with(passed_on(claimed, {.new_ids = true}),
                                         "\"prompt_tokens\":1007", "\"prompt_tokens\":1009"));
    connection.close(Party::kClient);
    outer = connection.packets();
  }
  const auto packets = merged({outer, inner_leg(call_)});
  const std::vector<Json> records = records_of(packets);
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0]["input_tokens"], 1007);
  EXPECT_EQ(records[0]["legs_tokens_delta"], 2);
  EXPECT_EQ(metric(replay_packets(packets, "prometheus").out, "llm_leg_token_difference_total",
                   "direction=\"more\""),
            2u);
}

TEST_P(GatewayCalls, FromTheGatewaysCacheHaveTokensAndCostNothing) {
  const auto packets =
      outer_leg(call_, {.header = "x-litellm-call-id: 1\r\nx-litellm-cache-key: k\r\n"});
  const std::vector<Json> records = records_of(packets);
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0]["leg"], "gateway");
  EXPECT_EQ(records[0]["gateway"], "litellm");
  EXPECT_EQ(records[0]["cache_status"], "hit");
  EXPECT_EQ(records[0]["served_from_cache"], true);
  EXPECT_EQ(records[0]["input_tokens"], 1007);
  EXPECT_EQ(std::stod(records[0]["cost_usd"].get<std::string>()), 0);
  const std::string metrics = replay_packets(packets, "prometheus").out;
  EXPECT_EQ(metric(metrics, "llm_gateway_cache_total", "result=\"hit\""), 1u);
  EXPECT_EQ(metric(metrics, "llm_requests_total", "leg=\"provider\""), 0u);
}

TEST_P(GatewayCalls, ThatFellBackShowBothUpstreamLegs) {
  Call disliked = call_;
  disliked.number = 8;
  const auto packets = merged({outer_leg(call_, {.new_ids = true}), inner_leg(disliked, 20, 50'001),
                               inner_leg(call_, 200, 50'002)});
  const std::vector<Json> records = records_of(packets);
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0]["input_tokens"], 1008);
  EXPECT_EQ(records[0]["legs"], 1);
  EXPECT_EQ(records[1]["input_tokens"], 1007);
  EXPECT_EQ(records[1]["legs"], 2);
  for (const Json& record : records) EXPECT_EQ(record["leg"], "provider");
  const std::string metrics = replay_packets(packets, "prometheus").out;
  EXPECT_EQ(metric(metrics, "llm_tokens_total", "leg=\"provider\""), 1007u + 8 + 1008 + 9);
}

TEST_P(GatewayCalls, OfASlowClientMoveNoCounterWhenTheyAreLate) {
  const Gateway slow{.new_ids = true, .client_takes_ms = 60'000};
  const auto alone = inner_leg(call_);
  const auto both = merged({outer_leg(call_, slow), alone});
  EXPECT_EQ(counters(both), counters(alone));
  const std::string metrics = replay_packets(both, "prometheus").out;
  EXPECT_EQ(metric(metrics, "wiretally_late_twins_total", "kind=\"nested\""), 1u);
  EXPECT_EQ(metric(metrics, "llm_requests_total"), 1u);
  expect_the_same_on_three_lanes(both);
}

TEST_P(GatewayCalls, ToAConfiguredGatewayAreItsLeg) {
  const auto packets = outer_leg(call_, {});
  const auto leg = [&](const std::vector<std::string>& options) {
    return records_of(replay_packets(packets, "ndjson", options).out).at(0)["leg"];
  };
  EXPECT_EQ(leg({}), "provider");
  EXPECT_EQ(leg({"--count-gateways", "other.host,GW.internal"}), "gateway");
}

INSTANTIATE_TEST_SUITE_P(JsonAndSse, GatewayCalls, testing::Bool(), [](const auto& given) {
  return std::string(given.param ? "sse" : "json");
});

// Ollama draws its ids from 999.
TEST(ShortIds, TwoThousandCallsAreTwoThousandRecords) {
  std::vector<std::vector<TcpPacket>> connections;
  for (int c = 0; c < 10; ++c) {
    Connection connection({.client = endpoint("10.1.0.1", static_cast<uint16_t>(41'000 + c)),
                           .server = endpoint("10.1.0.3", 11'434),
                           .start_ns = kCaptureStartNs + c * 1'000'000});
    connection.open();
    for (int i = 0; i < 200; ++i) {
      const std::string id = "chatcmpl-" + std::to_string((c * 200 + i) % 999);
      connection.send(
          Party::kClient,
          message(
              "POST /v1/chat/completions HTTP/1.1\r\nHost: ollama:11434\r\n"
              "Content-Type: application/json\r\n",
              R"({"model":"llama3.2","messages":[{"role":"user","content":"same question"}]})"));
      connection.wait_ms(20 - c);
      connection.send(
          Party::kServer,
          message(
              "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n",
              R"({"id":")" + id +
                  R"(","object":"chat.completion","model":"llama3.2","system_fingerprint":"fp_ollama","choices":[{"index":0,"message":{"role":"assistant","content":"the same answer each time"},"finish_reason":"stop"}],"usage":{"prompt_tokens":12,"completion_tokens":6,"total_tokens":18}})"));
      connection.wait_ms(1);
    }
    connection.close(Party::kClient);
    connections.push_back(connection.packets());
  }
  EXPECT_EQ(records_of(merged(connections)).size(), 2'000u);
}

// An SDK's attempts: separate calls, linked.
TEST(Retries, AreLinkedOneToTheNext) {
  Connection connection;
  connection.open();
  const Call call{.number = 3};
  for (const std::string_view status : {"429 Too Many Requests", "500 Internal Server Error"}) {
    connection.send(Party::kClient, chat_request(call));
    connection.wait_ms(50);
    connection.send(
        Party::kServer,
        message("HTTP/1.1 " + std::string(status) + "\r\nContent-Type: application/json\r\n",
                R"({"error":{"message":"no","type":"requests","code":"again"}})"));
    connection.wait_ms(700);
  }
  connection.send(Party::kClient, chat_request(call));
  connection.wait_ms(50);
  connection.send(Party::kServer, chat_answer(call));
  connection.wait_ms(700);
  connection.send(Party::kClient, chat_request(call));
  connection.wait_ms(50);
  connection.send(Party::kServer, with(chat_answer(call), "chatcmpl-Test", "chatcmpl-Next"));
  connection.close(Party::kClient);
  const std::vector<Json> records = records_of(connection.packets());
  ASSERT_EQ(records.size(), 4u);
  EXPECT_TRUE(records[0]["retry_of"].is_null());
  EXPECT_EQ(records[1]["retry_of"], records[0]["record_id"]);
  EXPECT_EQ(records[2]["retry_of"], records[1]["record_id"]);
  EXPECT_TRUE(records[3]["retry_of"].is_null());
  EXPECT_EQ(metric(replay_packets(connection.packets(), "prometheus").out, "llm_tokens_total"),
            2 * (1003u + 4));
}

}  // namespace
}  // namespace wiretally::test
