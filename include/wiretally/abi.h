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
  WT_EVENT_CLOSE = 2, /* the connection object was freed, cleared or used anew */
  WT_EVENT_EXIT = 3,  /* the process ended or called exec: every connection of it is over */
  WT_EVENT_MAP = 4,   /* a process mapped a file executable: pid, no connection */
  WT_EVENT_EOF = 5,   /* the peer has ended its direction: nothing more will be read */
};

enum wt_transfer {
  WT_WRITTEN = 0,
  WT_READ = 1,
};

/* How sure we are of a connection's beginning. */
enum wt_joined {
  WT_BORN = 0,      /* its SSL_new was seen: nothing can have slipped through */
  WT_JOINED = 1,    /* first seen in its middle */
  WT_INHERITED = 2, /* a forked child goes on with a connection of its parent */
};

/* Head of every record in the rings. WT_EVENT_DATA: `length` bytes follow (the record itself may
 * be longer). */
struct wt_event {
  wt_u16 kind;             /* wt_event_kind */
  wt_u8 transfer;          /* wt_transfer */
  wt_u8 joined;            /* wt_joined. For the control thread: EXIT: 1 = no connection was
                              seen; MAP: 1 = the file's name is that of an OpenSSL */
  wt_u32 pid;              /* thread group, initial pid namespace */
  wt_u64 process_start_ns; /* group leader's start, boot clock */
  wt_u64 time_ns;          /* boot clock */
  wt_u64 handle;           /* SSL*; MAP: inode */
  wt_u32 generation;       /* MAP: device, as wt_file_key has it */
  wt_u32 length;           /* bytes that follow */
  wt_u64 offset;           /* of the first byte in this direction; CLOSE: bytes written so far;
                              MAP: the inode's generation */
  wt_u64 peer_offset;      /* the other direction's offset; CLOSE: bytes read so far */
  wt_u64 cookie;           /* of the probe that fired */
};
WT_STATIC_ASSERT(sizeof(struct wt_event) == 64, "wt_event is 64 bytes on both sides");

/* A call longer than one record is cut into pieces of this size and a remainder. */
#define WT_PIECE_BYTES 16384
/* Pieces of one call; what is beyond (32 MiB) counts as lost in the ring. */
#define WT_PIECES_MAX 2048

/* What the probed function is: its arguments and its meaning. Low byte of the cookie. */
enum wt_function {
  WT_FN_READ = 1,      /* int f(ssl, buffer, size) -> bytes */
  WT_FN_WRITE = 2,     /* the same */
  WT_FN_READ_EX = 3,   /* int f(ssl, buffer, size, size_t* done) -> 1 */
  WT_FN_WRITE_EX = 4,  /* the same */
  WT_FN_WRITE_EX2 = 5, /* int f(ssl, buffer, size, flags, size_t* done) -> 1 */
  WT_FN_NEW = 6,       /* ssl f(context) */
  WT_FN_FREE = 7,      /* void f(ssl) */
  WT_FN_CLEAR = 8,     /* int f(ssl) */
  WT_FN_GET_ERROR = 9, /* int f(ssl, result): why a call failed */
  WT_FN_COUNT = 10,
};

/* The cookie of a probe: which library file (a number of user space) and which function. */
static inline wt_u64 wt_cookie(wt_u32 library, wt_u8 function) {
  wt_u64 cookie = library;
  return cookie << 8 | function;
}

struct wt_connection_key {
  wt_u32 pid;
  wt_u32 padding;
  wt_u64 handle;
};
WT_STATIC_ASSERT(sizeof(struct wt_connection_key) == 16, "wt_connection_key");

/* State of one connection. Offsets advance only after a piece has been submitted or counted as
 * lost, so whoever reads an offset and then drains the ring has seen every byte before it that was
 * not lost. */
struct wt_connection {
  wt_u64 process_start_ns;
  wt_u64 offset[2]; /* by wt_transfer */
  wt_u64 lost[2];   /* bytes of them that never entered the ring */
  wt_u64 cookie;
  wt_u32 generation;
  wt_u8 joined;     /* wt_joined */
  wt_u8 read_ended; /* WT_EVENT_EOF was sent */
  wt_u8 told;       /* a record of it has been sent */
  wt_u8 padding;
};
WT_STATIC_ASSERT(sizeof(struct wt_connection) == 56, "wt_connection");

/* Losses by cause since the programs were loaded, in a memory-mapped array. */
struct wt_losses {
  wt_u64 ring_bytes; /* no room in the ring */
  wt_u64 ring_events;
  wt_u64 fault_bytes; /* the process's memory could not be read */
  wt_u64 fault_events;
  wt_u64 close_events;     /* CLOSE and EXIT records for which the ring had no room */
  wt_u64 lifecycle_events; /* MAP and EXIT records for the control ring, likewise */
  wt_u64 table_full;       /* no room for a connection or for a call in flight */
  wt_u64 unmatched;        /* calls that returned without their entry having been seen */
};

/* A file as the kernel names it: device in the kernel's own encoding, major << 20 | minor. */
struct wt_file_key {
  wt_u64 inode;
  wt_u32 device;
  wt_u32 generation; /* tells apart files that had the same inode one after another */
};
WT_STATIC_ASSERT(sizeof(struct wt_file_key) == 16, "wt_file_key");

/* Connections nobody wants: a direct-mapped table of fingerprints that user space writes and the
 * kernel reads, no syscall. A collision replaces the older entry, whose connection is then
 * delivered again until it is told once more: never wrong, only slower. */
#define WT_IGNORED_SLOTS 65536

static inline wt_u64 wt_fingerprint(wt_u32 pid, wt_u64 handle, wt_u32 generation) {
  wt_u64 process = pid;
  wt_u64 mixed = (handle ^ (process << 40) ^ generation) * 0x9E3779B97F4A7C15ULL;
  mixed ^= mixed >> 32;
  mixed = (mixed + generation) * 0xD6E8FEB86659FD93ULL;
  mixed ^= mixed >> 32;
  return mixed | 1; /* 0 is an empty slot */
}
static inline wt_u32 wt_ignored_slot(wt_u64 fingerprint) {
  return (fingerprint >> 17) & (WT_IGNORED_SLOTS - 1);
}

#endif
