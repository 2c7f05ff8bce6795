// The usage record's fields, version 1, in their order: the one list that every written form
// follows. What is unknown is null, never 0.
#pragma once

#include <span>
#include <string_view>

#include "wiretally/ledger_entry.h"

namespace wiretally::sinks {

class FieldVisitor {
 public:
  virtual ~FieldVisitor() = default;
  virtual void null(std::string_view name) = 0;
  virtual void text(std::string_view name, std::string_view value) = 0;
  virtual void number(std::string_view name, std::string_view value) = 0;  // or true, false
  virtual void list(std::string_view name, std::span<const std::string_view> values) = 0;
};

void visit_fields(const LedgerEntry& entry, FieldVisitor& visitor);

// The weaker of the two sources; what a call cannot have does not weaken it.
UsageSource usage_source(const UsageRecord& record);

}  // namespace wiretally::sinks
