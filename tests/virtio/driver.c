/* SPDX-License-Identifier: Apache-2.0 */
/* The driver's side of virtio-mmio and of both kinds of ring. It keeps to the rules, and fails the
 * test when the device breaks one: what is given back must be out. */
#include "driver.h"

enum { NEXT = 1, WRITE = 2, INDIRECT = 4, AVAIL = 1 << 7, USED = 1 << 15 };

struct descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next; /* packed: id, flags */
};

uint32_t driver_read(struct driver *d, uint32_t offset)
{
    return d->read(offset);
}

void driver_write(struct driver *d, uint32_t offset, uint32_t value)
{
    d->write(offset, value);
}

int driver_negotiate(struct driver *d, uint64_t features)
{
    driver_write(d, 0x70, 0);
    driver_write(d, 0x70, 1);
    driver_write(d, 0x70, 3);
    for (uint32_t i = 0; i < 2; i++) {
        driver_write(d, 0x24, i);
        driver_write(d, 0x20, (uint32_t)(features >> 32 * i));
    }
    driver_write(d, 0x70, 11);
    return (driver_read(d, 0x70) & 8) != 0;
}

static uint64_t avail_at(const struct driver *d)
{
    return d->rings + 16 * d->size;
}

static uint64_t device_at(const struct driver *d)
{
    return (avail_at(d) + 6 + 2 * d->size + 3) & ~UINT64_C(3);
}

static uint16_t *word(const struct driver *d, uint64_t gpa)
{
    return (uint16_t *)(d->memory + gpa);
}

void driver_queue(struct driver *d, uint32_t queue, uint32_t size, uint64_t rings,
                  uint64_t features)
{
    d->queue = queue;
    d->size = size;
    d->rings = rings;
    d->packed = features >> 34 & 1;
    d->event_index = features >> 29 & 1;
    d->next = d->used = 0;
    d->wrap = d->used_wrap = 1;
    d->free = size;
    for (uint32_t i = 0; i < size; i++)
        d->unused[i] = (uint16_t)i;
    memset(d->ids, 0, sizeof d->ids);
    memset(d->memory + rings, 0, device_at(d) - rings + 6 + 8 * size);
    driver_write(d, 0x30, queue);
    driver_write(d, 0x38, size);
    driver_write(d, 0x80, (uint32_t)rings);
    driver_write(d, 0x84, 0);
    driver_write(d, 0x90, (uint32_t)avail_at(d) & (d->packed ? ~3u : ~0u));
    driver_write(d, 0x94, 0);
    driver_write(d, 0xa0, (uint32_t)device_at(d));
    driver_write(d, 0xa4, 0);
    driver_write(d, 0x44, 1);
}

void driver_ok(struct driver *d)
{
    driver_write(d, 0x70, 15);
}

static void put(struct driver *d, uint64_t at, const driver_buffer *b, uint16_t flags,
                uint16_t last)
{
    struct descriptor *to = (struct descriptor *)(d->memory + at);

    to->address = b->gpa;
    to->length = b->length;
    if (d->packed)
        to->flags = last, to->next = flags;
    else
        to->flags = flags, to->next = last;
}

static uint64_t make_table(struct driver *d, const driver_buffer *buffers, uint32_t count,
                           uint64_t table)
{
    for (uint32_t i = 0; i < count; i++) {
        uint16_t flags = (uint16_t)(buffers[i].writable ? WRITE : 0);
        if (i + 1 < count && !d->packed)
            flags |= NEXT;
        put(d, table + 16 * i, &buffers[i], flags, (uint16_t)(d->packed ? 0 : i + 1));
    }
    return table;
}

static int add_split(struct driver *d, const driver_buffer *buffers, uint32_t count, uint16_t more)
{
    uint16_t head = d->unused[d->size - d->free];

    d->ids[head].count = count;
    for (uint32_t i = 0; i < count; i++) {
        uint16_t at = d->unused[d->size - d->free + i];
        uint16_t flags = (uint16_t)((buffers[i].writable ? WRITE : 0) | more);
        d->ids[head].list[i] = at;
        if (i + 1 < count)
            flags |= NEXT;
        put(d, d->rings + 16 * at, &buffers[i], flags,
            i + 1 < count ? d->unused[d->size - d->free + i + 1] : 0);
    }
    d->free -= count;
    word(d, avail_at(d))[2 + d->next % d->size] = head;
    __atomic_store_n(word(d, avail_at(d)) + 1, ++d->next, __ATOMIC_RELEASE);
    return head;
}

static int add_packed(struct driver *d, const driver_buffer *buffers, uint32_t count, uint16_t more)
{
    uint16_t id = 0, first_flags = 0;
    uint64_t first = d->rings + 16 * d->next;

    while (d->ids[id].busy)
        id++;
    d->ids[id].count = count;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t at = d->rings + 16 * d->next;
        uint16_t flags = (uint16_t)((buffers[i].writable ? WRITE : 0) | more);
        if (i + 1 < count)
            flags |= NEXT;
        flags |= d->wrap ? AVAIL : USED;
        if (!i)
            first_flags = flags, flags = word(d, at)[7];
        put(d, at, &buffers[i], flags, id);
        if (++d->next == d->size)
            d->next = 0, d->wrap ^= 1;
    }
    d->free -= count;
    __atomic_store_n(word(d, first) + 7, first_flags, __ATOMIC_RELEASE);
    return id;
}

