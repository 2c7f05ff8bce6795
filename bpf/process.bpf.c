/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The life of processes: executable mappings (where new TLS libraries come from), exec and exit.
 * Each program is optional; without them user space looks at /proc by the clock. */
#include "lib/process.h"

#include "lib/emit.h"

#ifndef PROT_EXEC
#define PROT_EXEC 0x4
#endif

/* A record without payload and without connection. */
static __always_inline void emit_lifecycle(void* ring, __u32 kind, __u32 pid, __u64 start,
                                           const struct wt_file_key* file, bool remark,
                                           __u64 flags) {
  struct wt_event* event = bpf_ringbuf_reserve(ring, sizeof(*event), 0);
  if (!event) {
    if (ring == (void*)&lifecycle) {
      COUNT_LOSS(lifecycle_events, 1);
    } else {
      COUNT_LOSS(close_events, 1);
    }
    return;
  }
  event->kind = kind;
  event->transfer = 0;
  event->joined = remark;
  event->pid = pid;
  event->process_start_ns = start;
  event->time_ns = bpf_ktime_get_boot_ns();
  event->handle = file ? file->inode : 0;
  event->generation = file ? file->device : 0;
  event->length = 0;
  event->offset = file ? file->generation : 0;
  event->peer_offset = 0;
  event->cookie = 0;
  bpf_ringbuf_submit(event, flags);
}

/* libssl.so.3, libssl-3f7a1c.so.3: so that a process that has ended before anybody looked at what it
 * mapped is known to have slipped by. */
static __always_inline bool named_tls(struct file* file) {
  const unsigned char* name = BPF_CORE_READ(file, f_path.dentry, d_name.name);
  char begin[8] = {};
  if (!name || bpf_probe_read_kernel_str(begin, sizeof(begin), name) < 0) return false;
  return begin[0] == 'l' && begin[1] == 'i' && begin[2] == 'b' && begin[3] == 's' &&
         begin[4] == 's' && begin[5] == 'l' && (begin[6] == '.' || begin[6] == '-');
}

static __always_inline bool identify(struct file* file, struct mapped_file* mapped) {
  struct inode* inode = BPF_CORE_READ(file, f_inode);
  if (!inode) return false;
  mapped->key.inode = BPF_CORE_READ(inode, i_ino);
  mapped->key.device = BPF_CORE_READ(inode, i_sb, s_dev);
  mapped->key.generation = BPF_CORE_READ(inode, i_generation);
  if (bpf_map_lookup_elem(&plain_files, &mapped->key)) return false;
  mapped->named_tls = named_tls(file);
  return true;
}

static __always_inline void tell_mapping(const struct mapped_file* mapped) {
  const __u32 pid = bpf_get_current_pid_tgid() >> 32;
  if (!watched(pid)) return;
  emit_lifecycle(&lifecycle, WT_EVENT_MAP, pid, process_start(current_task()), &mapped->key,
                 mapped->named_tls, BPF_RB_FORCE_WAKEUP);
}

SEC("tracepoint")
int mmap_entry(struct trace_event_raw_sys_enter* ctx) {
  const __u64 thread = bpf_get_current_pid_tgid();
  const int descriptor = (int)ctx->args[4];
  if (!(ctx->args[2] & PROT_EXEC) || descriptor < 0) return 0;
  struct fdtable* table = BPF_CORE_READ(current_task(), files, fdt);
  if ((__u32)descriptor >= BPF_CORE_READ(table, max_fds)) return 0;
  struct file** slots = BPF_CORE_READ(table, fd);
  struct file* file = 0;
  struct mapped_file mapped = {};
  if (bpf_probe_read_kernel(&file, sizeof(file), slots + descriptor) || !file) return 0;
  if (!identify(file, &mapped)) return 0;
  bpf_map_update_elem(&mappings, &thread, &mapped, BPF_ANY);
  return 0;
}

/* The mapping exists only now; told at the entry, user space could look too early. */
SEC("tracepoint")
int mmap_return(struct trace_event_raw_sys_exit* ctx) {
  const __u64 thread = bpf_get_current_pid_tgid();
  const struct mapped_file* found = bpf_map_lookup_elem(&mappings, &thread);
  if (!found) return 0;
  struct mapped_file mapped = *found;
  bpf_map_delete_elem(&mappings, &thread);
  if (ctx->ret > 0 || ctx->ret < -4095) tell_mapping(&mapped);
  return 0;
}

static __always_inline void tell_end(struct task_struct* task, __u32 pid) {
  const __u64 start = process_start(task);
  const __u64* known = bpf_map_lookup_elem(&tls_processes, &pid);
  const bool silent = !known || *known != start;
  if (!silent) {
    emit_lifecycle(&events, WT_EVENT_EXIT, pid, start, 0, false, wake_flags());
    bpf_map_delete_elem(&tls_processes, &pid);
  }
  emit_lifecycle(&lifecycle, WT_EVENT_EXIT, pid, start, 0, silent, 0);
}

/* exec: the old program's connections are over, and the new program is a mapping like any other
 * (the executable itself is not mapped by a syscall). */
SEC("raw_tracepoint/sched_process_exec")
int process_exec(struct bpf_raw_tracepoint_args* ctx) {
  const __u32 pid = bpf_get_current_pid_tgid() >> 32;
  struct linux_binprm* program = (struct linux_binprm*)ctx->args[2];
  struct mapped_file mapped = {};
  if (!watched(pid)) return 0;
  tell_end(current_task(), pid);
  if (identify(BPF_CORE_READ(program, file), &mapped)) tell_mapping(&mapped);
  return 0;
}

/* Runs for each thread; the last one to go ends the process. */
SEC("raw_tracepoint/sched_process_exit")
int process_exit(struct bpf_raw_tracepoint_args* ctx) {
  const __u32 pid = bpf_get_current_pid_tgid() >> 32;
  struct task_struct* task = (struct task_struct*)ctx->args[0];
  if (!watched(pid) || BPF_CORE_READ(task, signal, live.counter) > 0) return 0;
  tell_end(task, pid);
  return 0;
}
