// Behind a gap: what is told must be the document's own outermost members, wherever the gap ends
// and whatever the document says.
#include "json/json_tail.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>

namespace wiretally::llm {
namespace {

// The truth about a whole document: behind which bytes its outermost members begin, and where its
// last bracket is.
struct Truth {
  std::set<size_t> begins;  // behind a comma of the outermost object
  size_t close = 0;
  bool object = false;
};

Truth truth_of(std::string_view document) {
  Truth truth;
  truth.object = document[document.find_first_not_of(" \n")] == '{';
  size_t depth = 0;
  for (size_t i = 0; i < document.size(); ++i) {
    const char c = document[i];
    if (c == '"') {
      for (++i; document[i] != '"'; ++i) i += document[i] == '\\' ? 1 : 0;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      if (--depth == 0) truth.close = i;
    } else if (c == ',' && depth == 1) {
      truth.begins.insert(i + 1);
    }
  }
  return truth;
}

std::optional<std::string> members_of(JsonTail& tail) {
  const auto members = tail.finish();
  if (!members.has_value()) return std::nullopt;
  return std::string(as_text(members->first)) + std::string(as_text(members->second));
}

std::optional<std::string> read_behind(std::string_view rest, size_t part_bytes) {
  JsonTail tail;
  tail.gap();
  for (; rest.size() > part_bytes; rest.remove_prefix(part_bytes)) {
    tail.feed(as_bytes(rest.substr(0, part_bytes)));
  }
  tail.feed(as_bytes(rest));
  return members_of(tail);
}

// How often something was told, of all the ends that a gap can have. Fails where it is not true.
size_t told(const std::string& document) {
  const Truth truth = truth_of(document);
  size_t count = 0;
  for (size_t gap_end = 0; gap_end <= document.size(); ++gap_end) {
    const std::string_view rest = std::string_view(document).substr(gap_end);
    const auto whole = read_behind(rest, rest.size() + 1);
    EXPECT_EQ(whole, read_behind(rest, 1)) << document << "\ngap up to " << gap_end;
    EXPECT_EQ(whole, read_behind(rest, 3)) << document << "\ngap up to " << gap_end;
    if (!whole.has_value()) continue;
    ++count;
    const size_t begin = truth.close + 1 - whole->size();
    EXPECT_TRUE(truth.object && begin >= gap_end && truth.begins.count(begin) == 1 &&
                std::string_view(document).substr(begin, whole->size()) == *whole)
        << document << "\ngap up to " << gap_end << " told " << *whole;
  }
  return count;
}

constexpr std::string_view kUsage = R"("usage":{"prompt_tokens":9,"completion_tokens":4})";

TEST(JsonTail, TellsTheMembersBehindTheLastBracketButOne) {
  const std::string rest = R"(xt","refusal":null},"finish_reason":"stop"}],)" +
                           std::string(kUsage) + R"(,"service_tier":"default"} )" + "\n";
  EXPECT_EQ(read_behind(rest, 1000), std::string(kUsage) + R"(,"service_tier":"default"})");
}

// From anywhere behind the first bracket, be it inside an escape, up to the comma before usage.
TEST(JsonTail, AnOrdinaryAnswerIsReadOnFromEverywhere) {
  const std::string before =
      R"({"id":"chatcmpl-1","choices":[{"index":0,"message":{"role":"assistant","content":"two words, \u0041nd \"more\" of {them}: [\\"},"finish_reason":"stop"}],)";
  EXPECT_EQ(told(before + std::string(kUsage) + "}"), before.size() - 1);
}

TEST(JsonTail, WhatLooksLikeUsageElsewhereIsNotTold) {
  const std::string own = std::string(kUsage);
  const std::string quoted =
      R"(\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1})";  // in a text
  const std::string twice =
      R"(\\\"usage\\\":{\\\"prompt_tokens\\\":1})";  // in a text within a text
  const std::string documents[] = {
      R"({"choices":[{"text":"a,)" + quoted + R"(}"}],)" + own + "}",
      R"({"choices":[{"text":"},)" + quoted + R"(}"}],)" + own + "}",
      R"({"choices":[{"text":"{\"a\":[],)" + quoted + R"(}"}],)" + own + "}",
      R"({"choices":[{"text":"{\"a\":\"{)" + twice + R"(}\"}"}],)" + own + "}",
      R"({)" + own + R"(,"text":",)" + quoted + R"(}"})",
      R"({)" + own + R"(,"text":",)" + quoted + R"(}"})" + "\n",
      R"({"text":"\\\\\\",)" + own + R"(,"z":"\\\"},)" + quoted + R"(}\\"})",
      R"({"a":{"b":1,"usage":{"prompt_tokens":1}}})",
      R"({"a":[{"b":1,"usage":{"prompt_tokens":1}}]})",
      R"({"a":1,"arguments":{"x":2,"usage":{"prompt_tokens":1}},"b":[{"usage":{}}]})",
      R"([{"a":1,"usage":{"prompt_tokens":1}}])",
      R"([1,2,{"a":1},{"a":1,"usage":{"prompt_tokens":1}}])",
      R"({"u":"usage","usage":":","x":",\"usage\":{","y":"}]}","z":"}"})",
      R"({"a":"\"","b":",","c":"}","d":"\",\"usage\":1}"})",
      R"({"a":"}","}":"}","},\"b\":{":"}},{\"c\":\"","usage":1})",
      R"( { "a" : [ true , -1.5e+3 , "x" ] , "b" : null } )",
  };
  for (const std::string& document : documents) told(document);
}

