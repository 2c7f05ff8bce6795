// WebSockets on streams of HTTP/2, RFC 8441: handshakes, frames in DATA, ends, damage.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/http2_writer.h"
#include "support/websocket_frames.h"
#include "unit/http/scenario.h"

namespace wiretally::http {
namespace {

using test::Http2Writer;
using test::kMask;
using test::MessageDeflater;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kHandshake =
    "1 request CONNECT /chat h2 websocket\n"
    "1 request complete\n"
    "1 answer 200 websocket\n"
    "1 answer complete\n";

std::string client(std::string_view text, uint8_t opcode = 1, bool final = true,
                   bool compressed = false) {
  return test::frame({.opcode = opcode, .final = final, .compressed = compressed, .mask = kMask},
                     text);
}
std::string server(std::string_view text, uint8_t opcode = 1, bool final = true,
                   bool compressed = false) {
  return test::frame({.opcode = opcode, .final = final, .compressed = compressed}, text);
}
std::string carry(std::string_view bytes, bool end_stream = false, int pad = -1) {
  return Http2Writer::data(1, bytes, end_stream, pad);
}

// Joins in order: the operands of + are evaluated in any, and a deflater minds.
std::string all(std::initializer_list<std::string> parts) {
  std::string bytes;
  for (const std::string& part : parts) bytes += part;
  return bytes;
}

struct Ends {
  Http2Writer client;
  Http2Writer server;

