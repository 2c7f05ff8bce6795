#include "json/json_scanner.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "json/number.h"

namespace wiretally::llm {
namespace {

using Verdict = JsonScanner::Verdict;

// One line an event: "<path> <what>".
class Log : public JsonEvents {
 public:
  void on_json(PathId path, const JsonEvent& event) override {
    std::string line = std::to_string(path) + "@" + std::to_string(event.index) + " ";
    switch (event.kind) {
      case JsonEvent::Kind::kObjectBegin:
        line += "{";
        break;
      case JsonEvent::Kind::kObjectEnd:
        line += "}";
        break;
      case JsonEvent::Kind::kArrayBegin:
        line += "[";
        break;
      case JsonEvent::Kind::kArrayEnd:
        line += "]";
        break;
      case JsonEvent::Kind::kString:
        line += '"' + std::string(event.text) + '"';
        EXPECT_EQ(event.text_cut, event.text_bytes > event.text.size());
        if (event.text_cut) line += "/" + std::to_string(event.text_bytes);
        break;
      case JsonEvent::Kind::kNumber:
        line += event.integer ? std::to_string(*event.integer) : "number";
        break;
      case JsonEvent::Kind::kBool:
        line += event.boolean ? "true" : "false";
        break;
      case JsonEvent::Kind::kNull:
        line += "null";
        break;
    }
    lines.push_back(line);
  }

  std::vector<std::string> lines;
};

struct Outcome {
  std::vector<std::string> lines;
  Verdict verdict;
  size_t unread;
  bool operator==(const Outcome&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Outcome& outcome) {
  for (const std::string& line : outcome.lines) out << line << "\n";
  return out << "verdict " << static_cast<int>(outcome.verdict) << ", unread " << outcome.unread;
}

// Feeds `document` cut at `cuts` (ascending). The unread bytes are those of all feeds together.
Outcome scan(const PathSet& paths, std::string_view document, const std::vector<size_t>& cuts) {
  Log log;
  JsonScanner scanner(paths, log);
  size_t unread = 0;
  size_t begin = 0;
  for (size_t i = 0; i <= cuts.size(); ++i) {
    const size_t end = i < cuts.size() ? cuts[i] : document.size();
    // A copy of its own for each piece, so that a sanitizer sees a read beyond it.
    const std::vector<uint8_t> piece(document.begin() + static_cast<ptrdiff_t>(begin),
                                     document.begin() + static_cast<ptrdiff_t>(end));
    scanner.feed(piece);
    unread += scanner.unread();
    begin = end;
  }
  const Verdict verdict = scanner.finish();
  return {log.lines, verdict, unread};
}

std::vector<size_t> every_byte(size_t size) {
  std::vector<size_t> cuts;
  for (size_t i = 1; i < size; ++i) cuts.push_back(i);
  return cuts;
}

// Scans whole, byte by byte, and at every single cut; all must agree.
Outcome scan_all_ways(const PathSet& paths, std::string_view document) {
  const Outcome whole = scan(paths, document, {});
  EXPECT_EQ(scan(paths, document, every_byte(document.size())), whole) << document;
  for (size_t cut = 0; cut <= document.size(); ++cut) {
    EXPECT_EQ(scan(paths, document, {cut}), whole) << document << "\ncut at " << cut;
  }
  return whole;
}

std::vector<std::string> lines_of(const PathSet& paths, std::string_view document) {
  const Outcome outcome = scan_all_ways(paths, document);
  EXPECT_EQ(outcome.verdict, Verdict::kComplete) << document;
  return outcome.lines;
}

using Lines = std::vector<std::string>;

TEST(JsonScanner, ReportsValuesAtTheirPathsAndNoOthers) {
  const PathSet paths{"model", "usage.total_tokens", "choices[].finish_reason"};
  EXPECT_EQ(lines_of(paths, R"({"id":"a","usage":{"x":{"total_tokens":1},"total_tokens": 12 },
      "choices":[{"finish_reason":null,"model":"no"},{"finish_reason":"stop"}],
      "total_tokens":5, "model":"gpt"})"),
            (Lines{"1@0 12", "2@0 null", "2@1 \"stop\"", "0@0 \"gpt\""}));
}

TEST(JsonScanner, QuotedTextIsNotStructure) {
  const PathSet paths{"usage.total"};
  EXPECT_EQ(lines_of(paths, R"({"a":"\"usage\":{\"total\":1}","b":"}{][\\","usage":{"total":2}})"),
            (Lines{"0@0 2"}));
}

TEST(JsonScanner, ContainersReportTheirBeginAndEnd) {
  const PathSet paths{"", "o", "a", "a[]", "a[].n", "leaf"};
  EXPECT_EQ(lines_of(paths, R"({"o":{"x":[1,"]"]},"a":[{"n":1},{"n":2}],"leaf":[[],{}]})"),
            (Lines{"0@0 {", "1@0 {", "1@0 }", "2@0 [", "3@0 {", "4@0 1", "3@0 }", "3@1 {", "4@1 2",
                   "3@1 }", "2@0 ]", "5@0 [", "5@0 ]", "0@0 }"}));
}

