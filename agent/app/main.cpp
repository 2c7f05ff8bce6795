#include <cstdio>
#include <span>
#include <string>
#include <string_view>

#include "commands.h"
#include "log.h"
#include "settings.h"
#include "version.h"

extern char** environ;

namespace wiretally {
namespace {

struct VerbRow {
  std::string_view name;
  Verb verb;
  int (*command)(const Settings&);
  std::string_view arguments;
  std::string_view help;
  std::string_view nothing_given;  // said where arguments are missing; empty: it takes none
};

constexpr VerbRow kVerbs[] = {
    {"run", kRun, run_agent, "[OPTION]…",
     "The agent: attaches probes to the TLS libraries in use, reads packets, and serves /metrics.\n"
     "Needs root; what it may not do it says at start, and goes on without.",
     ""},
    {"replay", kReplay, replay, "FILE… [OPTION]…",
     "Reads capture files (pcap, pcapng; - is stdin) and prints what the agent would have\n"
     "recorded. Needs no privilege.",
     "no file given (- is stdin)"},
    {"doctor", kDoctor, doctor, "[OPTION]…",
     "Says what can be seen on this host, what cannot, and what would help.\n"
     "Exit 0, or 2 when nothing can be seen.",
     ""},
    {"prices", kPrices, prices, "MODEL [OPTION]…",
     "Says which row of the price book matches a model, why, and what a call costs by it.\n"
     "Exit 0, or 2 when no row prices the call exactly.",
     "no model given"},
};

void print_usage(std::FILE* out) {
  std::fputs(
      "wiretally counts LLM API usage off the wire, without a change to the services it watches.\n"
      "\n"
      "usage: wiretally VERB [OPTION]…\n"
      "  run       the agent: probes TLS libraries, reads packets, serves /metrics\n"
      "  replay    reads capture files and prints what the agent would have recorded\n"
      "  doctor    what can be seen on this host and what cannot, and why\n"
      "  prices    which price row matches a model, and why\n"
      "  version   version and revision\n"
      "\n"
      "`wiretally VERB --help` tells a verb's options.\n",
      out);
}

void print_verb_help(const VerbRow& row) {
  std::printf("usage: wiretally %s %s\n\n%s\n\n%s", row.name.data(), row.arguments.data(),
              row.help.data(), describe_settings(row.verb).c_str());
}

int usage_error(const std::string& message) {
  std::fprintf(stderr, "wiretally: %s\n", message.c_str());
  return kExitUsage;
}

int call_verb(const VerbRow& row, std::span<const char* const> arguments) {
  for (const char* argument : arguments) {
    const std::string_view word = argument;
    if (word == "--help" || word == "-h") {
      print_verb_help(row);
      return kExitSuccess;
    }
  }
  const Result<Settings> settings = read_settings(row.verb, arguments, environ);
  const std::string hint = "; see `wiretally " + std::string(row.name) + " --help`";
  if (!settings) return usage_error(settings.error().message + hint);
  if (!row.nothing_given.empty() && settings->files.empty()) {
    return usage_error(std::string(row.nothing_given) + hint);
  }
  if (row.nothing_given.empty() && !settings->files.empty()) {
    return usage_error("'" + settings->files.front() + "' is no option" + hint);
  }
  return row.command(*settings);
}

int call(std::span<const char* const> arguments) {
  if (arguments.empty()) {
    print_usage(stderr);
    return kExitUsage;
  }
  const std::string_view verb = arguments.front();
  if (verb == "--help" || verb == "-h" || verb == "help") {
    print_usage(stdout);
    return kExitSuccess;
  }
  if (verb == "version" || verb == "--version") {
    std::printf("wiretally %s (%s)\n", version().data(), revision().data());
    return kExitSuccess;
  }
  for (const VerbRow& row : kVerbs) {
    if (row.name == verb) return call_verb(row, arguments.subspan(1));
  }
  static constexpr std::string_view kNames[] = {"run", "replay", "doctor", "prices", "version"};
  std::string message = "unknown verb '" + std::string(verb) + "'";
  if (const std::string_view near = nearest_name(verb, kNames); !near.empty()) {
    message += "; did you mean '" + std::string(near) + "'?";
  }
  return usage_error(message + "; see `wiretally --help`");
}

}  // namespace
}  // namespace wiretally

int main(int argc, char** argv) {
  return wiretally::call({argv + (argc > 0 ? 1 : 0), argv + argc});
}
