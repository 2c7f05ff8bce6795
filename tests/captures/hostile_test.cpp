// Traffic that is no LLM call, and traffic made to hurt.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "binary.h"
#include "calls.h"
#include "support/encoder.h"

namespace wiretally::test {
namespace {

// Whatever comes in: exit 0, books that balance, and the records.
std::vector<Json> harmless(const std::vector<TcpPacket>& packets, uint64_t peak_mib_max = 0) {
  const std::string capture = make_capture({}, packets);
  const Outcome metrics = replay_bytes(capture, "prometheus");
  EXPECT_EQ(metrics.exit_status, 0) << metrics.err;
  const Accounts accounts = accounts_of(metrics.out);
  EXPECT_EQ(accounts.captured, payload_bytes(packets));
  EXPECT_EQ(accounts.captured, accounts.accounted());
  const Outcome run = replay_bytes(capture, "ndjson");
  EXPECT_EQ(run.exit_status, 0) << run.err;
#ifndef WIRETALLY_SANITIZED
  if (peak_mib_max > 0) {
    EXPECT_LT(run.peak_kib, peak_mib_max * 1024);
    testing::Test::RecordProperty("peak_kib", std::to_string(run.peak_kib));
    std::printf("    peak %.1f MiB\n", static_cast<double>(run.peak_kib) / 1024);
  }
#else
  (void)peak_mib_max;
#endif
  return records_of(run.out);
}

std::vector<TcpPacket> talk(const std::string& request, const std::string& answer) {
  Connection connection;
  connection.open();
  if (!request.empty()) connection.send(Party::kClient, request);
  connection.wait_ms(5);
  if (!answer.empty()) connection.send(Party::kServer, answer);
  connection.close(Party::kServer);
  return connection.packets();
}

const std::string kJsonOk = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";

// --- no calls ------------------------------------------------------------------------------------

TEST(Ordinary, TwentyRequestsThenACallOnOneConnectionAreOneRecord) {
  Connection connection;
  connection.open();
  for (int i = 0; i < 20; ++i) {
    connection.send(Party::kClient,
                    "GET /item/" + std::to_string(i) + " HTTP/1.1\r\nHost: shop.example\r\n\r\n");
    connection.send(Party::kServer,
                    message(kJsonOk, R"({"item":)" + std::string(3'000, '1') + "}"));
  }
  const Call call{.number = 3, .stream = true};
  connection.send(Party::kClient, chat_request(call));
  connection.send(Party::kServer, chat_answer(call));
  const std::vector<Json> records = harmless(connection.packets());
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0]["input_tokens"], 1003);
}

TEST(Ordinary, WebAppsMessagesAreNone) {
  EXPECT_TRUE(harmless(talk(message("POST /messages HTTP/1.1\r\nHost: chat.example\r\n",
                                    R"({"to":"bob","text":"hi"})"),
                            message(kJsonOk, R"({"id":17,"text":"hi"})")))
                  .empty());
  EXPECT_TRUE(harmless(talk(message("POST /v1/messages HTTP/1.1\r\nHost: chat.example\r\n",
                                    R"({"to":"bob","body":"hi"})"),
                            message(kJsonOk, R"({"type":"note","id":"msg_1"})")))
                  .empty());
}

TEST(Ordinary, HealthTlsAndSshAreNone) {
  EXPECT_TRUE(
      harmless(talk("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", message(kJsonOk, "{}"))).empty());
  std::mt19937_64 random(7);
  std::string noise(40'000, '\0');
  for (char& byte : noise) byte = static_cast<char>(random());
  const std::string hello("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
  EXPECT_TRUE(harmless(talk(hello + noise, hello + noise)).empty());
  EXPECT_TRUE(
      harmless(talk("SSH-2.0-OpenSSH_9.2\r\n" + noise, "SSH-2.0-OpenSSH_9.2\r\n" + noise)).empty());
  EXPECT_TRUE(harmless(talk("EHLO x\r\n", "220 mail ESMTP\r\n250 ok\r\n")).empty());
  EXPECT_TRUE(harmless(talk(noise, noise)).empty());
}

// --- endless things ------------------------------------------------------------------------------

constexpr uint64_t kCalmMib = 48;

TEST(Endless, Heads) {
  const std::string line = "X-Filler: " + std::string(1'000, 'x') + "\r\n";
  std::string head = "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < 8'000; ++i) head += line;
  EXPECT_TRUE(harmless(talk(head, ""), kCalmMib).empty());
  const std::string one_line =
      "POST /v1/chat/completions HTTP/1.1\r\nX: " + std::string(8'000'000, 'x');
  EXPECT_TRUE(harmless(talk(one_line, ""), kCalmMib).empty());
  EXPECT_TRUE(harmless(talk("GET /" + std::string(8'000'000, 'x'), ""), kCalmMib).empty());
  // The call behind a head that is too large is still seen on the next connection, and the answer's
  // endless head costs its own call.
  const std::vector<Json> records = harmless(
      talk(chat_request({.number = 1}), "HTTP/1.1 200 OK\r\nX: " + std::string(8'000'000, 'x')),
      kCalmMib);
  ASSERT_EQ(records.size(), 1u);
  EXPECT_TRUE(records[0]["input_tokens"].is_null());
  EXPECT_NE(records[0]["outcome"], "ok");
}

TEST(Endless, ChunkExtensionsAndTrailers) {
  const std::string start =
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
      "Transfer-Encoding: chunked\r\n\r\n";
  const auto of = [&](const std::string& body) {
    return harmless(talk(chat_request({.number = 1}), start + body), kCalmMib);
  };
  EXPECT_EQ(of("5;" + std::string(4'000'000, 'e')).size(), 1u);
  EXPECT_EQ(of("0\r\nT: " + std::string(4'000'000, 't')).size(), 1u);
  EXPECT_EQ(of(std::string(1'000'000, '0') + "5\r\nhello\r\n").size(), 1u);
  EXPECT_EQ(of("ffffffffffffffffff\r\nx").size(), 1u);
  EXPECT_EQ(of("7fffffffffffffff\r\n" + std::string(1'000'000, 'x')).size(), 1u);
}

TEST(Endless, JsonAndSseWithoutStructure) {
  const auto of = [&](const std::string& type, const std::string& body) {
    return harmless(talk(chat_request({.number = 1, .stream = true}),
                         "HTTP/1.1 200 OK\r\nContent-Type: " + type + "\r\n\r\n" + body),
                    kCalmMib);
  };
  EXPECT_EQ(of("application/json", std::string(4'000'000, '[')).size(), 1u);
  EXPECT_EQ(of("application/json", "{\"" + std::string(4'000'000, 'k')).size(), 1u);
  EXPECT_EQ(of("application/json", "{\"model\":\"" + std::string(4'000'000, 'm')).size(), 1u);
  EXPECT_EQ(of("application/json", "{\"n\":" + std::string(4'000'000, '9')).size(), 1u);
  EXPECT_EQ(of("text/event-stream", "data: {\"id\":\"" + std::string(4'000'000, 'm')).size(), 1u);
  EXPECT_EQ(of("text/event-stream", std::string(4'000'000, '\n')).size(), 1u);
  EXPECT_EQ(of("text/event-stream", "event: " + std::string(4'000'000, 'e')).size(), 1u);
}

// --- segments ------------------------------------------------------------------------------------

TEST(Segments, OfOneByteWithHoles) {
  Connection::Options options;
  options.segment_bytes = 1;
  Connection connection(options);
  connection.open();
  const Call call{.number = 5, .prompt_bytes = 50'000};
  const PacketRange request = connection.send(Party::kClient, chat_request(call));
  connection.send(Party::kServer, chat_answer(call));
  uint64_t lost = 0;
  std::vector<TcpPacket> packets;
  for (size_t i = 0; i < connection.packets().size(); ++i) {
    const bool is_lost = i >= request.first + 1'000 && i < request.first + request.count &&
                         (i - request.first) % 2 == 0;
    if (!is_lost) packets.push_back(connection.packets()[i]);
    lost += is_lost;
  }
  const std::vector<Json> records = harmless(packets, kCalmMib);
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0]["lost_bytes"], lost);
}

TEST(Segments, InReverseOrderWithTheFirstMissing) {
  Connection::Options options;
  options.segment_bytes = 100;
  Connection connection(options);
  connection.open();
  const PacketRange sent = connection.send(Party::kClient, std::string(20'000'000, 'x'));
  std::vector<TcpPacket>& packets = connection.packets();
  std::vector<int64_t> times;
  for (const TcpPacket& packet : packets) times.push_back(packet.time_ns);
  std::reverse(packets.begin() + static_cast<std::ptrdiff_t>(sent.first),
               packets.begin() + static_cast<std::ptrdiff_t>(sent.first + sent.count));
  for (size_t i = 0; i < packets.size(); ++i) packets[i].time_ns = times[i];
  EXPECT_TRUE(harmless(packets, 64).empty());
}

// --- many connections ----------------------------------------------------------------------------

// 100 000 of each; a connection that has shown bytes costs its state in two rooms.
#ifdef WIRETALLY_SANITIZED
constexpr uint32_t kManyConnections = 10'000;
#else
constexpr uint32_t kManyConnections = 100'000;
#endif
constexpr uint64_t kManyMib = 256;

std::vector<TcpPacket> connections(const std::string& payload, bool answered) {
  std::vector<TcpPacket> packets;
  for (uint32_t i = 0; i < kManyConnections; ++i) {
    const std::string address = "10." + std::to_string(i >> 16) + "." +
                                std::to_string(i >> 8 & 255) + "." + std::to_string(i & 255);
    const TcpPacket syn{.source = endpoint(address, 1'024),
                        .destination = endpoint("10.200.0.1", 80),
                        .sequence = i,
                        .flags = TcpFlags::kSyn,
                        .time_ns = kCaptureStartNs + i * 1'000};
    packets.push_back(syn);
    if (answered) {
      packets.push_back({.source = syn.destination,
                         .destination = syn.source,
                         .sequence = 7 * i,
                         .acknowledgment = i + 1,
                         .flags = TcpFlags::kSyn | TcpFlags::kAck,
                         .time_ns = syn.time_ns + 100});
    }
    if (payload.empty()) continue;
    packets.push_back({.source = syn.source,
                       .destination = syn.destination,
                       .sequence = i + 1,
                       .acknowledgment = 7 * i + 1,
                       .flags = TcpFlags::kAck,
                       .payload = payload,
                       .time_ns = syn.time_ns + 200});
  }
  return packets;
}

TEST(ManyConnections, SynFlood) { EXPECT_TRUE(harmless(connections("", false), kManyMib).empty()); }
TEST(ManyConnections, HalfOpen) { EXPECT_TRUE(harmless(connections("", true), kManyMib).empty()); }
TEST(ManyConnections, EachWithJunk) {
  EXPECT_TRUE(harmless(connections("\x01\x02junk", true), kManyMib).empty());
}
TEST(ManyConnections, EachWithTheBeginningOfAHead) {
  EXPECT_TRUE(harmless(connections("POST /v1/cha", true), kManyMib).empty());
}
TEST(ManyConnections, EachWithAHole) {
  std::vector<TcpPacket> packets = connections(std::string(200, 'x'), true);
  for (TcpPacket& packet : packets) {
    if (!packet.payload.empty()) packet.sequence += 100;
  }
  EXPECT_TRUE(harmless(packets, kManyMib).empty());
}
TEST(ManyConnections, EachWithARequestThatIsNeverAnswered) {
  const std::vector<Json> records =
      harmless(connections(chat_request({.number = 1, .prompt_bytes = 20}), true), 1'024);
  EXPECT_EQ(records.size(), kManyConnections);
}

// --- codings -------------------------------------------------------------------------------------

std::string gzip(const std::string& text) { return encode(Coding::kGzip, text); }

TEST(Codings, ABombIsANamedDropAndItsCallIsCounted) {
  const std::string bomb =
      gzip(gzip(std::string(400'000'000, '\0')) + std::string(300'000'000, '\0'));
  const auto packets =
      talk(chat_request({.number = 1}), message(kJsonOk + "Content-Encoding: gzip\r\n", bomb));
  const std::vector<Json> records = harmless(packets, kCalmMib);
  ASSERT_EQ(records.size(), 1u);
  EXPECT_TRUE(records[0]["input_tokens"].is_null());
  EXPECT_NE(records[0]["flags"].dump().find("decode_failed"), std::string::npos);
  const std::string metrics = replay_packets(packets, "prometheus").out;
  EXPECT_GE(metric(metrics, "wiretally_dropped_total", "decode_ratio"), 1u);
}

TEST(Codings, BrokenAndUnknownOnesAreNamedDrops) {
  const std::string answer = chat_answer({.number = 1});
  const std::string body = answer.substr(answer.find("\r\n\r\n") + 4);
  std::string broken = gzip(body);
  broken[20] = static_cast<char>(~broken[20]);
  const std::vector<std::pair<std::string, std::string>> codings = {
      {"gzip", broken}, {"gzip", body}, {"br", body}, {"zstd", body}, {"gzip, gzip, gzip", body}};
  for (const auto& [coding, coded] : codings) {
    SCOPED_TRACE(coding);
    const auto packets = talk(chat_request({.number = 1}),
                              message(kJsonOk + "Content-Encoding: " + coding + "\r\n", coded));
    const std::vector<Json> records = harmless(packets);
    ASSERT_EQ(records.size(), 1u);
    EXPECT_EQ(records[0]["status_code"], 200);
    EXPECT_NE(records[0]["flags"].dump().find("decode_failed"), std::string::npos)
        << records[0].dump();
  }
}

// --- noise ---------------------------------------------------------------------------------------

TEST(Noise, InPacketsAndFilesNeverCrashes) {
  const Call call{.number = 1, .stream = true};
  Connection connection;
  connection.open();
  connection.send(Party::kClient, chat_request(call));
  connection.send(Party::kServer, chat_answer(call));
  const std::string whole = make_capture({}, connection.packets());
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    std::mt19937_64 random(seed);
    std::string bytes = whole;
    for (uint64_t i = 0; i < 1 + seed / 4; ++i) {
      bytes[24 + random() % (bytes.size() - 24)] = static_cast<char>(random());
    }
    const Outcome run = replay_bytes(bytes, "prometheus");
    EXPECT_TRUE(run.exit_status == 0 || run.exit_status == 2) << "seed " << seed << run.err;
    const Accounts accounts = accounts_of(run.out);
    EXPECT_EQ(accounts.captured, accounts.accounted()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace wiretally::test
