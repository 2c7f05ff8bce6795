// Names that are compared without case: fields, codings, tokens (RFC 9110 section 5.1).
#pragma once

#include <strings.h>

#include <string_view>

namespace wiretally {

inline bool same_but_for_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace wiretally
