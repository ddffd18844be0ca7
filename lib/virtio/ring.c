/* SPDX-License-Identifier: Apache-2.0 */
/* What split and packed rings share: the slots in which chains lie while the device has them, the
 * parts of a chain, and indirect tables.
 *
 * A slot is either free, and then in the list that begins at `free`, or busy. There are as many as
 * the ring has entries, so a driver that has its buffers back before it gives them away again never
 * finds none.
 *
 * With in_order the busy slots are a list too, in the order of the pops: what is pushed waits in it
 * until it is the first. */
#include "virtio/ring.h"
#include "base/alloc.h"
#include <string.h>
#include <sys/mman.h>

#include "base/sys.h"

enum { PAGE = 4096 };
#define F_INDIRECT (UINT64_C(1) << 28)
#define F_EVENT_INDEX (UINT64_C(1) << 29)
#define F_PACKED (UINT64_C(1) << 34)
#define F_IN_ORDER (UINT64_C(1) << 35)

static uint64_t parts_bytes(const ring *r)
{
    uint64_t parts = (uint64_t)(r->size_most + 1) * r->chain_most;

    return (parts * sizeof(vsdk_virtio_part) + PAGE - 1) & ~UINT64_C(4095);
}

/* The parts of all slots, and a place for one table more. */
int ring_init(ring *r, uint32_t size_most, uint32_t chain_most, ring_read_fn read, void *context)
{
    memset(r, 0, sizeof *r);
    r->size_most = size_most;
    r->chain_most = chain_most;
    r->read = read;
    r->context = context;
    r->slots = alloc_array(size_most, sizeof *r->slots);
    /* Pages that no chain has used cost nothing. */
    r->parts = sys_map_anonymous(parts_bytes(r), PAGE, 0, PROT_READ | PROT_WRITE);
    if (r->slots && r->parts)
        return 0;
    ring_end(r);
    return -1;
}

void ring_end(ring *r)
{
    alloc_free(r->slots);
    if (r->parts)
        sys_unmap(r->parts, parts_bytes(r));
    memset(r, 0, sizeof *r);
}

uint64_t ring_descriptors_size(uint32_t size)
{
    return UINT64_C(16) * size;
}

uint64_t ring_driver_size(uint32_t size, int packed)
{
    return packed ? 4 : 6 + UINT64_C(2) * size;
}

uint64_t ring_device_size(uint32_t size, int packed)
{
    return packed ? 4 : 6 + UINT64_C(8) * size;
}

/* Free slots are taken in the order in which they were given back last: their parts are warm. */
static void slots_clear(ring *r)
{
    for (uint32_t i = 0; i < r->size; i++)
        r->slots[i] = (ring_slot){.next = i + 1};
    r->free = 0;
    r->busy = 0;
    r->first = r->last = RING_NO_SLOT;
    r->again = r->again_end = 0;
}

/* Both sides begin at 0, with their counters at 1; nothing was told yet. */
void ring_open(ring *r, uint32_t size, uint64_t features, ring_memory memory)
{
    r->open = 1;
    r->packed = !!(features & F_PACKED);
    r->event_index = !!(features & F_EVENT_INDEX);
    r->indirect = !!(features & F_INDIRECT);
    r->in_order = !!(features & F_IN_ORDER);
    r->size = size;
    r->memory = memory;
    r->broken = NULL;
    r->next = r->seen = r->used = r->signalled = 0;
    r->wrap = r->used_wrap = 1;
    r->signalled_known = r->unsignalled = 0;
    slots_clear(r);
}

void ring_go_to(ring *r, ring_place place)
{
    r->next = r->seen = place.next;
    r->used = place.used;
    r->wrap = place.wrap;
    r->used_wrap = place.used_wrap;
}

/* A chain that is sound. */
static void order_add(ring *r, uint32_t number)
{
    if (r->first == RING_NO_SLOT)
        r->first = number;
    else
        r->slots[r->last].next = number;
    r->last = number;
}

int ring_add_again(ring *r, uint32_t id, uint32_t entries, uint32_t count)
{
    uint32_t number;

    if (count > r->chain_most || !entries || entries > r->size || r->free != r->again_end)
        return -1;
    ring_slot *s = ring_take_slot(r, &number);
    if (!s)
        return -1;
    const vsdk_virtio_part *parts = ring_parts(r, number);
    s->id = id;
    s->entries = entries;
    for (uint32_t i = 0; i < count; i++) {
        int writable = parts[i].flags & VSDK_VIRTIO_WRITABLE;
        if (ring_add_part(r, number, parts[i].gpa, parts[i].length,
                          writable ? DESCRIPTOR_WRITE : 0)) {
            ring_give_slot(r, number);
            return -1;
        }
    }
    r->again_end = number + 1;
    if (r->in_order)
        order_add(r, number);
    return (int)number;
}

void ring_again_is_done(ring *r, uint32_t slot, uint32_t written)
{
    r->slots[slot].done = 1;
    r->slots[slot].written = written;
}

