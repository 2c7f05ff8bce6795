// Lost bytes: what is lost costs its own call, and never one after it.
#include <gtest/gtest.h>

#include "unit/http/scenario.h"

namespace wiretally::http {
namespace {

const std::string kChunkedHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

std::string call(int id, const std::string& name) {
  const std::string n = std::to_string(id) + " ";
  return n + "request POST /v1/" + name + "\n" + n + "request body q" + name + "\n" + n +
         "request complete\n" + n + "answer 200\n" + n + "answer body a" + name + "\n" + n +
         "answer complete\n" + n + "end: complete\n";
}
std::string asked(int id, const std::string& name) {
  const std::string n = std::to_string(id) + " ";
  return n + "request POST /v1/" + name + "\n" + n + "request body q" + name + "\n" + n +
         "request complete\n";
}
Scenario& whole(Scenario& s, const std::string& name) {
  return s.a(request("/v1/" + name, "q" + name)).b(answer("a" + name));
}

TEST(Gap, InsideACountedBody) {
  Scenario s;
  s.a(request("/v1/1", "q1")).b("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
  s.lose_b("defg").b("hij");
  whole(s, "2");
  EXPECT_EQ(s.once(), asked(1, "1") +
                          "1 answer 200\n1 answer body abc\n1 answer gap 4\n1 answer body hij\n"
                          "1 answer complete\n1 end: complete, lost 4\n" +
                          call(2, "2"));
}

TEST(Gap, AllThatIsLeftOfACountedBody) {
  Scenario s;
  s.a(request("/v1/1", "q1")).b("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
  s.lose_b("defghij");
  whole(s, "2");
  EXPECT_EQ(s.once(), asked(1, "1") +
                          "1 answer 200\n1 answer body abc\n1 answer gap 7\n"
                          "1 answer complete\n1 end: complete, lost 7\n" +
                          call(2, "2"));
}

TEST(Gap, InsideARequestBody) {
  Scenario s;
  s.a("POST /v1/1 HTTP/1.1\r\nContent-Length: 6\r\n\r\nab").lose_a("cdef").b(answer("a1"));
  whole(s, "2");
  EXPECT_EQ(s.once(),
            "1 request POST /v1/1\n1 request body ab\n1 request gap 4\n1 request complete\n"
            "1 answer 200\n1 answer body a1\n1 answer complete\n1 end: complete, lost 4\n" +
                call(2, "2"));
}

TEST(Gap, InsideAChunk) {
  Scenario s;
  s.a(request("/v1/1", "q1")).b(kChunkedHead + "6\r\nab").lose_b("cd").b("ef\r\n0\r\n\r\n");
  whole(s, "2");
  EXPECT_EQ(s.once(), asked(1, "1") +
                          "1 answer 200\n1 answer body ab\n1 answer gap 2\n1 answer body ef\n"
                          "1 answer complete\n1 end: complete, lost 2\n" +
                          call(2, "2"));
}

TEST(Gap, UpToTheEndOfAChunk) {
  Scenario s;
  s.a(request("/v1/1", "q1")).b(kChunkedHead + "6\r\nab").lose_b("cdef").b("\r\n0\r\n\r\n");
  whole(s, "2");
  EXPECT_EQ(s.once(), asked(1, "1") +
                          "1 answer 200\n1 answer body ab\n1 answer gap 4\n"
                          "1 answer complete\n1 end: complete, lost 4\n" +
                          call(2, "2"));
}

// Token by token, one chunk a segment: the stream goes on behind a lost segment.
TEST(Gap, WholeChunksWithProof) {
  Scenario s;
  s.a(request("/v1/1", "q1")).b(kChunkedHead + chunk("one"));
  s.lose_b(chunk("two")).b(chunk("three")).b("0\r\n\r\n");
  whole(s, "2");
  EXPECT_EQ(s.once(), asked(1, "1") +
                          "1 answer 200\n1 answer body one\n1 answer gap 8\n1 answer body three\n"
                          "1 answer complete\n1 end: complete, lost 8\n" +
                          call(2, "2"));
}

TEST(Gap, WholeChunksWithoutProof) {
  Scenario s;
  s.without_proof().a(request("/v1/1", "q1")).b(kChunkedHead + chunk("one"));
  s.lose_b(chunk("two")).b(chunk("three")).b("0\r\n\r\n");
  whole(s, "2");
  EXPECT_EQ(s.once(), asked(1, "1") +
                          "1 answer 200\n1 answer body one\n1 answer gap 8\n1 answer cut\n"
                          "1 end: unknown, lost 8\n" +
                          call(2, "2"));
}

// The lost bytes held the end of one answer and the beginning of the next: what follows is
// nobody's.
TEST(Gap, FromOneChunkedAnswerIntoTheNext) {
  Scenario s;
  s.a(request("/v1/1", "q1")).b(kChunkedHead + chunk("one"));
  const std::string lost = "0\r\n\r\n" + kChunkedHead + chunk("x");
  // The client had received the first answer to its end when it asked again.
  const uint64_t received = kChunkedHead.size() + chunk("one").size() + 5;
  s.a_at(received, request("/v1/2", "q2")).lose_b(lost).b(chunk("of two")).b("0\r\n\r\n");
  whole(s, "3");
  EXPECT_EQ(s.once(), asked(1, "1") + "1 answer 200\n" + asked(2, "2") +
                          "1 answer body one\n1 answer gap " + std::to_string(lost.size()) +
                          "\n1 answer cut\n1 end: unknown, lost " + std::to_string(lost.size()) +
                          "\n" +
                          "3 request POST /v1/3\n3 request body q3\n3 request complete\n"
                          "2 end: unknown\n3 answer 200\n3 answer body a3\n3 answer complete\n"
                          "3 end: complete\n");
}

TEST(Gap, InACloseDelimitedBody) {
  Scenario s;
  s.a("GET /v1 HTTP/1.0\r\n\r\n").b("HTTP/1.0 200 OK\r\n\r\nab").lose_b("cd").b("ef");
  s.end_b().close(CloseReason::kFin, Direction::kBToA);
  EXPECT_EQ(s.once(),
            "1 request GET /v1 1.0\n1 request complete\n1 answer 200\n1 answer body ab\n"
            "1 answer gap 2\n1 answer body ef\n1 answer complete\n1 end: complete, lost 2\n");
}

TEST(Gap, WholeRequest) {
  const std::string lost = request("/v1/2", "q2");
  Scenario s;
  whole(s, "1");
  s.lose_a(lost).b(answer("a2"));
  whole(s, "3");
  EXPECT_EQ(s.once(),
            call(1, "1") +
                "2 answer 200\n2 answer body a2\n2 answer complete\n2 end: unknown, lost " +
                std::to_string(lost.size()) + "\n" + call(3, "3"));
}

// The hole shows only when the next request comes: the answer is there long before.
TEST(Gap, WholeRequestDeclaredLate) {
  const std::string lost = request("/v1/2", "q2");
  const std::string first = request("/v1/1", "q1");
  Scenario s;
  whole(s, "1");
  s.b_at(first.size() + lost.size(), answer("a2")).lose_a(lost);
  whole(s, "3");
  EXPECT_EQ(s.once(),
            call(1, "1") +
                "2 answer 200\n2 answer body a2\n2 answer complete\n2 end: unknown, lost " +
                std::to_string(lost.size()) + "\n" + call(3, "3"));
}

TEST(Gap, WholeRequestWithoutProof) {
  Scenario s;
  s.without_proof();
  whole(s, "1");
  s.lose_a(request("/v1/2", "q2")).b(answer("a2"));
  whole(s, "3");
  EXPECT_EQ(s.once(),
            call(1, "1") +
                "2 answer 200\n2 answer body a2\n2 answer complete\n2 end: unknown, lost " +
                std::to_string(request("/v1/2", "q2").size()) + "\n" + call(3, "3"));
}

TEST(Gap, FirstRequestOfAConnection) {
  const std::string lost = request("/v1/1", "q1");
  Scenario s;
  s.lose_a(lost).b(answer("a1"));
  whole(s, "2");
  EXPECT_EQ(s.once(), "1 answer 200\n1 answer body a1\n1 answer complete\n1 end: unknown, lost " +
                          std::to_string(lost.size()) + "\n" + call(2, "2"));
}

TEST(Gap, FirstAnswerOfAConnection) {
  const std::string lost = answer("a1");
  Scenario s;
  s.a(request("/v1/1", "q1")).lose_b(lost);
  whole(s, "2");
  EXPECT_EQ(s.once(), asked(1, "1") + asked(2, "2") + "1 end: unknown, lost " +
                          std::to_string(lost.size()) +
                          "\n2 answer 200\n2 answer body a2\n2 answer complete\n2 end: complete\n");
}

TEST(Gap, RequestHeadWithItsBodySeen) {
  const std::string head = "POST /v1/2 HTTP/1.1\r\nContent-Length: 9\r\n\r\n";
  Scenario s;
  whole(s, "1");
  s.lose_a(head).a("some body").b(answer("a2"));
  whole(s, "3");
  EXPECT_EQ(s.once(),
            call(1, "1") +
                "2 answer 200\n2 answer body a2\n2 answer complete\n2 end: unknown, lost " +
                std::to_string(head.size()) + "\n" + call(3, "3"));
  EXPECT_EQ(s.run().dropped(DropReason::kHttpResync), 9u);
}

TEST(Gap, EndOfARequestHead) {
  Scenario s;
  whole(s, "1");
  s.a("POST /v1/2 HTTP/1.1\r\nContent-").lose_a("Length: 2\r\n\r\n").a("q2").b(answer("a2"));
  whole(s, "3");
  EXPECT_EQ(s.once(), call(1, "1") +
                          "2 answer 200\n2 answer body a2\n2 answer complete\n"
                          "2 end: unknown, lost 13\n" +
                          call(3, "3"));
}

TEST(Gap, WholeAnswer) {
  const std::string lost = answer("a2");
  Scenario s;
  whole(s, "1");
  s.a(request("/v1/2", "q2")).lose_b(lost);
  whole(s, "3");
  EXPECT_EQ(s.once(), call(1, "1") + asked(2, "2") + asked(3, "3") + "2 end: unknown, lost " +
                          std::to_string(lost.size()) +
                          "\n3 answer 200\n3 answer body a3\n3 answer complete\n3 end: complete\n");
}

// Without proof the next answer is nobody's; behind it the connection is idle again.
// The request behind it waits in a reorder buffer: its answer, which comes first, is not taken for
// that of the request known, whose own answer was lost.
TEST(Gap, WholeAnswerAndTheNextRequestComesBehindItsAnswer) {
  const std::string first = request("/v1/1", "q1"), second = request("/v1/2", "q2");
  Scenario s;
  s.a(first).lose_b(answer("a1"));
  s.b_at(first.size() + second.size(), answer("a2")).a_at(answer("a1").size(), second);
  whole(s, "3");
  EXPECT_EQ(s.once(), asked(1, "1") + "2 answer 200\n2 answer body a2\n2 answer complete\n" +
                          asked(2, "2") + "2 end: complete\n" + asked(3, "3") +
                          "1 end: unknown, lost " + std::to_string(answer("a1").size()) +
                          "\n3 answer 200\n3 answer body a3\n3 answer complete\n"
                          "3 end: complete\n");
}

TEST(Gap, WholeAnswerWithoutProof) {
  const std::string lost = answer("a2");
  Scenario s;
  s.without_proof();
  whole(s, "1");
  s.a(request("/v1/2", "q2")).lose_b(lost);
  whole(s, "3");
  whole(s, "4");
  EXPECT_EQ(s.once(), call(1, "1") + asked(2, "2") + asked(3, "3") + "2 end: unknown, lost " +
                          std::to_string(lost.size()) +
                          ", uncertain\n3 end: unknown, uncertain\n"
                          "4 answer 200\n4 answer body a3\n4 answer complete\n"
                          "4 end: unknown, uncertain\n" +
                          call(5, "4"));
}

TEST(Gap, AnswerHeadWithItsChunksSeen) {
  Scenario s;
  whole(s, "1");
  s.a(request("/v1/2", "q2")).lose_b(kChunkedHead).b(chunk("two")).b("0\r\n\r\n");
  whole(s, "3");
  EXPECT_EQ(s.once(), call(1, "1") + asked(2, "2") + asked(3, "3") + "2 end: unknown, lost " +
                          std::to_string(kChunkedHead.size()) +
                          "\n3 answer 200\n3 answer body a3\n3 answer complete\n3 end: complete\n");
}

TEST(Gap, EndOfAnAnswerHead) {
  Scenario s;
  whole(s, "1");
  s.a(request("/v1/2", "q2")).b("HTTP/1.1 200 OK\r\nContent-").lose_b("Length: 2\r\n\r\n").b("a2");
  whole(s, "3");
  EXPECT_EQ(s.once(), call(1, "1") + asked(2, "2") + "2 end: unknown, lost 13\n" + call(3, "3"));
}

TEST(Gap, LastSegmentOfAChunkedAnswer) {
  Scenario s;
  s.a(request("/v1/1", "q1")).b(kChunkedHead + chunk("one")).lose_b("0\r\n\r\n");
  whole(s, "2");
  EXPECT_EQ(s.once(), asked(1, "1") + "1 answer 200\n1 answer body one\n1 answer gap 5\n" +
                          asked(2, "2") + "1 answer cut\n1 end: unknown, lost 5\n" +
                          "2 answer 200\n2 answer body a2\n2 answer complete\n2 end: complete\n");
}

TEST(Gap, LostInAPipeline) {
  Scenario s;
  s.a(request("/v1/1", "q1") + request("/v1/2", "q2") + request("/v1/3", "q3"));
  s.lose_b(answer("a1")).b(answer("a2")).b(answer("a3"));
  const std::string log = s.once();
  EXPECT_EQ(log.find("1 answer"), std::string::npos) << log;
  EXPECT_EQ(log.find("2 answer"), std::string::npos) << log;
  EXPECT_EQ(log.find("3 answer"), std::string::npos) << log;
  EXPECT_NE(log.find("4 answer body a2"), std::string::npos) << log;
  EXPECT_NE(log.find("4 end: unknown, uncertain"), std::string::npos) << log;
}

TEST(Gap, EndsDecoding) {
  const std::string body = gzip("some text");
  Scenario s;
  s.a(request("/v1/1", "q1"));
  s.b("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: " +
      std::to_string(body.size()) + "\r\n\r\n" + body.substr(0, 5));
  s.lose_b(body.substr(5, 3)).b(body.substr(8));
  whole(s, "2");
  EXPECT_EQ(s.once(), asked(1, "1") +
                          "1 answer 200\n1 answer gap 3\n1 answer complete\n"
                          "1 end: complete, lost 3\n" +
                          call(2, "2"));
  EXPECT_EQ(s.run().dropped(DropReason::kHttpDecodeFailed), body.size() - 8);
}

// --- framing in doubt: the message is cut, the next one is whole
// ----------------------------------

std::string bad_answer(const std::string& bad) {
  Scenario s;
  whole(s, "1");
  s.a(request("/v1/2", "q2")).b(bad);
  whole(s, "3");
  return s.once();
}

TEST(Doubt, BadAnswerHeads) {
  const std::string expected = call(1, "1") + asked(2, "2") + "2 end: unknown\n" + call(3, "3");
  for (const char* const fields :
       {"Transfer-Encoding : chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "Content-Length: -5\r\n\r\nhello",
        "Content-Length: 18446744073709551621\r\n\r\nhello", "Content-Length:\r\n 5\r\n\r\nhello",
        "X: a\rContent-Length: 5\r\n\r\nhello", "X: a\nContent-Length: 5\r\n\r\nhello",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"}) {
    EXPECT_EQ(bad_answer(std::string("HTTP/1.1 200 OK\r\n") + fields), expected) << fields;
  }
  EXPECT_EQ(bad_answer(std::string("HTTP/1.1 200 OK\r\nX: \0\r\n\r\n", 25)), expected);
}

TEST(Doubt, BadChunks) {
  EXPECT_EQ(
      bad_answer(kChunkedHead + "zz\r\nhello\r\n0\r\n\r\n"),
      call(1, "1") + asked(2, "2") + "2 answer 200\n2 answer cut\n2 end: unknown\n" + call(3, "3"));
  EXPECT_EQ(bad_answer(kChunkedHead + "3\r\nabcde\r\n0\r\n\r\n"),
            call(1, "1") + asked(2, "2") +
                "2 answer 200\n2 answer body abc\n2 answer cut\n2 end: unknown\n" + call(3, "3"));
}

TEST(Doubt, BadChunkEndSplitFromItsChunk) {
  Scenario s;
  s.a(request("/v1/1", "q1")).b(kChunkedHead + "3\r\nabc").b("de\r\n0\r\n\r\n");
  whole(s, "2");
  EXPECT_EQ(s.once(), asked(1, "1") +
                          "1 answer 200\n1 answer body abc\n1 answer cut\n1 end: unknown\n" +
                          call(2, "2"));
}

TEST(Doubt, BadRequestHead) {
  Scenario s;
  whole(s, "1");
  s.a("POST /v1/2 HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nq").b(answer("a2"));
  whole(s, "3");
  EXPECT_EQ(s.once(), call(1, "1") +
                          "2 answer 200\n2 answer body a2\n2 answer complete\n2 end: unknown\n" +
                          call(3, "3"));
}

TEST(Doubt, AnswerOfHttp09) {
  Scenario s;
  s.a(request("/v1/1", "q1")).b("<html>").end_b().close(CloseReason::kFin, Direction::kBToA);
  EXPECT_EQ(s.once(), asked(1, "1") + "1 end: server closed\n");
  EXPECT_EQ(s.run().dropped(DropReason::kHttpMalformed), 6u);
}

// Its request waits behind a hole of its own direction; the server has received nothing more.
TEST(Gap, WhatIsLostBehindALostChunkBorderIsLostByTheSameAnswer) {
  Scenario s;
  s.b_at(40, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk("hello"));
  s.lose_b("12345").b_at(40, "of some chunk").lose_b("678");
  const std::string log = s.once();
  EXPECT_NE(log.find(", lost 8"), log.npos) << log;
}

}  // namespace
}  // namespace wiretally::http
