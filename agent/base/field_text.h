// Names and values of fields, codings and tokens (RFC 9110 section 5).
#pragma once

#include <strings.h>

#include <string_view>

namespace wiretally {

// Names are compared without case (section 5.1).
inline bool same_but_for_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

// Optional white space (section 5.6.3), and what a line that was folded has besides.
inline constexpr std::string_view kOptionalSpace = " \t";
inline constexpr std::string_view kFoldedSpace = " \t\r\n";

// `text` without the white space around it.
inline std::string_view trimmed(std::string_view text, std::string_view space = kOptionalSpace) {
  const size_t first = text.find_first_not_of(space);
  if (first == text.npos) return text.substr(text.size());
  return text.substr(first, text.find_last_not_of(space) - first + 1);
}

}  // namespace wiretally