int ring_each_busy(const ring *r, uint32_t *slot)
{
    if (r->in_order) {
        *slot = *slot == RING_NO_SLOT ? r->first : r->slots[*slot].next;
        return *slot != RING_NO_SLOT;
    }
    do
        *slot = *slot == RING_NO_SLOT ? 0 : *slot + 1;
    while (*slot < r->size && !r->slots[*slot].busy);
    return *slot < r->size;
}

void ring_close(ring *r)
{
    r->open = 0;
    r->size = 0;
    r->memory = (ring_memory){0};
    r->broken = NULL;
    r->busy = 0;
    r->first = r->last = RING_NO_SLOT;
    r->again = r->again_end = 0;
}

vsdk_virtio_part *ring_parts(const ring *r, uint32_t slot)
{
    return r->parts + (size_t)slot * r->chain_most;
}

const ring_descriptor *ring_table(const ring *r)
{
    return (const ring_descriptor *)ring_parts(r, r->size_most);
}

ring_answer ring_break(ring *r, const char *why)
{
    r->broken = why;
    return RING_BROKEN;
}

ring_slot *ring_take_slot(ring *r, uint32_t *number)
{
    if (r->free >= r->size)
        return NULL;
    ring_slot *s = &r->slots[r->free];
    *number = r->free;
    r->free = s->next;
    r->busy++;
    *s = (ring_slot){.busy = 1, .next = RING_NO_SLOT};
    return s;
}

void ring_give_slot(ring *r, uint32_t number)
{
    r->slots[number].busy = 0;
    r->slots[number].next = r->free;
    r->free = number;
    r->busy--;
}

/* Empty buffers are left out. Those that the device writes come last (2.7.4.2, 2.8.7). */
const char *ring_add_part(ring *r, uint32_t slot, uint64_t address, uint32_t length, uint16_t flags)
{
    ring_slot *s = &r->slots[slot];
    int writable = flags & DESCRIPTOR_WRITE;

    if (!length)
        return NULL;
    if (s->count == r->chain_most)
        return "a chain is too long";
    if (!writable && s->count > s->readable)
        return "a readable buffer comes after a writable one";
    if (length - 1 > ~address)
        return "a buffer leaves the address space";
    ring_parts(r, slot)[s->count++] = (vsdk_virtio_part){
        .gpa = address, .length = length, .flags = writable ? VSDK_VIRTIO_WRITABLE : 0};
    if (writable)
        s->writable += length;
    else
        s->readable++;
    return NULL;
}

/* As a whole: the driver may change it while it is read, and the copy is what counts. */
uint32_t ring_read_table(ring *r, uint64_t address, uint32_t length, const char **why)
{
    uint32_t count = length / 16;

    *why = NULL;
    if (!r->indirect)
        *why = "an indirect table, which was not negotiated";
    else if (!count || length % 16 || count > r->chain_most)
        *why = "the size of an indirect table";
    else if (r->read(r->context, address, ring_parts(r, r->size_most), length))
        *why = "an indirect table is not in memory";
    return *why ? 0 : count;
}

/* What a loaded state had comes first, in the order in which it was saved. */
ring_answer ring_pop(ring *r, uint32_t *slot)
{
    if (!r->open)
        return RING_EMPTY;
    if (r->broken)
        return RING_BROKEN;
    while (r->again < r->again_end) {
        *slot = r->again++;
        if (!r->slots[*slot].done)
            return RING_CHAIN;
    }
    ring_answer answer = r->packed ? packed_pop(r, slot) : split_pop(r, slot);
    if (answer == RING_CHAIN && r->in_order)
        order_add(r, *slot);
    return answer;
}

static void give_back(ring *r, uint32_t slot, uint32_t written)
{
    if (r->packed)
        packed_push(r, &r->slots[slot], written);
    else
        split_push(r, &r->slots[slot], written);
    ring_give_slot(r, slot);
    r->unsignalled = 1;
}

void ring_push(ring *r, uint32_t slot, uint32_t written)
{
    if (!r->in_order) {
        give_back(r, slot, written);
        return;
    }
    r->slots[slot].done = 1;
    r->slots[slot].written = written;
    while (r->first != RING_NO_SLOT && r->slots[r->first].done) {
        uint32_t first = r->first;
        r->first = r->slots[first].next;
        give_back(r, first, r->slots[first].written);
    }
}

void ring_quiet(ring *r)
{
    if (r->open && r->packed)
        packed_quiet(r);
    else if (r->open)
        split_quiet(r);
}

int ring_listen(ring *r)
{
    if (!r->open || r->broken)
        return 0;
    return r->packed ? packed_listen(r) : split_listen(r);
}

int ring_wants_signal(ring *r)
{
    if (!r->open || !r->unsignalled)
        return 0;
    r->unsignalled = 0;
    /* The driver sleeps and says so, then looks at the ring; here it is the other way round. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return r->packed ? packed_wants_signal(r) : split_wants_signal(r);
}
