/* SPDX-License-Identifier: Apache-2.0 */
/* One request of the guest's: what it asks for is copied once and checked, its data is mapped, the
 * disk is asked, the guest gets its answer.
 *
 * Memory that can't be mapped, or only in too many pieces, goes through a buffer of the queue's,
 * piece by piece; one request at a time has it, others wait. A chain of before a reset is forgotten
 * wherever that shows: the answer of virtio's functions is STATE then.
 *
 * What a driver does wrong is of two kinds. A request that can be answered gets an error. A chain
 * without room for header or answer, or with memory that is not there, is a broken rule: the device
 * needs a reset. */
#include "base/alloc.h"
#include "virtio/devices/block.h"
#include <endian.h>
#include <string.h>

typedef struct header {
    uint32_t type, reserved;
    uint64_t sector;
} header;

typedef struct segment {
    uint64_t sector;
    uint32_t sectors, flags;
} segment;

_Static_assert(sizeof(header) == BLOCK_HEADER && sizeof(segment) == 16, "as the guest has them");

enum { UNMAP = 1 };

static void unmap_data(block_slot *slot)
{
    while (slot->view_count)
        vsdk_dma_unmap(&slot->views[--slot->view_count]);
}

void block_forget(block_slot *slot)
{
    block_queue *q = slot->queue;

    unmap_data(slot);
    if (slot->bounced)
        q->bounce_busy = 0;
    slot->bounced = 0;
    slot->next = q->free;
    q->free = slot;
}

/* All that is writable counts as written, as other devices have it: the answer is its last byte. */
static void answer(block_slot *slot, uint8_t how)
{
    block_queue *q = slot->queue;
    vsdk_device *device = q->block->device;
    vsdk_status status =
        vsdk_virtio_write(device, &slot->chain, slot->chain.writable - 1, &how, 1, NULL);

    unmap_data(slot);
    if (status == VSDK_ERROR_RANGE)
        vsdk_virtio_fail(device, NULL);
    else if (!status &&
             !vsdk_virtio_push(device, &slot->chain, (uint32_t)slot->chain.writable, NULL))
        q->pushed = 1;
    block_forget(slot);
}

/* `length` is of what has no buffers, `count` of those that it has. */
static void ask(block_slot *slot, vsdk_disk_operation operation, vsdk_disk_request_flags flags,
                uint64_t offset, uint64_t length, uint32_t count)
{
    slot->request.operation = operation;
    slot->request.flags = flags;
    slot->request.offset = offset;
    slot->request.length = length;
    slot->request.buffers = slot->buffers;
    slot->request.count = count;
    block_submit(slot);
}

/* With the buffer: the next piece. A write takes it from the guest before. */
static void next_piece(block_slot *slot)
{
    block_queue *q = slot->queue;
    uint64_t left = slot->length - slot->done;
    uint64_t count = left < BLOCK_BOUNCE ? left : BLOCK_BOUNCE;
    int writes = slot->type == BLOCK_OUT;

    if (writes && vsdk_virtio_read(q->block->device, &slot->chain, BLOCK_HEADER + slot->done,
                                   q->bounce, count, NULL)) {
        answer(slot, BLOCK_IOERR);
        return;
    }
    slot->buffers[0] = (vsdk_disk_buffer){q->bounce, count};
    ask(slot, writes ? VSDK_DISK_WRITE : VSDK_DISK_READ, 0, slot->offset + slot->done, 0, 1);
}

/* Nobody has the buffer. */
static void start_bounce(block_slot *slot)
{
    block_queue *q = slot->queue;

    if (!q->bounce && !(q->bounce = alloc_aligned(4096, BLOCK_BOUNCE))) {
        answer(slot, BLOCK_IOERR);
        return;
    }
    q->bounce_busy = slot->bounced = 1;
    next_piece(slot);
}

void block_start_waiting(block_queue *q)
{
    block_slot *slot;

    while (!q->bounce_busy && (slot = block_list_take(&q->waiting)))
        start_bounce(slot);
}

/* 1 when the piece was the last one, or failed: `how` says it. */
static int piece_is_last(block_slot *slot, uint8_t *how)
{
    block_queue *q = slot->queue;
    uint64_t count = slot->buffers[0].length;

    if (slot->type == BLOCK_IN &&
        vsdk_virtio_write(q->block->device, &slot->chain, slot->done, q->bounce, count, NULL)) {
        *how = BLOCK_IOERR;
        return 1;
    }
    slot->done += count;
    return slot->done == slot->length;
}

static void begin_data(block_slot *slot, uint64_t sector)
{
    vsdk_device *device = slot->queue->block->device;
    int writes = slot->type == BLOCK_OUT;
    uint64_t before = writes ? BLOCK_HEADER : 0;

    slot->length = writes ? slot->chain.readable - BLOCK_HEADER : slot->chain.writable - 1;
    slot->done = 0;
    slot->offset = sector * BLOCK_SECTOR;
    if (slot->length % BLOCK_SECTOR || sector > UINT64_MAX / BLOCK_SECTOR ||
        (writes && slot->queue->block->read_only)) {
        answer(slot, BLOCK_IOERR);
        return;
    }
    if (vsdk_virtio_map(device, &slot->chain, writes ? VSDK_DMA_FROM_GUEST : VSDK_DMA_TO_GUEST,
                        before, slot->length, slot->views, BLOCK_PIECES, &slot->view_count, NULL)) {
        block_list_add(&slot->queue->waiting, slot);
        return;
    }
    for (uint32_t i = 0; i < slot->view_count; i++)
        slot->buffers[i] = (vsdk_disk_buffer){slot->views[i].data, slot->views[i].length};
    ask(slot, writes ? VSDK_DISK_WRITE : VSDK_DISK_READ, 0, slot->offset, 0, slot->view_count);
}

