#include "survey.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

namespace wiretally::uprobe {
namespace {

// A made-up /proc with one process; its only mapping is `library`, read through root/.
class SurveyTest : public testing::Test {
 protected:
  SurveyTest()
      : proc_(std::filesystem::temp_directory_path() /
              ("wiretally_survey_test_" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(proc_ / "77");
    std::ofstream(proc_ / "77" / "stat") << "77 (a) b) S 1 1 1 0 -1 4194304 0 0 0";
    std::ofstream(proc_ / "77" / "comm") << "service\n";
  }
  ~SurveyTest() override { std::filesystem::remove_all(proc_); }

  void map(const std::string& library) {
    std::ofstream(proc_ / "77" / "maps")
        << "1000-2000 r-xp 00000000 08:01 9                  " << library << "\n";
  }
  void set_executable(const std::string& path) {
    std::filesystem::create_symlink(path, proc_ / "77" / "exe");
  }
  std::vector<ProcessVerdict> run() { return Survey(proc_.string()).run(); }

  std::filesystem::path proc_;
};

TEST_F(SurveyTest, KnowsLibrariesByName) {
  const std::pair<const char*, TlsVerdict> cases[] = {
      {"/opt/java/lib/server/libjvm.so", TlsVerdict::kJava},
      {"/usr/lib/libgnutls.so.30.34.3", TlsVerdict::kGnuTls},
      {"/usr/lib/libssl3.so", TlsVerdict::kNss},
  };
  set_executable("/usr/bin/service");
  for (const auto& [library, verdict] : cases) {
    map(library);
    const auto rows = run();
    ASSERT_EQ(rows.size(), 1U) << library;
    EXPECT_EQ(rows[0].pid, 77U);
    EXPECT_EQ(rows[0].verdict, verdict);
    EXPECT_EQ(rows[0].library, library);
    EXPECT_EQ(rows[0].executable, "/usr/bin/service");
  }
}

TEST_F(SurveyTest, NoTlsNoRow) {
  set_executable("/usr/bin/service");
  map("/usr/lib/libm.so.6");
  EXPECT_TRUE(run().empty());
}

// The same inode number, as after a package's update.
TEST_F(SurveyTest, AnotherFileUnderAKnownInodeIsLookedAt) {
  const std::string path = "/usr/bin/service";
  const std::filesystem::path file = proc_ / "service";
  std::filesystem::copy_file("/bin/true", file);
  std::filesystem::create_directories(proc_ / "77" / "map_files");
  std::filesystem::create_symlink(file, proc_ / "77" / "map_files" / "1000-2000");
  set_executable(path);
  map(path);
  Survey survey(proc_.string());
  EXPECT_TRUE(survey.run().empty());
  EXPECT_TRUE(survey.run().empty());
  std::ofstream(file, std::ios::app) << "ssl/ssl_lib.c";
  const auto rows = survey.run();
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].verdict, TlsVerdict::kUnknownBuild);
}

TEST_F(SurveyTest, FilesBeyondTheLimitAreLookedAtAgain) {
  const auto mapping = [](uint64_t number) {
    Mapping made;
    made.start = number << 12;
    made.end = made.start + 0x1000;
    made.file.inode = number;
    made.path = "/usr/bin/service";
    return made;
  };
  std::filesystem::create_directories(proc_ / "77" / "map_files");
  for (const uint64_t number : {1, 2, 3}) {
    const std::filesystem::path file = proc_ / ("service" + std::to_string(number));
    std::filesystem::copy_file("/bin/true", file);
    std::ofstream(file, std::ios::app) << "/rustls-0.";
    const std::string name = std::to_string(number) + "000-" + std::to_string(number + 1) + "000";
    std::filesystem::create_symlink(file, proc_ / "77" / "map_files" / name);
  }
  FileJudge judge(proc_.string(), 2);
  judge.begin_run();
  for (const uint64_t number : {1, 2, 3, 1, 2, 3}) {
    EXPECT_EQ(judge.judge(77, mapping(number), true).tls, TlsVerdict::kRustls);
    EXPECT_LE(judge.known(), 2U);
  }
}

TEST_F(SurveyTest, UnreadableProcessIsNamed) {
  const auto rows = run();  // neither exe nor maps
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].verdict, TlsVerdict::kUnreadable);
  EXPECT_EQ(rows[0].executable, "service");
}

TEST_F(SurveyTest, KernelThreadsAreLeftOut) {
  std::ofstream(proc_ / "77" / "stat") << "77 (kworker/0:1) I 2 0 0 0 -1 69238880 0 0 0";
  EXPECT_TRUE(run().empty());
}

TEST(TlsVerdicts, EachHasItsNameAndSentence) {
  std::set<std::string_view> names;
  for (size_t i = 0; i < static_cast<size_t>(TlsVerdict::kCount); ++i) {
    names.insert(tls_verdict_name(static_cast<TlsVerdict>(i)));
    EXPECT_FALSE(tls_verdict_sentence(static_cast<TlsVerdict>(i)).empty());
  }
  EXPECT_EQ(names.size(), static_cast<size_t>(TlsVerdict::kCount));
}

}  // namespace
}  // namespace wiretally::uprobe
