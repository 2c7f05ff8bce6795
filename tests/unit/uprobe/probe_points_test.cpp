#include "probe_points.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "file_descriptor.h"
#include "tls_functions.h"

namespace wiretally::uprobe {
namespace {

// A file of code: SSL_read at 0x100, SSL_read_ex at 0x200, what they call at 0x40.
class SharedFunction : public testing::Test {
 protected:
  SharedFunction() {
    report_.code.push_back({0, sizeof code_});
    put(0x40, {0x41, 0x55});                           // push %r13
    put(0x100, {0x48, 0x83, 0xec, 0x18, 0x31, 0xc0});  // sub, xor
    put_call(0x110, 0x40);
    put(0x200, {0x48, 0x83, 0xec, 0x08});  // sub
    put_call(0x204, 0x40);
  }

  void put(size_t at, std::initializer_list<uint8_t> bytes) {
    std::copy(bytes.begin(), bytes.end(), code_ + at);
  }
  void put_call(size_t at, size_t target) {
    code_[at] = 0xe8;
    const auto distance = static_cast<int32_t>(target) - static_cast<int32_t>(at + 5);
    std::memcpy(code_ + at + 1, &distance, sizeof distance);
  }
  uint64_t find() {
    const FileDescriptor file(::memfd_create("code", MFD_CLOEXEC));
    EXPECT_EQ(::write(file.get(), code_, sizeof code_), static_cast<ssize_t>(sizeof code_));
    return find_shared_function(file.get(), report_, {0x100, 0x40}, {0x200, 0x20});
  }

  ElfReport report_;
  uint8_t code_[0x300] = {};
};

#if defined(__x86_64__)
TEST_F(SharedFunction, IsFoundWhenBothCallIt) { EXPECT_EQ(find(), 0x40U); }

TEST_F(SharedFunction, NeedsTheShellsExactForm) {
  put(0x200, {0x48, 0x89, 0xf7, 0x90});  // mov %rsi,%rdi: an argument is lost
  EXPECT_EQ(find(), 0U);
}

TEST_F(SharedFunction, NeedsAPushUnderTheProbe) {
  put(0x40, {0x48, 0x83});
  EXPECT_EQ(find(), 0U);
}

TEST_F(SharedFunction, NeedsTheOtherToCallItToo) {
  put_call(0x110, 0x48);
  EXPECT_EQ(find(), 0U);
}

TEST_F(SharedFunction, MustLieInTheSameCode) {
  report_.code = {{0x100, 0x300}};
  EXPECT_EQ(find(), 0U);
  report_.code = {{0, 0x80}, {0x100, 0x300}};
  EXPECT_EQ(find(), 0U);
}

TEST_F(SharedFunction, MayNotLieBeforeTheFile) {
  const int32_t far = -0x10000;
  std::memcpy(code_ + 0x205, &far, sizeof far);
  EXPECT_EQ(find(), 0U);
}
#endif

TEST(ProbePoints, ExportedFunctionsWithoutProof) {
  ElfReport report;
  report.functions.resize(kTlsFunctions.size());
  for (size_t i = 0; i < kTlsFunctions.size(); ++i) report.functions[i] = {0x1000 * (i + 1), 64};
  const std::vector<ProbePoint> points = choose_probe_points(-1, report);
  ASSERT_EQ(points.size(), kTlsFunctions.size());
  EXPECT_EQ(points[0].file_offset, 0x1000U);
  EXPECT_EQ(points.back().function, WT_FN_NEW) << "the birth comes last";
}

void set(ElfReport& report, wt_function function, uint64_t offset) {
  for (size_t i = 0; i < kTlsFunctions.size(); ++i) {
    if (kTlsFunctions[i].function == function) report.functions[i] = {offset, 64};
  }
}

TEST(ProbePoints, NoTlsLibraryWithoutReadAndWrite) {
  ElfReport report;
  EXPECT_TRUE(choose_probe_points(-1, report).empty());
  report.functions.resize(kTlsFunctions.size());
  set(report, WT_FN_READ, 0x1000);
  EXPECT_TRUE(choose_probe_points(-1, report).empty());
  set(report, WT_FN_WRITE, 0x2000);
  EXPECT_EQ(choose_probe_points(-1, report).size(), 2U);
}

}  // namespace
}  // namespace wiretally::uprobe
