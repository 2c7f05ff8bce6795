/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The state of connections: looked up by process and SSL*, told apart by generation. */
#ifndef WT_CONNECTION_H
#define WT_CONNECTION_H

#include "lib/emit.h"

/* Generations of one handle only grow, also when the table has forgotten the one before: they
 * are the time (in about milliseconds), and one more than the last where that is known. */
static __always_inline __u32 next_generation(__u64 now, const struct wt_connection* last) {
  __u32 generation = (__u32)(now >> 20);
  if (last && generation == last->generation) generation++;
  return generation;
}

static __always_inline struct wt_connection* lookup_connection(__u32 pid, __u64 handle) {
  struct wt_connection_key key = {.pid = pid, .handle = handle};
  return bpf_map_lookup_elem(&connections, &key);
}

static __always_inline struct wt_connection* insert_connection(__u32 pid, __u64 start, __u64 handle,
                                                               __u32 generation, __u32 joined,
                                                               __u64 cookie) {
  struct wt_connection_key key = {.pid = pid, .handle = handle};
  struct wt_connection fresh = {
      .process_start_ns = start, .generation = generation, .joined = joined, .cookie = cookie};
  if (bpf_map_update_elem(&connections, &key, &fresh, BPF_ANY)) {
    COUNT_LOSS(table_full, 1);
    return 0;
  }
  return bpf_map_lookup_elem(&connections, &key);
}

/* A connection never seen before: joined in its middle, or the parent's that a forked child goes
 * on with. Where the parent's beginning was seen and nothing had been transferred, it is whole. */
static __always_inline __u32 how_joined(struct task_struct* task, __u64 handle) {
  struct task_struct* parent = BPF_CORE_READ(task, group_leader, real_parent, group_leader);
  const __u32 parent_pid = BPF_CORE_READ(parent, tgid);
  const struct wt_connection* state = lookup_connection(parent_pid, handle);
  if (!state || state->process_start_ns != process_start(parent)) return WT_JOINED;
  if (state->joined == WT_BORN && !state->offset[WT_WRITTEN] && !state->offset[WT_READ])
    return WT_BORN;
  return WT_INHERITED;
}

/* The state of the connection that the current process uses, made if need be. */
static __always_inline struct wt_connection* find_connection(__u32 pid, __u64 handle,
                                                             __u64 cookie) {
  struct task_struct* task = current_task();
  const __u64 start = process_start(task);
  struct wt_connection* state = lookup_connection(pid, handle);
  /* A reused pid inherits nothing. */
  if (state && state->process_start_ns == start) return state;
  return insert_connection(pid, start, handle, next_generation(bpf_ktime_get_boot_ns(), state),
                           how_joined(task, handle), cookie);
}

/* Nobody downstream wants this connection's bytes. */
static __always_inline bool is_ignored(__u32 pid, __u64 handle, __u32 generation) {
  const __u64 fingerprint = wt_fingerprint(pid, handle, generation);
  __u32 slot = wt_ignored_slot(fingerprint);
  const __u64* entry = bpf_map_lookup_elem(&ignored, &slot);
  return entry && *entry == fingerprint;
}

#endif
