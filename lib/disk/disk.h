/* SPDX-License-Identifier: Apache-2.0 */
/* A disk from the inside: its layers, who uses them, and the requests that wait for its pool.
 *
 * `inside` counts who uses the layers. Who resizes or checks sets INSIDE_ALONE, waits until the
 * count is 0, and keeps others out meanwhile. No callback of a request runs inside. `lock` guards
 * the list of requests, the idle workers and the watches; nothing else is taken with it, and it is
 * never held over input and output. */
#ifndef VSDK_DISK_DISK_H
#define VSDK_DISK_DISK_H

#include "base/lock.h"
#include "base/refs.h"
#include "disk/image.h"
#include <stdatomic.h>

enum { WORKERS = 4, WORKERS_MOST = 64, BUFFERS_MOST = 1024 };
#define INSIDE_ALONE (UINT32_C(1) << 31)

typedef struct disk_worker {
    struct vsdk_disk *disk;
    vsdk_loop *loop;
    vsdk_work *work;
    uint32_t awake; /* under the disk's lock: it was posted, and has not found the list empty */
} disk_worker;

typedef struct request_list {
    vsdk_disk_request *first, *last;
} request_list;

struct vsdk_disk {
    refs refs;   /* handles, channels, watches, who runs a request */
    refs memory; /* refs together, each worker's work */
    uint32_t process;
    uint32_t flags;
    vsdk_disk_cache cache;
    vsdk_disk_format format;
    disk_context context;
    disk_image *image;
    _Atomic uint32_t inside; /* a futex */
    _Atomic uint32_t in_flight;
    lock lock;
    request_list waiting;
    vsdk_disk_watch *watches;
    uint32_t round; /* of telling them */
    vsdk_pool *pool;
    uint32_t worker_count;
    disk_worker *workers;
};

struct vsdk_disk_channel {
    refs handles;
    refs refs; /* handles together, each request in flight */
    vsdk_disk *disk;
    vsdk_disk_done_fn done;
    void *user;
    vsdk_release_fn release;
    _Atomic uint32_t in_flight; /* a futex */
    _Atomic uint32_t waiters;
};

/* What a request's scratch holds while it is the library's. */
typedef struct request_scratch {
    vsdk_disk_request *next;
    vsdk_disk_channel *channel;
} request_scratch;

/* disk.c */
void disk_put(vsdk_disk *disk);
void disk_memory_put(vsdk_disk *disk);
vsdk_status disk_begin(vsdk_disk *disk, const char *operation, vsdk_error *error);
/* A disk without layers and workers; NULL without memory. */
vsdk_disk *disk_new(uint32_t flags, vsdk_disk_cache cache);
/* It has its layers: the rest, and out. When it fails the disk is closed, with its layers. */
vsdk_status disk_finish(vsdk_disk *made, vsdk_pool *pool, uint32_t workers, vsdk_disk **disk,
                        vsdk_error *error);
/* A driver does not know what it was called for: its error says so from here on. An embedder's disk
 * has said what it wants. `disk` may be NULL. */
vsdk_status disk_failed(const vsdk_disk *disk, vsdk_status status, const char *operation,
                        vsdk_error *error);
void disk_enter(vsdk_disk *disk);
void disk_leave(vsdk_disk *disk);
void disk_enter_alone(vsdk_disk *disk);
void disk_leave_alone(vsdk_disk *disk);

/* io.c: one operation, whole and checked, in this thread. */
vsdk_status disk_run(vsdk_disk *disk, const vsdk_disk_request *request, const char *operation,
                     vsdk_error *error);

/* channel.c */
vsdk_status channel_workers_make(vsdk_disk *disk, uint32_t count, vsdk_error *error);
void channel_workers_end(vsdk_disk *disk);

/* watch.c */
void watch_tell_all(vsdk_disk *disk);

/* custom.c */
vsdk_status custom_make(const vsdk_disk_ops *ops, void *user, uint64_t capacity,
                        uint32_t block_size, disk_image **image, vsdk_error *error);

#endif
