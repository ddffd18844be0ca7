/* SPDX-License-Identifier: Apache-2.0 */
/* The heavy side of a one-sided fence: membarrier(2), private and expedited. Until it was
 * registered, and where the kernel refuses it, both sides pass full fences.
 *
 * A filter may forbid the call after the registration. Light fences are full from then on, but a
 * thread that has looked just before passes one that is not. What that fence was for is that the
 * thread's store is seen: a processor lets go of a store by itself, in less than a microsecond, and
 * at the latest when the thread is interrupted. So who finds the call refused waits for much longer
 * than that, once; and so does who comes meanwhile. */
#include "base/fence.h"
#include "base/sys.h"
#include <errno.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of fence_is_full. */
enum { LIGHT = 0, FULL = 1, TURNING = 2 };

#define SETTLE_NS UINT64_C(10000000)

_Atomic int fence_is_full = FULL;

static void ask(void)
{
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0)
        atomic_store(&fence_is_full, LIGHT);
}

/* Once: a fence never becomes light while others count on full ones. A child of fork inherits the
 * registration. */
void fence_prepare(void)
{
    static pthread_once_t asked = PTHREAD_ONCE_INIT;

    pthread_once(&asked, ask);
}

static void wait_for_stores(void)
{
    _Atomic uint32_t nobody_wakes = 0;
    uint64_t until = sys_clock() + SETTLE_NS;

    while (sys_futex_wait(&nobody_wakes, 0, until) != -ETIMEDOUT)
        ;
}

static int membarrier(void)
{
    return syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
}

void fence_heavy(void)
{
    int saved = errno;

    atomic_thread_fence(memory_order_seq_cst);
    int state = atomic_load_explicit(&fence_is_full, memory_order_relaxed);
    if (state != FULL && (state == TURNING || !membarrier())) {
        atomic_store(&fence_is_full, TURNING);
        wait_for_stores();
        atomic_store(&fence_is_full, FULL);
    }
    errno = saved;
}

void fence_heavy_for_none(void)
{
    int saved = errno;

    fence_heavy();
    if (atomic_load_explicit(&fence_is_full, memory_order_relaxed) != LIGHT)
        wait_for_stores();
    errno = saved;
}
