#include "rules_file.h"

#include <gtest/gtest.h>

namespace wiretally {
namespace {

using ledger::RuleField;

TEST(RulesFile, RulesInOrderWithTheirHeaders) {
  const auto read = read_rules(R"(
rules:
  - match: {namespace: search-*, subject: [alice, "bob*"], header: {X-Team: search, x-region: eu}}
    team: search
  - match: {header: {x-team: shop}}
    team: shop
    service: checkout
  - service: rest
)",
                               "r.yaml");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->headers, (std::vector<std::string>{"x-team", "x-region"}));
  ASSERT_EQ(read->rules.size(), 3u);
  const auto& first = read->rules[0];
  EXPECT_EQ(first.team, "search");
  EXPECT_EQ(first.service, "");
  ASSERT_EQ(first.conditions.size(), 4u);
  EXPECT_EQ(first.conditions[0].field, RuleField::kNamespace);
  EXPECT_EQ(first.conditions[0].patterns, std::vector<std::string>{"search-*"});
  EXPECT_EQ(first.conditions[1].patterns, (std::vector<std::string>{"alice", "bob*"}));
  EXPECT_EQ(first.conditions[2].field, RuleField::kHeader);
  EXPECT_EQ(first.conditions[2].mark, 0u);
  EXPECT_EQ(first.conditions[3].mark, 1u);
  EXPECT_EQ(read->rules[1].conditions[0].mark, 0u);
  EXPECT_TRUE(read->rules[2].conditions.empty());
}

TEST(RulesFile, NothingInItIsNoRule) {
  for (const char* text : {"", "# none\n", "rules: []\n"}) {
    const auto read = read_rules(text, "r.yaml");
    ASSERT_TRUE(read) << text;
    EXPECT_TRUE(read->rules.empty());
  }
  EXPECT_TRUE(load_rules(""));
}

TEST(RulesFile, MistakesAreNamedWithTheirLine) {
  static constexpr std::pair<const char*, const char*> kMistakes[] = {
      {"rules:\n  - match: {namespce: x}\n    team: t\n",
       "rules r.yaml:2: unknown key 'namespce'; did you mean 'namespace'?"},
      {"rule: []\n", "rules r.yaml:1: unknown key 'rule'; did you mean 'rules'?"},
      {"rules: x\n", "rules r.yaml:1: rules takes a list"},
      {"- team: t\n", "rules r.yaml:1: the file takes the key rules"},
      {"rules:\n  - teem: t\n", "rules r.yaml:2: unknown key 'teem'; did you mean 'team'?"},
      {"rules:\n  - match: {pod: x}\n", "rules r.yaml:2: a rule names a team or a service"},
      {"rules:\n  - match: [x]\n    team: t\n",
       "rules r.yaml:2: match takes fields and what they must be"},
      {"rules:\n  - match: {pod: []}\n    team: t\n",
       "rules r.yaml:2: pod takes a text or a list of texts"},
      {"rules:\n  - match: {pod: {a: b}}\n    team: t\n", "rules r.yaml:2: pod takes a text"},
      {"rules:\n  - team: t\n    team: u\n", "rules r.yaml:3: 'team' stands there twice"},
      {"rules:\n  - match: {header: x-team}\n    team: t\n",
       "rules r.yaml:2: header takes names and what they must be"},
      {"rules:\n  - match: {header: {Authorization: x}}\n    team: t\n",
       "rules r.yaml:2: 'authorization' holds a credential; match key_id or subject instead"},
      {"rules:\n  - match: {header: {a: x, b: x, c: x, d: x, e: x}}\n    team: t\n",
       "rules r.yaml:2: all rules together may look at 4 headers"},
      {"rules:\n  - team: [\n", "it must be YAML"},
  };
  for (const auto& [text, message] : kMistakes) {
    const auto read = read_rules(text, "r.yaml");
    ASSERT_FALSE(read) << text;
    EXPECT_NE(read.error().message.find(message), std::string::npos) << read.error().message;
  }
  EXPECT_FALSE(read_rules("rules:\n  - team: " + std::string(65, 't') + "\n", "r.yaml"));
  const auto missing = load_rules("/nonexistent/rules.yaml");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message,
            "rules /nonexistent/rules.yaml: cannot be read; give --rules the path of a YAML file");
}

}  // namespace
}  // namespace wiretally
