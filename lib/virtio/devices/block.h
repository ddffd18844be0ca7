/* SPDX-License-Identifier: Apache-2.0 */
/* The block device from the inside (virtio 1.2, section 5.2).
 *
 * A chain that was popped has a slot until it is pushed. The slots of a queue are as many as the
 * ring has entries, made once, so there is always one. A slot is in one place: free, with the disk,
 * in `done` (answered by the disk, by any thread), in `held` (its device is stopped), or in
 * `waiting` (for the queue's one buffer).
 *
 * Locks. All but `done` and `posted` is under the lock of the queue (the gate of its device). The
 * leaf lock guards these two. */
#ifndef VSDK_VIRTIO_DEVICES_BLOCK_H
#define VSDK_VIRTIO_DEVICES_BLOCK_H

#include "base/lock.h"
#include "base/refs.h"
#include <stdatomic.h>
#include <vsdk/vsdk.h>

enum {
    BLOCK_SECTOR = 512,
    BLOCK_HEADER = 16,  /* bytes before the data */
    BLOCK_PIECES = 128, /* mapped pieces of a chain */
    BLOCK_CHAIN = 128,  /* buffers of a chain, with header and status */
    BLOCK_BATCH = 32,   /* requests that are submitted in one call */
    BLOCK_BOUNCE = 1 << 16,
    BLOCK_SEGMENTS = 32, /* ranges in a discard */
    /* Sectors of a range: a host that can't punch holes writes zeros, which takes its time. */
    BLOCK_DISCARD_MOST = 1 << 22,
    BLOCK_ZEROES_MOST = 1 << 16,
    BLOCK_ID = 20,
};

/* What a request asks for, and how it is answered. */
enum {
    BLOCK_IN = 0,
    BLOCK_OUT = 1,
    BLOCK_FLUSH = 4,
    BLOCK_GET_ID = 8,
    BLOCK_DISCARD = 11,
    BLOCK_WRITE_ZEROES = 13
};
enum { BLOCK_OK = 0, BLOCK_IOERR = 1, BLOCK_UNSUPP = 2 };

typedef struct block_queue block_queue;

typedef struct block_slot {
    vsdk_disk_request request; /* the first: who is answered finds the slot by it */
    block_queue *queue;
    struct block_slot *next;
    vsdk_virtio_chain chain;
    uint32_t type;
    uint32_t segment, segments; /* of a discard: the one under way, how many */
    uint32_t flushes;           /* the request under way is the flush of a write-through */
    uint32_t bounced;           /* it has the queue's buffer */
    uint64_t done, length;      /* bytes of data, with the buffer */
    uint64_t offset;            /* of the data on the disk */
    uint32_t view_count;
    vsdk_dma_view views[BLOCK_PIECES];
    vsdk_disk_buffer buffers[BLOCK_PIECES];
} block_slot;

typedef struct block_list {
    block_slot *first, *last;
} block_list;

struct block_queue {
    struct block *block;
    uint32_t index;
    vsdk_device *device; /* the queue's; borrowed */
    vsdk_work *work;
    vsdk_disk_channel *channel; /* its own: it is drained without the others */
    block_slot *slots, *free;
    uint32_t fresh; /* slots that nobody has used: their memory is not there yet */
    block_list held, waiting;
    vsdk_disk_request *batch[BLOCK_BATCH];
    uint32_t batched;
    uint32_t running;  /* slots with the disk */
    uint32_t stopping; /* a stop waits for them, or has come */
    uint32_t pending;  /* it was answered PENDING */
    uint32_t parks;    /* it wants no answers to the guest */
    uint32_t pushed;   /* something was, since the last signal */
    uint8_t *bounce;   /* made when it is needed for the first time */
    uint32_t bounce_busy;
    lock lock;
    block_list done;
    uint32_t posted; /* somebody will look at `done` */
};

typedef struct block {
    refs memory; /* the virtio device's, each channel's, the watch's */
    vsdk_device *device;
    vsdk_disk *disk;
    vsdk_disk_watch *watch;
    vsdk_work *resized;
    uint32_t queue_count, queue_size;
    uint32_t read_only;
    char serial[BLOCK_ID];
    _Atomic uint32_t write_back; /* as the driver may have it */
    block_queue queues[];
} block;

/* block_request.c: a chain becomes a request, or is answered. Under the queue's lock. */
void block_begin(block_queue *q, const vsdk_virtio_chain *chain);
/* The disk has done what it was asked for. */
void block_continue(block_slot *slot);
/* Those that wait for the buffer, as long as it is free. */
void block_start_waiting(block_queue *q);
void block_forget(block_slot *slot); /* without an answer */

/* block.c */
void block_submit(block_slot *slot);
void block_list_add(block_list *list, block_slot *slot);
block_slot *block_list_take(block_list *list);

#endif
