#include "byte_sums.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

namespace wiretally {
namespace {

std::vector<uint8_t> bytes_of(size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<uint8_t> bytes(size);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  return bytes;
}

TEST(ByteSums, SumIsThatOfRfc1071) {
  for (size_t size = 0; size < 200; ++size) {
    const std::vector<uint8_t> bytes = bytes_of(size, 1);
    uint64_t expected = 0;  // word by word, the last one filled up
    for (size_t i = 0; i < size; ++i) expected += uint64_t{bytes[i]} << 8 * (i % 2);
    EXPECT_EQ(ByteSums(ByteView(bytes)).sum() % 0xffff, expected % 0xffff) << size;
  }
}

TEST(ByteSums, HashTellsEveryChangeOfOneByteAndEverySwapOfTwo) {
  for (const size_t size : {1u, 7u, 15u, 16u, 33u, 64u, 100u, 257u}) {
    const std::vector<uint8_t> bytes = bytes_of(size, 2);
    const uint64_t hash = ByteSums(ByteView(bytes)).hash();
    for (size_t i = 0; i < size; ++i) {
      std::vector<uint8_t> changed = bytes;
      changed[i] ^= 0x40;
      ASSERT_NE(ByteSums(ByteView(changed)).hash(), hash) << size << " at " << i;
      for (size_t k = i + 1; k < size; ++k) {
        if (bytes[i] == bytes[k]) continue;
        std::vector<uint8_t> swapped = bytes;
        std::swap(swapped[i], swapped[k]);
        ASSERT_NE(ByteSums(ByteView(swapped)).hash(), hash) << size << " " << i << " " << k;
      }
    }
  }
}

TEST(ByteSums, HashesOfDifferentBytesDiffer) {
  std::set<uint64_t> seen;
  for (unsigned seed = 0; seed < 20'000; ++seed) {
    const std::vector<uint8_t> bytes = bytes_of(64, seed);
    seen.insert(ByteSums(ByteView(bytes)).hash());
  }
  EXPECT_EQ(seen.size(), 20'000u);
}

}  // namespace
}  // namespace wiretally
