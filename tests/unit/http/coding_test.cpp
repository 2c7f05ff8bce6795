// Content codings, RFC 9110 section 8.4.
#include <gtest/gtest.h>

#include "content_coding.h"
#include "support/encoder.h"
#include "unit/http/scenario.h"

namespace wiretally::http {
namespace {

using test::Coding;
using test::encode;

const std::string kAsked = "1 request GET /v1\n1 request complete\n1 answer 200\n";
const std::string kDone = "1 answer complete\n1 end: complete\n";
const std::string kFailed = kAsked + "1 answer decoding failed\n" + kDone;
const std::string kCorrupt = kAsked + "1 answer corrupt\n" + kDone;

Scenario coded(const std::string& coding, const std::string& body) {
  Scenario s;
  s.a("GET /v1 HTTP/1.1\r\n\r\n");
  s.b("HTTP/1.1 200 OK\r\nContent-Encoding: " + coding +
      "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  return s;
}

std::string answered(const std::string& text) {
  return kAsked + "1 answer body " + text + "\n" + kDone;
}

TEST(Coding, Each) {
  const std::string plain = "{\"usage\":{\"total_tokens\":12}}";
  EXPECT_EQ(coded("gzip", gzip(plain)).everywhere(), answered(plain));
  EXPECT_EQ(coded("X-GZIP", gzip(plain)).everywhere(), answered(plain));
  EXPECT_EQ(coded("deflate", encode(Coding::kZlib, plain)).everywhere(), answered(plain));
  EXPECT_EQ(coded("deflate", encode(Coding::kRawDeflate, plain)).everywhere(), answered(plain));
  EXPECT_EQ(coded("br", encode(Coding::kBrotli, plain)).everywhere(), answered(plain));
  EXPECT_EQ(coded("Zstd", encode(Coding::kZstd, plain)).everywhere(), answered(plain));
  EXPECT_EQ(coded("identity", plain).everywhere(), answered(plain));
}

// The CRC and the length behind a gzip member, whoever computes them, however they are cut.
TEST(Coding, AFlippedByteOfATrailerIsSeen) {
  const std::string plain(300, 'x');
  const std::string good = gzip(plain + "y");
  EXPECT_EQ(coded("gzip", good).everywhere(), answered(plain + "y"));
  for (size_t back = 1; back <= 8; ++back) {
    std::string flipped = good;
    flipped[flipped.size() - back] ^= 0x10;
    EXPECT_EQ(coded("gzip", flipped).everywhere(),
              kAsked + "1 answer body " + plain + "y\n1 answer corrupt\n" + kDone)
        << back;
  }
}

TEST(Coding, EmptyBodies) {
  for (const Coding coding :
       {Coding::kGzip, Coding::kZlib, Coding::kRawDeflate, Coding::kBrotli, Coding::kZstd}) {
    EXPECT_EQ(coded(test::token_of(coding), encode(coding, "")).everywhere(), kAsked + kDone)
        << test::token_of(coding);
  }
}

// What the client can read of a flushed stream has been delivered when its bytes have come by.
TEST(Coding, FlushedEventsAreDeliveredAtOnce) {
  for (const Coding coding :
       {Coding::kGzip, Coding::kZlib, Coding::kRawDeflate, Coding::kBrotli, Coding::kZstd}) {
    const test::Pieces pieces =
        encode(coding, test::Pieces{"data: 1\n\n", "data: 2\n\n", ""}, {.flush = true});
    Scenario s;
    s.a("GET /v1 HTTP/1.1\r\n\r\n");
    s.b("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: " +
        std::string(test::token_of(coding)) + "\r\n\r\n" + chunk(pieces[0]));
    EXPECT_EQ(s.run().log.substr(0, kAsked.size() + 23), kAsked + "1 answer body data: 1\n\n")
        << test::token_of(coding);
  }
}

TEST(Coding, Stacked) {
  const std::string plain = "one upon the other";
  const std::string two = encode(Coding::kBrotli, gzip(plain));
  EXPECT_EQ(coded("gzip, br", two).everywhere(), answered(plain));
  EXPECT_EQ(coded("gzip ,identity,, br", two).everywhere(), answered(plain));
  EXPECT_EQ(coded("gzip\r\nContent-Encoding: br", two).everywhere(), answered(plain));
  EXPECT_EQ(coded("br, gzip", two).everywhere(), kCorrupt);
  EXPECT_EQ(coded("gzip, gzip", gzip(gzip(plain))).everywhere(), answered(plain));
  const std::string four = encode(Coding::kZstd, encode(Coding::kZlib, two));
  EXPECT_EQ(coded("gzip, br, deflate, zstd", four).everywhere(), answered(plain));
  EXPECT_EQ(coded("gzip, br, deflate, zstd, gzip", gzip(four)).everywhere(), kFailed);
}

TEST(Coding, TransferCodingsComeOffFirst) {
  const std::string plain = "hop by hop";
  const std::string body = gzip(encode(Coding::kZstd, plain));
  for (const char* const fields :
       {"Transfer-Encoding: gzip, chunked\r\nContent-Encoding: zstd\r\n",
        "Content-Encoding: zstd\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"}) {
    Scenario s;
    s.a("GET /v1 HTTP/1.1\r\n\r\n");
    s.b("HTTP/1.1 200 OK\r\n" + std::string(fields) + "\r\n" + chunk(body.substr(0, 9)) +
        chunk(body.substr(9)) + "0\r\n\r\n");
    EXPECT_EQ(s.everywhere(), answered(plain)) << fields;
  }
}

TEST(Coding, ReadsTheFields) {
  const auto codings = [](std::vector<HeaderField> fields) {
    const ContentCodings read = content_coding({.fields = fields});
    std::string text;
    for (size_t i = 0; i < read.size(); ++i) text += "-gdbz?"[static_cast<size_t>(read[i])];
    return text + (read.supported() ? "" : " unsupported");
  };
  EXPECT_EQ(codings({}), "");
  EXPECT_EQ(codings({{"Transfer-Encoding", "chunked"}}), "");
  EXPECT_EQ(codings({{"content-encoding", " gzip"}, {"Transfer-Encoding", "deflate, Chunked"}}),
            "dg");
  EXPECT_EQ(codings({{"Transfer-Encoding", "chunked, gzip"}}), "g? unsupported");
  EXPECT_EQ(codings({{"Content-Encoding", "gzip;q=1"}}), "? unsupported");
  EXPECT_EQ(codings({{"Content-Encoding", "br"}, {"Content-Encoding", "zstd, deflate"}}), "dzb");
}

TEST(Coding, SeveralMembersAndPadding) {
  EXPECT_EQ(coded("gzip", gzip("one ") + gzip("two") + std::string(3, '\0')).everywhere(),
            answered("one two"));
  EXPECT_EQ(coded("br", encode(Coding::kBrotli, "one") + "\r\n").everywhere(), answered("one"));
}

TEST(Coding, SeveralFramesAndSkippableOnes) {
  const std::string skippable("\x5a\x2a\x4d\x18\x03\0\0\0abc", 11);
  const std::string one = encode(Coding::kZstd, "one ");
  const std::string two = encode(Coding::kZstd, "two", {.checksum = true});
  EXPECT_EQ(coded("zstd", skippable + one + skippable + two + skippable).everywhere(),
            answered("one two"));
}

// Wherever it was cut: the framing is whole, the coding is not.
TEST(Coding, AStreamThatEndsEarlyIsCorrupt) {
  const std::string plain = "{\"usage\":{\"total_tokens\":12}}";
  const std::vector<std::pair<std::string, std::string>> bodies = {
      {"gzip", gzip(plain)},
      {"deflate", encode(Coding::kZlib, plain)},
      {"deflate", encode(Coding::kRawDeflate, plain)},
      {"br", encode(Coding::kBrotli, plain)},
      {"zstd", encode(Coding::kZstd, plain, {.checksum = true})},
      {"gzip, br", encode(Coding::kBrotli, gzip(plain))},
      {"gzip, br", encode(Coding::kBrotli, gzip(plain).substr(0, 20))},
  };
  for (const auto& [coding, body] : bodies) {
    for (size_t bytes = 1; bytes < body.size(); ++bytes) {
      const std::string log = coded(coding, body.substr(0, bytes)).once();
      EXPECT_NE(log.find("1 answer corrupt\n" + kDone), std::string::npos)
          << coding << " " << bytes << "\n"
          << log;
    }
  }
  EXPECT_NE(coded("gzip, br", bodies.back().second).once().find("corrupt"), std::string::npos);
  EXPECT_EQ(coded("gzip", gzip(plain).substr(0, 30)).run().drops(DropReason::kHttpDecodeFailed),
            1u);
}

// The connection cut it, not the server: that is said by the message's end.
TEST(Coding, ABodyCutByTheConnectionIsNotCorrupt) {
  const std::string body = gzip("some text");
  Scenario s;
  s.a("GET /v1 HTTP/1.1\r\n\r\n");
  s.b("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: " +
      std::to_string(body.size()) + "\r\n\r\n" + body.substr(0, body.size() - 9));
  s.close(CloseReason::kReset, Direction::kBToA);
  EXPECT_EQ(s.once().find("corrupt"), std::string::npos) << s.once();
}

TEST(Coding, RequestsToo) {
  for (const Coding coding : {Coding::kGzip, Coding::kBrotli, Coding::kZstd}) {
    const std::string body = encode(coding, "question");
    Scenario s;
    s.a("POST /v1 HTTP/1.1\r\nContent-Encoding: " + std::string(test::token_of(coding)) +
        "\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(body.substr(0, 7)) +
        chunk(body.substr(7)) + "0\r\n\r\n");
    EXPECT_EQ(s.everywhere(),
              "1 request POST /v1\n1 request body question\n1 request complete\n"
              "1 end: end of input\n");
  }
}

TEST(Coding, UnknownOrBrokenIsSaidOnce) {
  EXPECT_EQ(coded("compress", "lzwlzw").everywhere(), kFailed);
  EXPECT_EQ(coded("compress", "lzwlzw").run().dropped(DropReason::kHttpDecodeFailed), 6u);
  for (const char* const coding : {"gzip", "deflate", "br", "zstd", "gzip, br"}) {
    EXPECT_EQ(coded(coding, "<html>no such thing</html>").everywhere(), kCorrupt) << coding;
  }
  // Noticed at the end, by the checksum alone.
  std::string flipped = gzip("12 tokens");
  flipped[flipped.size() - 6] = static_cast<char>(~flipped[flipped.size() - 6]);
  EXPECT_EQ(coded("gzip", flipped).everywhere(),
            kAsked + "1 answer body 12 tokens\n1 answer corrupt\n" + kDone);
}

// The format before zstd 1.0, which the library would read with memory of its own.
TEST(Coding, OldZstdFramesAreRefused) {
  std::string old = encode(Coding::kZstd, "text");
  old[0] = 0x27;
  EXPECT_EQ(coded("zstd", old).everywhere(), kCorrupt);
}

TEST(Coding, RatioIsCapped) {
  const std::string zeros(8'000'000, '\0');
  for (const std::vector<Coding>& codings : std::vector<std::vector<Coding>>{
           {Coding::kGzip}, {Coding::kBrotli}, {Coding::kZstd}, {Coding::kGzip, Coding::kGzip}}) {
    const std::string body = encode(codings, test::Pieces{zeros})[0];
    ASSERT_GT(zeros.size() / body.size(), 1000u);
    const Replay replay = coded(test::field_of(codings), body).run();
    EXPECT_NE(replay.log.find("1 answer decoding failed\n" + kDone), std::string::npos);
    EXPECT_EQ(replay.drops(DropReason::kHttpDecodeRatio), 1u) << test::field_of(codings);
    EXPECT_LT(replay.log.size(), Limits().decode_ratio_free_bytes + (1 << 20));
  }
}

// 12 KB on the wire that would be 8 MB after one coding and nothing much after the next.
TEST(Coding, RatioIsCappedInTheMiddleOfAStack) {
  std::string members;
  for (int i = 0; i < 400'000; ++i) members += encode(Coding::kGzip, "");
  const std::string body = encode(Coding::kZstd, members);
  ASSERT_GT(members.size() / body.size(), 1000u);
  const Replay replay = coded("gzip, zstd", body).run();
  EXPECT_EQ(replay.log, kFailed);
  EXPECT_GT(replay.dropped(DropReason::kHttpDecodeRatio), 0u);
}

TEST(Coding, SizeIsCapped) {
  Scenario s = coded("gzip", gzip("eleven byte"));
  s.limits.decoded_body_bytes_max = 10;
  EXPECT_EQ(s.everywhere(),
            kAsked + "1 answer body eleven byt\n1 answer decoding failed\n" + kDone);
  EXPECT_EQ(s.run().drops(DropReason::kHttpDecodeRatio), 1u);
  s.limits.decoded_body_bytes_max = 11;
  EXPECT_EQ(s.everywhere(), answered("eleven byte"));
}

TEST(Coding, WindowsAreCapped) {
  const std::string text(100'000, 'x');
  EXPECT_EQ(coded("br", encode(Coding::kBrotli, text, {.window_bits = 22})).run().log,
            answered(text));
  EXPECT_EQ(
      coded("zstd", encode(test::Coding::kZstd, test::Pieces{text, ""}, {.window_bits = 23})[0] +
                        encode(test::Coding::kZstd, test::Pieces{text, ""}, {.window_bits = 23})[1])
          .run()
          .log,
      answered(text));
  const std::vector<std::pair<const char*, std::string>> too_large = {
      {"br", encode(Coding::kBrotli, text, {.window_bits = 23})},
      {"br", encode(Coding::kBrotli, text, {.window_bits = 26, .large_window = true})},
      {"zstd",
       [&] {
         const auto pieces =
             encode(Coding::kZstd, test::Pieces{text, ""}, {.flush = true, .window_bits = 24});
         return pieces[0] + pieces[1];
       }()},
  };
  for (const auto& [coding, body] : too_large) {
    Scenario s = coded(coding, body);
    EXPECT_EQ(s.run().log, kFailed) << coding;
    EXPECT_EQ(s.run(Scenario::Cut::kEveryByte).log, kFailed) << coding;
    EXPECT_GT(s.run().dropped(DropReason::kHttpDecodeWindow), 0u) << coding;
  }
}

// Whatever the budget is too small for, from the first allocation to the last: the body is dropped
// by name, and the message is counted.
TEST(Coding, BudgetIsKept) {
  const std::string text = "text in pieces";
  for (const std::vector<Coding>& codings :
       std::vector<std::vector<Coding>>{{Coding::kGzip},
                                        {Coding::kRawDeflate},
                                        {Coding::kBrotli},
                                        {Coding::kZstd},
                                        {Coding::kGzip, Coding::kBrotli}}) {
    const std::string body = encode(codings, test::Pieces{text})[0];
    Scenario s = coded(test::field_of(codings), body);
    size_t refused = 0;
    size_t accepted = 0;
    for (s.limits.decoder_bytes_max = 64; s.limits.decoder_bytes_max < 16 << 20;
         s.limits.decoder_bytes_max += s.limits.decoder_bytes_max / 8) {
      const Replay replay = s.run(Scenario::Cut::kEveryByte);
      if (replay.log == answered(text)) {
        ++accepted;
        continue;
      }
      ++refused;
      EXPECT_GE(replay.drops(DropReason::kHttpDecoderBudget), 1u);
      EXPECT_EQ(replay.drops(DropReason::kHttpDecodeFailed), 0u);
      EXPECT_NE(replay.log.find("1 answer decoding failed\n" + kDone), std::string::npos);
    }
    EXPECT_GT(refused, 10u) << test::field_of(codings);
    EXPECT_GT(accepted, 10u) << test::field_of(codings);
  }
}

TEST(Coding, DecodersAreGivenBack) {
  for (const Coding coding : {Coding::kGzip, Coding::kBrotli, Coding::kZstd}) {
    const std::string body = encode(coding, "x");
    Scenario s;
    s.limits.decoder_bytes_max = 300'000;
    for (int i = 0; i < 50; ++i) {
      s.a("GET /v1 HTTP/1.1\r\n\r\n");
      s.b("HTTP/1.1 200 OK\r\nContent-Encoding: " + std::string(test::token_of(coding)) +
          "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    }
    EXPECT_EQ(s.run().dropped(DropReason::kHttpDecoderBudget), 0u);
  }
}

}  // namespace
}  // namespace wiretally::http
