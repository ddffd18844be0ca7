/* SPDX-License-Identifier: Apache-2.0 */
/* Readers and the writer of an immutable snapshot.
 *
 * A reader enters, loads the snapshot's pointer, uses it, leaves: two uncontended atomic
 * operations, no lock shared between threads, may nest. It must not wait for anything that may
 * wait for readers: so a lock that is taken inside is never held around readers_wait. A writer
 * publishes a new snapshot and calls readers_wait: when it returns nobody uses the old one. Several
 * writers may wait at the same time, but never from inside a reader section.
 *
 * A thread that reads often may have a slot of its own. It is entered and left by plain stores and
 * does not nest; the writer pays for it with a heavy fence (fence.h). */
#ifndef VSDK_BASE_READERS_H
#define VSDK_BASE_READERS_H

#include "base/fence.h"
#include "base/lock.h"
#include "base/sys.h"
#include <stdatomic.h>
#include <stdint.h>

enum { READERS_STRIPES = 16 };
#define READERS_WAITED (UINT32_C(1) << 31) /* of a count: who leaves last wakes the writer */

typedef struct readers_stripe {
    _Atomic uint32_t count[2]; /* by phase */
    char pad[56];
} readers_stripe;

typedef struct readers_slot {
    _Atomic uint32_t passes; /* odd while its thread is inside; a futex for the writer */
    struct readers_slot *next;
} readers_slot;

typedef struct readers {
    /* Grows with each wait, after the new snapshot is published. So what a reader found is in the
     * tables still when this is what it was before the reader looked. Never 0. */
    _Atomic uint64_t changes;
    _Atomic uint32_t awaited; /* a writer may sleep on a slot */
    lock writer;              /* one waits at a time */
    readers_slot *slots;      /* under writer */
    readers_stripe stripes[READERS_STRIPES] __attribute__((aligned(64)));
} readers;

typedef _Atomic uint32_t *readers_token;

void readers_init(readers *r);
void readers_destroy(readers *r);
readers_token readers_enter(readers *r);
static inline void readers_leave(readers_token token)
{
    if (atomic_fetch_sub_explicit(token, 1, memory_order_release) == (READERS_WAITED | 1))
        sys_futex_wake(token);
}
void readers_wait(readers *r);

/* A slot counts from then on, to the end of `r`. One thread at a time uses it. */
void readers_add_slot(readers *r, readers_slot *slot);

static inline void readers_slot_enter(readers_slot *slot)
{
    uint32_t passes = atomic_load_explicit(&slot->passes, memory_order_relaxed);

    atomic_store_explicit(&slot->passes, passes + 1, memory_order_relaxed);
    fence_light();
}

static inline void readers_slot_leave(readers *r, readers_slot *slot)
{
    uint32_t passes = atomic_load_explicit(&slot->passes, memory_order_relaxed);

    atomic_store_explicit(&slot->passes, passes + 1, memory_order_release);
    fence_light();
    if (__builtin_expect(atomic_load_explicit(&r->awaited, memory_order_relaxed), 0))
        sys_futex_wake(&slot->passes);
}

#endif
