// The prices that wiretally knows without a price file: the tables of agent/pricing/tables, one a
// provider, compiled in as they stand. A table reads:
//
//   provider gcp.gemini            as records name it
//   prefix gemini/                 what a row's key has before the model's name
//   border included                bands hold from exactly their first token on
//   MODEL DATE  name price …       a row: day or month of the list it is taken from, USD for a
//                                  million tokens (web_search, grounded_prompt, request,
//                                  audio_second, search_unit: each), factors as decimals, from and
//                                  until as dates
//     [above N] [TIER]  name price …   indented: the row's prices in another band or tier
//
// Names are those of overrides.h. `#` begins a comment.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "price_row.h"
#include "wiretally/result.h"

namespace wiretally::pricing {

std::vector<PriceRow> built_in_prices();

// `name` is what errors call the table.
Result<std::vector<PriceRow>> read_price_table(std::string_view text, const std::string& name);

// The tables as they stand in the source tree; made by the build (cmake/price_tables.cmake).
struct PriceTable {
  std::string_view name;
  std::string_view text;
};
const std::vector<PriceTable>& price_tables();

}  // namespace wiretally::pricing
