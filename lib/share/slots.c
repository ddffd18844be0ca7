/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers for objects: a slot below, its generation above. A number that was given back is never
 * given out again before the generations of its slot are through (2^32), so a guest that keeps an
 * old one gets an error, and not another file. The first slot is not used: 0 is no number. */
#include "base/alloc.h"
#include "share/share.h"
#include <errno.h>
#include <string.h>

enum { FIRST_COUNT = 64 };

/* At least to `least`, by doubling, and never beyond the limit. */
static int grow(share_slots *slots, uint32_t least)
{
    uint32_t first = slots->most < FIRST_COUNT ? slots->most : FIRST_COUNT;
    uint32_t count = slots->count ? slots->count : first;

    while (count <= least && count < slots->most)
        count = count > slots->most / 2 ? slots->most : count * 2;
    if (count <= least)
        return -ENFILE;
    if (count == slots->count)
        return 0;
    share_slot *list = alloc_array(count, sizeof *list);
    if (!list)
        return -ENOMEM;
    if (slots->count)
        memcpy(list, slots->list, slots->count * sizeof *list);
    for (uint32_t i = count - 1; i >= (slots->count ? slots->count : 1); i--) {
        list[i].next = slots->free;
        slots->free = i;
    }
    alloc_free(slots->list);
    slots->list = list;
    slots->count = count;
    return 0;
}

int slots_add(share_slots *slots, void *object, uint64_t *id)
{
    int failure = slots->free ? 0 : grow(slots, slots->count);

    if (failure)
        return failure;
    uint32_t at = slots->free;
    slots->free = slots->list[at].next;
    slots->list[at].object = object;
    *id = (uint64_t)slots->list[at].generation << 32 | at;
    return 0;
}

/* Leaves the free ones in disorder, see slots_order. */
int slots_put(share_slots *slots, void *object, uint64_t id)
{
    uint32_t at = (uint32_t)id;

    if (!at || at >= slots->most)
        return -EINVAL;
    int failure = at < slots->count ? 0 : grow(slots, at);
    if (failure)
        return failure;
    if (slots->list[at].object)
        return -EINVAL;
    slots->list[at].object = object;
    slots->list[at].generation = (uint32_t)(id >> 32);
    return 0;
}

void slots_order(share_slots *slots)
{
    slots->free = 0;
    for (uint32_t i = slots->count; i-- > 1;) {
        if (slots->list[i].object)
            continue;
        slots->list[i].next = slots->free;
        slots->free = i;
    }
}

void *slots_get(const share_slots *slots, uint64_t id)
{
    uint32_t at = (uint32_t)id;

    return at < slots->count && slots->list[at].generation == id >> 32 ? slots->list[at].object
                                                                       : NULL;
}

void slots_remove(share_slots *slots, uint64_t id)
{
    share_slot *slot = &slots->list[(uint32_t)id];

    slot->object = NULL;
    slot->generation++;
    slot->next = slots->free;
    slots->free = (uint32_t)id;
}
