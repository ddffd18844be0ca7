#include "base/readers.h"
#include <time.h>

/* Which stripe: by where the thread's stack is. Thread-local storage would do, but must not be
 * allocated on first use, since a signal handler may be the first user. */
static unsigned stripe_of_thread(void)
{
    uintptr_t place = (uintptr_t)__builtin_frame_address(0) >> 16;

    return (unsigned)((place * UINT64_C(0x9e3779b97f4a7c15)) >> 60) % READERS_STRIPES;
}

readers_token readers_enter(readers *r)
{
    uint32_t phase = atomic_load(&r->phase) & 1;
    readers_token token = &r->stripes[stripe_of_thread()].count[phase];

    atomic_fetch_add(token, 1);
    return token;
}

/* A reader that was preempted inside needs a processor: sleeping gives it one sooner than yielding
 * to everybody else does. */
enum { SPINS = 64 };

static void wait_for_zero(readers_token token)
{
    const struct timespec moment = {.tv_nsec = 20000};

    for (unsigned turn = 0; atomic_load(token) != 0; turn++) {
        if (turn >= SPINS)
            nanosleep(&moment, NULL);
    }
}

/* A reader may have looked at the phase long ago and enter now. It loads the snapshot after that,
 * so it has the new one; but its count is of the other phase: hence both are waited for in turn. */
void readers_wait(readers *r)
{
    for (int turn = 0; turn < 2; turn++) {
        uint32_t old = atomic_fetch_add(&r->phase, 1) & 1;
        for (unsigned i = 0; i < READERS_STRIPES; i++)
            wait_for_zero(&r->stripes[i].count[old]);
    }
}
