// Recognises a JSON document that says again what the one before it said, but for the insides of
// some strings and numbers.
//
// A streamed answer says nearly the same thing hundreds of times: of an event's 250 bytes a few
// letters differ, and those are content, whose being there is all that counts. Comparing costs a
// tenth of reading.
//
//   learned   {"id":"a","delta":{"text":" tok"},"n":7}        the insides of ``text`` and the
//   number repeated  {"id":"a","delta":{"text":" \"x"},"n":12}       may differ: they are spans
//
// What may differ is decided by who learns: strings that are read only for being there, and values
// that nobody reads. A span of a string takes any JSON string that is not empty where the learned
// one was not, without control characters; a span of a number takes digits.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

#include "byte_scan.h"
#include "wiretally/bytes.h"

namespace wiretally::llm {

// The parts of one document that may differ in its repetitions, in order.
class SpanLog {
 public:
  static constexpr size_t kSpansMax = 12;
  enum class Kind : uint8_t {
    kText,         // a string that is not empty
    kVisibleText,  // such a string that the reader of the answer sees
    kData,         // such a string, but what it holds is no text
    kString,       // any string
    kDigits,
  };
  static bool is_text(Kind kind) { return kind == Kind::kText || kind == Kind::kVisibleText; }
  struct Span {
    const uint8_t* begin;  // behind the opening quote
    const uint8_t* end;    // the closing quote
    Kind kind;
    bool decoded = false;  // ASCII without escapes: the bytes are the text
  };

  void clear() { size_ = 0; }
  void add(const Span& span) {
    if (size_ < kSpansMax) spans_[size_] = span;
    ++size_;  // beyond kSpansMax: there were too many
  }
  bool overflowed() const { return size_ > kSpansMax; }
  size_t size() const { return size_; }
  // Of the spans of text; where there are not too many.
  uint64_t text_bytes() const {
    uint64_t bytes = 0;
    for (size_t i = 0; i < size_ && i < kSpansMax; ++i) {
      if (is_text(spans_[i].kind)) bytes += static_cast<uint64_t>(spans_[i].end - spans_[i].begin);
    }
    return bytes;
  }
  const Span& operator[](size_t i) const { return spans_[i]; }

 private:
  std::array<Span, kSpansMax> spans_;
  size_t size_ = 0;
};

class Repetition {
 public:
  static constexpr size_t kBytesMax = 480;  // of a document without its spans
  static constexpr size_t kBytesMin = 9;    // longer than "[DONE]" and the like

  void forget() { parts_ = 0; }

  // `document` is one whole JSON value, and the spans lie in it. Too long a document, or one of too
  // many spans, is not learned.
  void learn(ByteView document, const SpanLog& spans) {
    forget();
    if (spans.overflowed() || document.size() < kBytesMin) return;
    const uint8_t* from = document.data();
    const uint8_t* const end = from + document.size();
    size_t kept = 0;
    for (size_t i = 0; i <= spans.size(); ++i) {
      const uint8_t* const until = i < spans.size() ? spans[i].begin : end;
      const auto size = static_cast<size_t>(until - from);
      if (kept + size > kBytesMax) return;
      std::memcpy(fixed_.data() + kept, from, size);
      kept += size;
      ends_[i] = static_cast<uint16_t>(kept);
      if (i == spans.size()) break;
      kinds_[i] = spans[i].kind;
      from = spans[i].end;
    }
    parts_ = static_cast<uint8_t>(spans.size() + 1);
  }

  // How many bytes a repetition of the learned document takes at the beginning of `bytes`; 0 if
  // there is none. Its spans of kVisibleText are added to `visible`; `text_bytes`: of these bytes,
  // those in spans of text.
  size_t match(ByteView bytes, SpanLog* visible = nullptr, uint64_t* text_bytes = nullptr) const {
    const uint8_t* p = bytes.data();
    const uint8_t* const end = p + bytes.size();
    const uint8_t* fixed = fixed_.data();
    uint64_t text = 0;
    for (size_t i = 0; i < parts_; ++i) {
      const uint8_t* const fixed_end = fixed_.data() + ends_[i];
      const auto size = static_cast<size_t>(fixed_end - fixed);
      if (static_cast<size_t>(end - p) < size || std::memcmp(p, fixed, size) != 0) return 0;
      p += size;
      fixed = fixed_end;
      if (i + 1u == parts_) {
        if (text_bytes != nullptr) *text_bytes = text;
        return static_cast<size_t>(p - bytes.data());
      }
      const uint8_t* const begin = p;
      bool decoded = true;
      p = pass(p, end, kinds_[i], decoded);
      if (p == nullptr) return 0;
      if (SpanLog::is_text(kinds_[i])) text += static_cast<uint64_t>(p - begin);
      if (visible != nullptr && kinds_[i] == SpanLog::Kind::kVisibleText) {
        visible->add({begin, p, kinds_[i], decoded});
      }
    }
    return 0;
  }

 private:
  // Where the span ends, or nullptr if nothing of its kind is here. `decoded`: see Span.
  static const uint8_t* pass(const uint8_t* p, const uint8_t* end, SpanLog::Kind kind,
                             bool& decoded) {
    const uint8_t* const begin = p;
    if (kind == SpanLog::Kind::kDigits) {
      while (p != end && *p >= '0' && *p <= '9') ++p;
      return p != begin ? p : nullptr;
    }
    p = find<NotPlainText>(p, end);
    // Control characters may end what the document stands in, such as a line: not here.
    for (; p != end; p = find<QuoteBackslashOrControl>(p, end)) {
      if (*p == '"') return kind != SpanLog::Kind::kString && p == begin ? nullptr : p;
      decoded = false;
      if (*p >= 0x80) continue;
      if (*p != '\\' || end - p < 2 || p[1] < 0x20) return nullptr;
      p += 2;
    }
    return nullptr;
  }

  std::array<uint8_t, kBytesMax> fixed_;
  std::array<uint16_t, SpanLog::kSpansMax + 1> ends_;  // of each fixed part, in fixed_
  std::array<SpanLog::Kind, SpanLog::kSpansMax> kinds_;
  uint8_t parts_ = 0;  // fixed parts, spans between them; 0 = nothing is known
};

}  // namespace wiretally::llm
