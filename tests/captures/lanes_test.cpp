// However many lanes: the same bytes come out, in every format, of damaged and doubled traffic too.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "binary.h"
#include "busy_hour.h"
#include "goldens.h"

namespace wiretally::test {
namespace {

void expect_same_on_any_lanes(const std::string& capture) {
  for (const char* format : {"ndjson", "csv", "prometheus"}) {
    for (const std::vector<std::string>& legs :
         {std::vector<std::string>{}, std::vector<std::string>{"--all-legs"}}) {
      const Outcome one = replay_bytes(capture, format, legs);
      EXPECT_EQ(one.exit_status, 0) << one.err;
      for (const char* lanes : {"2", "4", "7"}) {
        SCOPED_TRACE(std::string(format) + " on " + lanes + " lanes");
        std::vector<std::string> more = legs;
        more.insert(more.end(), {"--lanes", lanes});
        const Outcome several = replay_bytes(capture, format, more);
        EXPECT_EQ(several.exit_status, 0) << several.err;
        EXPECT_TRUE(several.out == one.out);
      }
    }
  }
}

TEST(Lanes, BusyTrafficComesOutTheSame) {
  const std::string capture = make_capture({}, busy_hour(1));
  EXPECT_GE(records_of(replay_bytes(capture, "ndjson").out).size(), 150u);
  expect_same_on_any_lanes(capture);
}

TEST(Lanes, DamagedTrafficComesOutTheSame) {
  for (uint32_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    expect_same_on_any_lanes(make_capture({}, damaged(busy_hour(seed), seed)));
  }
}

TEST(Lanes, EveryGoldenComesOutTheSame) {
  for (const Golden& golden : goldens()) {
    SCOPED_TRACE(golden.file);
    expect_same_on_any_lanes(golden.bytes);
  }
}

// A pipe's bytes do not last: they are copied to the lanes.
TEST(Lanes, AFileAndAPipeAndTwoFilesComeOutTheSame) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("wiretally-lanes-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const auto write = [&](const char* name, const std::string& bytes) {
    const std::string path = (folder / name).string();
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  };
  const std::string first = write("first.pcap", make_capture({}, damaged(busy_hour(5), 5)));
  const std::string second = write("second.pcap", make_capture({}, busy_hour(6)));
  const auto replayed = [&](const std::vector<std::string>& files, const char* lanes) {
    std::vector<std::string> arguments = {"replay", "--format", "ndjson", "--lanes", lanes};
    arguments.insert(arguments.end(), files.begin(), files.end());
    const Outcome run = wiretally(arguments);
    EXPECT_EQ(run.exit_status, 0) << run.err;
    return run.out;
  };
  EXPECT_TRUE(
      replayed({first}, "3") ==
      replay_bytes(make_capture({}, damaged(busy_hour(5), 5)), "ndjson", {"--lanes", "2"}).out);
  EXPECT_TRUE(replayed({first, second}, "4") == replayed({first, second}, "1"));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace wiretally::test
