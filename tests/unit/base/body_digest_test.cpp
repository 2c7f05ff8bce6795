#include "body_digest.h"

#include <gtest/gtest.h>
#include <xxhash.h>

#include <random>
#include <string>

namespace wiretally {
namespace {

std::string text_of(size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string text;
  for (size_t i = 0; i < size; ++i) text += static_cast<char>(random());
  return text;
}

TEST(BodyDigest, IsXxh64OfTheLibraryWhateverTheLength) {
  for (size_t size = 0; size < 300; ++size) {
    const std::string text = text_of(size, 1);
    BodyDigest digest;
    digest.feed(as_bytes(text));
    EXPECT_EQ(digest.value().low, XXH64(text.data(), text.size(), 0)) << size;
    EXPECT_EQ(digest.value().high, size);
  }
}

TEST(BodyDigest, DoesNotDependOnThePartsItComesIn) {
  const std::string text = text_of(5'000, 2);
  const uint64_t whole = XXH64(text.data(), text.size(), 0);
  std::mt19937 random(3);
  for (int round = 0; round < 500; ++round) {
    const size_t part_max = 1 + random() % (round % 2 == 0 ? 40 : 400);
    BodyDigest digest;
    for (size_t at = 0; at < text.size();) {
      const size_t size = std::min<size_t>(random() % (part_max + 1), text.size() - at);
      // A copy of its own, so that an address sanitizer sees what is read beside it.
      const std::vector<uint8_t> part(text.begin() + at, text.begin() + at + size);
      digest.feed(ByteView(part));
      at += size;
      ASSERT_EQ(digest.value().low, XXH64(text.data(), at, 0)) << "behind " << at;
    }
    ASSERT_EQ(digest.value().low, whole);
  }
}

TEST(BodyDigest, PartsWithBordersDifferByTheirBorders) {
  BodyDigest one, other;
  one.feed_part("ab");
  one.feed_part("c");
  other.feed_part("a");
  other.feed_part("bc");
  EXPECT_NE(one.value().low, other.value().low);
}

TEST(BodyDigest, ResetBeginsAnew) {
  BodyDigest digest;
  digest.feed(as_bytes(text_of(77, 4)));
  digest.reset();
  digest.feed(as_bytes("abc"));
  EXPECT_EQ(digest.value().low, XXH64("abc", 3, 0));
}

}  // namespace
}  // namespace wiretally
