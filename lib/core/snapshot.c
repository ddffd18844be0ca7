/* SPDX-License-Identifier: Apache-2.0 */
/* Replacing an immutable array by its successor. The array that was replaced is kept as the next
 * one's memory, and new ones have room to grow, so that most changes allocate nothing. */
#include "core/snapshot.h"
#include "base/alloc.h"
#include <string.h>

static uint8_t *item_at(const snapshot *s, size_t item_bytes, uint32_t index)
{
    return (uint8_t *)s->items + item_bytes * index;
}

static snapshot *next_take(snapshot_box *box, size_t item_bytes, uint32_t count)
{
    snapshot *next = box->spare;

    if (next && next->capacity >= count) {
        box->spare = NULL;
        return next;
    }
    uint32_t capacity = count + count / 2;
    next = alloc_zeroed(sizeof *next + item_bytes * capacity);
    if (next)
        next->capacity = capacity;
    return next;
}

static void publish(snapshot_box *box, readers *r, snapshot *next)
{
    snapshot *old = atomic_exchange(&box->live, next);

    readers_wait(r);
    alloc_free(box->spare);
    box->spare = old;
}

int snapshot_insert(snapshot_box *box, readers *r, size_t item_bytes, uint32_t index,
                    const void *item)
{
    const snapshot *old = snapshot_live(box);
    uint32_t count = snapshot_count(old);
    snapshot *next = next_take(box, item_bytes, count + 1);

    if (!next)
        return 0;
    if (index)
        memcpy(item_at(next, item_bytes, 0), item_at(old, item_bytes, 0), item_bytes * index);
    memcpy(item_at(next, item_bytes, index), item, item_bytes);
    if (index < count)
        memcpy(item_at(next, item_bytes, index + 1), item_at(old, item_bytes, index),
               item_bytes * (count - index));
    next->count = count + 1;
    publish(box, r, next);
    return 1;
}

uint32_t snapshot_remove(snapshot_box *box, readers *r, size_t item_bytes,
                         int (*leave_out)(const void *item, void *context), void *context)
{
    const snapshot *old = snapshot_live(box);
    uint32_t kept = 0;

    for (uint32_t i = 0; i < snapshot_count(old); i++)
        kept += !leave_out(item_at(old, item_bytes, i), context);
    if (kept == snapshot_count(old))
        return 0;

    snapshot *next = kept ? next_take(box, item_bytes, kept) : NULL;
    for (uint32_t i = 0, to = 0; next && i < old->count; i++) {
        if (leave_out(item_at(old, item_bytes, i), context))
            continue;
        memcpy(item_at(next, item_bytes, to++), item_at(old, item_bytes, i), item_bytes);
    }
    if (next)
        next->count = kept;
    uint32_t gone = old->count - kept;
    publish(box, r, next);
    return gone;
}

void snapshot_clear(snapshot_box *box, readers *r)
{
    publish(box, r, NULL);
    alloc_free(box->spare);
    box->spare = NULL;
}
