#pragma once

#include <string_view>

namespace wiretally {

std::string_view version();   // e.g. "0.1.0"
std::string_view revision();  // abbreviated commit, or "unknown"

}  // namespace wiretally
