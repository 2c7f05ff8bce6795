// What an answer's headers say of rate limits: how much remains, and until when that holds.
//
// Names, of which the first that is there counts (remaining, reset):
//   requests  x-ratelimit-{remaining,reset}-requests          OpenAI, Azure, Groq, xAI, Mistral …
//             anthropic-ratelimit-requests-{remaining,reset}
//             x-ratelimit-remaining-req-minute                Mistral
//             x-ratelimit-{remaining,reset}-requests-day      Cerebras
//             x-ratelimit-{remaining,reset}                   Together, OpenRouter
//   tokens    x-ratelimit-{remaining,reset}-tokens
//             anthropic-ratelimit-tokens-{remaining,reset}, then input-tokens, then output-tokens
//             x-ratelimit-{remaining,reset}-tokens-minute     Cerebras, Mistral
//             x-ratelimitbysize-remaining-minute              Mistral
//             x-ratelimit-remaining-tokens-prompt             Fireworks
//             x-tokenlimit-{remaining,reset}                  Together
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "wiretally/http_exchange.h"
#include "wiretally/usage_record.h"

namespace wiretally::llm {

void note_rate_limits(const Headers& answer_headers, UsageRecord& record);

// Nanoseconds until a reset that is written as "6m0s", "2m59.56s", "12ms", "33011.38" (seconds), or
// as a point in time: RFC 3339, or a Unix time in seconds or milliseconds. Those need the answer's
// own time: `date` is its Date field (RFC 9110 section 5.6.7, the preferred form). Nothing for what
// cannot be read; 0 for what has passed.
std::optional<int64_t> time_until_reset(std::string_view reset, std::string_view date);

}  // namespace wiretally::llm
