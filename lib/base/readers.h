/* SPDX-License-Identifier: Apache-2.0 */
/* Readers and the writer of an immutable snapshot.
 *
 * A reader enters, loads the snapshot's pointer, uses it, leaves: two uncontended atomic
 * operations, no lock shared between threads, may nest, must not block. A writer publishes a new
 * snapshot and calls readers_wait: when it returns nobody uses the old one. Several writers may
 * wait at the same time, but never from inside a reader section. */
#ifndef VSDK_BASE_READERS_H
#define VSDK_BASE_READERS_H

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

typedef struct readers {
    _Atomic uint32_t phase;
    lock writer; /* one waits at a time */
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

#endif
