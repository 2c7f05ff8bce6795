#include "rules_file.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "settings.h"
#include "wiretally/identity.h"

namespace wiretally {
namespace {

using ledger::AttributionRule;
using ledger::kRuleFieldNames;
using ledger::RuleField;

struct Mistake {
  YAML::Mark mark;
  std::string message;
};

[[noreturn]] void refuse(const YAML::Node& at, const std::string& message) {
  throw Mistake{at.Mark(), message};
}

[[noreturn]] void refuse_name(const YAML::Node& at, std::span<const std::string_view> known) {
  std::string message = "unknown key '" + at.Scalar() + "'";
  if (const std::string_view near = nearest_name(at.Scalar(), known); !near.empty()) {
    message += "; did you mean '" + std::string(near) + "'?";
  }
  refuse(at, message);
}

void refuse_twice(const YAML::Node& map) {
  std::vector<std::string> seen;
  for (const auto& member : map) {
    if (!member.first.IsScalar()) refuse(member.first, "a key must be a name");
    if (std::find(seen.begin(), seen.end(), member.first.Scalar()) != seen.end()) {
      refuse(member.first, "'" + member.first.Scalar() + "' stands there twice");
    }
    seen.push_back(member.first.Scalar());
  }
}

std::string text_of(const YAML::Node& node, const std::string& what) {
  if (!node.IsScalar() || node.Scalar().empty()) refuse(node, what + " takes a text");
  return node.Scalar();
}

std::string label_of(const YAML::Node& node, const std::string& what) {
  std::string text = text_of(node, what);
  if (text.size() > Text<64>::kCapacity) refuse(node, what + " is longer than 64 bytes");
  return text;
}

std::vector<std::string> patterns_of(const YAML::Node& node, const std::string& what) {
  std::vector<std::string> patterns;
  if (!node.IsSequence()) return {text_of(node, what)};
  for (const YAML::Node& pattern : node) patterns.push_back(text_of(pattern, what));
  if (patterns.empty()) refuse(node, what + " takes a text or a list of texts");
  return patterns;
}

size_t mark_of(const YAML::Node& name, std::vector<std::string>& headers) {
  std::string lower = text_of(name, "a header's name");
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) {
    return static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  });
  if (holds_credential(lower)) {
    refuse(name, "'" + lower + "' holds a credential; match key_id or subject instead");
  }
  const auto known = std::find(headers.begin(), headers.end(), lower);
  if (known != headers.end()) return static_cast<size_t>(known - headers.begin());
  if (headers.size() == kMarksMax) {
    refuse(name, "all rules together may look at " + std::to_string(kMarksMax) + " headers");
  }
  headers.push_back(lower);
  return headers.size() - 1;
}

void read_match(const YAML::Node& node, AttributionRule& rule, std::vector<std::string>& headers) {
  if (!node.IsMap()) refuse(node, "match takes fields and what they must be");
  refuse_twice(node);
  for (const auto& member : node) {
    const std::string name = member.first.Scalar();
    const auto field = std::find(std::begin(kRuleFieldNames), std::end(kRuleFieldNames), name);
    if (field == std::end(kRuleFieldNames)) refuse_name(member.first, kRuleFieldNames);
    AttributionRule::Condition condition;
    condition.field = static_cast<RuleField>(field - std::begin(kRuleFieldNames));
    if (condition.field != RuleField::kHeader) {
      condition.patterns = patterns_of(member.second, name);
      rule.conditions.push_back(std::move(condition));
      continue;
    }
    if (!member.second.IsMap()) refuse(member.second, "header takes names and what they must be");
    refuse_twice(member.second);
    for (const auto& header : member.second) {
      condition.mark = mark_of(header.first, headers);
      condition.patterns = patterns_of(header.second, header.first.Scalar());
      rule.conditions.push_back(condition);
    }
  }
}

AttributionRule read_rule(const YAML::Node& node, std::vector<std::string>& headers) {
  static constexpr std::string_view kKeys[] = {"match", "team", "service"};
  if (!node.IsMap()) refuse(node, "a rule takes match, team and service");
  refuse_twice(node);
  AttributionRule rule;
  for (const auto& member : node) {
    const std::string& key = member.first.Scalar();
    if (key == "match") {
      read_match(member.second, rule, headers);
    } else if (key == "team") {
      rule.team = label_of(member.second, key);
    } else if (key == "service") {
      rule.service = label_of(member.second, key);
    } else {
      refuse_name(member.first, kKeys);
    }
  }
  if (rule.team.empty() && rule.service.empty()) refuse(node, "a rule names a team or a service");
  return rule;
}

}  // namespace

Result<AttributionRules> read_rules(const std::string& text, const std::string& name) {
  const auto error = [&](const YAML::Mark& mark, const std::string& message) {
    const std::string line = mark.is_null() ? "" : ":" + std::to_string(mark.line + 1);
    return Error{"rules " + name + line + ": " + message};
  };
  try {
    const YAML::Node root = YAML::Load(text);
    AttributionRules rules;
    if (root.IsNull()) return rules;
    static constexpr std::string_view kKeys[] = {"rules"};
    if (!root.IsMap()) refuse(root, "the file takes the key rules");
    refuse_twice(root);
    for (const auto& member : root) {
      if (member.first.Scalar() != "rules") refuse_name(member.first, kKeys);
      if (!member.second.IsSequence()) refuse(member.second, "rules takes a list");
      for (const YAML::Node& rule : member.second) {
        rules.rules.push_back(read_rule(rule, rules.headers));
      }
    }
    return rules;
  } catch (const Mistake& mistake) {
    return error(mistake.mark, mistake.message);
  } catch (const YAML::Exception& exception) {
    return error(exception.mark, exception.msg + "; it must be YAML");
  }
}

Result<AttributionRules> load_rules(const std::string& path) {
  if (path.empty()) return AttributionRules{};
  std::ifstream file(path);
  std::stringstream text;
  if (!file || !(text << file.rdbuf())) {
    return Error{"rules " + path + ": cannot be read; give --rules the path of a YAML file"};
  }
  return read_rules(text.str(), path);
}

}  // namespace wiretally
