/* SPDX-License-Identifier: Apache-2.0 */
#include "devices/device.h"

enum { PVPANIC_PORT = 0x505, PVPANIC_PANICKED = 1, PVPANIC_CRASH_LOADED = 2 };

static uint64_t pvpanic_read(void *user, uint32_t region, uint64_t offset, uint32_t width)
{
    return PVPANIC_PANICKED | PVPANIC_CRASH_LOADED;
}

static void pvpanic_write(void *user, uint32_t region, uint64_t offset, uint32_t width,
                          uint64_t value)
{
    if (value & PVPANIC_PANICKED)
        vsdk_vm_stop(user, VSDK_EXIT_CRASH, device_cut(value, width), VSDK_CRASH_PANIC, NULL);
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
