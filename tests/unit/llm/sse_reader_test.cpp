#include "framing/sse_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace wiretally::llm {
namespace {

using Lines = std::vector<std::string>;

// "type|data" for each event, "error|value" for each error line; parts are put together.
class Log : public SseEvents {
 public:
  void on_sse_data(ByteView part) override {
    EXPECT_FALSE(part.empty());
    data_ += as_text(part);
  }
  void on_sse_end(std::string_view type) override {
    lines.push_back(std::string(type) + "|" + data_);
    data_.clear();
  }
  void on_sse_error_field(ByteView part, bool last) override {
    EXPECT_EQ(data_, "") << "a call between the parts of an event's data";
    error_ += as_text(part);
    if (!last) return;
    lines.push_back("ERROR|" + error_);
    error_.clear();
  }
  // What is left of an event that was given up.
  std::string take_open() {
    std::string open = data_ + error_;
    data_.clear();
    error_.clear();
    return open;
  }

  Lines lines;

 private:
  std::string data_;
  std::string error_;
};

Lines read(std::string_view stream, const std::vector<size_t>& cuts) {
  Log log;
  SseReader reader(log);
  size_t begin = 0;
  for (size_t i = 0; i <= cuts.size(); ++i) {
    const size_t end = i < cuts.size() ? cuts[i] : stream.size();
    // A copy of its own for each piece, so that a sanitizer sees a read beyond it.
    const std::vector<uint8_t> piece(stream.begin() + static_cast<ptrdiff_t>(begin),
                                     stream.begin() + static_cast<ptrdiff_t>(end));
    reader.feed(piece);
    begin = end;
  }
  reader.finish();
  EXPECT_EQ(log.take_open(), "") << stream;
  return log.lines;
}

std::vector<size_t> every_byte(size_t size) {
  std::vector<size_t> cuts;
  for (size_t i = 1; i < size; ++i) cuts.push_back(i);
  return cuts;
}

// Reads whole, byte by byte, and at every single cut; all must agree.
Lines events_of(std::string_view stream) {
  const Lines whole = read(stream, {});
  EXPECT_EQ(read(stream, every_byte(stream.size())), whole) << stream;
  for (size_t cut = 0; cut <= stream.size(); ++cut) {
    EXPECT_EQ(read(stream, {cut}), whole) << stream << "\ncut at " << cut;
  }
  return whole;
}

TEST(SseReader, ABlankLineEndsAnEvent) {
  EXPECT_EQ(events_of("data: a\n\ndata: b\n\n"), (Lines{"|a", "|b"}));
}

TEST(SseReader, LinesEndInLfCrOrCrlf) {
  for (std::string eol : {"\n", "\r", "\r\n"}) {
    EXPECT_EQ(events_of("event: t" + eol + "data: a" + eol + "data: b" + eol + eol + ":" + eol +
                        "data: c" + eol + eol),
              (Lines{"t|a\nb", "|c"}));
  }
  EXPECT_EQ(events_of("data: a\r\n\n\rdata: b\r\r\n\r\ndata: c\n\r"), (Lines{"|a", "|b", "|c"}));
}

TEST(SseReader, OneSpaceBehindTheColonIsDropped) {
  EXPECT_EQ(events_of("data:a\n\ndata:  b\n\ndata:\tc\n\nevent:x\ndata: d \n\n"),
            (Lines{"|a", "| b", "|\tc", "x|d "}));
}

TEST(SseReader, SeveralDataLinesAreJoinedByLf) {
  EXPECT_EQ(events_of("data: a\ndata: b\n\ndata: {\ndata:\ndata\ndata: }\n\n"),
            (Lines{"|a\nb", "|{\n\n\n}"}));
}

TEST(SseReader, TheTypeMayStandBeforeOrBehindTheData) {
  EXPECT_EQ(events_of("event: t\ndata: a\n\ndata: b\nevent: u\n\ndata: c\n\n"),
            (Lines{"t|a", "u|b", "|c"}));
  EXPECT_EQ(events_of("event: long one\nevent: t\ndata: a\n\nevent: t\nevent\ndata: b\n\n"),
            (Lines{"t|a", "|b"}));
}

TEST(SseReader, AnEventWithoutDataIsNone) {
  EXPECT_EQ(events_of("event: ping\n\n\n\nid: 3\n\ndata: a\n\nevent: ping\n\n"), Lines{"|a"});
}

TEST(SseReader, AnEmptyDataLineIsAnEvent) {
  EXPECT_EQ(events_of("data\n\ndata:\n\ndata: \n\nevent: e\ndata:\n\n"),
            (Lines{"|", "|", "|", "e|"}));
}

TEST(SseReader, ALongTypeIsCut) {
  const std::string type(SseReader::kTypeBytes, 't');
  EXPECT_EQ(events_of("event: " + type + "\ndata: a\n\nevent: " + type + "u\ndata: b\n\n"),
            (Lines{type + "|a", type + "|b"}));
}

TEST(SseReader, CommentsAndOtherFieldsAreIgnored) {
  const std::string comment(5000, 'c');
  EXPECT_EQ(
      read(": ping\n\n:" + comment + "data: no\n:\ndata: a\n: b\nid: 1\nretry: 5\ndata: c\n\n",
           {3, 9, 900, 901, 5010}),
      Lines{"|a\nc"});
  EXPECT_EQ(
      events_of(":data: a\nid:4\ndat: b\ndataa: c\nDATA: d\n data: e\ndata : f\n\ndata: g\n\n"),
      Lines{"|g"});
  EXPECT_EQ(events_of("datadatadata\nevents: x\ndata: a\n\n"), Lines{"|a"});
}

TEST(SseReader, DoneIsJustData) { EXPECT_EQ(events_of("data: [DONE]\n\n"), Lines{"|[DONE]"}); }

TEST(SseReader, AByteOrderMarkAtTheStartIsSkipped) {
  EXPECT_EQ(events_of("\xEF\xBB\xBF"
                      "data: a\n\n"),
            Lines{"|a"});
  EXPECT_EQ(events_of("\xEF\xBB"
                      "data: a\n\ndata: b\n\n"),
            Lines{"|b"});
  EXPECT_EQ(events_of("data: a\n\n\xEF\xBB\xBF"
                      "data: b\n\n"),
            Lines{"|a"});
}

TEST(SseReader, ALastEventWithoutBlankLineIsDelivered) {
  EXPECT_EQ(events_of("data: a\n\nevent: t\ndata: b"), (Lines{"|a", "t|b"}));
  EXPECT_EQ(events_of("data: a\n"), Lines{"|a"});
  EXPECT_EQ(events_of("data: a\r"), Lines{"|a"});
  EXPECT_EQ(events_of("data: a\ndata"), Lines{"|a\n"});
  EXPECT_EQ(events_of("data: a\ndat"), Lines{"|a"});
  EXPECT_EQ(events_of("data:"), Lines{"|"});
  EXPECT_EQ(events_of("event: t"), Lines{});
  EXPECT_EQ(events_of(""), Lines{});
}

TEST(SseReader, ErrorLinesAreReportedAsTheyStand) {
  EXPECT_EQ(events_of("data: a\n\nerror: {\"code\":1}\n\ndata: b\n\n"),
            (Lines{"|a", "ERROR|{\"code\":1}", "|b"}));
  EXPECT_EQ(events_of("error: {}"), Lines{"ERROR|{}"});
  EXPECT_EQ(events_of("error"), Lines{"ERROR|"});
  EXPECT_EQ(events_of("error:\nerror\nerrors: x\ndata: a\n\n"), (Lines{"ERROR|", "ERROR|", "|a"}));
}

TEST(SseReader, AnErrorLineBehindDataIsIgnored) {
  EXPECT_EQ(events_of("data: a\nerror: x\ndata: b\n\n"), Lines{"|a\nb"});
}

TEST(SseReader, DataIsHandedOnAsItComesAndAsViews) {
  struct Views : SseEvents {
    void on_sse_data(ByteView part) override { parts.push_back(part); }
    void on_sse_end(std::string_view) override {}
    void on_sse_error_field(ByteView, bool) override {}
    std::vector<ByteView> parts;
  } views;
  SseReader reader(views);
  const std::string huge(1 << 20, 'x');
  reader.feed(as_bytes("data: "));
  EXPECT_TRUE(views.parts.empty());
  for (int i = 0; i < 3; ++i) reader.feed(as_bytes(huge));
  ASSERT_EQ(views.parts.size(), 3U);
  for (const ByteView& part : views.parts) {
    EXPECT_EQ(part.data(), as_bytes(huge).data());
    EXPECT_EQ(part.size(), huge.size());
  }
}

TEST(SseReader, ResetForgetsEverything) {
  Log log;
  SseReader reader(log);
  reader.feed(
      as_bytes("\xEF\xBB\xBF"
               "event: t\ndata: a"));
  reader.reset();
  EXPECT_EQ(log.take_open(), "a");
  reader.feed(as_bytes("\xEF\xBB"));
  reader.reset();
  reader.feed(
      as_bytes("\xEF\xBB\xBF"
               "data: b\n\n"));
  EXPECT_EQ(log.lines, Lines{"|b"});
}

// Feeds `before`, a gap, `after`; says what gap() answered, and what came of `after`.
struct Gap {
  bool open;
  Lines lines;
};
Gap across_gap(std::string_view before, std::string_view after) {
  Gap result{};
  for (size_t cut = 0; cut <= after.size(); ++cut) {
    Log log;
    SseReader reader(log);
    reader.feed(as_bytes(before));
    const bool open = reader.gap();
    log.take_open();
    log.lines.clear();
    reader.feed(as_bytes(after.substr(0, cut)));
    reader.feed(as_bytes(after.substr(cut)));
    reader.finish();
    EXPECT_EQ(log.take_open(), "");
    if (cut > 0) {
      EXPECT_EQ(open, result.open);
      EXPECT_EQ(log.lines, result.lines) << before << "<gap>" << after << "\ncut at " << cut;
    }
    result = {open, log.lines};
  }
  return result;
}

TEST(SseReader, BehindAGapReadingResumesBehindABlankLine) {
  const std::string rest = "tail\"}\nevent: t\ndata: no\n\nevent: u\ndata: a\n\n";
  for (std::string_view before : {"", "data: x\n\n", "data: x", "data: x\n", "dat", "event: old\n",
                                  "data: x\r", ": c", "error: y", "data:"}) {
    EXPECT_EQ(across_gap(before, rest).lines, Lines{"u|a"}) << before;
  }
  EXPECT_EQ(across_gap("data: x", "\r\n\r\ndata: a\r\n\r\n").lines, Lines{"|a"});
  EXPECT_EQ(across_gap("data: x", "y\r\rdata: a\r\r").lines, Lines{"|a"});
}

TEST(SseReader, TheFirstLineEndBehindAGapIsNoBlankLine) {
  EXPECT_EQ(across_gap("data: x", "\ndata: no\n\ndata: a\n\n").lines, Lines{"|a"});
  EXPECT_EQ(across_gap("data: x\n", "\r\ndata: no\r\n\r\ndata: a\r\n\r\n").lines, Lines{"|a"});
}

TEST(SseReader, NothingIsDeliveredWhereNoBlankLineFollowsAGap) {
  EXPECT_EQ(across_gap("data: x", "tail\ndata: y\nerror: z\n").lines, Lines{});
}

TEST(SseReader, AGapSaysWhetherAnEventWasOpen) {
  for (std::string_view open :
       {"d", "data: x", "data: x\n", "event: t\n", "data: x\n\nid", "id: 1\n", "error: x"}) {
    EXPECT_TRUE(across_gap(open, "").open) << open;
  }
  for (std::string_view closed : {"", "data: x\n\n", "data: x\r\r", ": ping", ": ping\n", "\n"}) {
    EXPECT_FALSE(across_gap(closed, "").open) << closed;
  }
  Log log;
  SseReader reader(log);
  EXPECT_FALSE(reader.gap());
  EXPECT_TRUE(reader.gap()) << "the first gap is not over";
  reader.feed(as_bytes("x\n\n"));
  EXPECT_FALSE(reader.gap());
}

// What the standard says, line by line, of a stream that is held whole.
Lines naive(std::string stream) {
  Lines lines;
  std::string type;
  std::string data;
  const auto dispatch = [&] {
    if (!data.empty()) lines.push_back(type + "|" + data.substr(0, data.size() - 1));
    type.clear();
    data.clear();
  };
  for (size_t at = 0; (at = stream.find("\r\n", at)) != std::string::npos;)
    stream.replace(at, 2, "\n");
  std::replace(stream.begin(), stream.end(), '\r', '\n');
  while (!stream.empty()) {
    const size_t size = stream.find('\n');
    const std::string line = stream.substr(0, size);
    stream.erase(0, size == std::string::npos ? size : size + 1);
    const size_t colon = line.find(':');
    const std::string name = line.substr(0, colon);
    std::string value = colon == std::string::npos ? "" : line.substr(colon + 1);
    if (!value.empty() && value[0] == ' ') value.erase(0, 1);
    if (line.empty()) {
      dispatch();
    } else if (line[0] == '{' && data.empty()) {  // not in the standard: an error without a frame
      lines.push_back("ERROR|" + line);
    } else if (name == "data") {
      data += value + "\n";
    } else if (name == "event") {
      type = value.substr(0, SseReader::kTypeBytes);
    }
  }
  dispatch();
  return lines;
}

TEST(SseReader, AgreesWithTheStandardOnRandomStreams) {
  static constexpr const char* kPieces[] = {
      "data", "data:", "data: ", "event: ", "event", ":", " ",         "\n",
      "\n",   "\n\n",  "\r",     "\r\n",    "id: ",  "x", "{\"a\":1}", "a longer run of text"};
  size_t events = 0;
  for (uint64_t seed = 0; seed < 10000; ++seed) {
    std::mt19937_64 random(seed);
    std::string stream;
    for (uint64_t n = random() % 40; n > 0; --n) stream += kPieces[random() % std::size(kPieces)];
    const Lines expected = naive(stream);
    ASSERT_EQ(read(stream, {}), expected) << stream;
    ASSERT_EQ(read(stream, every_byte(stream.size())), expected) << stream;
    const size_t cut = random() % (stream.size() + 1);
    ASSERT_EQ(read(stream, {cut}), expected) << stream;
    events += expected.size();
  }
  EXPECT_GT(events, 5000U);
}

}  // namespace
}  // namespace wiretally::llm
