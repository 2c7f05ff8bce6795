// The agent's own messages: one line each on stderr. Never from a hot path, never payload, never a
// credential.
#pragma once

#include <string_view>

namespace wiretally {

enum class LogLevel { kInfo, kWarning, kError };

// Thread-safe: one write(2) a line.
void log_line(LogLevel level, std::string_view text);

}  // namespace wiretally
