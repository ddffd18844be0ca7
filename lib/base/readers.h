/* Readers and the writer of an immutable snapshot.
 *
 * A reader enters, loads the snapshot's pointer, uses it, leaves: two uncontended atomic
 * operations, no lock shared between threads, may nest, must not block. A writer publishes a new
 * snapshot and calls readers_wait: when it returns nobody uses the old one. Writers of different
 * snapshots may wait at the same time, but never from inside a reader section. */
#ifndef VSDK_BASE_READERS_H
#define VSDK_BASE_READERS_H

#include <stdatomic.h>
#include <stdint.h>

enum { READERS_STRIPES = 16 };

typedef struct readers_stripe {
    _Atomic uint32_t count[2]; /* by phase */
    char pad[56];
} readers_stripe;

typedef struct readers {
    _Atomic uint32_t phase;
    _Atomic uint32_t waiting; /* somebody is inside readers_wait */
    char pad[56];
    readers_stripe stripes[READERS_STRIPES];
} readers;

typedef _Atomic uint32_t *readers_token;

readers_token readers_enter(readers *r);
static inline void readers_leave(readers_token token)
{
    atomic_fetch_sub_explicit(token, 1, memory_order_release);
}
void readers_wait(readers *r);

#endif
