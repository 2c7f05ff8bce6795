#include "settings.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>

namespace wiretally {
namespace {

using Apply = Status (*)(Settings&, std::string_view);

// One scalar setting. `argument` is empty for switches: the flag alone means `switch_value`.
struct Setting {
  std::string_view key;
  std::string_view flag;
  std::string_view argument;
  std::string_view switch_value;
  uint8_t verbs;
  std::string_view help;
  Apply apply;
};

Error bad_value(std::string_view value, std::string_view expected) {
  return Error{"'" + std::string(value) + "' is not " + std::string(expected)};
}

template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

template <auto Member>
Status set_text(Settings& settings, std::string_view value) {
  settings.*Member = std::string(value);
  return Done{};
}

template <auto Member>
Status set_bool(Settings& settings, std::string_view value) {
  if (value != "true" && value != "false") return bad_value(value, "true or false");
  settings.*Member = value == "true";
  return Done{};
}

template <auto Member, uint32_t kLeast, uint32_t kMost>
Status set_count(Settings& settings, std::string_view value) {
  const auto number = parse_number<uint32_t>(value);
  if (!number || *number < kLeast || *number > kMost) {
    return bad_value(value,
                     "a number from " + std::to_string(kLeast) + " to " + std::to_string(kMost));
  }
  settings.*Member = *number;
  return Done{};
}

template <auto Member>
Status set_tokens(Settings& settings, std::string_view value) {
  const auto number = parse_number<uint64_t>(value);
  if (!number || *number > 1'000'000'000'000) return bad_value(value, "a number of tokens");
  settings.*Member = *number;
  return Done{};
}

// "5s", "500ms", "24h", "10m".
template <auto Member>
Status set_duration(Settings& settings, std::string_view value) {
  static constexpr std::pair<std::string_view, int64_t> kUnits[] = {
      {"ms", 1'000'000},
      {"s", 1'000'000'000},
      {"m", 60'000'000'000},
      {"h", 3600'000'000'000},
  };
  constexpr int64_t kLongestNs = 30LL * 24 * 3600 * 1'000'000'000;
  for (const auto& [unit, ns] : kUnits) {
    if (!value.ends_with(unit)) continue;
    const auto number = parse_number<int64_t>(value.substr(0, value.size() - unit.size()));
    if (!number || *number < 0 || *number > kLongestNs / ns) continue;
    settings.*Member = *number * ns;
    return Done{};
  }
  return bad_value(value, "a duration such as 500ms, 5s, 10m or 24h (at most 30 days)");
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    if (comma > 0) parts.emplace_back(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return parts;
}

// The web server would read much more into it: a bare port as all addresses, a comma as two
// servers.
Status set_listen(Settings& settings, std::string_view value) {
  const size_t colon = value.rfind(':');
  const std::string_view address = value.substr(0, std::min(colon, value.size()));
  const bool whole = colon != value.npos && !address.empty() && address.find(',') == value.npos;
  if (!whole || !parse_number<uint16_t>(value.substr(colon + 1))) {
    return bad_value(value, "an address and port such as 127.0.0.1:9477 or 0.0.0.0:9477");
  }
  settings.listen = std::string(value);
  return Done{};
}

Status set_interfaces(Settings& settings, std::string_view value) {
  settings.interfaces = split_list(value);
  if (settings.interfaces.empty()) return bad_value(value, "a list of interfaces");
  return Done{};
}

// Names of request headers, in lower case.
template <auto Member>
Status set_headers(Settings& settings, std::string_view value) {
  settings.*Member = split_list(value);
  for (std::string& name : settings.*Member) {
    for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    // RFC 9110 section 5.6.2: the characters of a token.
    const bool token =
        name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~") == name.npos;
    if (!token) return bad_value(name, "the name of a header");
    if (holds_credential(name)) {
      return bad_value(name, "a header that may be shown: it holds a credential");
    }
  }
  if ((settings.*Member).empty()) return bad_value(value, "a list of headers");
  return Done{};
}

Status set_ports(Settings& settings, std::string_view value) {
  for (const std::string& part : split_list(value)) {
    const auto port = parse_number<uint16_t>(part);
    if (!port || *port == 0) return bad_value(part, "a port from 1 to 65535");
    settings.ports.push_back(*port);
  }
  return Done{};
}

Status set_gateways(Settings& settings, std::string_view value) {
  settings.gateways = split_list(value);
  for (std::string& host : settings.gateways) {
    if (host.find_first_of(":/ ") != host.npos) return bad_value(host, "a host name without port");
    std::transform(host.begin(), host.end(), host.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  }
  return Done{};
}

Status set_format(Settings& settings, std::string_view value) {
  static constexpr std::pair<std::string_view, Format> kFormats[] = {
      {"table", Format::kTable},
      {"ndjson", Format::kNdjson},
      {"csv", Format::kCsv},
      {"prometheus", Format::kPrometheus},
  };
  for (const auto& [name, format] : kFormats) {
    if (name != value) continue;
    settings.format = format;
    return Done{};
  }
  return bad_value(value, "one of table, ndjson, csv, prometheus");
}

Status set_subjects(Settings& settings, std::string_view value) {
  if (value != "auto" && value != "plain" && value != "hash") {
    return bad_value(value, "one of auto, plain, hash");
  }
  settings.subjects = std::string(value);
  return Done{};
}

constexpr uint8_t kCounting = kRun | kReplay;
constexpr uint8_t kPricing = kCounting | kPrices;

// clang-format off
const Setting kSettings[] = {
    {"listen", "--listen", "ADDRESS:PORT", "", kRun, "where /metrics, /healthz and /readyz are served (127.0.0.1:9477)", set_listen},
    {"interface", "--interface", "NAME[,NAME]", "", kRun, "interfaces whose clear-text traffic is read (any)", set_interfaces},
    {"tls", "--no-tls", "", "false", kRun, "attach no probes to TLS libraries", set_bool<&Settings::tls>},
    {"packets", "--no-packets", "", "false", kRun, "read no packets", set_bool<&Settings::packets>},
    {"ndjson", "--ndjson", "FILE|-", "", kRun, "write each counted call as a line of JSON; SIGHUP reopens the file", set_text<&Settings::ndjson>},
    {"lanes", "--lanes", "N", "", kCounting, "lanes of the pipeline (1); the results do not depend on it", set_count<&Settings::lanes, 1, 64>},
    {"ring_mib", "--ring-mib", "N", "", kRun, "size of the probes' ring buffer in MiB, rounded up to a power of two (64)", set_count<&Settings::ring_mib, 1, 1024>},
    {"prices", "--prices", "FILE", "", kPricing, "price list in LiteLLM's JSON format, over the built-in one; read again when it changes", set_text<&Settings::prices>},
    {"price_overrides", "--price-overrides", "FILE", "", kPricing, "own prices, discounts, deployments and own machines, in YAML (docs/prices.md)", set_text<&Settings::price_overrides>},
    {"price_estimates", "--price-estimates", "", "true", kCounting, "estimated tokens cost what reported ones would (docs/metrics.md); without it their cost is unknown", set_bool<&Settings::price_estimates>},
    {"rules", "--rules", "FILE", "", kCounting, "whose team and service a call is, in YAML (docs/attribution.md)", set_text<&Settings::rules>},
    {"end_user_header", "--end-user-header", "NAME[,NAME]", "", kCounting, "request headers that name the end user, before what the body says", set_headers<&Settings::end_user_headers>},
    {"session_header", "--session-header", "NAME[,NAME]", "", kCounting, "request headers that name the session, before the known ones", set_headers<&Settings::session_headers>},
    {"key_secret", "--key-secret", "FILE", "", kCounting, "secret of the hashes of keys and subjects (/var/lib/wiretally/key)", set_text<&Settings::key_secret>},
    {"all_legs", "--all-legs", "", "true", kCounting, "also write the observations that were folded into another record", set_bool<&Settings::all_legs>},
    {"dry_run", "--dry-run", "", "true", kRun, "say what would be probed and served, and stop", set_bool<&Settings::dry_run>},
    {"node", "--node", "NAME", "", kCounting, "name of this node in the records", set_text<&Settings::node>},
    {"privacy.subjects", "--privacy-subjects", "auto|plain|hash", "", kCounting, "how JWT subjects are written (run: auto, replay: plain)", set_subjects},
    {"count.hold", "--count-hold", "DURATION", "", kCounting, "longest wait of a finished call for its twin (5s)", set_duration<&Settings::count_hold_ns>},
    {"count.gateways", "--count-gateways", "HOST[,HOST]", "", kCounting, "hosts that are gateways, beside those that say so in their answers", set_gateways},
    {"metrics.idle", "--metrics-idle", "DURATION", "", kRun, "a series that has not moved for so long leaves /metrics (24h)", set_duration<&Settings::metrics_idle_ns>},
    {"metrics.zero_scrapes", "--metrics-zero-scrapes", "N", "", kRun, "scrapes that show a new series as 0 (1; 2 for replicated scrapers)", set_count<&Settings::metrics_zero_scrapes, 0, 8>},
};
// clang-format on

// Flags that are no settings: they stand for one call only.
struct CallFlag {
  std::string_view flag;
  std::string_view argument;
  uint8_t verbs;
  std::string_view help;
  Apply apply;
};

// clang-format off
const CallFlag kCallFlags[] = {
    {"--config", "FILE", kRun, "read settings from this YAML file", set_text<&Settings::config>},
    {"--format", "table|ndjson|csv|prometheus", kReplay, "how to print (table)", set_format},
    {"--port", "N[,N]", kReplay, "only connections with one of these ports", set_ports},
    {"--provider", "NAME", kPrices, "whose model, as records name it (openai, aws.bedrock …)", set_text<&Settings::provider>},
    {"--tier", "TIER", kPrices, "standard, priority, flex, batch or the provider's own word", set_text<&Settings::tier>},
    {"--server", "HOST", kPrices, "the host that is called, where regions have prices", set_text<&Settings::server>},
    {"--geography", "NAME", kPrices, "inference_geo of the answer (us)", set_text<&Settings::geography>},
    {"--speed", "NAME", kPrices, "speed of the answer (fast)", set_text<&Settings::speed>},
    {"--date", "DATE", kPrices, "prices of that day (now)", set_text<&Settings::date>},
    {"--input", "N", kPrices, "tokens read, cache included (1000)", set_tokens<&Settings::input>},
    {"--output", "N", kPrices, "tokens generated, reasoning included (1000)", set_tokens<&Settings::output>},
    {"--cache-read", "N", kPrices, "of the input: read from the cache", set_tokens<&Settings::cache_read>},
    {"--cache-write-5m", "N", kPrices, "of the input: written to the cache", set_tokens<&Settings::cache_write_5m>},
    {"--cache-write-1h", "N", kPrices, "of the input: written to it for an hour", set_tokens<&Settings::cache_write_1h>},
    {"--input-audio", "N", kPrices, "of the input: audio", set_tokens<&Settings::input_audio>},
    {"--input-image", "N", kPrices, "of the input: images", set_tokens<&Settings::input_image>},
    {"--reasoning", "N", kPrices, "of the output: reasoning", set_tokens<&Settings::reasoning>},
    {"--output-audio", "N", kPrices, "of the output: audio", set_tokens<&Settings::output_audio>},
    {"--output-image", "N", kPrices, "of the output: images", set_tokens<&Settings::output_image>},
    {"--searches", "N", kPrices, "web searches by the server; the search units of a rerank", set_tokens<&Settings::searches>},
    {"--audio-seconds", "N", kPrices, "sound of a transcription that is billed by the second", set_tokens<&Settings::audio_seconds>},
    {"--verbose", "", kDoctor, "also the processes that cannot be looked into", set_bool<&Settings::verbose>},
    {"--json", "", kDoctor | kPrices, "as JSON", set_bool<&Settings::json>},
};
// clang-format on

std::string environment_name(std::string_view key) {
  std::string name = "WIRETALLY_";
  for (const char c : key) {
    name.push_back(c == '.' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c));
  }
  return name;
}

// What Kubernetes puts into every container's environment for a Service whose name begins as ours:
// wiretally, wiretally-metrics … None of our own names looks like these.
bool is_service_variable(std::string_view name) {
  const size_t port = name.find("_PORT_");
  const bool port_number =
      port != name.npos && port + 6 < name.size() && name[port + 6] >= '0' && name[port + 6] <= '9';
  return name.ends_with("_SERVICE_HOST") || name.find("_SERVICE_PORT") != name.npos ||
         name.ends_with("_PORT") || port_number;
}

const Setting* find_key(std::string_view key) {
  for (const Setting& setting : kSettings) {
    if (setting.key == key) return &setting;
  }
  return nullptr;
}

Error unknown(std::string_view kind, std::string_view name,
              std::span<const std::string_view> known) {
  std::string message = "unknown " + std::string(kind) + " '" + std::string(name) + "'";
  if (const std::string_view near = nearest_name(name, known); !near.empty()) {
    message += "; did you mean '" + std::string(near) + "'?";
  }
  return Error{message};
}

std::string place(const std::string& file, const YAML::Mark& mark) {
  return mark.is_null() ? file : file + ":" + std::to_string(mark.line + 1);
}

Status apply_yaml(const YAML::Node& node, const std::string& file, const std::string& prefix,
                  Settings& settings) {
  std::set<std::string> seen;
  for (const auto& member : node) {
    const std::string key = prefix + member.first.as<std::string>();
    const std::string where = place(file, member.first.Mark());
    if (!seen.insert(key).second) return Error{where + ": " + key + " stands there twice"};
    if (const Setting* setting = find_key(key)) {
      std::string value;
      if (member.second.IsSequence()) {
        for (const auto& element : member.second) value += element.as<std::string>() + ",";
      } else if (member.second.IsScalar()) {
        value = member.second.as<std::string>();
      } else {
        return Error{where + ": " + key + " takes a value"};
      }
      if (Status status = setting->apply(settings, value); !status) {
        return Error{where + ": " + key + ": " + status.error().message};
      }
      continue;
    }
    const std::string group = key + ".";
    const bool is_group = std::any_of(std::begin(kSettings), std::end(kSettings),
                                      [&](const Setting& s) { return s.key.starts_with(group); });
    if (is_group && member.second.IsMap()) {
      if (Status status = apply_yaml(member.second, file, group, settings); !status) return status;
      continue;
    }
    std::vector<std::string_view> known;
    for (const Setting& setting : kSettings) known.push_back(setting.key);
    return Error{where + ": " + unknown("key", key, known).message};
  }
  return Done{};
}

Status apply_file(const std::string& file, Settings& settings) {
  std::ifstream input(file);
  if (!input || input.peek() == std::ifstream::traits_type::eof()) {
    std::error_code unused;
    if (input && std::filesystem::is_regular_file(file, unused)) return Done{};  // empty
    return Error{file + ": cannot be read; give --config the path of a YAML file"};
  }
  try {
    const YAML::Node root = YAML::Load(input);
    if (root.IsNull()) return Done{};
    if (!root.IsMap()) return Error{file + ": is not a YAML mapping of settings"};
    return apply_yaml(root, file, "", settings);
  } catch (const YAML::Exception& exception) {
    return Error{place(file, exception.mark) + ": " + exception.msg};
  }
}

Status apply_environment(const char* const* environment, Settings& settings) {
  constexpr std::string_view kPrefix = "WIRETALLY_";
  for (; environment != nullptr && *environment != nullptr; ++environment) {
    const std::string_view entry = *environment;
    if (!entry.starts_with(kPrefix)) continue;
    const size_t equals = std::min(entry.find('='), entry.size() - 1);
    const std::string_view name = entry.substr(0, equals);
    const auto setting =
        std::find_if(std::begin(kSettings), std::end(kSettings),
                     [&](const Setting& s) { return environment_name(s.key) == name; });
    if (setting == std::end(kSettings)) {
      if (is_service_variable(name)) continue;
      std::vector<std::string> names;
      for (const Setting& s : kSettings) names.push_back(environment_name(s.key));
      const std::vector<std::string_view> views(names.begin(), names.end());
      return unknown("environment variable", name, views);
    }
    if (Status status = setting->apply(settings, entry.substr(equals + 1)); !status) {
      return Error{std::string(name) + ": " + status.error().message};
    }
  }
  return Done{};
}

// A flag as this verb knows it, whichever table it stands in.
struct Flag {
  std::string_view name;
  std::string_view argument;
  std::string_view switch_value;
  Apply apply;
};

std::vector<Flag> flags_of(Verb verb) {
  std::vector<Flag> flags;
  for (const CallFlag& flag : kCallFlags) {
    if (flag.verbs & verb) flags.push_back({flag.flag, flag.argument, "true", flag.apply});
  }
  for (const Setting& setting : kSettings) {
    if (setting.verbs & verb) {
      flags.push_back({setting.flag, setting.argument, setting.switch_value, setting.apply});
    }
  }
  return flags;
}

// A flag with the value given for it.
struct GivenFlag {
  Flag flag;
  std::string_view value;
};

struct CommandLine {
  std::vector<GivenFlag> flags;
  std::vector<std::string> files;
};

Result<CommandLine> parse_arguments(Verb verb, std::span<const char* const> arguments) {
  const std::vector<Flag> known = flags_of(verb);
  CommandLine line;
  bool only_files = false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    std::string_view word = arguments[i];
    if (only_files || word == "-" || !word.starts_with("-")) {
      line.files.emplace_back(word);
      continue;
    }
    if (word == "--") {
      only_files = true;
      continue;
    }
    std::optional<std::string_view> value;
    if (const size_t equals = word.find('='); equals != word.npos) {
      value = word.substr(equals + 1);
      word = word.substr(0, equals);
    }
    const auto flag =
        std::find_if(known.begin(), known.end(), [&](const Flag& f) { return f.name == word; });
    if (flag == known.end()) {
      std::vector<std::string_view> names;
      for (const Flag& f : known) names.push_back(f.name);
      return unknown("option", word, names);
    }
    if (flag->argument.empty()) {
      if (value) return Error{std::string(word) + " takes no value"};
      value = flag->switch_value;
    } else if (!value) {
      if (i + 1 == arguments.size()) {
        return Error{std::string(word) + " needs a value: " + std::string(flag->argument)};
      }
      value = arguments[++i];
    }
    line.flags.push_back({*flag, *value});
  }
  return line;
}

}  // namespace

bool holds_credential(std::string_view header) {
  static constexpr std::string_view kNames[] = {"authorization",
                                                "proxy-authorization",
                                                "x-api-key",
                                                "api-key",
                                                "x-goog-api-key",
                                                "cookie",
                                                "x-portkey-api-key",
                                                "helicone-auth",
                                                "cf-aig-authorization",
                                                "sec-websocket-protocol",
                                                "x-amz-security-token"};
  return std::find(std::begin(kNames), std::end(kNames), header) != std::end(kNames);
}

std::string_view nearest_name(std::string_view word, std::span<const std::string_view> names) {
  std::string_view nearest;
  size_t nearest_distance = std::max<size_t>(2, word.size() / 3) + 1;
  for (const std::string_view name : names) {
    // Levenshtein distance, one row at a time.
    std::vector<size_t> row(name.size() + 1);
    for (size_t j = 0; j <= name.size(); ++j) row[j] = j;
    for (size_t i = 1; i <= word.size(); ++i) {
      size_t diagonal = row[0];
      row[0] = i;
      for (size_t j = 1; j <= name.size(); ++j) {
        const size_t replaced = diagonal + (word[i - 1] == name[j - 1] ? 0 : 1);
        diagonal = row[j];
        row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
      }
    }
    if (row.back() < nearest_distance) {
      nearest_distance = row.back();
      nearest = name;
    }
  }
  return nearest;
}

Result<Settings> read_settings(Verb verb, std::span<const char* const> arguments,
                               const char* const* environment) {
  Result<CommandLine> line = parse_arguments(verb, arguments);
  if (!line) return line.error();
  Settings settings;
  for (const GivenFlag& given : line->flags) {
    if (given.flag.name == "--config") settings.config = std::string(given.value);
  }
  if (!settings.config.empty()) {
    if (Status status = apply_file(settings.config, settings); !status) return status.error();
  }
  if (Status status = apply_environment(environment, settings); !status) return status.error();
  for (const GivenFlag& given : line->flags) {
    if (Status status = given.flag.apply(settings, given.value); !status) {
      return Error{std::string(given.flag.name) + ": " + status.error().message};
    }
  }
  settings.files = std::move(line->files);
  return settings;
}

std::string describe_settings(Verb verb) {
  std::string text;
  const auto add = [&](std::string_view flag, std::string_view argument, std::string_view help) {
    std::string left = "  " + std::string(flag);
    if (!argument.empty()) left += " " + std::string(argument);
    left.resize(std::max<size_t>(left.size() + 2, 40), ' ');
    text += left + std::string(help) + "\n";
  };
  for (const CallFlag& flag : kCallFlags) {
    if (flag.verbs & verb) add(flag.flag, flag.argument, flag.help);
  }
  for (const Setting& setting : kSettings) {
    if (setting.verbs & verb) add(setting.flag, setting.argument, setting.help);
  }
  return text;
}

}  // namespace wiretally
