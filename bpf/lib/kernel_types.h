/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The few kernel structs we look into, each with only the members we read. preserve_access_index
 * makes libbpf relocate every access by the running kernel's BTF, so layout and order here mean
 * nothing. Members are read one by one; a struct is never copied whole. */
#ifndef WT_KERNEL_TYPES_H
#define WT_KERNEL_TYPES_H

#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <linux/types.h>
#include <stdbool.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct super_block {
  __u32 s_dev;
};

struct inode {
  struct super_block* i_sb;
  unsigned long i_ino;
  __u32 i_generation;
};

struct qstr {
  const unsigned char* name;
};

struct dentry {
  struct qstr d_name;
};

struct path {
  struct dentry* dentry;
};

struct file {
  struct inode* f_inode;
  struct path f_path;
};

struct fdtable {
  unsigned int max_fds;
  struct file** fd;
};

struct files_struct {
  struct fdtable* fdt;
};

struct linux_binprm {
  struct file* file;
};

typedef struct {
  int counter;
} atomic_t;

struct signal_struct {
  atomic_t live;
};

struct task_struct {
  int tgid;
  struct task_struct* group_leader;
  struct task_struct* real_parent;
  struct signal_struct* signal;
  struct files_struct* files;
  __u64 start_boottime;
};

/* A syscall tracepoint's record: the same on every kernel we support. */
struct trace_entry {
  __u16 type;
  __u8 flags;
  __u8 preempt_count;
  int pid;
};

struct trace_event_raw_sys_enter {
  struct trace_entry ent;
  long id;
  unsigned long args[6];
};

struct trace_event_raw_sys_exit {
  struct trace_entry ent;
  long id;
  long ret;
};

#pragma clang attribute pop

#endif
