/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Records into the rings. Each takes the room it needs (by size class), and each failure is
 * counted by cause. No per-CPU scratch: since Linux 6.13 a uprobe program can be preempted while
 * it uses it. */
#ifndef WT_EMIT_H
#define WT_EMIT_H

#include "lib/process.h"

static __always_inline struct wt_losses* loss_counters(void) {
  __u32 zero = 0;
  return bpf_map_lookup_elem(&losses, &zero);
}

#define COUNT_LOSS(member, amount)                                   \
  do {                                                               \
    struct wt_losses* counters_ = loss_counters();                   \
    if (counters_) __sync_fetch_and_add(&counters_->member, amount); \
  } while (0)

/* The reader comes by on a timer; it is woken only when the ring fills faster than that. */
static __always_inline __u64 wake_flags(void) {
  return bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) >= wake_bytes ? BPF_RB_FORCE_WAKEUP
                                                                     : BPF_RB_NO_WAKEUP;
}

/* What is the same for all pieces of one call. */
struct emission {
  struct wt_connection* connection;
  __u64 handle;
  __u64 time_ns;
  __u64 cookie;
  __u32 pid;
  __u32 transfer;
};

static __always_inline void fill_header(struct wt_event* event, const struct emission* emission,
                                        __u32 kind) {
  struct wt_connection* connection = emission->connection;
  event->kind = kind;
  event->transfer = emission->transfer;
  event->joined = connection->joined;
  event->pid = emission->pid;
  event->process_start_ns = connection->process_start_ns;
  event->time_ns = emission->time_ns;
  event->handle = emission->handle;
  event->generation = connection->generation;
  event->cookie = emission->cookie;
  if (!connection->told) {
    connection->told = 1;
    bpf_map_update_elem(&tls_processes, &emission->pid, &connection->process_start_ns, BPF_ANY);
  }
}

/* The bytes are gone: say so, and let the offset go on, so that the reader sees the gap. */
static __always_inline void lose(const struct emission* emission, __u64 length) {
  const __u32 transfer = emission->transfer & 1;
  emission->connection->lost[transfer] += length;
  emission->connection->offset[transfer] += length;
}

/* One record of at most `room` bytes; `room` is a constant wherever this is inlined. */
static __always_inline void emit_piece(const struct emission* emission, __u64 from, __u64 length,
                                       const __u64 room) {
  const __u32 transfer = emission->transfer & 1;
  struct wt_event* event = bpf_ringbuf_reserve(&events, sizeof(*event) + room, 0);
  if (!event) {
    COUNT_LOSS(ring_events, 1);
    COUNT_LOSS(ring_bytes, length);
    lose(emission, length);
    return;
  }
  /* Never cuts anything; the verifier wants to see the bound. In assembler and on a copy, so that the very register
   * that was compared goes to the helper: before Linux 6.8 a number loses its bound on the way over the stack. */
  __u64 readable = length;
  asm volatile("if %[readable] <= %[room] goto +1\n\t%[readable] = %[room]"
               : [readable] "+r"(readable)
               : [room] "i"(room));
  if (bpf_probe_read_user(event + 1, readable, (const void*)from)) {
    bpf_ringbuf_discard(event, BPF_RB_NO_WAKEUP);
    COUNT_LOSS(fault_events, 1);
    COUNT_LOSS(fault_bytes, length);
    lose(emission, length);
    return;
  }
  fill_header(event, emission, WT_EVENT_DATA);
  event->length = length;
  event->offset = emission->connection->offset[transfer];
  event->peer_offset = emission->connection->offset[transfer ^ 1];
  bpf_ringbuf_submit(event, wake_flags());
  emission->connection->offset[transfer] += length;
}

/* The part of a call that is shorter than a full piece. */
static __always_inline void emit_remainder(const struct emission* emission, __u64 from,
                                           __u64 length) {
  if (length <= 128) {
    emit_piece(emission, from, length, 128);
  } else if (length <= 512) {
    emit_piece(emission, from, length, 512);
  } else if (length <= 1024) {
    emit_piece(emission, from, length, 1024);
  } else if (length <= 2048) {
    emit_piece(emission, from, length, 2048);
  } else if (length <= 4096) {
    emit_piece(emission, from, length, 4096);
  } else if (length <= 8192) {
    emit_piece(emission, from, length, 8192);
  } else {
    emit_piece(emission, from, length, WT_PIECE_BYTES);
  }
}

/* One full piece. A global function, so that the verifier walks it once and not at every turn of
 * the loop below; such a function takes numbers only, so it looks the connection up again. */
__weak __noinline int emit_full_piece(__u64 handle, __u64 from, __u64 time_ns, __u32 pid,
                                      __u32 transfer) {
  struct wt_connection_key key = {.pid = pid, .handle = handle};
  struct emission emission = {.connection = bpf_map_lookup_elem(&connections, &key),
                              .handle = handle,
                              .time_ns = time_ns,
                              .pid = pid,
                              .transfer = transfer & 1};
  if (!emission.connection) { /* evicted meanwhile; what follows begins a new generation */
    COUNT_LOSS(table_full, 1);
    return 1;
  }
  emission.cookie = emission.connection->cookie;
  emit_piece(&emission, from, WT_PIECE_BYTES, WT_PIECE_BYTES);
  return 0;
}

/* All bytes of one call: full pieces of one constant size in a bounded loop, then one remainder.
 * (Choosing the size class inside the loop is more than the verifier can follow.) */
static __always_inline void emit_call(const struct emission* emission, __u64 from, __u64 length) {
  for (int i = 0; i < WT_PIECES_MAX && length >= WT_PIECE_BYTES; i++) {
    if (emit_full_piece(emission->handle, from, emission->time_ns, emission->pid,
                        emission->transfer))
      return;
    from += WT_PIECE_BYTES;
    length -= WT_PIECE_BYTES;
  }
  if (length >= WT_PIECE_BYTES) { /* a longer call than any ring is made for */
    COUNT_LOSS(ring_events, 1);
    COUNT_LOSS(ring_bytes, length);
    lose(emission, length);
    return;
  }
  if (length) emit_remainder(emission, from, length);
}

/* A record without payload: CLOSE or EOF, with how far both directions have come. */
static __always_inline bool emit_end(const struct emission* emission, __u32 kind) {
  struct wt_event* event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
  if (!event) return false;
  fill_header(event, emission, kind);
  event->length = 0;
  event->offset = emission->connection->offset[WT_WRITTEN];
  event->peer_offset = emission->connection->offset[WT_READ];
  bpf_ringbuf_submit(event, wake_flags());
  return true;
}

static __always_inline void emit_close(const struct emission* emission) {
  if (!emit_end(emission, WT_EVENT_CLOSE)) COUNT_LOSS(close_events, 1);
}

#endif
