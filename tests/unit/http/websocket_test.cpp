// WebSockets behind a 101: frames, messages, compression, damage.
#include <gtest/gtest.h>

#include "support/websocket_frames.h"
#include "unit/http/scenario.h"
#include "websocket_reader.h"

namespace wiretally::http {
namespace {

using test::Frame;
using test::kMask;
using test::MessageDeflater;

constexpr std::string_view kHandshake =
    "1 request GET /v1/realtime\n1 request complete\n1 answer 101\n1 answer complete\n";

std::string asks(std::string_view target = "/v1/realtime") {
  return "GET " + std::string(target) +
         " HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
}

std::string grants(std::string_view extensions = "") {
  std::string head =
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n";
  if (!extensions.empty()) {
    head += "Sec-WebSocket-Extensions: " + std::string(extensions) + "\r\n";
  }
  return head + "\r\n";
}

std::string client(std::string_view text, uint8_t opcode = 1, bool final = true,
                   bool compressed = false) {
  return test::frame({.opcode = opcode, .final = final, .compressed = compressed, .mask = kMask},
                     text);
}
std::string server(std::string_view text, uint8_t opcode = 1, bool final = true,
                   bool compressed = false) {
  return test::frame({.opcode = opcode, .final = final, .compressed = compressed}, text);
}

Scenario shaken_hands(std::string_view extensions = "") {
  Scenario s;
  s.a(asks()).b(grants(extensions));
  return s;
}

std::string messages(const std::string& log) {
  EXPECT_TRUE(log.starts_with(kHandshake)) << log;
  return log.substr(std::min(kHandshake.size(), log.size()));
}

TEST(Unmask, AnyOffsetAndLengthAsOneByteAtATime) {
  std::string from(100, '\0');
  for (size_t i = 0; i < from.size(); ++i) from[i] = static_cast<char>(i * 37 + 11);
  for (uint64_t offset = 0; offset < 9; ++offset) {
    for (size_t size = 0; size < from.size(); ++size) {
      std::string to(size, '\0');
      unmask(as_bytes(std::string_view(from).substr(0, size)), kMask, offset,
             reinterpret_cast<uint8_t*>(to.data()));
      for (size_t i = 0; i < size; ++i) {
        ASSERT_EQ(static_cast<uint8_t>(to[i]),
                  static_cast<uint8_t>(from[i]) ^ kMask[(offset + i) % 4]);
      }
    }
  }
}

TEST(WebSocket, MessagesOfBothParties) {
  Scenario s = shaken_hands();
  s.a(client("ask")).b(server("one") + server("two")).a(client("")).b(server("\xff", 2));
  s.a(client("\x03\xe8 bye", 8))
      .b(server("\x03\xe8", 8))
      .close(CloseReason::kFin, Direction::kBToA);
  EXPECT_EQ(messages(s.everywhere()),
            "1 client: ask\n1 server: one\n1 server: two\n1 client: \n1 server: (binary)\n"
            "1 client closes 1000\n1 server closes 1000\n1 end: client closed\n");
}

TEST(WebSocket, FirstFrameInTheAnswersSegment) {
  Scenario s;
  s.a(asks()).b(grants() + server("hello")).close(CloseReason::kFin, Direction::kBToA);
  EXPECT_EQ(messages(s.everywhere()), "1 server: hello\n1 end: server closed\n");
}

TEST(WebSocket, LengthsOfEveryForm) {
  const std::string middle(126, 'm');
  const std::string large(66'000, 'l');
  Scenario s = shaken_hands();
  s.a(client(middle)).b(server(std::string(125, 's')) + server(middle));
  EXPECT_EQ(messages(s.everywhere()), "1 client: " + middle +
                                          "\n1 server: " + std::string(125, 's') +
                                          "\n1 server: " + middle + "\n1 end: end of input\n");
  Scenario big = shaken_hands();
  big.a(client(large)).b(server(large));
  const Replay whole = big.run();
  EXPECT_EQ(messages(whole.log),
            "1 client: " + large + "\n1 server: " + large + "\n1 end: end of input\n");
  EXPECT_EQ(big.run(Scenario::Cut::kEveryByte).log, whole.log);
}

TEST(WebSocket, FragmentsWithAPingBetweenThem) {
  Scenario s = shaken_hands();
  s.a(client("as", 1, false) + client("ping", 9) + client("", 0, false) + client("k", 0))
      .b(server("pong", 10) + server("an", 1, false) + server("", 9) + server("swer", 0));
  EXPECT_EQ(messages(s.everywhere()), "1 client: ask\n1 server: answer\n1 end: end of input\n");
}

TEST(WebSocket, FramesBeforeTheAnswer) {
  Scenario s;
  s.a(asks()).a(client("early") + client("bird")).b(grants()).b(server("worm"));
  EXPECT_EQ(messages(s.everywhere()),
            "1 client: early\n1 client: bird\n1 server: worm\n1 end: end of input\n");
}

TEST(WebSocket, RefusedGoesOnAsHttp) {
  Scenario s;
  s.a(asks()).a(request("/v1", "q")).b(answer("no")).b(answer("a"));
  EXPECT_EQ(s.everywhere(),
            "1 request GET /v1/realtime\n1 request complete\n"
            "1 answer 200\n1 answer body no\n1 answer complete\n1 end: complete\n"
            "2 request POST /v1\n2 request body q\n2 request complete\n"
            "2 answer 200\n2 answer body a\n2 answer complete\n2 end: complete\n");
}

TEST(WebSocket, NobodyWantsIt) {
  Scenario s;
  s.a(asks("/plain")).b(grants()).a(client("x")).b(server("y"));
  EXPECT_EQ(s.everywhere(),
            "1 request GET /plain\n1 request complete\n1 answer 101\n1 answer complete\n"
            "1 end: complete\n");
  EXPECT_EQ(s.run().demand, FlowDemand::kIgnoreFlow);
}

TEST(WebSocket, TooMuchBeforeTheAnswerIsDroppedByName) {
  Scenario s;
  s.limits.http_head_bytes_max = 400;
  s.a(asks()).a(std::string(500, 'x')).b(grants()).b(server("hi"));
  const Replay replay = s.run();
  EXPECT_EQ(messages(replay.log), "1 server: hi\n1 end: end of input\n");
  EXPECT_EQ(replay.dropped(DropReason::kHttpWebsocketEarly), 500u);
  EXPECT_EQ(replay.given, replay.accounted);
}

TEST(WebSocket, UnwantedRestOfAMessageIsSkipped) {
  Scenario s = shaken_hands();
  s.a(client("aSKIP" + std::string(1000, 'x'))).a(client("b"));
  s.b(server("cSKIPd", 1, false) + server("e", 0));
  EXPECT_EQ(messages(s.everywhere()),
            "1 client: a\n1 client: b\n1 server: c\n1 end: end of input\n");
  EXPECT_EQ(s.run().skipped(SkipReason::kHttpBodyUnwanted), 1u);
}

// --- what is no frame ---------------------------------------------------------------------------

void expect_malformed(Scenario s, uint64_t bytes) {
  const Replay replay = s.run();
  EXPECT_EQ(replay.dropped(DropReason::kHttpWebsocketMalformed), bytes) << replay.log;
  EXPECT_EQ(replay.given, replay.accounted);
  EXPECT_NE(replay.log.find("<unreadable>"), std::string::npos) << replay.log;
  EXPECT_EQ(s.run(Scenario::Cut::kEveryByte).log, replay.log);
}

TEST(WebSocket, WhatIsNoFrameEndsItsDirection) {
  expect_malformed(shaken_hands().b(client("masked by the server")), 25);
  expect_malformed(shaken_hands().a(server("bare")), 5);
  expect_malformed(shaken_hands().b(server("x", 3)), 3);
  expect_malformed(shaken_hands().b(server("x", 9, false)), 3);
  expect_malformed(shaken_hands().b(server(std::string(126, 'x'), 9)), 129);
  expect_malformed(shaken_hands().b(server("continues nothing", 0)), 19);
  expect_malformed(shaken_hands().b(server("a", 1, false) + server("b")), 3);
  expect_malformed(shaken_hands().b(server("x", 1, true, true)), 3);  // RSV1 that nobody agreed on
  expect_malformed(shaken_hands().b(std::string("\x81\x7f\x80\0\0\0\0\0\0\0", 10)), 8);
}

TEST(WebSocket, TheOtherDirectionGoesOn) {
  Scenario s = shaken_hands();
  s.b(server("x", 3)).a(client("still here"));
  EXPECT_EQ(messages(s.everywhere()),
            "1 server <unreadable>\n1 client: still here\n1 end: end of input\n");
}

TEST(WebSocket, BytesBehindTheCloseFrame) {
  Scenario s = shaken_hands();
  s.b(server("\x03\xf3no", 8) + "junk").close(CloseReason::kFin, Direction::kAToB);
  EXPECT_EQ(messages(s.everywhere()), "1 server closes 1011\n1 end: server closed\n");
  EXPECT_EQ(s.run().dropped(DropReason::kHttpWebsocketMalformed), 4u);
}

TEST(WebSocket, CutInsideAMessage) {
  Scenario s = shaken_hands();
  s.b(server("half of it").substr(0, 6)).close(CloseReason::kReset, Direction::kAToB);
  EXPECT_EQ(messages(s.everywhere()), "1 server: half<cut>\n1 end: client closed\n");
}

// --- compression --------------------------------------------------------------------------------

TEST(WebSocketDeflate, WithContextTakeover) {
  MessageDeflater up, down;
  Scenario s = shaken_hands("permessage-deflate");
  s.a(client(up.message("{\"type\":\"response.create\"}"), 1, true, true));
  for (const char* text : {"{\"type\":\"response.created\"}", "{\"type\":\"response.created\"}", "",
                           "{\"type\":\"response.done\"}"}) {
    s.b(server(down.message(text), 1, true, true));
  }
  EXPECT_EQ(messages(s.everywhere()),
            "1 client: {\"type\":\"response.create\"}\n1 server: {\"type\":\"response.created\"}\n"
            "1 server: {\"type\":\"response.created\"}\n1 server: \n"
            "1 server: {\"type\":\"response.done\"}\n1 end: end of input\n");
}

TEST(WebSocketDeflate, WithoutContextTakeoverAndWithSmallWindows) {
  MessageDeflater up(false, 9), down(false, 10);
  Scenario s = shaken_hands(
      "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
      "server_max_window_bits=10; client_max_window_bits=\"9\"");
  const std::string text(3000, 'w');
  s.a(client(up.message(text), 1, true, true) + client(up.message("next"), 1, true, true));
  s.b(server(down.message(text), 1, true, true) + server(down.message("next"), 1, true, true));
  EXPECT_EQ(messages(s.everywhere()), "1 client: " + text + "\n1 client: next\n1 server: " + text +
                                          "\n1 server: next\n1 end: end of input\n");
}

TEST(WebSocketDeflate, FragmentsPingsAndPlainMessagesBetween) {
  MessageDeflater down;
  const std::string first = down.message("compressed in fragments");
  const std::string second = down.message("compressed in fragments, again");
  Scenario s = shaken_hands("permessage-deflate; client_max_window_bits=15");
  s.b(server(first.substr(0, 5), 1, false, true) + server("p", 9) +
      server(first.substr(5), 0, false) + server("", 0))
      .b(server("plain"))
      .b(server(second, 1, true, true));
  EXPECT_EQ(messages(s.everywhere()),
            "1 server: compressed in fragments\n1 server: plain\n"
            "1 server: compressed in fragments, again\n1 end: end of input\n");
}

TEST(WebSocketDeflate, ABlockThatSaysItIsTheLast) {
  MessageDeflater down;
  Scenario s = shaken_hands("permessage-deflate");
  s.b(server(down.message("last block", true), 1, true, true));
  s.b(server(down.message("goes on"), 1, true, true));
  EXPECT_EQ(messages(s.everywhere()),
            "1 server: last block\n1 server: goes on\n1 end: end of input\n");
}

// The window outlives a block that says it is the last: the next message points back across it.
TEST(WebSocketDeflate, TheWindowOutlivesALastBlock) {
  std::string text(200, '\0');
  for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + (i * i * 7) % 26);
  z_stream stream{};
  ASSERT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
  deflateSetDictionary(&stream, reinterpret_cast<const Bytef*>(text.data()),
                       static_cast<uInt>(text.size()));
  std::string coded(1000, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(text.data());
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(coded.data());
  stream.avail_out = static_cast<uInt>(coded.size());
  deflate(&stream, Z_SYNC_FLUSH);
  coded.resize(coded.size() - stream.avail_out - 4);
  deflateEnd(&stream);
  ASSERT_LT(coded.size(), 20u);
  MessageDeflater down;
  Scenario s = shaken_hands("permessage-deflate");
  s.b(server(down.message(text, true), 1, true, true)).b(server(coded, 1, true, true));
  EXPECT_EQ(messages(s.everywhere()),
            "1 server: " + text + "\n1 server: " + text + "\n1 end: end of input\n");
}

TEST(WebSocketDeflate, UnwantedMessagesStillFillTheWindow) {
  MessageDeflater down;
  Scenario s = shaken_hands("permessage-deflate");
  s.b(server(down.message("SKIP a long enough common text"), 1, true, true));
  s.b(server(down.message("binary, a long enough common text"), 2, true, true));
  s.b(server(down.message("a long enough common text"), 1, true, true));
  EXPECT_EQ(messages(s.everywhere()),
            "1 server: \n1 server: (binary)\n1 server: a long enough common text\n"
            "1 end: end of input\n");
}

TEST(WebSocketDeflate, ABadMessageSpoilsTheWindowOfItsDirection) {
  MessageDeflater up, down;
  std::string bad = down.message("bad");
  bad[0] = '\x07';  // a block of a type that there is not
  Scenario s = shaken_hands("permessage-deflate");
  s.b(server(bad, 1, true, true))
      .b(server(down.message("after"), 1, true, true))
      .b(server("plain"));
  s.a(client(up.message("fine"), 1, true, true));
  EXPECT_EQ(messages(s.everywhere()),
            "1 server: <unreadable>\n1 server: <unreadable>\n1 server: plain\n1 client: fine\n"
            "1 end: end of input\n");
  EXPECT_GT(s.run().dropped(DropReason::kHttpDecodeFailed), 0u);
}

TEST(WebSocketDeflate, WithoutTakeoverABadMessageIsAlone) {
  MessageDeflater down(false);
  std::string bad = down.message("bad");
  bad[0] = '\x07';
  Scenario s = shaken_hands("permessage-deflate; server_no_context_takeover");
  s.b(server(bad, 1, true, true)).b(server(down.message("after"), 1, true, true));
  EXPECT_EQ(messages(s.everywhere()),
            "1 server: <unreadable>\n1 server: after\n1 end: end of input\n");
}

TEST(WebSocketDeflate, BombsStopAtTheRatio) {
  MessageDeflater down(false);
  const std::string bomb = down.message(std::string(8 << 20, '\0'));
  Scenario s = shaken_hands("permessage-deflate; server_no_context_takeover");
  s.limits.decode_ratio_max = 100;
  s.b(server(bomb, 1, true, true)).b(server(down.message("after"), 1, true, true));
  const Replay replay = s.run();
  EXPECT_NE(replay.log.find("<unreadable>"), std::string::npos);
  EXPECT_NE(replay.log.find("server: after"), std::string::npos);
  EXPECT_GT(replay.dropped(DropReason::kHttpDecodeRatio), 0u);
  EXPECT_EQ(replay.given, replay.accounted);
}

TEST(WebSocketDeflate, WithoutBudgetTheMessagesAreNamed) {
  MessageDeflater down;
  Scenario s = shaken_hands("permessage-deflate");
  s.limits.decoder_bytes_max = 1'000;
  const std::string first = server(down.message("one"), 1, true, true);
  s.b(first).b(server(down.message("two"), 1, true, true)).b(server("plain"));
  EXPECT_EQ(messages(s.everywhere()),
            "1 server: <unreadable>\n1 server: <unreadable>\n1 server: plain\n"
            "1 end: end of input\n");
  EXPECT_GT(s.run().dropped(DropReason::kHttpDecoderBudget), first.size() - 2);
}

TEST(WebSocketDeflate, UnknownExtensionsAreUnreadableWhereTheyShow) {
  Scenario s = shaken_hands("x-shrink");
  s.b(server("shrunk", 1, true, true)).b(server("plain"));
  EXPECT_EQ(messages(s.everywhere()),
            "1 server: <unreadable>\n1 server: plain\n1 end: end of input\n");
}

WebSocketTerms terms_of(std::string_view value) {
  const HeaderField field{"Sec-WebSocket-Extensions", value};
  return websocket_terms({.fields = {&field, 1}});
}

TEST(WebSocketTerms, AsTheAnswerSays) {
  EXPECT_FALSE(websocket_terms({}).deflate);
  const WebSocketTerms plain = terms_of("permessage-deflate");
  EXPECT_TRUE(plain.deflate && plain.keeps_window[0] && plain.keeps_window[1]);
  const WebSocketTerms some = terms_of(" Permessage-Deflate ;client_no_context_takeover");
  EXPECT_TRUE(some.deflate && !some.keeps_window[0] && some.keeps_window[1] && !some.unreadable);
  for (const char* bad :
       {"permessage-deflate; server_max_window_bits=7", "permessage-deflate; wild",
        "permessage-deflate; client_max_window_bits=08", "permessage-deflate, permessage-deflate",
        "permessage-deflate; server_no_context_takeover=1", "x-webkit-deflate-frame"}) {
    EXPECT_TRUE(terms_of(bad).unreadable) << bad;
  }
}

// --- gaps ---------------------------------------------------------------------------------------

TEST(WebSocketGap, InsideAFrameKeepsItsBorders) {
  Scenario s = shaken_hands();
  const std::string text = server("0123456789");
  s.b(text.substr(0, 5)).lose_b(text.substr(5, 4)).b(text.substr(9)).b(server("next"));
  const std::string asked = client("0123456789");
  s.a(asked.substr(0, 9)).lose_a(asked.substr(9, 3)).a(asked.substr(12)).a(client("more"));
  EXPECT_EQ(messages(s.once()),
            "1 server: 012<gap 4>789\n1 server: next\n1 client: 012<gap 3>6789\n1 client: more\n"
            "1 end: end of input, lost 7\n");
}

TEST(WebSocketGap, ToTheEndOfAFrame) {
  Scenario s = shaken_hands();
  const std::string text = server("0123456789");
  s.b(text.substr(0, 5)).lose_b(text.substr(5)).b(server("next"));
  EXPECT_EQ(messages(s.once()),
            "1 server: 012<gap 7>\n1 server: next\n1 end: end of input, lost 7\n");
}

TEST(WebSocketGap, InACompressedMessageWithTakeover) {
  MessageDeflater down;
  const std::string first = server(down.message("a first message, lost in part"), 1, true, true);
  Scenario s = shaken_hands("permessage-deflate");
  s.b(first.substr(0, 8)).lose_b(first.substr(8, 3)).b(first.substr(11));
  s.b(server(down.message("a second message"), 1, true, true)).b(server("plain"));
  const Replay replay = s.run();
  EXPECT_NE(replay.log.find("<gap 3>\n"), std::string::npos) << replay.log;
  EXPECT_NE(replay.log.find("1 server: <unreadable>\n1 server: plain\n"), std::string::npos);
  EXPECT_GT(replay.dropped(DropReason::kHttpDecodeFailed), 0u);
  EXPECT_EQ(replay.given, replay.accounted);
}

TEST(WebSocketGap, InACompressedMessageWithoutTakeover) {
  MessageDeflater down(false);
  const std::string first = server(down.message("a first message, lost in part"), 1, true, true);
  Scenario s = shaken_hands("permessage-deflate; server_no_context_takeover");
  s.b(first.substr(0, 8)).lose_b(first.substr(8, 3)).b(first.substr(11));
  s.b(server(down.message("a second message"), 1, true, true));
  EXPECT_NE(s.once().find("<gap 3>\n1 server: a second message\n"), std::string::npos) << s.once();
}

TEST(WebSocketGap, AcrossFramesIsFoundAgainByProof) {
  const std::string lost = server("lost one") + server("lost two");
  const std::string rest = server("one") + server("", 9) + server("two") + server("three");
  for (const bool apart : {false, true}) {
    Scenario s = shaken_hands();
    s.b(server("zero")).lose_b(lost);
    if (apart) {
      for (const char c : rest) s.b(std::string(1, c));
    } else {
      s.b(rest);
    }
    EXPECT_EQ(messages(s.once()),
              "1 server: zero\n1 server <gap " + std::to_string(lost.size()) +
                  ">\n1 server: one\n1 server: two\n1 server: three\n1 end: end of input, lost " +
                  std::to_string(lost.size()) + "\n");
  }
}

TEST(WebSocketGap, BytesInTheMiddleOfAFrameProveNothing) {
  const std::string frame_lost_in_part = server(std::string(300, 'x'));
  Scenario s = shaken_hands();
  s.b(frame_lost_in_part.substr(0, 2)).lose_b(frame_lost_in_part.substr(2, 50));
  s.b(frame_lost_in_part.substr(52));
  s.b(server("one") + server("two") + server("three"));
  const Replay replay = s.run();
  EXPECT_EQ(messages(replay.log),
            "1 server <gap 50>\n1 server: one\n1 server: two\n1 server: three\n"
            "1 end: end of input, lost 50\n");
  EXPECT_EQ(replay.dropped(DropReason::kHttpResync), frame_lost_in_part.size() - 52);
  EXPECT_EQ(replay.given, replay.accounted);
}

TEST(WebSocketGap, AChainThatEndsWithItsDirectionIsProof) {
  Scenario s = shaken_hands();
  s.lose_b(server("lost")).b(server("the last")).end_b();
  EXPECT_EQ(messages(s.once()),
            "1 server <gap 6>\n1 server: the last\n1 end: server closed, lost 6\n");
}

TEST(WebSocketGap, ALongChainIsProvedWithoutBeingHeld) {
  const std::string large(100'000, 'l');
  Scenario s = shaken_hands();
  s.lose_b("x").b(server(large)).b(server(large)).b(server("three"));
  EXPECT_EQ(messages(s.once()), "1 server <gap 1>\n1 server: three\n1 end: end of input, lost 1\n");
}

TEST(WebSocketGap, WhereTheAnswerWasAwaited) {
  Scenario s;
  // Its sender had received the request and no more: it answers none that was lost behind it.
  s.a(asks()).lose_a(client("lost")).b_at(asks().size(), grants());
  s.a(client("1") + client("2") + client("3"));
  const std::string log = s.once();
  EXPECT_NE(log.find("1 client: 1\n1 client: 2\n1 client: 3\n"), std::string::npos) << log;
}

}  // namespace
}  // namespace wiretally::http
