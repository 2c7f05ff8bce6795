// The functions of a TLS library that we probe: one row a function. A new library with OpenSSL's
// calling convention needs nothing but its names here.
#pragma once

#include <array>
#include <string_view>

#include "wiretally/abi.h"

namespace wiretally::uprobe {

struct TlsFunction {
  std::string_view symbol;
  wt_function function;
  bool on_entry;
  bool on_return;
};

// In the order in which they are attached, all entries before all returns. So an object that is
// seen in a call has its end seen, a request that is seen has its answer seen, and a connection
// whose birth is seen has had all its calls probed.
inline constexpr std::array<TlsFunction, 9> kTlsFunctions = {{
    {"SSL_free", WT_FN_FREE, true, false},
    {"SSL_clear", WT_FN_CLEAR, true, false},
    {"SSL_read", WT_FN_READ, true, true},
    {"SSL_read_ex", WT_FN_READ_EX, true, true},
    {"SSL_write", WT_FN_WRITE, true, true},
    {"SSL_write_ex", WT_FN_WRITE_EX, true, true},
    {"SSL_write_ex2", WT_FN_WRITE_EX2, true, true},
    {"SSL_get_error", WT_FN_GET_ERROR, false, true},
    {"SSL_new", WT_FN_NEW, false, true},
}};

inline constexpr std::array<std::string_view, kTlsFunctions.size()> kTlsSymbols = [] {
  std::array<std::string_view, kTlsFunctions.size()> symbols;
  for (size_t i = 0; i < symbols.size(); ++i) symbols[i] = kTlsFunctions[i].symbol;
  return symbols;
}();

}  // namespace wiretally::uprobe
