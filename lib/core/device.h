/* SPDX-License-Identifier: Apache-2.0 */
/* Devices: their gate, their phases, their lives.
 *
 * The gate is a device's lock. `count` is the number of threads inside callbacks or waiting to come
 * in. The bus raises it inside the reader section in which it found the device, so that a detach
 * which has taken the ranges away and waited for the readers sees everyone who may still come. The
 * first to raise it is in, the others wait on `gate`: two uncontended atomic operations an access.
 *
 * A device that one vCPU has to itself for a while is lent to it (DEVICE_LENT in count): that vCPU
 * comes in and leaves by plain stores, and is not counted. Whoever else raises the count first
 * recalls the device, which costs a heavy fence: from then on it is as above (device_gate.c).
 * Where the kernel has no such fence nothing is lent.
 *
 * The phase says whether a device may act. It moves IDLE -> STARTING -> STARTED -> STOPPING -> IDLE
 * or PENDING -> IDLE; who moves it out of a resting phase has the device's start or stop to itself.
 * It acts in every phase but IDLE. A moving phase is entered and left inside the gate by who has
 * seen there that the device is attached: so a detach, which takes that away and then waits for the
 * gate, finds a phase at rest, and no start or stop begins after it. */
#ifndef VSDK_CORE_DEVICE_H
#define VSDK_CORE_DEVICE_H

#include "base/fence.h"
#include "core/callback.h"
#include "core/object.h"

struct loop_source;

/* Of count. The rest are the threads that are inside or wait for their turn. */
enum {
    DEVICE_DRAIN = 1u << 31,   /* who leaves last wakes count */
    DEVICE_AWAITED = 1u << 30, /* who leaves last tells the mover that stops the devices */
    DEVICE_LENT = 1u << 29,    /* lent to a vCPU, which may be inside without being counted */
    DEVICE_FLAGS = DEVICE_DRAIN | DEVICE_AWAITED,
    DEVICE_THREADS = DEVICE_LENT - 1
};

/* Accesses in a row by one vCPU that earn a loan: what a recall costs, they have paid before. A
 * checked build lends soon, so that what tests do meets loans. */
#ifdef VSDK_CHECKED
enum { DEVICE_LEND_AFTER = 4 };
#else
enum { DEVICE_LEND_AFTER = 256 };
#endif

enum device_phase {
    DEVICE_IDLE,
    DEVICE_STARTING, /* its start callback runs, or is about to */
    DEVICE_STARTED,
    DEVICE_STOPPING,     /* its stop callback runs */
    DEVICE_STOPPED_SOON, /* the same, and vsdk_device_stopped has come already */
    DEVICE_PENDING       /* its stop is pending */
};

struct vsdk_device {
    refs refs;   /* the handle, while attached, who calls it */
    refs memory; /* refs together, each timer, watch, work, line, message, doorbell */
    vsdk_vm *vm; /* its memory is counted */
    uint32_t concurrent;
    _Atomic uint32_t count;      /* a futex for who drains */
    _Atomic(device_loan *) lent; /* to whom, with DEVICE_LENT; NULL as soon as it is recalled */
    /* Whose accesses came last, and how many in a row. Written inside the gate by who is counted.
     */
    const device_loan *streak_of;
    uint32_t streak;
    _Atomic uint32_t gate;  /* turns given to those who wait; a futex */
    _Atomic uint32_t phase; /* device_phase; a futex */
    uint32_t lingers; /* it has been told to stop, and callbacks of it may still run: the mover's */
    vsdk_device_ops ops;
    const vsdk_device_ops *kind;
    void *user;
    char name[32];
    callback_frame entered; /* of the thread that is between enter and leave */

    /* Written under bus.lock. */
    vsdk_device *next, *previous;
    uint32_t listed;
    bus_range *ranges;
    uint32_t attached;     /* it has had a range: the virtual machine keeps it */
    uint32_t wants_part;   /* from its creation, or first thing after a detach, to a detach */
    uint32_t detaching;    /* threads inside a detach of it: */
    _Atomic uint32_t part; /* wants_part, and nobody detaches; read without the lock */

    lock lock;                    /* RANK_SOURCES */
    struct device_entry *entries; /* of a concurrent one: threads between enter and leave */
    struct loop_source *sources;  /* its timers, watches and work */
};

/* device_gate.c: the slow half of each of those below. */
int device_recall(vsdk_device *device, uint32_t before);
int device_loan_settle(device_loan *loan);
/* Others wait, for their turn or for the last one to leave. */
void device_leave_others(vsdk_device *device, vsdk_vm *vm, uint32_t before, int concurrent);

/* Raises count: 1 if the caller is in, else device_wait must follow. */
static inline int device_claim(vsdk_device *device)
{
    uint32_t before = atomic_fetch_add(&device->count, 1);

    if (before & DEVICE_LENT)
        return device_recall(device, before);
    return (before & DEVICE_THREADS) == 0 || device->concurrent;
}
void device_wait(vsdk_device *device);

/* Who drains may free the device as soon as count is 0: nothing of it is read after that. The
 * caller keeps the virtual machine's memory. */
static inline void device_leave(vsdk_device *device)
{
    int concurrent = (int)device->concurrent;
    vsdk_vm *vm = device->vm;
    uint32_t before = atomic_fetch_sub(&device->count, 1);

    if (before != 1)
        device_leave_others(device, vm, before, concurrent);
}

/* The vCPU's thread is out of the device that was lent to it, or comes in otherwise. 1 if somebody
 * has recalled it meanwhile and counted the thread, which is in and leaves by device_leave. The
 * device is not touched: who drained it may have freed it. */