  std::string asks(std::string_view path = "/chat", uint32_t id = 1) {
    auto fields = Http2Writer::request(path, "CONNECT");
    fields.insert(fields.begin() + 1, {":protocol", "websocket"});
    fields.push_back({"sec-websocket-version", "13"});
    return client.headers(id, fields);
  }
  std::string grants(std::string_view extensions = "", uint32_t id = 1) {
    Http2Writer::Fields fields = {{":status", "200"}};
    if (!extensions.empty())
      fields.push_back({"sec-websocket-extensions", std::string(extensions)});
    return server.headers(id, fields);
  }
  std::string ask(uint32_t id, std::string_view body) {
    return client.headers(id, Http2Writer::request("/v1")) + Http2Writer::data(id, body, true);
  }
  std::string tell(uint32_t id, std::string_view body) {
    return server.headers(id, Http2Writer::answer(200)) + Http2Writer::data(id, body, true);
  }
};

Scenario shaken_hands(std::string_view extensions = "") {
  Ends ends;
  Scenario s;
  s.a(Http2Writer::client_begins() + ends.asks())
      .b(Http2Writer::server_begins() + ends.grants(extensions));
  return s;
}

std::string messages(const std::string& log) {
  EXPECT_TRUE(log.starts_with(kHandshake)) << log;
  return log.substr(std::min(kHandshake.size(), log.size()));
}

TEST(Http2WebSocket, MessagesOfBothParties) {
  for (const Source source : {Source::kPacket, Source::kTls}) {
    Scenario s = shaken_hands();
    s.source = source;
    s.a(carry(client("ask"))).b(carry(server("one") + server("two"))).a(carry(client("")));
    s.b(carry(server("\xff", 2))).a(carry(client("\x03\xe8 bye", 8), true));
    s.b(carry(server("\x03\xe8", 8), true));
    EXPECT_EQ(messages(s.everywhere()),
              "1 client: ask\n1 server: one\n1 server: two\n1 client: \n1 server: (binary)\n"
              "1 client closes 1000\n1 server closes 1000\n1 end: client closed\n");
  }
}

// Where a frame of HTTP/2 ends says nothing about the frames in it.
TEST(Http2WebSocket, FramesAreCutByDataAndPadded) {
  const std::string text = server("fragmented by ", 1, false) + server("", 9) + server("DATA", 0);
  Scenario s = shaken_hands();
  for (const char c : text) s.b(carry(std::string(1, c), false, c % 3 == 0 ? 4 : -1) + carry(""));
  s.a(carry(client("question").substr(0, 3))).a(carry(client("question").substr(3)));
  EXPECT_EQ(messages(s.everywhere()),
            "1 server: fragmented by DATA\n1 client: question\n1 end: end of input\n");
}

TEST(Http2WebSocket, Compressed) {
  for (const bool keeps_window : {true, false}) {
    MessageDeflater up(keeps_window), down(keeps_window);
    Scenario s = shaken_hands(keeps_window ? "permessage-deflate"
                                           : "permessage-deflate; server_no_context_takeover; "
                                             "client_no_context_takeover");
    const std::string first = down.message("{\"type\":\"response.created\"}");
    s.a(carry(client(up.message("{\"type\":\"response.create\"}"), 1, true, true)));
    s.b(carry(server(first.substr(0, 7), 1, false, true) + server("ping", 9)) +
        carry(server(first.substr(7), 0)));
    s.b(carry(server(down.message("{\"type\":\"response.created\"}"), 1, true, true)));
    EXPECT_EQ(
        messages(s.everywhere()),
        "1 client: {\"type\":\"response.create\"}\n1 server: {\"type\":\"response.created\"}\n"
        "1 server: {\"type\":\"response.created\"}\n1 end: end of input\n");
  }
}

TEST(Http2WebSocket, TwoOfThemAndACallInterleave) {
  Ends ends;
  Scenario s;
  s.a(all({Http2Writer::client_begins(), ends.asks("/chat", 1), ends.asks("/chat", 3),
           ends.ask(5, "question")}));
  s.b(all({Http2Writer::server_begins(), ends.grants("", 3), ends.grants("", 1)}));
  const std::string one = server("first"), two = server("second");
  s.b(Http2Writer::data(1, one.substr(0, 4), false) +
      Http2Writer::data(3, two.substr(0, 2), false));
  s.b(ends.tell(5, "reply"));
  s.b(Http2Writer::data(3, two.substr(2), true) + Http2Writer::data(1, one.substr(4), false));
  s.a(Http2Writer::data(3, client("bye"), true));
  const std::string log = s.everywhere();
  EXPECT_THAT(log, HasSubstr("1 server: first\n"));
  EXPECT_THAT(log, HasSubstr("2 server: second\n"));
  EXPECT_THAT(log, HasSubstr("2 client: bye\n2 end: server closed\n"));
  EXPECT_THAT(log, HasSubstr("3 answer body reply\n3 answer complete\n3 end: complete\n"));
  EXPECT_THAT(log, HasSubstr("1 end: end of input\n"));
}

TEST(Http2WebSocket, FramesBeforeTheAnswer) {
  Ends ends;
  Scenario s;
  s.a(Http2Writer::client_begins() + ends.asks())
      .a(carry(client("early")))
      .a(carry(client("bird"), true));
  s.b(Http2Writer::server_begins() + ends.grants()).b(carry(server("worm"), true));
  EXPECT_EQ(messages(s.everywhere()),
            "1 client: early\n1 client: bird\n1 server: worm\n1 end: client closed\n");
}

TEST(Http2WebSocket, TooMuchBeforeTheAnswerIsDroppedByName) {
  Ends ends;
  Scenario s;
  s.limits.http_head_bytes_max = 400;
  s.a(Http2Writer::client_begins() + ends.asks()).a(carry(std::string(300, 'x')));
  s.a(carry(std::string(200, 'x'))).a(carry("more"));
  s.b(Http2Writer::server_begins() + ends.grants()).b(carry(server("hi")));
  const Replay replay = s.run();
  EXPECT_EQ(messages(replay.log), "1 server: hi\n1 end: end of input\n");
  EXPECT_EQ(replay.dropped(DropReason::kHttpWebsocketEarly), 504u);
  EXPECT_EQ(replay.given, replay.accounted);
}

TEST(Http2WebSocket, Refused) {
  Ends ends;
  Scenario s;
  s.a(Http2Writer::client_begins() + ends.asks()).a(carry(client("early")));
  s.b(Http2Writer::server_begins() + ends.server.headers(1, Http2Writer::answer(403)) +
      carry("no", true));
  s.a(ends.ask(3, "question")).b(ends.tell(3, "reply"));
  const Replay replay = s.run();
  EXPECT_THAT(replay.log, HasSubstr("1 request complete\n1 answer 403\n1 answer body no\n"
                                    "1 answer complete\n1 end: complete\n"));
  EXPECT_THAT(replay.log, HasSubstr("2 answer body reply\n"));
  EXPECT_EQ(replay.dropped(DropReason::kHttpWebsocketEarly), client("early").size());
  EXPECT_EQ(s.run(Scenario::Cut::kEveryByte).log, replay.log);
}

TEST(Http2WebSocket, NobodyWantsIt) {
  Ends ends;
  Scenario s;
  s.a(Http2Writer::client_begins() + ends.asks("/plain")).a(carry(client("masked")));
  s.b(Http2Writer::server_begins() + ends.grants()).b(carry(server("frames")));
  s.a(ends.ask(3, "question")).b(ends.tell(3, "reply"));
  const Replay replay = s.run();
  EXPECT_THAT(replay.log, HasSubstr("1 request CONNECT /plain h2 websocket\n"));
  EXPECT_THAT(replay.log, Not(HasSubstr("1 client")));
  EXPECT_THAT(replay.log, HasSubstr("2 answer body reply\n"));
  EXPECT_EQ(replay.skipped(SkipReason::kHttpOpaque),
            client("masked").size() + server("frames").size());
}

TEST(Http2WebSocket, ResetIsAnAbort) {
  Scenario s = shaken_hands();
  s.b(carry(server("half of it").substr(0, 6))).a(Http2Writer::reset(1));
  EXPECT_EQ(messages(s.everywhere()), "1 server: half<cut>\n1 end: client closed\n");
}

TEST(Http2WebSocket, ACloseFrameSaysMoreThanTheReset) {
  Scenario s = shaken_hands();
  s.b(carry(server("\x03\xf3no", 8), true)).a(Http2Writer::reset(1));
  EXPECT_EQ(messages(s.everywhere()), "1 server closes 1011\n1 end: server closed\n");
}

TEST(Http2WebSocket, GoawayEndsWhatTheServerWillNotAnswer) {
  Ends ends;
  Scenario s;
  s.a(all({Http2Writer::client_begins(), ends.asks(), ends.asks("/chat", 3)}));
  s.b(Http2Writer::server_begins() + ends.grants() + Http2Writer::goaway(1));
  s.b(carry(server("still here")));
  const std::string log = s.everywhere();
  EXPECT_THAT(log, HasSubstr("2 end: server closed\n"));
  EXPECT_THAT(log, HasSubstr("1 server: still here\n"));
}

TEST(Http2WebSocket, WhatIsNoFrameEndsItsDirection) {
  Scenario s = shaken_hands();
  s.b(carry(client("masked by the server"))).a(carry(client("still here")));
  EXPECT_EQ(messages(s.everywhere()),
            "1 server <unreadable>\n1 client: still here\n1 end: end of input\n");
}

TEST(Http2WebSocket, MakesRoomForOthers) {
  Ends ends;
  Scenario s;
  s.limits.http_exchanges_max = 1;
  s.limits.open_calls_max = 1;
  s.a(Http2Writer::client_begins() + ends.asks()).a(carry(client("early")));
  s.b(Http2Writer::server_begins() + ends.grants()).b(carry(server("hi")));
  s.a(ends.ask(3, "question")).b(carry(server("late"))).b(ends.tell(3, "reply"));
  const Replay replay = s.run();
  EXPECT_TRUE(messages(replay.log).starts_with("1 client: early\n1 server: hi\n1 end: unknown\n"));
  EXPECT_THAT(replay.log, HasSubstr("2 answer body reply\n2 answer complete\n2 end: complete\n"));
  EXPECT_EQ(replay.dropped(DropReason::kHttpH2NoStream), server("late").size());
  EXPECT_EQ(replay.given, replay.accounted);
}

// --- gaps ---------------------------------------------------------------------------------------

TEST(Http2WebSocket, AGapInsideDataIsAGapOfItsFrames) {
  Scenario s = shaken_hands();
  const std::string frame = carry(server("0123456789"));
  s.b(frame.substr(0, 14)).lose_b(frame.substr(14, 4)).b(frame.substr(18)).b(carry(server("next")));
  EXPECT_EQ(messages(s.once()),
            "1 server: 012<gap 4>789\n1 server: next\n1 end: end of input, lost 4\n");
}

TEST(Http2WebSocket, AGapThatEndsInPaddingIsNoGapOfItsFrames) {
  Scenario s = shaken_hands();
  const std::string frame = carry(server("0123456789"), false, 8);
  s.b(frame.substr(0, frame.size() - 8)).lose_b(frame.substr(frame.size() - 8));
  s.b(carry(server("next")));
  EXPECT_EQ(messages(s.once()),
            "1 server: 0123456789\n1 server: next\n1 end: end of input, lost 8\n");
}

// The lost frames of HTTP/2 may have carried any number of bytes of it, or none.
TEST(Http2WebSocket, AGapAcrossFramesIsFoundAgainByProof) {
  Scenario s = shaken_hands();
  const std::string frame = server("0123456789");
  const std::string lost = carry(frame.substr(5)) + carry(server("lost"));
  s.b(carry(frame.substr(0, 5))).lose_b(lost);
  s.b(carry(server("one") + server("", 9) + server("two") + server("three")));
  const std::string bytes = std::to_string(lost.size() - 9);
  EXPECT_EQ(messages(s.once()), "1 server: 012<gap " + bytes +
                                    "><cut>\n1 server: one\n1 server: two\n1 server: three\n"
                                    "1 end: end of input, lost " +
                                    bytes + "\n");
}

TEST(Http2WebSocket, AGapBeforeTheAnswer) {
  Ends ends;
  Scenario s;
  s.a(Http2Writer::client_begins() + ends.asks());
  const std::string lost = carry(client("lost"));
  s.a(carry(client("held"))).lose_a(lost);
  s.b(Http2Writer::server_begins() + ends.grants());
  s.a(carry(client("1") + client("2") + client("3")));
  const Replay replay = s.run();
  EXPECT_EQ(messages(replay.log),
            "1 client: 1\n1 client: 2\n1 client: 3\n1 end: end of input, lost " +
                std::to_string(lost.size() - 9) + "\n");
  EXPECT_EQ(replay.dropped(DropReason::kHttpWebsocketEarly), client("held").size());
}

TEST(Http2WebSocket, WhereTheAnswersHeadIsLostTheFramesProveThemselves) {
  Ends ends;
  Scenario s;
  s.a(Http2Writer::client_begins() + ends.asks()).b(Http2Writer::server_begins());
  const std::string lost = ends.grants("permessage-deflate");
  s.lose_b(lost).b(carry(server("one") + server("two") + server("three")));
  s.b(carry(server("four")));
  EXPECT_EQ(s.once(),
            "1 request CONNECT /chat h2 websocket\n1 request complete\n"
            "1 answer 0 unknown websocket\n1 answer complete\n"
            "1 server: one\n1 server: two\n1 server: three\n1 server: four\n"
            "1 end: end of input, lost " +
                std::to_string(lost.size() - 9) + "\n");
}

TEST(Http2WebSocket, WithoutItsHandshakeItIsNoCall) {
  Ends ends;
  ends.asks();
  ends.grants();
  Scenario s;
  s.joined();
  s.b(carry(server("{\"type\":\"response.created\"}"))).a(carry(client("{\"type\":\"x\"}")));
  s.b(carry(server("{\"type\":\"response.done\"}"))).a(carry(client("{\"type\":\"y\"}")));
  const std::string log = s.once();
  EXPECT_THAT(log, Not(HasSubstr("server:")));
  EXPECT_THAT(log, Not(HasSubstr("websocket")));
  EXPECT_THAT(log, Not(HasSubstr(" complete")));
}

}  // namespace
}  // namespace wiretally::http
