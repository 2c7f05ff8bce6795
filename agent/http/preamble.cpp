#include "preamble.h"

namespace wiretally::http {
namespace {

constexpr Preamble kNo{Preamble::Kind::kNone, 0};
constexpr Preamble kMore{Preamble::Kind::kOpen, 0};

Preamble ends_at(size_t end, ByteView first) {
  if (end > kPreambleBytesMax) return kNo;
  return end <= first.size() ? Preamble{Preamble::Kind::kDone, end} : kMore;
}

bool begins_like(std::string_view text, std::string_view sample) {
  const size_t common = std::min(text.size(), sample.size());
  return text.substr(0, common) == sample.substr(0, common);
}

// "PROXY TCP4 … CRLF", at most 107 bytes.
Preamble proxy_line(std::string_view text) {
  constexpr size_t kLineBytesMax = 107;
  const size_t end = text.substr(0, kLineBytesMax).find('\n');
  if (end != text.npos) return {Preamble::Kind::kDone, end + 1};
  return text.size() < kLineBytesMax ? kMore : kNo;
}

// Signature, two bytes, length of the rest.
Preamble proxy_binary(ByteView first) {
  constexpr size_t kHeadBytes = 16;
  if (first.size() < kHeadBytes) return kMore;
  return ends_at(kHeadBytes + first[14] * 256u + first[15], first);
}

// A request ends in a user name and, for 4a (address 0.0.0.x), a host name, each ended by NUL.
Preamble socks4_request(ByteView first) {
  constexpr size_t kFixedBytes = 8;
  if (first.size() >= 2 && first[1] != 1 && first[1] != 2) return kNo;
  if (first.size() < kFixedBytes) return kMore;
  const bool has_host = first[4] == 0 && first[5] == 0 && first[6] == 0 && first[7] != 0;
  int left = has_host ? 2 : 1;
  for (size_t at = kFixedBytes; at < first.size() && at < kPreambleBytesMax; ++at) {
    if (first[at] == 0 && --left == 0) return {Preamble::Kind::kDone, at + 1};
  }
  return first.size() < kPreambleBytesMax ? kMore : kNo;
}

Preamble socks4_answer(ByteView first) {
  constexpr uint8_t kCodeMin = 0x5a;
  constexpr uint8_t kCodeMax = 0x5d;
  if (first.size() >= 2 && (first[1] < kCodeMin || first[1] > kCodeMax)) return kNo;
  return ends_at(8, first);
}

// Version, command or reply, zero, address type, address, port: the last message of either side.
Preamble socks5_address(size_t at, ByteView first) {
  if (first.size() > at + 2 && first[at + 2] != 0) return kNo;
  if (first.size() < at + 5) return kMore;
  switch (first[at + 3]) {
    case 1:
      return ends_at(at + 10, first);
    case 3:
      return ends_at(at + 7 + first[at + 4], first);
    case 4:
      return ends_at(at + 22, first);
    default:
      return kNo;
  }
}

// What follows the greeting at `at`: a password or its verdict, and the last message.
Preamble socks5_rest(size_t at, bool client, ByteView first) {
  if (first.size() <= at) return kMore;
  if (first[at] == 1) {
    if (client) {
      if (first.size() <= at + 1) return kMore;
      const size_t password = at + 2 + first[at + 1];
      if (first.size() <= password) return kMore;
      at = password + 1 + first[password];
    } else {
      at += 2;
    }
    if (first.size() <= at) return kMore;
  }
  return first[at] == 5 ? socks5_address(at, first) : kNo;
}

// A client's greeting is a count n > 0 and n methods; a server's is one method. A server's choice
// of "no authentication" is 0, which no client can send; its "password" (2) reads like a count, so
// both readings are tried and the one that fits is taken.
Preamble socks5(ByteView first) {
  if (first.size() < 2) return kMore;
  const Preamble as_server = socks5_rest(2, false, first);
  const Preamble as_client = first[1] == 0 ? kNo : socks5_rest(2 + first[1], true, first);
  if (as_client.kind == Preamble::Kind::kDone) return as_client;
  if (as_server.kind == Preamble::Kind::kDone) return as_server;
  return as_client.kind == Preamble::Kind::kOpen ? as_client : as_server;
}

}  // namespace

Preamble find_preamble(ByteView first) {
  if (first.empty()) return kMore;
  const std::string_view text = as_text(first);
  if (begins_like(text, "PROXY ")) return text.size() < 6 ? kMore : proxy_line(text);
  if (begins_like(text, {"\r\n\r\n\0\r\nQUIT\n", 12})) return proxy_binary(first);
  switch (first[0]) {
    case 0:
      return socks4_answer(first);
    case 4:
      return socks4_request(first);
    case 5:
      return socks5(first);
    default:
      return kNo;
  }
}

}  // namespace wiretally::http
