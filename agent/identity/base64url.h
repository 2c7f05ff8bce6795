// Base64url (RFC 4648 section 5) read in pieces, without a buffer of the whole. Padding is
// tolerated at the end, and the plain alphabet's + and /: some issuers write them.
#pragma once

#include <openssl/crypto.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace wiretally::identity {

// The six bits of a character, or -1.
int base64url_bits(char c);

// Hands the decoded bytes of `text` to `take(std::string_view) -> bool`, piece by piece. False if
// the text is not base64url or `take` said false; pieces handed over before that are void. Leaves
// nothing of the text on the stack.
template <typename Take>
bool decode_base64url(std::string_view text, Take&& take) {
  for (int padding = 0; padding < 2 && !text.empty() && text.back() == '='; ++padding) {
    text.remove_suffix(1);
  }
  if (text.size() % 4 == 1) return false;

  char piece[384];
  size_t used = 0;
  uint32_t bits = 0;
  unsigned bit_count = 0;
  bool good = true;
  for (const char c : text) {
    const int six = base64url_bits(c);
    good = six >= 0;
    if (!good) break;
    bits = (bits << 6 | static_cast<uint32_t>(six)) & 0xFFFF;
    bit_count += 6;
    if (bit_count < 8) continue;
    bit_count -= 8;
    piece[used++] = static_cast<char>(bits >> bit_count & 0xFF);
    if (used < sizeof piece) continue;
    good = take(std::string_view(piece, used));
    used = 0;
    if (!good) break;
  }
  if (good && used > 0) good = take(std::string_view(piece, used));
  OPENSSL_cleanse(piece, sizeof piece);
  return good;
}

}  // namespace wiretally::identity
