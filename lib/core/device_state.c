/* SPDX-License-Identifier: Apache-2.0 */
/* Saving and loading a device: its callback gets the writer or reader of its fields, under its
 * gate, while it is stopped. */
#include "base/error.h"
#include "core/device.h"
#include "core/fields.h"

/* Between this and state_end nothing starts the device: a start waits for the gate. */
static vsdk_status state_begin(vsdk_device *device, callback_frame *frame, const char *operation,
                               vsdk_error *error)
{
    vsdk_vm *vm = device->vm;

    if (vm_is_foreign(vm))
        return vm_forked(operation, error);
    if (atomic_load(&vm->gone))
        return vm_gone(operation, error);
    if (callback_in_vm(vm))
        return callback_busy(operation, error);
    *frame = (callback_frame){.vm = vm, .device = device};
    callback_enter(frame);
    device_enter(device);
    if (atomic_load(&device->phase) == DEVICE_IDLE)
        return VSDK_OK;
    device_leave(device);
    callback_leave(frame);
    return error_hint(
        error,
        error_set(error, VSDK_ERROR_STATE, operation, "device %s is not stopped", device->name),
        "pause the virtual machine first");
}

static void state_end(vsdk_device *device, callback_frame *frame)
{
    device_leave(device);
    callback_leave(frame);
}

vsdk_status vsdk_device_save(vsdk_device *device, void *bytes, uint64_t capacity, uint64_t *needed,
                             vsdk_error *error)
{
    static const char operation[] = "vsdk_device_save";
    callback_frame frame;
    vsdk_state_writer writer;

    if (needed)
        *needed = 0;
    if (!device)
        return error_null(error, operation, "device");
    if (vm_is_foreign(device->vm))
        return vm_forked(operation, error);
    if (!needed)
        return error_null(error, operation, "needed");
    if (!bytes && capacity)
        return error_null(error, operation, "bytes");
    if (!device->ops.save && device->ops.load)
        return error_set(error, VSDK_ERROR_UNSUPPORTED, operation, "device %s can't be saved",
                         device->name);
    fields_begin(&writer, device->name);
    vsdk_status status = state_begin(device, &frame, operation, error);
    if (!status) {
        if (device->ops.save)
            status = device->ops.save(device->user, device, &writer, error);
        state_end(device, &frame);
    }
    if (!status)
        status = fields_take(&writer, bytes, capacity, needed, operation, error);
    fields_end(&writer);
    return status;
}

vsdk_status vsdk_device_load(vsdk_device *device, const void *bytes, uint64_t length,
                             vsdk_error *error)
{
    static const char operation[] = "vsdk_device_load";
    callback_frame frame;
    vsdk_state_reader reader;

    if (!device)
        return error_null(error, operation, "device");
    if (vm_is_foreign(device->vm))
        return vm_forked(operation, error);
    if (!bytes)
        return error_null(error, operation, "bytes");
    if (!device->ops.load && device->ops.save)
        return error_set(error, VSDK_ERROR_UNSUPPORTED, operation, "device %s can't be loaded",
                         device->name);
    vsdk_status status = fields_open(&reader, device->name, bytes, length, operation, error);
    if (!status)
        status = state_begin(device, &frame, operation, error);
    if (status)
        return status;
    if (device->ops.load)
        status = device->ops.load(device->user, device, &reader, error);
    state_end(device, &frame);
    return status;
}
