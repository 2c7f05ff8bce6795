// Real probes on real processes. Needs root and a kernel with BTF; skips with the reason where
// that is missing.
#include <bpf/bpf.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "live.h"
#include "tls_functions.h"

namespace wiretally::uprobe {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr size_t kWritten = static_cast<size_t>(Transfer::kWritten);
constexpr size_t kRead = static_cast<size_t>(Transfer::kRead);
constexpr uint64_t kMiB = 1 << 20;

std::string pattern_text(uint64_t from, uint64_t size, int direction) {
  std::string text(size, '\0');
  for (uint64_t i = 0; i < size; ++i) text[i] = static_cast<char>(pattern(from + i, direction));
  return text;
}

// Every chunk holds the bytes that belong at its offset.
void expect_bytes_in_place(const Heard& heard, size_t way, int direction) {
  for (const auto& [offset, bytes] : heard.chunks[way]) {
    ASSERT_EQ(bytes, pattern_text(offset, bytes.size(), direction)) << "at offset " << offset;
  }
}

// What the kernel offers, and what older ones would.
enum class Links { kMulti, kPerf, kNoCookies };

const char* links_word(Links links) {
  static constexpr const char* kWords[] = {"multi", "perf", "no_cookies"};
  return kWords[static_cast<size_t>(links)];
}
void PrintTo(Links links, std::ostream* out) { *out << links_word(links); }

class ProbeSourceTest : public testing::TestWithParam<Links> {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    if (::access("/sys/kernel/btf/vmlinux", R_OK) != 0) GTEST_SKIP() << "the kernel has no BTF";
    folder_ = std::filesystem::temp_directory_path() /
              ("wiretally_probe_test_" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
    // The victims use a copy of their own, so that nobody else's traffic is counted.
    ::setenv("LD_LIBRARY_PATH", copy_library(folder_ / "own").c_str(), 1);
    // Somebody has it mapped before the source starts, so it is probed from the beginning.
    holder_ = std::make_unique<Victim>(pair({"say"}));
    holder_->line();
  }
  void TearDown() override {
    ::unsetenv("LD_LIBRARY_PATH");
    holder_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  std::unique_ptr<LiveSource> start(ProbeOptions options = {}) {
    options = as_kernel(options);
    options.only_under = folder_;
    auto live = std::make_unique<LiveSource>(options);
    EXPECT_EQ(live->error, "");
    return live;
  }

  static ProbeOptions as_kernel(ProbeOptions options) {
    options.force_perf_links = GetParam() != Links::kMulti;
    options.force_no_cookies = GetParam() == Links::kNoCookies;
    return options;
  }
  static bool slow_links() { return GetParam() != Links::kMulti; }

  static std::vector<std::string> pair(std::vector<std::string> steps) {
    steps.insert(steps.begin(), TLS_PAIR);
    return steps;
  }

  // A copy of the system's libssl that nobody has ever mapped; returns its folder.
  static std::string copy_library(const std::filesystem::path& folder) {
    std::filesystem::create_directories(folder);
    for (const char* name : {"libssl.so.3", "libcrypto.so.3"}) {
      std::filesystem::copy_file(std::filesystem::path(LIBRARY_FOLDER) / name, folder / name);
    }
    return folder.string();
  }
  static std::vector<std::string> with_library(const std::string& folder) {
    return {"LD_LIBRARY_PATH=" + folder};
  }

  std::filesystem::path folder_;
  std::unique_ptr<Victim> holder_;
};

std::string links_name(const testing::TestParamInfo<Links>& parameter) {
  return links_word(parameter.param);
}

INSTANTIATE_TEST_SUITE_P(Kernel, ProbeSourceTest,
                         testing::Values(Links::kMulti, Links::kPerf, Links::kNoCookies),
                         links_name);

TEST_P(ProbeSourceTest, HearsExactBytesOfBothForms) {
  auto live = start();
  for (const bool extended : {false, true}) {
    std::vector<std::string> steps = {"w:1",     "r:100",   "w:128",   "w:129",
                                      "r:16384", "w:16385", "r:40000", "w:3"};
    if (extended) steps.insert(steps.begin(), "--ex");
    Victim victim(pair(steps));
    const uint32_t pid = victim.pid();
    EXPECT_EQ(victim.wait(), 0);
    ASSERT_TRUE(live->wait_for_end(pid));
    const uint64_t there = 1 + 128 + 129 + 16385 + 3;
    const uint64_t back = 100 + 16384 + 40000;
    ASSERT_EQ(live->sink.of_process(pid).size(), 2U);
    for (int end = 0; end < 2; ++end) {
      const auto found = live->sink.ends(pid, end);
      ASSERT_EQ(found.size(), 1U);
      const Heard& heard = *found[0];
      const size_t way_there = end == 0 ? kWritten : kRead;
      EXPECT_EQ(heard.bytes[way_there], pattern_text(0, there, 0));
      EXPECT_EQ(heard.bytes[1 - way_there], pattern_text(0, back, 1));
      EXPECT_FALSE(heard.joined);
      EXPECT_EQ(heard.closes[0].reason, CloseReason::kFreed);
      EXPECT_EQ(heard.closes[0].written_offset, end == 0 ? there : back);
      EXPECT_EQ(heard.closes[0].read_offset, end == 0 ? back : there);
    }
  }
}

TEST_P(ProbeSourceTest, OneCallOfTwentyMiBIsWhole) {
  auto live = start();
  Victim victim(pair({"w:20971520"}));
  const uint32_t pid = victim.pid();
  ASSERT_TRUE(live->wait_for_end(pid));
  EXPECT_EQ(victim.wait(), 0);
  const auto clients = live->sink.ends(pid, 0);
  ASSERT_EQ(clients.size(), 1U);
  EXPECT_EQ(clients[0]->seen[kWritten], 20 * kMiB);
  EXPECT_EQ(clients[0]->gaps[kWritten], 0U);
  expect_bytes_in_place(*clients[0], kWritten, 0);
}

TEST_P(ProbeSourceTest, SmallRingLosesExactly) {
  auto live = start({.ring_mib = 1});
  Victim victim(pair({"w:20971520", "say"}));
  const uint32_t pid = victim.pid();
  EXPECT_EQ(victim.line(), "here");  // nobody has read meanwhile
  ASSERT_TRUE(live->poll_until([&] {
    const auto found = live->sink.of_process(pid);
    return !found.empty() && !found[0]->audits.empty();
  }));
  const Heard& client = *live->sink.of_process(pid)[0];
  EXPECT_GT(client.seen[kWritten], 0U);
  EXPECT_LT(client.seen[kWritten], 20 * kMiB);
  const uint64_t tail = client.audits.back().written_offset - client.next[kWritten];
  EXPECT_EQ(client.seen[kWritten] + client.gaps[kWritten] + tail, 20 * kMiB);
  expect_bytes_in_place(client, kWritten, 0);

  victim.go_on();
  EXPECT_EQ(victim.wait(), 0);
  ASSERT_TRUE(live->wait_for_end(pid));
  live->stop();
  // Both ends moved 20 MiB; what was not seen is counted as missing, to the byte.
  uint64_t seen = 0;
  for (const Heard* heard : live->sink.of_process(pid)) seen += heard->seen[0] + heard->seen[1];
  const auto& counters = live->counters.of(Source::kTls);
  const auto ring = static_cast<size_t>(MissingReason::kTlsRingFull);
  EXPECT_EQ(seen + counters.missing_bytes[ring].value(), 40 * kMiB);
  EXPECT_EQ(counters.captured_bytes.value(), seen);
}

TEST_P(ProbeSourceTest, UnreadableBufferIsAGap) {
  auto live = start();
  Victim victim(pair({"w:5", "fault:1000", "w:10"}));
  const uint32_t pid = victim.pid();
  EXPECT_EQ(victim.wait(), 0);
  ASSERT_TRUE(live->wait_for_end(pid));
  const auto clients = live->sink.ends(pid, 0);
  ASSERT_EQ(clients.size(), 1U);
  EXPECT_EQ(clients[0]->seen[kWritten], 15U);
  EXPECT_EQ(clients[0]->gaps[kWritten], 1000U);
  expect_bytes_in_place(*clients[0], kWritten, 0);
  const auto servers = live->sink.ends(pid, 1);
  ASSERT_EQ(servers.size(), 1U);
  EXPECT_EQ(servers[0]->seen[kRead], 1015U);
  const auto fault = static_cast<size_t>(MissingReason::kTlsCopyFault);
  EXPECT_EQ(live->counters.of(Source::kTls).missing_bytes[fault].value(), 1000U);
}

TEST_P(ProbeSourceTest, ForkedChildGoesOnWithItsParentsConnection) {
  auto live = start();
  Victim victim(pair({"w:100", "fork", "w:50", "new", "w:10"}));
  const uint32_t parent = victim.pid();
  EXPECT_EQ(victim.wait(), 0);
  ASSERT_TRUE(live->poll_until([&] {
    size_t closed = 0;
    for (const auto& [key, heard] : live->sink.connections) closed += heard.closes.size();
    return closed >= 6;
  }));
  size_t joined = 0;
  size_t born = 0;
  for (const auto& [key, heard] : live->sink.connections) {
    if (std::get<0>(key) == parent) {
      EXPECT_EQ(heard.closes[0].reason, CloseReason::kExit);
      continue;
    }
    if (heard.joined) {
      ++joined;
      EXPECT_EQ(heard.seen[0] + heard.seen[1], 50U);
    } else {
      ++born;
      EXPECT_EQ(heard.seen[0] + heard.seen[1], 10U);
    }
  }
  EXPECT_EQ(joined, 2U);
  EXPECT_EQ(born, 2U);
}

// It may be gone before its first call is read from the ring.
TEST_P(ProbeSourceTest, TellsOfAProcessWhileItRuns) {
  std::mutex mutex;
  std::map<uint32_t, std::string> names;
  ProbeOptions options;
  options.on_process = [&](uint32_t pid) {
    std::string name;
    std::getline(std::ifstream("/proc/" + std::to_string(pid) + "/comm"), name);
    const std::lock_guard lock(mutex);
    if (!name.empty()) names[pid] = name;
  };
  auto live = start(options);
  Victim victim(pair({"w:1"}));
  const uint32_t pid = victim.pid();
  EXPECT_EQ(victim.wait(), 0);
  ASSERT_TRUE(live->wait_for_end(pid));
  const std::lock_guard lock(mutex);
  EXPECT_EQ(names[pid], std::filesystem::path(TLS_PAIR).filename().string());
}

TEST_P(ProbeSourceTest, ReusedPointersAreNewGenerations) {
  auto live = start();
  std::vector<std::string> steps = {"w:7"};
  for (int i = 0; i < 5; ++i) {
    steps.insert(steps.end(), {"new", "w:7", "clear", "w:7"});
  }
  Victim victim(pair(steps));
  const uint32_t pid = victim.pid();
  EXPECT_EQ(victim.wait(), 0);
  ASSERT_TRUE(live->poll_until([&] { return live->sink.of_process(pid).size() == 22; }));
  ASSERT_TRUE(live->wait_for_end(pid));
  for (const Heard* heard : live->sink.of_process(pid)) {
    EXPECT_EQ(heard->seen[0] + heard->seen[1], 7U);
    EXPECT_EQ(heard->closes.size(), 1U);
    EXPECT_FALSE(heard->disorder);
  }
}

TEST_P(ProbeSourceTest, KilledProcessClosesItsConnections) {
  auto live = start();
  Victim victim(pair({"w:100", "say"}));
  const uint32_t pid = victim.pid();
  EXPECT_EQ(victim.line(), "here");
  ASSERT_TRUE(live->poll_until([&] { return live->sink.of_process(pid).size() == 2; }));
  victim.kill();
  EXPECT_EQ(victim.wait(), 128 + SIGKILL);
  ASSERT_TRUE(live->wait_for_end(pid));
  for (const Heard* heard : live->sink.of_process(pid)) {
    EXPECT_EQ(heard->closes[0].reason, CloseReason::kExit);
    EXPECT_EQ(heard->closes[0].written_offset + heard->closes[0].read_offset, 100U);
  }
}

TEST_P(ProbeSourceTest, IgnoredConnectionStaysInTheKernel) {
  auto live = start();
  live->sink.demand = FlowDemand::kIgnoreFlow;
  Victim victim(pair({"w:100", "say", "w:200", "r:300", "w:50000", "new", "w:10"}));
  const uint32_t pid = victim.pid();
  EXPECT_EQ(victim.line(), "here");
  ASSERT_TRUE(live->poll_until([&] { return live->sink.of_process(pid).size() == 2; }));
  const uint64_t captured = live->counters.of(Source::kTls).captured_bytes.value();
  victim.go_on();
  EXPECT_EQ(victim.wait(), 0);
  ASSERT_TRUE(live->poll_until([&] { return live->sink.of_process(pid).size() == 4; }));
  ASSERT_TRUE(live->wait_for_end(pid));
  // The new connections under the same pointers are heard; of the ignored ones only the close.
  EXPECT_EQ(live->counters.of(Source::kTls).captured_bytes.value() - captured, 20U);
  for (const Heard* heard : live->sink.of_process(pid)) {
    const ConnectionClose& close = heard->closes[0];
    const uint64_t moved = close.written_offset + close.read_offset;
    EXPECT_TRUE(moved == 10 || moved == 100 + 200 + 300 + 50000) << moved;
  }
}

TEST_P(ProbeSourceTest, FileSystemIsFreeSoonAfterTheLastProcess) {
  auto live = start();
  const std::string mount_point = folder_ / "tmpfs";
  std::filesystem::create_directories(mount_point);
  if (::mount("tmpfs", mount_point.c_str(), "tmpfs", 0, nullptr) != 0) {
    GTEST_SKIP() << "tmpfs cannot be mounted here";
  }
  copy_library(mount_point);
  Victim victim(pair({"say", "new", "w:100", "say"}), with_library(mount_point));
  const uint32_t pid = victim.pid();
  EXPECT_EQ(victim.line(), "here");
  EXPECT_TRUE(live->wait_for_library(mount_point + "/libssl.so.3"));
  victim.go_on();
  EXPECT_EQ(victim.line(), "here");
  EXPECT_TRUE(live->poll_until([&] { return live->sink.of_process(pid).size() >= 2; }));
  victim.go_on();
  EXPECT_EQ(victim.wait(), 0);
  const auto ended = steady_clock::now();
  int failed = -1;
  EXPECT_TRUE(live->poll_until([&] { return (failed = ::umount(mount_point.c_str())) == 0; }));
  EXPECT_LE(steady_clock::now() - ended, seconds(2));
  if (failed != 0) ::umount2(mount_point.c_str(), MNT_DETACH);
}

// A library nobody has ever mapped, used at once: each connection is either heard from its
// beginning or counted as late.
TEST_P(ProbeSourceTest, NewLibraryIsProbedAtOnce) {
  auto live = start();
  const int runs = slow_links() ? 4 : 20;
  int whole = 0;
  int joined = 0;
  for (int run = 0; run < runs; ++run) {
    const std::string library = copy_library(folder_ / std::to_string(run));
    Victim victim(pair({"w:100", "r:100", "say", "w:1"}), with_library(library));
    const uint32_t pid = victim.pid();
    victim.line();
    EXPECT_TRUE(live->wait_for_library(library + "/libssl.so.3"));
    victim.go_on();
    victim.wait();
    ASSERT_TRUE(live->poll_until([&] { return live->sink.of_process(pid).size() == 2; }));
    int born = 0;
    for (const Heard* heard : live->sink.of_process(pid)) born += heard->joined ? 0 : 1;
    whole += born == 2 ? 1 : 0;
    joined += 2 - born;
  }
  std::cout << whole << " of " << runs << " heard from the beginning" << std::endl;
  const ProbeStatus status = live->source->status();
  EXPECT_EQ(status.late_attach[static_cast<size_t>(LateAttach::kNewLibrary)],
            static_cast<uint64_t>(joined));
}

// A file without TLS is mapped and deleted, and a TLS library gets its inode.
// The control thread was busy while a process came, used a library of its own, and went.
TEST_P(ProbeSourceTest, ProcessThatCameAndWentUnseenIsCounted) {
  Counters counters;
  RecordingSink sink;
  ProbeOptions options = as_kernel({});
  options.standard_paths = false;
  auto source = ProbeSource::create(options, counters, sink);
  ASSERT_TRUE(source) << source.error().message;
  const auto late = [&] {
    return (*source)->status().late_attach[static_cast<size_t>(LateAttach::kNewLibrary)];
  };
  (*source)->control(0);
  const uint64_t before = late();
  const std::string library = copy_library(folder_ / "unseen");
  Victim victim(pair({"w:100"}), with_library(library));
  EXPECT_EQ(victim.wait(), 0);
  const auto deadline = steady_clock::now() + seconds(5);
  while (late() == before && steady_clock::now() < deadline) (*source)->control(10);
  EXPECT_GT(late(), before);
}

ino_t inode_of(const std::filesystem::path& path) {
  struct stat status = {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

// A new file with this inode number, which has just become free; other programs make files at the
// same time.
bool make_file_with_inode(ino_t inode, const std::filesystem::path& folder,
                          const std::filesystem::path& path) {
  for (int i = 0; i < 2'000; ++i) {
    const std::filesystem::path candidate = folder / ("candidate" + std::to_string(i));
    std::ofstream(candidate).put('x');
    if (inode_of(candidate) != inode) continue;
    std::filesystem::rename(candidate, path);
    return true;
  }
  return false;
}

TEST_P(ProbeSourceTest, ReusedInodeIsLookedAtAgain) {
  auto live = start();
  const std::filesystem::path system(LIBRARY_FOLDER);
  const std::filesystem::path plain = folder_ / "plain.so";
  std::filesystem::copy_file(system / "libcrypto.so.3", plain);
  const ino_t inode = inode_of(plain);
  {
    Victim victim(pair({"w:1"}), {"LD_PRELOAD=" + plain.string()});
    const uint32_t pid = victim.pid();
    EXPECT_EQ(victim.wait(), 0);
    ASSERT_TRUE(live->wait_for_end(pid));
  }
  const std::string library = copy_library(folder_ / "library");
  const std::filesystem::path reused = library + "/libssl.so.3";
  std::filesystem::remove(plain);
  if (!make_file_with_inode(inode, folder_, reused)) {
    GTEST_SKIP() << "this file system gives no inode number twice";
  }
  std::filesystem::copy_file(system / "libssl.so.3", reused,
                             std::filesystem::copy_options::overwrite_existing);
  ASSERT_EQ(inode_of(reused), inode);
  Victim victim(pair({"say"}), with_library(library));
  EXPECT_EQ(victim.line(), "here");
  EXPECT_TRUE(live->wait_for_library(reused));
}

TEST_P(ProbeSourceTest, StopsInTimeWithTenLibraries) {
  auto live = start();
  std::vector<std::unique_ptr<Victim>> victims;
  for (int i = 0; i < 10; ++i) {
    const std::string library = copy_library(folder_ / std::to_string(i));
    victims.push_back(std::make_unique<Victim>(pair({"say"}), with_library(library)));
    victims.back()->line();
    ASSERT_TRUE(live->wait_for_library(library + "/libssl.so.3"));
  }
  size_t links = 0;
  for (const ProbedLibrary& library : live->source->status().libraries.libraries) {
    links += library.links;
  }
  const auto begin = steady_clock::now();
  live->stop();
  const auto took = std::chrono::duration_cast<milliseconds>(steady_clock::now() - begin);
  std::cout << "stopped and detached in " << took.count() << " ms, " << links << " links"
            << std::endl;
  // Perf links are removed by the kernel one after another.
  EXPECT_LT(took, seconds(2) + milliseconds(slow_links() ? 150 * links : 0));
  for (auto& victim : victims) {
    victim->go_on();
    EXPECT_EQ(victim->wait(), 0);
  }
}

// One more than may be probed: it is said, not probed, and the others go on.
TEST_P(ProbeSourceTest, LibrariesBeyondTheLimitAreSaid) {
  ProbeOptions options;
  options.libraries_max = 1;  // the victims' own
  auto live = start(options);
  const std::string library = copy_library(folder_ / "more") + "/libssl.so.3";
  Victim victim(pair({"say"}), with_library(folder_ / "more"));
  victim.line();
  const auto failures = [&] { return live->source->status().libraries.failures; };
  ASSERT_TRUE(live->poll_until([&] { return !failures().empty(); }));
  EXPECT_EQ(failures()[0].path, library);
  EXPECT_NE(failures()[0].reason.find("limit of 1 "), std::string::npos) << failures()[0].reason;
  EXPECT_EQ(live->source->status().libraries.libraries.size(), 1U);
}

// Something has put the library's own byte back into the victim's memory.
TEST_P(ProbeSourceTest, VanishedProbeIsSetAnew) {
  if (GetParam() == Links::kNoCookies) GTEST_SKIP() << "the same as with cookies";
  auto live = start({.verify_ns = 200'000'000});
  const std::string library = copy_library(folder_ / "library") + "/libssl.so.3";
  Victim victim(pair({"say", "w:100"}), with_library(folder_ / "library"));
  const uint32_t pid = victim.pid();
  EXPECT_EQ(victim.line(), "here");
  ASSERT_TRUE(live->wait_for_library(library));

  const FileDescriptor file(::open(library.c_str(), O_RDONLY));
  Result<ElfReport> report = read_elf(file.get(), kTlsSymbols, false);
  ASSERT_TRUE(report);
  const uint64_t offset = choose_probe_points(file.get(), *report)[0].file_offset;
  uint8_t original = 0;
  ASSERT_EQ(::pread(file.get(), &original, 1, static_cast<off_t>(offset)), 1);
  uint64_t address = 0;
  visit_mappings("/proc", pid, [&](const Mapping& mapping) {
    if (mapping.path == library) address = mapping.start + offset - mapping.file_offset;
    return true;
  });
  const FileDescriptor memory(::open(("/proc/" + std::to_string(pid) + "/mem").c_str(), O_RDWR));
  uint8_t byte = original;
  ASSERT_EQ(::pread(memory.get(), &byte, 1, static_cast<off_t>(address)), 1);
  EXPECT_NE(byte, original) << "the breakpoint";
  ASSERT_EQ(::pwrite(memory.get(), &original, 1, static_cast<off_t>(address)), 1);

  EXPECT_TRUE(
      live->poll_until([&] { return live->source->status().libraries.reattached_total > 0; }));
  victim.go_on();
  EXPECT_EQ(victim.wait(), 0);
  ASSERT_TRUE(live->wait_for_end(pid));
  uint64_t heard = 0;
  for (const Heard* connection : live->sink.of_process(pid)) {
    heard += connection->seen[0] + connection->seen[1];
  }
  EXPECT_EQ(heard, 200U);
}

// The links that a process holds, from the kernel's notes on its descriptors.
std::vector<uint32_t> links_of(pid_t pid) {
  std::vector<uint32_t> links;
  const std::string folder = "/proc/" + std::to_string(pid) + "/fdinfo";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream info(entry.path());
    std::string word;
    while (info >> word) {
      uint32_t link = 0;
      if (word == "link_id:" && info >> link) links.push_back(link);
    }
  }
  return links;
}

bool link_exists(uint32_t id) {
  return static_cast<bool>(FileDescriptor(::bpf_link_get_fd_by_id(id)));
}

TEST_P(ProbeSourceTest, KilledAgentLeavesNothingBehind) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t agent = ::fork();
  if (agent == 0) {
    LiveSource live(as_kernel({}));
    [[maybe_unused]] ssize_t written = ::write(ready[1], "x", 1);
    while (true) live.source->poll(10);
  }
  char c = 0;
  ASSERT_EQ(::read(ready[0], &c, 1), 1);
  Victim victim(pair({"bench:20000", "say", "bench:20000"}));
  victim.line();
  EXPECT_EQ(victim.line(), "here");  // its calls have been probed
  const std::vector<uint32_t> links = links_of(agent);
  EXPECT_GE(links.size(), 4U);
  victim.go_on();
  ::kill(agent, SIGKILL);
  const auto killed = steady_clock::now();
  ::waitpid(agent, nullptr, 0);
  EXPECT_EQ(victim.wait(), 0);
  const auto limit = seconds(5) + milliseconds(slow_links() ? 150 * links.size() : 0);
  while (std::any_of(links.begin(), links.end(), link_exists) &&
         steady_clock::now() - killed < limit) {
    std::this_thread::sleep_for(milliseconds(10));
  }
  EXPECT_TRUE(std::none_of(links.begin(), links.end(), link_exists));
  ::close(ready[0]);
  ::close(ready[1]);
}

// Real clients against OpenSSL's own server, which reads and writes through BIO_f_ssl.
TEST_P(ProbeSourceTest, HearsRealClients) {
  const std::string key = folder_ / "key.pem";
  const std::string certificate = folder_ / "certificate.pem";
  Victim request({"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key,
                  "-out", certificate, "-days", "2", "-subj", "/CN=localhost"});
  if (request.wait() != 0) GTEST_SKIP() << "no openssl command to make a certificate";
  ::unsetenv("LD_LIBRARY_PATH");
  LiveSource everywhere(as_kernel({}));
  LiveSource* live = &everywhere;
  ASSERT_EQ(live->error, "");
  Victim server(
      {"openssl", "s_server", "-accept", "127.0.0.1:0", "-key", key, "-cert", certificate, "-www"});
  std::string port;
  while (!port.starts_with("ACCEPT")) {
    port = server.line();
    ASSERT_NE(port, "") << "the server did not start";
  }
  port = port.substr(port.rfind(':') + 1);
  const std::string url = "https://127.0.0.1:" + port + "/";

  const struct {
    const char* name;
    std::vector<std::string> command;
  } clients[] = {
      {"curl", {"curl", "-sk", "-o", "/dev/null", url + "curl"}},
      {"python3",
       {"python3", "-c",
        "import ssl, urllib.request as u; u.urlopen('" + url +
            "python3', context=ssl._create_unverified_context()).read()"}},
      {"node",
       {"node", "-e",
        "process.env.NODE_TLS_REJECT_UNAUTHORIZED = 0; fetch('" + url +
            "node').then(r => r.text())"}},
  };
  for (const auto& client : clients) {
    Victim process(client.command, {"NODE_NO_WARNINGS=1"});
    const uint32_t pid = process.pid();
    const int code = process.wait();
    if (code == 127) {
      std::cout << client.name << " is not installed: left out" << std::endl;
      continue;
    }
    ASSERT_EQ(code, 0) << client.name;
    ASSERT_TRUE(live->wait_for_end(pid)) << client.name;
    const auto heard = live->sink.of_process(pid);
    ASSERT_EQ(heard.size(), 1U) << client.name;
    EXPECT_TRUE(heard[0]->bytes[kWritten].starts_with("GET /" + std::string(client.name)))
        << client.name;
    EXPECT_TRUE(heard[0]->bytes[kRead].starts_with("HTTP/1.0 200")) << client.name;
    EXPECT_NE(heard[0]->bytes[kRead].find("</HTML>"), std::string::npos) << "to the end";
    EXPECT_FALSE(heard[0]->joined) << client.name;
    // The server ends the connection first, and that is what ends the body.
    ASSERT_EQ(heard[0]->eofs.size(), 1U) << client.name;
    EXPECT_EQ(heard[0]->eofs[0].offset, heard[0]->bytes[kRead].size()) << client.name;
  }
  // The server's end too, in one process.
  EXPECT_GE(live->sink.of_process(server.pid()).size(), 1U);
}

}  // namespace
}  // namespace wiretally::uprobe
