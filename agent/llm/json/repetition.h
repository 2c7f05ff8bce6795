// Recognises a JSON document that says again what the one before it said, but for the insides of
// some strings and numbers.
//
// A streamed answer says nearly the same thing hundreds of times: of an event's 250 bytes a few
// letters differ, and those are content, whose being there is all that counts. Comparing costs a
// tenth of reading; most of it is one comparison of what stands before the content, and one behind.
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
  // What differs in nearly every repetition; the others mostly say the same.
  static bool is_content(Kind kind) { return is_text(kind) || kind == Kind::kData; }
  struct Span {
    const uint8_t* begin;  // behind the opening quote
    const uint8_t* end;    // the closing quote
    Kind kind;
    bool decoded;  // ASCII without escapes: the bytes are the text
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
  static constexpr size_t kBytesMax = 640;  // of a document
  static constexpr size_t kBytesMin = 9;    // longer than "[DONE]" and the like

  void forget() { size_ = 0; }

  // `document` is one whole JSON value, and the spans lie in it. Too long a document, or one of too
  // many spans, is not learned.
  void learn(ByteView document, const SpanLog& spans) {
    forget();
    if (spans.overflowed() || document.size() < kBytesMin || document.size() > kBytesMax) return;
    std::memcpy(learned_.data(), document.data(), document.size());
    size_ = static_cast<uint16_t>(document.size());
    spans_size_ = static_cast<uint8_t>(spans.size());
    for (size_t i = 0; i < spans.size(); ++i) {
      spans_[i] = {.begin = static_cast<uint16_t>(spans[i].begin - document.data()),
                   .end = static_cast<uint16_t>(spans[i].end - document.data()),
                   .kind = spans[i].kind};
    }
  }

  // How many bytes a repetition of the learned document takes at the beginning of `bytes`; 0 if
  // there is none. Its spans of kVisibleText are added to `visible`; `text_bytes`: of these bytes,
  // those in spans of text.
  size_t match(ByteView bytes, SpanLog* visible = nullptr, uint64_t* text_bytes = nullptr) const {
    if (size_ == 0) return 0;
    const uint8_t* const end = bytes.data() + bytes.size();
    const uint8_t* p = bytes.data();
    uint64_t text = 0;
    size_t from = 0;
    for (size_t i = 0;; ++i) {
      const size_t first = i;
      while (i < spans_size_ && !SpanLog::is_content(spans_[i].kind)) ++i;
      p = pass_until(p, end, from, first, i);
      if (p == nullptr) return 0;
      if (i == spans_size_) break;
      const uint8_t* const begin = p;
      bool decoded = true;
      p = pass_span(p, end, spans_[i].kind, decoded);
      if (p == nullptr) return 0;
      if (SpanLog::is_text(spans_[i].kind)) text += static_cast<uint64_t>(p - begin);
      if (visible != nullptr && spans_[i].kind == SpanLog::Kind::kVisibleText) {
        visible->add({begin, p, spans_[i].kind, decoded});
      }
      from = spans_[i].end;
    }
    if (text_bytes != nullptr) *text_bytes = text;
    return static_cast<size_t>(p - bytes.data());
  }

 private:
  struct Span {
    uint16_t begin;  // in learned_
    uint16_t end;
    SpanLog::Kind kind;
  };

  // Behind what was learned from `from` until the span `last` begins, or the document ends; nullptr
  // if something else is here. The spans from `first` on lie in it.
  const uint8_t* pass_until(const uint8_t* p, const uint8_t* end, size_t from, size_t first,
                            size_t last) const {
    const size_t until = last < spans_size_ ? spans_[last].begin : size_;
    if (is_here(p, end, from, until)) return p + (until - from);
    for (size_t i = first; i < last; ++i) {
      if (!is_here(p, end, from, spans_[i].begin)) return nullptr;
      bool decoded = true;
      p = pass_span(p + (spans_[i].begin - from), end, spans_[i].kind, decoded);
      if (p == nullptr) return nullptr;
      from = spans_[i].end;
    }
    return is_here(p, end, from, until) ? p + (until - from) : nullptr;
  }

  bool is_here(const uint8_t* p, const uint8_t* end, size_t from, size_t until) const {
    return static_cast<size_t>(end - p) >= until - from &&
           std::memcmp(p, learned_.data() + from, until - from) == 0;
  }

  // Where the span ends, or nullptr if nothing of its kind is here. `decoded`: see SpanLog::Span.
  [[gnu::always_inline]] static const uint8_t* pass_span(const uint8_t* p, const uint8_t* end,
                                                         SpanLog::Kind kind, bool& decoded) {
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

  std::array<uint8_t, kBytesMax> learned_;
  std::array<Span, SpanLog::kSpansMax> spans_;
  uint16_t size_ = 0;  // 0 = nothing is known
  uint8_t spans_size_ = 0;
};

}  // namespace wiretally::llm
