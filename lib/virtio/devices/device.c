/* SPDX-License-Identifier: Apache-2.0 */
/* What the constructors and the functions of the library's virtio devices begin with. In a forked
 * child nothing is allocated, and nobody is called. */
#include "virtio/devices/device.h"
#include "base/error.h"
#include "base/record.h"

/* A virtual machine that is gone is fine: what makes the device says so. */
static int is_in_child(vsdk_vm *vm)
{
    vsdk_vm_info info = {.size = sizeof info};

    return vsdk_vm_get_info(vm, &info, NULL) == VSDK_ERROR_STATE;
}

vsdk_status virtio_device_begin(vsdk_vm *vm, vsdk_device **device, int *foreign,
                                const char *operation, vsdk_error *error)
{
    *foreign = 0;
    if (device)
        *device = NULL;
    if (!vm)
        return error_null(error, operation, "vm");
    if (!device)
        return error_null(error, operation, "device");
    *foreign = is_in_child(vm);
    return *foreign ? error_forked(error, operation) : VSDK_OK;
}

vsdk_status virtio_device_config(void *copy, size_t known, size_t reserved, const void *given,
                                 uint32_t known_flags, const char *operation, vsdk_error *error)
{
    const uint8_t *bytes = copy;
    vsdk_status status = record_read(copy, known, given, known_flags, operation, error);

    for (size_t i = reserved; !status && i < known; i++)
        if (bytes[i])
            status = record_later(operation, error);
    return status;
}

void *virtio_device_of(vsdk_device *device, const vsdk_virtio_ops *ops, const char *kind,
                       const char *operation, vsdk_status *status, vsdk_error *error)
{
    void *user = vsdk_virtio_user(device, ops);

    *status = VSDK_OK;
    if (!device)
        *status = error_null(error, operation, "device");
    else if (!user)
        *status =
            error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "the device is no %s", kind);
    else if (is_in_child(vsdk_device_vm(device)))
        *status = error_forked(error, operation);
    return *status ? NULL : user;
}
