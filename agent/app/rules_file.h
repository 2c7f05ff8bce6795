// The file of --rules: whose team and service a call is, in YAML (docs/attribution.md).
#pragma once

#include <string>
#include <vector>

#include "attribution.h"
#include "wiretally/result.h"

namespace wiretally {

struct AttributionRules {
  std::vector<ledger::AttributionRule> rules;
  std::vector<std::string> headers;  // that the rules look at, in lower case: the record's marks
};

// Errors name the file, the line and what is expected there.
Result<AttributionRules> read_rules(const std::string& text, const std::string& name);
// "" for no file.
Result<AttributionRules> load_rules(const std::string& path);

}  // namespace wiretally
