#include "process_maps.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace wiretally::uprobe {
namespace {

TEST(ProcessMaps, ParsesExecutableMappingsOfFiles) {
  Mapping mapping;
  ASSERT_TRUE(
      parse_mapping("7f01000-7f02000 r-xp 00035000 fd:12 1234                       /usr/lib/lib "
                    "ssl.so (deleted)",
                    &mapping));
  EXPECT_EQ(mapping.start, 0x7f01000U);
  EXPECT_EQ(mapping.end, 0x7f02000U);
  EXPECT_EQ(mapping.file_offset, 0x35000U);
  EXPECT_EQ(mapping.file, (FileKey{0xfdU << 20 | 0x12, 1234}));
  EXPECT_EQ(mapping.path, "/usr/lib/lib ssl.so (deleted)");
}

TEST(ProcessMaps, PassesOverTheRest) {
  Mapping mapping;
  for (const char* line : {
           "7f01000-7f02000 r--p 00035000 08:01 1234    /usr/lib/libssl.so.3",
           "7f01000-7f02000 r-xp 00000000 00:00 0       [vdso]",
           "7f01000-7f02000 r-xp 00000000 00:00 0 ",
           "7f01000-7f02000",
           "7f01000 r-xp",
           "zz-7f02000 r-xp 00035000 08:01 1234    /usr/lib/libssl.so.3",
           "7f01000-7f02000 r-xp 00035000 08:01 12345",
           "",
       }) {
    EXPECT_FALSE(parse_mapping(line, &mapping)) << line;
  }
}

TEST(ProcessMaps, SeesItself) {
  const auto self = static_cast<uint32_t>(::getpid());
  bool found = false;
  EXPECT_TRUE(visit_mappings("/proc", self, [&](const Mapping& mapping) {
    found = found || mapping.path.ends_with("unit_uprobe");
    return true;
  }));
  EXPECT_TRUE(found);
  const std::vector<uint32_t> processes = list_processes("/proc");
  EXPECT_NE(std::find(processes.begin(), processes.end(), self), processes.end());
  EXPECT_FALSE(visit_mappings("/no/such/folder", self, [](const Mapping&) { return true; }));
  EXPECT_TRUE(list_processes("/no/such/folder").empty());
}

// A file name of 4 000 characters, and lines that straddle the reader's blocks.
TEST(ProcessMaps, ReadsLongFiles) {
  const std::filesystem::path proc = std::filesystem::temp_directory_path() /
                                     ("wiretally_maps_test_" + std::to_string(::getpid()));
  std::filesystem::create_directories(proc / "42");
  {
    std::ofstream maps(proc / "42" / "maps");
    for (int i = 1; i <= 1000; ++i) {
      maps << "1000-2000 r-xp 00000000 08:01 " << i << " /"
           << std::string(i % 100 == 0 ? 4000 : 100, 'x')
           << "\n1000-2000 rw-p 00000000 08:01 7 /data\n";
    }
  }
  uint64_t expected = 0;
  EXPECT_TRUE(visit_mappings(proc, 42, [&](const Mapping& mapping) {
    EXPECT_EQ(mapping.file.inode, ++expected);
    return true;
  }));
  EXPECT_EQ(expected, 1000U);
  std::filesystem::remove_all(proc);
}

}  // namespace
}  // namespace wiretally::uprobe
