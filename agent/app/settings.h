// What the user may set, and the one table that every way of setting it comes from.
//
// Each scalar setting has a key in the YAML file (`count.hold`), a flag (`--count-hold`) and an
// environment variable (`WIRETALLY_COUNT_HOLD`). A flag wins over the environment, the environment
// over the file. Unknown keys and flags are errors that suggest the nearest known one.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "wiretally/result.h"

namespace wiretally {

enum class Format : uint8_t { kTable, kNdjson, kCsv, kPrometheus };

struct Settings {
  std::string config;
  std::string listen = "127.0.0.1:9477";
  std::vector<std::string> interfaces = {"any"};
  bool tls = true;
  bool packets = true;
  std::string ndjson;  // a file, "-" for stdout, or empty
  uint32_t lanes = 1;
  uint32_t ring_mib = 64;
  std::string prices;
  std::string price_overrides;
  std::string rules;
  std::vector<std::string> end_user_headers;
  std::vector<std::string> session_headers;
  std::string key_secret;  // empty: the default place (run), the public replay key (replay)
  bool price_estimates = false;
  bool all_legs = false;
  bool dry_run = false;
  std::string node;
  std::string subjects;  // auto, plain, hash; empty = the verb's default
  int64_t count_hold_ns = 5'000'000'000;
  std::vector<std::string> gateways;  // host names, in lower case
  int64_t metrics_idle_ns = 24LL * 3600 * 1'000'000'000;
  uint32_t metrics_zero_scrapes = 1;

  // replay
  Format format = Format::kTable;
  std::vector<uint16_t> ports;
  // prices
  std::string provider;
  std::string tier;
  std::string server;
  std::string geography;
  std::string speed;
  std::string date;
  uint64_t input = 1000;
  uint64_t output = 1000;
  uint64_t cache_read = 0;
  uint64_t cache_write_5m = 0;
  uint64_t cache_write_1h = 0;
  uint64_t reasoning = 0;
  uint64_t input_audio = 0;
  uint64_t output_audio = 0;
  uint64_t input_image = 0;
  uint64_t output_image = 0;
  uint64_t searches = 0;
  uint64_t audio_seconds = 0;
  // doctor
  bool verbose = false;
  bool json = false;

  std::vector<std::string> files;  // what stands without a flag
};

enum Verb : uint8_t { kRun = 1, kReplay = 2, kDoctor = 4, kPrices = 8 };

// Settings from file, environment and flags. `arguments` is what stands behind the verb.
Result<Settings> read_settings(Verb verb, std::span<const char* const> arguments,
                               const char* const* environment);

// The options part of `wiretally VERB --help`.
std::string describe_settings(Verb verb);

// Whether a request header of this name, in lower case, holds a credential: nothing of it may be
// shown or matched.
bool holds_credential(std::string_view header);

// The known name nearest to `word`, or "" if none is near.
std::string_view nearest_name(std::string_view word, std::span<const std::string_view> names);

}  // namespace wiretally
