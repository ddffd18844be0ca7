/* SPDX-License-Identifier: Apache-2.0 */
/* A device's gate, and waiting for its callbacks. The invariant of the gate: of the threads that
 * are counted one is in, and each leave of it gives one turn to the others. The invariant of the
 * waits: the threads that are listed wait for each other in no circle.
 *
 * A loan: while DEVICE_LENT is set nobody is counted, but who recalls or waits for that, and the
 * vCPU that has it comes in by saying so in its loan->inside. It says so, and then looks at `lent`,
 * or at its own `recalled` where the device may be gone (loan->held is lent to it unless something
 * was recalled). Who recalls changes both, passes a heavy fence, and then looks at inside. So one
 * of them sees the other. If the thread is inside, the recall counts it: it is then the one that is
 * in. It learns of that when it leaves: it takes inside back and then looks at `recalled`, which
 * was set before the heavy fence. What the recall did is then read under the loan's lock. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/process.h"
#include "base/sys.h"
#include "core/device.h"
#include "core/life_wait.h"

/* The threads that wait, for devices of whatever virtual machine: a circle may go through several.
 * A child of fork makes it anew, since a fork may leave the lock taken for ever. */
__attribute__((section(".data"))) static struct drain_list {
    _Atomic uint32_t owner; /* the process, with PREPARING while it makes this; a futex */
    lock lock;              /* RANK_DRAIN */
    drain_wait *waits;
} drain;

#define PREPARING (UINT32_C(1) << 31) /* above every process's id */

void device_wait(vsdk_device *device)
{
    uint32_t turns = atomic_load(&device->gate);

    for (;;) {
        if (!turns) {
            sys_futex_wait(&device->gate, 0, 0);
            turns = atomic_load(&device->gate);
        } else if (atomic_compare_exchange_weak(&device->gate, &turns, turns - 1)) {
            return;
        }
    }
}

/* The mover goes on where it waits, also where that is inside a run. No device is touched. */
static void tell_mover(vsdk_vm *vm)
{
    atomic_store(&vm->devices.look, 1);
    lock_take(&vm->life.lock);
    if (vm->life.stopping)
        vm_request(vm, REQUEST_LOOK);
    life_changed(vm);
    lock_give(&vm->life.lock);
}

void device_leave_others(vsdk_device *device, vsdk_vm *vm, uint32_t before, int concurrent)
{
    if ((before & DEVICE_THREADS) == 1) {
        if (before & DEVICE_DRAIN)
            sys_futex_wake(&device->count);
        if (before & DEVICE_AWAITED)
            tell_mover(vm);
    } else if (!concurrent) {
        atomic_fetch_add(&device->gate, 1); /* whoever waits is counted: the device is there */
        sys_futex_wake_one(&device->gate);
    }
}

/* Who raised count while the device was lent, as the first one, recalls it and is in: 1, unless the
 * vCPU is. Then the count stays raised, for a wait, or goes to the vCPU. */
static int recall(vsdk_device *device, int waits)
{
    device_loan *loan = atomic_load(&device->lent);
    lock_take(&loan->lock);
    atomic_store(&device->lent, NULL);
    atomic_store(&loan->recalled, 1);
    fence_heavy_for_none();
    int inside = atomic_load(&loan->inside) == device;
    if (inside)
        loan->counted = device;
    atomic_fetch_sub(&device->count, inside && waits ? DEVICE_LENT - 1 : DEVICE_LENT);
    lock_give(&loan->lock);
    return !inside;
}

/* Raised count while the device was lent. For others than the first one it is no different from a
 * device that is not lent. */
int device_recall(vsdk_device *device, uint32_t before)
{
    return before & DEVICE_THREADS ? 0 : recall(device, 1);
}

int device_loan_settle(device_loan *loan)
{
    lock_take(&loan->lock);
    int counted = loan->counted != NULL;
    loan->counted = NULL;
    loan->held = NULL;
    atomic_store(&loan->recalled, 0);
    lock_give(&loan->lock);
    return counted;
}

/* Lent when nobody waits: count is this thread alone. */
void device_leave_by(vsdk_device *device, device_loan *loan)
{
    uint32_t alone = 1;

    if (device->concurrent || atomic_load_explicit(&fence_is_full, memory_order_relaxed)) {
        device_leave(device);
        return;
    }
    if (device->streak_of != loan)
        device->streak = 0;
    device->streak_of = loan;
    if (++device->streak < DEVICE_LEND_AFTER) {
        device_leave(device);
        return;
    }
    device->streak = 0;
    atomic_store(&device->lent, loan);
    if (atomic_compare_exchange_strong(&device->count, &alone, DEVICE_LENT)) {
        loan->held = device;
        return;
    }
    atomic_store(&device->lent, NULL);
    device_leave(device);
}