static void begin_id(block_slot *slot)
{
    block_queue *q = slot->queue;
    uint64_t room = slot->chain.writable - 1;
    vsdk_status status = vsdk_virtio_write(q->block->device, &slot->chain, 0, q->block->serial,
                                           room < BLOCK_ID ? room : BLOCK_ID, NULL);

    answer(slot, status ? BLOCK_IOERR : BLOCK_OK);
}

/* 0 or how it is answered. Each range is read when its turn has come. */
static uint8_t ask_segment(block_slot *slot)
{
    vsdk_device *device = slot->queue->block->device;
    int zeroes = slot->type == BLOCK_WRITE_ZEROES;
    segment s;

    if (vsdk_virtio_read(device, &slot->chain, BLOCK_HEADER + slot->segment * sizeof s, &s,
                         sizeof s, NULL))
        return BLOCK_IOERR;
    uint64_t sector = le64toh(s.sector);
    uint32_t sectors = le32toh(s.sectors), flags = le32toh(s.flags);
    if (flags & ~(uint32_t)UNMAP || (flags && !zeroes))
        return BLOCK_UNSUPP;
    if (sector > UINT64_MAX / BLOCK_SECTOR ||
        sectors > (zeroes ? BLOCK_ZEROES_MOST : BLOCK_DISCARD_MOST))
        return BLOCK_IOERR;
    slot->segment++;
    ask(slot, zeroes ? VSDK_DISK_WRITE_ZEROES : VSDK_DISK_DISCARD, flags ? VSDK_DISK_MAY_UNMAP : 0,
        sector * BLOCK_SECTOR, (uint64_t)sectors * BLOCK_SECTOR, 0);
    return BLOCK_OK;
}

static void begin_segments(block_slot *slot)
{
    uint64_t length = slot->chain.readable - BLOCK_HEADER;
    uint8_t how;

    slot->segment = 0;
    slot->segments = (uint32_t)(length / sizeof(segment));
    if (!length || length % sizeof(segment) || length / sizeof(segment) > BLOCK_SEGMENTS ||
        slot->queue->block->read_only)
        how = BLOCK_IOERR;
    else
        how = ask_segment(slot);
    if (how)
        answer(slot, how);
}

/* There is one: the ring has no more chains than this has slots. */
static block_slot *slot_take(block_queue *q)
{
    block_slot *slot = q->free;

    if (slot) {
        q->free = slot->next;
        return slot;
    }
    slot = &q->slots[q->fresh++];
    slot->queue = q;
    return slot;
}

void block_begin(block_queue *q, const vsdk_virtio_chain *chain)
{
    header h;

    if (chain->readable < sizeof h || !chain->writable ||
        vsdk_virtio_read(q->block->device, chain, 0, &h, sizeof h, NULL)) {
        vsdk_virtio_fail(q->block->device, NULL);
        return;
    }
    block_slot *slot = slot_take(q);
    slot->chain = *chain;
    slot->type = le32toh(h.type);
    slot->flushes = slot->bounced = slot->segments = slot->segment = 0;
    switch (slot->type) {
    case BLOCK_IN:
    case BLOCK_OUT:
        begin_data(slot, le64toh(h.sector));
        return;
    case BLOCK_FLUSH:
        ask(slot, VSDK_DISK_FLUSH, 0, 0, 0, 0);
        return;
    case BLOCK_GET_ID:
        begin_id(slot);
        return;
    case BLOCK_DISCARD:
    case BLOCK_WRITE_ZEROES:
        begin_segments(slot);
        return;
    default:
        answer(slot, BLOCK_UNSUPP);
    }
}

/* A driver that did not ask for a write cache gets none: its writes are safe when they are
 * answered. */
static int wants_flush(const block_slot *slot)
{
    return slot->type != BLOCK_IN && slot->type != BLOCK_FLUSH && !slot->flushes &&
           !atomic_load(&slot->queue->block->write_back);
}

void block_continue(block_slot *slot)
{
    uint8_t how = slot->request.status ? BLOCK_IOERR : BLOCK_OK;

    if (!how && slot->bounced && !slot->flushes && !piece_is_last(slot, &how)) {
        next_piece(slot);
        return;
    }
    if (!how && slot->segment < slot->segments) {
        how = ask_segment(slot);
        if (!how)
            return;
    }
    if (!how && wants_flush(slot)) {
        slot->flushes = 1;
        ask(slot, VSDK_DISK_FLUSH, 0, 0, 0, 0);
        return;
    }
    answer(slot, how);
}
