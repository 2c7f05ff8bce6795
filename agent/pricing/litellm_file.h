// LiteLLM's public price file, model_prices_and_context_window.json, as it is: one JSON object,
// model → entry. Read are the prices of tokens, in every tier and context band, of requests, and of
// a web search that costs the same whatever its size:
//
//   input_cost_per_token, output_cost_per_token, cache_read_input_token_cost (older:
//   input_cost_per_token_cache_hit), cache_creation_input_token_cost[_above_1hr],
//   output_cost_per_reasoning_token, {input,output}_cost_per_{audio,image}_token,
//   cache_read_input_audio_token_cost
//     [_above_{N}k_tokens] [_priority | _flex | _batches | _ultrafast]
//   tiered_pricing [{range: [above, to], prices as above}]: in the place of the flat prices
//   input_cost_per_request, search_context_cost_per_query
//   regional_processing_uplift_multiplier_{us,eu}, provider_specific_entry {us, fast}
//
// An entry priced by what is not counted here (seconds, pixels, characters, cited tokens) or by the
// time of day keeps its name and loses its prices. One whose every price is 0 is left out: the file
// writes 0 for "not known" too.
#pragma once

#include <istream>
#include <string>
#include <string_view>
#include <vector>

#include "price_row.h"
#include "wiretally/result.h"

namespace wiretally::pricing {

// `name` is what errors call the input, `origin` what its rows are marked with.
Result<std::vector<PriceRow>> read_litellm(std::istream& input, const std::string& name,
                                           const std::string& origin);

// Whose model a key of the file names, in the words of records: of "azure/gpt-4o" owned by "azure"
// it is {azure.ai.openai, gpt-4o}. Owners without a name of their own in records keep the file's.
struct ListedModel {
  std::string_view provider;
  std::string_view model;
  uint8_t rank = 0;  // how far the key is from how its owner's keys are written
};
ListedModel listed_model(std::string_view owner, std::string_view key);

}  // namespace wiretally::pricing