TEST(JsonScanner, AValueMayBeOfAnotherKindThanThePathExpects) {
  const PathSet paths{"error", "error.type", "list[]"};
  EXPECT_EQ(lines_of(paths, R"({"error":"text"})"), (Lines{"0@0 \"text\""}));
  EXPECT_EQ(lines_of(paths, R"({"error":{"type":"t"}})"), (Lines{"0@0 {", "1@0 \"t\"", "0@0 }"}));
  EXPECT_EQ(lines_of(paths, R"({"error":[{"type":"t"}],"list":{"[]":1}})"),
            (Lines{"0@0 [", "0@0 ]"}));
}

TEST(JsonScanner, IndexIsThatOfTheInnermostArrayElement) {
  const PathSet paths{"c[].d.t[].n", "c[].d.m", "c[][]"};
  EXPECT_EQ(lines_of(paths, R"({"c":[{},{"d":{"t":[{"n":0},{"n":1}],"m":2}},[7,8]]})"),
            (Lines{"0@0 0", "0@1 1", "1@1 2", "2@0 7", "2@1 8"}));
}

TEST(JsonScanner, TheDocumentItselfAndItsElementsMayMatch) {
  EXPECT_EQ(lines_of(PathSet{""}, " 42 "), (Lines{"0@0 42"}));
  EXPECT_EQ(lines_of(PathSet{""}, "42"), (Lines{"0@0 42"}));
  EXPECT_EQ(lines_of(PathSet{""}, "\"x\""), (Lines{"0@0 \"x\""}));
  EXPECT_EQ(lines_of(PathSet{"[].u.n"}, R"([{"u":{"n":1}},{"u":{"n":2}}])"),
            (Lines{"0@0 1", "0@1 2"}));
}

TEST(JsonScanner, DuplicateMembersAreReportedEach) {
  EXPECT_EQ(lines_of(PathSet{"a.b"}, R"({"a":{"b":1,"b":2},"a":{"b":3}})"),
            (Lines{"0@0 1", "0@0 2", "0@0 3"}));
}

TEST(JsonScanner, ADuplicatePatternKeepsItsFirstId) {
  EXPECT_EQ(lines_of(PathSet{"x", "x"}, R"({"x":1})"), (Lines{"0@0 1"}));
}

TEST(JsonScanner, EscapesInNamesCount) {
  const PathSet paths{"usage.n", "\xF0\x9F\x98\x80", "a/\"b"};
  EXPECT_EQ(lines_of(paths, R"({"us\u0061ge":{"\u006E":1},"usage\u0000":{"n":2}})"),
            (Lines{"0@0 1"}));
  EXPECT_EQ(lines_of(paths, R"({"\ud83d\uDE00":1,"\ud83d":2,"a\/\"b":3})"),
            (Lines{"1@0 1", "2@0 3"}));
  EXPECT_EQ(lines_of(paths, "{\"\xF0\x9F\x98\x80\":1}"), (Lines{"1@0 1"}));
}

TEST(JsonScanner, ALongNameIsNotAPrefixMatch) {
  const std::string name(JsonEvent::kTextBytes, 'x');
  const PathSet paths{std::string_view(name).substr(0, 200)};
  EXPECT_EQ(lines_of(paths, "{\"" + name + "x\":1,\"\\u0078" + name + "\":2,\"\":3}"), Lines{});
}

TEST(JsonScanner, EscapesInTextAreDecoded) {
  const PathSet paths{"t"};
  EXPECT_EQ(lines_of(paths, R"({"t":"\"\\\/\b\f\n\r\t\u0041\u00e9\u20AC\ud83d\ude00"})"),
            (Lines{"0@0 \"\"\\/\b\f\n\r\tA\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\""}));
}