static inline int device_loan_end(device_loan *loan)
{
    atomic_store_explicit(&loan->inside, NULL, memory_order_release);
    fence_none();
    if (__builtin_expect(atomic_load_explicit(&loan->recalled, memory_order_relaxed), 0))
        return device_loan_settle(loan);
    return 0;
}

/* To be asked after the thread has said that it comes in, by loan->inside, and where the device is
 * there all the same. */
static inline int device_is_lent_to(const vsdk_device *device, const device_loan *loan)
{
    return atomic_load_explicit(&device->lent, memory_order_relaxed) == loan;
}

/* device_claim for a vCPU's thread. */
static inline int device_claim_by(vsdk_device *device, device_loan *loan)
{
    if (device_is_lent_to(device, loan)) {
        atomic_store_explicit(&loan->inside, device, memory_order_relaxed);
        fence_none();
        if (device_is_lent_to(device, loan)) {
            loan->held = device;
            return 1;
        }
        if (device_loan_end(loan))
            return 1;
    }
    return device_claim(device);
}

/* device_leave for a vCPU's thread that is counted: now and then the device is lent to it. */
void device_leave_by(vsdk_device *device, device_loan *loan);

static inline void device_enter(vsdk_device *device)
{
    if (!device_claim(device))
        device_wait(device);
}

/* bus.lock held. */
static inline void device_part_changed(vsdk_device *device)
{
    atomic_store(&device->part, device->wants_part && !device->detaching);
}

/* The same lock: it hears of starts and stops from now on, or when a detach of it is over. */
static inline void device_take_part(vsdk_device *device)
{
    device->wants_part = 1;
    device_part_changed(device);
}

/* May it make DMA, interrupts, completions? */
static inline int device_acts(const vsdk_device *device)
{
    return atomic_load(&device->phase) != DEVICE_IDLE &&
           atomic_load(&device->vm->life.state) != VSDK_VM_STOPPED;
}

/* May it be given an access? Not before its start has returned, nor once its stop has begun: what is
 * left of an access then waits for the next start. */
static inline int device_answers(const vsdk_device *device)
{
    return atomic_load(&device->phase) == DEVICE_STARTED;
}

/* May its callbacks run for loops, and may a thread enter it? A stop that is pending needs them. */
static inline int device_serves(const vsdk_device *device)
{
    return atomic_load(&device->phase) > DEVICE_STARTING;
}

/* Its stop has begun, and it will be told as soon as nobody is inside. */
static inline int device_stop_is_due(const vsdk_device *device)
{
    return atomic_load(&device->phase) == DEVICE_STARTED &&
           !atomic_load(&device->vm->devices.running);
}

/* device_gate.c: waiting for a device's callbacks, or for its gate, where that ends. A wait is
 * listed while it lasts; one that would close a circle of threads that wait for each other's
 * callbacks is refused with VSDK_ERROR_BUSY. */
typedef struct drain_wait {
    const callback_frame *frames;
    vsdk_device *device;
    struct drain_wait *next;
} drain_wait;

/* Before the first device of a process; does nothing after that. */
void device_waits_prepare(void);
vsdk_status device_wait_begin(drain_wait *wait, vsdk_device *device, const char *operation,
                              vsdk_error *error);
/* Returns when no thread is in a callback of the device; ends the wait. */
void device_wait_drained(drain_wait *wait);
/* Enters if nobody is inside, or else never waits: 0, and who leaves last tells the mover. */
int device_enter_idle(vsdk_device *device);
/* Whether nobody is inside; told of as above. */
int device_is_empty(vsdk_device *device);
/* Enters as device_enter does, from a thread that may be in other callbacks. */
vsdk_status device_enter_checked(vsdk_device *device, const char *operation, vsdk_error *error);

/* device.c */
void device_put(vsdk_device *device);
void device_memory_put(vsdk_device *device);
/* The first device, or the next one; a reference to it is taken, that to `at` is dropped. */
vsdk_device *device_next(vsdk_vm *vm, vsdk_device *at);

/* The two halves of a detach. Ranges, timers, watches and work go: 1 if it was attached. Then, when
 * no callback runs any more, it is as if it had never started, and the attachment's reference goes.
 * Between the two it takes no part, even if another thread gives it a range: a start for that is
 * never taken for one of before. */
int device_take(vsdk_device *device);
void device_forget(vsdk_device *device, int attached);
/* No device is made any more, those that there are are detached. */
void devices_end(vsdk_vm *vm);

/* A device has started, or a range has gone: an access that waits for its device is tried again. */
void devices_changed(vsdk_vm *vm);

/* A stop is pending no more: whoever waits for it is told. */
void device_stop_is_over(vsdk_vm *vm);

/* device_run.c. The start of one device: what is not due does nothing. */
void device_start(vsdk_device *device);
/* One that was made in RUNNING and has no range starts before who needs it first. */
void device_start_late(vsdk_device *device);
/* Of all that take part; a mover's. */
void devices_start(vsdk_vm *vm);
/* Tells all that are to stop, but for those that a thread is inside of: it waits for nobody. 1 when
 * all have stopped and no callback of theirs runs. Else it is called again once devices.look is
 * set. */
int devices_stop(vsdk_vm *vm, vsdk_stop_mode mode);
/* For an end that may wait: every device is told. Stops may be pending after it. */
void devices_stop_all(vsdk_vm *vm);
void devices_reset(vsdk_vm *vm);

#endif
