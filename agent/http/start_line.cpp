#include "start_line.h"

#include <llhttp.h>

#include <algorithm>

namespace wiretally::http {
namespace {

constexpr std::string_view kMethods[] = {
#define WIRETALLY_METHOD(number, name, text) #text " ",
    HTTP_METHOD_MAP(WIRETALLY_METHOD)
#undef WIRETALLY_METHOD
};
constexpr std::string_view kVersion = "HTTP/1.";
constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0";

// Of two texts, one is the beginning of the other.
bool agree(std::string_view a, std::string_view b) {
  const size_t common = std::min(a.size(), b.size());
  return a.substr(0, common) == b.substr(0, common);
}

// RFC 9113 section 3.4: length (a multiple of six, and no server has more than 42 settings), type
// 4, no flags, stream 0.
StartKind classify_settings(ByteView first) {
  constexpr size_t kHeaderBytes = 9;
  constexpr size_t kLengthAt = 2;
  constexpr uint8_t kExpected[kHeaderBytes] = {0, 0, 0, 4, 0, 0, 0, 0, 0};
  const size_t known = std::min(first.size(), kHeaderBytes);
  for (size_t i = 0; i < known; ++i) {
    if (i == kLengthAt ? first[i] % 6 != 0 : first[i] != kExpected[i]) return StartKind::kNone;
  }
  return known < kHeaderBytes ? StartKind::kUndecided : StartKind::kHttp2;
}

}  // namespace

StartKind classify_start(ByteView first) {
  const std::string_view text = as_text(first);
  if (text.empty()) return StartKind::kUndecided;
  if (text[0] == '\0') return classify_settings(first);
  if (text[0] < 'A' || text[0] > 'Z') return StartKind::kNone;
  if (agree(text, kVersion)) {
    return text.size() >= kVersion.size() ? StartKind::kResponse : StartKind::kUndecided;
  }
  bool undecided = false;
  for (const std::string_view method : kMethods) {
    if (!agree(text, method)) continue;
    if (text.size() >= method.size()) return StartKind::kRequest;
    undecided = true;
  }
  if (agree(text, kHttp2Preface)) {
    if (text.size() >= kHttp2Preface.size()) return StartKind::kHttp2;
    undecided = true;
  }
  return undecided ? StartKind::kUndecided : StartKind::kNone;
}

}  // namespace wiretally::http
