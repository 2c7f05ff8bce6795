#include "log.h"

#include <unistd.h>

#include <string>

namespace wiretally {

void log_line(LogLevel level, std::string_view text) {
  static constexpr std::string_view kPrefixes[] = {
      "wiretally: ", "wiretally: warning: ", "wiretally: error: "};
  std::string line(kPrefixes[static_cast<int>(level)]);
  line.append(text);
  line.push_back('\n');
  [[maybe_unused]] ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace wiretally
