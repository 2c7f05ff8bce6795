// The functions of a TLS library that we probe: one row a function. A new library with OpenSSL's
// calling convention needs nothing but its names here.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "elf_symbols.h"
#include "wiretally/abi.h"

namespace wiretally::uprobe {

struct TlsFunction {
  std::string_view symbol;
  wt_function function;
  bool on_return;  // the return is probed too
};

// In the order in which they are attached: SSL_new comes last, so that a connection whose birth is
// seen has had all its calls probed.
inline constexpr std::array<TlsFunction, 8> kTlsFunctions = {{
    {"SSL_read", WT_FN_READ, true},
    {"SSL_write", WT_FN_WRITE, true},
    {"SSL_read_ex", WT_FN_READ_EX, true},
    {"SSL_write_ex", WT_FN_WRITE_EX, true},
    {"SSL_write_ex2", WT_FN_WRITE_EX2, true},
    {"SSL_clear", WT_FN_CLEAR, false},
    {"SSL_free", WT_FN_FREE, false},
    {"SSL_new", WT_FN_NEW, true},
}};

inline constexpr std::array<std::string_view, kTlsFunctions.size()> kTlsSymbols = [] {
  std::array<std::string_view, kTlsFunctions.size()> symbols;
  for (size_t i = 0; i < symbols.size(); ++i) symbols[i] = kTlsFunctions[i].symbol;
  return symbols;
}();

struct ProbePoint {
  wt_function function = WT_FN_READ;
  uint64_t file_offset = 0;
  bool on_return = false;
};

// Where to probe the file that `report` describes (it was asked for kTlsSymbols); empty if it is
// no TLS library we know.
inline std::vector<ProbePoint> choose_probe_points(const ElfReport& report) {
  std::vector<ProbePoint> points;
  if (!report.functions[0].found() || !report.functions[1].found()) return points;
  for (size_t i = 0; i < kTlsFunctions.size(); ++i) {
    if (!report.functions[i].found()) continue;
    points.push_back({.function = kTlsFunctions[i].function,
                      .file_offset = report.functions[i].file_offset,
                      .on_return = kTlsFunctions[i].on_return});
  }
  return points;
}

}  // namespace wiretally::uprobe
