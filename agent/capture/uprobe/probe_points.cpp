#include "probe_points.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "tls_functions.h"

namespace wiretally::uprobe {
namespace {

#if defined(__x86_64__)
constexpr size_t kPlainBytesMax = 256;  // SSL_read is a few dozen bytes long
constexpr size_t kCallBytes = 5;        // e8 and 32 bits of distance from the next instruction

bool begins_with_push(const uint8_t* code) {
  const auto is_push = [](uint8_t byte) { return byte >= 0x50 && byte <= 0x57; };
  return is_push(code[0]) || (code[0] == 0x41 && is_push(code[1]));
}

// Target of the call at `code`, which stands at file offset `at`; 0 if it is no call. File offsets
// serve as addresses: caller and callee lie in one segment.
uint64_t call_target(const uint8_t* code, uint64_t at) {
  if (code[0] != 0xe8) return 0;
  int32_t distance = 0;
  std::memcpy(&distance, code + 1, sizeof distance);
  return at + kCallBytes + static_cast<uint64_t>(static_cast<int64_t>(distance));
}
#endif

const ElfFunction& function_of(const ElfReport& report, wt_function function) {
  const auto found = std::find_if(kTlsFunctions.begin(), kTlsFunctions.end(),
                                  [&](const TlsFunction& f) { return f.function == function; });
  return report.functions[static_cast<size_t>(found - kTlsFunctions.begin())];
}

}  // namespace

uint64_t find_shared_function([[maybe_unused]] int fd, [[maybe_unused]] const ElfReport& report,
                              const ElfFunction& plain, const ElfFunction& extended) {
  if (!plain.found() || !extended.found()) return 0;
#if defined(__x86_64__)
  // SSL_read_ex: sub $N,%rsp (48 83 ec N); call F
  std::array<uint8_t, 4 + kCallBytes> shell = {};
  if (::pread(fd, shell.data(), shell.size(), static_cast<off_t>(extended.file_offset)) !=
      static_cast<ssize_t>(shell.size())) {
    return 0;
  }
  if (shell[0] != 0x48 || shell[1] != 0x83 || shell[2] != 0xec) return 0;
  const uint64_t target = call_target(shell.data() + 4, extended.file_offset + 4);
  const bool in_code = std::any_of(report.code.begin(), report.code.end(), [&](const auto& range) {
    return range.contains(target) && range.contains(extended.file_offset) &&
           range.contains(plain.file_offset);
  });
  std::array<uint8_t, 2> first = {};
  if (!in_code || ::pread(fd, first.data(), first.size(), static_cast<off_t>(target)) != 2 ||
      !begins_with_push(first.data())) {
    return 0;
  }
  // SSL_read: somewhere within, the same call.
  std::array<uint8_t, kPlainBytesMax> body = {};
  const size_t size = std::min<uint64_t>(plain.size, body.size());
  const ssize_t got = ::pread(fd, body.data(), size, static_cast<off_t>(plain.file_offset));
  for (ssize_t i = 0; i + static_cast<ssize_t>(kCallBytes) <= got; ++i) {
    const uint64_t at = plain.file_offset + static_cast<uint64_t>(i);
    if (call_target(body.data() + i, at) == target) return target;
  }
#endif
  return 0;
}

std::vector<ProbePoint> choose_probe_points(int fd, const ElfReport& report) {
  std::vector<ProbePoint> points;
  if (report.functions.size() != kTlsFunctions.size() || !function_of(report, WT_FN_READ).found() ||
      !function_of(report, WT_FN_WRITE).found()) {
    return points;
  }
  const uint64_t shared_read = find_shared_function(fd, report, function_of(report, WT_FN_READ),
                                                    function_of(report, WT_FN_READ_EX));
  const uint64_t shared_write = find_shared_function(fd, report, function_of(report, WT_FN_WRITE),
                                                     function_of(report, WT_FN_WRITE_EX));
  for (size_t i = 0; i < kTlsFunctions.size(); ++i) {
    const TlsFunction& row = kTlsFunctions[i];
    uint64_t offset = report.functions[i].file_offset;
    if (row.function == WT_FN_READ && shared_read != 0) continue;
    if (row.function == WT_FN_WRITE && shared_write != 0) continue;
    if (row.function == WT_FN_READ_EX && shared_read != 0) offset = shared_read;
    if (row.function == WT_FN_WRITE_EX && shared_write != 0) offset = shared_write;
    if (offset == 0) continue;
    points.push_back({.function = row.function,
                      .file_offset = offset,
                      .on_entry = row.on_entry,
                      .on_return = row.on_return});
  }
  return points;
}

}  // namespace wiretally::uprobe
