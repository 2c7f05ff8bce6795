#include "uretprobe_filter.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <fstream>
#include <string>
#include <utility>

namespace wiretally::uprobe {
namespace {

constexpr unsigned kUretprobe = 335;  // of x86-64; no other machine has it

// 6.11 has the call, 6.14 the fix.
bool has_both_kinds(std::string_view release) {
  unsigned major = 0, minor = 0;
  if (std::sscanf(std::string(release).c_str(), "%u.%u", &major, &minor) != 2) return true;
  const auto version = std::pair(major, minor);
  return version >= std::pair(6U, 11U) && version < std::pair(6U, 14U);
}

#if defined(__x86_64__)
bool set_filter() {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kUretprobe, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{.len = std::size(program), .filter = program};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

[[noreturn]] void leave(UretprobeTrial trial) { ::_exit(static_cast<int>(trial)); }

// The child's; between fork and _exit it calls nothing but the kernel.
[[noreturn]] void make_call(bool filtered) {
  ::signal(SIGILL, [](int) { leave(UretprobeTrial::kReached); });
  if (filtered && !set_filter()) leave(UretprobeTrial::kFailed);
  ::syscall(kUretprobe);
  leave(errno == ENOSYS ? UretprobeTrial::kAbsent : UretprobeTrial::kStopped);
}

UretprobeTrial try_call(bool filtered) {
  const pid_t child = ::fork();
  if (child == 0) make_call(filtered);
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child) return UretprobeTrial::kFailed;
  if (WIFSIGNALED(status)) return UretprobeTrial::kStopped;  // by a filter that kills
  return static_cast<UretprobeTrial>(WEXITSTATUS(status));
}

// proc(5): 2 is a filter.
bool lives_under_a_filter() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("Seccomp:")) return line.find('2') != std::string::npos;
  }
  return true;  // nobody says
}
#endif

}  // namespace

UretprobeFilter judge_uretprobe_filter(UretprobeTrial free, UretprobeTrial filtered, bool confined,
                                       std::string_view release) {
  const bool told = !confined || free == UretprobeTrial::kReached;
  if (told && filtered == UretprobeTrial::kReached) return UretprobeFilter::kHarmless;
  if (told && free == UretprobeTrial::kAbsent) return UretprobeFilter::kHarmless;
  if (told && free == UretprobeTrial::kReached && filtered == UretprobeTrial::kStopped) {
    return UretprobeFilter::kDangerous;
  }
  return has_both_kinds(release) ? UretprobeFilter::kUnknown : UretprobeFilter::kHarmless;
}

UretprobeFilter try_uretprobe_filter([[maybe_unused]] std::string_view release) {
#if defined(__x86_64__)
  return judge_uretprobe_filter(try_call(false), try_call(true), lives_under_a_filter(), release);
#else
  return UretprobeFilter::kHarmless;
#endif
}

}  // namespace wiretally::uprobe
