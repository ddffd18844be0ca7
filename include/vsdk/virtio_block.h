/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtio block device.
 *
 * A disk as a guest's virtio block device: read, write, flush, discard, write zeroes, identity,
 * several queues. The guest hears of another capacity when the disk is resized.
 *
 * Data goes between the disk and the guest's memory without a copy where the memory can be mapped.
 * With a pool in the disk its threads do the input and output, and the queue's loop answers the
 * guest; without one the queue's loop does both, and waits for the disk.
 *
 * A stop waits until what is under way is done. VSDK_STOP_FINISH answers it before. VSDK_STOP_PARK
 * answers it after the start; in a saved state it is unanswered, and done again by who loads that.
 *
 * It is a virtio device (virtio.h): attached by vsdk_virtio_attach, saved and loaded by device.h.
 *
 * A pointer must not be NULL unless it says that it may be. An error may always be NULL; it is
 * filled in when the call fails.
 *
 * Generated from abi/virtio_block.toml by abi/generate.py.
 */

#ifndef VSDK_VIRTIO_BLOCK_H
#define VSDK_VIRTIO_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#include <vsdk/device.h>
#include <vsdk/disk.h>
#include <vsdk/loop.h>
#include <vsdk/types.h>
#include <vsdk/virtio.h>
#include <vsdk/vm.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/*
 * Flags of a block device.
 *
 * Since 0.1.
 */
enum vsdk_virtio_block_flags_values {
    VSDK_VIRTIO_BLOCK_READ_ONLY = 0x1, /* The guest can't write, whatever the disk allows */
};
typedef uint32_t vsdk_virtio_block_flags;

/*
 * How to make a block device. Pointers are borrowed for the call.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 72 bytes. Since 0.1.
 */
typedef struct vsdk_virtio_block_config {
    uint32_t size;           /* sizeof(vsdk_virtio_block_config) */
    uint32_t flags;          /* vsdk_virtio_block_flags */
    vsdk_disk *disk;         /* The disk. Kept. */
    const char *serial;      /* (may be NULL) The identity that the guest reads; cut to 20 bytes */
    uint32_t queues;         /* (entries) How many, up to 64; 0 for 1 */
    uint32_t queue_size;     /* (entries) The most that the driver may choose, a power of two up
                                to 1024; 0 for 256 */
    vsdk_loop *const *loops; /* (loop_count elements) Where the queues are served, one after the
                                other; NULL for the virtual machine's loop. Kept. */
    uint32_t loop_count;     /* (entries) How many loops */
    uint32_t reserved32;     /* Zero */
    uint64_t reserved[3];    /* Zero */
} vsdk_virtio_block_config;

/*
 * Make a block device; no guest sees it yet.
 *
 *   config  What it is.
 *   device  Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, a flag is unknown, or a field has a value that it can't
 *                     have
 *   UNSUPPORTED       the structure has a later version's field
 *   LIMIT             no more descriptors
 *   NO_MEMORY         no memory
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 * Source: Virtio 1.2, section 5.2.
 */
vsdk_status vsdk_virtio_block_create(vsdk_vm *vm, const vsdk_virtio_block_config *config,
                                     vsdk_device **device, vsdk_error *error);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* VSDK_VIRTIO_BLOCK_H */
