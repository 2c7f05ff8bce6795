#include "uretprobe_filter.h"

#include <gtest/gtest.h>
#include <sys/utsname.h>

#include <cstdio>
#include <utility>

namespace wiretally::uprobe {
namespace {

using Trial = UretprobeTrial;
using Verdict = UretprobeFilter;

TEST(UretprobeFilters, ATrialTellsWhateverTheVersion) {
  for (const char* release : {"5.15.0", "6.1.0-18-amd64", "6.12.3", "6.18.0", "nonsense"}) {
    EXPECT_EQ(judge_uretprobe_filter(Trial::kReached, Trial::kReached, false, release),
              Verdict::kHarmless);
    EXPECT_EQ(judge_uretprobe_filter(Trial::kReached, Trial::kStopped, false, release),
              Verdict::kDangerous);
    EXPECT_EQ(judge_uretprobe_filter(Trial::kAbsent, Trial::kStopped, false, release),
              Verdict::kHarmless);
    // It came through a filter of others, too.
    EXPECT_EQ(judge_uretprobe_filter(Trial::kReached, Trial::kReached, true, release),
              Verdict::kHarmless);
    EXPECT_EQ(judge_uretprobe_filter(Trial::kReached, Trial::kStopped, true, release),
              Verdict::kDangerous);
  }
}

// A filter around us may answer as if there were no such call.
TEST(UretprobeFilters, TheVersionIsAskedWhereATrialTellsNothing) {
  const std::pair<const char*, Verdict> cases[] = {
      {"5.15.0-91-generic", Verdict::kHarmless},
      {"6.10.14", Verdict::kHarmless},
      {"6.11.0", Verdict::kUnknown},
      {"6.12.48+deb13-amd64", Verdict::kUnknown},
      {"6.13.7-arch1-1", Verdict::kUnknown},
      {"6.14.0", Verdict::kHarmless},
      {"7.0.0", Verdict::kHarmless},
      {"", Verdict::kUnknown},
      {"6", Verdict::kUnknown},
  };
  for (const auto& [release, verdict] : cases) {
    for (const Trial free : {Trial::kAbsent, Trial::kStopped, Trial::kFailed}) {
      EXPECT_EQ(judge_uretprobe_filter(free, Trial::kStopped, true, release), verdict) << release;
    }
    EXPECT_EQ(judge_uretprobe_filter(Trial::kFailed, Trial::kFailed, false, release), verdict)
        << release;
  }
}

#if defined(__x86_64__)
TEST(UretprobeFilters, ThisKernelIsTried) {
  utsname name{};
  ASSERT_EQ(::uname(&name), 0);
  unsigned major = 0, minor = 0;
  ASSERT_EQ(std::sscanf(name.release, "%u.%u", &major, &minor), 2);
  const bool fixed = std::pair(major, minor) >= std::pair(6U, 14U);
  const bool before = std::pair(major, minor) < std::pair(6U, 11U);
  // A release that says nothing: the answer is the trial's.
  const Verdict verdict = try_uretprobe_filter("");
  if (fixed) {
    EXPECT_EQ(verdict, Verdict::kHarmless);
  } else if (before) {
    EXPECT_NE(verdict, Verdict::kDangerous);
  }
}
#endif

}  // namespace
}  // namespace wiretally::uprobe
