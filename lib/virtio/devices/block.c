/* SPDX-License-Identifier: Apache-2.0 */
/* The block device as a whole: its queues at work, stopped, reset; its configuration space; its
 * life.
 *
 * The queue's loop pops and pushes, the disk's threads are only asked. What they answer goes to the
 * list `done`, and the queue's work is posted for it once; without a pool the answer comes inside
 * the submit, and is found when that returns.
 *
 * Requests under way keep their channel, and that keeps the memory of all this: a device may be
 * gone before its disk has answered. The guest's memory that they use stays pinned until then. */
#include "virtio/devices/block.h"
#include "base/alloc.h"
#include "base/error.h"
#include "virtio/devices/device.h"
#include <endian.h>
#include <stddef.h>
#include <string.h>

static const char operation[] = "vsdk_virtio_block_create";

enum { QUEUES_MOST = 64, QUEUE_SIZE = 256, QUEUE_SIZE_MOST = 1024, DEVICE_ID = 2 };

/* Feature bits. */
enum {
    F_SEG_MAX = 1 << 2,
    F_RO = 1 << 5,
    F_BLK_SIZE = 1 << 6,
    F_FLUSH = 1 << 9,
    F_TOPOLOGY = 1 << 10,
    F_CONFIG_WCE = 1 << 11,
    F_MQ = 1 << 12,
    F_DISCARD = 1 << 13,
    F_WRITE_ZEROES = 1 << 14,
};

/* As the driver sees it: little endian. */
typedef struct block_space {
    uint64_t capacity; /* in sectors, as all that has no unit */
    uint32_t size_max, seg_max;
    uint8_t geometry[4];
    uint32_t blk_size; /* bytes */
    uint8_t physical_block_exp, alignment_offset;
    uint16_t min_io_size;
    uint32_t opt_io_size;
    uint8_t writeback, unused0;
    uint16_t num_queues;
    uint32_t max_discard_sectors, max_discard_seg, discard_sector_alignment;
    uint32_t max_write_zeroes_sectors, max_write_zeroes_seg;
    uint8_t write_zeroes_may_unmap, unused1[3];
} block_space;

_Static_assert(sizeof(block_space) == 64 && offsetof(block_space, writeback) == 32 &&
                   offsetof(block_space, write_zeroes_may_unmap) == 56,
               "5.2.4");

void block_list_add(block_list *list, block_slot *slot)
{
    slot->next = NULL;
    if (list->last)
        list->last->next = slot;
    else
        list->first = slot;
    list->last = slot;
}

block_slot *block_list_take(block_list *list)
{
    block_slot *slot = list->first;

    if (!slot)
        return NULL;
    list->first = slot->next;
    if (!slot->next)
        list->last = NULL;
    return slot;
}

static void flush_batch(block_queue *q)
{
    uint32_t count = q->batched;

    q->batched = 0;
    if (count)
        vsdk_disk_submit(q->channel, q->batch, count, NULL);
}

/* The caller looks at `done` later. */
void block_submit(block_slot *slot)
{
    block_queue *q = slot->queue;

    q->running++;
    q->batch[q->batched++] = &slot->request;
    if (q->batched == BLOCK_BATCH)
        flush_batch(q);
}

/* Any thread. Who is looking, or will, needs no post. */
static void answered(void *user, vsdk_disk_request *request)
{
    block_slot *slot = (block_slot *)request;
    block_queue *q = slot->queue;

    (void)user;
    lock_take(&q->lock);
    block_list_add(&q->done, slot);
    int posts = !q->posted;
    q->posted = 1;
    lock_give(&q->lock);
    if (posts)
        vsdk_work_post(q->work, NULL);
}

/* All that is done now; an empty list means that the next answer posts again. */
static block_list take_done(block_queue *q)
{
    lock_take(&q->lock);
    block_list list = q->done;
    q->done = (block_list){0};
    if (!list.first)
        q->posted = 0;
    lock_give(&q->lock);
    return list;
}

static void looks(block_queue *q)
{
    lock_take(&q->lock);
    q->posted = 1;
    lock_give(&q->lock);
}

/* What a device that parks has asked for is waited for, and kept: its memory is not touched any
 * more. */
static void goes_on(block_queue *q, block_slot *slot)
{
    if (q->stopping && q->parks)
        block_list_add(&q->held, slot);
    else
        block_continue(slot);
}

static void stop_is_over(block_queue *q)
{
    if (!q->pending || q->running)
        return;
    q->pending = 0;
    vsdk_device_stopped(q->device, NULL);
}

/* Until the disk has nothing more to tell. */
static void run(block_queue *q)
{
    block_list list;
    block_slot *slot;
    int more;

    looks(q);
    do {
        if (!(q->stopping && q->parks))
            block_start_waiting(q);
        flush_batch(q);
        list = take_done(q);
        more = list.first != NULL;
        while ((slot = block_list_take(&list))) {
            q->running--;
            goes_on(q, slot);
        }
    } while (more);
}

