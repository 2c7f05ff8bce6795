// LiteLLM's public price file, model_prices_and_context_window.json, as it is: one JSON object,
// model → entry. Read are the prices of tokens, in every tier and context band, and of a web search
// that costs the same whatever its size:
//
//   input_cost_per_token, output_cost_per_token, cache_read_input_token_cost (older:
//   input_cost_per_token_cache_hit), cache_creation_input_token_cost[_above_1hr],
//   output_cost_per_reasoning_token, {input,output}_cost_per_{audio,image}_token
//     [_above_{N}k_tokens] [_priority | _flex | _batches | _ultrafast]
//   search_context_cost_per_query, regional_processing_uplift_multiplier_{us,eu}
//
// An entry priced by what is not read here (tiered_pricing, off_peak_pricing) keeps its name and
// loses its prices. One whose every price is 0 is left out: the file writes 0 for "not known" too.
#pragma once

#include <istream>
#include <string>
#include <vector>

#include "price_row.h"
#include "wiretally/result.h"

namespace wiretally::pricing {

// `name` is what errors call the input, `origin` what its rows are marked with.
Result<std::vector<PriceRow>> read_litellm(std::istream& input, const std::string& name,
                                           const std::string& origin);

}  // namespace wiretally::pricing
