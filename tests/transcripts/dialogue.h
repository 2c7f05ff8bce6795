// Transcripts: HTTP conversations as text, with the records expected of them.
//
//   # What this shows, on the first lines.
//   --- client content-length                 a message; options below
//   POST /v1/chat/completions HTTP/1.1
//   Host: api.openai.com
//
//   {"model":"gpt-5.5","messages":[]}
//   --- wait 250ms                            event time passes
//   --- server chunked gzip=flush
//   HTTP/1.1 200 OK
//   Content-Type: text/event-stream
//
//   data: {"id":"chatcmpl-1", …}
//
//   --- close client                          the client's end closes first (FIN, or SSL_free);
//                                             also: close server, reset client, reset server
//   --- expect                                a record, in order of finish; "--- expect nothing"
//   provider: "openai"                        field: its value as JSON text; only these are
//   compared input_tokens: 12
//
// Behind a WebSocket's handshake:
//
//   --- client text                           a message, joined to one line; options below
//   {"type":"response.create"}
//   --- server text deflate                   compressed, as the handshake's answer agreed
//   {"type":"response.created"}
//
//   {"type":"response.done"}                  behind a blank line: the next message, in the same
//                                             segment
//   --- server ping                           also: pong, binary; the text is the payload
//   --- client close-frame 1000
//
// Options: deflate | last-block (its last block says so) | fragments=N (pieces of N bytes) |
// ping (a ping between the fragments) | lost=A-B, escapes (as above) | bad (one byte of the
// payload is flipped behind compression).
//
// Each message is sent 10 ms after the one before. Without a close the input ends with the
// connection open. Heads get CRLF line ends. A body's lines are joined by LF; the last line end is
// kept only in text/event-stream bodies.
//
// Options: content-length (adds the field) | chunked[=N] (one chunk an event, or pieces of N bytes)
// | gzip, deflate, raw-deflate, br, zstd (adds Content-Encoding; several are applied one upon the
// other; "=flush" behind one of them: a flush an event) | codings (the last option: the dialogue is
// played plain and in every coding, flushed and not, with the same records) | crlf or cr (line ends
// of the body) | lost=A-B (bytes A to B of this message's wire form, B excluded, were never
// captured) | repeat=N (the body's text N times) | escapes (in the whole section \r \n \0 \\ and
// \xHH stand for bytes, and physical line ends count for nothing) |
// unended (chunked, and the last chunk never came) |
// aws-events (each line of the body is a message of an AWS event stream: "kind json"; kind `chunk`
// packs the json as base64, `!kind` is an exception, `~kind` has a wrong checksum) | grpc[=N] (each
// line of the body is a message of gRPC as support/proto_text.h writes it, one a DATA frame, or all
// of them in frames of N bytes; a line "gzip: …" is a compressed message, "> name: value" a
// trailer). A dialogue of gRPC is played over HTTP/2 alone; `unended` there: the stream is still
// open.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace wiretally::test {

enum class Party : uint8_t { kClient, kServer };

// A message before it took a wire form.
struct TextMessage {
  std::string head;                 // lines, coding included, framing not
  std::vector<std::string> pieces;  // of the coded body: one an event, where there are events
  // Of gRPC alone:
  std::vector<std::pair<std::string, std::string>> trailers{};
  bool grpc = false;
  bool unended = false;
};

struct Step {
  enum class Kind : uint8_t { kBytes, kClose, kReset };

  Kind kind = Kind::kBytes;
  Party party = Party::kClient;
  int64_t time_ns = 0;
  std::string bytes;                     // as on the wire
  std::optional<TextMessage> message{};  // nothing for what is written as bytes
  // Bytes [first, second) of `bytes` that the capture lacks.
  std::pair<size_t, size_t> lost{0, 0};
};

struct ExpectedRecord {
  int line = 0;
  std::vector<std::pair<std::string, std::string>> fields;
};

struct Dialogue {
  std::string name;
  std::vector<Step> steps;
  std::vector<ExpectedRecord> records;
  bool http2_only = false;
};

// Both throw std::runtime_error with file and line. Where the file says "codings", the first one
// reads it without any, and the second one returns a dialogue a coding.
Dialogue read_dialogue(const std::string& path);
std::vector<Dialogue> read_variants(const std::string& path);

}  // namespace wiretally::test
