/* SPDX-License-Identifier: Apache-2.0 */
/* Entering a device from outside its callbacks. A thread between enter and leave is as in a
 * callback of it: it keeps the virtual machine alive, and whoever would wait for it is told BUSY.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "core/device.h"
#include "core/life_moves.h"

/* Of a concurrent device several threads may be inside, each with a frame of its own. */
struct device_entry {
    callback_frame frame;
    struct device_entry *next;
};

static vsdk_status entry_add(vsdk_device *device, const char *operation, vsdk_error *error)
{
    struct device_entry *entry = alloc_zeroed(sizeof *entry);

    if (!entry)
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory to enter device %s",
                         device->name);
    entry->frame = (callback_frame){.vm = device->vm, .device = device};
    callback_enter(&entry->frame);
    lock_take(&device->lock);
    entry->next = device->entries;
    device->entries = entry;
    lock_give(&device->lock);
    return VSDK_OK;
}

/* 0: this thread is not in it. */
static int entry_take(vsdk_device *device)
{
    lock_take(&device->lock);
    struct device_entry **at = &device->entries, *entry;
    while (*at && !callback_is_in(&(*at)->frame))
        at = &(*at)->next;
    entry = *at;
    if (entry)
        *at = entry->next;
    lock_give(&device->lock);
    if (!entry)
        return 0;
    callback_leave(&entry->frame);
    alloc_free(entry);
    return 1;
}

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
    device_start_late(device);
    vsdk_status status = device_enter_checked(device, operation, error);
    /* A detach that has taken the ranges waits for who came in before, and nobody comes in after.
     * Nor before a stop that waits until the device is empty. */
    if (!status && !(atomic_load(&device->part) && device_acts(device) && device_serves(device) &&
                     !device_stop_is_due(device))) {
        device_leave(device);
        status =
            error_set(error, VSDK_ERROR_STATE, operation, "device %s is stopped", device->name);
    }
    if (!status && device->concurrent) {
        status = entry_add(device, operation, error);
        if (status)
            device_leave(device);
    }
    if (status) {
        vm_leave(vm);
        return status;
    }
    refs_get(&device->refs);
    if (!device->concurrent) {
        device->entered = (callback_frame){.vm = vm, .device = device};
        callback_enter(&device->entered);
    }
    return VSDK_OK;
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
