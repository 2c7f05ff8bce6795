/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What every program includes. libbpf's headers want the types to be there before them, hence the
 * order. */
#ifndef WT_KERNEL_H
#define WT_KERNEL_H

// clang-format off
#include "lib/kernel_types.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include <wiretally/abi.h>
// clang-format on

#endif
