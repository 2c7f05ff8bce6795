#include "framing/series_reader.h"

#include <cstring>

namespace wiretally::llm {
namespace {

bool is_space(uint8_t c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

}  // namespace

void SeriesReader::reset() {
  state_ = State::kStart;
  line_ = Line::kOther;
  array_ = false;
}

void SeriesReader::gap() {
  if (state_ == State::kEnd) return;
  state_ = State::kLost;
  line_ = Line::kOther;
}

void SeriesReader::finish() {
  if (state_ == State::kDocument) events_.on_series_end(false);
  const bool array = array_;  // what it was is asked at the end
  reset();
  array_ = array;
}

void SeriesReader::feed(ByteView bytes) {
  const uint8_t* p = bytes.data();
  const uint8_t* const end = p + bytes.size();
  while (p != end) {
    switch (state_) {
      case State::kStart:
        array_ = *p == '[';
        if (array_) ++p;
        state_ = State::kBetween;
        break;
      case State::kBetween:
        p = between(p, end);
        break;
      case State::kDocument:
        p = document(p, end);
        break;
      case State::kLost:
        p = lost(p, end);
        break;
      case State::kEnd:
        p = end;
        break;
    }
  }
}

const uint8_t* SeriesReader::between(const uint8_t* p, const uint8_t* end) {
  while (p != end && (is_space(*p) || (array_ && *p == ','))) ++p;
  if (p == end) return end;
  if (array_ && *p == ']') {
    state_ = State::kEnd;
    return p + 1;
  }
  state_ = State::kDocument;
  events_.on_series_begin();
  return p;
}

const uint8_t* SeriesReader::document(const uint8_t* p, const uint8_t* end) {
  const SeriesEvents::Read read = events_.on_series_part({p, static_cast<size_t>(end - p)});
  switch (read.progress) {
    case SeriesEvents::Progress::kMore:
      return end;
    case SeriesEvents::Progress::kComplete:
      state_ = State::kBetween;
      events_.on_series_end(true);
      return p + read.bytes;
    case SeriesEvents::Progress::kBad:
      break;
  }
  // Its line ends somewhere behind the part's first byte, and nobody knows where it broke.
  state_ = State::kLost;
  line_ = Line::kOther;
  events_.on_series_end(false);
  return p + read.bytes;
}

const uint8_t* SeriesReader::lost(const uint8_t* p, const uint8_t* end) {
  if (array_ && line_ == Line::kBegin && *p == ',') {
    line_ = Line::kComma;
    return p + 1;
  }
  if (line_ == Line::kComma && *p == '\r') return p + 1;
  if (*p == '\n') {
    if (!array_ || line_ == Line::kComma) state_ = State::kBetween;
    line_ = Line::kBegin;
    return p + 1;
  }
  line_ = Line::kOther;
  const void* const found = std::memchr(p, '\n', static_cast<size_t>(end - p));
  return found == nullptr ? end : static_cast<const uint8_t*>(found);
}

}  // namespace wiretally::llm
