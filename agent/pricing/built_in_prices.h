// The prices that wiretally knows without a price file.
#pragma once

#include <vector>

#include "price_row.h"

namespace wiretally::pricing {

std::vector<PriceRow> built_in_prices();

}  // namespace wiretally::pricing
