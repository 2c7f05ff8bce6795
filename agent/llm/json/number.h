// JSON numbers as counts.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace wiretally::llm {

// The value of an RFC 8259 number if it is a whole one from 0 to 2^53, however it is written: 12,
// 12.0 and 1.2e1 alike; -0 is 0. Exact: no floating point is involved.
std::optional<uint64_t> count_from_number(std::string_view number);

}  // namespace wiretally::llm
