/* SPDX-License-Identifier: Apache-2.0 */
#include "devices/device.h"

enum { EXIT_PORT_PORT = 0xf4, EXIT_PORT_PORTS = 4 };

static void exit_port_write(void *user, uint32_t region, uint64_t offset, uint32_t width,
                            uint64_t value)
{
    if (offset == 0)
        vsdk_vm_stop(user, VSDK_EXIT_GUEST_EXIT, device_cut(value, width), 0, NULL);
}

static const vsdk_device_ops exit_port_ops = {
    .size = sizeof(vsdk_device_ops),
    .write = exit_port_write,
};

vsdk_status vsdk_exit_port_create(vsdk_vm *vm, const vsdk_exit_port_config *config,
                                  vsdk_device **device, vsdk_error *error)
{
    vsdk_exit_port_config c;
    vsdk_status status = device_begin(vm, device, __func__, error);

    if (!status)
        status = device_read_config(&c, sizeof c, offsetof(vsdk_exit_port_config, reserved), config,
                                    __func__, error);
    if (status)
        return status;
    return device_make_plain(vm, &exit_port_ops, "exit-port",
                             c.address ? c.address : EXIT_PORT_PORT, EXIT_PORT_PORTS, device,
                             error);
}
