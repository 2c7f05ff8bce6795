// Any bytes as a ClientHello, whole and byte by byte: both ways agree, and nothing but a host name
// comes out.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "tls_client_hello.h"

namespace {

using wiretally::ByteView;
using wiretally::http::ClientHelloReader;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ByteView bytes(data, size);
  ClientHelloReader whole;
  const size_t used = whole.feed(bytes);
  require(used <= size, "no more is taken than was given");
  require(whole.state() != ClientHelloReader::State::kOpen || used == size, "open takes all");

  ClientHelloReader pieces;
  size_t taken = 0;
  for (size_t i = 0; i < size; ++i) taken += pieces.feed(bytes.subspan(i, 1));
  require(pieces.state() == whole.state() && taken == used, "cuts change nothing");
  require(pieces.server_name() == whole.server_name(), "cuts change no name");
  require(pieces.random() == whole.random(), "cuts change no random");

  if (whole.state() != ClientHelloReader::State::kDone) return 0;
  require(whole.server_name().size() <= 255, "a name is bounded");
  for (const char c : whole.server_name()) require(c > ' ' && c < 0x7f, "a name is plain text");
  require(whole.feed(bytes) == 0, "done takes nothing");
  return 0;
}
