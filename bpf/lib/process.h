/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Who is running: the watched process's identity, and whether it is watched at all. */
#ifndef WT_PROCESS_H
#define WT_PROCESS_H

#include "maps.bpf.h"

static __always_inline bool watched(__u32 pid) { return !stopped && pid != own_pid; }

static __always_inline struct task_struct* current_task(void) {
  return (struct task_struct*)bpf_get_current_task();
}

/* Start of the task's process, boot clock: with the pid it names a process for good. */
static __always_inline __u64 process_start(struct task_struct* task) {
  return BPF_CORE_READ(task, group_leader, start_boottime);
}

#endif
