#include <gtest/gtest.h>
#include <zlib.h>

#include <random>
#include <string>
#include <vector>

#include "framing/aws_event_stream_reader.h"
#include "framing/base64_member.h"
#include "framing/form_field.h"
#include "framing/series_reader.h"
#include "json/json_scanner.h"

namespace wiretally::llm {
namespace {

using Lines = std::vector<std::string>;

// Feeds in pieces of a size, each a copy of its own, so that a sanitizer sees a read beyond it.
template <typename Reader>
void feed_in_pieces(Reader& reader, std::string_view bytes, size_t piece) {
  for (size_t at = 0; at < bytes.size(); at += piece) {
    const std::string_view part = bytes.substr(at, piece);
    const std::vector<uint8_t> copy(part.begin(), part.end());
    reader.feed(copy);
  }
}

// --- AWS event streams ---------------------------------------------------------------------------

std::string big_endian(uint32_t number) {
  return {static_cast<char>(number >> 24), static_cast<char>(number >> 16),
          static_cast<char>(number >> 8), static_cast<char>(number)};
}

std::string crc_of(const std::string& bytes) {
  return big_endian(static_cast<uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size()))));
}

std::string message(const std::string& headers, const std::string& payload) {
  std::string bytes = big_endian(static_cast<uint32_t>(headers.size() + payload.size() + 16)) +
                      big_endian(static_cast<uint32_t>(headers.size()));
  bytes += crc_of(bytes);
  bytes += headers + payload;
  return bytes + crc_of(bytes);
}

std::string text_header(const std::string& name, const std::string& value) {
  return std::string(1, static_cast<char>(name.size())) + name + '\x07' +
         std::string(1, static_cast<char>(value.size() >> 8)) +
         static_cast<char>(value.size() & 255) + value;
}

class AwsLog : public AwsEvents {
 public:
  void on_aws_begin(const Kind& /*kind*/) override { payload_.clear(); }
  void on_aws_payload(ByteView part) override { payload_ += as_text(part); }
  void on_aws_end(const Kind& kind, bool intact) override {
    lines.push_back(std::string(kind.message.view()) + "/" + std::string(kind.name.view()) + ":" +
                    payload_ + (intact ? "" : " BROKEN"));
  }
  Lines lines;

 private:
  std::string payload_;
};

Lines aws(const std::string& stream, size_t piece) {
  AwsLog log;
  AwsEventStreamReader reader(log);
  feed_in_pieces(reader, stream, piece);
  reader.finish();
  return log.lines;
}

Lines aws(const std::string& stream) {
  const Lines whole = aws(stream, std::max<size_t>(stream.size(), 1));
  for (size_t piece : {1, 2, 3, 7, 13}) EXPECT_EQ(aws(stream, piece), whole) << piece;
  return whole;
}

TEST(AwsEventStream, TheSampleOfTheSpecification) {
  const std::string empty("\x00\x00\x00\x10\x00\x00\x00\x00\x05\xc2\x48\xeb\x7d\x98\xc8\xff", 16);
  EXPECT_EQ(aws(empty), Lines{"/:"});
}

TEST(AwsEventStream, KindsOfHeaders) {
  std::string headers = text_header(":event-type", "metadata");
  headers += std::string(
      "\x01t\x00\x01"
      "f\x01\x01"
      "b\x02x\x01s\x03xx\x01i\x04xxxx",
      22);
  headers += std::string("\x01l\x05xxxxxxxx\x01u\x09", 14) + std::string(16, 'u');
  headers += std::string("\x01r\x06\x00\x02zz", 7) + text_header(":message-type", "event");
  EXPECT_EQ(aws(message(headers, "{}") + message(text_header(":exception-type", "x"), "")),
            (Lines{"event/metadata:{}", "/x:"}));
}

TEST(AwsEventStream, AWrongChecksumIsDamageAndTheNextMessageIsFound) {
  const std::string good = message(text_header(":event-type", "a"), "{\"n\":1}");
  for (size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    const Lines lines = aws(bad + good + good);
    ASSERT_FALSE(lines.empty()) << at;
    EXPECT_EQ(lines.back(), "/a:{\"n\":1}") << at;
    for (const std::string& line : lines) {
      EXPECT_TRUE(line == "/a:{\"n\":1}" || line.ends_with(" BROKEN")) << at << " " << line;
    }
  }
}

