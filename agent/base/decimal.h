// Money from text, exactly: no number of money ever passes through a float.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace wiretally {

// `text` (12, 0.25, 1.5e-06) times 10^scale, rounded half to even. Nothing for text that is no
// decimal number, negative, of more than 30 digits, or too large.
std::optional<int64_t> parse_decimal(std::string_view text, int scale);

}  // namespace wiretally
