#include "base/readers.h"
#include "base/exit_path.h"
#include <time.h>

/* Which stripe: by where the thread's stack is. Thread-local storage would do, but must not be
 * allocated on first use, since a signal handler may be the first user. */
static unsigned stripe_of_thread(void)
{
    uintptr_t place = (uintptr_t)__builtin_frame_address(0) >> 16;

    return (unsigned)((place * UINT64_C(0x9e3779b97f4a7c15)) >> 60) % READERS_STRIPES;
}

EXIT_PATH readers_token readers_enter(readers *r)
{
    uint32_t phase = atomic_load(&r->phase) & 1;
    readers_token token = &r->stripes[stripe_of_thread()].count[phase];

    atomic_fetch_add(token, 1);
    return token;
}

/* A reader that was preempted inside needs a processor: sleeping gives it one sooner than yielding
 * to everybody else does. */
enum { SPINS = 64 };

static void wait_a_moment(unsigned turn)
{
    const struct timespec moment = {.tv_nsec = 20000};

    if (turn >= SPINS)
        nanosleep(&moment, NULL);
}

static void wait_for_zero(readers_token token)
{
    for (unsigned turn = 0; atomic_load(token) != 0; turn++)
        wait_a_moment(turn);
}

/* A reader may have looked at the phase long ago and enter now. It loads the snapshot after that,
 * so it has the new one; but its count is of the other phase: hence both are waited for in turn.
 * Two writers that change the phase by turns could each wait for the same one twice: one at a time.
 */
void readers_wait(readers *r)
{
    for (unsigned turn = 0; atomic_exchange(&r->waiting, 1); turn++)
        wait_a_moment(turn);
    for (int turn = 0; turn < 2; turn++) {
        uint32_t old = atomic_fetch_add(&r->phase, 1) & 1;
        for (unsigned i = 0; i < READERS_STRIPES; i++)
            wait_for_zero(&r->stripes[i].count[old]);
    }
    atomic_store(&r->waiting, 0);
}
