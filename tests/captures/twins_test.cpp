// One call seen in several places is one record; two equal calls are two.
#include <gtest/gtest.h>

#include <algorithm>

#include "binary.h"
#include "calls.h"

namespace wiretally::test {
namespace {

const Endpoint kClient = endpoint("10.244.0.7", 40'000);
const Endpoint kService = endpoint("10.96.0.10", 80);
const Endpoint kPod = endpoint("10.244.1.5", 8'080);
const Endpoint kNode = endpoint("192.168.1.4", 51'000);

std::vector<TcpPacket> call_to(const Endpoint& server, const Call& call,
                               const Endpoint& client = kClient,
                               int64_t start_ns = kCaptureStartNs) {
  Connection connection({.client = client, .server = server, .start_ns = start_ns});
  connection.open();
  connection.send(Party::kClient, chat_request(call));
  connection.wait_ms(300);
  connection.send(Party::kServer, chat_answer(call));
  connection.wait_ms(5);
  connection.close(Party::kClient);
  return connection.packets();
}

std::vector<TcpPacket> from(const Endpoint& sender, std::vector<TcpPacket> packets) {
  std::erase_if(packets, [&](const TcpPacket& packet) { return packet.source != sender; });
  return packets;
}

// What `any` shows of a call through a service: each packet under both address pairs; requests first
// under the service's, answers first under the pod's.
std::vector<TcpPacket> through_service(const std::vector<TcpPacket>& packets) {
  std::vector<TcpPacket> seen;
  for (const TcpPacket& packet : packets) {
    const TcpPacket at_pod = seen_as({packet}, {{kService, kPod}}, 0)[0];
    seen.push_back(packet.source == kService ? at_pod : packet);
    seen.push_back(packet.source == kService ? packet : at_pod);
    seen.back().time_ns += 3'000;
  }
  return seen;
}

void expect_one(const std::vector<TcpPacket>& packets, int legs, const Call& call) {
  const std::vector<Json> records = records_of(packets);
  ASSERT_EQ(records.size(), 1u) << replay_packets(packets, "ndjson").out;
  EXPECT_EQ(records[0]["legs"], legs);
  EXPECT_EQ(records[0]["subject"], subject_of(call));
  EXPECT_EQ(records[0]["input_tokens"], 1000 + call.number);
  EXPECT_EQ(records[0]["outcome"], "ok");
  const std::string metrics = replay_packets(packets, "prometheus").out;
  EXPECT_EQ(metric(metrics, "llm_requests_total"), 1u);
  EXPECT_EQ(metric(metrics, "llm_tokens_total"), 1001u + 2u * static_cast<unsigned>(call.number));
}

class Twins : public testing::TestWithParam<bool> {
 protected:
  Call call_{.number = 7, .stream = GetParam()};
};

TEST_P(Twins, UnderTheServicesAndThePodsAddressAreOne) {
  expect_one(through_service(call_to(kService, call_)), 2, call_);
}

TEST_P(Twins, UnderThreeAddressPairsAreOne) {
  const std::vector<TcpPacket> service = call_to(kService, call_);
  expect_one(merged({service, seen_as(service, {{kService, kPod}}, 2'000),
                     seen_as(service, {{kService, kPod}, {kClient, kNode}}, 4'000)}),
             3, call_);
}

TEST_P(Twins, TheAnswersHalfAloneJoins) {
  const std::vector<TcpPacket> service = call_to(kService, call_);
  // From the pod, before its address is changed back …
  expect_one(merged({from(kPod, seen_as(service, {{kService, kPod}}, -2'000)), service}), 2, call_);
  // … or behind it, on the way to the client.
  expect_one(merged({service, from(kPod, seen_as(service, {{kService, kPod}}, 2'000))}), 2, call_);
}

TEST_P(Twins, TheRequestsHalfAloneJoins) {
  const std::vector<TcpPacket> service = call_to(kService, call_);
  const Endpoint elsewhere = endpoint("172.16.0.1", 9'000);
  expect_one(merged({service, from(kClient, seen_as(service, {{kService, elsewhere}}, 2'000))}), 2,
             call_);
}

TEST_P(Twins, UnderNewPortsOnlyAreTwoCalls) {
  // Two equal calls at once by one client: ids of their own, and only the client's port differs.
  Call second = call_;
  second.number = 8;
  const auto packets =
      merged({call_to(kService, call_), call_to(kService, second, endpoint("10.244.0.7", 40'001))});
  EXPECT_EQ(records_of(packets).size(), 2u);
}

TEST_P(Twins, EqualCallsMadeTwiceAreTwo) {
  // Not even the answer's bytes differ, as from a server that answers from its cache; one behind the
  // other on two connections.
  const int64_t later_ns = kCaptureStartNs + 400'000'000;
  const auto first = call_to(kService, call_);
  Call other = call_;
  other.number = 9;
  const auto second = call_to(kService, other, endpoint("10.244.0.7", 40'001), later_ns);
  const auto packets = merged({through_service(first), through_service(second)});
  const std::vector<Json> records = records_of(packets);
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0]["legs"], 2);
  EXPECT_EQ(records[1]["legs"], 2);
  EXPECT_EQ(metric(replay_packets(packets, "prometheus").out, "llm_requests_total"), 2u);
}

TEST_P(Twins, OnOneConnectionEqualCallsAreTwo) {
  Connection connection({.client = kClient, .server = kService});
  connection.open();
  for (int i = 0; i < 2; ++i) {
    connection.send(Party::kClient, chat_request(call_));
    connection.wait_ms(10);
    Call answered = call_;
    answered.number += i;
    connection.send(Party::kServer, chat_answer(answered));
    connection.wait_ms(10);
  }
  EXPECT_EQ(records_of(connection.packets()).size(), 2u);
  EXPECT_EQ(records_of(through_service(connection.packets())).size(), 2u);
}

TEST_P(Twins, AllLegsShowsThemBehindTheCountedOne) {
  const auto packets = through_service(call_to(kService, call_));
  const Outcome run = replay_packets(packets, "ndjson", {"--all-legs"});
  ASSERT_EQ(run.exit_status, 0) << run.err;
  const std::vector<Json> records = records_of(run.out);
  ASSERT_EQ(records.size(), 2u);
  EXPECT_TRUE(records[0]["duplicate_of"].is_null());
  EXPECT_EQ(records[0]["legs"], 2);
  EXPECT_EQ(records[1]["duplicate_of"], records[0]["record_id"]);
  EXPECT_NE(records[1]["record_id"], records[0]["record_id"]);
  const std::string metrics = replay_packets(packets, "prometheus", {"--all-legs"}).out;
  EXPECT_EQ(metric(metrics, "llm_requests_total"), 1u);
}

INSTANTIATE_TEST_SUITE_P(JsonAndSse, Twins, testing::Bool(), [](const auto& given) {
  return std::string(given.param ? "sse" : "json");
});

TEST(TwinsWithoutId, EmbeddingsAnswersHalfJoinsByItsBytes) {
  const Dialogue dialogue = transcript("embeddings_float");
  const std::vector<TcpPacket> service =
      packets_of(dialogue, {.client = kClient, .server = kService});
  for (const int64_t skew_ns : {-2'000, 2'000}) {
    SCOPED_TRACE(skew_ns);
    const auto half = from(kPod, seen_as(service, {{kService, kPod}}, skew_ns));
    const std::vector<Json> records = records_of(merged({service, half}));
    ASSERT_EQ(records.size(), 1u);
    EXPECT_EQ(records[0]["legs"], 2);
    EXPECT_EQ(records[0]["path"], "/v1/embeddings");
  }
}

}  // namespace
}  // namespace wiretally::test
