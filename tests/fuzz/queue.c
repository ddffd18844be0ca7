/* SPDX-License-Identifier: Apache-2.0 */
/* A virtqueue's ring in memory that a driver has filled with anything. What the ring takes out,
 * puts in and asks for is held against a reading of the specification (virtio 1.2, sections 2.7
 * and 2.8) that is written for clearness: slow, and without a copy.
 *
 * Input: the form, the size, the longest chain, then what the memory holds, then steps. */
#include "target.h"
#include "virtio/ring.h"

#include <stdlib.h>
#include <string.h>

enum { SIZE_MOST = 8, CHAIN_MOST = 4, GUEST = 96, STEPS_MOST = 100 };
enum { F_NEXT = 1, F_WRITE = 2, F_INDIRECT = 4, F_AVAIL = 1 << 7, F_USED = 1 << 15 };

/* Each area has exactly its length, so that a sanitizer sees a step outside. */
typedef struct areas {
    uint8_t *descriptors, *driver, *device, *guest;
    size_t lengths[4];
} areas;

/* What the model knows. */
typedef struct model {
    ring *r;
    areas at;
    int packed, event_index, indirect, in_order, broken;
    uint32_t size, chain_most;
    uint16_t next, seen, used; /* split: indices; packed: places */
    unsigned wrap, used_wrap;
    /* Since the driver was told: how many places were used, and from where. */
    uint32_t untold, pushed;
    struct out {
        uint32_t slot, id, entries, done, written;
        uint64_t writable;
    } out[SIZE_MOST]; /* in the order of the pops */
    uint32_t count;
} model;

typedef struct expected {
    vsdk_virtio_part parts[CHAIN_MOST + 1];
    uint32_t count, id, entries;
    uint64_t writable;
} expected;

static void must(int holds)
{
    if (!holds)
        abort();
}

static uint64_t little(const uint8_t *from, unsigned bytes)
{
    uint64_t value = 0;

    while (bytes--)
        value = value << 8 | from[bytes];
    return value;
}

static int read_guest(void *context, uint64_t gpa, void *to, uint64_t length)
{
    const model *m = context;

    if (gpa > GUEST || length > GUEST - gpa)
        return -1;
    memcpy(to, m->at.guest + gpa, length);
    return 0;
}

/* 0 if a rule is broken. */
static int add(const model *m, expected *e, const uint8_t *descriptor, unsigned flags)
{
    uint64_t address = little(descriptor, 8), length = little(descriptor + 8, 4);
    int writable = !!(flags & F_WRITE);

    if (!length)
        return 1;
    if (e->count == m->chain_most || address + length - 1 < address)
        return 0;
    if (!writable && e->count && e->parts[e->count - 1].flags)
        return 0;
    e->parts[e->count++] = (vsdk_virtio_part){address, (uint32_t)length,
                                              writable ? (uint32_t)VSDK_VIRTIO_WRITABLE : 0};
    e->writable += writable ? length : 0;
    return 1;
}

/* NULL if a rule is broken. */
static const uint8_t *table_of(const model *m, const uint8_t *descriptor, uint32_t *count)
{
    uint64_t address = little(descriptor, 8), length = little(descriptor + 8, 4);

    *count = (uint32_t)length / 16;
    if (!m->indirect || !length || length % 16 || *count > m->chain_most || address > GUEST ||
        length > GUEST - address)
        return NULL;
    return m->at.guest + address;
}

static int split_chain(const model *m, expected *e, const uint8_t *table, uint32_t size,
                       uint32_t at, int inside)
{
    for (uint32_t steps = 0; steps < size; steps++) {
        if (at >= size)
            return 0;
        const uint8_t *d = table + 16 * at;
        unsigned flags = (unsigned)little(d + 12, 2);
        if (flags & F_INDIRECT) {
            uint32_t count;
            const uint8_t *other = inside || flags & F_NEXT ? NULL : table_of(m, d, &count);
            return other && split_chain(m, e, other, count, 0, 1);
        }
        if (!add(m, e, d, flags))
            return 0;
        if (!(flags & F_NEXT))
            return 1;
        at = (uint32_t)little(d + 14, 2);
    }
    return 0;
}

