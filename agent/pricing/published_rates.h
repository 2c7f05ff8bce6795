// Rates that a provider publishes as a rule for all its models, which lists of models leave out. A
// row is told them where it states none itself; rows of one's own stand for themselves.
//
//   mistral_ai   cached input costs a tenth of input (docs.mistral.ai, prompt caching)
//   groq         cached input costs half of input (console.groq.com, prompt caching)
//   anthropic    in a batch every kind of token costs half, those of the cache too (Message Batches
//                with prompt caching: the discounts stack)
//   gcp.gemini   in a batch every kind of token costs half, but cached input what it costs outside
//                of one (Batch API, technical details)
#pragma once

#include "price_row.h"

namespace wiretally::pricing {

void add_published_rates(PriceRow& row);

}  // namespace wiretally::pricing
