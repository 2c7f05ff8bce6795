// What Anthropic Messages shares with the services that pack it into frames of their own.
#pragma once

#include <span>

#include "dialect.h"

namespace wiretally::llm {

std::span<const AnswerPath> anthropic_answer_paths();
bool anthropic_answer_has_shape(const AnswerNotes& notes);
void end_anthropic_document(AnswerNotes& notes, bool is_event);
// Both cache numbers stand outside the input; the input stands from the first event on.
void normalise_anthropic_answer(const AnswerNotes& notes, const UsageContext& context,
                                UsageRecord& record);

}  // namespace wiretally::llm
