#include "proc_directory.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

namespace wiretally::identity {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kId = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
constexpr std::string_view kOtherId =
    "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";
constexpr std::string_view kUid = "12345678-9abc-def0-1234-56789abcdef0";
constexpr std::string_view kUidOfSystemd = "12345678_9abc_def0_1234_56789abcdef0";

struct CgroupCase {
  std::string path;
  std::string_view container;
  std::string_view pod;
};

TEST(Cgroup, ReadsEveryWriting) {
  const std::string id(kId);
  const std::string uid(kUid);
  const std::string systemd_uid(kUidOfSystemd);
  const CgroupCase cases[] = {
      {"/docker/" + id, kId, ""},
      {"/system.slice/docker-" + id + ".scope", kId, ""},
      {"/kubepods/burstable/pod" + uid + "/" + id, kId, kUid},
      {"/kubepods/pod" + uid + "/" + id, kId, kUid},
      {"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + systemd_uid +
           ".slice/cri-containerd-" + id + ".scope",
       kId, kUid},
      {"/kubepods.slice/kubepods-pod" + systemd_uid + ".slice/crio-" + id + ".scope", kId, kUid},
      {"/kubepods.slice/kubepods-pod" + systemd_uid + ".slice/docker-" + id + ".scope/init", kId,
       kUid},
      {"/kubepods/burstable/pod0123456789abcdef0123456789abcdef/" + id, kId,
       "0123456789abcdef0123456789abcdef"},
      {"/machine.slice/libpod-" + id + ".scope/container", kId, ""},
      {"/docker/" + std::string(kOtherId) + "/kubelet/kubepods/pod" + uid + "/" + id, kId, kUid},
      {"/../../kubepods/burstable/pod" + uid + "/" + id, kId, kUid},
      {"/kubepods.slice/kubepods-pod" + systemd_uid + ".slice/crio-conmon-" + id + ".scope", "",
       kUid},
      {"/user.slice/user-1000.slice/session-3.scope", "", ""},
      {"/system.slice/podman.service", "", ""},
      {"/tripod/x", "", ""},
      {"/docker/" + id.substr(1), "", ""},
      {"/docker/" + id.substr(1) + "X", "", ""},
      {"/podnot-a-uid/x", "", ""},
      {"/", "", ""},
      {"", "", ""},
  };
  for (const CgroupCase& each : cases) {
    const ContainerIdentity found = read_container("0::" + each.path + "\n");
    EXPECT_EQ(found.container_id.view(), each.container) << each.path;
    EXPECT_EQ(found.pod_uid.view(), each.pod) << each.path;
  }
}

TEST(Cgroup, ReadsVersion1) {
  const std::string path = "/kubepods/pod" + std::string(kUid) + "/" + std::string(kId);
  const ContainerIdentity found =
      read_container("12:rdma:/\n11:cpu,cpuacct:" + path + "\n1:name=systemd:" + path + "\n0::/\n");
  EXPECT_EQ(found.container_id.view(), kId);
  EXPECT_EQ(found.pod_uid.view(), kUid);
}

TEST(Cgroup, TakesAnythingElseAsUnknown) {
  for (const std::string_view text : {"", "\n", "::", "0", "no colons at all", "0::\n0::\n"}) {
    EXPECT_TRUE(read_container(text).container_id.empty()) << text;
  }
}

class FakeProc : public testing::Test {
 protected:
  static constexpr uint64_t kTickNs = 10'000'000;

  FakeProc() {
    std::string pattern = testing::TempDir() + "wiretally-proc-XXXXXX";
    root_ = ::mkdtemp(pattern.data());
  }
  ~FakeProc() override { fs::remove_all(root_); }

  void run(uint32_t pid, std::string_view name, uint64_t start_ticks) const {
    const fs::path folder = root_ / std::to_string(pid);
    fs::create_directories(folder);
    std::ofstream(folder / "stat") << pid << " (" << name << ") S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 "
                                   << "15 16 17 18 " << start_ticks << " 20 21\n";
    std::ofstream(folder / "comm") << name << "\n";
    std::ofstream(folder / "cgroup") << "0::/docker/" << kId << "\n";
    fs::remove(folder / "exe");
    fs::create_symlink("/usr/bin/" + std::string(name), folder / "exe");
  }
  void exit(uint32_t pid) const { fs::remove_all(root_ / std::to_string(pid)); }
  ProcDirectory directory(size_t processes_max = 100) const {
    return ProcDirectory({.proc_root = root_, .processes_max = processes_max});
  }

