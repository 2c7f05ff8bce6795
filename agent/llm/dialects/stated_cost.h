// What an answer says it cost.
#pragma once

#include "dialect.h"

namespace wiretally::llm {

// The rows of a usage object at `root`: OpenRouter, Perplexity, xAI.
#define WIRETALLY_STATED_COST(root)                                                 \
  {root ".cost", AnswerSlot::kCost, UsageField::kCount, CostStatement::kUsageCost}, \
      {root ".cost.total_cost", AnswerSlot::kCost, UsageField::kCount,              \
       CostStatement::kUsageTotal},                                                 \
      {root ".cost_in_usd_ticks", AnswerSlot::kCost, UsageField::kCount,            \
       CostStatement::kUsageTicks},                                                 \
      {root ".cost_details.upstream_inference_cost", AnswerSlot::kUpstreamCost}, {  \
    root ".is_byok", AnswerSlot::kOwnKey                                            \
  }

}  // namespace wiretally::llm
