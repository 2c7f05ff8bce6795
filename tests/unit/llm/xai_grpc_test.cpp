// xAI over gRPC beyond what the transcripts show: what makes a call of it, damage, and what numbers
// mean that are not stated.
#include "dialogue.h"
#include "support/proto_text.h"

namespace wiretally::llm {
namespace {

using test::grpc_message;
using test::ProtoText;

std::string one(std::string_view text) { return grpc_message(ProtoText::message(text)); }

Dialogue call(std::string path, std::string_view request = R"(1:{1:{1:"hi"} 2:1} 2:"grok-4")",
              std::string type = "application/grpc") {
  return Dialogue(std::move(path), one(request)).header("content-type", std::move(type));
}
Dialogue answered(std::string_view text) {
  return call("/xai_api.Chat/GetCompletion")
      .answer(200, "application/grpc", one(text))
      .trailer("grpc-status", "0");
}
std::string tail_of(const std::string& line) {
  const size_t at = line.find(" in=");
  return at == line.npos ? line : line.substr(at + 1);
}

TEST(XaiGrpc, ProviderByThePathWhereTheHostSaysNothing) {
  EXPECT_EQ(
      answered(R"(1:"id-1" 2:{1:3 3:{1:"x"}} 6:"grok-4" 9:{1:2 2:10 3:12})").play(),
      "provider=x_ai dialect=xai_grpc outcome=ok status=200 asked=grok-4 served=grok-4 id=id-1 "
      "finish=stop in=10 read=0 out=2 reasoning=0 source=reported/reported");
}

TEST(XaiGrpc, AnswersWithOtherContentTypesAreNotRead) {
  const std::string answer = one(R"(1:"id-1" 6:"grok-4" 9:{1:2 2:10 3:12})");
  EXPECT_EQ(call("/xai_api.Chat/GetCompletion")
                .answer(200, "application/grpc+proto", answer)
                .trailer("grpc-status", "0")
                .play(),
            answered(R"(1:"id-1" 6:"grok-4" 9:{1:2 2:10 3:12})").play());
  for (const char* type : {"application/json", "application/grpc-web+proto", "application/grpcs"}) {
    EXPECT_EQ(call("/xai_api.Chat/GetCompletion", "", type).answer(200, type, answer).play(), "")
        << type;
  }
  EXPECT_EQ(call("/xai_api.Chat/GetCompletion").answer(502, "text/html", "<html>").play(),
            "provider=x_ai dialect=xai_grpc outcome=http_error status=502 asked=grok-4");
  EXPECT_EQ(
      call("/xai_api.Chat/GetStoredCompletion").answer(200, "application/grpc", answer).play(), "");
  EXPECT_EQ(call("/other_api.Chat/GetCompletion").answer(200, "application/grpc", answer).play(),
            "");
}

TEST(XaiGrpc, AStateOfUsageThatIsNotStatedIsZeroWhereOthersAre) {
  EXPECT_EQ(tail_of(answered(R"(9:{2:10 3:10})").play()),
            "in=10 read=0 out=0 reasoning=0 source=reported/reported");
  EXPECT_EQ(tail_of(answered(R"(9:{})").play()),
            "in=0 read=0 out=0 reasoning=0 source=reported/reported");
  EXPECT_NE(answered(R"(1:"id-1")").play().find("missing=not_in_answer"), std::string::npos);
}

TEST(XaiGrpc, ReasoningInsideOrOutsideByTheTotal) {
  EXPECT_EQ(tail_of(answered(R"(9:{1:2 2:10 3:19 6:7})").play()),
            "in=10 read=0 out=9 reasoning=7 source=reported/reported");
  EXPECT_EQ(tail_of(answered(R"(9:{1:9 2:10 3:19 6:7})").play()),
            "in=10 read=0 out=9 reasoning=7 source=reported/reported");
  EXPECT_EQ(tail_of(answered(R"(9:{1:2 2:10 6:7})").play()),
            "in=10 read=0 out=9 reasoning=7 source=reported/reported");
}

TEST(XaiGrpc, StatedCost) {
  // Ticks of 1e-10 USD, in 1e-15.
  EXPECT_NE(answered(R"(9:{1:2 2:10 3:12 11:12345})").play().find("stated=1234500000/3"),
            std::string::npos);
  EXPECT_EQ(answered(R"(9:{1:2 2:10 3:12})").play().find("stated="), std::string::npos);
}

TEST(XaiGrpc, NumbersThatCannotBeAreMalformed) {
  const std::string line = answered(R"(9:{1:-2 2:10 3:12})").play();
  EXPECT_NE(line.find("usage_malformed"), std::string::npos) << line;
  EXPECT_EQ(line.find(" out="), std::string::npos) << line;
}

TEST(XaiGrpc, AMessageThatIsNoneSaysNothing) {
  const std::string good = one(R"(1:"id-1" 4:"grok-4" 2:{1:{1:"x"}} 6:{1:1 2:10 3:11})");
  const std::string bad = grpc_message(ProtoText::message(R"(6:{1:99 2:10})") + "\x0B");
  const std::string line = call("/xai_api.Chat/GetCompletionChunk")
                               .answer(200, "application/grpc", good + bad)
                               .trailer("grpc-status", "0")
                               .play();
  EXPECT_NE(line.find("in=10 read=0 out=1 "), std::string::npos) << line;
  EXPECT_NE(line.find("usage_malformed"), std::string::npos) << line;
}

TEST(XaiGrpc, AGapEndsTheReading) {
  const std::string chunk = one(R"(1:"id-1" 4:"grok-4" 2:{1:{1:"x"}} 6:{1:1 2:10 3:11})");
  const std::string later = one(R"(1:"id-1" 4:"grok-4" 2:{3:3} 6:{1:5 2:10 3:15})");
  const std::string line = call("/xai_api.Chat/GetCompletionChunk")
                               .answer(200, "application/grpc", chunk)
                               .lose()
                               .more(later)
                               .trailer("grpc-status", "0")
                               .play();
  EXPECT_NE(line.find("in=10 read=0 out=1 reasoning=0 source=partial/partial"), std::string::npos)
      << line;
  EXPECT_EQ(line.find("finish="), std::string::npos) << line;
}

TEST(XaiGrpc, WithoutAStatusNobodyKnowsHowItEnded) {
  const std::string line =
      call("/xai_api.Chat/GetCompletion")
          .answer(200, "application/grpc", one(R"(1:"id-1" 9:{1:2 2:10 3:12})"))
          .play();
  EXPECT_NE(line.find("outcome=incomplete"), std::string::npos) << line;
  EXPECT_EQ(tail_of(line), "in=10 read=0 out=2 reasoning=0 source=reported/reported");
}

TEST(XaiGrpc, StatusesByTheirNames) {
  const auto ended = [](std::string status) {
    const std::string line = call("/xai_api.Chat/GetCompletion")
                                 .answer(200, "application/grpc")
                                 .trailer("grpc-status", std::move(status))
                                 .play();
    const size_t at = line.find("outcome=");
    return line.substr(at, line.find(" asked=") - at);
  };
  EXPECT_EQ(ended("1"), "outcome=stream_error status=200 error=CANCELLED");
  EXPECT_EQ(ended("16"), "outcome=stream_error status=200 error=UNAUTHENTICATED");
  EXPECT_EQ(ended("17"), "outcome=stream_error status=200 error=UNKNOWN");
  EXPECT_EQ(ended("99999999999999999999"), "outcome=stream_error status=200 error=UNKNOWN");
  EXPECT_EQ(ended("x"), "outcome=stream_error status=200 error=UNKNOWN");
}

TEST(XaiGrpc, DeferredCalls) {
  const auto fetched = [](std::string_view text) {
    return call("/xai_api.Chat/GetDeferredCompletion", R"(1:"deferred-1")")
        .answer(200, "application/grpc", one(text))
        .trailer("grpc-status", "0")
        .fetch()
        .play();
  };
  EXPECT_EQ(fetched("2:3"), "");
  EXPECT_EQ(fetched(R"(2:1 1:{1:"id-1" 2:{1:3} 6:"grok-4" 9:{1:2 2:10 3:12}})"),
            "provider=x_ai dialect=xai_grpc outcome=ok status=200 served=grok-4 id=deferred-1 "
            "finish=stop in=10 read=0 out=2 reasoning=0 source=reported/reported");
  const std::string expired = fetched("2:2");
  EXPECT_NE(expired.find("outcome=stream_error status=200 error=expired"), std::string::npos)
      << expired;
}

}  // namespace
}  // namespace wiretally::llm