static ring_answer split_next(model *m, expected *e)
{
    if (m->next == m->seen)
        m->seen = (uint16_t)little(m->at.driver + 2, 2);
    if (m->next == m->seen)
        return RING_EMPTY;
    if ((uint16_t)(m->seen - m->next) > m->size || m->count == m->size)
        return RING_BROKEN;
    e->id = (uint32_t)little(m->at.driver + 4 + 2 * (m->next % m->size), 2);
    e->entries = 1;
    if (!split_chain(m, e, m->at.descriptors, m->size, e->id, 0))
        return RING_BROKEN;
    m->next++;
    return RING_CHAIN;
}

static int is_available(const model *m, uint32_t at, unsigned wrap)
{
    unsigned flags = (unsigned)little(m->at.descriptors + 16 * at + 14, 2);

    return !!(flags & F_AVAIL) == wrap && !!(flags & F_USED) != wrap;
}

static int packed_chain(const model *m, expected *e)
{
    for (uint32_t at = m->next; e->entries < m->size; at = (at + 1) % m->size) {
        const uint8_t *d = m->at.descriptors + 16 * at;
        unsigned flags = (unsigned)little(d + 14, 2);
        e->entries++;
        e->id = (uint32_t)little(d + 12, 2);
        if (flags & F_INDIRECT) {
            uint32_t count = 0;
            const uint8_t *table = e->entries > 1 || flags & F_NEXT ? NULL : table_of(m, d, &count);
            for (uint32_t i = 0; table && i < count; i++)
                if (!add(m, e, table + 16 * i, (unsigned)little(table + 16 * i + 14, 2)))
                    return 0;
            return table != NULL;
        }
        if (!add(m, e, d, flags))
            return 0;
        if (!(flags & F_NEXT))
            return 1;
    }
    return 0;
}

static void go_on(const model *m, uint16_t *at, unsigned *wrap, uint32_t by)
{
    *wrap ^= *at + by >= m->size;
    *at = (uint16_t)((*at + by) % m->size);
}

static ring_answer packed_next(model *m, expected *e)
{
    if (!is_available(m, m->next, m->wrap))
        return RING_EMPTY;
    if (m->count == m->size || !packed_chain(m, e))
        return RING_BROKEN;
    go_on(m, &m->next, &m->wrap, e->entries);
    return RING_CHAIN;
}

static void pop(model *m)
{
    expected e = {0};
    uint32_t slot = 0;
    ring_answer answer = ring_pop(m->r, &slot);

    if (m->broken) {
        must(answer == RING_BROKEN);
        return;
    }
    ring_answer right = m->packed ? packed_next(m, &e) : split_next(m, &e);
    must(answer == right);
    m->broken = right == RING_BROKEN;
    must(!m->broken == !m->r->broken);
    if (right != RING_CHAIN)
        return;
    const ring_slot *s = &m->r->slots[slot];
    must(slot < m->size && s->busy && s->count == e.count && s->writable == e.writable);
    must(s->id == e.id && s->entries == e.entries);
    must(!e.count || !memcmp(ring_parts(m->r, slot), e.parts, e.count * sizeof *e.parts));
    uint32_t readable = 0;
    while (readable < e.count && !e.parts[readable].flags)
        readable++;
    must(s->readable == readable);
    for (uint32_t i = 0; i < m->count; i++)
        must(m->out[i].slot != slot);
    m->out[m->count++] =
        (struct out){.slot = slot, .id = e.id, .entries = e.entries, .writable = e.writable};
}

/* The driver finds it at the used side's place, if what came later in one go has left it there: a
 * driver that lies gives more than its ring has room for. */
