// Server-sent events (WHATWG HTML, section 9.2.6) in constant memory: data is handed on as it
// comes, not gathered.
//
//   line  = *field-char end-of-line          end-of-line = LF / CR / CRLF, split anywhere
//   field = "data" / "event" / "id" / "retry" [":" [SP] value]       comment = ":" …
//
// A byte order mark at the start is skipped. A blank line ends an event; so does the end of the
// input, if the event has data. Several data lines of one event are joined by LF. `event:` may
// stand before or after `data:`, so its value is known for sure only at on_sse_end. Other field
// names are reported once a line (llama.cpp sends `error: {json}`).
#pragma once

#include <cstdint>
#include <string_view>

#include "wiretally/bytes.h"

namespace wiretally::llm {

class SseEvents {
 public:
  virtual ~SseEvents() = default;
  // A part of the event's data; parts of one event follow one another without a call in between.
  virtual void on_sse_data(ByteView part) = 0;
  // The event is complete. `type` is the event field's value ("" if absent), cut at
  // SseReader::kTypeBytes.
  virtual void on_sse_end(std::string_view type) = 0;
  // A part of the value of a line whose field name is `error`; `last` on its end.
  virtual void on_sse_error_field(ByteView part, bool last) = 0;
};

class SseReader {
 public:
  static constexpr size_t kTypeBytes = 64;

  explicit SseReader(SseEvents& events) : events_(events) {}

  void feed(ByteView bytes);
  // The input has ended: a last event without its blank line is delivered.
  void finish();
  // Bytes were lost: what is open is given up (no on_sse_end), and reading resumes behind the next
  // blank line. True if an event was open or may have been.
  bool gap();
  void reset();

 private:
  SseEvents& events_;
  // (state of the implementation)
};

}  // namespace wiretally::llm