// Documents of texts that are made of nothing but structure.
TEST(JsonTail, IsNeverWrongAboutHostileDocuments) {
  std::mt19937 random(7);
  const auto pick = [&](size_t n) { return static_cast<size_t>(random() % n); };
  const std::string_view pieces[] = {"\\\"", "\\\\", "{", "}", "[",       "]",    ",",   ":",
                                     "1",    "null", " ", "u", "\\u0022", "true", "\\n", "usage"};
  const auto text = [&] {
    std::string out = "\"";
    for (size_t n = pick(6); n > 0; --n) out += pieces[pick(std::size(pieces))];
    return out + "\"";
  };
  const auto value = [&](const auto& self, size_t depth) -> std::string {
    const size_t kind = pick(depth > 3 ? 3 : 6);
    if (kind == 0) return pick(2) == 0 ? "12" : "null";
    if (kind <= 2) return text();
    std::string out(1, kind <= 4 ? '{' : '[');
    for (size_t n = pick(4); n > 0; --n) {
      if (kind <= 4) out += text() + ":";
      out += self(self, depth + 1);
      if (n > 1) out += pick(4) == 0 ? " , " : ",";
    }
    return out + (kind <= 4 ? '}' : ']');
  };
  size_t count = 0;
  for (int i = 0; i < 2'000; ++i) {
    count += told("{" + text() + ":" + value(value, 1) + "," + text() + ":" + value(value, 1) +
                  "," + text() + ":" + value(value, 1) + "}");
    if (HasFailure()) return;
  }
  EXPECT_GT(count, 25'000U);
}

TEST(JsonTail, NothingIsToldWithoutTheLastBracket) {
  const std::string rest = R"("}],)" + std::string(kUsage) + "}";
  EXPECT_TRUE(read_behind(rest, 1000).has_value());
  for (size_t size = 0; size < rest.size() - 1; ++size) {
    // What ends with another bracket looks whole; that it is not is for the caller to know.
    const std::string_view part = std::string_view(rest).substr(0, size);
    if (!part.empty() && part.back() == '}') continue;
    EXPECT_EQ(read_behind(part, 1000), std::nullopt) << part;
  }
  EXPECT_EQ(read_behind(rest + ",", 1000), std::nullopt);
  EXPECT_EQ(read_behind(rest + "{}", 1000), std::nullopt);
}

TEST(JsonTail, EachGapBeginsAnew) {
  JsonTail tail;
  tail.gap();
  tail.feed(as_bytes(R"("}],"usage":{"prompt_)"));
  tail.gap();
  tail.feed(as_bytes(R"(_tokens":4}})"));
  EXPECT_EQ(members_of(tail), std::nullopt);
}

TEST(JsonTail, KeepsOnlySoManyBytes) {
  const auto rest = [](size_t size) {
    const std::string name = R"("a":")";
    return R"("}],)" + name + std::string(size - name.size() - 2, 'x') + R"("})";
  };
  EXPECT_TRUE(read_behind(rest(JsonTail::kKeptBytes), 100).has_value());
  EXPECT_FALSE(read_behind(rest(JsonTail::kKeptBytes + 1), 100).has_value());
}

TEST(JsonTail, TooDeepIsUnknown) {
  const auto rest = [](size_t depth) {
    return R"("}],"a":)" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  EXPECT_TRUE(read_behind(rest(64), 100).has_value());
  EXPECT_FALSE(read_behind(rest(65), 100).has_value());
}

TEST(JsonTails, AreBoundedAndUsedAgain) {
  JsonTails tails(1);
  auto tail = tails.take();
  const JsonTail* const first = tail.get();
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(tails.take(), nullptr);
  tails.give_back(std::move(tail));
  EXPECT_EQ(tails.take().get(), first);
}

}  // namespace
}  // namespace wiretally::llm
