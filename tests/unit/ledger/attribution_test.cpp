#include "attribution.h"

#include <gtest/gtest.h>

#include "fixtures.h"

namespace wiretally::ledger {
namespace {

using Condition = AttributionRule::Condition;

TEST(Attribution, PatternsWithStars) {
  EXPECT_TRUE(fits("search", "search"));
  EXPECT_TRUE(fits("search", "*"));
  EXPECT_TRUE(fits("", "*"));
  EXPECT_TRUE(fits("search-eu-1", "search-*"));
  EXPECT_TRUE(fits("system:serviceaccount:search:ranker", "system:serviceaccount:search:*"));
  EXPECT_TRUE(fits("abcabcabd", "*abd"));
  EXPECT_TRUE(fits("abcabcabd", "a*c*d"));
  EXPECT_TRUE(fits("abc", "a**c"));
  EXPECT_FALSE(fits("search", "searc"));
  EXPECT_FALSE(fits("search", "research"));
  EXPECT_FALSE(fits("search", "Search"));
  EXPECT_FALSE(fits("search", ""));
  EXPECT_FALSE(fits("search-eu", "*-us"));
  EXPECT_FALSE(fits("abcabcabd", "*abe*"));
  EXPECT_FALSE(fits("a.c", "abc"));
}

LedgerEntry entry() {
  LedgerEntry made;
  made.record.caller.subject.assign("alice");
  made.record.request_model.assign("gpt-5.5");
  made.record.response_model.assign("gpt-5.5-2026-04-23");
  made.record.marks[1].assign("blue");
  made.process = ProcessIdentity{};
  made.process->namespace_name.assign("search-eu");
  return made;
}

TEST(Attribution, AllConditionsOfARuleMustHold) {
  AttributionRule rule;
  rule.team = "search";
  rule.conditions = {{RuleField::kNamespace, 0, {"shop", "search-*"}},
                     {RuleField::kSubject, 0, {"alice"}}};
  LedgerEntry made = entry();
  attribute({&rule, 1}, made);
  EXPECT_EQ(made.team.view(), "search");
  EXPECT_EQ(made.service.view(), "");

  rule.conditions[1].patterns = {"bob"};
  made = entry();
  attribute({&rule, 1}, made);
  EXPECT_EQ(made.team.view(), "");
}

TEST(Attribution, WhatIsUnknownFitsNothing) {
  AttributionRule rule;
  rule.team = "x";
  rule.conditions = {{RuleField::kTenant, 0, {"*"}}};
  LedgerEntry made = entry();
  attribute({&rule, 1}, made);
  EXPECT_EQ(made.team.view(), "");
  made.process.reset();
  rule.conditions = {{RuleField::kNamespace, 0, {"*"}}};
  attribute({&rule, 1}, made);
  EXPECT_EQ(made.team.view(), "");
}

TEST(Attribution, EachNameIsGivenByTheFirstRuleThatNamesIt) {
  const std::vector<AttributionRule> rules = {
      {{{RuleField::kHeader, 1, {"blue"}}}, "", "ranker"},
      {{{RuleField::kModel, 0, {"*-2026-04-23"}}}, "search", "other"},
      {{}, "everyone", "rest"},
  };
  LedgerEntry made = entry();
  attribute(rules, made);
  EXPECT_EQ(made.team.view(), "search");
  EXPECT_EQ(made.service.view(), "ranker");
  LedgerEntry other;
  attribute(rules, other);
  EXPECT_EQ(other.team.view(), "everyone");
  EXPECT_EQ(other.service.view(), "rest");
}

TEST(Attribution, EveryFieldIsMatched) {
  LedgerEntry made = entry();
  UsageRecord& r = made.record;
  ProcessIdentity& p = *made.process;
  r.provider.assign("provider");
  r.request_model.assign("model");
  r.path.assign("path");
  r.caller.subject.assign("subject");
  r.caller.issuer.assign("issuer");
  r.caller.application.assign("application");
  r.caller.tenant.assign("tenant");
  r.caller.audience.assign("audience");
  r.caller.key_id.assign("key_id");
  r.end_user.assign("end_user");
  r.organization.assign("organization");
  p.name.assign("process");
  p.executable.assign("executable");
  p.container_id.assign("container_id");
  p.pod.assign("pod");
  p.namespace_name.assign("namespace");
  p.workload.assign("workload");
  r.server_name.assign("server");
  made.node.assign("node");
  r.marks[0].assign("header");
  for (size_t i = 0; i < std::size(kRuleFieldNames); ++i) {
    AttributionRule rule;
    rule.team = "t";
    rule.conditions = {{static_cast<RuleField>(i), 0, {std::string(kRuleFieldNames[i])}}};
    made.team.clear();
    attribute({&rule, 1}, made);
    EXPECT_EQ(made.team.view(), "t") << kRuleFieldNames[i];
  }
}

TEST(Attribution, TheFirstRuleThatNamesATeamKeepsIt) {
  AttributionRule first, second;
  first.team = "search";
  second.team = "shop";
  second.service = "cart";
  const AttributionRule rules[] = {first, second};
  LedgerEntry made = entry();
  attribute(rules, made);
  EXPECT_EQ(made.team.view(), "search");
  EXPECT_EQ(made.service.view(), "cart");
}

}  // namespace
}  // namespace wiretally::ledger