static void look_at_used(model *m, const struct out *o, uint32_t later)
{
    if (m->packed) {
        const uint8_t *d = m->at.descriptors + 16 * m->used;
        unsigned flags = (unsigned)little(d + 14, 2);
        int there = o->entries + later <= m->size;
        must(!there || (little(d + 12, 2) == (o->id & 0xffff) && little(d + 8, 4) == o->written));
        must(!there || (!!(flags & F_AVAIL) == m->used_wrap && !!(flags & F_USED) == m->used_wrap));
        must(!there || !!(flags & F_WRITE) == (o->written != 0));
        go_on(m, &m->used, &m->used_wrap, o->entries);
    } else {
        const uint8_t *entry = m->at.device + 4 + 8 * (m->used % m->size);
        must(little(entry, 4) == o->id && little(entry + 4, 4) == o->written);
        m->used++;
    }
    m->untold += o->entries;
    m->pushed = 1;
}

static void push(model *m, unsigned which, unsigned written)
{
    uint32_t first = 0, end = 0, later = 0;

    if (!m->count)
        return;
    struct out *o = &m->out[which % m->count];
    if (o->done)
        return;
    o->done = 1;
    o->written = (uint32_t)(written < o->writable ? written : o->writable);
    ring_push(m->r, o->slot, o->written);
    if (m->in_order) {
        while (end < m->count && m->out[end].done)
            later += m->out[end++].entries;
    } else {
        first = which % m->count;
        end = first + 1;
        later = o->entries;
    }
    for (uint32_t i = first; i < end; i++) {
        later -= m->out[i].entries;
        look_at_used(m, &m->out[i], later);
    }
    memmove(&m->out[first], &m->out[end], (m->count - end) * sizeof *m->out);
    m->count -= end - first;
    if (!m->packed && end > first)
        must(little(m->at.device + 2, 2) == m->used);
}

/* Whether the driver's place is one of those that were used since it was told. */
static int event_was_passed(const model *m, int *sure)
{
    if (!m->packed) {
        uint16_t event = (uint16_t)little(m->at.driver + 4 + 2 * m->size, 2);
        for (uint32_t i = 1; i <= m->untold && i <= 65535; i++)
            if ((uint16_t)(m->used - i) == event)
                return 1;
        return 0;
    }
    /* Back over the places; with the counter that was there. */
    unsigned event = (unsigned)little(m->at.driver, 2), wrap = m->used_wrap;
    uint32_t at = m->used;
    *sure &= (event & 0x7fff) < m->size; /* nor is a place that is not there */
    for (uint32_t i = 0; i < m->untold; i++) {
        wrap ^= at == 0;
        at = (at + m->size - 1) % m->size;
        *sure &= at != m->size - 1; /* behind the turn the device may tell once too often */
        if ((event & 0x7fff) == at && event >> 15 == wrap)
            return 1;
    }
    return 0;
}

static void signal_driver(model *m, int *told_before)
{
    int wants = ring_wants_signal(m->r), sure = *told_before;

    if (!m->pushed) {
        must(!wants);
        return;
    }
    m->pushed = 0;
    unsigned flags = (unsigned)little(m->at.driver + (m->packed ? 2 : 0), 2);
    if (m->packed && flags == 1)
        must(!wants);
    else if (m->packed && (flags != 2 || !m->event_index))
        must(wants);
    else if (!m->packed && !m->event_index)
        must(wants == !(flags & 1));
    else if (event_was_passed(m, &sure))
        must(wants);
    else if (sure)
        must(!wants);
    *told_before = 1;
    m->untold = 0;
}

/* It is 1 exactly when the driver has given something that was not taken. */
static void listen(model *m)
{
    int some = ring_listen(m->r);

    if (m->broken)
        return;
    if (m->packed)
        must(some == is_available(m, m->next, m->wrap));
    else
        must(some == (little(m->at.driver + 2, 2) != m->next));
    if (m->event_index && m->packed)
        must(little(m->at.device, 4) == (m->next | m->wrap << 15 | 2u << 16));
    else if (m->event_index)
        must(little(m->at.device + 4 + 8 * m->size, 2) == m->next);
    else if (m->packed)
        must(little(m->at.device + 2, 2) == 0);
    else
        must(little(m->at.device, 2) == 0);
}

