/* SPDX-License-Identifier: Apache-2.0 */
/* A driver of virtio-mmio and of its rings, split and packed, as a guest would have one. It writes
 * the guest's memory from the test's thread; how it reaches registers is the test's. */
#ifndef VSDK_TESTS_VIRTIO_DRIVER_H
#define VSDK_TESTS_VIRTIO_DRIVER_H

#include <criterion/criterion.h>
#include <string.h>
#include <vsdk/vsdk.h>

enum { DRIVER_MMIO = 0xd0000000, DRIVER_GSI = 5, DRIVER_QUEUE_MOST = 64 };
/* A chain has at most DRIVER_QUEUE_MOST descriptors, a ring this many. */
enum { DRIVER_RING_MOST = 1024 };

typedef struct driver_buffer {
    uint64_t gpa;
    uint32_t length;
    int writable;
} driver_buffer;

struct driver {
    uint32_t (*read)(uint32_t offset);
    void (*write)(uint32_t offset, uint32_t value);
    uint8_t *memory; /* of the guest, from 0 */
    uint32_t queue, size;
    int packed, event_index;
    uint64_t rings;      /* where: descriptors, then the driver's part, then the device's */
    uint16_t next, used; /* split: indices; packed: places */
    unsigned wrap, used_wrap;
    uint32_t free; /* descriptors */
    struct {
        uint32_t count, busy; /* descriptors of the chain with this id */
        uint32_t next;
        uint16_t list[DRIVER_QUEUE_MOST];
    } ids[DRIVER_RING_MOST];
    uint16_t unused[DRIVER_RING_MOST]; /* split: free descriptors, packed: free ids */
};

uint32_t driver_read(struct driver *d, uint32_t offset);
void driver_write(struct driver *d, uint32_t offset, uint32_t value);
/* Up to DRIVER_OK; 0 if the device did not take the features. */
int driver_negotiate(struct driver *d, uint64_t features);
void driver_queue(struct driver *d, uint32_t queue, uint32_t size, uint64_t rings,
                  uint64_t features);
void driver_ok(struct driver *d);
/* A chain; the id, or -1 when there is no room. With `table` it is an indirect one there. */
int driver_add(struct driver *d, const driver_buffer *buffers, uint32_t count, uint64_t table);
/* Rings the bell, if the device wants that; 1 if it did. */
int driver_kick(struct driver *d, uint32_t added);
/* 1 and what was given back. */
int driver_take(struct driver *d, uint32_t *id, uint32_t *length);
/* It sleeps until an interrupt: 1 when something came before it said so. */
int driver_sleep(struct driver *d);
void driver_awake(struct driver *d);

#endif
