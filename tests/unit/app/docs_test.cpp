// g++ 12 sees uninitialised members in std::regex when it instruments for a sanitizer.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

// docs/drops.md states every reason of drop_reasons.def with its sentence; a failure prints the row
// to add.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>
#include <string>

#include "wiretally/counters.h"

namespace wiretally {
namespace {

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string row(std::string_view kind, const ReasonText& reason) {
  return "| " + std::string(kind) + " | " + std::string(reason.stage) + " | " +
         std::string(reason.label) + " | " + std::string(reason.sentence) + " |\n";
}

TEST(Docs, EveryReasonIsInDropsMd) {
  const std::string text = read_file(WIRETALLY_SOURCE_DIR "/docs/drops.md");
  for (const ReasonText& reason : kDropReasons) {
    EXPECT_NE(text.find(row("dropped", reason)), text.npos) << row("dropped", reason);
  }
  for (const ReasonText& reason : kSkipReasons) {
    EXPECT_NE(text.find(row("skipped", reason)), text.npos) << row("skipped", reason);
  }
  for (const ReasonText& reason : kMissingReasons) {
    EXPECT_NE(text.find(row("missing", reason)), text.npos) << row("missing", reason);
  }
}

// --- limits --------------------------------------------------------------------------------------

// "64 << 20", "256 * 1024", "24LL * 3600 * 1'000'000'000", "uint64_t{1} << 30".
uint64_t value_of(std::string text) {
  text = std::regex_replace(text, std::regex(R"(\w+\{(\d+)\})"), "$1");
  std::erase_if(text, [](char c) { return c == '\'' || c == ' ' || c == 'L'; });
  uint64_t value = std::stoull(text);
  for (size_t at = text.find_first_of("*<"); at != text.npos;
       at = text.find_first_of("*<", at + 2)) {
    const bool shift = text[at] == '<';
    const uint64_t operand = std::stoull(text.substr(at + (shift ? 2 : 1)));
    value = shift ? value << operand : value * operand;
  }
  return value;
}

// "65 536", "64 MiB", "1 GiB", "500 ms".
uint64_t documented(std::string text) {
  const std::pair<const char*, uint64_t> units[] = {{"GiB", 1 << 30},     {"KiB", 1 << 10},
                                                    {"MiB", 1 << 20},     {"ms", 1'000'000},
                                                    {"s", 1'000'000'000}, {"h", 3'600'000'000'000}};
  uint64_t factor = 1;
  for (const auto& [unit, size] : units) {
    if (!text.ends_with(std::string(" ") + unit)) continue;
    factor = size;
    text.resize(text.size() - std::string(unit).size());
    break;
  }
  std::erase(text, ' ');
  return std::stoull(text) * factor;
}

std::string every_test() {
  std::string all;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(WIRETALLY_SOURCE_DIR "/tests")) {
    if (entry.path().string().ends_with("_test.cpp")) all += read_file(entry.path().string());
  }
  return all;
}

TEST(Docs, EveryLimitIsInLimitsMd) {
  const std::string header = read_file(WIRETALLY_SOURCE_DIR "/include/wiretally/limits.h");
  std::map<std::string, uint64_t> limits;
  const std::regex member(R"((?:size_t|uint64_t|int64_t)\s+(\w+)\s*=\s*([^;]+);)");
  for (std::sregex_iterator it(header.begin(), header.end(), member), end; it != end; ++it) {
    limits[(*it)[1]] = value_of((*it)[2]);
  }
  ASSERT_GT(limits.size(), 30u);

  const std::string text = read_file(WIRETALLY_SOURCE_DIR "/docs/limits.md");
  const std::string tests = every_test();
  std::string reasons;
  for (const ReasonText& reason : kDropReasons) reasons += " " + std::string(reason.label) + " ";
  const std::regex row(R"(\| `(\w+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \| (\S+) \|)");
  for (std::sregex_iterator it(text.begin(), text.end(), row), end; it != end; ++it) {
    const std::string name = (*it)[1];
    SCOPED_TRACE(name);
    ASSERT_EQ(limits.count(name), 1u) << "in docs/limits.md, not in limits.h";
    EXPECT_EQ(documented((*it)[2]), limits[name]);
    limits.erase(name);
    const std::string test = (*it)[5];
    const size_t dot = test.find('.');
    EXPECT_NE(dot, test.npos) << "no test reaches it";
    if (dot != test.npos) {
      const std::string suite_and_name = test.substr(0, dot) + ", " + test.substr(dot + 1) + ")";
      EXPECT_NE(tests.find(suite_and_name), tests.npos) << "there is no test " << test;
    }
    const std::string counted = (*it)[4];
    if (counted.starts_with('`') && counted.find("_total") == counted.npos) {
      EXPECT_NE(reasons.find(" " + counted.substr(1, counted.size() - 2) + " "), reasons.npos)
          << "there is no reason " << counted;
    }
  }
  for (const auto& [name, value] : limits) {
    ADD_FAILURE() << "docs/limits.md has no row for " << name << " = " << value;
  }
}

}  // namespace
}  // namespace wiretally
