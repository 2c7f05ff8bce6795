#include "utf8.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace wiretally {
namespace {

// Another way to the same: the code point is put together and asked what it is.
size_t length_by_code_point(const std::string& text) {
  const auto first = static_cast<uint8_t>(text[0]);
  const size_t length = first < 0x80           ? 1
                        : (first >> 5) == 0x06 ? 2
                        : (first >> 4) == 0x0e ? 3
                        : (first >> 3) == 0x1e ? 4
                                               : 0;
  if (length == 0 || text.size() < length) return 0;
  uint32_t point = length == 1 ? first : first & (0x7fu >> length);
  for (size_t i = 1; i < length; ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    if ((byte >> 6) != 2) return 0;
    point = point << 6 | (byte & 0x3f);
  }
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = point >= 0xd800 && point <= 0xdfff;
  return point < kLeast[length] || point > 0x10ffff || surrogate ? 0 : length;
}

TEST(Utf8, EveryBeginningOfTwoBytesAndItsContinuations) {
  for (unsigned first = 0; first < 256; ++first) {
    for (unsigned second = 0; second < 256; ++second) {
      for (const std::string rest : {"", "\x80", "\xbf\xbf", "\x80\x7f", "\xc0\x80"}) {
        std::string text{static_cast<char>(first), static_cast<char>(second)};
        text += rest;
        EXPECT_EQ(utf8_length(text), length_by_code_point(text)) << first << " " << second;
      }
    }
  }
}

TEST(Utf8, ACharacterThatIsCutIsNone) {
  const std::string text = "\xf0\x9f\x98\x80";
  for (size_t size = 1; size < text.size(); ++size) {
    EXPECT_EQ(utf8_length(std::string_view(text).substr(0, size)), 0u) << size;
  }
  EXPECT_EQ(utf8_length(text), 4u);
}

}  // namespace
}  // namespace wiretally
