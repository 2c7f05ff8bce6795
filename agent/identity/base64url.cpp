#include "base64url.h"

#include <array>

namespace wiretally::identity {
namespace {

constexpr std::array<int8_t, 256> make_table() {
  std::array<int8_t, 256> table{};
  table.fill(-1);
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  for (size_t i = 0; i < kAlphabet.size(); ++i) {
    table[static_cast<uint8_t>(kAlphabet[i])] = static_cast<int8_t>(i);
  }
  table['+'] = 62;
  table['/'] = 63;
  return table;
}

constexpr std::array<int8_t, 256> kTable = make_table();

}  // namespace

int base64url_bits(char c) { return kTable[static_cast<uint8_t>(c)]; }

}  // namespace wiretally::identity
