// `wiretally doctor`: what can be seen on this host, what cannot, and what would help. Looks only:
// it loads the kernel programs and opens a packet socket, attaches neither to anything, and lets go
// of both.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "commands.h"
#include "kernel_links.h"
#include "kernel_programs.h"
#include "live_capture.h"
#include "startup.h"
#include "survey.h"
#include "uretprobe_filter.h"

namespace wiretally {
namespace {

struct Check {
  std::string name;
  bool good = false;
  std::string found;
  std::string remedy;  // only where it is not good
};

bool kernel_is_at_least(unsigned major, unsigned minor) {
  unsigned has_major = 0, has_minor = 0;
  if (std::sscanf(kernel_release().c_str(), "%u.%u", &has_major, &has_minor) != 2) return false;
  return std::pair(has_major, has_minor) >= std::pair(major, minor);
}

// The effective capabilities, as /proc says: capabilities(7).
uint64_t effective_capabilities() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("CapEff:")) return std::stoull(line.substr(7), nullptr, 16);
  }
  return 0;
}

struct Capability {
  const char* name;
  int bit;
  const char* needed_for;
};
constexpr Capability kCapabilities[] = {
    {"CAP_BPF", 39, "loading the probes"},
    {"CAP_PERFMON", 38, "attaching the probes"},
    {"CAP_SYS_PTRACE", 19, "looking at other users' processes"},
    {"CAP_NET_RAW", 13, "reading packets"},
};
constexpr int kCapSysAdmin = 21;

std::vector<Check> check_kernel() {
  std::vector<Check> checks;
  checks.push_back({"kernel", kernel_is_at_least(5, 8), kernel_release(),
                    "probes need Linux 5.8 or later; packets are read on any"});
  const bool btf = ::access("/sys/kernel/btf/vmlinux", R_OK) == 0;
  checks.push_back({"BTF", btf, btf ? "/sys/kernel/btf/vmlinux" : "absent",
                    "probes need a kernel built with CONFIG_DEBUG_INFO_BTF"});
  const uint64_t capabilities = effective_capabilities();
  const bool admin = capabilities >> kCapSysAdmin & 1;
  for (const Capability& capability : kCapabilities) {
    const bool implied = admin && capability.bit != 13 && capability.bit != 19;
    const bool has = (capabilities >> capability.bit & 1) != 0 || implied;
    checks.push_back({capability.name, has, has ? "held" : "missing",
                      std::string("needed for ") + capability.needed_for + ": run as root"});
  }
  return checks;
}

Check check_uprobe_multi(bool may_load) {
  if (!may_load) {
    return {"uprobe_multi", false, "not checked",
            "needs CAP_BPF; without it probes are attached one by one"};
  }
  const bool has = uprobe::kernel_has_uprobe_multi();
  return {"uprobe_multi", has, has ? "there" : "absent",
          "Linux 6.6 has it; until then each probe takes 0.1 s to remove"};
}

// Never bad enough to end in an error: what is seen is seen.
Check check_return_probes() {
  switch (uprobe::try_uretprobe_filter(kernel_release())) {
    case uprobe::UretprobeFilter::kHarmless:
      return {"return probes", true, "harmless to processes under seccomp filters", ""};
    case uprobe::UretprobeFilter::kDangerous:
      return {"return probes", false, std::string(uprobe::kUretprobeDanger),
              std::string(uprobe::kUretprobeRemedy)};
    case uprobe::UretprobeFilter::kUnknown:
      break;
  }
  return {"return probes", false,
          "perhaps not harmless to processes under seccomp filters: kernels 6.11 to 6.13 without a "
          "later fix end them, and whether this one has it cannot be tried from here",
          std::string(uprobe::kUretprobeRemedy)};
}

// Loads the kernel programs as `run` does, attaches none, and lets go of them.
Check check_programs() {
  const auto programs = uprobe::KernelPrograms::load({.ring_bytes = 1 << 20});
  if (programs) return {"programs", true, "can be loaded", ""};
  return {"programs", false, "cannot be loaded", programs.error().message};
}

Check check_packets() {
  const auto capture = pcap::LiveCapture::open({});
  if (capture) return {"packets", true, "can be read on every interface", ""};
  return {"packets", false, "cannot be read", capture.error().message};
}