TEST(JsonScanner, WhatCannotBeDecodedBecomesTheReplacementCharacter) {
  const PathSet paths{"t"};
  const std::string r = "\xEF\xBF\xBD";
  const auto text = [&](std::string_view content) {
    const Lines lines = lines_of(paths, "{\"t\":\"" + std::string(content) + "\",\"u\":1}");
    EXPECT_EQ(lines.size(), 1U);
    const std::string line = lines.empty() ? "" : lines[0];
    return line.size() < 6 ? line : line.substr(5, line.size() - 6);
  };
  // Lone surrogates.
  EXPECT_EQ(text("\\ud83d"), r);
  EXPECT_EQ(text("\\ud83dx"), r + "x");
  EXPECT_EQ(text("\\ude00x"), r + "x");
  EXPECT_EQ(text("\\ud83d\\ud83d\\ude00"), r + "\xF0\x9F\x98\x80");
  EXPECT_EQ(text("\\ud83d\\u0041"), r + "A");
  EXPECT_EQ(text("\\ud83d\\n"), r + "\n");
  EXPECT_EQ(text("\\ud83d\xC3\xA9"), r + "\xC3\xA9");
  // Escapes that there are not; the string still ends where a reader of quotes would end it.
  EXPECT_EQ(text("\\x41"), r + "41");
  EXPECT_EQ(text("\\u12"), r);
  EXPECT_EQ(text("\\u12zz"), r + "zz");
  EXPECT_EQ(text("\\u12\\n"), r + "\n");
  EXPECT_EQ(text("\\ud83d\\u1"), r + r);
  // Invalid UTF-8, one for each maximal subpart (Unicode 15, table 3-8 and others).
  EXPECT_EQ(text("\x80"), r);
  EXPECT_EQ(text("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"), r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(text("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"), r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(text("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"), r + r + r + r + r + "A" + r + r + "B");
  EXPECT_EQ(text("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), r + r + r + r + "A");
  EXPECT_EQ(text("\xE2\x82"), r);
  EXPECT_EQ(text("\xF0\x9F\x98\\n"), r + "\n");
}

TEST(JsonScanner, RawControlCharactersDoNotStopIt) {
  const std::string document("{\"t\":\"a\x01\n\x00z\",\x02\"n\":1}", 20);
  EXPECT_EQ(lines_of(PathSet{"t", "n"}, document),
            (Lines{"0@0 \"a\x01\n" + std::string(1, '\0') + "z\"", "1@0 1"}));
}

TEST(JsonScanner, TextIsCutAtACharacterBorder) {
  const PathSet paths{"t"};
  const std::string a255(255, 'a');
  EXPECT_EQ(lines_of(paths, "{\"t\":\"" + a255 + "b\"}"), (Lines{"0@0 \"" + a255 + "b\""}));
  EXPECT_EQ(lines_of(paths, "{\"t\":\"" + a255 + "bc\"}"), (Lines{"0@0 \"" + a255 + "b\"/257"}));
  // The character does not fit; nothing behind it is kept, though it would.
  EXPECT_EQ(lines_of(paths, "{\"t\":\"" + a255 + "\xC3\xA9z\"}"),
            (Lines{"0@0 \"" + a255 + "\"/258"}));
  EXPECT_EQ(lines_of(paths, "{\"t\":\"" + a255 + "\\ud83d\\ude00z\"}"),
            (Lines{"0@0 \"" + a255 + "\"/260"}));
  EXPECT_EQ(lines_of(paths, "{\"t\":\"\\u0041" + a255 + "\"}"), (Lines{"0@0 \"A" + a255 + "\""}));
}

TEST(JsonScanner, NumbersAreCountsHoweverTheyAreWritten) {
  const PathSet paths{"n"};
  const auto number = [&](std::string_view token) {
    const Lines lines = lines_of(paths, "{\"n\":" + std::string(token) + "}");
    return lines.size() == 1 ? lines[0].substr(4) : "?";
  };
  for (std::string_view twelve : {"12", "12.0", "1.2e1", "1.2E+1", "120e-1", "0.12e2", "12.000e0",
                                  "12e00", "1200000000000000000000e-20"}) {
    EXPECT_EQ(number(twelve), "12") << twelve;
  }
  for (std::string_view zero : {"0", "0.0", "-0", "-0.0", "0e5", "0e999999999999999999999"}) {
    EXPECT_EQ(number(zero), "0") << zero;
  }
  EXPECT_EQ(number("9007199254740992"), "9007199254740992");
  EXPECT_EQ(number("9.007199254740992e15"), "9007199254740992");
  EXPECT_EQ(number("1e15"), "1000000000000000");
  for (std::string_view unknown : {"-1",
                                   "-12.0",
                                   "1.5",
                                   "12e-1",
                                   "9007199254740993",
                                   "1e16",
                                   "1e400",
                                   "1e-400",
                                   "1e99999999999999999999",
                                   "18446744073709551616",
                                   "NaN",
                                   "Infinity",
                                   "-Infinity",
                                   "007",
                                   ".5",
                                   "5.",
                                   "+5",
                                   "1e",
                                   "1e+",
                                   "1-2",
                                   "12abc",
                                   "-",
                                   "0x10",
                                   "1.2.3"}) {
    EXPECT_EQ(number(unknown), "number") << unknown;
  }
  EXPECT_EQ(number("12." + std::string(61, '0')), "12");
  EXPECT_EQ(number("12." + std::string(62, '0')), "number");
  EXPECT_EQ(number(std::string(5000, '1')), "number");
}

TEST(JsonScanner, BareWords) {
  EXPECT_EQ(lines_of(PathSet{"a", "b", "c"}, R"({"a":true,"b":false,"c":null})"),
            (Lines{"0@0 true", "1@0 false", "2@0 null"}));
}

TEST(JsonScanner, WhatStandsBeforeTheDocumentIsSkipped) {
  const std::string document = "\xEF\xBB\xBF" + std::string(300, ' ') + "\r\n\t{\"n\":1}";
  EXPECT_EQ(lines_of(PathSet{"n"}, document), Lines{"0@0 1"});
  EXPECT_EQ(scan_all_ways(PathSet{"n"}, "\xEF\xBB{\"n\":1}").verdict, Verdict::kBad);
}

TEST(JsonScanner, StopsBehindTheDocument) {
  const PathSet paths{"n"};
  const Outcome outcome = scan_all_ways(paths, R"({"n":1}{"n":2})");
  EXPECT_EQ(outcome.lines, Lines{"0@0 1"});
  EXPECT_EQ(outcome.verdict, Verdict::kComplete);
  EXPECT_EQ(outcome.unread, 7U);
  EXPECT_EQ(scan_all_ways(paths, "12 \n{}").unread, 4U);
}

TEST(JsonScanner, ReadsOneDocumentAfterAnother) {
  const PathSet paths{"n"};
  Log log;
  JsonScanner scanner(paths, log);
  std::string_view rest = "{\"n\":1}\n{\"n\":[2,{\n{\"n\":3}";
  EXPECT_EQ(scanner.feed(as_bytes(rest)), Verdict::kComplete);
  rest.remove_prefix(rest.size() - scanner.unread());
  scanner.reset();
  EXPECT_EQ(scanner.verdict(), Verdict::kMore);
  EXPECT_EQ(scanner.feed(as_bytes(rest.substr(0, 11))), Verdict::kMore);
  EXPECT_EQ(scanner.depth(), 3U);
  scanner.reset();
  EXPECT_EQ(scanner.depth(), 0U);
  EXPECT_EQ(scanner.feed(as_bytes(rest.substr(11))), Verdict::kComplete);
  EXPECT_EQ(scanner.depth(), 0U);
  EXPECT_EQ(log.lines, (Lines{"0@0 1", "0@0 [", "0@0 3"}));
}

// A scanner and its parts are used again and again: nothing of a document may colour the next.
TEST(JsonScanner, ResetForgetsEverything) {
  const PathSet paths{"t", "n"};
  const std::string mark = "\xEF\xBB\xBF";
  for (std::string_view before :
       {"\xEF\xBB", "\xEF\xBB\xBF{\"t\":1}", "{\"x\":[", "{\"x\":\"\\", "{\"t\":\"\\ud83d",
        "{\"t\":\"\\u00", "{\"t\":\"\\n\xE2\x82", "{\"t\":12", "{\"t", "[", "oops"}) {
    Log log;
    JsonScanner scanner(paths, log);
    scanner.feed(as_bytes(before));
    scanner.reset();
    log.lines.clear();
    EXPECT_EQ(scanner.feed(as_bytes(mark + R"({"x":"","t":"\ude00z\u00e9","n":3})")),
              Verdict::kComplete)
        << before;
    EXPECT_EQ(log.lines, (Lines{"0@0 \"\xEF\xBF\xBDz\xC3\xA9\"", "1@0 3"})) << before;
    scanner.reset();
    scanner.feed(as_bytes(before));
    scanner.reset();
    EXPECT_EQ(scanner.feed(as_bytes("]")), Verdict::kBad) << before;
  }
}

TEST(JsonScanner, TextBehindACutTextIsWhole) {
  const std::string a255(255, 'a');
  EXPECT_EQ(lines_of(PathSet{"t[]"}, "{\"t\":[\"" + a255 + "\\u00e9z\",\"\\u0041b\"]}"),
            (Lines{"0@0 \"" + a255 + "\"/258", "0@1 \"Ab\""}));
}

TEST(JsonScanner, NamesAreComparedWhole) {
  EXPECT_EQ(lines_of(PathSet{"model", "mode"}, R"({"modes":1,"mode":2,"model":3,"mod":4,"Model":5,
      "input":6})"),
            (Lines{"1@0 2", "0@0 3"}));
}

TEST(JsonScanner, WhatIsNotJsonIsBad) {
  const PathSet paths{"a.b", "a[]", "z"};
  for (std::string_view document : {"",
                                    "  ",
                                    "<html>",
                                    "upstream error",
                                    "hello",
                                    "]",
                                    "}",
                                    ",",
                                    ":",
                                    "{",
                                    "[",
                                    "\"a",
                                    "{]",
                                    "[}",
                                    R"({"a")",
                                    R"({"a":)",
                                    R"({"a":1)",
                                    R"({"a":1,})",
                                    R"({"a":[1,]})",
                                    R"({"a" 1})",
                                    R"({"a":1 "b":2})",
                                    R"({"a":[1 2]})",
                                    R"({a:1})",
                                    R"({"a":undefined})",
                                    R"({"a":tru})",
                                    R"({"a":{"b":1]})",
                                    R"({"a":[1}})",
                                    R"({"x":[}})",
                                    R"({"x":{"y":[{]}]}})",
                                    R"({"a":,})",
                                    R"({,"a":1})",
                                    R"({"a":{"b"}})",
                                    R"({"a":'x'})",
                                    "{\"a\":\xFF}",
                                    "tru",
                                    "data: {}"}) {
    EXPECT_EQ(scan_all_ways(paths, document).verdict, Verdict::kBad) << document;
  }
}

TEST(JsonScanner, OnceBadNothingMoreIsReported) {
  const PathSet paths{"n"};
  Log log;
  JsonScanner scanner(paths, log);
  EXPECT_EQ(scanner.feed(as_bytes("{\"n\":1,,")), Verdict::kBad);
  EXPECT_EQ(scanner.feed(as_bytes("\"n\":2}")), Verdict::kBad);
  EXPECT_EQ(scanner.unread(), 6U);
  EXPECT_EQ(scanner.finish(), Verdict::kBad);
  EXPECT_EQ(log.lines, Lines{"0@0 1"});
  scanner.reset();
  EXPECT_EQ(scanner.feed(as_bytes("{\"n\":3}")), Verdict::kComplete);
  EXPECT_EQ(log.lines.back(), "0@0 3");
}

TEST(JsonScanner, DeepValuesAreSkippedAndTheirBracketsCounted) {
  const PathSet paths{"n", "d"};
  for (size_t depth : {10U, 255U, 256U, 257U, 1000U}) {
    std::string open;
    std::string close;
    for (size_t i = 0; i < depth; ++i) {
      open += i % 3 == 0 ? "{\"x\":" : "[";
      close.insert(close.begin(), i % 3 == 0 ? '}' : ']');
    }
    const std::string document = "{\"x\":" + open + "1" + close + ",\"n\":7}";
    Log log;
    JsonScanner scanner(paths, log);
    EXPECT_EQ(scanner.feed(as_bytes(document)), Verdict::kComplete) << depth;
    EXPECT_EQ(log.lines, Lines{"0@0 7"}) << depth;

    scanner.reset();
    EXPECT_EQ(scanner.feed(as_bytes("{\"d\":" + open)), Verdict::kMore);
    EXPECT_EQ(scanner.depth(), depth + 1);
  }
}

TEST(JsonScanner, BracketsOfTheWrongKindAreFoundDownToTheDepthLimit) {
  const PathSet paths{"n"};
  const auto verdict = [&](size_t depth) {
    Log log;
    JsonScanner scanner(paths, log);
    return scanner.feed(as_bytes(std::string(depth, '[') + "}"));
  };
  EXPECT_EQ(verdict(JsonScanner::kDepthMax), Verdict::kBad);
  EXPECT_EQ(verdict(JsonScanner::kDepthMax + 1), Verdict::kMore);
}

TEST(JsonScanner, PatternsReachToTheirDeepestLevel) {
  std::string pattern = "a";
  std::string document = "{\"a\":[[1]]}";
  for (uint32_t i = 1; i < JsonScanner::kLevelsMax; ++i) {
    pattern += ".a";
    document = "{\"a\":" + document + "}";
  }
  EXPECT_EQ(lines_of(PathSet{pattern}, document), (Lines{"0@0 [", "0@0 ]"}));
}

// The bytes of a JSON text drawn at random, and the events a naive reader expects for it.
class RandomDocument {
 public:
  explicit RandomDocument(uint64_t seed) : random_(seed) { value("", 0, 0); }

  std::string text;
  Lines lines;

  static inline const std::vector<std::string> kPatterns = {
      "", "a", "a.b", "a[]", "a[].b", "b", "b[][]", "b.c.a", "c", "[]", "[].a", "[].a[].b", "b.c"};

 private:
  uint64_t draw(uint64_t n) { return random_() % n; }

  int id_of(const std::string& path) const {
    for (size_t i = 0; i < kPatterns.size(); ++i) {
      if (kPatterns[i] == path) return static_cast<int>(i);
    }
    return -1;
  }

  void expect(int id, uint64_t index, const std::string& what) {
    if (id >= 0) lines.push_back(std::to_string(id) + "@" + std::to_string(index) + " " + what);
  }

  void space() {
    static constexpr std::string_view kSpaces = " \n\r\t";
    while (draw(4) == 0) text += kSpaces[draw(4)];
  }

  // Content of a string as it stands in the document; returns what it decodes to.
  std::string string_content(std::string plain) {
    struct Piece {
      const char* raw;
      const char* decoded;
    };
    static constexpr Piece kPieces[] = {{"x", "x"},
                                        {"\\n", "\n"},
                                        {"\\\"", "\""},
                                        {"\\\\", "\\"},
                                        {"]}", "]}"},
                                        {"\xE4\xBD\xA0", "\xE4\xBD\xA0"},
                                        {"\\u00e9", "\xC3\xA9"},
                                        {"\\ud83d\\ude00", "\xF0\x9F\x98\x80"},
                                        {"\xFF", "\xEF\xBF\xBD"},
                                        {"some more text of a run", "some more text of a run"}};
    std::string decoded;
    for (char c : plain) {
      decoded += c;
      if (draw(8) == 0) {
        char escape[8];
        std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
        text += escape;
      } else {
        text += c;
      }
    }
    if (!plain.empty()) return decoded;
    for (uint64_t n = draw(24); n > 0; --n) {
      const Piece& piece = kPieces[draw(std::size(kPieces))];
      text += piece.raw;
      decoded += piece.decoded;
    }
    return decoded;
  }

  void string(int id, uint64_t index) {
    text += '"';
    const std::string decoded = string_content("");
    text += '"';
    size_t kept = std::min(decoded.size(), JsonEvent::kTextBytes);
    while (kept < decoded.size() && (static_cast<uint8_t>(decoded[kept]) & 0xC0) == 0x80) --kept;
    std::string line = "\"" + decoded.substr(0, kept) + "\"";
    if (kept < decoded.size()) line += "/" + std::to_string(decoded.size());
    expect(id, index, line);
  }

  void scalar(int id, uint64_t index) {
    switch (draw(5)) {
      case 0: {
        const uint64_t n = draw(100000);
        text += std::to_string(n) + (draw(2) == 0 ? "" : ".0");
        return expect(id, index, std::to_string(n));
      }
      case 1:
        text += "-1.5";
        return expect(id, index, "number");
      case 2:
        text += "true";
        return expect(id, index, "true");
      case 3:
        text += "null";
        return expect(id, index, "null");
      default:
        return string(id, index);
    }
  }

  // `name` is the value's path; "?" where none can match.
  void value(const std::string& path, uint64_t index, int depth) {
    const int id = id_of(path);
    space();
    if (depth > 0 && (depth > 6 || draw(3) == 0)) {
      scalar(id, index);
    } else if (draw(2) == 0) {
      object(path, id, index, depth);
    } else {
      array(path, id, index, depth);
    }
    if (depth > 0) space();
  }

  void object(const std::string& path, int id, uint64_t index, int depth) {
    static constexpr const char* kNames[] = {"a", "b", "c", "ab", ""};
    expect(id, index, "{");
    text += '{';
    for (uint64_t n = draw(5), i = 0; i < n; ++i) {
      if (i > 0) text += ',';
      space();
      const std::string name = kNames[draw(std::size(kNames))];
      text += '"';
      if (!name.empty()) string_content(name);
      text += '"';
      space();
      text += ':';
      value(name.empty() ? "?" : path.empty() ? name : path + "." + name, index, depth + 1);
    }
    space();
    text += '}';
    expect(id, index, "}");
  }

  void array(const std::string& path, int id, uint64_t index, int depth) {
    expect(id, index, "[");
    text += '[';
    for (uint64_t n = draw(5), i = 0; i < n; ++i) {
      if (i > 0) text += ',';
      value(path + "[]", i, depth + 1);
    }
    space();
    text += ']';
    expect(id, index, "]");
  }

  std::mt19937_64 random_;
};

TEST(JsonScanner, AgreesWithANaiveWriterOnRandomDocuments) {
  const PathSet paths{"",      "a", "a.b", "a[]",  "a[].b",    "b",  "b[][]",
                      "b.c.a", "c", "[]",  "[].a", "[].a[].b", "b.c"};
  size_t events = 0;
  std::mt19937_64 random(7);
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    const RandomDocument document(seed);
    const Outcome expected{document.lines, Verdict::kComplete, 0};
    ASSERT_EQ(scan(paths, document.text, {}), expected) << document.text;
    ASSERT_EQ(scan(paths, document.text, every_byte(document.text.size())), expected)
        << document.text;
    for (int i = 0; i < 5; ++i) {
      std::vector<size_t> cuts = {random() % document.text.size(), random() % document.text.size()};
      std::sort(cuts.begin(), cuts.end());
      ASSERT_EQ(scan(paths, document.text, cuts), expected) << document.text;
    }
    events += document.lines.size();
  }
  EXPECT_GT(events, 10000U);
}

// Leaves an array behind its second element.
class Impatient final : public Log {
 public:
  void on_json(PathId path, const JsonEvent& event) override {
    Log::on_json(path, event);
    const bool ended =
        event.kind != JsonEvent::Kind::kArrayBegin && event.kind != JsonEvent::Kind::kObjectBegin;
    if (path == 1 && event.index >= 1 && ended) scanner->skip_rest_of_array();
    if (path == 2) scanner->skip_rest_of_array();  // a member: nothing to skip
  }
  JsonScanner* scanner = nullptr;
};

TEST(JsonScanner, TheRestOfAnArrayMayBeSkipped) {
  const PathSet paths{"list", "list[]", "behind"};
  const std::string_view documents[] = {
      R"({"list":[1,2,3,[4],{"a":"]"},"]\"",5],"behind":6})", R"({"list":[1,2],"behind":6})",
      R"({"list":[1,"2",3],"behind":6})", R"({"list":[1,[2,[3]],4],"behind":6})"};
  const std::vector<std::string> seconds[] = {
      {"1@1 2"}, {"1@1 2"}, {"1@1 \"2\""}, {"1@1 [", "1@1 ]"}};
  for (size_t i = 0; i < std::size(documents); ++i) {
    std::vector<std::string> expected = {"0@0 [", "1@0 1"};
    expected.insert(expected.end(), seconds[i].begin(), seconds[i].end());
    for (const char* line : {"0@0 ]", "2@0 6"}) expected.emplace_back(line);
    for (size_t cut = 1; cut <= documents[i].size(); ++cut) {
      Impatient log;
      JsonScanner scanner(paths, log);
      log.scanner = &scanner;
      for (size_t at = 0; at < documents[i].size(); at += cut) {
        scanner.feed(as_bytes(documents[i].substr(at, cut)));
      }
      EXPECT_EQ(scanner.verdict(), Verdict::kComplete);
      EXPECT_EQ(log.lines, expected) << documents[i] << " by " << cut;
    }
  }
}

}  // namespace
}  // namespace wiretally::llm
