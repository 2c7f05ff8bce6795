// Attaching programs: uprobe_multi links where the kernel has them (6.6), perf events elsewhere;
// tracepoints without a mounted tracefs.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "file_descriptor.h"
#include "wiretally/result.h"

struct bpf_program;

namespace wiretally::uprobe {

// One address under a probe.
struct ProbeAddress {
  uint64_t file_offset = 0;
  uint64_t cookie = 0;
};

// expected_attach_type of programs that uprobe_multi links take (the headers of older
// distributions do not know it).
inline constexpr int kAttachUprobeMulti = 48;

// Whether the kernel has uprobe_multi links.
bool kernel_has_uprobe_multi();
// Whether a perf uprobe can carry a cookie (5.15).
bool kernel_has_uprobe_cookies();

// One link for all addresses; it is gone when the descriptor closes.
Result<FileDescriptor> link_uprobe_multi(int program, const std::string& path,
                                         std::span<const ProbeAddress> addresses, bool on_return);

// A link by perf event: the link itself (where the kernel has such) and the event that carries it.
struct PerfLink {
  FileDescriptor event;
  FileDescriptor link;  // absent before 5.15: the event alone carries the program
};
Result<PerfLink> link_uprobe_perf(int program, const std::string& path, ProbeAddress address,
                                  bool on_return);

// e.g. "syscalls/sys_enter_mmap". Finds tracefs where it is mounted; where it is not, a private
// mount is made that no other process sees.
Result<PerfLink> link_tracepoint(int program, const std::string& name);

// Removes links, several at a time: each waits for the kernel's grace periods.
void close_links(std::vector<FileDescriptor> links);

}  // namespace wiretally::uprobe
