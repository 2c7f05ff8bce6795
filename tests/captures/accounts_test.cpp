// Lossy captures: every payload byte is accounted for, every lost one is counted once, and a loss
// costs its own call alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "conversation.h"

namespace wiretally::test {
namespace {

// Of a connection that is kept alive, and the one that loses a message.
#ifdef WIRETALLY_SANITIZED
constexpr int kManyCalls = 200;
#else
constexpr int kManyCalls = 1'000;
#endif
constexpr size_t kDamaged = kManyCalls / 2;

// Every call but `damaged` is whole, and what is said of `damaged` (in one record or two halves) is
// true.
void expect_only_damaged(const std::vector<Json>& records, const std::vector<Call>& calls,
                         size_t damaged) {
  size_t whole = 0;
  size_t of_damaged = 0;
  size_t strange = 0;
  for (const Json& record : records) {
    const auto call = std::find_if(calls.begin(), calls.end(),
                                   [&](const Call& each) { return is_whole(record, each); });
    if (call != calls.end()) {
      ++whole;
      EXPECT_NE(static_cast<size_t>(call - calls.begin()), damaged);
    } else if (!contradicts(record, calls[damaged])) {
      ++of_damaged;
      EXPECT_TRUE(record["lost_bytes"] > 0 || record["outcome"] != "ok") << record.dump();
    } else if (++strange <= 3) {
      ADD_FAILURE() << "a record of no call: " << record.dump();
    }
  }
  EXPECT_EQ(whole, calls.size() - 1);
  EXPECT_GE(of_damaged, 1u);
  EXPECT_LE(of_damaged, 2u);
}

TEST(Accounts, WithoutLossNothingIsMissing) {
  const Conversation talk = keep_alive(30);
  const Result result = replay(talk.packets);
  EXPECT_EQ(result.accounts.missing, 0u);
  EXPECT_EQ(result.accounts.dropped, 0u);
  EXPECT_EQ(result.accounts.skipped, 0u);
  ASSERT_EQ(result.records.size(), talk.calls.size());
  for (size_t i = 0; i < talk.calls.size(); ++i) {
    EXPECT_TRUE(is_whole(result.records[i], talk.calls[i])) << result.records[i].dump();
  }
}

struct Loss {
  const char* name;
  bool of_request;
  enum class Where { kWhole, kFirst, kMiddle, kLast } where;
};

class OneLoss : public testing::TestWithParam<Loss> {};

PacketRange lost_range(const Conversation& talk, const Loss& loss, size_t call) {
  const PacketRange message = loss.of_request ? talk.requests[call] : talk.answers[call];
  switch (loss.where) {
    case Loss::Where::kWhole:
      return message;
    case Loss::Where::kFirst:
      return {.first = message.first, .count = 1};
    case Loss::Where::kMiddle:
      return {.first = message.first + message.count / 2, .count = 1};
    case Loss::Where::kLast:
      return {.first = message.first + message.count - 1, .count = 1};
  }
  return {};
}

TEST_P(OneLoss, CostsItsOwnCallAlone) {
  const Conversation talk = keep_alive(30);
  for (size_t call : {size_t{0}, size_t{1}, size_t{2}, size_t{14}, size_t{15}, size_t{16},
                      size_t{28}, size_t{29}}) {
    SCOPED_TRACE("call " + std::to_string(call));
    const PacketRange lost = lost_range(talk, GetParam(), call);
    const Result result = replay(without(talk.packets, {lost}));
    EXPECT_EQ(result.accounts.missing, payload_bytes(talk.packets, lost));
    EXPECT_EQ(lost_bytes(result.records), payload_bytes(talk.packets, lost));
    expect_only_damaged(result.records, talk.calls, call);
  }
}

TEST_P(OneLoss, AmongAThousandCallsCostsItsOwnAlone) {
  const Conversation talk = keep_alive(kManyCalls, 1'400);
  const PacketRange lost = lost_range(talk, GetParam(), kDamaged);
  const Result result = replay(without(talk.packets, {lost}));
  EXPECT_EQ(result.accounts.missing, payload_bytes(talk.packets, lost));
  expect_only_damaged(result.records, talk.calls, kDamaged);
}

// No acknowledgment but those on data, as where the capture missed every small packet.
TEST_P(OneLoss, AmongAThousandCallsWithoutBareAcks) {
  Conversation talk = keep_alive(kManyCalls, 1'400);
  const PacketRange lost = lost_range(talk, GetParam(), kDamaged);
  std::vector<TcpPacket> packets = without(talk.packets, {lost});
  std::erase_if(packets, [](const TcpPacket& packet) {
    return packet.payload.empty() && packet.flags == TcpFlags::kAck;
  });
  const Result result = replay(packets);
  EXPECT_EQ(result.accounts.missing, payload_bytes(talk.packets, lost));
  expect_only_damaged(result.records, talk.calls, kDamaged);
}

// One direction of the connection alone: what its messages say, and nothing of the other's.
void expect_one_direction(const Loss& loss, bool requests) {
  SCOPED_TRACE(requests ? "requests alone" : "answers alone");
  const Conversation talk = keep_alive(kManyCalls, 1'400);
  const PacketRange lost = lost_range(talk, loss, kDamaged);
  const Endpoint client = talk.packets.front().source;
  std::vector<TcpPacket> packets = without(talk.packets, {lost});
  std::erase_if(packets,
                [&](const TcpPacket& packet) { return (packet.source == client) != requests; });
  const Result result = replay(packets);
  std::set<int> said;
  for (const Json& record : result.records) {
    const auto call = std::find_if(talk.calls.begin(), talk.calls.end(),
                                   [&](const Call& each) { return !contradicts(record, each); });
    ASSERT_NE(call, talk.calls.end()) << record.dump();
    const bool whole = requests ? record["subject"] == subject_of(*call) &&
                                      record["request_model"] == model_of(*call)
                                : record["response_id"] == response_id_of(*call) &&
                                      record["output_tokens"] == call->number + 1;
    if (!whole) continue;
    EXPECT_TRUE(said.insert(call->number).second) << record.dump();
  }
  // An answer that nobody was seen to ask for is a call all the same, and a request without one.
  EXPECT_GE(said.size(), talk.calls.size() - 1);
}

TEST_P(OneLoss, AmongAThousandCallsOfWhichOneDirectionWasCaptured) {
  expect_one_direction(GetParam(), true);
  expect_one_direction(GetParam(), false);
}

// Behind a lost message nobody can tell what a client that pipelines is answered: its calls are
// counted, and nobody's numbers stand at another's name.
TEST_P(OneLoss, AmongAThousandCallsOfAPipeliningClient) {
  const Conversation talk = pipelined(kManyCalls, 4);
  for (const size_t damaged : {kDamaged, kDamaged + 2, kDamaged + 3}) {
    SCOPED_TRACE("call " + std::to_string(damaged));
    const PacketRange lost = lost_range(talk, GetParam(), damaged);
    const Result result = replay(without(talk.packets, {lost}));
    EXPECT_EQ(result.accounts.missing, payload_bytes(talk.packets, lost));
    std::set<int> whole;
    std::set<std::string> answers;
    for (const Json& record : result.records) {
      const auto call = std::find_if(talk.calls.begin(), talk.calls.end(),
                                     [&](const Call& each) { return !contradicts(record, each); });
      ASSERT_NE(call, talk.calls.end()) << "of two calls: " << record.dump();
      if (is_whole(record, *call)) whole.insert(call->number);
      if (record["response_id"].is_string()) answers.insert(record["response_id"]);
    }
    EXPECT_GE(answers.size(), talk.calls.size() - 1) << "every answer is counted";
    for (int i = 0; i < static_cast<int>(damaged / 4 * 4); ++i) {
      EXPECT_TRUE(whole.contains(i)) << "before the loss";
    }
    EXPECT_FALSE(whole.contains(static_cast<int>(damaged)));
  }
}

INSTANTIATE_TEST_SUITE_P(Accounts, OneLoss,
                         testing::Values(Loss{"whole_request", true, Loss::Where::kWhole},
                                         Loss{"first_of_request", true, Loss::Where::kFirst},
                                         Loss{"middle_of_request", true, Loss::Where::kMiddle},
                                         Loss{"last_of_request", true, Loss::Where::kLast},
                                         Loss{"whole_answer", false, Loss::Where::kWhole},
                                         Loss{"first_of_answer", false, Loss::Where::kFirst},
                                         Loss{"middle_of_answer", false, Loss::Where::kMiddle},
                                         Loss{"last_of_answer", false, Loss::Where::kLast}),
                         [](const auto& given) { return std::string(given.param.name); });

// Losses drawn at random: the books balance, what is missing is what was removed, and no record
// says anything wrong of its call. (Of a call that lost both heads nothing is left to say, and its
// lost bytes may be counted to its neighbour.)
TEST(Accounts, BalanceUnderRandomLoss) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    const Conversation talk = keep_alive(40);
    std::vector<PacketRange> lost;
    uint64_t removed = 0;
    for (size_t i = 0; i < talk.packets.size(); ++i) {
      if (talk.packets[i].payload.empty() || random() % 25 != 0) continue;
      lost.push_back({.first = i, .count = 1});
      removed += talk.packets[i].payload.size();
    }
    const Result result = replay(without(talk.packets, lost));
    EXPECT_EQ(result.accounts.missing, removed);
    EXPECT_LE(lost_bytes(result.records), removed);
    for (const Json& record : result.records) {
      const bool of_some_call =
          std::any_of(talk.calls.begin(), talk.calls.end(),
                      [&](const Call& call) { return !contradicts(record, call); });
      EXPECT_TRUE(of_some_call) << record.dump();
    }
    for (size_t i = 0; i < talk.calls.size(); ++i) {
      const auto touched = [&](PacketRange message) {
        return std::any_of(lost.begin(), lost.end(), [&](PacketRange range) {
          return range.first >= message.first && range.first < message.first + message.count;
        });
      };
      if (touched(talk.requests[i]) || touched(talk.answers[i])) continue;
      EXPECT_TRUE(std::any_of(result.records.begin(), result.records.end(),
                              [&](const Json& record) { return says_all(record, talk.calls[i]); }))
          << "call " << i << " was not touched by a loss, and is damaged";
    }
  }
}

// Duplicates and reordering lose nothing.
TEST(Accounts, BalanceUnderDuplicationAndReordering) {
  const Conversation talk = keep_alive(20);
  const std::string expected = replay_packets(talk.packets, "ndjson").out;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    std::vector<TcpPacket> packets;
    for (const TcpPacket& packet : talk.packets) {
      packets.push_back(packet);
      if (random() % 10 == 0) packets.push_back(packet);
    }
    // A data segment changes places with its neighbour, but keeps the neighbour's time.
    uint64_t swapped = 0;
    for (size_t i = 0; i + 1 < packets.size(); ++i) {
      const bool same_way = packets[i].source == packets[i + 1].source;
      if (!same_way || packets[i].payload.empty() || packets[i + 1].payload.empty()) continue;
      if (random() % 8 != 0) continue;
      std::swap(packets[i], packets[i + 1]);
      std::swap(packets[i].time_ns, packets[i + 1].time_ns);
      ++swapped;
      ++i;
    }
    EXPECT_GT(swapped, 0u);
    const Result result = replay(packets);
    EXPECT_EQ(result.accounts.missing, 0u);
    EXPECT_EQ(result.accounts.skipped, payload_bytes(packets) - payload_bytes(talk.packets));
    ASSERT_EQ(result.records.size(), talk.calls.size());
    for (size_t i = 0; i < talk.calls.size(); ++i) {
      EXPECT_TRUE(is_whole(result.records[i], talk.calls[i])) << result.records[i].dump();
    }
  }
}

// Bytes past the capture's snap length were on the wire and never captured.
TEST(Accounts, SnapLengthIsMissingAsCaplen) {
  const Conversation talk = keep_alive(10, 1'400);
  constexpr size_t kSnap = 300;
  PcapWriter writer({.nanoseconds = true});
  uint64_t cut_payload = 0;
  uint64_t kept_payload = 0;
  for (const TcpPacket& packet : talk.packets) {
    const std::string frame = frame_bytes(Link::kEthernet, packet);
    const std::string kept = frame.substr(0, kSnap);
    writer.add(packet.time_ns, kept, static_cast<uint32_t>(frame.size()));
    cut_payload += frame.size() - kept.size();
    kept_payload += packet.payload.size() - (frame.size() - kept.size());
  }
  ASSERT_GT(cut_payload, 0u);
  const Outcome metrics = replay_bytes(writer.bytes(), "prometheus");
  const Accounts accounts = accounts_of(metrics.out);
  EXPECT_EQ(accounts.captured, kept_payload);
  EXPECT_EQ(accounts.captured, accounts.accounted());
  EXPECT_EQ(accounts.missing, cut_payload);
  EXPECT_EQ(metric(metrics.out, "wiretally_missing_bytes_total", "caplen"), cut_payload);
  const std::vector<Json> records = records_of(replay_bytes(writer.bytes(), "ndjson").out);
  EXPECT_EQ(records.size(), talk.calls.size());
  EXPECT_LE(lost_bytes(records), cut_payload);
  for (const Json& record : records) {
    EXPECT_GT(record["lost_bytes"], 0) << record.dump();
    EXPECT_TRUE(std::any_of(talk.calls.begin(), talk.calls.end(), [&](const Call& call) {
      return !contradicts(record, call);
    })) << record.dump();
  }
}

// The last bytes of a connection are lost: nothing but the receiver's ACK tells.
TEST(Accounts, LossAtTheVeryEndIsSeenByItsAcknowledgment) {
  Connection::Options options;
  options.segment_bytes = 200;  // the usage, and what is behind it, fit into two
  for (const bool with_close : {false, true}) {
    Connection connection(options);
    connection.open();
    connection.send(Party::kClient, chat_request({.number = 1}));
    connection.wait_ms(100);
    const PacketRange answer =
        connection.send(Party::kServer, chat_answer({.number = 1, .stream = true}));
    if (with_close) connection.close(Party::kServer);
    const PacketRange lost{.first = answer.first + answer.count - 2, .count = 2};
    const Result result = replay(without(connection.packets(), {lost}));
    EXPECT_EQ(result.accounts.missing, payload_bytes(connection.packets(), lost));
    ASSERT_EQ(result.records.size(), 1u);
    const Json& record = result.records[0];
    EXPECT_EQ(record["lost_bytes"], payload_bytes(connection.packets(), lost));
    EXPECT_NE(record["usage_source"], "reported") << record.dump();
    EXPECT_NE(record["outcome"], "ok");
  }
}

}  // namespace
}  // namespace wiretally::test
