// Why a connection cannot be read, told from a made-up /proc with one process.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "connection_owners.h"

namespace wiretally {
namespace {

class OpaqueJudgeTest : public testing::Test {
 protected:
  OpaqueJudgeTest()
      : proc_(std::filesystem::temp_directory_path() /
              ("wiretally_opaque_judge_test_" + std::to_string(::getpid()))),
        program_(proc_ / "program") {
    std::filesystem::create_directories(proc_ / "77" / "map_files");
    std::filesystem::create_symlink("/usr/bin/service", proc_ / "77" / "exe");
    std::filesystem::create_symlink(program_, proc_ / "77" / "map_files" / "1000-2000");
    std::filesystem::copy_file("/bin/true", program_);
  }
  ~OpaqueJudgeTest() override { std::filesystem::remove_all(proc_); }

  // The process maps its program and, if named, a library.
  void map(const std::string& library) {
    std::ofstream maps(proc_ / "77" / "maps");
    maps << "1000-2000 r-xp 00000000 08:01 9                  /usr/bin/service\n";
    if (!library.empty()) {
      maps << "3000-4000 r-xp 00000000 08:01 10                 " << library << "\n";
    }
  }
  OpaqueReason judge(bool probes_run = true) { return judge_.judge(77, probes_run); }

  const std::filesystem::path proc_;
  const std::filesystem::path program_;
  OpaqueJudge judge_{proc_.string()};
};

TEST_F(OpaqueJudgeTest, LibrariesAreKnownByName) {
  map("");
  EXPECT_EQ(judge(), OpaqueReason::kOther);
  map("/opt/java/lib/server/libjvm.so");
  EXPECT_EQ(judge(), OpaqueReason::kJava);
  map("/usr/lib/libgnutls.so.30");
  EXPECT_EQ(judge(false), OpaqueReason::kOther);
  map("/usr/lib/libssl3.so");  // NSS
  EXPECT_EQ(judge(false), OpaqueReason::kOther);
  map("/wheel/libssl-1a2b.so.3");
  EXPECT_EQ(judge(false), OpaqueReason::kNotAttached);
  EXPECT_EQ(judge(true), OpaqueReason::kOther);
}

TEST_F(OpaqueJudgeTest, WhatIsCompiledInIsKnownByItsTraces) {
  map("");
  std::ofstream(program_, std::ios::app) << "/root/.cargo/rustls-0.23.1/src/lib.rs";
  EXPECT_EQ(judge(), OpaqueReason::kRustls);
}

// The same inode: the file is looked at again, because it has changed.
TEST_F(OpaqueJudgeTest, AChangedProgramIsLookedAtAgain) {
  map("");
  EXPECT_EQ(judge(), OpaqueReason::kOther);
  std::ofstream(program_, std::ios::app) << "../ssl/ssl_lib.cc";
  EXPECT_EQ(judge(), OpaqueReason::kUnknownBuild);
}

TEST_F(OpaqueJudgeTest, AProcessThatIsGoneGivesNoReason) {
  EXPECT_EQ(judge_.judge(78, true), OpaqueReason::kOther);
}

}  // namespace
}  // namespace wiretally
