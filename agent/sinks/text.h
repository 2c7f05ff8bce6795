// Writing values as text that cannot hurt its reader: valid UTF-8, exact decimals, RFC 3339 times.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "utf8.h"
#include "wiretally/capture.h"

namespace wiretally::sinks {

using Wide = __int128;  // money and times of many calls added up; never overflows

// Calls `visit(piece)` for the characters of `text`, one UTF-8 sequence at a time. Bytes that are
// no UTF-8 become U+FFFD.
template <typename Visit>
void for_each_character(std::string_view text, Visit visit);

// Valid UTF-8 without control characters (a '?' stands for each), cut at a character border.
void append_clean(std::string& out, std::string_view text, size_t bytes_max);
// Text between double quotes, RFC 8259.
void append_json_string(std::string& out, std::string_view text);
// `value` / 10^digits, exact, at least `fraction_min` digits behind the point, no trailing zeros
// beyond them.
void append_decimal(std::string& out, Wide value, int digits, int fraction_min = 0);
void append_integer(std::string& out, Wide value);
// 2026-01-02T03:04:05.000000006Z
void append_time(std::string& out, int64_t epoch_ns);
// 10.0.0.1 or 2001:db8::1; nothing for an unknown address.
void append_address(std::string& out, const IpAddress& address);

template <typename Visit>
void for_each_character(std::string_view text, Visit visit) {
  while (!text.empty()) {
    const size_t length = utf8_length(text);
    if (length == 0) {
      visit(std::string_view("\xEF\xBF\xBD"));
      text.remove_prefix(1);
    } else {
      visit(text.substr(0, length));
      text.remove_prefix(length);
    }
  }
}

}  // namespace wiretally::sinks
