/* SPDX-License-Identifier: Apache-2.0 */
/* Packed rings (virtio 1.2, section 2.8): one ring of descriptors that both sides write. Two bits
 * of a descriptor's flags, read against a counter that turns at each end of the ring, say whose it
 * is. A chain lies in neighbouring descriptors, and its id in the last of them. */
#include "virtio/ring.h"

enum { BIT_AVAIL = 1 << 7, BIT_USED = 1 << 15 };
enum { EVENTS_ENABLE = 0, EVENTS_DISABLE = 1, EVENTS_AT = 2, WRAP_SHIFT = 15 };

typedef struct packed_descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t id, flags;
} packed_descriptor;

typedef struct packed_event {
    uint16_t at; /* the counter in its highest bit */
    uint16_t flags;
} packed_event;

static packed_descriptor *descriptor_at(const ring *r, uint32_t at)
{
    return (packed_descriptor *)r->memory.descriptors + at;
}

/* 0 when it is not the driver's to give. */
static int is_available(const ring *r, uint32_t at, unsigned wrap, uint16_t *flags)
{
    *flags = __atomic_load_n(&descriptor_at(r, at)->flags, __ATOMIC_ACQUIRE);
    return !!(*flags & BIT_AVAIL) == wrap && !!(*flags & BIT_USED) != wrap;
}

static packed_descriptor packed_copy(const packed_descriptor *from, uint16_t flags)
{
    return (packed_descriptor){.address = __atomic_load_n(&from->address, __ATOMIC_RELAXED),
                               .length = __atomic_load_n(&from->length, __ATOMIC_RELAXED),
                               .id = __atomic_load_n(&from->id, __ATOMIC_RELAXED),
                               .flags = flags};
}

/* The flags of an indirect table's entries are but one: who writes. */
static const char *add_table(ring *r, uint32_t slot, const packed_descriptor *d)
{
    const char *why;
    uint32_t count = ring_read_table(r, d->address, d->length, &why);
    const packed_descriptor *table = (const packed_descriptor *)ring_table(r);

    for (uint32_t i = 0; i < count && !why; i++)
        why = ring_add_part(r, slot, table[i].address, table[i].length, table[i].flags);
    return why;
}

/* All but the first flags are read after the first, which says that the whole chain is there. */
static const char *packed_walk(ring *r, uint32_t slot, uint16_t flags)
{
    ring_slot *s = &r->slots[slot];
    uint32_t at = r->next;

    for (;;) {
        packed_descriptor d = packed_copy(descriptor_at(r, at), flags);
        const char *why;
        s->entries++;
        if (flags & DESCRIPTOR_INDIRECT) {
            if (flags & DESCRIPTOR_NEXT || s->entries > 1)
                return "an indirect table inside a chain";
            why = add_table(r, slot, &d);
        } else {
            why = ring_add_part(r, slot, d.address, d.length, flags);
        }
        s->id = d.id;
        if (why || !(flags & DESCRIPTOR_NEXT))
            return why;
        if (s->entries == r->size)
            return "a chain has no end";
        at = at + 1 == r->size ? 0 : at + 1;
        flags = __atomic_load_n(&descriptor_at(r, at)->flags, __ATOMIC_RELAXED);
    }
}

/* Places turn at the end of the ring, and the counter with them. */
static void step(const ring *r, uint16_t *at, uint8_t *wrap, uint32_t by)
{
    uint32_t sum = *at + by;

    if (sum >= r->size) {
        sum -= r->size;
        *wrap ^= 1;
    }
    *at = (uint16_t)sum;
}

ring_answer packed_pop(ring *r, uint32_t *slot)
{
    uint16_t flags;

    if (!is_available(r, r->next, r->wrap, &flags))
        return RING_EMPTY;
    ring_slot *s = ring_take_slot(r, slot);
    if (!s)
        return ring_break(r, "more chains than the queue has entries");
    const char *why = packed_walk(r, *slot, flags);
    if (why) {
        ring_give_slot(r, *slot);
        return ring_break(r, why);
    }
    step(r, &r->next, &r->wrap, s->entries);
    return RING_CHAIN;
}

/* The device writes one descriptor a chain and leaves out the rest of it. */
void packed_push(ring *r, const ring_slot *s, uint32_t written)
{
    packed_descriptor *d = descriptor_at(r, r->used);
    uint16_t whose = r->used_wrap ? BIT_AVAIL | BIT_USED : 0;

    __atomic_store_n(&d->id, (uint16_t)s->id, __ATOMIC_RELAXED);
    __atomic_store_n(&d->length, written, __ATOMIC_RELAXED);
    if (written)
        whose |= DESCRIPTOR_WRITE;
    __atomic_store_n(&d->flags, whose, __ATOMIC_RELEASE);
    uint8_t before = r->used_wrap;
    step(r, &r->used, &r->used_wrap, s->entries);
    if (r->used_wrap != before)
        r->signalled_known = 0; /* what is behind the turn can't be compared */
}

static packed_event *device_event(const ring *r)
{
    return r->memory.device;
}

void packed_quiet(ring *r)
{
    __atomic_store_n(&device_event(r)->flags, EVENTS_DISABLE, __ATOMIC_RELAXED);
}

int packed_listen(ring *r)
{
    uint16_t flags = EVENTS_ENABLE;

    if (r->event_index) {
        uint16_t at = (uint16_t)(r->next | r->wrap << WRAP_SHIFT);
        __atomic_store_n(&device_event(r)->at, at, __ATOMIC_RELAXED);
        flags = EVENTS_AT;
    }
    __atomic_store_n(&device_event(r)->flags, flags, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return is_available(r, r->next, r->wrap, &flags);
}

/* The driver names a place of the used side, with the counter that it expects there. One from
 * before the turn is counted backwards. */
int packed_wants_signal(ring *r)
{
    const packed_event *event = r->memory.driver;
    uint16_t before = r->signalled, flags, at;
    int known = r->signalled_known;

    r->signalled = r->used;
    r->signalled_known = 1;
    flags = __atomic_load_n(&event->flags, __ATOMIC_ACQUIRE);
    if (flags == EVENTS_DISABLE)
        return 0;
    if (flags != EVENTS_AT || !r->event_index || !known)
        return 1;
    at = __atomic_load_n(&event->at, __ATOMIC_RELAXED);
    uint16_t place = at & 0x7fff;
    if ((at >> WRAP_SHIFT) != r->used_wrap)
        place = (uint16_t)(place - r->size);
    return ring_passed(place, r->used, before);
}
