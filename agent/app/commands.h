// The verbs of the command line. Each returns the process's exit status: 0 success, 2 input or
// environment error (told on stderr, one line). Usage errors (1) are main's.
#pragma once

#include "settings.h"

namespace wiretally {

inline constexpr int kExitSuccess = 0;
inline constexpr int kExitUsage = 1;
inline constexpr int kExitEnvironment = 2;

int run_agent(const Settings& settings);
int replay(const Settings& settings);
int doctor(const Settings& settings);
int prices(const Settings& settings);

}  // namespace wiretally
