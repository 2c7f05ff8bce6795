#include "text.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

namespace wiretally::sinks {
namespace {

bool is_control(std::string_view character) {
  const auto first = static_cast<uint8_t>(character[0]);
  if (character.size() == 1) return first < 0x20 || first == 0x7F;
  // U+0080…U+009F: terminals read them as control sequences.
  return first == 0xC2 && static_cast<uint8_t>(character[1]) < 0xA0;
}

}  // namespace

void append_clean(std::string& out, std::string_view text, size_t bytes_max) {
  const size_t end = out.size() + bytes_max;
  bool full = false;
  for_each_character(text, [&](std::string_view character) {
    const std::string_view shown = is_control(character) ? "?" : character;
    full = full || out.size() + shown.size() > end;
    if (!full) out.append(shown);
  });
}

void append_json_string(std::string& out, std::string_view text) {
  out.push_back('"');
  for_each_character(text, [&](std::string_view character) {
    const auto byte = static_cast<uint8_t>(character[0]);
    if (byte == '"' || byte == '\\') {
      out.push_back('\\');
      out.append(character);
    } else if (is_control(character) && character.size() == 1) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", byte);
      out.append(escaped);
    } else {
      out.append(character);
    }
  });
  out.push_back('"');
}

void append_integer(std::string& out, Wide value) { append_decimal(out, value, 0); }

void append_decimal(std::string& out, Wide value, int digits, int fraction_min) {
  std::array<char, 48> reversed;
  size_t size = 0;
  const bool negative = value < 0;
  auto rest = static_cast<unsigned __int128>(negative ? -value : value);
  int position = 0;
  bool written = false;  // trailing zeros of the fraction are left out
  while (position < digits || rest != 0 || position == digits) {
    if (position == digits && digits > 0 && written) reversed[size++] = '.';
    const int digit = static_cast<int>(rest % 10);
    rest /= 10;
    written = written || digit != 0 || position >= digits - fraction_min;
    if (written || position >= digits) reversed[size++] = static_cast<char>('0' + digit);
    ++position;
  }
  if (negative) out.push_back('-');
  std::reverse(reversed.begin(), reversed.begin() + size);
  out.append(reversed.data(), size);
}

void append_time(std::string& out, int64_t epoch_ns) {
  using namespace std::chrono;
  const sys_time<nanoseconds> time{nanoseconds{epoch_ns}};
  const auto day = floor<days>(time);
  const year_month_day date{day};
  const hh_mm_ss clock{time - day};
  char text[64];
  std::snprintf(
      text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%09dZ", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
      static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  out.append(text);
}

void append_address(std::string& out, const IpAddress& address) {
  if (address.version == 0) return;
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(address.version == 4 ? AF_INET : AF_INET6, address.bytes.data(), text, sizeof text);
  out.append(text);
}

}  // namespace wiretally::sinks
