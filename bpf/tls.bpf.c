/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* OpenSSL and its kin: plaintext at the return of SSL_read and SSL_write in all their forms, the
 * connection's beginning at SSL_new, its end at SSL_free and SSL_clear.
 *
 * One entry program and one return program serve every function: the probe's cookie says which.
 * Kernels without cookies (before 5.15) take one entry program for each function instead, and
 * a return program of its own for SSL_new. */

#include "lib/connection.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* The stack pointer at a function's entry and the one its return probe sees name the same call. */
#if defined(__TARGET_ARCH_x86)
#define STACK_AT_RETURN(ctx) (PT_REGS_SP(ctx) + 8) /* the return address has been popped */
#else
#define STACK_AT_RETURN(ctx) PT_REGS_SP(ctx)
#endif

static __always_inline bool is_read(__u32 function) {
  return function == WT_FN_READ || function == WT_FN_READ_EX;
}

/* Ends the connection and tells the reader how far it had come. */
static __always_inline void close_connection(__u32 pid, __u64 handle, struct wt_connection* state,
                                             __u64 cookie) {
  struct emission emission = {.connection = state,
                              .handle = handle,
                              .time_ns = bpf_ktime_get_boot_ns(),
                              .cookie = cookie,
                              .pid = pid};
  emit_close(&emission);
}

/* SSL_free. An object that was never seen in use is closed too: what it carried slipped by. */
static __always_inline int on_free(__u32 pid, __u64 handle, __u64 cookie) {
  struct wt_connection_key key = {.pid = pid, .handle = handle};
  if (!handle) return 0;
  struct wt_connection* state = find_connection(pid, handle, cookie);
  if (!state) return 0;
  close_connection(pid, handle, state, cookie);
  bpf_map_delete_elem(&connections, &key);
  return 0;
}

static __always_inline bool has_moved(const struct wt_connection* state) {
  return state->offset[WT_WRITTEN] || state->offset[WT_READ];
}

/* SSL_clear makes the object ready for another connection. Many programs call it at a connection's
 * start, when there is nothing to end yet; SSL_new does so itself. That an object begins here is SSL_new's
 * to tell: only there is it certain that every function has its probe. */
static __always_inline int on_clear(__u32 pid, __u64 handle, __u64 cookie) {
  const __u64 start = process_start(current_task());
  struct wt_connection* state = lookup_connection(pid, handle);
  const __u32 generation = next_generation(bpf_ktime_get_boot_ns(), state);
  __u32 joined = WT_JOINED;
  if (state && state->process_start_ns == start) {
    if (!has_moved(state)) return 0;
    if (state->joined == WT_BORN) joined = WT_BORN;
    close_connection(pid, handle, state, cookie);
  }
  insert_connection(pid, start, handle, generation, joined, cookie);
  return 0;
}

static __always_inline void remember(struct pt_regs* ctx, __u64 thread, struct call* call) {
  struct call_key key = {.thread = thread, .stack = STACK_AT_RETURN(ctx)};
  if (bpf_map_update_elem(&calls, &key, call, BPF_ANY)) COUNT_LOSS(table_full, 1);
}

static __always_inline int on_entry(struct pt_regs* ctx, __u32 function, __u64 cookie) {
  const __u64 thread = bpf_get_current_pid_tgid();
  const __u32 pid = thread >> 32;
  const __u64 handle = PT_REGS_PARM1(ctx);
  if (!watched(pid)) return 0;
  if (function == WT_FN_FREE) return on_free(pid, handle, cookie);
  if (function == WT_FN_CLEAR) return on_clear(pid, handle, cookie);

  struct wt_connection* state = find_connection(pid, handle, cookie);
  if (!state) return 0;
  struct call call = {.handle = handle,
                      .buffer = PT_REGS_PARM2(ctx),
                      .offset = state->offset[is_read(function) ? WT_READ : WT_WRITTEN],
                      .cookie = cookie,
                      .entry_ns = is_read(function) ? 0 : bpf_ktime_get_boot_ns(),
                      .function = function};
  if (function == WT_FN_READ_EX || function == WT_FN_WRITE_EX)
    call.done_pointer = PT_REGS_PARM4(ctx);
  if (function == WT_FN_WRITE_EX2) call.done_pointer = PT_REGS_PARM5(ctx);
  remember(ctx, thread, &call);
  return 0;
}

SEC("uprobe")
int tls_entry(struct pt_regs* ctx) {
  const __u64 cookie = has_cookies ? bpf_get_attach_cookie(ctx) : 0;
  return on_entry(ctx, cookie & 0xff, cookie);
}

#define ENTRY_WITHOUT_COOKIE(name, function) \
  SEC("uprobe")                              \
  int tls_entry_##name(struct pt_regs* ctx) { return on_entry(ctx, function, function); }

ENTRY_WITHOUT_COOKIE(read, WT_FN_READ)
ENTRY_WITHOUT_COOKIE(write, WT_FN_WRITE)
ENTRY_WITHOUT_COOKIE(read_ex, WT_FN_READ_EX)
ENTRY_WITHOUT_COOKIE(write_ex, WT_FN_WRITE_EX)
ENTRY_WITHOUT_COOKIE(write_ex2, WT_FN_WRITE_EX2)
ENTRY_WITHOUT_COOKIE(free, WT_FN_FREE)
ENTRY_WITHOUT_COOKIE(clear, WT_FN_CLEAR)

