/* SPDX-License-Identifier: Apache-2.0 */
/* Entering a device from outside its callbacks. A thread between enter and leave is as in a
 * callback of it: it keeps the virtual machine alive, and whoever would wait for it is told BUSY.
 */
#include "base/error.h"
#include "core/device.h"
#include "core/life_moves.h"

vsdk_status vsdk_device_enter(vsdk_device *device, vsdk_error *error)
{
    static const char operation[] = "vsdk_device_enter";

    if (!device)
        return error_null(error, operation, "device");
    vsdk_vm *vm = device->vm;
    if (vm_is_foreign(vm))
        return vm_forked(operation, error);
    if (!vm_enter(vm))
        return vm_gone(operation, error);
    if (atomic_load(&vm->gone)) {
        vm_leave(vm);
        return vm_gone(operation, error);
    }
    vsdk_status status = device_enter_checked(device, operation, error);
    /* A detach that has taken the ranges waits for who came in before, and nobody comes in after.
     */
    if (!status &&
        !(atomic_load(&device->attached) && device_acts(device) && device_serves(device))) {
        device_leave(device);
        status =
            error_set(error, VSDK_ERROR_STATE, operation, "device %s is stopped", device->name);
    }
    if (status) {
        vm_leave(vm);
        return status;
    }
    refs_get(&device->refs);
    if (device->concurrent) {
        atomic_fetch_add(&device->entries, 1);
    } else {
        device->entered = (callback_frame){.vm = vm, .device = device};
        callback_enter(&device->entered);
    }
    return VSDK_OK;
}

/* 0: nobody entered a concurrent device who has not left it. Which thread it was is not known. */
static int entry_take(vsdk_device *device)
{
    uint32_t entries = atomic_load(&device->entries);

    while (entries)
        if (atomic_compare_exchange_weak(&device->entries, &entries, entries - 1))
            return 1;
    return 0;
}

void vsdk_device_leave(vsdk_device *device)
{
    if (!device || vm_is_foreign(device->vm))
        return;
    vsdk_vm *vm = device->vm;
    if (device->concurrent) {
        if (!entry_take(device))
            return;
    } else {
        if (!callback_is_in(&device->entered))
            return;
        callback_leave(&device->entered);
    }
    device_leave(device);
    device_put(device);
    vm_leave(vm);
}
