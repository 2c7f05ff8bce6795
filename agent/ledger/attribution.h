// Whose call it is, by the rules that somebody configured: team and service.
//
// A rule applies where all its conditions hold; a condition holds where its field's value fits one
// of its patterns. Of the rules that apply the first that names a team gives it, and the first that
// names a service gives that.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "wiretally/ledger_entry.h"

namespace wiretally::ledger {

enum class RuleField : uint8_t {
  kProvider,
  kModel,  // asked for or served
  kPath,
  kSubject,
  kIssuer,
  kApplication,
  kTenant,
  kAudience,
  kKeyId,
  kEndUser,
  kOrganization,
  kProcess,
  kExecutable,
  kContainerId,
  kPod,
  kNamespace,
  kWorkload,
  kServer,  // the host that was called
  kNode,
  kHeader,  // a request header: Condition::mark
};
inline constexpr std::string_view kRuleFieldNames[] = {
    "provider", "model",     "path",     "subject",      "issuer",  "application", "tenant",
    "audience", "key_id",    "end_user", "organization", "process", "executable",  "container_id",
    "pod",      "namespace", "workload", "server",       "node",    "header"};

struct AttributionRule {
  struct Condition {
    RuleField field = RuleField::kProvider;
    size_t mark = 0;  // kHeader: which of the record's marks
    std::vector<std::string> patterns;
  };
  std::vector<Condition> conditions;
  std::string team;
  std::string service;
};

// Sets the entry's team and service. What is unknown fits no pattern.
void attribute(std::span<const AttributionRule> rules, LedgerEntry& entry);

// `*` stands for any text, also none; everything else for itself. Linear in the text for each star.
bool fits(std::string_view text, std::string_view pattern);

}  // namespace wiretally::ledger
