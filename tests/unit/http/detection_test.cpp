// What is HTTP, told from the bytes alone.
#include <gtest/gtest.h>

#include "start_line.h"
#include "unit/http/scenario.h"

namespace wiretally::http {
namespace {

TEST(StartLine, Classifies) {
  EXPECT_EQ(classify_start(as_bytes("")), StartKind::kUndecided);
  EXPECT_EQ(classify_start(as_bytes("H")), StartKind::kUndecided);
  EXPECT_EQ(classify_start(as_bytes("HTTP/1.")), StartKind::kResponse);
  EXPECT_EQ(classify_start(as_bytes("HTTP/2 200")), StartKind::kNone);
  EXPECT_EQ(classify_start(as_bytes("HEAD ")), StartKind::kRequest);
  EXPECT_EQ(classify_start(as_bytes("P")), StartKind::kUndecided);
  EXPECT_EQ(classify_start(as_bytes("PRI * HTTP/2.")), StartKind::kUndecided);
  EXPECT_EQ(classify_start(as_bytes("PRI * HTTP/2.0\r\n\r\nSM")), StartKind::kHttp2);
  EXPECT_EQ(classify_start(as_bytes(std::string_view("\0\0\x06\x04\0\0\0\0\0", 9))),
            StartKind::kHttp2);
  EXPECT_EQ(classify_start(as_bytes(std::string_view("\0\0\x06\x04\0", 5))), StartKind::kUndecided);
  EXPECT_EQ(classify_start(as_bytes(std::string_view("\0\0\x05\x04", 4))), StartKind::kNone);
  EXPECT_EQ(classify_start(as_bytes(std::string_view("\0\x5a", 2))), StartKind::kNone);
  EXPECT_EQ(classify_start(as_bytes("M-SEARCH * HTTP")), StartKind::kRequest);
  EXPECT_EQ(classify_start(as_bytes("GETX ")), StartKind::kNone);
  EXPECT_EQ(classify_start(as_bytes("\x16\x03\x01")), StartKind::kNone);
}

TEST(Detection, OtherProtocolsAreIgnored) {
  for (const char* const first : {"\x16\x03\x01 client hello", "SSH-2.0-OpenSSH_9.2\r\n",
                                  "GET key\r\n", "*1\r\n$4\r\nPING\r\n"}) {
    Scenario s;
    s.a(first).b("answer").a("more");
    EXPECT_EQ(s.everywhere(), "");
    const Replay replay = s.run();
    EXPECT_EQ(replay.demand, FlowDemand::kIgnoreFlow) << first;
    EXPECT_EQ(replay.skipped(SkipReason::kHttpOpaque), replay.given) << first;
    EXPECT_EQ(replay.flows(FlowVerdict::kIgnored), 1u) << first;
  }
}

TEST(Detection, TheServerMaySpeakFirst) {
  Scenario s;
  s.b("220 mail ESMTP\r\n");
  EXPECT_EQ(s.run().demand, FlowDemand::kIgnoreFlow);
}

TEST(Detection, TooFewBytesStayUndecided) {
  Scenario s;
  s.a("GE");
  const Replay replay = s.run();
  EXPECT_EQ(replay.demand, FlowDemand::kMore);
  EXPECT_EQ(replay.flows(FlowVerdict::kUndecided), 1u);
}

std::string binary(std::initializer_list<uint8_t> bytes) { return {bytes.begin(), bytes.end()}; }

const std::string kOneCall =
    "1 request POST /v1\n1 request body q\n1 request complete\n"
    "1 answer 200\n1 answer body a\n1 answer complete\n1 end: complete\n";

TEST(Detection, BehindAProxyProtocolHead) {
  Scenario line;
  line.a("PROXY TCP4 10.0.0.1 10.0.0.2 5000 80\r\n" + request("/v1", "q")).b(answer("a"));
  EXPECT_EQ(line.everywhere(), kOneCall);
  Scenario packed;
  packed.a(std::string("\r\n\r\n\0\r\nQUIT\n", 12) + binary({0x21, 0x11, 0, 3, 1, 2, 3}) +
           request("/v1", "q"));
  packed.b(answer("a"));
  EXPECT_EQ(packed.everywhere(), kOneCall);
}

TEST(Detection, BehindSocks) {
  Scenario five;
  five.a(binary({5, 1, 0})).b(binary({5, 0})).a(binary({5, 1, 0, 3, 1, 'h', 0, 80}));
  five.b(binary({5, 0, 0, 1, 0, 0, 0, 0, 0, 0})).a(request("/v1", "q")).b(answer("a"));
  EXPECT_EQ(five.everywhere(), kOneCall);
  Scenario password;
  password.a(binary({5, 2, 0, 2})).b(binary({5, 2})).a(binary({1, 1, 'u', 1, 'p'}));
  password.b(binary({1, 0})).a(binary({5, 1, 0, 1, 10, 0, 0, 1, 0, 80}));
  password.b(binary({5, 0, 0, 1, 0, 0, 0, 0, 0, 0})).a(request("/v1", "q")).b(answer("a"));
  EXPECT_EQ(password.everywhere(), kOneCall);
  Scenario four;
  four.a(binary({4, 1, 0, 80, 0, 0, 0, 1, 'u', 0, 'h', 0})).b(binary({0, 0x5a, 0, 0, 0, 0, 0, 0}));
  four.a(request("/v1", "q")).b(answer("a"));
  EXPECT_EQ(four.everywhere(), kOneCall);
}

TEST(Detection, JoinedInTheMiddleOfAStream) {
  Scenario s;
  s.joined().b(chunk("data: {\"x\":1}\n\n")).b(chunk("data: [DONE]\n\n")).b("0\r\n\r\n");
  s.a(request("/v1", "q")).b(answer("a"));
  EXPECT_EQ(s.once(),
            "1 request POST /v1\n1 request body q\n1 request complete\n"
            "1 answer 200\n1 answer body a\n1 answer complete\n1 end: complete\n");
}

TEST(Detection, JoinedBetweenRequestAndAnswer) {
  Scenario s;
  s.joined().b(answer("a0"));
  s.a(request("/v1", "q")).b(answer("a"));
  EXPECT_EQ(s.once(),
            "1 answer 200\n1 answer body a0\n1 answer complete\n1 end: unknown\n"
            "2 request POST /v1\n2 request body q\n2 request complete\n"
            "2 answer 200\n2 answer body a\n2 answer complete\n2 end: complete\n");
}

TEST(Detection, JoinedInALongEventStream) {
  Scenario s;
  s.joined();
  for (int i = 0; i < 1000; ++i) s.b(chunk("data: {\"x\":1}\n\n"));
  s.b("0\r\n\r\n").a(request("/v1", "q")).b(answer("a"));
  EXPECT_NE(s.once().find("1 answer body a"), std::string::npos);
}

TEST(Detection, JoinedInAnotherProtocol) {
  Scenario s;
  s.joined();
  for (int i = 0; i < 100; ++i) s.b("\x17\x03\x03 binary");
  const Replay replay = s.run();
  EXPECT_EQ(replay.demand, FlowDemand::kIgnoreFlow);
  EXPECT_EQ(replay.skipped(SkipReason::kHttpOpaque), replay.given);
}

}  // namespace
}  // namespace wiretally::http
