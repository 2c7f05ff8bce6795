// The first byte seeds where the document behind it is cut. However it is cut, the same events come
// out; text is valid UTF-8 and bounded; nothing comes out behind the end or once it is bad.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "json/json_scanner.h"

namespace {

using namespace wiretally;
using namespace wiretally::llm;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

// Bytewise and slow, on purpose unlike the decoder under test: decode, then compare with the
// shortest form.
bool is_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<uint8_t>(text[i]);
    const size_t size = lead < 0x80 ? 1 : lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 : 4;
    if (size == 4 && lead >> 3 != 30) return false;
    if (i + size > text.size()) return false;
    uint32_t code = size == 1 ? lead : lead & (0x7FU >> size);
    for (size_t k = 1; k < size; ++k) {
      const auto next = static_cast<uint8_t>(text[i + k]);
      if (next >> 6 != 2) return false;
      code = code << 6 | (next & 0x3F);
    }
    const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (code < least[size] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return false;
    i += size;
  }
  return true;
}

class Log : public JsonEvents {
 public:
  void on_json(PathId path, const JsonEvent& event) override {
    require(!closed, "no event where none may come");
    require(event.text.size() <= JsonEvent::kTextBytes, "text is bounded");
    require(is_utf8(event.text), "text is valid UTF-8");
    require(event.text_bytes >= event.text.size(), "text is not longer than it says");
    require(event.text_cut == (event.text_bytes > event.text.size()), "text_cut");
    require(!event.integer || *event.integer <= uint64_t{1} << 53, "integers are exact");
    for (uint64_t part :
         {uint64_t{path}, static_cast<uint64_t>(event.kind), event.text_bytes,
          event.integer.value_or(UINT64_MAX), uint64_t{event.boolean}, uint64_t{event.index}}) {
      lines += std::to_string(part) + ' ';
    }
    lines += event.text;
    lines += '\n';
  }

  std::string lines;
  bool closed = false;
};

struct Outcome {
  std::string lines;
  JsonScanner::Verdict verdict;
  uint32_t depth;
  size_t unread;
  bool operator==(const Outcome&) const = default;
};

const PathSet& patterns() {
  static const PathSet paths{"",        "a",     "a.b",   "a[]",
                             "a[].b",   "b[][]", "usage", "[]",
                             "[].a",    "model", "id",    "choices[].delta.content",
                             "usage.n", "b.c",   "error", "error.type"};
  return paths;
}

Outcome scan(ByteView document, uint32_t seed, size_t piece_max) {
  Log log;
  JsonScanner scanner(patterns(), log);
  std::minstd_rand random(seed);
  size_t unread = 0;
  while (!document.empty()) {
    const size_t size = std::min<size_t>(document.size(), random() % piece_max + 1);
    const std::vector<uint8_t> piece(document.begin(),
                                     document.begin() + static_cast<ptrdiff_t>(size));
    const JsonScanner::Verdict verdict = scanner.feed(piece);
    require(scanner.unread() <= size, "no more is unread than was given");
    require(verdict == scanner.verdict(), "feed answers the verdict");
    require(!log.closed || verdict != JsonScanner::Verdict::kMore, "once ended, ended");
    log.closed = verdict != JsonScanner::Verdict::kMore;
    unread += scanner.unread();
    document = document.subspan(size);
  }
  const JsonScanner::Verdict verdict = scanner.finish();
  require(verdict != JsonScanner::Verdict::kMore, "finish decides");
  require(verdict != JsonScanner::Verdict::kComplete || scanner.depth() == 0, "depth is proved");
  return {std::move(log.lines), verdict, scanner.depth(), unread};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const ByteView document(data + 1, size - 1);
  const Outcome bytewise = scan(document, 1, 1);  // byte by byte
  require(scan(document, data[0] + 1U, 8) == bytewise, "small pieces");
  require(scan(document, data[0] + 1U, 100) == bytewise, "large pieces");
  Log log;
  JsonScanner scanner(patterns(), log);
  scanner.feed(document);
  require(scanner.unread() == bytewise.unread, "in one piece: unread");
  require(scanner.finish() == bytewise.verdict, "in one piece: verdict");
  require(log.lines == bytewise.lines, "in one piece: events");
  return 0;
}