  fs::path root_;
};

TEST_F(FakeProc, FindsAProcessThatWasNeverObserved) {
  run(7, "python3", 5000);
  const ProcDirectory processes = directory();
  const auto found = processes.find(7, 5000 * kTickNs + 123);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->name.view(), "python3");
  EXPECT_EQ(found->executable.view(), "/usr/bin/python3");
  EXPECT_EQ(found->container_id.view(), kId);
  EXPECT_TRUE(found->pod_uid.empty());
}

TEST_F(FakeProc, KnowsAnObservedProcessAfterItsExit) {
  run(7, "job", 5000);
  ProcDirectory processes = directory();
  processes.observe(7);
  exit(7);
  ASSERT_TRUE(processes.find(7, 5000 * kTickNs));
  EXPECT_FALSE(processes.find(8, 5000 * kTickNs));
}

TEST_F(FakeProc, TellsProcessesWithOnePidApart) {
  run(7, "first", 5000);
  ProcDirectory processes = directory();
  processes.observe(7);
  EXPECT_FALSE(processes.find(7, 5002 * kTickNs));
  EXPECT_FALSE(processes.find(7, 4998 * kTickNs));
  EXPECT_TRUE(processes.find(7, 5001 * kTickNs)) << "one tick off is rounding";
  EXPECT_TRUE(processes.find(7, 4999 * kTickNs));
  run(7, "second", 9000);
  EXPECT_EQ(processes.find(7, 9000 * kTickNs)->name.view(), "second");
  EXPECT_FALSE(processes.find(7, 5000 * kTickNs));
}

TEST_F(FakeProc, ObservingAgainShowsTheNameAfterAnExec) {
  run(7, "sh", 5000);
  ProcDirectory processes = directory();
  processes.observe(7);
  run(7, "curl", 5000);
  EXPECT_EQ(processes.find(7, 5000 * kTickNs)->name.view(), "sh");
  processes.observe(7);
  EXPECT_EQ(processes.find(7, 5000 * kTickNs)->name.view(), "curl");
}

TEST_F(FakeProc, KnowsOnlySoMany) {
  ProcDirectory processes = directory(2);
  for (uint32_t pid = 1; pid <= 3; ++pid) {
    run(pid, "p", 5000);
    processes.observe(pid);
    processes.observe(pid);
    exit(pid);
  }
  EXPECT_EQ(processes.evicted(), 1u);
  EXPECT_FALSE(processes.find(1, 5000 * kTickNs));
  EXPECT_TRUE(processes.find(2, 5000 * kTickNs));
  EXPECT_TRUE(processes.find(3, 5000 * kTickNs));
}

TEST_F(FakeProc, ReadsNamesWithSpacesAndParentheses) {
  run(7, "a) S (b", 5000);
  const ProcDirectory processes = directory();
  const auto found = processes.find(7, 5000 * kTickNs);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->name.view(), "a) S (b");
}

TEST_F(FakeProc, DropsTheMarkOfADeletedExecutable) {
  run(7, "job (deleted)", 5000);
  EXPECT_EQ(directory().find(7, 5000 * kTickNs)->executable.view(), "/usr/bin/job");
}

TEST_F(FakeProc, TakesABrokenStatAsUnknown) {
  run(7, "x", 5000);
  for (const std::string_view text : {"", "7", "7 (x", "7 (x) S 1 2",
                                      "7 (x) S 1 2 3 4 5 6 7 8 9 10 "
                                      "11 12 13 14 15 16 17 18 nan 20"}) {
    std::ofstream(root_ / "7" / "stat") << text;
    EXPECT_FALSE(directory().find(7, 5000 * kTickNs)) << text;
  }
}

TEST_F(FakeProc, PidZeroIsNobody) {
  run(0, "x", 0);
  EXPECT_FALSE(directory().find(0, 0));
}

TEST_F(FakeProc, MayBeAskedWhileItObserves) {
  run(7, "x", 5000);
  ProcDirectory processes = directory();
  processes.observe(7);
  std::jthread observer([&] {
    for (int i = 0; i < 200; ++i) processes.observe(7);
  });
  for (int i = 0; i < 200; ++i) EXPECT_TRUE(processes.find(7, 5000 * kTickNs));
}

TEST(RealProc, KnowsThisProcess) {
  // The start in ticks, from the same file, is all there is without the kernel's own number; what
  // is tested is the reading of a real /proc.
  std::ifstream file("/proc/self/stat");
  std::string stat((std::istreambuf_iterator<char>(file)), {});
  std::istringstream fields(stat.substr(stat.rfind(')') + 2));
  std::string field;
  for (int i = 3; i <= 22; ++i) fields >> field;
  const ProcDirectory processes;
  const auto found =
      processes.find(static_cast<uint32_t>(::getpid()), std::stoull(field) * 10'000'000);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->executable.view(), fs::read_symlink("/proc/self/exe").string());
  EXPECT_FALSE(found->name.empty());
}

}  // namespace
}  // namespace wiretally::identity