void device_waits_prepare(void)
{
    uint32_t mine = process_id(), owner = atomic_load(&drain.owner);

    while (owner != mine) {
        if (owner == (mine | PREPARING)) {
            sys_futex_wait(&drain.owner, owner, 0);
            owner = atomic_load(&drain.owner);
        } else if (atomic_compare_exchange_weak(&drain.owner, &owner, mine | PREPARING)) {
            lock_init(&drain.lock, RANK_DRAIN);
            drain.waits = NULL;
            atomic_store(&drain.owner, owner = mine);
            sys_futex_wake(&drain.owner);
        }
    }
}

static int frames_have(const callback_frame *frame, const vsdk_device *device)
{
    for (; frame; frame = frame->outer) {
        if (frame->device == device)
            return 1;
    }
    return 0;
}

/* A thread in a callback of `device` waits, directly or through others, for a device whose callback
 * the thread with `frames` is in. */
static int waits_for(const drain_wait *waits, const vsdk_device *device,
                     const callback_frame *frames)
{
    for (const drain_wait *w = waits; w; w = w->next) {
        if (!frames_have(w->frames, device))
            continue;
        if (frames_have(frames, w->device) || waits_for(waits, w->device, frames))
            return 1;
    }
    return 0;
}

vsdk_status device_wait_begin(drain_wait *wait, vsdk_device *device, const char *operation,
                              vsdk_error *error)
{
    *wait = (drain_wait){callback_top(), device, NULL};
    if (frames_have(wait->frames, device))
        return error_set(error, VSDK_ERROR_BUSY, operation,
                         "called from a callback of device %s itself", device->name);
    lock_take(&drain.lock);
    int circle = waits_for(drain.waits, device, wait->frames);
    if (!circle) {
        wait->next = drain.waits;
        drain.waits = wait;
    }
    lock_give(&drain.lock);
    if (circle)
        return error_set(error, VSDK_ERROR_BUSY, operation,
                         "a callback of device %s waits for this one to end", device->name);
    return VSDK_OK;
}

static void wait_end(const drain_wait *wait)
{
    int others = 0;

    lock_take(&drain.lock);
    for (drain_wait **at = &drain.waits; *at;) {
        if (*at == wait) {
            *at = wait->next;
            continue;
        }
        others |= (*at)->device == wait->device;
        at = &(*at)->next;
    }
    if (!others)
        atomic_fetch_and(&wait->device->count, ~(uint32_t)DEVICE_DRAIN);
    lock_give(&drain.lock);
}

void device_wait_drained(drain_wait *wait)
{
    vsdk_device *device = wait->device;
    uint32_t count = atomic_fetch_or(&device->count, DEVICE_DRAIN) | DEVICE_DRAIN;

    if (count & DEVICE_LENT) { /* recalled by coming in, and not lent again while DRAIN is set */
        device_enter(device);
        device_leave(device);
        count = atomic_load(&device->count);
    }
    while (count & ~(uint32_t)DEVICE_FLAGS) {
        sys_futex_wait(&device->count, count, 0);
        count = atomic_fetch_or(&device->count, DEVICE_DRAIN) | DEVICE_DRAIN;
    }
    wait_end(wait);
}

/* In at once, when nobody is; else not counted. */
static int try_enter(vsdk_device *device)
{
    uint32_t count = atomic_load(&device->count);

    if (device->concurrent)
        return device_claim(device);
    while (!(count & DEVICE_THREADS))
        if (atomic_compare_exchange_weak(&device->count, &count, count + 1))
            return count & DEVICE_LENT ? recall(device, 0) : 1;
    return 0;
}

/* The flag comes first: who leaves before it is seen gone, who leaves after it tells. */
int device_enter_idle(vsdk_device *device)
{
    if (!try_enter(device)) {
        atomic_fetch_or(&device->count, DEVICE_AWAITED);
        if (!try_enter(device))
            return 0;
    }
    atomic_fetch_and(&device->count, ~(uint32_t)DEVICE_AWAITED);
    return 1;
}

/* A device that is lent is entered to learn it. With the flag it is not lent again. */
int device_is_empty(vsdk_device *device)
{
    uint32_t count = atomic_fetch_or(&device->count, DEVICE_AWAITED);

    if (count & DEVICE_THREADS || (count & DEVICE_LENT && !try_enter(device)))
        return 0;
    atomic_fetch_and(&device->count, ~(uint32_t)DEVICE_AWAITED);
    if (count & DEVICE_LENT)
        device_leave(device);
    return 1;
}

/* The wait is listed before this thread is counted: one that is refused leaves nothing behind. */
vsdk_status device_enter_checked(vsdk_device *device, const char *operation, vsdk_error *error)
{
    drain_wait wait;

    if (callback_in_device(device))
        return error_set(error, VSDK_ERROR_BUSY, operation,
                         "called from a callback of device %s itself", device->name);
    if (try_enter(device))
        return VSDK_OK;
    vsdk_status status = device_wait_begin(&wait, device, operation, error);
    if (status)
        return status;
    device_enter(device);
    wait_end(&wait);
    return VSDK_OK;
}

void device_memory_put(vsdk_device *device)
{
    if (!refs_put(&device->memory))
        return;
    vsdk_vm *vm = device->vm;
    lock_destroy(&device->lock);
    alloc_free(device);
    vm_drop(vm);
}
