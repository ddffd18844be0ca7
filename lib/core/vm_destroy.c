/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a virtual machine: by vsdk_vm_destroy, which waits for whoever is inside, or by the
 * last close, when nobody is. After `gone` is set every call answers GONE; then its parts are taken
 * away from the top down: devices, controllers, the tables of the bus, the hypervisor's part,
 * memory. */
#include "base/error.h"
#include "core/callback.h"
#include "core/console.h"
#include "core/device.h"
#include "core/life_moves.h"
#include "core/loop.h"

int vm_enter(vsdk_vm *vm)
{
    return refs_try_get(&vm->refs);
}

/* With the last reference, not with a destroy: threads inside a run or a pause dispatch it, and the
 * embedder has it as long as the handle. Who wakes it without a reference is inside a use. */
static void take_loop(vsdk_vm *vm)
{
    vsdk_loop *loop = atomic_exchange(&vm->loop, NULL);

    if (!loop)
        return;
    lock_take(&loop->lock);
    loop->vm = NULL;
    lock_give(&loop->lock);
    loop_put(loop);
}

/* vm->gone is set, no thread is inside a run or a transition. */
static void end_parts(vsdk_vm *vm)
{
    const backend_ops *ops = vm->backend.host->ops;

    readers_wait(&vm->readers);
    console_close(vm);
    devices_end(vm);
    irq_end(vm);
    lock_take(&vm->bus.lock); /* whoever assigned doorbells or messages has done so */
    bus_clear(vm);
    lock_give(&vm->bus.lock);
    ops->vm_destroy(&vm->backend);
    for (uint32_t i = 0; i < vm->backend.config.vcpus_max; i++)
        if (vm->vcpus[i])
            ops->vcpu_destroy(&vm->vcpus[i]->backend);
    gpa_map_destroy(vm);
}

void vm_leave(vsdk_vm *vm)
{
    if (!refs_put(&vm->refs))
        return;
    if (!atomic_exchange(&vm->gone, 1))
        end_parts(vm);
    take_loop(vm);
    vm_drop(vm);
}

/* life.lock held, given back meanwhile: 1 when this thread is to end it, 0 when that was done. */
static int begin(vsdk_vm *vm)
{
    if (atomic_exchange(&vm->gone, 1)) {
        while (!vm->life.destroyed) {
            uint32_t seen = atomic_load(&vm->life.changes);
            if (!vm->life.destroyed)
                life_wait(vm, seen, 0);
        }
        return 0;
    }
    life_clock_stop(vm);
    vm_request(vm, REQUEST_GONE);
    life_changed(vm);
    vm_wake_loop(vm);
    for (;;) {
        uint32_t seen = atomic_load(&vm->life.changes);
        if (!vm->life.moving && !vm->life.writer.depth && !vm_any_at(vm, PLACES_INSIDE))
            return 1;
        life_wait(vm, seen, 0);
    }
}

/* Callbacks on other threads are waited for, unless they wait for this one. */
static void drain_devices(vsdk_vm *vm)
{
    vsdk_device *device = NULL;
    drain_wait wait;

    while ((device = device_next(vm, device))) {
        int waits = !device_wait_begin(&wait, device, "vsdk_vm_destroy", NULL);
        int attached = device_take(device);
        if (waits)
            device_wait_drained(&wait);
        device_forget(device, attached);
    }
}

vsdk_status vsdk_vm_destroy(vsdk_vm *vm, vsdk_error *error)
{
    const char *operation = "vsdk_vm_destroy";

    if (!vm)
        return error_null(error, operation, "vm");
    if (vm_is_foreign(vm))
        return vm_forked(operation, error);
    if (callback_in_vm(vm))
        return callback_busy(operation, error);
    lock_take(&vm->life.lock);
    int mine = begin(vm);
    lock_give(&vm->life.lock);
    if (!mine)
        return VSDK_OK;
    devices_stop_all(vm);
    drain_devices(vm);
    end_parts(vm);
    lock_take(&vm->life.lock);
    vm->life.destroyed = 1;
    life_changed(vm);
    lock_give(&vm->life.lock);
    return VSDK_OK;
}
