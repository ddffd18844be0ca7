/* SPDX-License-Identifier: Apache-2.0 */
/* Readers of snapshots, and how their writer waits for them. The invariant: a reader's count is of
 * one of two phases, and a writer that has seen both at zero, one after the other, has seen every
 * reader leave that entered before it began. A reader with a slot has no phase: after a heavy fence
 * the writer sees it inside, or it sees the new snapshot. */
#include "base/readers.h"
#include "base/exit_path.h"

void readers_init(readers *r)
{
    *r = (readers){.changes = 2};
    lock_init(&r->writer, RANK_LEAF);
}

void readers_destroy(readers *r)
{
    lock_destroy(&r->writer);
}

/* Which stripe: by where the thread's stack is. Thread-local storage would do, but must not be
 * allocated on first use, since a signal handler may be the first user. */
static unsigned stripe_of_thread(void)
{
    uintptr_t place = (uintptr_t)__builtin_frame_address(0) >> 16;

    return (unsigned)((place * UINT64_C(0x9e3779b97f4a7c15)) >> 60) % READERS_STRIPES;
}

EXIT_PATH readers_token readers_enter(readers *r)
{
    uint32_t phase = atomic_load(&r->changes) & 1;
    readers_token token = &r->stripes[stripe_of_thread()].count[phase];

    atomic_fetch_add(token, 1);
    return token;
}

static void wait_for_zero(readers_token token)
{
    uint32_t count = atomic_fetch_or(token, READERS_WAITED) | READERS_WAITED;

    while (count & ~READERS_WAITED) {
        sys_futex_wait(token, count, 0);
        count = atomic_load(token);
    }
    atomic_fetch_and(token, ~READERS_WAITED);
}

/* Who left and came in again has the new snapshot. */
static void wait_for_slots(readers *r)
{
    if (!r->slots)
        return;
    atomic_store_explicit(&r->awaited, 1, memory_order_relaxed);
    fence_heavy();
    for (readers_slot *slot = r->slots; slot; slot = slot->next) {
        uint32_t passes = atomic_load(&slot->passes);
        while (passes & 1 && atomic_load(&slot->passes) == passes)
            sys_futex_wait(&slot->passes, passes, 0);
    }
    atomic_store_explicit(&r->awaited, 0, memory_order_relaxed);
}

void readers_add_slot(readers *r, readers_slot *slot)
{
    lock_take(&r->writer);
    slot->next = r->slots;
    r->slots = slot;
    lock_give(&r->writer);
}

/* A reader may have looked at the phase long ago and enter now. It loads the snapshot after that,
 * so it has the new one; but its count is of the other phase: hence both are waited for in turn.
 * Two writers that change the phase by turns could each wait for the same one twice: one at a time.
 */
void readers_wait(readers *r)
{
    lock_take(&r->writer);
    for (int turn = 0; turn < 2; turn++) {
        uint32_t old = atomic_fetch_add(&r->changes, 1) & 1;
        for (unsigned i = 0; i < READERS_STRIPES; i++)
            wait_for_zero(&r->stripes[i].count[old]);
    }
    wait_for_slots(r);
    lock_give(&r->writer);
}
