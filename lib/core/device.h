/* Devices: their lock, their lives, and how their callbacks end.
 *
 * `count` is the number of threads inside callbacks or waiting for the lock. The bus raises it
 * inside the reader section in which it found the device, so a detach that has taken the ranges
 * away and waited for the readers sees everyone who may still come. The first to raise it has the
 * lock, the others wait on `gate`: two uncontended atomic operations an access. */
#ifndef VSDK_CORE_DEVICE_H
#define VSDK_CORE_DEVICE_H

#include "core/object.h"
#include <semaphore.h>

struct loop_source;

enum { DEVICE_DRAIN = 1u << 31 }; /* of count: who leaves last tells */

enum device_reach { DEVICE_HANDLE = 1, DEVICE_ATTACHED = 2 };

struct vsdk_device {
    refs refs;   /* the handle, the ranges together, callbacks of timers and watches that run */
    refs memory; /* refs together, each timer and watch */
    vsdk_vm *vm; /* alive while refs is not 0 */
    uint32_t concurrent;
    _Atomic uint32_t count;
    sem_t gate;
    vsdk_device_ops ops;
    const vsdk_device_ops *kind;
    void *user;
    char name[32];
    callback_frame locked; /* of the thread that vsdk_device_lock gave it to */

    /* Under bus.lock. */
    vsdk_device *next, *previous;
    uint32_t ranges;
    uint32_t paused; /* as it was told, also if it is attached anew in the same pause */
    uint64_t visited;

    /* Under lock. Order: bus.lock, this, a loop's, vm->lock. */
    pthread_mutex_t lock;
    struct loop_source *sources; /* its timers and watches */
    uint32_t reach;              /* device_reach; not 0: vm is alive */
};

/* Raises count: 1 if the device is the caller's, else device_wait must follow. */
static inline int device_claim(vsdk_device *device)
{
    uint32_t before = atomic_fetch_add(&device->count, 1);

    return (before & ~(uint32_t)DEVICE_DRAIN) == 0 || device->concurrent;
}
void device_wait(vsdk_device *device);
void device_leave(vsdk_device *device);

static inline void device_enter(vsdk_device *device)
{
    if (!device_claim(device))
        device_wait(device);
}

void device_put(vsdk_device *device);
void device_memory_put(vsdk_device *device);

/* For timers and watches, which do not keep the device: takes a reference to it and to its virtual
 * machine if both are still in use. */
int device_borrow(vsdk_device *device);
void device_give_back(vsdk_device *device);

/* device_drain.c. begin fails with VSDK_ERROR_BUSY where waiting would never end; finish returns
 * when count was 0. */
typedef struct drain_wait {
    const callback_frame *frames;
    vsdk_device *device;
    struct drain_wait *next;
} drain_wait;

vsdk_status drain_begin(drain_wait *wait, vsdk_device *device, const char *operation,
                        vsdk_error *error);
void drain_finish(drain_wait *wait);
void drain_tell(vsdk_vm *vm);

#endif
