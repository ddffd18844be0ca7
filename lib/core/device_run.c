/* SPDX-License-Identifier: Apache-2.0 */
/* Starting, stopping and resetting devices.
 *
 * The phase of a device says who has its start or stop: a thread that is inside the gate takes it
 * from a resting phase (IDLE, STARTED, PENDING) to a moving one and alone brings it to rest again
 * before it leaves. So no other callback comes before the start has returned, and a detach, which
 * waits for all that are inside, is not overtaken by either. devices.running says
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

void device_stop_is_over(vsdk_vm *vm)
{
    atomic_fetch_sub(&vm->devices.stops, 1);
    life_changed(vm);
}

static int start_is_due(const vsdk_device *device)
{
    return atomic_load(&device->attached) && atomic_load(&device->vm->devices.running);
}

/* Inside the gate. A start that finds that it is not due gives the phase back and looks once more:
 * who wants the device started meanwhile found the phase taken, and left it to this thread. Only a
 * mover finds PENDING, and no other changes devices.running meanwhile. */
static int start_begin(vsdk_device *device)
{
    while (start_is_due(device)) {
        uint32_t phase = atomic_load(&device->phase);
        do
            if (phase != DEVICE_IDLE && phase != DEVICE_PENDING)
                return 0;
        while (!atomic_compare_exchange_weak(&device->phase, &phase, DEVICE_STARTING));
        if (phase == DEVICE_PENDING)
            device_stop_is_over(device->vm);
        if (start_is_due(device))
            return 1;
        phase_set(device, DEVICE_IDLE);
    }
    return 0;
}

void device_start(vsdk_device *device)
{
    callback_frame frame = {.vm = device->vm, .device = device};
    int inside = callback_in_device(device);

    callback_enter(&frame);
    if (!inside)
        device_enter(device);
    int starts = start_begin(device);
    if (starts && device->ops.start)
        device->ops.start(device->user, device);
    if (starts)
        phase_set(device, DEVICE_STARTED);
    if (!inside)
        device_leave(device);
    callback_leave(&frame);
    if (starts)
        sources_revive(device);
}

/* Inside the gate, in phase STOPPING. */
static void stop_call(vsdk_device *device, vsdk_stop_mode mode)
{
    vsdk_stop_answer answer = VSDK_STOP_DONE;
    uint32_t stopping = DEVICE_STOPPING;

    atomic_fetch_add(&device->vm->devices.stops, 1);
    if (device->ops.stop)
        answer = device->ops.stop(device->user, device, mode);
    if (answer == VSDK_STOP_PENDING &&
        atomic_compare_exchange_strong(&device->phase, &stopping, DEVICE_PENDING)) {
        atomic_store(&device->vm->devices.pended, 1);
        sys_futex_wake(&device->phase);
    } else {
        phase_set(device, DEVICE_IDLE);
        device_stop_is_over(device->vm);
    }
}

void device_stop(vsdk_device *device, vsdk_stop_mode mode)
{
    callback_frame frame = {.vm = device->vm, .device = device};
    uint32_t started = DEVICE_STARTED;
    drain_wait wait;

    if (phase_at_rest(device) != DEVICE_STARTED)
        return;
    callback_enter(&frame);
    device_enter(device);
    int stops = atomic_load(&device->attached) &&
                atomic_compare_exchange_strong(&device->phase, &started, DEVICE_STOPPING);
    if (stops)
        stop_call(device, mode);
    device_leave(device);
    callback_leave(&frame);
    if (stops && device->concurrent && !device_wait_begin(&wait, device, "vsdk_vm_pause", NULL))
        device_wait_drained(&wait);
}

vsdk_status vsdk_device_stopped(vsdk_device *device, vsdk_error *error)
{
    static const char operation[] = "vsdk_device_stopped";

    if (!device)
        return error_null(error, operation, "device");
    if (vm_is_foreign(device->vm))
        return vm_forked(operation, error);
    uint32_t phase = atomic_load(&device->phase);
    for (;;) {
        if (phase != DEVICE_PENDING && phase != DEVICE_STOPPING)
            return VSDK_OK;
        uint32_t next = phase == DEVICE_PENDING ? DEVICE_IDLE : DEVICE_STOPPED_SOON;
        if (atomic_compare_exchange_weak(&device->phase, &phase, next))
            break;
    }
    if (phase == DEVICE_PENDING)
        device_stop_is_over(device->vm);
    return VSDK_OK;
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

void devices_drain(vsdk_vm *vm)
{
    vsdk_device *device = NULL;
    drain_wait wait;

    while ((device = device_next(vm, device)))
        if (atomic_load(&device->count) && !device_wait_begin(&wait, device, "vsdk_vm_pause", NULL))
            device_wait_drained(&wait);
}

/* All are stopped. */
void devices_reset(vsdk_vm *vm)
{
    vsdk_device *device = NULL;

    while ((device = device_next(vm, device))) {
        callback_frame frame = {.vm = vm, .device = device};
        if (!device->ops.reset)
            continue;
        callback_enter(&frame);
        device_enter(device);
        if (atomic_load(&device->attached))
            device->ops.reset(device->user, device);
        device_leave(device);
        callback_leave(&frame);
    }
}
