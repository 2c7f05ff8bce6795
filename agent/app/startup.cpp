#include "startup.h"

#include <sys/utsname.h>

#include <cstdio>
#include <string>

#include "commands.h"

namespace wiretally {

Limits limits_of(const Settings& settings) {
  Limits limits;
  limits.hold_max_ns = settings.count_hold_ns;
  limits.hold_min_ns = std::min(limits.hold_min_ns, limits.hold_max_ns);
  return limits;
}

Result<std::unique_ptr<pricing::LivePriceBook>> price_book(const Settings& settings) {
  return pricing::LivePriceBook::open(
      {.list = settings.prices, .overrides = settings.price_overrides});
}

identity::SubjectPrivacy privacy_of(const Settings& settings, identity::SubjectPrivacy otherwise) {
  if (settings.subjects == "auto") return identity::SubjectPrivacy::kAuto;
  if (settings.subjects == "plain") return identity::SubjectPrivacy::kPlain;
  if (settings.subjects == "hash") return identity::SubjectPrivacy::kHash;
  return otherwise;
}

ledger::LedgerOptions ledger_options(const Settings& settings, const PriceBook& prices,
                                     const AttributionRules& rules) {
  ledger::LedgerOptions options;
  options.prices = &prices;
  options.price_estimates = settings.price_estimates;
  options.all_legs = settings.all_legs;
  options.node = settings.node;
  options.gateways = settings.gateways;
  options.rules = rules.rules;
  return options;
}

identity::MarkHeaders mark_headers(const Settings& settings, const AttributionRules& rules) {
  return {.end_user = settings.end_user_headers,
          .session = settings.session_headers,
          .marks = rules.headers};
}

MemoryUse memory_use(const Settings& settings) {
  const uint64_t ring = uint64_t{settings.ring_mib} << 20;
  return {.lanes = settings.lanes,
          .packet_ring_bytes = settings.packets ? settings.interfaces.size() * ring : 0,
          .probe_ring_bytes = settings.tls ? ring : 0,
          .serves_metrics = true,
          .writes_lines = !settings.ndjson.empty()};
}

std::string kernel_release() {
  utsname name{};
  ::uname(&name);
  return name.release;
}

int fail(std::string_view message) {
  std::fprintf(stderr, "wiretally: %.*s\n", static_cast<int>(message.size()), message.data());
  return kExitEnvironment;
}

int fail(const Error& error) { return fail(error.message); }

}  // namespace wiretally
