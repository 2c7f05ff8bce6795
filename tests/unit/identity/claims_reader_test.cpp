#include "claims_reader.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "base64url.h"

namespace wiretally::identity {
namespace {

// The claim, read whole and again byte by byte; nothing where the text is no object.
std::optional<std::string> read(std::string_view json, Claim claim = Claim::kSubject) {
  ClaimsReader whole;
  const bool good = whole.feed(json) && whole.finish();
  ClaimsReader bytes;
  bool bytes_good = true;
  for (const char c : json) bytes_good = bytes.feed({&c, 1}) && bytes_good;
  EXPECT_EQ(bytes_good && bytes.finish(), good) << json;
  if (!good) return std::nullopt;
  EXPECT_EQ(bytes.value(claim), whole.value(claim)) << json;
  return std::string(whole.value(claim));
}

TEST(ClaimsReader, ReadsEachClaim) {
  const std::string_view json =
      R"({"sub":"s","iss":"i","aud":"a","appid":"p","azp":"z","client_id":"c","cid":"d","tid":"t"})";
  EXPECT_EQ(read(json, Claim::kSubject), "s");
  EXPECT_EQ(read(json, Claim::kIssuer), "i");
  EXPECT_EQ(read(json, Claim::kAudience), "a");
  EXPECT_EQ(read(json, Claim::kAppId), "p");
  EXPECT_EQ(read(json, Claim::kAuthorizedParty), "z");
  EXPECT_EQ(read(json, Claim::kClientId), "c");
  EXPECT_EQ(read(json, Claim::kCid), "d");
  EXPECT_EQ(read(json, Claim::kTenant), "t");
}

TEST(ClaimsReader, TakesWhiteSpaceAndOtherMembers) {
  EXPECT_EQ(read(" {\n\"exp\" : 1e9 , \"ok\":true,\"x\":null,\r\n\"sub\"\t: \"me\" } \n"), "me");
  EXPECT_EQ(read("{}"), "");
  EXPECT_EQ(read(" { } "), "");
}

TEST(ClaimsReader, TakesClaimsOnlyFromTheOutermostObject) {
  EXPECT_EQ(read(R"({"act":{"sub":"other"},"list":[{"sub":"other"}],"sub":"me"})"), "me");
  EXPECT_EQ(read(R"({"kubernetes.io":{"pod":{"name":"p","uid":"u"}},"sub":"system:x:y"})"),
            "system:x:y");
  EXPECT_EQ(read(R"({"text":"\"sub\":\"other\"","sub":"me"})"), "me");
  EXPECT_EQ(read(R"({"act":{"sub":"other"}})"), "");
}

TEST(ClaimsReader, AudienceIsAStringOrTheFirstOfAnArray) {
  EXPECT_EQ(read(R"({"aud":["one","two"],"sub":"s"})", Claim::kAudience), "one");
  EXPECT_EQ(read(R"({"aud":[ "one" ]})", Claim::kAudience), "one");
  EXPECT_EQ(read(R"({"aud":[]})", Claim::kAudience), "");
  EXPECT_EQ(read(R"({"aud":[["deep"],"two"]})", Claim::kAudience), "");
  EXPECT_EQ(read(R"({"aud":[1,"two"]})", Claim::kAudience), "");
  EXPECT_EQ(read(R"({"sub":["no","array"]})"), "");
}

TEST(ClaimsReader, AClaimStatedTwiceIsUnknown) {
  EXPECT_EQ(read(R"({"sub":"a","sub":"b"})"), "");
  EXPECT_EQ(read(R"({"sub":"a","sub":"a"})"), "");
  EXPECT_EQ(read(R"({"sub":1,"sub":"b"})"), "");
  EXPECT_EQ(read(R"({"sub":"a","s\u0075b":"b"})"), "");
  EXPECT_EQ(read(R"({"sub":"a","sub":"b","iss":"i"})", Claim::kIssuer), "i");
}

TEST(ClaimsReader, AClaimThatIsNoStringIsUnknown) {
  for (const std::string_view value : {"1", "null", "true", "{}", R"({"a":"b"})", "[]"}) {
    EXPECT_EQ(read("{\"sub\":" + std::string(value) + "}"), "") << value;
  }
}

TEST(ClaimsReader, ReadsEscapes) {
  EXPECT_EQ(read(R"({"sub":"a\"\\\/\b\f\n\r\tz"})"), "a\"\\/\b\f\n\r\tz");
  EXPECT_EQ(read(R"({"sub":"\u0041\u00e9\u20AC\ud83d\ude00"})"), "A\u00e9\u20ac\U0001F600");
  EXPECT_EQ(read(R"({"\u0073ub":"me"})"), "me");
}

TEST(ClaimsReader, ReplacesHalvesOfSurrogatePairs) {
  EXPECT_EQ(read(R"({"sub":"\ud83dx"})"), "\uFFFDx");
  EXPECT_EQ(read(R"({"sub":"\ude00"})"), "\uFFFD");
  EXPECT_EQ(read(R"({"sub":"\ud83d"})"), "\uFFFD");
  EXPECT_EQ(read(R"({"sub":"\ud83d\n"})"), "\uFFFD\n");
  EXPECT_EQ(read(R"({"sub":"\ud83d\ud83d\ude00"})"), "\uFFFD\U0001F600");
}

TEST(ClaimsReader, RefusesWhatIsNoObject) {
  for (const std::string_view json : {"",
                                      " ",
                                      "[]",
                                      "\"sub\"",
                                      "1",
                                      "{",
                                      "{\"sub\"",
                                      "{\"sub\":",
                                      "{\"sub\":}",
                                      "{\"sub\":\"a\"",
                                      "{\"sub\":\"a}",
                                      "{\"sub\" \"a\"}",
                                      "{\"sub\":\"a\" \"b\"}",
                                      "{,}",
                                      "{\"a\":1,}",
                                      "{\"a\":[}",
                                      "{\"a\":{]}",
                                      "{\"a\":1]",
                                      "{}}",
                                      "{} x",
                                      "{\"a\":\"\\x\"}",
                                      "{\"a\":\"\\u12g4\"}",
                                      "{a:1}",
                                      "{\"a\":1 2}",
                                      "{\"a\":1\"b\"}"}) {
    EXPECT_EQ(read(json), std::nullopt) << json;
  }
}

TEST(ClaimsReader, NestingHasALimit) {
  const auto nested = [](size_t depth) {
    return "{\"x\":" + std::string(depth, '[') + std::string(depth, ']') + ",\"sub\":\"me\"}";
  };
  EXPECT_EQ(read(nested(ClaimsReader::kDepthMax)), "me");
  EXPECT_EQ(read(nested(ClaimsReader::kDepthMax + 1)), std::nullopt);
}

TEST(ClaimsReader, CutsLongValuesAndPassesOverLongNames) {
  const std::string value(2000, 'v');
  EXPECT_EQ(read("{\"sub\":\"" + value + "\"}"), value.substr(0, ClaimsReader::kValueBytes));
  EXPECT_EQ(read("{\"" + std::string(2000, 'n') + "\":1,\"sub\":\"me\"}"), "me");
}

TEST(ClaimsReader, IsBadUntilReset) {
  ClaimsReader reader;
  EXPECT_FALSE(reader.feed("]"));
  EXPECT_FALSE(reader.feed("{}"));
  reader.reset();
  EXPECT_TRUE(reader.feed(R"({"sub":"me"})"));
  EXPECT_TRUE(reader.finish());
  reader.reset();
  EXPECT_EQ(reader.value(Claim::kSubject), "");
}

std::optional<std::string> decoded(std::string_view text) {
  std::string whole;
  const bool good = decode_base64url(text, [&](std::string_view piece) {
    whole.append(piece);
    return true;
  });
  return good ? std::optional(whole) : std::nullopt;
}

TEST(Base64Url, DecodesTheTestVectorsOfItsRfc) {
  // RFC 4648 section 10.
  EXPECT_EQ(decoded(""), "");
  EXPECT_EQ(decoded("Zg"), "f");
  EXPECT_EQ(decoded("Zg=="), "f");
  EXPECT_EQ(decoded("Zm8"), "fo");
  EXPECT_EQ(decoded("Zm8="), "fo");
  EXPECT_EQ(decoded("Zm9v"), "foo");
  EXPECT_EQ(decoded("Zm9vYmFy"), "foobar");
  EXPECT_EQ(decoded("-_-_"), "\xfb\xff\xbf");
  EXPECT_EQ(decoded("+/+/"), "\xfb\xff\xbf");
}

TEST(Base64Url, RefusesOtherText) {
  for (const std::string_view text : {"Z", "Zm9vZ", "Zm 9v", "Z=g", "Zg===", "Zm9v\n", "Zm9\xc3"}) {
    EXPECT_EQ(decoded(text), std::nullopt) << text;
  }
}

TEST(Base64Url, HandsOverLongTextInPieces) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "Zm9v";
  std::string expected;
  for (int i = 0; i < 1000; ++i) expected += "foo";
  EXPECT_EQ(decoded(text), expected);
}

TEST(Base64Url, StopsWhenNothingMoreIsTaken) {
  int calls = 0;
  EXPECT_FALSE(decode_base64url(std::string(4000, 'A'), [&](std::string_view) {
    ++calls;
    return false;
  }));
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace wiretally::identity