static void notified(void *user, vsdk_device *device, uint32_t index)
{
    block_queue *q = &((block *)user)->queues[index];
    vsdk_virtio_chain chain;

    if (q->stopping)
        return; /* the start tells again */
    while (!vsdk_virtio_pop(device, index, &chain, NULL))
        block_begin(q, &chain);
    run(q);
    q->pushed = 0; /* the library signals */
}

static void worked(void *user, vsdk_work *work)
{
    block_queue *q = user;

    (void)work;
    run(q);
    if (q->pushed)
        vsdk_virtio_signal(q->block->device, q->index, NULL);
    q->pushed = 0;
    stop_is_over(q);
}

static vsdk_stop_answer stopped(void *user, vsdk_device *device, uint32_t index,
                                vsdk_stop_mode mode)
{
    block_queue *q = &((block *)user)->queues[index];

    (void)device;
    q->stopping = 1;
    q->parks = mode == VSDK_STOP_PARK;
    run(q);
    if (q->pushed)
        vsdk_virtio_signal(q->block->device, index, NULL);
    q->pushed = 0;
    q->pending = q->running != 0;
    return q->pending ? VSDK_STOP_PENDING : VSDK_STOP_DONE;
}

static void tell_capacity(block *b)
{
    vsdk_disk_info info = {.size = sizeof info};
    uint64_t before = 0;

    if (vsdk_disk_get_info(b->disk, &info, NULL) ||
        vsdk_virtio_get_space(b->device, 0, &before, sizeof before, NULL))
        return;
    uint64_t now = htole64(info.capacity / BLOCK_SECTOR);
    if (now != before)
        vsdk_virtio_set_space(b->device, 0, &now, sizeof now, NULL);
}

static void set_write_back(block *b)
{
    uint64_t features = vsdk_virtio_features(b->device);
    uint8_t writeback = 0;

    vsdk_virtio_get_space(b->device, offsetof(block_space, writeback), &writeback, 1, NULL);
    if (!(features & F_CONFIG_WCE))
        writeback = (features & F_FLUSH) != 0;
    atomic_store(&b->write_back, writeback);
}

/* A pause that gave up comes here too, with requests still under way. A state that was loaded may
 * be of a disk of another size. */
static void started(void *user, vsdk_device *device, uint32_t index)
{
    block *b = user;
    block_queue *q = &b->queues[index];
    block_slot *slot;

    (void)device;
    q->stopping = q->pending = q->parks = 0;
    if (index == 0) {
        set_write_back(b);
        tell_capacity(b);
    }
    lock_take(&q->lock);
    while ((slot = block_list_take(&q->held))) {
        block_list_add(&q->done, slot);
        q->running++;
    }
    q->posted = 1;
    lock_give(&q->lock);
    vsdk_work_post(q->work, NULL);
}

/* What was popped is not ours any more. Who waits here holds the queue's lock, if the queue runs:
 * its work can't go on with an old chain, and the disk's threads need no such lock. */
static void empty(block_queue *q)
{
    int entered = !vsdk_device_enter(q->device, NULL);
    block_list list;
    block_slot *slot;

    looks(q);
    flush_batch(q);
    vsdk_disk_drain(q->channel, VSDK_FOREVER, NULL);
    for (list = take_done(q); (slot = block_list_take(&list));) {
        q->running--;
        block_forget(slot);
    }
    while ((slot = block_list_take(&q->held)) || (slot = block_list_take(&q->waiting)))
        block_forget(slot);
    take_done(q);
    if (entered)
        vsdk_device_leave(q->device);
}

static void emptied(void *user, vsdk_device *device, uint32_t index)
{
    (void)device;
    empty(&((block *)user)->queues[index]);
}

static void was_reset(void *user, vsdk_device *device)
{
    static const uint8_t on = 1;
    block *b = user;
    uint8_t writeback = on;

    for (uint32_t i = 0; i < b->queue_count; i++)
        empty(&b->queues[i]);
    vsdk_virtio_get_space(device, offsetof(block_space, writeback), &writeback, 1, NULL);
    if (writeback != on)
        vsdk_virtio_set_space(device, offsetof(block_space, writeback), &on, 1, NULL);
}

static void ready(void *user, vsdk_device *device)
{
    (void)device;
    set_write_back(user);
}

