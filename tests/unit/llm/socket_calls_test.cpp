// Turns on WebSockets: what cannot be told by a transcript.
#include <gtest/gtest.h>

#include "unit/llm/socket.h"

namespace wiretally::llm {
namespace {

TEST(SocketCalls, OneRecordATurn) {
  Socket s;
  s.client(ask()).server(created("a")).server(completed("a"));
  EXPECT_EQ(s.sink.closed, 1) << "between turns nobody has to wait for this socket";
  s.client(ask()).server(created("b")).server(completed("b")).end();
  EXPECT_EQ(s.ids(), "a:ok b:ok ");
  EXPECT_EQ(s.sink.records[0].index, 0u);
  EXPECT_EQ(s.sink.records[1].index, 1u);
  EXPECT_EQ(s.sink.opened, 2);
  EXPECT_NE(s.sink.records[0].request_digest, Digest{});
}

// Cut after every message: turns that have ended are as stated, of the one at hand nothing is said.
TEST(SocketCalls, ASessionThatIsCutAfterAnyMessageSaysNothingWrong) {
  struct Line {
    Message sender;
    const char* text;
    bool ends_turn = false;
  };
  struct Session {
    const char* target;
    std::vector<Line> lines;
  };
  constexpr Message kAsks = Message::kRequest, kSays = Message::kResponse;
  const Session sessions[] = {
      {"/v1/responses",
       {{kAsks, R"({"type":"response.create","model":"m","input":"x"})"},
        {kSays,
         R"({"type":"response.created","response":{"id":"a","object":"response","model":"m","usage":null}})"},
        {kSays, R"({"type":"response.output_text.delta","delta":"Hi"})"},
        {kSays,
         R"({"type":"response.completed","response":{"id":"a","object":"response","status":"completed","model":"m","usage":{"input_tokens":5,"output_tokens":2,"total_tokens":7}}})",
         true},
        {kAsks, R"({"type":"response.create","model":"m","input":"y"})"},
        {kSays, R"({"type":"response.output_text.delta","delta":"Yo"})"}}},
      {"/v1/realtime?model=m",
       {{kSays, R"({"type":"session.created","session":{"model":"m"}})"},
        {kAsks, R"({"type":"response.create"})"},
        {kSays,
         R"({"type":"response.created","response":{"id":"a","object":"realtime.response"}})"},
        {kSays, R"({"type":"response.output_audio.delta","response_id":"a","delta":"aGk="})"},
        {kSays,
         R"({"type":"response.done","response":{"id":"a","object":"realtime.response","status":"completed","usage":{"input_tokens":5,"output_tokens":2,"total_tokens":7}}})",
         true},
        {kSays,
         R"({"type":"response.created","response":{"id":"b","object":"realtime.response"}})"}}},
      {"/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent",
       {{kAsks, R"({"setup":{"model":"models/m"}})"},
        {kSays, R"({"setupComplete":{}})"},
        {kAsks, R"({"clientContent":{"turnComplete":true}})"},
        {kSays, R"({"serverContent":{"modelTurn":{"parts":[{"text":"Hi"}]}}})"},
        {kSays,
         R"({"serverContent":{"turnComplete":true},"usageMetadata":{"promptTokenCount":5,"responseTokenCount":2,"totalTokenCount":7}})",
         true},
        {kSays, R"({"serverContent":{"modelTurn":{"parts":[{"text":"And"}]}}})"}}},
  };
  for (const Session& session : sessions) {
    for (size_t cut = 0; cut <= session.lines.size(); ++cut) {
      SCOPED_TRACE(std::string(session.target) + " after " + std::to_string(cut));
      Socket s(session.target);
      size_t ended = 0;
      for (size_t i = 0; i < cut; ++i) {
        const Line& line = session.lines[i];
        if (line.sender == kAsks) {
          s.client(line.text);
        } else {
          s.server(line.text);
        }
        ended += line.ends_turn ? 1 : 0;
      }
      s.end();
      ASSERT_GE(s.sink.records.size(), ended);
      for (size_t i = 0; i < s.sink.records.size(); ++i) {
        const UsageRecord& record = s.sink.records[i];
        if (i < ended) {
          EXPECT_EQ(record.tokens.input, 5u);
          EXPECT_EQ(record.tokens.output, 2u);
          EXPECT_EQ(record.tokens.output_source, UsageSource::kReported);
          continue;
        }
        EXPECT_FALSE(record.tokens.input.has_value());
        EXPECT_FALSE(record.tokens.output.has_value());
        EXPECT_EQ(record.tokens.output_source, UsageSource::kNone);
        EXPECT_EQ(record.outcome, Outcome::kClientAbort);
      }
    }
  }
}

TEST(SocketCalls, AnEndThatIsRepeatedCountsOnce) {
  Socket s;
  s.client(ask()).server(completed("a")).server(completed("a")).end();
  EXPECT_EQ(s.ids(), "a:ok ");
}

TEST(SocketCalls, TheEndOfATurnWasLost) {
  Socket s;
  s.client(ask()).server(created("a")).lose(Message::kResponse, 40);
  s.client(ask()).server(created("b")).server(completed("b")).end();
  EXPECT_EQ(s.ids(), "a:incomplete b:ok ");
  EXPECT_EQ(s.sink.records[0].lost_bytes, 40u);
  EXPECT_EQ(s.sink.records[0].usage_missing, UsageMissing::kGap);
  EXPECT_EQ(s.sink.records[1].lost_bytes, 0u);
  EXPECT_TRUE(s.sink.records[1].flags.empty());
}

TEST(SocketCalls, BytesLostBetweenTurnsAreTheNextOnes) {
  Socket s;
  s.lose(Message::kRequest, 9).client(ask()).server(completed("a")).end();
  EXPECT_EQ(s.sink.records[0].lost_bytes, 9u);
  EXPECT_TRUE(s.sink.records[0].flags.has(RecordFlag::kGapInBody));
  EXPECT_FALSE(s.sink.records[0].request_digest.known());
}

TEST(SocketCalls, NobodyKnowsWhichOfTheDamagedTurnsBegan) {
  Socket s;
  s.client(ask()).client(ask()).lose(Message::kResponse, 10).server(completed("b")).end();
  EXPECT_EQ(s.ids(), "b:ok -:client_abort ");
  EXPECT_TRUE(s.sink.records[0].flags.has(RecordFlag::kPairingUncertain));
  EXPECT_TRUE(s.sink.records[0].request_model.empty());
}

TEST(SocketCalls, ServerDirectionUnreadable) {
  Socket s;
  for (int i = 0; i < 3; ++i) s.client(ask()).unreadable(Message::kResponse);
  s.end(ExchangeOutcome::kServerClosed);
  EXPECT_EQ(s.ids(), "-:incomplete -:incomplete -:server_abort ");
  for (const UsageRecord& record : s.sink.records) {
    EXPECT_EQ(record.usage_missing, UsageMissing::kCoding);
    EXPECT_TRUE(record.flags.has(RecordFlag::kDecodeFailed));
    EXPECT_FALSE(record.tokens.input.has_value());
  }
}

TEST(SocketCalls, ClientDirectionUnreadable) {
  Socket s;
  s.unreadable(Message::kRequest).server(created("a")).server(completed("a"));
  s.unreadable(Message::kRequest).server(created("b")).server(completed("b", 9)).end();
  EXPECT_EQ(s.ids(), "a:ok b:ok ");
  EXPECT_EQ(s.sink.records[1].tokens.input, 9u);
}

TEST(SocketCalls, OpenTurnsAreBounded) {
  Limits limits;
  limits.socket_turns_max = 3;
  Socket s("/v1/responses", limits);
  for (int i = 0; i < 5; ++i) s.client(ask(R"(,"stream_id":")" + std::to_string(i) + "\""));
  EXPECT_EQ(s.ids(), "-:incomplete -:incomplete ");
  s.end();
  EXPECT_EQ(s.sink.records.size(), 5u);
}

TEST(SocketCalls, WhatSaysNothingOfTurnsIsASuspect) {
  Socket s("/app/realtime");
  s.client("hello").server("[1,2").server(R"({"type":7})").end();
  EXPECT_EQ(s.ids(), "");
  EXPECT_EQ(s.sink.suspects.size(), 1u);
}

TEST(SocketCalls, RealtimeErrorsEndTheTurnTheyName) {
  Socket s("/v1/realtime?model=r");
  s.client(R"({"type":"response.create","event_id":"one"})");
  s.server(R"({"type":"error","error":{"code":"bad_item","event_id":"other"}})");
  EXPECT_EQ(s.ids(), "");
  s.server(R"({"type":"error","error":{"code":"bad_value","event_id":"one"}})").end();
  EXPECT_EQ(s.ids(), "-:stream_error ");
  EXPECT_EQ(s.sink.records[0].error_type.view(), "bad_value");
  EXPECT_EQ(s.sink.records[0].request_model.view(), "r");
}

TEST(Target, QueryValues) {
  EXPECT_EQ(query_value("/v1/realtime?model=gpt-realtime", "model").view(), "gpt-realtime");
  EXPECT_EQ(query_value("/r?api-version=1&deployment=a%2Fb#f", "deployment").view(), "a/b");
  EXPECT_EQ(query_value("/r?xmodel=a&model=", "model").view(), "");
  EXPECT_EQ(query_value("/r?models=a", "model").view(), "");
  EXPECT_EQ(query_value("/r", "model").view(), "");
}

}  // namespace
}  // namespace wiretally::llm
