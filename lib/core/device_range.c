/* SPDX-License-Identifier: Apache-2.0 */
/* The ranges of a device. The first one attaches it: the virtual machine keeps it from then on
 * until it is detached. In RUNNING it also starts it. */
#include "base/error.h"
#include "core/device.h"
#include <inttypes.h>

vsdk_status vsdk_device_add_range(vsdk_device *device, vsdk_space space, uint64_t address,
                                  uint64_t length, uint32_t region, vsdk_error *error)
{
    static const char operation[] = "vsdk_device_add_range";
    bus_range range = {.device = device, .region = region};

    if (!device)
        return error_null(error, operation, "device");
    if (vm_is_foreign(device->vm))
        return vm_forked(operation, error);
    lock_take(&device->vm->bus.lock);
    vsdk_status status =
        device->vm->devices.ended
            ? vm_gone(operation, error)
            : bus_add_range(device->vm, space, address, length, &range, operation, error);
    int first = !status && !device->attached;
    if (first) {
        device->attached = 1;
        device_take_part(device);
        refs_get(&device->refs);
    }
    lock_give(&device->vm->bus.lock);
    /* A guest that has ended may still have its devices started; who enters RUNNING after this look
     * finds that the device takes part. */
    if (first && atomic_load(&device->vm->life.state) == VSDK_VM_RUNNING)
        device_start(device);
    return status;
}

vsdk_status vsdk_device_remove_range(vsdk_device *device, vsdk_space space, uint64_t address,
                                     vsdk_error *error)
{
    static const char operation[] = "vsdk_device_remove_range";
    vsdk_status status = VSDK_OK;

    if (!device)
        return error_null(error, operation, "device");
    if (vm_is_foreign(device->vm))
        return vm_forked(operation, error);
    if (space > VSDK_SPACE_MMIO)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "space %u is unknown",
                         space);
    lock_take(&device->vm->bus.lock);
    if (atomic_load(&device->vm->gone))
        status = vm_gone(operation, error);
    else if (!bus_remove_range(device->vm, space, address, device))
        status = error_set(error, VSDK_ERROR_NOT_FOUND, operation,
                           "no range of device %s begins at %s %#" PRIx64, device->name,
                           vsdk_space_name(space), address);
    lock_give(&device->vm->bus.lock);
    if (!status)
        devices_changed(device->vm);
    return status;
}

/* The ranges go first, so that nobody new comes in; then whoever is inside is waited for. */
vsdk_status vsdk_device_detach(vsdk_device *device, vsdk_error *error)
{
    static const char operation[] = "vsdk_device_detach";
    drain_wait wait;

    if (!device)
        return error_null(error, operation, "device");
    vsdk_vm *vm = device->vm;
    if (vm_is_foreign(vm))
        return vm_forked(operation, error);
    if (atomic_load(&vm->gone))
        return vm_gone(operation, error);
    vsdk_status status = device_wait_begin(&wait, device, operation, error);
    if (status)
        return status;
    int attached = device_take(device);
    device_wait_drained(&wait);
    device_forget(device, attached);
    device_start(device); /* where another thread has given it a range meanwhile */
    return VSDK_OK;
}
