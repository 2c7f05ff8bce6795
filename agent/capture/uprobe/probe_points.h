// Where in a TLS library to put the probes.
//
// What a probe costs hangs on the instruction under it: the kernel emulates a push, and takes two
// exceptions to single-step most others (0.6 against 10 microseconds in a small VM). In many
// builds of OpenSSL the exported functions begin with a `sub`, but SSL_read and SSL_read_ex are
// thin shells around one function that begins with a push and has the arguments of SSL_read_ex;
// probing that one costs less, halves the probes, and sees BIO_f_ssl too, which calls it directly.
//
// It has no name, so it must be proved: SSL_read_ex is exactly `sub $N,%rsp; call F` up to there
// (the arguments are still in their registers), SSL_read calls the same F, and F begins with a
// push. Without that proof the exported functions are probed.
#pragma once

#include <cstdint>
#include <vector>

#include "elf_symbols.h"
#include "wiretally/abi.h"

namespace wiretally::uprobe {

struct ProbePoint {
  wt_function function = WT_FN_READ;
  uint64_t file_offset = 0;
  bool on_entry = false;
  bool on_return = false;  // a return probe belongs on a function's first instruction only
};

// `report` describes the file and was asked for kTlsSymbols. Empty if it is no TLS library we know.
std::vector<ProbePoint> choose_probe_points(int fd, const ElfReport& report);

// The file offset of the function that both are shells of; 0 if there is no proof of one.
uint64_t find_shared_function(int fd, const ElfReport& report, const ElfFunction& plain,
                              const ElfFunction& extended);

}  // namespace wiretally::uprobe
