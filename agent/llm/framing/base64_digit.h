// The alphabet of base64, RFC 4648 section 4.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace wiretally::llm {

inline constexpr uint8_t kNoBase64Digit = 64;

// What a character stands for, or kNoBase64Digit.
inline constexpr std::array<uint8_t, 256> kBase64Digits = [] {
  std::array<uint8_t, 256> digits{};
  digits.fill(kNoBase64Digit);
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < kAlphabet.size(); ++i) {
    digits[static_cast<uint8_t>(kAlphabet[i])] = static_cast<uint8_t>(i);
  }
  return digits;
}();

}  // namespace wiretally::llm
