/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/mock/mock.h"
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

uint64_t mock_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void mock_wake(cpu *c)
{
    int saved = errno;

    atomic_fetch_add(&c->wake, 1);
    if (atomic_load(&c->sleeping))
        syscall(SYS_futex, &c->wake, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    errno = saved;
}

void mock_attend(cpu *c)
{
    atomic_store(&c->attention, 1);
    mock_wake(c);
}

int mock_wait(cpu *c, uint32_t seen, uint64_t deadline_ns)
{
    struct timespec until = {.tv_sec = (time_t)(deadline_ns / 1000000000u),
                             .tv_nsec = (long)(deadline_ns % 1000000000u)};
    long result;

    atomic_store(&c->sleeping, 1);
    result = syscall(SYS_futex, &c->wake, FUTEX_WAIT_BITSET_PRIVATE, seen,
                     deadline_ns ? &until : NULL, NULL, FUTEX_BITSET_MATCH_ANY);
    atomic_store(&c->sleeping, 0);
    if (result == 0 || errno == EAGAIN)
        return 0;
    return errno == EINTR ? EINTR : ETIMEDOUT;
}
