/* SPDX-License-Identifier: Apache-2.0 */
/* The exit port: a write ends the guest with the value as its code. It has no state. */
#include "devices/device.h"

enum { EXIT_PORT_PORT = 0xf4, EXIT_PORT_PORTS = 4 };

static void exit_port_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    if (access->offset == 0)
        vsdk_vm_stop(vsdk_device_vm(device), VSDK_EXIT_GUEST_EXIT, device_value(access), 0, NULL);
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
