/* SPDX-License-Identifier: Apache-2.0 */
#include "devices/device.h"

enum { DEBUG_EXIT_PORT = 0xf4, DEBUG_EXIT_PORTS = 4 };

static void debug_exit_write(void *user, uint32_t region, uint64_t offset, uint32_t width,
                             uint64_t value)
{
    if (offset == 0)
        vsdk_vm_stop(user, VSDK_EXIT_DEBUG_EXIT, device_cut(value, width), 0, NULL);
}

static const vsdk_device_ops debug_exit_ops = {
    .size = sizeof(vsdk_device_ops),
    .write = debug_exit_write,
};

vsdk_status vsdk_debug_exit_create(vsdk_vm *vm, const vsdk_debug_exit_config *config,
                                   vsdk_device **device, vsdk_error *error)
{
    vsdk_debug_exit_config c;
    vsdk_status status = device_begin(vm, device, __func__, error);

    if (!status)
        status = device_read_config(&c, sizeof c, offsetof(vsdk_debug_exit_config, reserved),
                                    config, __func__, error);
    if (status)
        return status;
    return device_make_plain(vm, &debug_exit_ops, "debug-exit",
                             c.address ? c.address : DEBUG_EXIT_PORT, DEBUG_EXIT_PORTS, device,
                             error);
}
