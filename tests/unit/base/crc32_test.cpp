#include "crc32.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <random>
#include <vector>

namespace wiretally {
namespace {

TEST(Crc32, IsZlibsWhateverLengthAndPlace) {
  std::mt19937 random(1);
  std::vector<uint8_t> bytes(1'000);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  for (size_t at = 0; at < 20; ++at) {
    for (size_t size = 0; at + size <= bytes.size(); ++size) {
      const ByteView part(bytes.data() + at, size);
      ASSERT_EQ(crc32_of(0, part), crc32(0, part.data(), static_cast<uInt>(size))) << size;
    }
  }
}

TEST(Crc32, GoesOnFromWhatCameBefore) {
  std::mt19937 random(2);
  std::vector<uint8_t> bytes(100'000);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  uint32_t crc = 0;
  for (size_t at = 0; at < bytes.size();) {
    const size_t size = std::min<size_t>(random() % 700, bytes.size() - at);
    crc = crc32_of(crc, ByteView(bytes.data() + at, size));
    at += size;
    ASSERT_EQ(crc, crc32(0, bytes.data(), static_cast<uInt>(at)));
  }
}

}  // namespace
}  // namespace wiretally
