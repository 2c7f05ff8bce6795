// Streams of events made from the input, read with repeated events told by comparing and without:
// what is noted must be the same.
#include <cstdio>
#include <cstdlib>

#include "../../unit/llm/repetition_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string difference =
      wiretally::llm::test::difference({reinterpret_cast<const char*>(data), size});
  if (difference.empty()) return 0;
  std::fprintf(stderr, "broken: %s\n", difference.c_str());
  std::abort();
}
