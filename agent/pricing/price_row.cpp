#include "price_row.h"

#include <algorithm>

namespace wiretally::pricing {

Band& PriceRow::band(uint64_t above) {
  const auto place =
      std::lower_bound(bands.begin(), bands.end(), above,
                       [](const Band& b, uint64_t value) { return b.above < value; });
  if (place != bands.end() && place->above == above) return *place;
  return *bands.insert(place, Band{.above = above, .tiers = {}});
}

}  // namespace wiretally::pricing
