/* SPDX-License-Identifier: Apache-2.0 */
/* The panic port of QEMU's specification: the guest says that it panicked. It has no state. */
#include "devices/device.h"

enum { PVPANIC_PORT = 0x505, PVPANIC_PANICKED = 1, PVPANIC_CRASH_LOADED = 2 };

static uint64_t pvpanic_read(void *user, vsdk_device *device, const vsdk_access *access)
{
    return PVPANIC_PANICKED | PVPANIC_CRASH_LOADED;
}

static void pvpanic_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    if (access->value & PVPANIC_PANICKED)
        vsdk_vm_stop(vsdk_device_vm(device), VSDK_EXIT_CRASH, device_value(access),
                     VSDK_CRASH_PANIC, NULL);
}

static const vsdk_device_ops pvpanic_ops = {
    .size = sizeof(vsdk_device_ops),
    .read = pvpanic_read,
    .write = pvpanic_write,
};

vsdk_status vsdk_pvpanic_create(vsdk_vm *vm, const vsdk_pvpanic_config *config,
                                vsdk_device **device, vsdk_error *error)
{
    vsdk_pvpanic_config c;
    vsdk_status status = device_begin(vm, device, __func__, error);

    if (!status)
        status = device_read_config(&c, sizeof c, offsetof(vsdk_pvpanic_config, reserved), config,
                                    __func__, error);
    if (status)
        return status;
    return device_make_plain(vm, &pvpanic_ops, "pvpanic", c.address ? c.address : PVPANIC_PORT, 1,
                             device, error);
}