/* SSL_new has returned: the pointer begins a new connection, whatever it was before. */
static __always_inline int on_new(struct pt_regs* ctx, __u64 cookie) {
  const __u32 pid = bpf_get_current_pid_tgid() >> 32;
  const __u64 handle = PT_REGS_RC(ctx);
  if (!watched(pid) || !handle) return 0;
  const __u64 start = process_start(current_task());
  struct wt_connection* last = lookup_connection(pid, handle);
  const __u32 generation = next_generation(bpf_ktime_get_boot_ns(), last);
  /* One that has not moved was made by SSL_clear, just now. */
  if (last && last->process_start_ns == start && has_moved(last))
    close_connection(pid, handle, last, cookie);
  insert_connection(pid, start, handle, generation, WT_BORN, cookie);
  return 0;
}

SEC("uretprobe")
int tls_return_new(struct pt_regs* ctx) { return on_new(ctx, WT_FN_NEW); }

/* How many bytes the call transferred; 0 when it failed, wants a retry or met the end. */
static __always_inline __u64 transferred(const struct call* call, __s32 result) {
  if (result <= 0) return 0;
  if (call->function == WT_FN_READ || call->function == WT_FN_WRITE) return result;
  __u64 done = 0;
  if (bpf_probe_read_user(&done, sizeof(done), (const void*)call->done_pointer)) {
    COUNT_LOSS(fault_events, 1);
    return 0;
  }
  return done;
}

static __always_inline void on_transfer(__u32 pid, const struct call* call, __u64 length) {
  struct wt_connection* state = find_connection(pid, call->handle, call->cookie);
  if (!state) return;
  const __u32 transfer = is_read(call->function) ? WT_READ : WT_WRITTEN;
  /* Where one probed form is built on another, the inner call has emitted these bytes already. */
  if (state->offset[transfer] == call->offset + length) return;
  /* A write's bytes leave after its entry, a read's have come before its return. So what one end
   * writes is never later than the other end's reading of it, however long the writer waits for a
   * processor before its call returns: a call seen at both ends overlaps itself in time. */
  struct emission emission = {.connection = state,
                              .handle = call->handle,
                              .time_ns = transfer == WT_READ ? bpf_ktime_get_boot_ns()
                                                             : call->entry_ns,
                              .cookie = call->cookie,
                              .pid = pid,
                              .transfer = transfer};
  if (is_ignored(pid, call->handle, state->generation)) {
    state->offset[transfer] += length;
    return;
  }
  emit_call(&emission, call->buffer, length);
}

/* What SSL_get_error answers. */
#define SSL_ERROR_SSL 1         /* also a transport that ended without a close_notify, since 3.0 */
#define SSL_ERROR_SYSCALL 5     /* the same before 3.0, or a reset */
#define SSL_ERROR_ZERO_RETURN 6 /* close_notify */

/* SSL_get_error has told the thread why its last read gave nothing. Where that was not a retry the peer
 * has ended its direction, and before this end has freed the connection: so it is known who left first. */
static __always_inline int on_get_error(struct pt_regs* ctx) {
  const __u64 thread = bpf_get_current_pid_tgid();
  const __u32 pid = thread >> 32;
  const __u64* empty_read = bpf_map_lookup_elem(&empty_reads, &thread);
  if (!empty_read) return 0;
  const __u64 handle = *empty_read;
  bpf_map_delete_elem(&empty_reads, &thread);
  const __s32 error = (__s32)PT_REGS_RC(ctx);
  if (error != SSL_ERROR_ZERO_RETURN && error != SSL_ERROR_SYSCALL && error != SSL_ERROR_SSL)
    return 0;
  struct wt_connection* state = lookup_connection(pid, handle);
  if (!state || state->read_ended || !watched(pid)) return 0;
  state->read_ended = 1;
  if (is_ignored(pid, handle, state->generation)) return 0;
  struct emission emission = {.connection = state,
                              .handle = handle,
                              .time_ns = bpf_ktime_get_boot_ns(),
                              .cookie = state->cookie,
                              .pid = pid,
                              .transfer = WT_READ};
  emit_end(&emission, WT_EVENT_EOF);
  return 0;
}

SEC("uretprobe")
int tls_return_get_error(struct pt_regs* ctx) { return on_get_error(ctx); }

SEC("uretprobe")
int tls_return(struct pt_regs* ctx) {
  const __u64 cookie = has_cookies ? bpf_get_attach_cookie(ctx) : 0;
  if ((cookie & 0xff) == WT_FN_NEW) return on_new(ctx, cookie);
  if ((cookie & 0xff) == WT_FN_GET_ERROR) return on_get_error(ctx);
  const __u64 thread = bpf_get_current_pid_tgid();
  const __u32 pid = thread >> 32;
  if (!watched(pid)) return 0;
  struct call_key key = {.thread = thread, .stack = PT_REGS_SP(ctx)};
  struct call* found = bpf_map_lookup_elem(&calls, &key);
  if (!found) {
    COUNT_LOSS(unmatched, 1);
    return 0;
  }
  struct call call = *found;
  bpf_map_delete_elem(&calls, &key);
  const __u64 length = transferred(&call, (__s32)PT_REGS_RC(ctx));
  if (length)
    on_transfer(pid, &call, length);
  else if (is_read(call.function))
    bpf_map_update_elem(&empty_reads, &thread, &call.handle, BPF_ANY);
  return 0;
}
