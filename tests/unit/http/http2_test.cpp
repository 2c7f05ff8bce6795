// HTTP/2 connections as scripts: what begins them, frames in every shape, streams, ends, losses and
// floods.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/http2_writer.h"
#include "unit/http/scenario.h"

namespace wiretally::http {
namespace {

using test::Http2Writer;
using ::testing::HasSubstr;
using ::testing::Not;

// Both ends of a connection.
struct Ends {
  Http2Writer client;
  Http2Writer server;

  std::string ask(uint32_t id, std::string_view path, std::string_view body) {
    return client.headers(id, Http2Writer::request(path)) + Http2Writer::data(id, body, true);
  }
  std::string tell(uint32_t id, std::string_view body) {
    return server.headers(id, Http2Writer::answer(200)) + Http2Writer::data(id, body, true);
  }
};

// Joins in order: the operands of + are evaluated in any, and a deflater minds.
std::string all(std::initializer_list<std::string> parts) {
  std::string bytes;
  for (const std::string& part : parts) bytes += part;
  return bytes;
}

constexpr const char* kOneCall =
    "1 request POST /v1 h2\n"
    "1 request body question\n"
    "1 request complete\n"
    "1 answer 200\n"
    "1 answer body reply\n"
    "1 answer complete\n"
    "1 end: complete\n";

TEST(Http2, PriorKnowledge) {
  Ends ends;
  Scenario s;
  s.a(Http2Writer::client_begins() + ends.ask(1, "/v1", "question"))
      .b(Http2Writer::server_begins() + ends.tell(1, "reply"));
  EXPECT_EQ(s.everywhere(), kOneCall);
}

TEST(Http2, TheServersSettingsMayComeFirst) {
  Ends ends;
  Scenario s;
  s.b(Http2Writer::settings({{3, 100}, {4, 65'536}}))
      .a(Http2Writer::client_begins() + ends.ask(1, "/v1", "question"))
      .b(Http2Writer::server_begins() + ends.tell(1, "reply"));
  EXPECT_EQ(s.everywhere(), kOneCall);
}

TEST(Http2, TheRequestsHeadersAreAsOnTheWire) {
  Ends ends;
  Scenario s;
  s.log_headers = true;
  auto fields = Http2Writer::request("/v1");
  fields.push_back({"authorization", "Bearer x"});
  s.a(Http2Writer::client_begins() + ends.client.headers(1, fields, true))
      .a(ends.client.headers(3, fields, true))
      .b(all({Http2Writer::server_begins(), ends.tell(3, "b"), ends.tell(1, "a")}));
  const std::string log = s.everywhere();
  const std::string head =
      " request POST /v1 [:method=POST] [:scheme=https] [:authority=api.openai.com] [:path=/v1] "
      "[authorization=Bearer x] h2\n";
  EXPECT_THAT(log, HasSubstr("1" + head));
  EXPECT_THAT(log, HasSubstr("2" + head));
  EXPECT_THAT(log, HasSubstr("2 answer body b\n2 answer complete\n2 end: complete\n1 answer 200"));
}

TEST(Http2, PaddingPriorityAndContinuation) {
  Ends ends;
  Scenario s;
  s.a(Http2Writer::client_begins() +
      ends.client.headers(1, Http2Writer::request("/v1"),
                          {.end_stream = false, .pad = 7, .priority = true, .fragment_bytes = 3}) +
      Http2Writer::data(1, "quest", false, 0) + Http2Writer::frame(2, 0, 1, "12345") +
      Http2Writer::data(1, "ion", true, 200))
      .b(Http2Writer::server_begins() +
         ends.server.headers(
             1, Http2Writer::answer(200),
             {.end_stream = false, .pad = 0, .priority = false, .fragment_bytes = 1}) +
         Http2Writer::data(1, "", false, 3) + Http2Writer::data(1, "reply", true, 5));
  EXPECT_EQ(s.everywhere(), kOneCall);
}

TEST(Http2, OtherFramesInBetween) {
  Ends ends;
  Scenario s;
  s.a(Http2Writer::client_begins() + ends.client.headers(1, Http2Writer::request("/v1")) +
      Http2Writer::window(0) + Http2Writer::ping() + Http2Writer::frame(0xbe, 0xff, 1, "unknown") +
      Http2Writer::data(1, "question", false) + Http2Writer::data(1, "", true))
      .b(all({Http2Writer::server_begins(), Http2Writer::frame(10, 0, 0, "altsvc"),
              ends.server.headers(1, {{":status", "103"}, {"link", "</style.css>"}}),
              ends.tell(1, "reply")}));
  EXPECT_EQ(s.everywhere(), kOneCall);
}

TEST(Http2, StreamsInterleave) {
  Ends ends;
  Scenario s;
  s.a(all({Http2Writer::client_begins(), ends.ask(1, "/v1", "one"), ends.ask(3, "/plain", "two"),
           ends.ask(5, "/v1", "three")}));
  s.b(all({Http2Writer::server_begins(), ends.server.headers(5, Http2Writer::answer(200)),
           ends.server.headers(1, Http2Writer::answer(200)), Http2Writer::data(5, "th", false),
           Http2Writer::data(1, "o", false)}));
  s.b(ends.tell(3, "2") + Http2Writer::data(5, "ree", true) + Http2Writer::data(1, "ne", true));
  const std::string log = s.everywhere();
  EXPECT_THAT(log, HasSubstr("1 answer body one\n"));
  EXPECT_THAT(log, HasSubstr("3 answer body three\n"));
  EXPECT_THAT(log, Not(HasSubstr("2 answer body")));
  EXPECT_THAT(log, HasSubstr("2 end: complete\n"));
}

TEST(Http2, ContentCodingIsRemovedByStream) {
  Ends ends;
  Scenario s;
  const std::string one = gzip("one answer");
  const std::string two = gzip("another");
  auto coded = Http2Writer::answer(200);
  coded.push_back({"content-encoding", "gzip"});
  s.a(all({Http2Writer::client_begins(), ends.ask(1, "/v1", "q"), ends.ask(3, "/v1", "q")}))
      .b(all({Http2Writer::server_begins(), ends.server.headers(1, coded),
              ends.server.headers(3, coded), Http2Writer::data(1, one.substr(0, 9), false),
              Http2Writer::data(3, two, true), Http2Writer::data(1, one.substr(9), true)}));
  const std::string log = s.everywhere();
  EXPECT_THAT(log, HasSubstr("1 answer body one answer\n"));
  EXPECT_THAT(log, HasSubstr("2 answer body another\n"));
}

TEST(Http2, UpgradeOfARequest) {
  Ends ends;
  Scenario s;
  s.a("POST /v1 HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
      "HTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: 8\r\n\r\nquestion")
      .b("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n" +
         Http2Writer::server_begins() + ends.tell(1, "reply"))
      .a(Http2Writer::client_begins() + ends.ask(3, "/v1", "more"))
      .b(ends.tell(3, "again"));
  EXPECT_EQ(s.everywhere(),
            "1 request POST /v1\n"
            "1 request body question\n"
            "1 request complete\n"
            "1 answer 200\n"
            "1 answer body reply\n"
            "1 answer complete\n"
            "1 end: complete\n"
            "2 request POST /v1 h2\n"
            "2 request body more\n"
            "2 request complete\n"
            "2 answer 200\n"
            "2 answer body again\n"
            "2 answer complete\n"
            "2 end: complete\n");
}

TEST(Http2, UpgradeWhileTheRequestsBodyIsOnItsWay) {
  Ends ends;
  Scenario s;
  s.a("POST /v1 HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
      "HTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: 8\r\n\r\nques")
      .b("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n" +
         Http2Writer::server_begins())
      .a("tion" + Http2Writer::client_begins())
      .b(ends.tell(1, "reply"));
  EXPECT_EQ(s.everywhere(),
            "1 request POST /v1\n"
            "1 request body question\n"
            "1 request complete\n"
            "1 answer 200\n"
            "1 answer body reply\n"
            "1 answer complete\n"
            "1 end: complete\n");
}

TEST(Http2, AnUpgradedStreamMayBeResetBeforeItsRequestEnds) {
  Scenario s;
  s.a("POST /v1 HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
      "HTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: 8\r\n\r\nques")
      .b("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n" +
         Http2Writer::server_begins() + Http2Writer::reset(1))
      .a("tion" + Http2Writer::client_begins());
  EXPECT_EQ(s.everywhere(),
            "1 request POST /v1\n"
            "1 request body ques\n"
            "1 request cut\n"
            "1 end: server closed\n");
}

TEST(Http2, WhoResetsAborts) {
  Ends ends;
  Scenario s;
  s.a(all({Http2Writer::client_begins(), ends.ask(1, "/v1", "q"), ends.ask(3, "/v1", "q")}))
      .b(Http2Writer::server_begins() + ends.server.headers(1, Http2Writer::answer(200)) +
         Http2Writer::data(1, "so fa", false) + Http2Writer::reset(3))
      .a(Http2Writer::reset(1))
      .b(Http2Writer::data(1, "r so good", true));
  const std::string log = s.everywhere();
  EXPECT_THAT(log, HasSubstr("1 answer body so fa\n1 answer cut\n1 end: client closed\n"));
  EXPECT_THAT(log, HasSubstr("2 end: server closed\n"));
  EXPECT_EQ(s.run().dropped(DropReason::kHttpH2NoStream), 9u);
}

TEST(Http2, LeavingWhenContentLengthIsReachedIsNoAbort) {
  Ends ends;
  Scenario s;
  auto counted = Http2Writer::answer(200);
  counted.push_back({"content-length", "5"});
  s.a(Http2Writer::client_begins() + ends.ask(1, "/v1", "q"))
      .b(Http2Writer::server_begins() + ends.server.headers(1, counted) +
         Http2Writer::data(1, "reply", false))
      .close(CloseReason::kFin, Direction::kAToB);
  EXPECT_THAT(s.everywhere(), HasSubstr("1 answer complete\n1 end: complete\n"));
}

TEST(Http2, GoawayEndsWhatTheServerWillNotAnswer) {
  Ends ends;
  Scenario s;
  s.a(all({Http2Writer::client_begins(), ends.ask(1, "/v1", "q"), ends.ask(3, "/v1", "q")}))
      .b(Http2Writer::server_begins() + Http2Writer::goaway(1) + ends.tell(1, "reply"));
  const std::string log = s.everywhere();
  EXPECT_THAT(log, HasSubstr("2 end: server closed\n"));
  EXPECT_THAT(log, HasSubstr("1 answer body reply\n1 answer complete\n1 end: complete\n"));
}

TEST(Http2, PromisedStreams) {
  Ends ends;
  Scenario s;
  s.a(Http2Writer::client_begins() + ends.ask(1, "/v1", "q"))
      .b(all({Http2Writer::server_begins(),
              ends.server.promise(1, 2, Http2Writer::request("/plain", "GET")),
              ends.tell(1, "reply"), ends.tell(2, "pushed")}));
  const std::string log = s.everywhere();
  EXPECT_THAT(log, HasSubstr("2 request GET /plain h2\n2 request complete\n"));
  EXPECT_THAT(log, HasSubstr("2 answer 200\n2 answer complete\n2 end: complete\n"));
  EXPECT_THAT(log, HasSubstr("1 answer body reply\n1 answer complete\n1 end: complete\n"));
}

TEST(Http2, TrailersOfGrpc) {
  Ends ends;
  Scenario s;
  auto fields = Http2Writer::request("/v1.Service/Method");
  fields.push_back({"content-type", "application/grpc+proto"});
  const std::string first = std::string("\0\0\0\0\3", 5) + "abc";
  const std::string second = std::string("\1\0\0\0\2", 5) + "de";
  s.a(Http2Writer::client_begins() + ends.client.headers(1, fields) +
      Http2Writer::data(1, first, true))
      .b(all({Http2Writer::server_begins(),
              ends.server.headers(1, Http2Writer::answer(200, "application/grpc")),
              Http2Writer::data(1, first + second.substr(0, 2), false),
              Http2Writer::data(1, second.substr(2), false),
              ends.server.headers(1, {{"grpc-status", "0"}, {"grpc-message", ""}}, true)}));
  const std::string log = s.everywhere();
  EXPECT_THAT(log, HasSubstr("1 answer trailers [grpc-status=0] [grpc-message=]\n"
                             "1 answer complete\n1 end: complete\n"));
}

TEST(Http2, TunnelsDisturbNothing) {
  Ends ends;
  Scenario s;
  const Http2Writer::Fields connect = {{":method", "CONNECT"}, {":authority", "db.internal:5432"}};
  s.a(all({Http2Writer::client_begins(), ends.client.headers(1, connect),
           Http2Writer::data(1, "masked", false), ends.ask(3, "/v1", "q")}))
      .b(all({Http2Writer::server_begins(), ends.server.headers(1, {{":status", "200"}}),
              Http2Writer::data(1, "frames", false), ends.tell(3, "reply")}));
  const std::string log = s.everywhere();
  EXPECT_THAT(log, HasSubstr("1 request CONNECT db.internal:5432 h2\n"));
  EXPECT_THAT(log, Not(HasSubstr("masked")));
  EXPECT_THAT(log, HasSubstr("2 answer body reply\n"));
  EXPECT_EQ(s.run().skipped(SkipReason::kHttpOpaque), 12u);
}

TEST(Http2, TableSizes) {
  for (const size_t size : {size_t{0}, size_t{100}, size_t{65'536}}) {
    Ends ends;
    Scenario s;
    s.log_headers = true;
    s.a(Http2Writer::client_begins() + ends.ask(1, "/v1/one", "q"));
    ends.client.change_table_size(size);
    for (uint32_t id = 3; id < 300; id += 2) {
      const std::string path = "/v1/" + std::string(id % 70, 'p') + std::to_string(id);
      s.a(ends.ask(id, path, "q"));
    }
    s.b(Http2Writer::server_begins());
    const Replay replay = s.run();
    EXPECT_THAT(replay.log, HasSubstr("[:path=/v1/one]"));
    for (uint32_t id = 3; id < 300; id += 2) {
      EXPECT_THAT(replay.log, HasSubstr(std::to_string(id) + "]"));
    }
    EXPECT_THAT(replay.log, Not(HasSubstr("incomplete")));
    EXPECT_EQ(s.run(Scenario::Cut::kEveryByte).log, replay.log);
  }
}

// --- losses -------------------------------------------------------------------------------------

TEST(Http2, AGapInsideDataKeepsTheFraming) {
  Ends ends;
  Scenario s;
  const std::string frame = Http2Writer::data(1, "0123456789", false);
  s.a(all({Http2Writer::client_begins(), ends.ask(1, "/v1", "q"), ends.ask(3, "/v1", "q")}))
      .b(all({Http2Writer::server_begins(), ends.server.headers(1, Http2Writer::answer(200)),
              ends.server.headers(3, Http2Writer::answer(200)), frame.substr(0, 12)}))
      .lose_b(frame.substr(12, 4))
      .b(frame.substr(16) + Http2Writer::data(3, "whole", true) + Http2Writer::data(1, "!", true));
  const std::string log = s.once();
  EXPECT_THAT(log, HasSubstr("1 answer body 012\n1 answer gap 4\n"));
  EXPECT_THAT(log, HasSubstr("1 answer body 789!\n1 answer complete\n1 end: complete, lost 4\n"));
  EXPECT_THAT(log, HasSubstr("2 answer body whole\n2 answer complete\n2 end: complete\n"));
}

TEST(Http2, AGapThatEndsWithAFrameKeepsTheFraming) {
  Ends ends;
  Scenario s;
  const std::string frame = Http2Writer::data(1, "0123456789", true, 4);
  s.a(Http2Writer::client_begins() + ends.ask(1, "/v1", "q"))
      .b(Http2Writer::server_begins() + ends.server.headers(1, Http2Writer::answer(200)) +
         frame.substr(0, 12))
      .lose_b(frame.substr(12));
  EXPECT_THAT(s.once(), HasSubstr("1 answer complete\n1 end: complete, lost 12\n"));
}

TEST(Http2, AGapAcrossFramesDamagesWhatWasOpenAndNothingElse) {
  Ends ends;
  Scenario s;
  s.log_headers = true;
  s.a(all({Http2Writer::client_begins(), ends.ask(1, "/v1", "q"), ends.ask(3, "/v1", "q")}));
  s.b(Http2Writer::server_begins() + ends.server.headers(1, Http2Writer::answer(200)) +
      Http2Writer::data(1, "beg", false));
  const std::string lost = Http2Writer::data(1, "lost", false) +
                           ends.server.headers(3, {{":status", "429"}, {"request-id", "r-3"}});
  s.lose_b(lost.substr(0, lost.size() - 2)).b(lost.substr(lost.size() - 2));
  s.b(Http2Writer::data(1, "end", true) + Http2Writer::data(3, "{}", true));
  s.a(ends.ask(5, "/v1", "q"))
      .b(ends.server.headers(5, {{":status", "429"}, {"request-id", "r-3"}, {"a", "b"}}, true));
  const std::string log = s.once();
  const std::string bytes = std::to_string(lost.size() - 2 - 9);  // without a frame's header
  EXPECT_THAT(log, HasSubstr("1 answer gap " + bytes + "\n1 answer body end\n1 answer complete\n"));
  EXPECT_THAT(log, HasSubstr("1 end: complete, lost " + bytes + "\n"));
  EXPECT_THAT(log, HasSubstr("2 answer 0 unknown\n2 answer body {}\n"));
  // 429 and r-3 went into the table with the lost block: unknown, not wrong.
  EXPECT_THAT(log, HasSubstr("3 answer 0 [a=b] unknown\n"));
}

TEST(Http2, AGapInAHeaderBlock) {
  Ends ends;
  Scenario s;
  s.log_headers = true;
  auto fields = Http2Writer::request("/v1");
  fields.push_back({"x-key", "k"});
  const std::string head = ends.client.headers(1, fields);
  s.a(Http2Writer::client_begins() + head.substr(0, 15)).lose_a(head.substr(15, 3));
  s.a(all({head.substr(18), Http2Writer::data(1, "{question}", true)}));
  s.a(ends.client.headers(3, fields, true));
  fields.back().second = "new";
  s.a(ends.client.headers(5, fields, true));
  const std::string log = s.once();
  EXPECT_THAT(log, HasSubstr("incomplete unknown h2\n1 request body {question}\n"));
  EXPECT_THAT(log, HasSubstr("1 end: unknown, lost 3\n"));
  // Authority and key went into the table with the lost part: unknown, not wrong.
  EXPECT_THAT(log, HasSubstr("2 request POST /v1 [:method=POST] [:scheme=https] [:path=/v1] "
                             "incomplete unknown h2\n"));
  EXPECT_THAT(log, HasSubstr("3 request POST /v1 [:method=POST] [:scheme=https] [:path=/v1] "
                             "incomplete unknown h2\n"));
}

TEST(Http2, JoinedInTheMiddleReadsBodies) {
  Ends ends;
  ends.ask(1, "/v1", "before");
  ends.tell(1, "before");
  Scenario s;
  s.joined();
  s.a(ends.ask(3, "/v1", "{question}")).b(ends.tell(3, "reply"));
  const std::string log = s.once();
  EXPECT_EQ(log,
            "1 request POST /v1 incomplete unknown h2\n"
            "1 request body {question}\n"
            "1 request complete\n"
            "1 answer 200 unknown\n"
            "1 answer body reply\n"
            "1 answer complete\n"
            "1 end: complete\n");
}

TEST(Http2, JoinedInTheMiddleOfAnAnswer) {
  Ends ends;
  Scenario s;
  s.joined();
  s.b("tail of a frame").b(Http2Writer::data(7, "data: 1\n\n", false));
  s.a(Http2Writer::window(7)).b(Http2Writer::data(7, "data: 2\n\n", true));
  s.a(ends.ask(9, "/v1", "{}")).b(ends.tell(9, "reply"));
  const std::string log = s.once();
  EXPECT_THAT(log, HasSubstr("1 answer 0 unknown\n1 answer body data: 1\n\ndata: 2\n\n\n"
                             "1 answer complete\n1 end: unknown\n"));
  EXPECT_THAT(log, HasSubstr("2 request POST /v1 h2\n"));
  EXPECT_THAT(log, HasSubstr("2 answer body reply\n"));
}

TEST(Http2, AWrongGuessOfWhoAsksIsCorrected) {
  Ends ends;
  Scenario s;
  s.joined();
  s.b(Http2Writer::data(7, "{\"an\":\"answer\"}", true));
  s.a(ends.ask(9, "/v1", "{}")).b(ends.tell(9, "reply"));
  const std::string log = s.once();
  EXPECT_THAT(log, HasSubstr("1 end: unknown\n"));
  EXPECT_THAT(log, HasSubstr("2 request POST /v1"));
  EXPECT_THAT(log, HasSubstr("2 answer body reply\n2 answer complete\n2 end: complete\n"));
}

TEST(Http2, OtherJoinedProtocolsAreNotTakenForIt) {
  Scenario s;
  s.joined();
  std::string noise;
  uint32_t state = 1;
  for (int i = 0; i < 200'000; ++i) {
    state = state * 1'664'525 + 1'013'904'223;
    noise += static_cast<char>(state >> 24);
  }
  for (size_t at = 0; at < noise.size(); at += 1000) s.b(noise.substr(at, 1000));
  const Replay replay = s.run();
  EXPECT_EQ(replay.log, "");
  EXPECT_EQ(replay.skipped(SkipReason::kHttpOpaque), noise.size());
}

// --- hostile ------------------------------------------------------------------------------------

// A call on the same connection, behind `flood` from the client.
std::string call_after(Scenario& s, Ends& ends, const std::string& flood) {
  s.a(Http2Writer::client_begins() + flood + ends.ask(101, "/v1", "question"))
      .b(Http2Writer::server_begins() + ends.tell(101, "reply"));
  return s.once();
}

TEST(Http2Hostile, ContinuationFlood) {
  Ends ends;
  Scenario s;
  s.limits.h2_header_block_bytes_max = 10'000;
  std::string flood = Http2Writer::frame(1, 1, 1, "");
  for (int i = 0; i < 1000; ++i) {
    // Literals that are never indexed: name a, 32 letters.
    flood +=
        Http2Writer::frame(9, 0, 1, std::string("\x10\x01") + "a" + "\x20" + std::string(32, 'v'));
  }
  flood += Http2Writer::frame(9, 4, 1, "");
  const std::string log = call_after(s, ends, flood);
  EXPECT_GT(s.run().dropped(DropReason::kHttpH2HeaderBlock), 20'000u);
  // The table is unknown from here on; literals are not.
  EXPECT_THAT(log, HasSubstr("question"));
  EXPECT_THAT(log, HasSubstr("reply"));
}

TEST(Http2Hostile, EmptyContinuations) {
  Ends ends;
  Scenario s;
  std::string flood = Http2Writer::frame(1, 1, 1, "");
  for (int i = 0; i < 10'000; ++i) flood += Http2Writer::frame(9, 0, 1, "");
  flood += Http2Writer::frame(9, 4, 1, ends.client.block(Http2Writer::request("/v1/first")));
  EXPECT_THAT(call_after(s, ends, flood), HasSubstr("request POST /v1/first h2"));
}

TEST(Http2Hostile, HpackBomb) {
  Ends ends;
  Scenario s;
  s.limits.http_headers_max = 100'000;
  // One field of 4 000 bytes goes into the table, and is referred to by one byte 16 000 times.
  const std::string bomb = std::string("\x40\x01") + "a" + "\x7f\xa1\x1e" + std::string(4000, 'b') +
                           std::string(16'000, '\xbe');
  const std::string flood = Http2Writer::frame(1, 5, 1, bomb);
  const std::string log = call_after(s, ends, flood);
  EXPECT_THAT(log, HasSubstr("1 request   incomplete h2\n"));
  EXPECT_GT(s.run().dropped(DropReason::kHttpHeadTooLarge), 15'000u);
  EXPECT_THAT(log, HasSubstr("reply"));
}

TEST(Http2Hostile, MemoryOfTablesIsBounded) {
  Ends ends;
  Scenario s;
  s.limits.hpack_bytes_max = 20'000;
  std::string flood;
  for (uint32_t id = 1; id < 99; id += 2) {
    auto fields = Http2Writer::request("/v1/" + std::string(60, 'x') + std::to_string(id));
    for (int i = 0; i < 4; ++i) fields.push_back({"name" + std::to_string(id * 10 + i), "v"});
    flood += ends.client.headers(id, fields, true);
  }
  const std::string log = call_after(s, ends, flood);
  EXPECT_GT(s.run().dropped(DropReason::kHttpH2HeaderBlock), 0u);
  EXPECT_THAT(log, HasSubstr("question"));
}

TEST(Http2Hostile, PromisesLeaveRoomForRequests) {
  Ends ends;
  Scenario s;
  s.limits.h2_streams_max = 4;
  s.limits.h2_pushed_streams_max = 8;
  s.a(Http2Writer::client_begins() + ends.ask(1, "/v1", "question"));
  std::string flood = Http2Writer::server_begins();
  for (uint32_t i = 1; i <= 1000; ++i) {
    flood += ends.server.promise(1, 2 * i, Http2Writer::request("/plain", "GET"));
  }
  s.b(flood).a(ends.ask(3, "/v1", "second")).b(all({ends.tell(3, "other"), ends.tell(1, "reply")}));
  const Replay replay = s.run();
  EXPECT_THAT(replay.log, HasSubstr("answer body reply\n"));
  EXPECT_THAT(replay.log, HasSubstr("answer body other\n"));
  const size_t reason = static_cast<size_t>(DropReason::kHttpH2StreamsFull);
  EXPECT_EQ(replay.counts->of(replay.source).dropped_events[reason].value(), 992u);
}

TEST(Http2Hostile, TooManyStreams) {
  Ends ends;
  Scenario s;
  s.limits.h2_streams_max = 3;
  std::string many = Http2Writer::client_begins();
  for (uint32_t id = 1; id <= 9; id += 2) many += ends.ask(id, "/v1", "q" + std::to_string(id));
  s.a(many)
      .b(all({Http2Writer::server_begins(), ends.tell(5, "five"), ends.tell(9, "nine")}))
      .a(ends.ask(11, "/v1", "q11"))
      .b(ends.tell(11, "eleven"));
  const Replay replay = s.run();
  EXPECT_THAT(replay.log, HasSubstr("answer body five\n"));
  EXPECT_THAT(replay.log, HasSubstr("answer body eleven\n"));
  EXPECT_THAT(replay.log, Not(HasSubstr("nine")));
  EXPECT_GT(replay.dropped(DropReason::kHttpH2NoStream), 0u);
}

TEST(Http2Hostile, TheStreamThatWasActiveLeastRecentlyMakesRoom) {
  Ends ends;
  Scenario s;
  s.limits.http_exchanges_max = 2;
  s.limits.open_calls_max = 2;
  s.a(all({Http2Writer::client_begins(), ends.ask(1, "/v1", "q1"), ends.ask(3, "/v1", "q3")}))
      .b(all({Http2Writer::server_begins(), ends.server.headers(1, Http2Writer::answer(200)),
              Http2Writer::data(1, "begin ", false)}))
      .a(ends.ask(5, "/v1", "q5"))
      .b(all({ends.tell(3, "late"), Http2Writer::data(1, "end", true), ends.tell(5, "five")}));
  const Replay replay = s.run();
  EXPECT_EQ(replay.drops(DropReason::kHttpPipelineFull), 1u);
  EXPECT_EQ(replay.dropped(DropReason::kHttpH2NoStream), 4u);
  EXPECT_THAT(replay.log, HasSubstr("2 end: unknown\n3 request"));
  EXPECT_THAT(replay.log, Not(HasSubstr("2 answer")));
  EXPECT_THAT(replay.log, HasSubstr("1 answer body begin end\n1 answer complete\n1 end: complete"));
  EXPECT_THAT(replay.log, HasSubstr("3 answer body five\n3 answer complete\n3 end: complete"));
  EXPECT_EQ(replay.given, replay.accounted);
}

TEST(Http2Hostile, AStreamMakesRoomInTheMiddleOfAFrame) {
  Ends ends;
  Scenario s;
  s.limits.http_exchanges_max = 1;
  s.limits.open_calls_max = 1;
  const std::string first = ends.client.headers(1, Http2Writer::request("/v1")) +
                            Http2Writer::data(1, "0123456789", true);
  s.a(Http2Writer::client_begins() + first.substr(0, first.size() - 6))
      .b(all({Http2Writer::server_begins(),
              ends.server.promise(1, 2, Http2Writer::request("/plain", "GET"))}))
      .a(first.substr(first.size() - 6));
  const Replay replay = s.run();
  EXPECT_THAT(replay.log, HasSubstr("1 end: unknown\n2 request GET /plain"));
  EXPECT_EQ(replay.drops(DropReason::kHttpPipelineFull), 1u);
  EXPECT_EQ(replay.dropped(DropReason::kHttpH2NoStream), 6u);
  EXPECT_EQ(replay.given, replay.accounted);
}

TEST(Http2Hostile, WhatAnUpgradeTookOverMakesRoomToo) {
  Ends ends;
  Scenario s;
  s.limits.http_exchanges_max = 1;
  s.limits.open_calls_max = 1;
  s.a("POST /v1 HTTP/1.1\r\nUpgrade: h2c\r\nContent-Length: 10\r\n\r\n01234")
      .b("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n")
      .b(all({Http2Writer::server_begins(),
              ends.server.promise(1, 2, Http2Writer::request("/plain", "GET"))}))
      .a("56789")
      .a(Http2Writer::client_begins())
      .b(ends.tell(1, "late"));
  const Replay replay = s.run();
  EXPECT_THAT(replay.log, HasSubstr("1 end: unknown\n2 request GET /plain"));
  EXPECT_THAT(replay.log, Not(HasSubstr("late")));
  EXPECT_EQ(replay.given, replay.accounted);
}

TEST(Http2, ManyStreamsThenFew) {
  Ends ends;
  Scenario s;
  std::string questions = Http2Writer::client_begins();
  std::string answers = Http2Writer::server_begins();
  for (uint32_t id = 1; id < 1'000; id += 2) {
    questions += ends.ask(id, "/v1", "q");
    if (id != 501) answers += ends.tell(id, "reply " + std::to_string(id));
  }
  s.a(questions).b(answers).a(ends.ask(1'001, "/v1", "q")).b(ends.tell(501, "last"));
  s.b(ends.tell(1'001, "new"));
  const std::string log = s.once();
  EXPECT_THAT(log, HasSubstr("251 answer body last\n251 answer complete\n251 end: complete\n"));
  EXPECT_THAT(log, HasSubstr("501 answer body new\n501 answer complete\n501 end: complete\n"));
  EXPECT_THAT(log, HasSubstr("500 answer body reply 999\n"));
}

TEST(Http2Hostile, BadFramesEndAtTheNextGoodOne) {
  Ends ends;
  Scenario s;
  s.a(Http2Writer::client_begins() + ends.ask(1, "/v1", "question"))
      .a(Http2Writer::frame(0, 0, 0, "DATA on stream 0, and not a frame behind it") + "more")
      .a(ends.ask(3, "/v1/new", "{}"))
      .b(all({Http2Writer::server_begins(), ends.tell(1, "reply"), ends.tell(3, "other")}));
  const Replay replay = s.run();
  EXPECT_THAT(replay.log, HasSubstr("1 answer body reply\n1 answer complete\n1 end: complete\n"));
  EXPECT_THAT(replay.log, HasSubstr("request POST /v1/new incomplete unknown h2\n"));
  EXPECT_THAT(replay.log, HasSubstr("answer body other\n"));
  EXPECT_GT(replay.dropped(DropReason::kHttpMalformed), 40u);
}

TEST(Http2Hostile, DataWithoutHeadersIsNoCall) {
  Ends ends;
  Scenario s;
  s.a(Http2Writer::client_begins() + Http2Writer::data(1, "{}", true))
      .b(Http2Writer::server_begins() + Http2Writer::data(1, "{}", true));
  EXPECT_EQ(s.everywhere(), "");
  EXPECT_EQ(s.run().dropped(DropReason::kHttpH2NoStream), 4u);
}

}  // namespace
}  // namespace wiretally::http