int driver_add(struct driver *d, const driver_buffer *buffers, uint32_t count, uint64_t table)
{
    driver_buffer whole;
    uint16_t more = 0;
    int id;

    if (table) {
        whole = (driver_buffer){make_table(d, buffers, count, table), 16 * count, 0};
        buffers = &whole;
        count = 1;
        more = INDIRECT;
    }
    if (count > d->free)
        return -1;
    id = d->packed ? add_packed(d, buffers, count, more) : add_split(d, buffers, count, more);
    d->ids[id].busy = 1;
    return id;
}

int driver_kick(struct driver *d, uint32_t added)
{
    uint16_t event, flags;

    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (d->packed) {
        event = word(d, device_at(d))[0];
        flags = word(d, device_at(d))[1];
        int place = event & 0x7fff, before = (int)d->next - (int)added;
        if (event >> 15 != d->wrap)
            place -= (int)d->size;
        if (flags == 1 ||
            (flags == 2 && (uint16_t)(d->next - place - 1) >= (uint16_t)(d->next - before)))
            return 0;
    } else if (d->event_index) {
        event = word(d, device_at(d))[2 + 4 * d->size];
        if ((uint16_t)(d->next - event - 1) >= (uint16_t)added)
            return 0;
    } else if (word(d, device_at(d))[0] & 1) {
        return 0;
    }
    driver_write(d, 0x50, d->queue);
    return 1;
}

static int take_split(struct driver *d, uint32_t *id, uint32_t *length)
{
    uint32_t *entries = (uint32_t *)(word(d, device_at(d)) + 2);

    if (__atomic_load_n(word(d, device_at(d)) + 1, __ATOMIC_ACQUIRE) == d->used)
        return 0;
    *id = entries[2 * (d->used % d->size)];
    *length = entries[2 * (d->used % d->size) + 1];
    d->used++;
    cr_assert(*id < d->size && d->ids[*id].busy, "%u was given back and is not out", *id);
    d->free += d->ids[*id].count;
    for (uint32_t i = 0; i < d->ids[*id].count; i++)
        d->unused[d->size - d->free + i] = d->ids[*id].list[i];
    return 1;
}

static int take_packed(struct driver *d, uint32_t *id, uint32_t *length)
{
    uint16_t *at = word(d, d->rings + 16 * d->used);
    uint16_t flags = __atomic_load_n(at + 7, __ATOMIC_ACQUIRE);

    if (!!(flags & AVAIL) != d->used_wrap || !!(flags & USED) != d->used_wrap)
        return 0;
    *id = at[6];
    *length = *(uint32_t *)(at + 4);
    cr_assert_eq(!!(flags & WRITE), *length != 0, "what was written is not said");
    cr_assert(*id < d->size && d->ids[*id].busy, "%u was given back and is not out", *id);
    d->free += d->ids[*id].count;
    d->used = (uint16_t)(d->used + d->ids[*id].count);
    if (d->used >= d->size)
        d->used = (uint16_t)(d->used - d->size), d->used_wrap ^= 1;
    return 1;
}

int driver_take(struct driver *d, uint32_t *id, uint32_t *length)
{
    int some = d->packed ? take_packed(d, id, length) : take_split(d, id, length);

    if (some)
        d->ids[*id].busy = 0;
    return some;
}

static int is_something_there(const struct driver *d)
{
    if (!d->packed)
        return __atomic_load_n(word(d, device_at(d)) + 1, __ATOMIC_ACQUIRE) != d->used;
    uint16_t flags = __atomic_load_n(word(d, d->rings + 16 * d->used) + 7, __ATOMIC_ACQUIRE);
    return !!(flags & AVAIL) == d->used_wrap && !!(flags & USED) == d->used_wrap;
}

int driver_sleep(struct driver *d)
{
    uint16_t *avail = word(d, d->packed ? avail_at(d) & ~UINT64_C(3) : avail_at(d));

    if (d->packed && d->event_index) {
        avail[0] = (uint16_t)(d->used | d->used_wrap << 15);
        avail[1] = 2;
    } else if (d->packed) {
        avail[1] = 0;
    } else if (d->event_index) {
        avail[2 + d->size] = d->used;
    } else {
        avail[0] = 0;
    }
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return is_something_there(d);
}

void driver_awake(struct driver *d)
{
    uint16_t *avail = word(d, d->packed ? avail_at(d) & ~UINT64_C(3) : avail_at(d));

    if (d->packed)
        avail[1] = 1;
    else if (!d->event_index)
        avail[0] = 1;
}
