#include "key_secret.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>
#include <vector>

namespace wiretally::identity {
namespace {

namespace fs = std::filesystem;

class KeyFile : public testing::Test {
 protected:
  KeyFile() {
    std::string pattern = testing::TempDir() + "wiretally-key-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~KeyFile() override { fs::remove_all(folder_); }

  std::string path(std::string_view name = "key") const { return folder_ / name; }
  void write(std::string_view content, mode_t mode = 0600) const {
    std::ofstream(path(), std::ios::binary) << content;
    ::chmod(path().c_str(), mode);
  }

  fs::path folder_;
};

TEST_F(KeyFile, IsMadeOnceWithMode0600AndReadBack) {
  const auto made = load_or_create_key(path());
  ASSERT_TRUE(made) << made.error().message;
  struct stat status {};
  ASSERT_EQ(::stat(path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  const auto read = load_or_create_key(path());
  ASSERT_TRUE(read);
  EXPECT_EQ(*made, *read);
  EXPECT_NE(*made, KeySecret{});
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1) << "nothing is left beside it";
}

TEST_F(KeyFile, TwoFilesHoldTwoKeys) {
  const auto a = load_or_create_key(path("a"));
  const auto b = load_or_create_key(path("b"));
  ASSERT_TRUE(a && b);
  EXPECT_NE(*a, *b);
}

TEST_F(KeyFile, MakesItsFolder) { EXPECT_TRUE(load_or_create_key(path("folder/key"))); }

TEST_F(KeyFile, AgentsThatStartAtOnceAgree) {
  constexpr size_t kAgents = 8;
  std::vector<KeySecret> keys(kAgents);
  {
    std::vector<std::jthread> agents;
    for (KeySecret& key : keys) {
      agents.emplace_back([&] {
        if (const auto loaded = load_or_create_key(path())) key = *loaded;
      });
    }
  }
  EXPECT_NE(keys[0], KeySecret{});
  EXPECT_EQ(std::count(keys.begin(), keys.end(), keys[0]), static_cast<ptrdiff_t>(kAgents));
}

TEST_F(KeyFile, TakesRawBytesAndHexadecimalDigits) {
  write("abcdefghijklmnopqrstuvwxyz012345");
  const auto raw = load_or_create_key(path());
  write("6162636465666768696a6b6c6d6e6f707172737475767778797A303132333435\n");
  const auto digits = load_or_create_key(path());
  ASSERT_TRUE(raw && digits);
  EXPECT_EQ(*raw, *digits);
}

TEST_F(KeyFile, RefusesWhatIsNoKey) {
  for (const std::string& content :
       {std::string(), std::string("short"), std::string(64, 'g'), std::string(5000, 'a')}) {
    write(content);
    const auto key = load_or_create_key(path());
    ASSERT_FALSE(key) << content.size();
    EXPECT_NE(key.error().message.find(path()), std::string::npos);
    EXPECT_NE(key.error().message.find("openssl rand"), std::string::npos);
  }
}

TEST_F(KeyFile, RefusesWhatOthersCanRead) {
  for (const mode_t mode : {0604, 0602, 0620, 0644}) {
    write(std::string(32, 'k'), mode);
    const auto key = load_or_create_key(path());
    ASSERT_FALSE(key) << std::oct << mode;
    EXPECT_NE(key.error().message.find("chmod 600"), std::string::npos);
  }
}

TEST_F(KeyFile, RefusesAFolder) {
  const auto key = load_or_create_key(folder_);
  ASSERT_FALSE(key);
  EXPECT_NE(key.error().message.find("--key-secret"), std::string::npos);
}

TEST_F(KeyFile, SaysWhereItCannotBeMade) {
  const auto key = load_or_create_key("/proc/nowhere/key");
  ASSERT_FALSE(key);
  EXPECT_NE(key.error().message.find("/proc/nowhere/key"), std::string::npos);
}

TEST(KeyedHash, IsHmacSha256UnderAKeyDerivedByHmacSha256) {
  // Computed with Python: hmac.new(hmac.new(key, purpose, sha256).digest(), value, sha256).
  const KeyedHash hash(public_replay_key(), "purpose");
  EXPECT_EQ(hash.hex("value").view(), "4f2f6c38d2287b36064aa90775d0241f");
}

TEST(KeyedHash, DependsOnSecretPurposeAndValue) {
  std::array<uint8_t, KeySecret::kBytes> other{};
  const auto of = [](const KeySecret& secret, std::string_view purpose, std::string_view value) {
    return std::string(KeyedHash(secret, purpose).hex(value).view());
  };
  const std::string base = of(public_replay_key(), "a", "v");
  EXPECT_EQ(base.size(), 32u);
  EXPECT_EQ(base, of(public_replay_key(), "a", "v"));
  EXPECT_NE(base, of(public_replay_key(), "b", "v"));
  EXPECT_NE(base, of(public_replay_key(), "a", "w"));
  EXPECT_NE(base, of(KeySecret(other), "a", "v"));
}

}  // namespace
}  // namespace wiretally::identity
