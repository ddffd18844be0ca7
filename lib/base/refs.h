/* SPDX-License-Identifier: Apache-2.0 */
/* Reference counts. */
#ifndef VSDK_BASE_REFS_H
#define VSDK_BASE_REFS_H

#include <stdatomic.h>

typedef struct refs {
    _Atomic unsigned count;
} refs;

static inline void refs_init(refs *r)
{
    atomic_init(&r->count, 1);
}

static inline void refs_get(refs *r)
{
    atomic_fetch_add_explicit(&r->count, 1, memory_order_relaxed);
}

/* 0 when the last reference was gone already. */
static inline int refs_try_get(refs *r)
{
    unsigned count = atomic_load_explicit(&r->count, memory_order_relaxed);

    while (count && !atomic_compare_exchange_weak_explicit(
                        &r->count, &count, count + 1, memory_order_acquire, memory_order_relaxed))
        ;
    return count != 0;
}

/* 1 when the last reference is gone. */
static inline int refs_put(refs *r)
{
    return atomic_fetch_sub_explicit(&r->count, 1, memory_order_acq_rel) == 1;
}

#endif
