#include "head_scanner.h"

#include <gtest/gtest.h>

namespace wiretally::http {
namespace {

using State = HeadScanner::State;

State scan(std::string_view head, size_t* used = nullptr) {
  HeadScanner whole;
  whole.reset(true);
  const size_t taken = whole.feed(as_bytes(head));
  if (used != nullptr) *used = taken;
  for (size_t cut = 1; cut < head.size(); ++cut) {
    HeadScanner split;
    split.reset(true);
    const size_t first = split.feed(as_bytes(head.substr(0, cut)));
    if (split.state() == State::kOpen) split.feed(as_bytes(head.substr(first)));
    EXPECT_EQ(split.state(), whole.state()) << "cut at " << cut;
  }
  return whole.state();
}

TEST(HeadScanner, StopsBehindTheBlankLine) {
  size_t used = 0;
  EXPECT_EQ(scan("GET / HTTP/1.1\r\nA: b\r\n\r\nbody", &used), State::kComplete);
  EXPECT_EQ(used, 24u);
  EXPECT_EQ(scan("GET / HTTP/1.1\r\n\r\n"), State::kComplete);
  EXPECT_EQ(scan("GET / HTTP/1.1\r\nA: b\r\n\r"), State::kOpen);
}

TEST(HeadScanner, RejectsOtherLineEndsAndOtherProtocols) {
  EXPECT_EQ(scan("GET / HTTP/1.1\nA: b\r\n\r\n"), State::kBadLineEnd);
  EXPECT_EQ(scan("GET / HTTP/1.1\r\nA: b\n\r\n"), State::kBadLineEnd);
  EXPECT_EQ(scan("GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n"), State::kBadLineEnd);
  EXPECT_EQ(scan("GET / HTTP/1.1\r\nA: b\r\r\n\r\n"), State::kBadLineEnd);
  EXPECT_EQ(scan("GET key\r\n"), State::kBadStartLine);
  EXPECT_EQ(scan("OPTIONS sip:x SIP/2.0\r\n"), State::kBadStartLine);
}

}  // namespace
}  // namespace wiretally::http
