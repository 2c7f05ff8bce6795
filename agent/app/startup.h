// What the verbs share: what is built from the settings before the first byte is read, and how an
// error is told.
#pragma once

#include <string>
#include <string_view>

#include "credential_reader.h"
#include "ledger.h"
#include "live_price_book.h"
#include "rules_file.h"
#include "settings.h"
#include "wiretally/limits.h"
#include "wiretally/result.h"
#include "worst_case.h"

namespace wiretally {

Limits limits_of(const Settings& settings);

// The built-in prices, over them those of --prices, over them those of --price-overrides.
Result<std::unique_ptr<pricing::LivePriceBook>> price_book(const Settings& settings);

// How subjects are written: as set, else `otherwise`.
identity::SubjectPrivacy privacy_of(const Settings& settings, identity::SubjectPrivacy otherwise);

ledger::LedgerOptions ledger_options(const Settings& settings, const PriceBook& prices,
                                     const AttributionRules& rules);
// The request headers that are read beside the credentials.
identity::MarkHeaders mark_headers(const Settings& settings, const AttributionRules& rules);

// What `run` with these settings may take at worst, and of what.
MemoryUse memory_use(const Settings& settings);

// Of the running kernel, e.g. "6.1.0-18-amd64".
std::string kernel_release();

// Prints the error the way every verb does, and returns the exit status for it.
int fail(const Error& error);
int fail(std::string_view message);

}  // namespace wiretally
