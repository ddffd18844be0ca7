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

void devices_changed(vsdk_vm *vm)
{
    atomic_fetch_add(&vm->devices.changes, 1);
    if (!atomic_load(&vm->devices.waiting))
        return;
    lock_take(&vm->life.lock);
    vm_request(vm, REQUEST_LOOK);
    lock_give(&vm->life.lock);
}

void device_stop_is_over(vsdk_vm *vm)
{
    if (atomic_fetch_sub(&vm->devices.stops, 1) == 1)
        atomic_store(&vm->devices.look, 1);
    life_changed(vm);
}

static int start_is_due(const vsdk_device *device)
{
    return atomic_load(&device->part) && atomic_load(&device->vm->devices.running);
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

    if (!inside && device_enter_checked(device, __func__, NULL))
        return; /* who is inside waits for this thread: it starts the device, or need not */
    callback_enter(&frame);
    int starts = start_begin(device);
    if (starts && device->ops.start)
        device->ops.start(device->user, device);
    if (starts)
        phase_set(device, DEVICE_STARTED);
    if (!inside)
        device_leave(device);
    callback_leave(&frame);
    if (!starts)
        return;
    devices_changed(device->vm);
    sources_revive(device);
}

void device_start_late(vsdk_device *device)
{
    const vsdk_vm *vm = device->vm;

    if (atomic_load(&device->phase) == DEVICE_IDLE && atomic_load(&device->part) &&
        atomic_load(&vm->life.state) == VSDK_VM_RUNNING && !atomic_load(&vm->life.due))
        device_start(device);
}

/* Inside the gate, in phase STOPPING. What a device does until its stop is over, and what runs in a
 * concurrent one just now, is waited for afterwards. */
static void stop_call(vsdk_device *device, vsdk_stop_mode mode)
{
    vsdk_stop_answer answer = VSDK_STOP_DONE;
    uint32_t stopping = DEVICE_STOPPING;

    atomic_fetch_add(&device->vm->devices.stops, 1);
    if (device->ops.stop)
        answer = device->ops.stop(device->user, device, mode);
    device->lingers = device->concurrent || answer == VSDK_STOP_PENDING;
    if (answer == VSDK_STOP_PENDING &&
        atomic_compare_exchange_strong(&device->phase, &stopping, DEVICE_PENDING)) {
        sys_futex_wake(&device->phase);
    } else {
        phase_set(device, DEVICE_IDLE);
        device_stop_is_over(device->vm);
    }
}

/* Inside the gate, which is left. */
static void device_stop(vsdk_device *device, vsdk_stop_mode mode)
{
    callback_frame frame = {.vm = device->vm, .device = device};
    uint32_t started = DEVICE_STARTED;

    callback_enter(&frame);
    if (atomic_load(&device->part) &&
        atomic_compare_exchange_strong(&device->phase, &started, DEVICE_STOPPING))
        stop_call(device, mode);
    device_leave(device);
    callback_leave(&frame);
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
    while ((device = device_next(vm, device))) {
        atomic_fetch_and(&device->count, ~(uint32_t)DEVICE_AWAITED);
        device->lingers = 0;
        /* One that a pause which gives up has not told may have a thread inside. */
        if (atomic_load(&device->phase) != DEVICE_STARTED)
            device_start(device);
    }
}

/* A device at rest that has not started is not told; one whose start another thread is at has that
 * thread inside. */
static int stop_or_look(vsdk_device *device, vsdk_stop_mode mode)
{
    uint32_t phase = atomic_load(&device->phase);

    if (phase == DEVICE_STARTED || phase == DEVICE_STARTING) {
        if (!device_enter_idle(device))
            return 0;
        device_stop(device, mode);
    }
    if (atomic_load(&device->phase) == DEVICE_PENDING)
        return 0;
    if (device->lingers && !device_is_empty(device))
        return 0;
    device->lingers = 0;
    return 1;
}

int devices_stop(vsdk_vm *vm, vsdk_stop_mode mode)
{
    vsdk_device *device = NULL;
    int all = 1;

    atomic_store(&vm->devices.look, 0);
    atomic_store(&vm->devices.running, 0);
    while ((device = device_next(vm, device)))
        all &= stop_or_look(device, mode);
    return all;
}

void devices_stop_all(vsdk_vm *vm)
{
    vsdk_device *device = NULL;

    atomic_store(&vm->devices.running, 0);
    while ((device = device_next(vm, device))) {
        device_enter(device);
        device_stop(device, VSDK_STOP_FINISH);
    }
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
        if (atomic_load(&device->part))
            device->ops.reset(device->user, device);
        device_leave(device);
        callback_leave(&frame);
    }
}
