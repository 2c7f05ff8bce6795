// What the native dialects of inference servers share: plain counts, nothing inside or beside them.
#pragma once

#include "dialect.h"

namespace wiretally::llm {

inline void normalise_plain_counts(const AnswerNotes& notes, const UsageContext& context,
                                   UsageRecord& record) {
  if (!notes.has_usage) return;
  TokenCounts& tokens = record.tokens;
  normalise_openai(notes.usage, {}, tokens, record.flags);
  note_sources(context, tokens);
}

}  // namespace wiretally::llm
