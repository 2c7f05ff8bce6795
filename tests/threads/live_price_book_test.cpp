// The price book of a running agent: swapped whole while calls are priced.
#include "live_price_book.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

namespace wiretally::pricing {
namespace {

constexpr int64_t kMicro = 1'000'000;

class Folder {
 public:
  Folder() : path_(testing::TempDir() + "wiretally-book-XXXXXX") {
    EXPECT_NE(::mkdtemp(path_.data()), nullptr);
  }
  ~Folder() { std::filesystem::remove_all(path_); }

  std::string path(const std::string& name) const { return path_ + "/" + name; }
  // In one step, as tools that are kind to readers do.
  void save(const std::string& name, const std::string& text) const {
    std::ofstream(path("." + name)) << text;
    std::filesystem::rename(path("." + name), path(name));
  }

 private:
  std::string path_;
};

std::string list_of(int micro) {
  const std::string rate = std::to_string(micro) + "e-06";
  return R"({"m": {"litellm_provider": "openai", "input_cost_per_token": )" + rate +
         R"(, "cache_read_input_token_cost": )" + rate + R"(, "output_cost_per_token": )" + rate +
         "}}";
}

UsageRecord call() {
  UsageRecord record;
  record.provider.assign("openai");
  record.response_model.assign("m");
  record.tokens.input = 300;
  record.tokens.cache_read = 100;
  record.tokens.output = 100;
  record.tokens.input_source = record.tokens.output_source = UsageSource::kReported;
  return record;
}

TEST(LivePriceBook, NoCallIsPricedHalfAndHalf) {
  const Folder folder;
  folder.save("list.json", list_of(1));
  auto book = LivePriceBook::open({.list = folder.path("list.json"), .overrides = ""});
  ASSERT_TRUE(book) << book.error().message;
  std::atomic<bool> done{false};
  std::atomic<uint64_t> mixed{0}, old_ones{0}, new_ones{0};
  const auto price = [&] {
    const UsageRecord record = call();
    while (!done.load(std::memory_order_relaxed)) {
      const Cost cost = (*book)->price_at(record, 0);
      const int64_t total = cost.total ? static_cast<int64_t>(*cost.total) : -1;
      const auto rate_of = [](const std::optional<Picodollars>& part, int64_t tokens) {
        return part ? static_cast<int64_t>(*part) / tokens : -1;
      };
      const int64_t rate = rate_of(cost.input, 200);
      if (rate_of(cost.cache_read, 100) != rate || rate_of(cost.output, 100) != rate) ++mixed;
      if (total == 400 * kMicro) {
        ++old_ones;
      } else if (total == 800 * kMicro) {
        ++new_ones;
      } else {
        ++mixed;
      }
    }
  };
  std::thread first(price), second(price);
  for (int i = 0; i < 60; ++i) {
    folder.save("list.json", list_of(1 + i % 2));
    EXPECT_TRUE((*book)->reload());
  }
  while (old_ones == 0 || new_ones == 0) {
    folder.save("list.json", list_of(old_ones == 0 ? 1 : 2));
    EXPECT_TRUE((*book)->reload());
  }
  done = true;
  first.join();
  second.join();
  EXPECT_EQ(mixed, 0u);
}

TEST(LivePriceBook, AMalformedFileLeavesTheOldBook) {
  const Folder folder;
  folder.save("list.json", list_of(1));
  folder.save("own.yaml", "discounts:\n  - {provider: openai, percent: 50}\n");
  auto book =
      LivePriceBook::open({.list = folder.path("list.json"), .overrides = folder.path("own.yaml")});
  ASSERT_TRUE(book) << book.error().message;
  const auto total = [&] { return static_cast<int64_t>(*(*book)->price(call()).total); };
  EXPECT_EQ(total(), 200 * kMicro);
  EXPECT_FALSE((*book)->files_changed());

  folder.save("list.json", "{\n \"m\": {\n");
  EXPECT_TRUE((*book)->files_changed());
  Status status = (*book)->reload();
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message.find("list.json:3:"), std::string::npos)
      << status.error().message;
  EXPECT_EQ(total(), 200 * kMicro);
  EXPECT_FALSE((*book)->files_changed()) << "a bad file is told once, not every second";

  folder.save("list.json", list_of(2));
  folder.save("own.yaml", "discounts:\n  - {provider: openai, percent: half}\n");
  status = (*book)->reload();
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message.find("own.yaml:2:"), std::string::npos)
      << status.error().message;
  EXPECT_EQ(total(), 200 * kMicro) << "both files or none";

  folder.save("own.yaml", "");
  EXPECT_TRUE((*book)->files_changed());
  EXPECT_TRUE((*book)->reload());
  EXPECT_EQ(total(), 800 * kMicro);
  std::filesystem::remove(folder.path("own.yaml"));
  EXPECT_TRUE((*book)->files_changed());
  EXPECT_FALSE((*book)->reload());
  EXPECT_EQ(total(), 800 * kMicro);
}

TEST(LivePriceBook, WithoutFilesIsBuiltIn) {
  auto book = LivePriceBook::open({});
  ASSERT_TRUE(book);
  EXPECT_FALSE((*book)->files_changed());
  EXPECT_TRUE((*book)->knows("openai", "gpt-5.5"));
  EXPECT_TRUE((*book)->reload());
}

}  // namespace
}  // namespace wiretally::pricing
