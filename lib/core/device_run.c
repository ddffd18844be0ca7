/* SPDX-License-Identifier: Apache-2.0 */
/* Starting, stopping and resetting devices.
 *
 * The phase of a device says who has its start or stop: a thread takes it from a resting phase
 * (IDLE, STARTED, PENDING) to a moving one and alone brings it to rest again. devices.running says
 * whether devices are to be started at all; it is set before all are started and cleared before all
 * are stopped, and a start looks at it after it took the phase. So a device that gets its first
 * range meanwhile is either stopped with the others or not started. */
#include "base/error.h"
#include "base/sys.h"
#include "core/device.h"
#include "core/life_wait.h"
#include "core/loop.h"

static void phase_set(vsdk_device *device, uint32_t phase)
{
    atomic_store(&device->phase, phase);
    sys_futex_wake(&device->phase);
}

/* A start or stop of this device that another thread is at ends by itself. */
static uint32_t phase_at_rest(vsdk_device *device)
{
    uint32_t phase = atomic_load(&device->phase);

    while (phase == DEVICE_STARTING || phase == DEVICE_STOPPING || phase == DEVICE_STOPPED_SOON) {
        sys_futex_wait(&device->phase, phase, 0);
        phase = atomic_load(&device->phase);
    }
    return phase;
}

static void stop_is_over(vsdk_vm *vm)
{
    atomic_fetch_sub(&vm->devices.stops, 1);
    life_changed(vm);
}

/* The gate comes first: a detach that has taken the ranges waits for who is counted, and who is
 * counted after that sees the device detached; an access that is in before the start finds the
 * device IDLE, one after it STARTED. */
static int start_once(vsdk_device *device)
{
    callback_frame frame = {.vm = device->vm, .device = device};
    int inside = callback_in_device(device);
    uint32_t phase = atomic_load(&device->phase);

    if (phase != DEVICE_IDLE && phase != DEVICE_PENDING)
        return 0;
    callback_enter(&frame);
    if (!inside)
        device_enter(device);
    while ((phase == DEVICE_IDLE || phase == DEVICE_PENDING) &&
           !atomic_compare_exchange_weak(&device->phase, &phase, DEVICE_STARTING))
        ;
    int mine = phase == DEVICE_IDLE || phase == DEVICE_PENDING;
    int starts = mine && atomic_load(&device->vm->devices.running) && device->attached;
    if (mine && phase == DEVICE_PENDING)
        stop_is_over(device->vm);
    if (starts && device->ops.start)
        device->ops.start(device->user, device);
    if (mine)
        phase_set(device, starts ? DEVICE_STARTED : DEVICE_IDLE);
    if (!inside)
        device_leave(device);
    callback_leave(&frame);
    if (starts)
        sources_revive(device);
    return mine && !starts;
}

/* Who starts all passes over a device whose phase another thread has; if that thread found that
 * devices were not to be started, it looks again after it gave the phase back. */
void device_start(vsdk_device *device)
{
    while (start_once(device) && atomic_load(&device->vm->devices.running) && device->attached)
        ;
}

void device_stop(vsdk_device *device, vsdk_stop_mode mode)
{
    callback_frame frame = {.vm = device->vm, .device = device};
    uint32_t stopping = DEVICE_STOPPING, started = DEVICE_STARTED;
    vsdk_stop_answer answer = VSDK_STOP_DONE;
    drain_wait wait;

    if (phase_at_rest(device) != DEVICE_STARTED)
        return;
    callback_enter(&frame);
    device_enter(device); /* first, as for a start */
    if (!device->attached ||
        !atomic_compare_exchange_strong(&device->phase, &started, DEVICE_STOPPING)) {
        device_leave(device);
        callback_leave(&frame);
        return;
    }
    atomic_fetch_add(&device->vm->devices.stops, 1);
    if (device->ops.stop)
        answer = device->ops.stop(device->user, device, mode);
    if (answer != VSDK_STOP_PENDING ||
        !atomic_compare_exchange_strong(&device->phase, &stopping, DEVICE_PENDING)) {
        phase_set(device, DEVICE_IDLE);
        stop_is_over(device->vm);
    } else {
        sys_futex_wake(&device->phase);
    }
    device_leave(device);
    callback_leave(&frame);
    if (device->concurrent && !device_wait_begin(&wait, device, "vsdk_vm_pause", NULL))
        device_wait_drained(&wait);
}

vsdk_status vsdk_device_stopped(vsdk_device *device, vsdk_error *error)
{
    static const char op[] = "vsdk_device_stopped";

    if (!device)
        return error_null(error, op, "device");
    if (vm_is_foreign(device->vm))
        return vm_forked(op, error);
    for (;;) {
        uint32_t phase = atomic_load(&device->phase);
        if (phase == DEVICE_PENDING) {
            if (!atomic_compare_exchange_strong(&device->phase, &phase, DEVICE_IDLE))
                continue;
            stop_is_over(device->vm);
        } else if (phase == DEVICE_STOPPING) {
            if (!atomic_compare_exchange_strong(&device->phase, &phase, DEVICE_STOPPED_SOON))
                continue;
        }
        return VSDK_OK;
    }
}

void devices_start(vsdk_vm *vm)
{
    vsdk_device *device = NULL;

    atomic_store(&vm->devices.running, 1);
    while ((device = device_next(vm, device)))
        device_start(device);
}

void devices_stop(vsdk_vm *vm, vsdk_stop_mode mode)
{
    vsdk_device *device = NULL;

    atomic_store(&vm->devices.running, 0);
    while ((device = device_next(vm, device)))
        device_stop(device, mode);
}

/* All are stopped. */
void devices_reset(vsdk_vm *vm)
{
    vsdk_device *device = NULL;

    while ((device = device_next(vm, device))) {
        callback_frame frame = {.vm = vm, .device = device};
        if (!device->attached || !device->ops.reset)
            continue;
        callback_enter(&frame);
        device_enter(device);
        device->ops.reset(device->user, device);
        device_leave(device);
        callback_leave(&frame);
    }
}