static void fill_space(const block *b, block_space *space)
{
    vsdk_disk_info info = {.size = sizeof info};
    uint32_t sectors, exponent = 0;

    vsdk_disk_get_info(b->disk, &info, NULL);
    sectors = info.block_size / BLOCK_SECTOR;
    while (exponent < 3 && 2U << exponent <= sectors)
        exponent++;
    *space = (block_space){
        .capacity = htole64(info.capacity / BLOCK_SECTOR),
        .seg_max = htole32(BLOCK_CHAIN - 2),
        .blk_size = htole32(BLOCK_SECTOR),
        .physical_block_exp = (uint8_t)exponent,
        .min_io_size = htole16((uint16_t)(1U << exponent)),
        .opt_io_size = htole32(sectors > 1 ? sectors : 0),
        .writeback = 1,
        .num_queues = htole16((uint16_t)b->queue_count),
        .max_discard_sectors = htole32(BLOCK_DISCARD_MOST),
        .max_discard_seg = htole32(BLOCK_SEGMENTS),
        .discard_sector_alignment = htole32(1U << exponent),
        .max_write_zeroes_sectors = htole32(BLOCK_ZEROES_MOST),
        .max_write_zeroes_seg = htole32(1),
        .write_zeroes_may_unmap = 1,
    };
}

/* One byte of the space is the driver's. Whatever else it has written is put back. */
static void cache_written(void *user, vsdk_device *device, uint32_t offset, uint32_t length)
{
    block *b = user;
    block_space space, now;

    (void)offset, (void)length;
    fill_space(b, &space);
    vsdk_virtio_get_space(device, 0, &now, sizeof now, NULL);
    space.writeback = now.writeback & 1;
    if (memcmp(&space, &now, sizeof space))
        vsdk_virtio_set_space(device, 0, &space, sizeof space, NULL);
    set_write_back(b);
}

static vsdk_status saved(void *user, vsdk_device *device, vsdk_state_writer *writer,
                         vsdk_error *error)
{
    (void)user, (void)device, (void)writer, (void)error;
    return VSDK_OK; /* the chains under way are in the queues' state */
}

/* The queues have the chains of the state from now on, and pop them again. */
static vsdk_status loaded(void *user, vsdk_device *device, vsdk_state_reader *reader,
                          vsdk_error *error)
{
    block *b = user;

    (void)device, (void)reader, (void)error;
    for (uint32_t i = 0; i < b->queue_count; i++)
        empty(&b->queues[i]);
    return VSDK_OK;
}

static void queue_free(block_queue *q)
{
    for (uint32_t i = 0; i < q->fresh; i++)
        while (q->slots[i].view_count)
            vsdk_dma_unmap(&q->slots[i].views[--q->slots[i].view_count]);
    vsdk_work_close(q->work);
    alloc_free(q->bounce);
    alloc_free(q->slots);
    lock_destroy(&q->lock);
}

/* The virtio device is gone, no request is under way, and no watch is told. */
static void block_put(void *user)
{
    block *b = user;

    if (!refs_put(&b->memory))
        return;
    for (uint32_t i = 0; i < b->queue_count; i++)
        queue_free(&b->queues[i]);
    vsdk_work_close(b->resized);
    vsdk_disk_close(b->disk);
    alloc_free(b);
}

static void released(void *user)
{
    block *b = user;

    for (uint32_t i = 0; i < b->queue_count; i++)
        vsdk_disk_channel_close(b->queues[i].channel);
    vsdk_disk_watch_close(b->watch);
    block_put(b);
}

static const vsdk_virtio_ops block_ops = {
    .size = sizeof(vsdk_virtio_ops),
    .notify = notified,
    .ready = ready,
    .reset = was_reset,
    .config_written = cache_written,
    .start = started,
    .stop = stopped,
    .save = saved,
    .load = loaded,
    .release = released,
    .queue_reset = emptied,
};

/* Told on any thread: the loop of the registers' device passes it on. */
static void capacity_changed(void *user, vsdk_disk *disk, uint64_t capacity)
{
    (void)disk, (void)capacity;
    vsdk_work_post(((block *)user)->resized, NULL);
}

static void passes_on(void *user, vsdk_work *work)
{
    (void)work;
    tell_capacity(user);
}

/* What the device can't be, before anything is made. */
/* Each field by itself: what the disk has is asked when the block is made, and virtio checks what
 * it is given too. */
static vsdk_status check(const vsdk_virtio_block_config *c, vsdk_error *error)
{
    const char *what = NULL;

    if (!c->disk)
        return error_null(error, operation, "config->disk");
    if (c->queues > QUEUES_MOST)
        what = "there are at most 64 queues";
    else if (c->queue_size & (c->queue_size - 1) || c->queue_size > QUEUE_SIZE_MOST)
        what = "queue_size is a power of two up to 1024";
    else if (c->loop_count && !c->loops)
        what = "loops is NULL";
    else
        for (uint32_t i = 0; i < c->loop_count; i++)
            if (!c->loops[i])
                what = "one of loops is NULL";
    return what ? error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "%s", what) : VSDK_OK;
}

