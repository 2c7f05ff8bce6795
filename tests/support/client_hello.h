// ClientHellos for tests, RFC 8446 section 4.1.2.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace wiretally::test {

inline std::string be16(size_t n) {
  return {static_cast<char>(n >> 8 & 0xff), static_cast<char>(n & 0xff)};
}

inline std::string extension(uint16_t type, std::string_view data) {
  return be16(type) + be16(data.size()) + std::string(data);
}

inline std::string server_name_extension(std::string_view name, char name_type = 0) {
  const std::string entry = std::string(1, name_type) + be16(name.size()) + std::string(name);
  return extension(0, be16(entry.size()) + entry);
}

struct HelloParts {
  char random = 'r';
  std::string session = std::string(32, 's');
  std::string suites = std::string("\x13\x01\x13\x02", 4);
  std::string extensions;
  bool has_extensions = true;
};

// The handshake message.
inline std::string hello_message(const HelloParts& parts) {
  std::string body = std::string("\x03\x03", 2) + std::string(32, parts.random);
  body += static_cast<char>(parts.session.size()) + parts.session;
  body += be16(parts.suites.size()) + parts.suites;
  body += std::string("\x01\x00", 2);
  if (parts.has_extensions) body += be16(parts.extensions.size()) + parts.extensions;
  return std::string("\x01\x00", 2) + be16(body.size()) + body;
}

inline std::string handshake_record(std::string_view fragment) {
  return std::string("\x16\x03\x01", 3) + be16(fragment.size()) + std::string(fragment);
}

// GREASE (RFC 8701) before the name, a key share of `share_bytes` behind it.
inline std::string client_hello(std::string_view name, char random = 'r', size_t share_bytes = 36) {
  HelloParts parts;
  parts.random = random;
  parts.extensions = extension(0x0a0a, "") + server_name_extension(name) +
                     extension(0x0033, std::string(share_bytes, 'k'));
  return handshake_record(hello_message(parts));
}

}  // namespace wiretally::test
