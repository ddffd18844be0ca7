/* SPDX-License-Identifier: Apache-2.0 */
/* A device's gate, and waiting for its callbacks. The invariant of the gate: of the threads that
 * are counted one is in, and each leave of it gives one turn to the others. The invariant of the
 * waits: the threads that are listed wait for each other in no circle. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/sys.h"
#include "core/device.h"
#include "core/life_wait.h"

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
    if ((before & ~(uint32_t)DEVICE_FLAGS) == 1) {
        if (before & DEVICE_DRAIN)
            sys_futex_wake(&device->count);
        if (before & DEVICE_AWAITED)
            tell_mover(vm);
    } else if (!concurrent) {
        atomic_fetch_add(&device->gate, 1); /* whoever waits is counted: the device is there */
        sys_futex_wake_one(&device->gate);
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
    device_list *list = &device->vm->devices;

    *wait = (drain_wait){callback_top(), device, NULL};
    if (frames_have(wait->frames, device))
        return error_set(error, VSDK_ERROR_BUSY, operation,
                         "called from a callback of device %s itself", device->name);
    lock_take(&list->drain);
    int circle = waits_for(list->waits, device, wait->frames);
    if (!circle) {
        wait->next = list->waits;
        list->waits = wait;
    }
    lock_give(&list->drain);
    if (circle)
        return error_set(error, VSDK_ERROR_BUSY, operation,
                         "a callback of device %s waits for this one to end", device->name);
    return VSDK_OK;
}

static void wait_end(const drain_wait *wait)
{
    device_list *list = &wait->device->vm->devices;
    int others = 0;

    lock_take(&list->drain);
    for (drain_wait **at = &list->waits; *at;) {
        if (*at == wait) {
            *at = wait->next;
            continue;
        }
        others |= (*at)->device == wait->device;
        at = &(*at)->next;
    }
    if (!others)
        atomic_fetch_and(&wait->device->count, ~(uint32_t)DEVICE_DRAIN);
    lock_give(&list->drain);
}

void device_wait_drained(drain_wait *wait)
{
    vsdk_device *device = wait->device;
    uint32_t count = atomic_fetch_or(&device->count, DEVICE_DRAIN) | DEVICE_DRAIN;
    while (count & ~(uint32_t)DEVICE_FLAGS) {
        sys_futex_wait(&device->count, count, 0);
        count = atomic_fetch_or(&device->count, DEVICE_DRAIN) | DEVICE_DRAIN;
    }
    wait_end(wait);
}

/* In at once, when nobody is. */
static int try_enter(vsdk_device *device)
{
    uint32_t count = atomic_load(&device->count);

    if (device->concurrent)
        return device_claim(device);
    while (!(count & ~(uint32_t)DEVICE_FLAGS))
        if (atomic_compare_exchange_weak(&device->count, &count, count + 1))
            return 1;
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

int device_is_empty(vsdk_device *device)
{
    uint32_t count = atomic_load(&device->count);

    if (count & ~(uint32_t)DEVICE_FLAGS)
        count = atomic_fetch_or(&device->count, DEVICE_AWAITED);
    return !(count & ~(uint32_t)DEVICE_FLAGS);
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
