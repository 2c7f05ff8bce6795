/* Structs shared by the kernel programs (bpf/) and user space. C, fixed-width fields only; the
 * layout is asserted on both sides. Everything in host byte order. */
#ifndef WIRETALLY_ABI_H
#define WIRETALLY_ABI_H

#ifdef __cplusplus
#include <stdint.h>
typedef uint8_t wt_u8;
typedef uint16_t wt_u16;
typedef uint32_t wt_u32;
typedef uint64_t wt_u64;
#define WT_STATIC_ASSERT(condition, text) static_assert(condition, text)
#else
typedef __u8 wt_u8;
typedef __u16 wt_u16;
typedef __u32 wt_u32;
typedef __u64 wt_u64;
#define WT_STATIC_ASSERT(condition, text) _Static_assert(condition, text)
#endif

/* What a ring record is. */
enum wt_event_kind {
  WT_EVENT_DATA = 1,  /* plaintext follows the header */
  WT_EVENT_CLOSE = 2, /* the connection object was freed or cleared */
  WT_EVENT_EXIT = 3,  /* the process ended: every connection of it is over */
  WT_EVENT_MAP = 4,   /* a process mapped a file executable: pid, no connection */
};

enum wt_transfer {
  WT_WRITTEN = 0,
  WT_READ = 1,
};

/* Head of every record in the event ring. WT_EVENT_DATA: `length` bytes follow. */
struct wt_event {
  wt_u16 kind;             /* wt_event_kind */
  wt_u8 transfer;          /* wt_transfer */
  wt_u8 joined;            /* 1: the connection was first seen in its middle */
  wt_u32 pid;              /* thread group, initial pid namespace */
  wt_u64 process_start_ns; /* group leader's start, boot clock */
  wt_u64 time_ns;          /* boot clock */
  wt_u64 handle;           /* SSL* */
  wt_u32 generation;
  wt_u32 length;      /* bytes that follow */
  wt_u64 offset;      /* of the first byte in this direction; CLOSE: bytes written so far */
  wt_u64 peer_offset; /* the other direction's offset; CLOSE: bytes read so far */
  wt_u64 cookie;      /* of the probe that fired */
};
WT_STATIC_ASSERT(sizeof(struct wt_event) == 64, "wt_event is 64 bytes on both sides");

#endif
