// Which codings a message's fields name: Content-Encoding (RFC 9110 section 8.4) and
// Transfer-Encoding (RFC 9112 section 6.1, chunked apart, which is framing).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "wiretally/http_exchange.h"
#include "wiretally/limits.h"

namespace wiretally::http {

enum class ContentCoding : uint8_t {
  kIdentity,
  kGzip,     // RFC 1952
  kDeflate,  // RFC 1950, or bare RFC 1951
  kBrotli,   // RFC 7932
  kZstd,     // RFC 8878, RFC 9659
  kUnsupported,
};

// The codings of one body, in the order in which they are to be removed.
class ContentCodings {
 public:
  ContentCodings() = default;
  ContentCodings(ContentCoding coding) { add_innermost(coding); }  // NOLINT: a stack of one

  // Nothing, or something that cannot be decoded, is a stack of one as well.
  bool identity() const { return size_ == 0; }
  bool supported() const { return supported_; }
  size_t size() const { return size_; }
  ContentCoding operator[](size_t i) const { return layers_[i]; }

  // Removed after all that are there. kIdentity adds nothing. More than Limits::content_codings_max
  // are not supported.
  void add_innermost(ContentCoding coding);

 private:
  std::array<ContentCoding, Limits::content_codings_max> layers_{};
  uint8_t size_ = 0;
  bool supported_ = true;
};

// What the fields leave to be decoded, framing removed. Several fields of a name are one list.
ContentCodings content_coding(const Headers& headers);

}  // namespace wiretally::http
