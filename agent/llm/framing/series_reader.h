// A series of JSON documents in one body, in constant memory: NDJSON (one document a line), or the
// elements of one array that is streamed (Gemini without alt=sse). Where a document ends is told by
// whoever scans it; this reader finds its beginning, and the next one after damage.
//
//   lines  = *( document *white-space )
//   array  = "[" [ document *( "," document ) ] "]"      white space anywhere; read until its "]"
//
//   state      where the reader is                       goes on to
//   start      at the first byte                         between
//   between    before a document                         document, end
//   document   inside one                                between, lost
//   lost       behind damage: up to the next border      between
//   end        behind the array
//
// The border is a line end; of an array it is a line that holds nothing but a comma, as Google
// writes it. (A line end inside an element means nothing, because elements are written over many
// lines.)
#pragma once

#include <cstdint>

#include "wiretally/bytes.h"

namespace wiretally::llm {

class SeriesEvents {
 public:
  enum class Progress : uint8_t { kMore, kComplete, kBad };
  struct Read {
    Progress progress = Progress::kMore;
    size_t bytes = 0;  // of the part that belong to the document
  };

  virtual ~SeriesEvents() = default;
  virtual void on_series_begin() = 0;
  virtual Read on_series_part(ByteView part) = 0;
  // The document is complete, or (`intact` false) broken or cut off by the end of the input.
  virtual void on_series_end(bool intact) = 0;
};

class SeriesReader {
 public:
  explicit SeriesReader(SeriesEvents& events) : events_(events) {}

  void feed(ByteView bytes);
  // The input has ended.
  void finish();
  // Bytes were lost: the open document is given up, without on_series_end.
  void gap();
  void reset();

  // Stays true behind finish(), up to the next reset().
  bool is_array() const { return array_; }

 private:
  enum class State : uint8_t { kStart, kBetween, kDocument, kLost, kEnd };
  enum class Line : uint8_t { kBegin, kComma, kOther };  // what the line behind damage holds

  const uint8_t* between(const uint8_t* p, const uint8_t* end);
  const uint8_t* document(const uint8_t* p, const uint8_t* end);
  const uint8_t* lost(const uint8_t* p, const uint8_t* end);

  SeriesEvents& events_;
  State state_ = State::kStart;
  Line line_ = Line::kOther;
  bool array_ = false;
};

}  // namespace wiretally::llm
