// Is this the beginning of an HTTP message? RFC 9112 section 3 and 4, RFC 9113 section 3.4.
//
//   request   = method SP request-target SP "HTTP/1." DIGIT CRLF
//   response  = "HTTP/1." DIGIT SP status …
//   HTTP/2    = "PRI * HTTP/2.0" … | the server's first frame, a SETTINGS frame on stream 0
//
// The first kStartBytes bytes decide; ports are never asked.
#pragma once

#include <cstddef>

#include "wiretally/bytes.h"

namespace wiretally::http {

enum class StartKind : uint8_t {
  kNone,       // cannot be the beginning of a message
  kUndecided,  // too few bytes
  kRequest,    // a method and a space; the line's end must still say HTTP/1
  kResponse,
  kHttp2,  // the client's connection preface ("P…"), or the server's
};

inline constexpr size_t kStartBytes = 16;

// `first` may hold more than kStartBytes.
StartKind classify_start(ByteView first);

}  // namespace wiretally::http
