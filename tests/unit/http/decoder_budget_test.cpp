#include "decoder_budget.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

#include "content_decoder.h"
#include "support/encoder.h"

namespace wiretally::http {
namespace {

TEST(DecoderBudget, ChargesWhatItGives) {
  DecoderBudget budget(100'000, 100'000);
  void* const a = budget.allocate(32 * 1024);
  ASSERT_NE(a, nullptr);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(a) % alignof(std::max_align_t), 0u);
  EXPECT_GE(budget.used_bytes(), 32u * 1024);
  EXPECT_LE(budget.used_bytes(), 32u * 1024 + 64);
  EXPECT_EQ(budget.allocate(70'000), nullptr);
  DecoderBudget::release(a);
  EXPECT_EQ(budget.used_bytes(), 0u);
}

TEST(DecoderBudget, IdleMemoryServesTheSameSizeAndMakesWayForOthers) {
  DecoderBudget budget(100'000, 100'000);
  void* const a = budget.allocate(50'000);
  DecoderBudget::release(a);
  EXPECT_GE(budget.idle_bytes(), 50'000u);
  EXPECT_EQ(budget.allocate(50'000), a);
  DecoderBudget::release(a);
  void* const other = budget.allocate(80'000);
  EXPECT_NE(other, nullptr);
  EXPECT_EQ(budget.idle_bytes(), 0u);
  DecoderBudget::release(other);
}

TEST(DecoderBudget, IdleMemoryIsBounded) {
  DecoderBudget budget(1'000'000, 10'000);
  std::vector<void*> blocks;
  for (int i = 0; i < 50; ++i) blocks.push_back(budget.allocate(1'000));
  for (void* const block : blocks) DecoderBudget::release(block);
  EXPECT_LE(budget.idle_bytes(), 10'000u);
  EXPECT_GE(budget.idle_bytes(), 8'000u);
}

TEST(DecoderBudget, NeverBeyondItsLimitAndNothingLost) {
  constexpr size_t kMax = 1 << 20;
  DecoderBudget budget(kMax, kMax / 4);
  std::mt19937_64 random(1);
  std::vector<std::pair<void*, size_t>> held;
  size_t refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    if (random() % 2 == 0 && !held.empty()) {
      const size_t at = random() % held.size();
      const auto* bytes = static_cast<const uint8_t*>(held[at].first);
      ASSERT_EQ(bytes[held[at].second - 1], bytes[0]);
      DecoderBudget::release(held[at].first);
      held[at] = held.back();
      held.pop_back();
    } else {
      const size_t size = 1 + random() % (size_t{1} << (random() % 18));
      void* const block = budget.allocate(size);
      if (block == nullptr) {
        ++refused;
        continue;
      }
      std::memset(block, i, size);
      held.emplace_back(block, size);
    }
    ASSERT_LE(budget.used_bytes() + budget.idle_bytes(), kMax);
    ASSERT_LE(budget.idle_bytes(), kMax / 4);
  }
  EXPECT_GT(refused, 0u);
  for (const auto& [block, size] : held) DecoderBudget::release(block);
  EXPECT_EQ(budget.used_bytes(), 0u);
}

class Sink final : public DecodedSink {
 public:
  bool on_decoded(ByteView bytes) override {
    text += as_text(bytes);
    return true;
  }
  std::string text;
};

// What the documentation says that an open body takes, a window of history behind it.
TEST(DecoderBudget, AnOpenGzipBodyTakesFortyKiB) {
  const Limits limits;
  DecoderBudget budget(limits.decoder_bytes_max, limits.decoder_idle_bytes_max);
  const auto buffers = std::make_unique<DecodeBuffers>();
  std::mt19937_64 random(1);
  std::string text(100'000, ' ');
  for (char& c : text) c = static_cast<char>('a' + random() % 26);
  const test::Pieces pieces =
      test::encode(test::Coding::kGzip, test::Pieces{text, text}, {.flush = true});
  const auto chain = DecoderChain::make(ContentCoding::kGzip, budget, limits);
  Sink sink;
  chain->feed(as_bytes(pieces[0]), *buffers, sink);
  EXPECT_EQ(sink.text, text);
  EXPECT_LE(budget.used_bytes(), 40u * 1024);
  EXPECT_GE(budget.used_bytes(), 32u * 1024);
}

TEST(DecoderBudget, EverythingComesBack) {
  const Limits limits;
  DecoderBudget budget(limits.decoder_bytes_max, limits.decoder_idle_bytes_max);
  const auto buffers = std::make_unique<DecodeBuffers>();
  for (const auto& [coding, token] : {std::pair{test::Coding::kGzip, ContentCoding::kGzip},
                                      std::pair{test::Coding::kBrotli, ContentCoding::kBrotli},
                                      std::pair{test::Coding::kZstd, ContentCoding::kZstd}}) {
    const std::string whole = test::encode(coding, std::string(300'000, 'x') + "end");
    for (size_t cut : {size_t{1}, whole.size() / 2, whole.size()}) {
      Sink sink;
      {
        const auto chain = DecoderChain::make(token, budget, limits);
        chain->feed(as_bytes(whole).first(cut), *buffers, sink);
        EXPECT_GT(budget.used_bytes(), 0u);
      }
      EXPECT_EQ(budget.used_bytes(), 0u);
    }
  }
}

}  // namespace
}  // namespace wiretally::http
