// Prices of one's own, in YAML: rows that go before the lists, negotiated discounts, deployments
// and the models they run, machines of one's own. docs/prices.md has the reader's description.
//
//   prices       provider, model, input, output …, tiers, above, from, until, hours, source_date
//   discounts    provider, model, percent or factor, from, until
//   deployments  provider, name, server, model, zone
//   self_hosted  server, provider, model, input, output …
//
// Each is a list. Prices are USD for a million tokens (web_search, grounded_prompt, request,
// audio_second, search_unit: each), decimal numbers as written. Anything else is an error that
// names file, line and remedy: a price that is passed over in silence is a wrong price.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "price_row.h"
#include "wiretally/result.h"

namespace wiretally::pricing {

// Text in which `*` stands for any characters; empty matches everything.
bool matches(std::string_view pattern, std::string_view text);

// Off what the lists say; rows of one's own are net.
struct Discount {
  std::string provider;
  std::string model;
  Ratio factor;
  Period period;
};

// One by its name, or all of a server.
struct Deployment {
  std::string provider;
  std::string name;
  std::string server;
  std::string model;  // what it runs, where the answer does not name it
  std::string zone;   // where it stands, if that has prices of its own: eu, us, global
};

// Calls whose server, provider and model match are served by a machine of one's own.
struct OwnServer {
  std::string server;
  std::string provider;
  std::string model;
  std::optional<PriceRow> row;  // an own price
};

struct Overrides {
  std::vector<PriceRow> rows;
  std::vector<Discount> discounts;      // the first that matches counts
  std::vector<Deployment> deployments;  // likewise
  std::vector<OwnServer> own_servers;   // likewise
};

// `name` is what errors call the text.
Result<Overrides> read_overrides(const std::string& text, const std::string& name);

}  // namespace wiretally::pricing
