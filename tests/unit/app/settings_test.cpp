#include "settings.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

namespace wiretally {
namespace {

Result<Settings> read(Verb verb, std::vector<const char*> arguments,
                      std::vector<const char*> environment = {}) {
  environment.push_back(nullptr);
  return read_settings(verb, arguments, environment.data());
}

class File {
 public:
  explicit File(const std::string& text)
      : path(testing::TempDir() + "settings." + std::to_string(::getpid()) + ".yaml") {
    std::ofstream(path) << text;
  }
  ~File() { std::remove(path.c_str()); }
  const std::string path;
};

TEST(Settings, DefaultsAreThoseOfTheContract) {
  const auto settings = read(kRun, {});
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->listen, "127.0.0.1:9477");
  EXPECT_EQ(settings->interfaces, std::vector<std::string>{"any"});
  EXPECT_TRUE(settings->tls && settings->packets);
  EXPECT_EQ(settings->ring_mib, 64u);
  EXPECT_EQ(settings->count_hold_ns, 5'000'000'000);
}

TEST(Settings, FlagWinsOverEnvironmentWinsOverFile) {
  const File file("listen: 127.0.0.1:1\nnode: from-file\nring_mib: 8\ncount: {hold: 2s}\n");
  const std::string config = "--config=" + file.path;
  const auto settings = read(kRun, {config.c_str(), "--ring-mib", "16"},
                             {"WIRETALLY_NODE=from-environment", "WIRETALLY_RING_MIB=32"});
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->listen, "127.0.0.1:1");
  EXPECT_EQ(settings->node, "from-environment");
  EXPECT_EQ(settings->ring_mib, 16u);
  EXPECT_EQ(settings->count_hold_ns, 2'000'000'000);
}

// Kubernetes gives every container these, if there is a Service of our name.
TEST(Settings, VariablesOfAServiceOfOurNameAreNotOurs) {
  const auto settings =
      read(kRun, {},
           {"WIRETALLY_SERVICE_HOST=10.0.0.1", "WIRETALLY_SERVICE_PORT=9477",
            "WIRETALLY_SERVICE_PORT_METRICS=9477", "WIRETALLY_PORT=tcp://10.0.0.1:9477",
            "WIRETALLY_PORT_9477_TCP=tcp://10.0.0.1:9477", "WIRETALLY_PORT_9477_TCP_ADDR=10.0.0.1",
            "WIRETALLY_METRICS_SERVICE_HOST=10.0.0.2", "WIRETALLY_METRICS_SERVICE_PORT_HTTP=80",
            "WIRETALLY_METRICS_PORT=tcp://10.0.0.2:80", "WIRETALLY_METRICS_PORT_80_TCP_PROTO=tcp"});
  EXPECT_TRUE(settings) << settings.error().message;
  EXPECT_FALSE(read(kRun, {}, {"WIRETALLY_PORTS=80"}));
}

TEST(Settings, SwitchesAndLists) {
  const auto run = read(kRun, {"--no-tls", "--interface", "lo,eth0"}, {"WIRETALLY_PACKETS=false"});
  ASSERT_TRUE(run);
  EXPECT_FALSE(run->tls);
  EXPECT_FALSE(run->packets);
  EXPECT_EQ(run->interfaces, (std::vector<std::string>{"lo", "eth0"}));
  const auto replay = read(kReplay, {"-", "--port", "80,8080", "--format=ndjson", "--", "-odd"});
  ASSERT_TRUE(replay);
  EXPECT_EQ(replay->ports, (std::vector<uint16_t>{80, 8080}));
  EXPECT_EQ(replay->format, Format::kNdjson);
  EXPECT_EQ(replay->files, (std::vector<std::string>{"-", "-odd"}));
}

TEST(Settings, UnknownNamesSuggestTheNearest) {
  const File file("ring_mb: 8\n");
  const std::string config = "--config=" + file.path;
  EXPECT_EQ(read(kRun, {config.c_str()}).error().message,
            file.path + ":1: unknown key 'ring_mb'; did you mean 'ring_mib'?");
  EXPECT_EQ(read(kRun, {"--lissten", "x"}).error().message,
            "unknown option '--lissten'; did you mean '--listen'?");
  EXPECT_EQ(read(kRun, {}, {"WIRETALLY_NODES=x"}).error().message,
            "unknown environment variable 'WIRETALLY_NODES'; did you mean 'WIRETALLY_NODE'?");
  EXPECT_EQ(read(kRun, {"--zzzzzzzz"}).error().message, "unknown option '--zzzzzzzz'");
}

TEST(Settings, WrongValuesNameTheSettingAndWhatItTakes) {
  EXPECT_EQ(read(kRun, {"--lanes", "0"}).error().message,
            "--lanes: '0' is not a number from 1 to 64");
  EXPECT_EQ(read(kRun, {"--count-hold", "5"}).error().message,
            "--count-hold: '5' is not a duration such as 500ms, 5s, 10m or 24h (at most 30 days)");
  EXPECT_EQ(read(kReplay, {"--format", "xml"}).error().message,
            "--format: 'xml' is not one of table, ndjson, csv, prometheus");
  EXPECT_EQ(read(kReplay, {"--format"}).error().message,
            "--format needs a value: table|ndjson|csv|prometheus");
  EXPECT_EQ(read(kRun, {"--no-tls=maybe"}).error().message, "--no-tls takes no value");
  EXPECT_EQ(read(kRun, {}, {"WIRETALLY_TLS=yes"}).error().message,
            "WIRETALLY_TLS: 'yes' is not true or false");
  const File file("count:\n  hold: soon\n");
  const std::string config = "--config=" + file.path;
  EXPECT_EQ(read(kRun, {config.c_str()}).error().message,
            file.path +
                ":2: count.hold: 'soon' is not a duration such as 500ms, 5s, 10m or 24h "
                "(at most 30 days)");
  const File broken("listen: [\n");
  EXPECT_FALSE(read(kRun, {("--config=" + broken.path).c_str()}));
  EXPECT_EQ(read(kRun, {"--config=/nonexistent.yaml"}).error().message,
            "/nonexistent.yaml: cannot be read; give --config the path of a YAML file");
}

TEST(Settings, ListenTakesOneAddressAndPort) {
  for (const char* good : {"127.0.0.1:0", "0.0.0.0:9477", "localhost:80", "[::1]:9477"}) {
    EXPECT_TRUE(read(kRun, {"--listen", good})) << good;
  }
  for (const char* bad : {"9477", "127.0.0.1", ":9477", "127.0.0.1:99999", "127.0.0.1:80s",
                          "127.0.0.1:80,0.0.0.0:81", ""}) {
    const auto settings = read(kRun, {"--listen", bad});
    ASSERT_FALSE(settings) << bad;
    EXPECT_EQ(settings.error().message,
              "--listen: '" + std::string(bad) +
                  "' is not an address and port such as 127.0.0.1:9477 or 0.0.0.0:9477");
  }
}

TEST(Settings, AKeyStandsInTheFileOnce) {
  const File file("node: a\nlisten: 127.0.0.1:1\nnode: b\n");
  EXPECT_EQ(read(kRun, {("--config=" + file.path).c_str()}).error().message,
            file.path + ":3: node stands there twice");
}

TEST(Settings, AFolderIsNoConfigurationAndAnEmptyFileIsOne) {
  EXPECT_EQ(read(kRun, {"--config=/tmp"}).error().message,
            "/tmp: cannot be read; give --config the path of a YAML file");
  const File empty("");
  EXPECT_TRUE(read(kRun, {("--config=" + empty.path).c_str()}));
}

TEST(Settings, EverySettingIsDescribed) {
  const std::string help = describe_settings(kRun);
  for (const char* flag :
       {"--listen", "--interface", "--no-tls", "--no-packets", "--ndjson", "--lanes", "--ring-mib",
        "--prices", "--key-secret", "--all-legs", "--dry-run", "--config"}) {
    EXPECT_NE(help.find(flag), help.npos) << flag;
  }
  EXPECT_EQ(help.find("--format"), help.npos);
}

}  // namespace
}  // namespace wiretally