static void change(model *m, unsigned area, unsigned at, unsigned value)
{
    uint8_t *const all[4] = {m->at.descriptors, m->at.driver, m->at.device, m->at.guest};

    all[area % 4][at % m->at.lengths[area % 4]] = (uint8_t)value;
}

/* As a driver that keeps the rules would: one more. */
static void offer(model *m, unsigned head)
{
    if (!m->packed) {
        uint16_t index = (uint16_t)little(m->at.driver + 2, 2);
        uint8_t *place = m->at.driver + 4 + 2 * (index % m->size);
        place[0] = (uint8_t)(head % m->size);
        place[1] = 0;
        index++;
        m->at.driver[2] = (uint8_t)index;
        m->at.driver[3] = (uint8_t)(index >> 8);
        return;
    }
    uint8_t *flags = m->at.descriptors + 16 * m->next + 14;
    flags[0] = (uint8_t)((flags[0] & 0x7f) | m->wrap << 7);
    flags[1] = (uint8_t)((flags[1] & 0x7f) | (m->wrap ^ 1) << 7);
}

static void run(model *m, const uint8_t *steps, size_t length)
{
    int told_before = 0;

    for (size_t at = 0; at + 3 < length && at < 4 * STEPS_MOST; at += 4) {
        const uint8_t *s = steps + at;
        switch (s[0] & 7) {
        case 0:
        case 1:
            pop(m);
            break;
        case 2:
            push(m, s[1], s[2]);
            break;
        case 3:
            signal_driver(m, &told_before);
            break;
        case 4:
            listen(m);
            break;
        case 5:
            ring_quiet(m->r);
            break;
        case 6:
            offer(m, s[1]);
            break;
        default:
            change(m, s[0] >> 6, s[1] | (s[0] >> 3 & 7) << 8, s[2]);
        }
        must(m->r->busy == m->count);
    }
}

static uint8_t *area(const uint8_t **bytes, size_t *left, size_t length)
{
    uint8_t *made = calloc(1, length);
    size_t here = *left < length ? *left : length;

    must(made != NULL);
    memcpy(made, *bytes, here);
    *bytes += here;
    *left -= here;
    return made;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static ring r;
    model m = {.r = &r, .wrap = 1, .used_wrap = 1};

    if (length < 3)
        return 0;
    m.packed = bytes[0] & 1;
    m.event_index = bytes[0] >> 1 & 1;
    m.indirect = bytes[0] >> 2 & 1;
    m.in_order = bytes[0] >> 3 & 1;
    m.size = m.packed ? 1u + bytes[1] % SIZE_MOST : 1u << bytes[1] % 4;
    m.chain_most = 1u + bytes[2] % CHAIN_MOST;
    const uint8_t *at = bytes + 3;
    size_t left = length - 3;
    m.at.lengths[0] = ring_descriptors_size(m.size);
    m.at.lengths[1] = ring_driver_size(m.size, m.packed);
    m.at.lengths[2] = ring_device_size(m.size, m.packed);
    m.at.lengths[3] = GUEST;
    m.at.descriptors = area(&at, &left, m.at.lengths[0]);
    m.at.driver = area(&at, &left, m.at.lengths[1]);
    m.at.device = area(&at, &left, m.at.lengths[2]);
    m.at.guest = area(&at, &left, GUEST);
    must(!ring_init(&r, SIZE_MOST, m.chain_most, read_guest, &m));
    uint64_t features = (uint64_t)m.packed << 34 | (uint64_t)m.event_index << 29 |
                        (uint64_t)m.indirect << 28 | (uint64_t)m.in_order << 35;
    ring_open(&r, m.size, features, (ring_memory){m.at.descriptors, m.at.driver, m.at.device});
    run(&m, at, left);
    ring_close(&r);
    ring_end(&r);
    free(m.at.descriptors);
    free(m.at.driver);
    free(m.at.device);
    free(m.at.guest);
    return 0;
}