/* Memory that is not written takes none of the host's: a slot's views are many, and few are used.
 */
static vsdk_status make_queue(block *b, uint32_t index)
{
    block_queue *q = &b->queues[index];

    q->block = b;
    q->index = index;
    lock_init(&q->lock, RANK_LEAF);
    b->queue_count = index + 1;
    q->slots = alloc_array(b->queue_size, sizeof *q->slots);
    return q->slots ? VSDK_OK : VSDK_ERROR_NO_MEMORY;
}

static vsdk_status make_block(const vsdk_virtio_block_config *c, block **made, vsdk_error *error)
{
    uint32_t queues = c->queues ? c->queues : 1;
    vsdk_disk_info info = {.size = sizeof info};
    vsdk_status status = vsdk_disk_get_info(c->disk, &info, error);
    block *b = status ? NULL : alloc_zeroed(sizeof *b + queues * sizeof *b->queues);

    if (!b)
        return status ? status : error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory");
    refs_init(&b->memory);
    b->disk = vsdk_disk_ref(c->disk);
    b->queue_size = c->queue_size ? c->queue_size : QUEUE_SIZE;
    b->read_only = c->flags & VSDK_VIRTIO_BLOCK_READ_ONLY || info.flags & VSDK_DISK_READ_ONLY;
    if (c->serial)
        memcpy(b->serial, c->serial, strnlen(c->serial, BLOCK_ID));
    for (uint32_t i = 0; !status && i < queues; i++)
        status = make_queue(b, i);
    if (status) {
        block_put(b);
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for the queues");
    }
    *made = b;
    return VSDK_OK;
}

/* What a queue's device is needed for. Channels and watch have the memory, too: each gives its part
 * back by its release, on failure too. */
static vsdk_status finish_queue(block *b, uint32_t index, const vsdk_virtio_block_config *c,
                                vsdk_error *error)
{
    block_queue *q = &b->queues[index];
    vsdk_status status = VSDK_OK;

    q->device = vsdk_virtio_queue_device(b->device, index);
    if (c->loop_count)
        status = vsdk_virtio_set_loop(b->device, index, c->loops[index % c->loop_count], error);
    if (!status)
        status = vsdk_work_create(vsdk_virtio_queue_loop(b->device, index), q->device, worked, q,
                                  NULL, &q->work, error);
    if (status)
        return status;
    refs_get(&b->memory);
    return vsdk_disk_channel_create(b->disk, answered, b, block_put, &q->channel, error);
}

static vsdk_status finish(block *b, const vsdk_virtio_block_config *c, vsdk_error *error)
{
    vsdk_status status = VSDK_OK;

    for (uint32_t i = 0; !status && i < b->queue_count; i++)
        status = finish_queue(b, i, c, error);
    if (!status)
        status = vsdk_work_create(vsdk_virtio_queue_loop(b->device, 0), b->device, passes_on, b,
                                  NULL, &b->resized, error);
    if (status)
        return status;
    refs_get(&b->memory);
    return vsdk_disk_watch_create(b->disk, capacity_changed, b, block_put, &b->watch, error);
}

vsdk_status vsdk_virtio_block_create(vsdk_vm *vm, const vsdk_virtio_block_config *config,
                                     vsdk_device **device, vsdk_error *error)
{
    vsdk_virtio_block_config c;
    block_space space;
    block *b = NULL;
    int foreign;
    vsdk_status status = virtio_device_begin(vm, device, &foreign, operation, error);

    if (!status && !config)
        status = error_null(error, operation, "config");
    if (!status)
        status = virtio_device_config(&c, sizeof c, offsetof(vsdk_virtio_block_config, reserved32),
                                      config, VSDK_VIRTIO_BLOCK_READ_ONLY, operation, error);
    if (!status)
        status = check(&c, error);
    if (!status)
        status = make_block(&c, &b, error);
    if (status)
        return status;
    fill_space(b, &space);
    const vsdk_virtio_config virtio = {
        .size = sizeof virtio,
        .name = "virtio-block",
        .type = DEVICE_ID,
        .features = F_SEG_MAX | F_BLK_SIZE | F_FLUSH | F_TOPOLOGY | F_CONFIG_WCE | F_MQ |
                    (b->read_only ? F_RO : F_DISCARD | F_WRITE_ZEROES),
        .queues = b->queue_count,
        .queue_size = b->queue_size,
        .chain_max = BLOCK_CHAIN,
        .space = &space,
        .space_length = sizeof space,
    };
    status = vsdk_virtio_create(vm, &block_ops, b, &virtio, &b->device, error);
    if (status)
        return status; /* the release had it */
    status = finish(b, &c, error);
    if (status)
        vsdk_device_close(b->device);
    else
        *device = b->device;
    return status;
}
