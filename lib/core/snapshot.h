/* SPDX-License-Identifier: Apache-2.0 */
/* An immutable array that readers use without a lock, and its successor.
 *
 * Writers are serialised by their caller. The array that a new one replaces is kept: it has room
 * for all but one item of the live one, so that taking items out never needs memory. */
#ifndef VSDK_CORE_SNAPSHOT_H
#define VSDK_CORE_SNAPSHOT_H

#include "base/readers.h"
#include <stddef.h>

typedef struct snapshot {
    uint32_t count, capacity;
    uint64_t items[];
} snapshot;

typedef struct snapshot_box {
    _Atomic(snapshot *) live; /* NULL is empty */
    snapshot *spare;
} snapshot_box;

/* Inside a reader section, or as the writer. */
static inline const snapshot *snapshot_live(const snapshot_box *box)
{
    return atomic_load(&box->live);
}

static inline uint32_t snapshot_count(const snapshot *s)
{
    return s ? s->count : 0;
}

/* Publishes a copy with one item more at `index` and waits for the readers of the old one. 0 when
 * there is no memory; nothing has changed then. */
int snapshot_insert(snapshot_box *box, readers *r, size_t item_bytes, uint32_t index,
                    const void *item);

/* The same without the items that `leave_out` chooses; never fails. Returns how many that were. */
uint32_t snapshot_remove(snapshot_box *box, readers *r, size_t item_bytes,
                         int (*leave_out)(const void *item, void *context), void *context);

/* Empties it for good; waits for the readers. */
void snapshot_clear(snapshot_box *box, readers *r);

#endif
