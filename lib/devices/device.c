/* SPDX-License-Identifier: Apache-2.0 */
/* What the constructors of the library's devices share. A device that can't be made whole is taken
 * away again, with what it was given. */
#include "devices/device.h"

#include "base/error.h"
#include "base/record.h"

vsdk_status device_check_process(vsdk_vm *vm, const char *operation, vsdk_error *error)
{
    vsdk_vm_info info = {.size = sizeof info};

    if (vsdk_vm_get_info(vm, &info, NULL) != VSDK_ERROR_STATE)
        return VSDK_OK;
    return error_forked(error, operation);
}

vsdk_status device_begin(vsdk_vm *vm, vsdk_device **device, const char *operation,
                         vsdk_error *error)
{
    if (device)
        *device = NULL;
    if (!vm)
        return error_null(error, operation, "vm");
    if (!device)
        return error_null(error, operation, "device");
    return device_check_process(vm, operation, error);
}

vsdk_status device_read_config(void *copy, size_t known, size_t reserved, const void *given,
                               const char *operation, vsdk_error *error)
{
    const uint8_t *bytes = copy;
    vsdk_status status = record_read(copy, known, given, 0, operation, error);

    for (size_t i = reserved; !status && i < known; i++)
        if (bytes[i])
            status = record_later(operation, error);
    return status;
}

void *device_of(vsdk_device *device, const vsdk_device_ops *ops, const char *kind,
                const char *operation, vsdk_error *error)
{
    void *user = vsdk_device_user(device, ops);

    if (!device)
        error_null(error, operation, "device");
    else if (!user)
        error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "the device is no %s", kind);
    return user;
}

vsdk_status device_make(vsdk_vm *vm, const vsdk_device_ops *ops, void *self,
                        const vsdk_device_config *config, const device_range *ranges,
                        uint32_t count, vsdk_device **device, vsdk_error *error)
{
    vsdk_device *made = NULL;
    vsdk_status status = vsdk_device_create(vm, ops, self, config, &made, error);

    for (uint32_t i = 0; !status && i < count; i++)
        status = vsdk_device_add_range(made, ranges[i].space, ranges[i].address, ranges[i].length,
                                       ranges[i].region, error);
    if (status && made) {
        vsdk_device_detach(made, NULL);
        vsdk_device_close(made);
        made = NULL;
    }
    *device = made;
    return status;
}

vsdk_status device_make_plain(vsdk_vm *vm, const vsdk_device_ops *ops, const char *name,
                              uint64_t address, uint64_t length, vsdk_device **device,
                              vsdk_error *error)
{
    vsdk_device_config config = {.size = sizeof config, .name = name};
    device_range range = {VSDK_SPACE_PIO, address, length, 0};

    return device_make(vm, ops, NULL, &config, &range, 1, device, error);
}

uint64_t device_value(const vsdk_access *access)
{
    if (access->width >= 8)
        return access->value;
    return access->value & ((UINT64_C(1) << (access->width * 8)) - 1);
}

vsdk_status device_load_u8(vsdk_state_reader *reader, const char *name, uint8_t *value,
                           vsdk_error *error)
{
    uint64_t number;
    vsdk_status status = vsdk_state_get_number(reader, name, UINT8_MAX, &number, error);

    if (!status)
        *value = (uint8_t)number;
    return status;
}
