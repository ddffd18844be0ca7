/* SPDX-License-Identifier: Apache-2.0 */
/* The heavy side of a one-sided fence: membarrier(2), private and expedited. Until it was
 * registered, and where the kernel refuses it, both sides pass full fences. */
#include "base/fence.h"
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

_Atomic int fence_is_full = 1;

/* A child of fork inherits the registration. */
void fence_prepare(void)
{
    if (!atomic_load(&fence_is_full))
        return;
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0)
        atomic_store(&fence_is_full, 0);
}

void fence_heavy(void)
{
    atomic_thread_fence(memory_order_seq_cst);
    /* A filter that forbids the call after the registration leaves light fences without a partner:
     * from then on they are full, which a thread sees late by one pass at most. */
    if (!atomic_load_explicit(&fence_is_full, memory_order_relaxed) &&
        syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) != 0)
        atomic_store(&fence_is_full, 1);
}
