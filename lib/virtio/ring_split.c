/* SPDX-License-Identifier: Apache-2.0 */
/* Split rings (virtio 1.2, section 2.7): a table of descriptors, a ring of heads that the driver
 * writes, and a ring of ids that the device writes. Indices run freely modulo 65536; the size is a
 * power of two. */
#include "virtio/ring.h"
#include <stddef.h>

typedef struct avail_ring {
    uint16_t flags, index, heads[]; /* then the index of the used ring to be told of */
} avail_ring;

typedef struct used_entry {
    uint32_t id, length;
} used_entry;

typedef struct used_ring {
    uint16_t flags, index;
    used_entry entries[]; /* then the index of the available ring to be told of */
} used_ring;

enum { NO_SIGNAL = 1, NO_NOTIFY = 1 };

static avail_ring *avail_of(const ring *r)
{
    return r->memory.driver;
}

static used_ring *used_of(const ring *r)
{
    return r->memory.device;
}

static uint16_t *avail_event(const ring *r)
{
    return (uint16_t *)&used_of(r)->entries[r->size];
}

static uint16_t load16(const uint16_t *from)
{
    return __atomic_load_n(from, __ATOMIC_RELAXED);
}

static ring_descriptor split_copy(const ring_descriptor *from)
{
    const uint64_t *words = (const uint64_t *)from;
    uint64_t second = __atomic_load_n(words + 1, __ATOMIC_RELAXED);

    return (ring_descriptor){.address = __atomic_load_n(words, __ATOMIC_RELAXED),
                             .length = (uint32_t)second,
                             .flags = (uint16_t)(second >> 32),
                             .next = (uint16_t)(second >> 48)};
}

/* The chain that begins at `at` of a table that has `size` descriptors. The table in the ring is
 * the driver's to change; an indirect one is a copy. NULL, or the rule that it breaks. */
static const char *split_walk(ring *r, uint32_t slot, const ring_descriptor *table, uint32_t size,
                              uint32_t at, int indirect)
{
    for (uint32_t steps = 0; steps < size; steps++) {
        if (at >= size)
            return "a descriptor that is not there";
        ring_descriptor d = split_copy(&table[at]);
        const char *why;
        if (d.flags & DESCRIPTOR_INDIRECT) {
            if (indirect || d.flags & DESCRIPTOR_NEXT)
                return "an indirect table inside a chain";
            uint32_t count = ring_read_table(r, d.address, d.length, &why);
            return count ? split_walk(r, slot, ring_table(r), count, 0, 1) : why;
        }
        why = ring_add_part(r, slot, d.address, d.length, d.flags);
        if (why || !(d.flags & DESCRIPTOR_NEXT))
            return why;
        at = d.next;
    }
    return "a chain has no end";
}

ring_answer split_pop(ring *r, uint32_t *slot)
{
    if (r->next == r->seen) {
        r->seen = __atomic_load_n(&avail_of(r)->index, __ATOMIC_ACQUIRE);
        if (r->next == r->seen)
            return RING_EMPTY;
        if ((uint16_t)(r->seen - r->next) > r->size)
            return ring_break(r, "the available index is too far ahead");
    }
    uint32_t head = load16(&avail_of(r)->heads[r->next & (r->size - 1)]);
    ring_slot *s = ring_take_slot(r, slot);
    if (!s)
        return ring_break(r, "more chains than the queue has entries");
    s->id = head;
    s->entries = 1;
    const char *why = split_walk(r, *slot, r->memory.descriptors, r->size, head, 0);
    if (why) {
        ring_give_slot(r, *slot);
        return ring_break(r, why);
    }
    r->next++;
    return RING_CHAIN;
}

/* The entry is there before the index says so. */
void split_push(ring *r, const ring_slot *s, uint32_t written)
{
    used_ring *used = used_of(r);
    used_entry *entry = &used->entries[r->used & (r->size - 1)];

    __atomic_store_n(&entry->id, s->id, __ATOMIC_RELAXED);
    __atomic_store_n(&entry->length, written, __ATOMIC_RELAXED);
    r->used++;
    __atomic_store_n(&used->index, r->used, __ATOMIC_RELEASE);
}

void split_quiet(ring *r)
{
    /* With event indices the driver is silent until the index that it was given is passed. */
    if (!r->event_index)
        __atomic_store_n(&used_of(r)->flags, NO_NOTIFY, __ATOMIC_RELAXED);
}

/* The order of this store and the load is what keeps a chain from being missed by both sides. */
int split_listen(ring *r)
{
    if (r->event_index)
        __atomic_store_n(avail_event(r), r->next, __ATOMIC_RELAXED);
    else
        __atomic_store_n(&used_of(r)->flags, 0, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return load16(&avail_of(r)->index) != r->next;
}

int split_wants_signal(ring *r)
{
    uint16_t before = r->signalled;
    int known = r->signalled_known;

    r->signalled = r->used;
    r->signalled_known = 1;
    if (!r->event_index)
        return !(load16(&avail_of(r)->flags) & NO_SIGNAL);
    return !known || ring_passed(load16(&avail_of(r)->heads[r->size]), r->used, before);
}
