// Hostile ELF files: the reader and the choice of probe points never go beyond the file.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "file_descriptor.h"
#include "probe_points.h"
#include "tls_functions.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace wiretally::uprobe;
  const FileDescriptor file(::memfd_create("elf", MFD_CLOEXEC));
  if (::write(file.get(), data, size) != static_cast<ssize_t>(size)) return 0;
  const auto report = read_elf(file.get(), kTlsSymbols, true);
  if (!report) return 0;
  for (const ProbePoint& point : choose_probe_points(file.get(), *report)) {
    if (point.file_offset == 0 || point.file_offset >= size) std::abort();
  }
  return 0;
}
