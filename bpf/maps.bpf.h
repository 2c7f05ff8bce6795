/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Every map and every knob of the kernel programs, on one page. All are weak: the objects are
 * linked into one, and these definitions become one. Sizes marked (user) are set by user space
 * before the load. */
#ifndef WT_MAPS_BPF_H
#define WT_MAPS_BPF_H

#include "lib/kernel.h"

/* Knobs, constant once loaded. */
const volatile __u32 own_pid __weak = 0;     /* the agent itself is never watched */
const volatile __u32 has_cookies __weak = 1; /* bpf_get_attach_cookie: Linux 5.15 */
const volatile __u32 wake_bytes __weak =
    1 << 20; /* wake the reader at this fill; else its timer does */

/* Set by user space through shared memory when the agent ends: from then on nothing is emitted. */
volatile __u32 stopped __weak = 0;

/* Plaintext, closes and exits, in order. */
struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 64 << 20); /* (user) */
} events __weak SEC(".maps");

/* For the control thread: executable mappings and exits. Woken at once. */
struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 256 << 10);
} lifecycle __weak SEC(".maps");

/* LRU: connections of killed processes leave no trace behind. A live one that falls out comes back
 * as a new generation. */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 65536); /* (user) */
  __type(key, struct wt_connection_key);
  __type(value, struct wt_connection);
} connections __weak SEC(".maps");

/* A call between its entry and its return: found again by thread and stack pointer, so calls
 * nested in one another (TLS in TLS) keep apart and a call that never returns leads nobody astray.
 * LRU, because a killed thread leaves its entry behind. */
struct call_key {
  __u64 thread;
  __u64 stack;
};

struct call {
  __u64 handle;
  __u64 buffer;
  __u64 done_pointer; /* size_t*, for the _ex forms */
  __u64 offset;       /* of the connection in this direction at the entry */
  __u64 cookie;
  __u64 entry_ns; /* writes only */
  __u32 function; /* wt_function */
  __u32 padding;
};

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 16384);
  __type(key, struct call_key);
  __type(value, struct call);
} calls __weak SEC(".maps");

/* Threads whose last TLS call was a read that gave nothing, and of which connection: SSL_get_error, which
 * programs call next, tells whether it has to be tried again or met the end. */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 4096);
  __type(key, __u64);   /* thread */
  __type(value, __u64); /* handle */
} empty_reads __weak SEC(".maps");

/* Processes of whose connections the event ring has told something: it tells of their end too. One that made
 * calls before all probes were there may have a connection and never be heard of. */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 16384);
  __type(key, __u32);
  __type(value, __u64); /* process start */
} tls_processes __weak SEC(".maps");

/* Files whose executable mapping is no news: user space has looked at them and they have no TLS. */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 16384);
  __type(key, struct wt_file_key);
  __type(value, __u8);
} plain_files __weak SEC(".maps");

/* A file that is mapped executable. */
struct mapped_file {
  struct wt_file_key key;
  __u32 named_tls; /* its name is that of an OpenSSL */
  __u32 padding;
};

/* mmap(PROT_EXEC) between its entry and its return. */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 4096);
  __type(key, __u64);
  __type(value, struct mapped_file);
} mappings __weak SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct wt_losses);
} losses __weak SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, WT_IGNORED_SLOTS);
  __type(key, __u32);
  __type(value, __u64);
} ignored __weak SEC(".maps");

#endif