TEST(AwsEventStream, HeadersThatReachBeyondTheirSize) {
  EXPECT_EQ(aws(message(std::string("\x09"
                                    "abc",
                                    4),
                        "{}") +
                message("", "x")),
            Lines{"/:x"});
  EXPECT_EQ(aws(message(std::string("\x01"
                                    "a\x0b",
                                    3),
                        "{}") +
                message("", "x")),
            Lines{"/:x"});
}

TEST(AwsEventStream, ReadingBeginsInTheMiddleAndGoesOnBehindAGap) {
  const std::string good = message(text_header(":event-type", "a"), "{}");
  for (size_t cut = 0; cut < good.size(); ++cut) {
    AwsLog log;
    AwsEventStreamReader reader(log);
    feed_in_pieces(reader, good.substr(0, cut), 5);
    reader.gap();
    feed_in_pieces(reader, good.substr(cut / 2 + 1) + good, 5);
    reader.finish();
    ASSERT_EQ(log.lines.size(), 1U) << cut;
    EXPECT_EQ(log.lines[0], "/a:{}");
  }
}

TEST(AwsEventStream, RandomBytesNeverMakeAMessage) {
  std::mt19937_64 random(1);
  std::string bytes;
  for (size_t i = 0; i < 100'000; ++i) bytes.push_back(static_cast<char>(random() % 4));
  EXPECT_EQ(aws(bytes), Lines{});
}

// --- base64 members ------------------------------------------------------------------------------

class Decoded : public Base64Sink {
 public:
  void on_decoded(ByteView part) override { text += as_text(part); }
  std::string text;
};

std::string decoded(const std::string& document) {
  std::string whole;
  for (size_t piece : {document.size(), size_t{1}, size_t{3}, size_t{5}}) {
    Decoded sink;
    Base64Member member("bytes", sink);
    feed_in_pieces(member, document, piece);
    const std::string now = sink.text + (member.complete() ? "" : " INCOMPLETE");
    if (whole.empty()) whole = now;
    EXPECT_EQ(now, whole) << document;
  }
  return whole;
}

TEST(Base64Member, OneMemberOfAFlatObject) {
  EXPECT_EQ(decoded(R"({"bytes":"aGVsbG8=","p":"abc"})"), "hello");
  EXPECT_EQ(decoded(R"({"p":"bytes","q":"a\"bytes\":\"eA==","bytes" : "aGVsbG8h"})"), "hello!");
  EXPECT_EQ(decoded(R"({"bytes":"aGVsbA"})"), "hell");
  EXPECT_EQ(decoded(R"({"bytes":"","p":1})"), "");
  EXPECT_EQ(decoded(R"({"bytes":"Pz8\/"})"), "??\x3f");
}

TEST(Base64Member, WhatIsNoBase64) {
  EXPECT_EQ(decoded(R"({"bytes":"aGVs bG8="})"), "hel INCOMPLETE");
  EXPECT_EQ(decoded(R"({"x":{"bytes":"aGVsbG8="}})"), " INCOMPLETE");
  EXPECT_EQ(decoded(R"({"bytes":"aGVsbG8=)"), "hel INCOMPLETE");
  EXPECT_EQ(decoded(R"({"bytesx":"aGVsbG8="})"), " INCOMPLETE");
}

// --- series --------------------------------------------------------------------------------------

// Scans as the answer's reader does, and notes the value of "n" of each document.
class SeriesLog : public SeriesEvents, private JsonEvents {
 public:
  void on_series_begin() override {
    scanner_.reset();
    n_.clear();
  }
  Read on_series_part(ByteView part) override {
    switch (scanner_.feed(part)) {
      case JsonScanner::Verdict::kMore:
        return {Progress::kMore, part.size()};
      case JsonScanner::Verdict::kComplete:
        return {Progress::kComplete, part.size() - scanner_.unread()};
      case JsonScanner::Verdict::kBad:
        return {Progress::kBad, part.size() - scanner_.unread()};
    }
    return {};
  }
  void on_series_end(bool intact) override { lines.push_back(n_ + (intact ? "" : "!")); }
  Lines lines;

 private:
  void on_json(PathId /*path*/, const JsonEvent& event) override {
    n_ = event.integer.has_value() ? std::to_string(*event.integer) : "?";
  }

  const PathSet paths_{"n"};
  JsonScanner scanner_{paths_, *this};
  std::string n_;
};

Lines series(const std::string& body) {
  Lines whole;
  for (size_t piece : {std::max<size_t>(body.size(), 1), size_t{1}, size_t{2}, size_t{7}}) {
    SeriesLog log;
    SeriesReader reader(log);
    feed_in_pieces(reader, body, piece);
    reader.finish();
    if (piece == std::max<size_t>(body.size(), 1)) whole = log.lines;
    EXPECT_EQ(log.lines, whole) << body << " in pieces of " << piece;
  }
  return whole;
}

TEST(Series, LinesAndArrays) {
  EXPECT_EQ(series("{\"n\":1}\n{\"n\":2}\r\n\n{\"n\":3}"), (Lines{"1", "2", "3"}));
  EXPECT_EQ(series("{\"n\":1}{\"n\":\n 2}"), (Lines{"1", "2"}));
  EXPECT_EQ(series("[{\"n\":1}\n,\n{\"n\":2}]\n{\"n\":3}"), (Lines{"1", "2"}));
  EXPECT_EQ(series("[]"), Lines{});
  EXPECT_EQ(series("{\"n\":1}\n{\"n\":2 "), (Lines{"1", "2!"}));
}

TEST(Series, ABrokenDocumentCostsItsOwnLine) {
  EXPECT_EQ(series("{\"n\":1}\n{\"n\":2,]}\n{\"n\":3}"), (Lines{"1", "2!", "3"}));
  EXPECT_EQ(series("[{\"n\":1}\n,\n{\"n\":2,\n]\n}\n,\n{\"n\":3}]"), (Lines{"1", "2!", "3"}));
}

TEST(Series, BehindAGap) {
  for (const bool array : {false, true}) {
    SeriesLog log;
    SeriesReader reader(log);
    reader.feed(as_bytes(array ? "[{\"n\":1}\n,\n{\"n\":" : "{\"n\":1}\n{\"n\":"));
    reader.gap();
    reader.feed(as_bytes(array ? "9}\n}\r\n,\r\n{\"n\":3}\n]" : "9}\n{\"n\":3}\n"));
    reader.finish();
    EXPECT_EQ(log.lines, (Lines{"1", "3"}));
  }
}

// --- forms ---------------------------------------------------------------------------------------

std::string form_model(const std::string& body) {
  std::string whole;
  for (size_t piece : {body.size(), size_t{1}, size_t{3}}) {
    FormField field("model");
    feed_in_pieces(field, body, piece);
    const std::string now = field.found() ? std::string(field.value().view())
                                          : (field.is_form() ? "no model" : "no form");
    if (whole.empty()) whole = now;
    EXPECT_EQ(now, whole) << body;
  }
  return whole;
}

TEST(FormField, TheModelOfAForm) {
  const std::string begin = "--x\r\nContent-Disposition: form-data; name=\"";
  EXPECT_EQ(form_model(begin + "model\"\r\n\r\nwhisper-1\r\n--x--"), "whisper-1");
  EXPECT_EQ(form_model(begin + "file\"; filename=\"a;; name=\"\r\n\r\n;;\r\n" + begin +
                       "model\"\r\nX: y\r\n\r\nm\r\n--x--"),
            "m");
  EXPECT_EQ(form_model(begin + "models\"\r\n\r\nm\r\n--x--"), "no model");
  EXPECT_EQ(form_model("{\"a\":\"; name=\\\"model\\\"\"}"), "no form");
  EXPECT_EQ(form_model(begin + "model\"\r\n\r\n" + std::string(1000, 'm')).size(), 256U);
}

}  // namespace
}  // namespace wiretally::llm
