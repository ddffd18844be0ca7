/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/mock/mock.h"
#include "base/sys.h"
#include <errno.h>

uint64_t mock_now(void)
{
    return sys_clock();
}

void mock_wake(cpu *c)
{
    int saved = errno;

    atomic_fetch_add(&c->wake, 1);
    if (atomic_load(&c->sleeping))
        sys_futex_wake(&c->wake);
    errno = saved;
}

void mock_attend(cpu *c)
{
    atomic_store(&c->attention, 1);
    mock_wake(c);
}

int mock_wait(cpu *c, uint32_t seen, uint64_t deadline_ns)
{
    atomic_store(&c->sleeping, 1);
    int result = sys_futex_wait(&c->wake, seen, deadline_ns);
    atomic_store(&c->sleeping, 0);
    return result == -EINTR ? EINTR : result == -ETIMEDOUT ? ETIMEDOUT : 0;
}
