#include "attribution.h"

#include <algorithm>

namespace wiretally::ledger {
namespace {

using Condition = AttributionRule::Condition;

bool fits_any(std::string_view text, const Condition& condition) {
  return !text.empty() &&
         std::any_of(condition.patterns.begin(), condition.patterns.end(),
                     [&](const std::string& pattern) { return fits(text, pattern); });
}

std::string_view value_of(const Condition& condition, const LedgerEntry& entry,
                          const ProcessIdentity& process) {
  const UsageRecord& record = entry.record;
  switch (condition.field) {
    case RuleField::kProvider:
      return record.provider.view();
    case RuleField::kModel:
      return record.request_model.view();
    case RuleField::kPath:
      return record.path.view();
    case RuleField::kSubject:
      return record.caller.subject.view();
    case RuleField::kIssuer:
      return record.caller.issuer.view();
    case RuleField::kApplication:
      return record.caller.application.view();
    case RuleField::kTenant:
      return record.caller.tenant.view();
    case RuleField::kAudience:
      return record.caller.audience.view();
    case RuleField::kKeyId:
      return record.caller.key_id.view();
    case RuleField::kEndUser:
      return record.end_user.view();
    case RuleField::kOrganization:
      return record.organization.view();
    case RuleField::kProcess:
      return process.name.view();
    case RuleField::kExecutable:
      return process.executable.view();
    case RuleField::kContainerId:
      return process.container_id.view();
    case RuleField::kPod:
      return process.pod.view();
    case RuleField::kNamespace:
      return process.namespace_name.view();
    case RuleField::kWorkload:
      return process.workload.view();
    case RuleField::kServer:
      return record.server_name.view();
    case RuleField::kNode:
      return entry.node.view();
    case RuleField::kHeader:
      return record.marks[condition.mark].view();
  }
  return {};
}

bool holds(const Condition& condition, const LedgerEntry& entry, const ProcessIdentity& process) {
  if (fits_any(value_of(condition, entry, process), condition)) return true;
  return condition.field == RuleField::kModel &&
         fits_any(entry.record.response_model.view(), condition);
}

}  // namespace

bool fits(std::string_view text, std::string_view pattern) {
  size_t at = 0, in_pattern = 0;
  // Where to go on when what stands behind the last star does not fit: one character further.
  size_t star = pattern.npos, star_at = 0;
  while (at < text.size()) {
    if (in_pattern < pattern.size() && pattern[in_pattern] == '*') {
      star = in_pattern++;
      star_at = at;
    } else if (in_pattern < pattern.size() && pattern[in_pattern] == text[at]) {
      ++in_pattern;
      ++at;
    } else if (star != pattern.npos) {
      in_pattern = star + 1;
      at = ++star_at;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', in_pattern) == pattern.npos;
}

void attribute(std::span<const AttributionRule> rules, LedgerEntry& entry) {
  static const ProcessIdentity kUnknown;
  const ProcessIdentity& process = entry.process ? *entry.process : kUnknown;
  for (const AttributionRule& rule : rules) {
    const bool wanted = (entry.team.empty() && !rule.team.empty()) ||
                        (entry.service.empty() && !rule.service.empty());
    if (!wanted) continue;
    const bool applies = std::all_of(rule.conditions.begin(), rule.conditions.end(),
                                     [&](const Condition& c) { return holds(c, entry, process); });
    if (!applies) continue;
    if (entry.team.empty()) entry.team.assign(rule.team);
    if (entry.service.empty()) entry.service.assign(rule.service);
  }
}

}  // namespace wiretally::ledger
