// Content codings, RFC 9110 section 8.4.
#include <gtest/gtest.h>

#include "unit/http/scenario.h"

namespace wiretally::http {
namespace {

const std::string kAsked = "1 request GET /v1\n1 request complete\n1 answer 200\n";
const std::string kDone = "1 answer complete\n1 end: complete\n";

Scenario coded(const std::string& coding, const std::string& body) {
  Scenario s;
  s.a("GET /v1 HTTP/1.1\r\n\r\n");
  s.b("HTTP/1.1 200 OK\r\nContent-Encoding: " + coding +
      "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  return s;
}

TEST(Coding, GzipAndBothDeflates) {
  const std::string plain = "{\"usage\":{\"total_tokens\":12}}";
  const std::string expected = kAsked + "1 answer body " + plain + "\n" + kDone;
  EXPECT_EQ(coded("gzip", gzip(plain)).everywhere(), expected);
  EXPECT_EQ(coded("X-GZIP", gzip(plain)).everywhere(), expected);
  EXPECT_EQ(coded("deflate", deflate_zlib(plain)).everywhere(), expected);
  EXPECT_EQ(coded("deflate", deflate_raw(plain)).everywhere(), expected);
  EXPECT_EQ(coded("identity", plain).everywhere(), expected);
}

TEST(Coding, SeveralMembersAndPadding) {
  EXPECT_EQ(coded("gzip", gzip("one ") + gzip("two") + std::string(3, '\0')).everywhere(),
            kAsked + "1 answer body one two\n" + kDone);
}

TEST(Coding, AStreamCutAtItsEndIsNoError) {
  const std::string whole = gzip("some text");
  EXPECT_EQ(coded("gzip", whole.substr(0, whole.size() - 8)).everywhere(),
            kAsked + "1 answer body some text\n" + kDone);
}

TEST(Coding, RequestsToo) {
  const std::string body = gzip("question");
  Scenario s;
  s.a("POST /v1 HTTP/1.1\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n" +
      chunk(body.substr(0, 7)) + chunk(body.substr(7)) + "0\r\n\r\n");
  EXPECT_EQ(s.everywhere(),
            "1 request POST /v1\n1 request body question\n1 request complete\n"
            "1 end: end of input\n");
}

TEST(Coding, UnknownOrBrokenIsSaidOnce) {
  const std::string expected = kAsked + "1 answer decoding failed\n" + kDone;
  EXPECT_EQ(coded("br", "brbrbr").everywhere(), expected);
  EXPECT_EQ(coded("gzip, gzip", gzip(gzip("x"))).everywhere(), expected);
  EXPECT_EQ(coded("gzip", "no gzip at all").everywhere(), expected);
  EXPECT_EQ(coded("br", "brbrbr").run().dropped(DropReason::kHttpDecodeFailed), 6u);
}

TEST(Coding, RatioIsCapped) {
  const std::string body = gzip(std::string(4'000'000, 'x'));
  Scenario s = coded("gzip", body);
  s.limits.decode_ratio_max = 10;
  s.limits.decode_ratio_free_bytes = 1'000'000;
  const Replay replay = s.run();
  EXPECT_NE(replay.log.find("1 answer decoding failed"), std::string::npos);
  EXPECT_GT(replay.dropped(DropReason::kHttpDecodeRatio), 0u);
}

TEST(Coding, BudgetIsKept) {
  Scenario s = coded("gzip", gzip("x"));
  s.limits.decoder_bytes_max = 10'000;
  const Replay replay = s.run();
  EXPECT_EQ(replay.log, kAsked + "1 answer decoding failed\n" + kDone);
  EXPECT_EQ(replay.dropped(DropReason::kHttpDecoderBudget), gzip("x").size());
}

TEST(Coding, DecodersAreGivenBack) {
  const std::string body = gzip("x");
  Scenario s;
  s.limits.decoder_bytes_max = InflateDecoder::kChargedBytes;
  for (int i = 0; i < 5; ++i) {
    s.a("GET /v1 HTTP/1.1\r\n\r\n");
    s.b("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body);
  }
  EXPECT_EQ(s.run().dropped(DropReason::kHttpDecoderBudget), 0u);
}

}  // namespace
}  // namespace wiretally::http
