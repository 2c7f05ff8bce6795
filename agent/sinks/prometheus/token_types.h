// A call's tokens split into types that do not overlap: their sum is input plus output.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>

#include "wiretally/usage_record.h"

namespace wiretally::sinks {

// Calls `visit(type, source, tokens)` for each type that has tokens. Parts that a provider states
// larger than their whole are cut to it.
template <typename Visit>
void for_each_token_type(const TokenCounts& tokens, Visit visit) {
  struct Part {
    std::string_view type;
    const std::optional<uint64_t>& tokens;
  };
  const auto split = [&](const std::optional<uint64_t>& whole, UsageSource source,
                         std::string_view rest_type, std::initializer_list<Part> parts) {
    if (source == UsageSource::kNone) return;
    uint64_t rest = whole.value_or(UINT64_MAX);
    for (const Part& part : parts) {
      const uint64_t taken = std::min(rest, part.tokens.value_or(0));
      rest -= taken;
      if (taken > 0) visit(part.type, source, taken);
    }
    if (whole && rest > 0) visit(rest_type, source, rest);
  };
  split(tokens.input, tokens.input_source, "input",
        {{"input_cache_read", tokens.cache_read},
         {"input_cache_write_5m", tokens.cache_write_5m},
         {"input_cache_write_1h", tokens.cache_write_1h},
         {"input_audio", tokens.input_audio},
         {"input_image", tokens.input_image}});
  split(tokens.output, tokens.output_source, "output",
        {{"output_reasoning", tokens.reasoning},
         {"output_audio", tokens.output_audio},
         {"output_image", tokens.output_image}});
}

}  // namespace wiretally::sinks
