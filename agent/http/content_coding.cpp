#include "content_coding.h"

#include <algorithm>

#include "field_text.h"

namespace wiretally::http {
namespace {

ContentCoding coding_named(std::string_view name) {
  if (same_but_for_case(name, "identity")) return ContentCoding::kIdentity;
  if (same_but_for_case(name, "gzip") || same_but_for_case(name, "x-gzip"))
    return ContentCoding::kGzip;
  if (same_but_for_case(name, "deflate")) return ContentCoding::kDeflate;
  if (same_but_for_case(name, "br")) return ContentCoding::kBrotli;
  if (same_but_for_case(name, "zstd")) return ContentCoding::kZstd;
  return ContentCoding::kUnsupported;
}

// Calls `take(member)` for each member of a list (RFC 9110 section 5.6.1), the last one first.
template <typename Take>
void for_each_from_the_end(std::string_view list, Take take) {
  while (true) {
    const size_t comma = list.rfind(',');
    const std::string_view member =
        trimmed(comma == list.npos ? list : list.substr(comma + 1), kFoldedSpace);
    if (!member.empty()) take(member);
    if (comma == list.npos) return;
    list = list.substr(0, comma);
  }
}

}  // namespace

void ContentCodings::add_innermost(ContentCoding coding) {
  if (coding == ContentCoding::kIdentity) return;
  if (coding == ContentCoding::kUnsupported || size_ == layers_.size()) supported_ = false;
  if (size_ < layers_.size()) layers_[size_++] = coding;
}

ContentCodings content_coding(const Headers& headers) {
  ContentCodings codings;
  // The transfer codings were applied to the coded content, so they come off first. In both lists
  // the last one applied stands last.
  bool outermost = true;
  for (auto field = headers.fields.rbegin(); field != headers.fields.rend(); ++field) {
    if (!same_but_for_case(field->name, "transfer-encoding")) continue;
    for_each_from_the_end(field->value, [&](std::string_view member) {
      const bool chunked = same_but_for_case(member, "chunked");
      // Chunks inside a coding are no framing that anybody reads.
      if (!(chunked && outermost)) {
        codings.add_innermost(chunked ? ContentCoding::kUnsupported : coding_named(member));
      }
      outermost = false;
    });
  }
  for (auto field = headers.fields.rbegin(); field != headers.fields.rend(); ++field) {
    if (!same_but_for_case(field->name, "content-encoding")) continue;
    for_each_from_the_end(field->value, [&](std::string_view member) {
      codings.add_innermost(coding_named(member));
    });
  }
  return codings;
}

}  // namespace wiretally::http
