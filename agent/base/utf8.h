// Characters of UTF-8 (RFC 3629 section 4).
#pragma once

#include <cstddef>
#include <string_view>

namespace wiretally {

// The length of the character at the beginning of `text`, which is not empty; 0 if none is there.
size_t utf8_length(std::string_view text);

}  // namespace wiretally