// Never bad; where the machine or its container has less, it should be known.
Check tell_memory(const Settings& settings) {
  return {"memory", true,
          "`run` takes at worst " + worst_case_text(limits_of(settings), memory_use(settings)), ""};
}

// For JSON and the terminal alike: control characters never get through.
std::string escaped(std::string_view text, bool json) {
  std::string out;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      char code[8];
      std::snprintf(code, sizeof code, json ? "\\u%04x" : "?", static_cast<unsigned char>(c));
      out += code;
      continue;
    }
    if (json && (c == '"' || c == '\\')) out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

void print_text(const std::vector<Check>& checks,
                const std::vector<uprobe::ProcessVerdict>& processes, bool verbose) {
  for (const Check& check : checks) {
    std::printf("%-4s %-16s %s\n", check.good ? "ok" : "no", check.name.c_str(),
                check.found.c_str());
    if (!check.good) std::printf("     %-16s %s\n", "", check.remedy.c_str());
  }
  std::printf("\nProcesses that speak TLS:\n");
  if (processes.empty()) std::printf("  none\n");
  std::map<uprobe::TlsVerdict, size_t> unseen;
  for (const uprobe::ProcessVerdict& process : processes) {
    const bool probed = process.verdict == uprobe::TlsVerdict::kProbed;
    if (!probed) ++unseen[process.verdict];
    if (process.verdict == uprobe::TlsVerdict::kUnreadable && !verbose) continue;
    std::printf("  %-4s %7u  %-32s %-14s %s\n", probed ? "ok" : "no", process.pid,
                escaped(process.executable, false).c_str(),
                std::string(uprobe::tls_verdict_name(process.verdict)).c_str(),
                escaped(process.library, false).c_str());
  }
  for (const auto& [verdict, count] : unseen) {
    std::printf("\n%zu × %s: %s\n", count, std::string(uprobe::tls_verdict_name(verdict)).c_str(),
                std::string(uprobe::tls_verdict_sentence(verdict)).c_str());
  }
}

void print_json(const std::vector<Check>& checks,
                const std::vector<uprobe::ProcessVerdict>& processes, bool something) {
  std::printf("{\"can_see\":%s,\"checks\":[", something ? "true" : "false");
  const char* comma = "";
  for (const Check& check : checks) {
    std::printf("%s{\"name\":\"%s\",\"ok\":%s,\"found\":\"%s\",\"remedy\":%s}", comma,
                check.name.c_str(), check.good ? "true" : "false",
                escaped(check.found, true).c_str(),
                check.good ? "null" : ("\"" + escaped(check.remedy, true) + "\"").c_str());
    comma = ",";
  }
  std::printf("],\"processes\":[");
  comma = "";
  for (const uprobe::ProcessVerdict& process : processes) {
    std::printf("%s{\"pid\":%u,\"executable\":\"%s\",\"library\":\"%s\",\"verdict\":\"%s\"}", comma,
                process.pid, escaped(process.executable, true).c_str(),
                escaped(process.library, true).c_str(),
                std::string(uprobe::tls_verdict_name(process.verdict)).c_str());
    comma = ",";
  }
  std::printf("]}\n");
}

}  // namespace

int doctor(const Settings& settings) {
  std::vector<Check> checks = check_kernel();
  const auto good = [&](std::string_view name) {
    return std::any_of(checks.begin(), checks.end(),
                       [&](const Check& check) { return check.name == name && check.good; });
  };
  checks.push_back(check_uprobe_multi(good("CAP_BPF")));
  if (good("kernel") && good("BTF") && good("CAP_BPF")) checks.push_back(check_programs());
  checks.push_back(check_return_probes());
  checks.push_back(check_packets());
  checks.push_back(tell_memory(settings));
  const bool probes = good("programs") && good("CAP_PERFMON");
  const bool something = probes || good("packets");

  const std::vector<uprobe::ProcessVerdict> processes = uprobe::Survey().run();
  if (settings.json) {
    print_json(checks, processes, something);
  } else {
    print_text(checks, processes, settings.verbose);
    std::printf("\n%s\n", probes      ? "Encrypted and clear-text calls can be seen."
                          : something ? "Only clear-text calls can be seen."
                                      : "Nothing can be seen from here: run as root.");
  }
  return something ? kExitSuccess : kExitEnvironment;
}

}  // namespace wiretally
