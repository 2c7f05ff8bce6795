// deploy/k8s is valid YAML and gives the agent what it needs; what the manifest passes on is
// understood by the agent.
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <string>
#include <vector>

#include "settings.h"

namespace wiretally {
namespace {

YAML::Node daemonset() {
  for (const YAML::Node& document :
       YAML::LoadAllFromFile(WIRETALLY_SOURCE_DIR "/deploy/k8s/daemonset.yaml")) {
    if (document["kind"].as<std::string>() == "DaemonSet") return document;
  }
  return {};
}

TEST(Deploy, DaemonSetSeesTheNode) {
  const YAML::Node spec = daemonset()["spec"]["template"]["spec"];
  ASSERT_TRUE(spec);
  EXPECT_TRUE(spec["hostPID"].as<bool>());
  EXPECT_TRUE(spec["hostNetwork"].as<bool>());
  const YAML::Node container = spec["containers"][0];
  EXPECT_TRUE(container["securityContext"]["privileged"].as<bool>());
  EXPECT_EQ(container["readinessProbe"]["httpGet"]["path"].as<std::string>(), "/readyz");
  EXPECT_EQ(container["livenessProbe"]["httpGet"]["path"].as<std::string>(), "/healthz");
  EXPECT_EQ(container["ports"][0]["containerPort"].as<int>(), 9477);
}

TEST(Deploy, ScrapeAnnotationsNameThePort) {
  const YAML::Node annotations = daemonset()["spec"]["template"]["metadata"]["annotations"];
  EXPECT_EQ(annotations["prometheus.io/scrape"].as<std::string>(), "true");
  EXPECT_EQ(annotations["prometheus.io/port"].as<std::string>(), "9477");
  EXPECT_EQ(annotations["prometheus.io/path"].as<std::string>(), "/metrics");
}

TEST(Deploy, TheAgentUnderstandsItsArguments) {
  const YAML::Node container = daemonset()["spec"]["template"]["spec"]["containers"][0];
  std::vector<std::string> words;
  for (const YAML::Node& word : container["args"]) words.push_back(word.as<std::string>());
  ASSERT_FALSE(words.empty());
  EXPECT_EQ(words.front(), "run");
  std::vector<const char*> arguments;
  for (size_t i = 1; i < words.size(); ++i) arguments.push_back(words[i].c_str());
  std::vector<std::string> variables;
  for (const YAML::Node& variable : container["env"]) {
    variables.push_back(variable["name"].as<std::string>() + "=x");
  }
  std::vector<const char*> environment;
  for (const std::string& variable : variables) environment.push_back(variable.c_str());
  environment.push_back(nullptr);
  const auto settings = read_settings(kRun, arguments, environment.data());
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->listen, "0.0.0.0:9477");
}

TEST(Deploy, TheAccountHasNoRights) {
  size_t documents = 0;
  for (const YAML::Node& document :
       YAML::LoadAllFromFile(WIRETALLY_SOURCE_DIR "/deploy/k8s/rbac.yaml")) {
    ++documents;
    EXPECT_EQ(document["kind"].as<std::string>(), "ServiceAccount");
    EXPECT_FALSE(document["automountServiceAccountToken"].as<bool>());
  }
  EXPECT_EQ(documents, 1u);
}

}  // namespace
}  // namespace wiretally
