// Server-sent events (WHATWG HTML, section 9.2.6) in constant memory: data is handed on as it
// comes, not gathered.
//
//   line  = *field-char end-of-line          end-of-line = LF / CR / CRLF, split anywhere
//   field = "data" / "event" / "id" / "retry" [":" [SP] value]       comment = ":" …
//
// A byte order mark at the start is skipped. A blank line ends an event; so does the end of the
// input, if the event has data. Several data lines of one event are joined by LF. `event:` may
// stand before or after `data:`, so its value is known for sure only at on_sse_end. Other field
// names are ignored, but for `error` (llama.cpp sends `error: {json}`), which is reported as it
// stands, unless the event has data already; so is a line that begins with '{' (Google sends the
// error itself).
//
//   state       where the reader is
//   mark        at the start of the input: a byte order mark may stand here
//   line        at the start of a line      name      inside a field's name
//   space       behind the colon: one space is dropped
//   data, type, error                       inside the value of that field
//   ignored     inside a comment or another field
//   lost        behind a gap, inside a line of an event that is given up
#pragma once

#include <cstdint>
#include <string_view>

#include "wiretally/bytes.h"

namespace wiretally::llm {

class SseEvents {
 public:
  virtual ~SseEvents() = default;
  // `rest` begins with the value of an event's first data line. The length of that value, if it is
  // whole here, with its line end, and is dealt with by this call: it is not handed on; else 0.
  virtual size_t on_sse_repetition(ByteView /*rest*/) { return 0; }
  // A part of the event's data; parts of one event follow one another without a call in between.
  virtual void on_sse_data(ByteView part) = 0;
  // The event is complete; it had a data line at least, if an empty one. `type` is the event
  // field's value ("" if absent), cut at SseReader::kTypeBytes.
  virtual void on_sse_end(std::string_view type) = 0;
  // A part of the value of a line whose field name is `error`; `last` on its end (the part may then
  // be empty).
  virtual void on_sse_error_field(ByteView part, bool last) = 0;
};

class SseReader {
 public:
  static constexpr size_t kTypeBytes = 64;

  explicit SseReader(SseEvents& events) : events_(events) {}

  // The parts that are handed on are views of `bytes`.
  void feed(ByteView bytes);
  // The input has ended: a last event without its blank line is delivered. Then as after reset().
  void finish();
  // Bytes were lost: what is open is given up (no on_sse_end, no last part), and reading resumes
  // behind the next blank line; the first line end behind the gap may end any line, so it does not
  // count as a blank one. True if an event was open (any line of it but comments has begun) or may
  // have been (an earlier gap is not over).
  bool gap();
  void reset();

 private:
  enum class State : uint8_t {
    kMark,
    kLine,
    kName,
    kSpace,
    kData,
    kType,
    kError,
    kIgnored,
    kLost,
  };
  static constexpr size_t kNameBytes = 5;  // of the longest name that is not ignored

  const uint8_t* mark(const uint8_t* p);
  const uint8_t* line(const uint8_t* p, const uint8_t* end);
  const uint8_t* data_line(const uint8_t* p, const uint8_t* end);
  const uint8_t* name(const uint8_t* p, const uint8_t* end);
  const uint8_t* space(const uint8_t* p);
  const uint8_t* value(const uint8_t* p, const uint8_t* end);
  void name_end();
  void data_begins();
  void value_part(ByteView part, bool last);
  void event_end();

  SseEvents& events_;
  State state_ = State::kMark;
  State value_state_ = State::kIgnored;  // kSpace: what the value belongs to
  bool after_cr_ = false;                // a LF at hand belongs to the line end before it
  bool has_field_ = false;               // the event has a line that is no comment
  bool has_data_ = false;
  bool lost_ = false;  // behind a gap: lines are ignored up to a blank one
  uint8_t mark_bytes_ = 0;
  uint8_t name_size_ = 0;
  uint8_t type_size_ = 0;
  char name_[kNameBytes];
  char type_[kTypeBytes];
};

}  // namespace wiretally::llm
