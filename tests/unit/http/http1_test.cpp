// HTTP/1 as it should be, and as it is: RFC 9112.
#include <gtest/gtest.h>

#include "unit/http/scenario.h"

namespace wiretally::http {
namespace {

constexpr auto kA = Direction::kAToB;
constexpr auto kB = Direction::kBToA;

TEST(Http1, KeepAlive) {
  Scenario s;
  s.a(request("/v1/one", "q1")).b(answer("a1")).a(request("/v1/two", "q2")).b(answer("a2"));
  EXPECT_EQ(s.everywhere(),
            "1 request POST /v1/one\n1 request body q1\n1 request complete\n"
            "1 answer 200\n1 answer body a1\n1 answer complete\n1 end: complete\n"
            "2 request POST /v1/two\n2 request body q2\n2 request complete\n"
            "2 answer 200\n2 answer body a2\n2 answer complete\n2 end: complete\n");
}

TEST(Http1, Headers) {
  Scenario s;
  s.log_headers = true;
  s.a("GET /v1?k=v HTTP/1.1\r\nHost:h\r\nEmpty:\r\nX-Odd:  a b \t\r\nFolded: one\r\n two\r\n\r\n");
  EXPECT_EQ(s.everywhere(),
            "1 request GET /v1?k=v [Host=h] [Empty=] [X-Odd=a b] [Folded=one\r\n two]\n"
            "1 request complete\n1 end: end of input\n");
}

TEST(Http1, TooManyHeaders) {
  Scenario s;
  s.limits.http_headers_max = 2;
  s.log_headers = true;
  s.a("GET /v1 HTTP/1.1\r\nA: 1\r\nB: 2\r\nContent-Length: 2\r\n\r\nhi").b(answer(""));
  EXPECT_EQ(s.everywhere(),
            "1 request GET /v1 [A=1] [B=2] incomplete\n1 request body hi\n1 request complete\n"
            "1 answer 200\n1 answer complete\n1 end: complete\n");
}

TEST(Http1, InterimAnswersAreNotDelivered) {
  Scenario s;
  s.a("POST /v1 HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
      .b("HTTP/1.1 100 Continue\r\n\r\n")
      .a("hi")
      .b("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" +
         answer("ok"));
  EXPECT_EQ(s.everywhere(),
            "1 request POST /v1\n1 request body hi\n1 request complete\n"
            "1 answer 200\n1 answer body ok\n1 answer complete\n1 end: complete\n");
}

TEST(Http1, AnswersWithoutBody) {
  Scenario s;
  s.a("HEAD /v1/h HTTP/1.1\r\n\r\n")
      .b("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
      .a("GET /v1/n HTTP/1.1\r\n\r\n")
      .b("HTTP/1.1 204 No Content\r\n\r\n")
      .a("GET /v1/m HTTP/1.1\r\n\r\n")
      .b("HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n")
      .a(request("/v1", "q"))
      .b(answer("a"));
  EXPECT_EQ(s.everywhere(),
            "1 request HEAD /v1/h\n1 request complete\n1 answer 200\n1 answer complete\n"
            "1 end: complete\n"
            "2 request GET /v1/n\n2 request complete\n2 answer 204\n2 answer complete\n"
            "2 end: complete\n"
            "3 request GET /v1/m\n3 request complete\n3 answer 304\n3 answer complete\n"
            "3 end: complete\n"
            "4 request POST /v1\n4 request body q\n4 request complete\n"
            "4 answer 200\n4 answer body a\n4 answer complete\n4 end: complete\n");
}

TEST(Http1, Pipelined) {
  Scenario s;
  s.a(request("/v1/one", "1") + request("/v1/two", "2") + "HEAD /v1/three HTTP/1.1\r\n\r\n")
      .b(answer("a1") + answer("a2") + "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
  EXPECT_EQ(s.everywhere(),
            "1 request POST /v1/one\n1 request body 1\n1 request complete\n"
            "2 request POST /v1/two\n2 request body 2\n2 request complete\n"
            "3 request HEAD /v1/three\n3 request complete\n"
            "1 answer 200\n1 answer body a1\n1 answer complete\n1 end: complete\n"
            "2 answer 200\n2 answer body a2\n2 answer complete\n2 end: complete\n"
            "3 answer 200\n3 answer complete\n3 end: complete\n");
}

TEST(Http1, Chunked) {
  Scenario s;
  s.a("POST /v1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;name=\"v\"\r\nabc\r\n" +
      chunk("de") + "0\r\nTrailer: t\r\n\r\n");
  s.b("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk("0\r\n\r\n") +
      chunk("HTTP/1.1 200 OK\r\n\r\n") + "0\r\n\r\n");
  EXPECT_EQ(s.everywhere(),
            "1 request POST /v1\n1 request body abcde\n1 request complete\n"
            "1 answer 200\n1 answer body 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n\n1 answer complete\n"
            "1 end: complete\n");
}

TEST(Http1, LastChunkInAPacketOfItsOwn) {
  Scenario s;
  s.a(request("/v1", "q"))
      .b("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk("abc"))
      .b("0\r\n\r\n")
      .a(request("/v1", "r"))
      .b(answer("x"));
  EXPECT_EQ(s.everywhere(),
            "1 request POST /v1\n1 request body q\n1 request complete\n"
            "1 answer 200\n1 answer body abc\n1 answer complete\n1 end: complete\n"
            "2 request POST /v1\n2 request body r\n2 request complete\n"
            "2 answer 200\n2 answer body x\n2 answer complete\n2 end: complete\n");
}

TEST(Http1, CloseDelimitedBodyEndsWithTheDirection) {
  Scenario s;
  s.a("GET /v1 HTTP/1.0\r\n\r\n")
      .b("HTTP/1.0 200 OK\r\n\r\nall ")
      .b("of it")
      .end_b()
      .close(CloseReason::kFin, kB);
  EXPECT_EQ(s.everywhere(),
            "1 request GET /v1 1.0\n1 request complete\n"
            "1 answer 200\n1 answer body all of it\n1 answer complete\n1 end: complete\n");
}

TEST(Http1, CloseDelimitedBodyOfAProbedServer) {
  Scenario s;
  s.source = Source::kTls;
  s.b("GET /v1 HTTP/1.0\r\n\r\n").a("HTTP/1.0 200 OK\r\n\r\nall").close(CloseReason::kFreed, kA);
  EXPECT_EQ(s.everywhere(),
            "1 request GET /v1 1.0 b>a\n1 request complete\n"
            "1 answer 200\n1 answer body all\n1 answer complete\n1 end: complete\n");
}

TEST(Http1, KeepsAliveBehindConnectionClose) {
  Scenario s;
  s.a("GET /v1/one HTTP/1.1\r\nConnection: close\r\n\r\n")
      .b("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx")
      .a(request("/v1/two", "q"))
      .b(answer("a"));
  EXPECT_EQ(s.everywhere(),
            "1 request GET /v1/one\n1 request complete\n"
            "1 answer 200\n1 answer body x\n1 answer complete\n1 end: complete\n"
            "2 request POST /v1/two\n2 request body q\n2 request complete\n"
            "2 answer 200\n2 answer body a\n2 answer complete\n2 end: complete\n");
}

TEST(Http1, AbsoluteFormAndLeadingBlankLines) {
  Scenario s;
  s.a("GET http://h/v1 HTTP/1.1\r\nHost: h\r\n\r\n")
      .b(answer("a"))
      .a("\r\n\r\nGET http://h/v2 HTTP/1.1\r\n\r\n")
      .b(answer("b"));
  EXPECT_EQ(s.everywhere(),
            "1 request GET http://h/v1\n1 request complete\n"
            "1 answer 200\n1 answer body a\n1 answer complete\n1 end: complete\n"
            "2 request GET http://h/v2\n2 request complete\n"
            "2 answer 200\n2 answer body b\n2 answer complete\n2 end: complete\n");
}

TEST(Http1, HttpInsideAConnectTunnel) {
  Scenario s;
  s.a("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n")
      .b("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno")
      .a("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\nProxy-Authorization: x\r\n\r\n")
      .b("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
      .a(request("/v1", "q"))
      .b(answer("a"));
  EXPECT_EQ(s.everywhere(),
            "1 request CONNECT h:80\n1 request complete\n"
            "1 answer 407\n1 answer body no\n1 answer complete\n1 end: complete\n"
            "2 request CONNECT h:80\n2 request complete\n2 answer 200\n2 answer complete\n"
            "2 end: complete\n"
            "3 request POST /v1\n3 request body q\n3 request complete\n"
            "3 answer 200\n3 answer body a\n3 answer complete\n3 end: complete\n");
}

TEST(Http1, AnotherProtocolInsideAConnectTunnel) {
  Scenario s;
  s.a("CONNECT h:443 HTTP/1.1\r\n\r\n")
      .b("HTTP/1.1 200 OK\r\n\r\n")
      .a("\x16\x03\x01 hello")
      .b("\x16\x03\x03 hello");
  EXPECT_EQ(s.everywhere(),
            "1 request CONNECT h:443\n1 request complete\n1 answer 200\n1 answer complete\n"
            "1 end: complete\n");
  const Replay replay = s.run();
  EXPECT_EQ(replay.demand, FlowDemand::kIgnoreFlow);
  EXPECT_EQ(replay.skipped(SkipReason::kHttpOpaque), 18u);
}

TEST(Http1, RefusedUpgradeGoesOn) {
  Scenario s;
  s.a("POST /v1 HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nhi")
      .b(answer("no"))
      .a(request("/v1", "q"))
      .b(answer("a"));
  EXPECT_EQ(s.everywhere(),
            "1 request POST /v1\n1 request body hi\n1 request complete\n"
            "1 answer 200\n1 answer body no\n1 answer complete\n1 end: complete\n"
            "2 request POST /v1\n2 request body q\n2 request complete\n"
            "2 answer 200\n2 answer body a\n2 answer complete\n2 end: complete\n");
}

TEST(Http1, EarlyAnswer) {
  Scenario s;
  s.a("POST /v1 HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc")
      .b("HTTP/1.1 429 Too Many Requests\r\nContent-Length: 2\r\n\r\nno")
      .a("def")
      .a(request("/v1", "q"))
      .b(answer("a"));
  EXPECT_EQ(s.everywhere(),
            "1 request POST /v1\n1 answer 429\n1 answer body no\n1 answer complete\n"
            "1 request body abcdef\n1 request complete\n1 end: complete\n"
            "2 request POST /v1\n2 request body q\n2 request complete\n"
            "2 answer 200\n2 answer body a\n2 answer complete\n2 end: complete\n");
}

TEST(Http1, EarlyAnswerThenTheServerCloses) {
  Scenario s;
  s.a("POST /v1 HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc")
      .b("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
      .close(CloseReason::kReset, kB);
  EXPECT_EQ(s.everywhere(),
            "1 request POST /v1\n1 answer 413\n1 answer complete\n"
            "1 request body abc\n1 request cut\n1 end: server closed\n");
}

TEST(Http1, AnswerCapturedBeforeItsRequest) {
  const std::string first = request("/v1/one", "q1");
  const std::string second = request("/v1/two", "q2");
  Scenario s;
  s.a(first).b(answer("a1"));
  s.b_at(first.size() + second.size(), answer("a2")).a_at(2 * answer("a1").size(), second);
  s.a(request("/v1/three", "q3")).b(answer("a3"));
  EXPECT_EQ(s.everywhere(),
            "1 request POST /v1/one\n1 request body q1\n1 request complete\n"
            "1 answer 200\n1 answer body a1\n1 answer complete\n1 end: complete\n"
            "2 answer 200\n2 answer body a2\n2 answer complete\n"
            "2 request POST /v1/two\n2 request body q2\n2 request complete\n2 end: complete\n"
            "3 request POST /v1/three\n3 request body q3\n3 request complete\n"
            "3 answer 200\n3 answer body a3\n3 answer complete\n3 end: complete\n");
}

TEST(Http1, WhoClosedFirst) {
  const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string begun =
      "1 request POST /v1\n1 request body q\n1 request complete\n"
      "1 answer 200\n1 answer body abc\n1 answer cut\n";
  {
    Scenario s;
    s.a(request("/v1", "q")).b(head + chunk("abc")).close(CloseReason::kReset, kA);
    EXPECT_EQ(s.everywhere(), begun + "1 end: client closed\n");
  }
  {
    Scenario s;
    s.a(request("/v1", "q")).b(head + chunk("abc")).end_b().close(CloseReason::kFin, kB);
    EXPECT_EQ(s.everywhere(), begun + "1 end: server closed\n");
  }
  {
    Scenario s;
    s.a(request("/v1", "q")).b(head + chunk("abc")).end_a().end_b().close(CloseReason::kFin, kA);
    EXPECT_EQ(s.everywhere(), begun + "1 end: client closed\n");
  }
  {
    Scenario s;
    s.a(request("/v1", "q")).b(head + chunk("abc")).close(CloseReason::kFin, kB, true);
    EXPECT_EQ(s.everywhere(), begun + "1 end: unknown\n");
  }
  {
    Scenario s;
    s.a(request("/v1", "q")).b(head + chunk("abc")).close(CloseReason::kEndOfInput);
    EXPECT_EQ(s.everywhere(), begun + "1 end: end of input\n");
  }
  {  // The process that was watched is the server: b asks.
    Scenario s;
    s.source = Source::kTls;
    s.b("GET /v1 HTTP/1.1\r\n\r\n").a(head + chunk("abc")).close(CloseReason::kFreed, kA);
    EXPECT_EQ(s.everywhere(),
              "1 request GET /v1 b>a\n1 request complete\n"
              "1 answer 200\n1 answer body abc\n1 answer cut\n1 end: server closed\n");
  }
}

TEST(Http1, NeverAnswered) {
  Scenario s;
  s.a(request("/v1", "q")).end_b().close(CloseReason::kFin, kB);
  EXPECT_EQ(s.everywhere(),
            "1 request POST /v1\n1 request body q\n1 request complete\n1 end: server closed\n");
}

TEST(Http1, HalfCloseBeforeTheAnswer) {
  Scenario s;
  s.a(request("/v1", "q")).end_a().b(answer("a")).end_b().close(CloseReason::kFin, kA);
  EXPECT_EQ(s.everywhere(),
            "1 request POST /v1\n1 request body q\n1 request complete\n"
            "1 answer 200\n1 answer body a\n1 answer complete\n1 end: complete\n");
}

TEST(Http1, UnwantedBodiesAreSkipped) {
  Scenario s;
  s.a(request("/plain", "quiet"))
      .b(answer("hush"))
      .a(request("/v1", "ENOUGH"))
      .b(answer("loud"))
      .a(request("/plain", "quiet"));
  EXPECT_EQ(s.everywhere(),
            "1 request POST /plain\n1 request complete\n1 answer 200\n1 answer complete\n"
            "1 end: complete\n"
            "2 request POST /v1\n2 request body ENOUGH\n2 request complete\n"
            "2 answer 200\n2 answer body loud\n2 answer complete\n2 end: complete\n"
            "3 request POST /plain\n3 request complete\n3 end: end of input\n");
  const Replay replay = s.run();
  EXPECT_EQ(replay.skipped(SkipReason::kHttpNotLlm), 14u);
  EXPECT_EQ(replay.demand, FlowDemand::kHeadsOnly);
  EXPECT_EQ(replay.flows(FlowVerdict::kLlm), 1u);
}

TEST(Http1, TheRestOfABodyMayBeUnwanted) {
  Scenario s;
  s.a("POST /v1 HTTP/1.1\r\nContent-Length: 12\r\n\r\nENOUGH").a("morexx").b(answer("a"));
  const Replay replay = s.run();
  EXPECT_EQ(replay.skipped(SkipReason::kHttpBodyUnwanted), 6u);
}

TEST(Http1, Times) {
  Scenario s;
  s.log_times = true;
  s.a("POST /v1 HTTP/1.1\r\n")
      .a("Content-Length: 1\r\n\r\n")
      .a("q")
      .b("HTTP/1.1 200 OK\r\nContent-")
      .b("Length: 1\r\n\r\n")
      .b("a");
  EXPECT_EQ(s.everywhere(),
            "1 request POST /v1 @1\n1 request body q\n1 request complete\n"
            "1 answer 200 @4\n1 answer body a\n1 answer complete\n1 end: complete @6\n");
}

TEST(Http1, ConflictMarksTheOpenExchange) {
  Scenario s;
  s.a(request("/v1", "q")).b("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na").b("b").conflict();
  s.a(request("/v1", "q")).b(answer("c"));
  EXPECT_EQ(s.everywhere(),
            "1 request POST /v1\n1 request body q\n1 request complete\n"
            "1 answer 200\n1 answer body ab\n1 answer complete\n1 end: complete, conflict\n"
            "2 request POST /v1\n2 request body q\n2 request complete\n"
            "2 answer 200\n2 answer body c\n2 answer complete\n2 end: complete\n");
}

TEST(Http1, FullPipelineIsCountedAndNotAttributed) {
  Scenario s;
  s.limits.http_pipeline_max = 2;
  s.a(request("/v1/1", "1") + request("/v1/2", "2") + request("/v1/3", "333"));
  s.b(answer("a1"));
  EXPECT_EQ(s.everywhere(),
            "1 request POST /v1/1\n1 request body 1\n1 request complete\n"
            "2 request POST /v1/2\n2 request body 2\n2 request complete\n"
            "1 end: unknown, uncertain\n3 answer 200\n"
            "3 answer body a1\n3 answer complete\n3 end: unknown, uncertain\n"
            "2 end: end of input\n");
  const Replay replay = s.run();
  EXPECT_EQ(replay.dropped(DropReason::kHttpPipelineFull), request("/v1/3", "333").size());
}

// The answers go another way (asymmetric routes, a mirror of one direction): a client that has
// received some waits for none of those before.
TEST(Http1, WhereAnswersAreNotCapturedTheOldestRequestMakesRoom) {
  Scenario s;
  s.limits.http_pipeline_max = 2;
  for (uint64_t i = 1; i <= 5; ++i) s.a_at(100 * (i - 1), request("/v1/" + std::to_string(i), "x"));
  std::string expected;
  for (const std::string i : {"1", "2", "3", "4", "5"}) {
    if (i > "2") expected += std::to_string(std::stoi(i) - 2) + " end: unknown\n";
    expected +=
        i + " request POST /v1/" + i + "\n" + i + " request body x\n" + i + " request complete\n";
  }
  EXPECT_EQ(s.everywhere(), expected + "4 end: end of input\n5 end: end of input\n");
  const Replay replay = s.run();
  EXPECT_EQ(replay.dropped(DropReason::kHttpPipelineFull), 0u);
  EXPECT_EQ(replay.drops(DropReason::kHttpPipelineFull), 3u);
  // Of a direction without a packet nobody knows where its bytes begin.
  s.without_proof();
  EXPECT_EQ(s.everywhere(), expected + "4 end: end of input\n5 end: end of input\n");
}

// Should answers come after all, each is its own request's or nobody's.
TEST(Http1, AnswersThatComeLateAreNotTheOldestRequests) {
  Scenario s;
  s.limits.http_pipeline_max = 2;
  for (uint64_t i = 1; i <= 4; ++i) s.a_at(100 * (i - 1), request("/v1/" + std::to_string(i), "x"));
  s.lose_b(std::string(300, 'x'));
  s.b(answer("a4"));
  const std::string log = s.once();
  EXPECT_NE(log.find("4 answer 200\n4 answer body a4\n"), log.npos) << log;
  EXPECT_EQ(log.find("3 answer"), log.npos) << log;
}

TEST(Http1, LostAnswersAreLostByTheCallsThatAskedForThem) {
  Scenario s;
  s.a_at(0, request("/v1/1", "")).a_at(100, request("/v1/2", "")).a_at(250, request("/v1/3", ""));
  s.lose_b(std::string(400, 'x')).close(CloseReason::kFin);
  const std::string log = s.once();
  EXPECT_NE(log.find("1 end: unknown, lost 100\n"), log.npos) << log;
  EXPECT_NE(log.find("2 end: unknown, lost 150\n"), log.npos) << log;
  EXPECT_NE(log.find("3 end: unknown, lost 150\n"), log.npos) << log;
}

TEST(Http1, EmptyLinesBeforeTheFirstRequest) {
  Scenario s;
  s.a("\r\n\r\n" + request("/v1/ok", "")).b(answer("a"));
  EXPECT_EQ(s.everywhere(),
            "1 request POST /v1/ok\n1 request complete\n"
            "1 answer 200\n1 answer body a\n1 answer complete\n1 end: complete\n");
}

TEST(Http1, HeadTooLarge) {
  Scenario s;
  s.limits.http_head_bytes_max = 64;
  s.a("GET /v1 HTTP/1.1\r\nLong: " + std::string(100, 'x') + "\r\n\r\n")
      .b(answer("no"))
      .a(request("/v1/ok", ""))
      .b(answer("a"));
  EXPECT_EQ(s.everywhere(),
            "1 answer 200\n1 answer body no\n1 answer complete\n1 end: unknown\n"
            "2 request POST /v1/ok\n2 request complete\n"
            "2 answer 200\n2 answer body a\n2 answer complete\n2 end: complete\n");
  EXPECT_GT(s.run().dropped(DropReason::kHttpHeadTooLarge), 100u);
}

}  // namespace
}  // namespace wiretally::http
