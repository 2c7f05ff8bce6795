#include "connection_table.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace wiretally::uprobe {
namespace {

ConnectionKey key(uint32_t pid, uint64_t handle, uint64_t start = 1) {
  return {.pid = pid, .process_start_ns = start, .handle = handle, .generation = 0};
}

TEST(ConnectionTable, FindsWhatWasInserted) {
  ConnectionTable table(4);
  EXPECT_EQ(table.find(1, 100), nullptr);
  ConnectionTable::Connection* connection = table.insert(key(1, 100));
  EXPECT_EQ(table.find(1, 100), connection);
  EXPECT_EQ(table.find(1, 101), nullptr);
  EXPECT_EQ(table.find(2, 100), nullptr);
  table.erase(connection);
  EXPECT_EQ(table.find(1, 100), nullptr);
  EXPECT_EQ(table.size(), 0U);
  EXPECT_EQ(table.oldest(), nullptr);
}

TEST(ConnectionTable, OldestIsTheLeastRecentlyActive) {
  ConnectionTable table(3);
  for (uint64_t handle : {10, 20, 30}) table.insert(key(1, handle));
  EXPECT_TRUE(table.full());
  table.touch(table.find(1, 10));
  EXPECT_EQ(table.oldest()->key.handle, 20U);
  table.erase(table.oldest());
  EXPECT_EQ(table.oldest()->key.handle, 30U);
  EXPECT_FALSE(table.full());
}

TEST(ConnectionTable, EndsProcessByProcess) {
  ConnectionTable table(16);
  for (uint64_t handle = 1; handle <= 4; ++handle) {
    table.insert(key(1, handle));
    table.insert(key(2, handle));
  }
  int erased = 0;
  EXPECT_EQ(table.find_any_of_process(1, 2), nullptr) << "another process under that pid";
  while (auto* connection = table.find_any_of_process(1, 1)) {
    table.erase(connection);
    ++erased;
  }
  EXPECT_EQ(erased, 4);
  EXPECT_EQ(table.size(), 4U);
  EXPECT_NE(table.find_any_of_process(2, 1), nullptr);
}

TEST(ConnectionTable, AgreesWithAMapOverManySteps) {
  constexpr size_t kCapacity = 64;
  ConnectionTable table(kCapacity);
  std::map<std::pair<uint32_t, uint64_t>, uint64_t> model;  // → offset
  std::mt19937 random(7);
  for (int step = 0; step < 100'000; ++step) {
    const uint32_t pid = random() % 5;
    const uint64_t handle = 0x1000 + 16 * (random() % 40);
    ConnectionTable::Connection* connection = table.find(pid, handle);
    const auto known = model.find({pid, handle});
    ASSERT_EQ(connection != nullptr, known != model.end());
    if (connection != nullptr) {
      ASSERT_EQ(connection->offset[0], known->second);
      if (random() % 3 == 0) {
        table.erase(connection);
        model.erase(known);
      } else {
        table.touch(connection);
      }
      continue;
    }
    if (table.full()) {
      const ConnectionKey oldest = table.oldest()->key;
      ASSERT_EQ(model.erase({oldest.pid, oldest.handle}), 1U);
      table.erase(table.oldest());
    }
    connection = table.insert(key(pid, handle));
    connection->offset[0] = static_cast<uint64_t>(step);
    model[{pid, handle}] = static_cast<uint64_t>(step);
    ASSERT_EQ(table.size(), model.size());
  }
  size_t listed = 0;
  for (size_t i = 0; i < table.capacity(); ++i) listed += table.at(i) != nullptr ? 1 : 0;
  EXPECT_EQ(listed, model.size());
}

}  // namespace
}  // namespace wiretally::uprobe
