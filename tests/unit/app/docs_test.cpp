// docs/drops.md states every reason of drop_reasons.def with its sentence; a failure prints the row
// to add.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

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

}  // namespace
}  // namespace wiretally
