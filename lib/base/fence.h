/* SPDX-License-Identifier: Apache-2.0 */
/* A fence whose cost lies on one side. The thread that passes often calls fence_light, which costs
 * nothing; the one that comes seldom calls fence_heavy, which makes every thread of the process
 * pass a full fence (membarrier). Of two threads that store and then look at the other's store, one
 * sees it if one of them uses each. Where the kernel has no membarrier both are full fences, and
 * where a filter takes it away later they become so (fence.c). */
#ifndef VSDK_BASE_FENCE_H
#define VSDK_BASE_FENCE_H

#include <stdatomic.h>

/* Once, before the first use; any thread, any number of times. */
void fence_prepare(void);

/* No membarrier here: not yet asked for, or refused. */
extern _Atomic int fence_is_full;

static inline void fence_light(void)
{
    if (__builtin_expect(atomic_load_explicit(&fence_is_full, memory_order_relaxed), 0))
        atomic_thread_fence(memory_order_seq_cst);
    else
        atomic_signal_fence(memory_order_seq_cst);
}

/* Any thread, async-signal-safe. */
void fence_heavy(void);

/* A light side that is never a full fence, for what is only done while fence_is_full is 0. Its
 * heavy side waits where the kernel has refused the call since. */
static inline void fence_none(void)
{
    atomic_signal_fence(memory_order_seq_cst);
}

void fence_heavy_for_none(void);

#endif
