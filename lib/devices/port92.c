/* SPDX-License-Identifier: Apache-2.0 */
/* System control port A. It has no state: a reset ends the guest, and address line 20, which the
 * port's other bit masks on old machines, is always open. */
#include "devices/device.h"

enum { PORT92_PORT = 0x92, PORT92_RESET = 1 << 0, PORT92_A20 = 1 << 1 };

static uint64_t port92_read(void *user, vsdk_device *device, const vsdk_access *access)
{
    return PORT92_A20;
}

static void port92_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    if (access->value & PORT92_RESET)
        vsdk_vm_stop(vsdk_device_vm(device), VSDK_EXIT_RESET, 0, 0, NULL);
}

static const vsdk_device_ops port92_ops = {
    .size = sizeof(vsdk_device_ops),
    .read = port92_read,
    .write = port92_write,
};

vsdk_status vsdk_port92_create(vsdk_vm *vm, const vsdk_port92_config *config, vsdk_device **device,
                               vsdk_error *error)
{
    vsdk_port92_config c;
    vsdk_status status = device_begin(vm, device, __func__, error);

    if (!status)
        status = device_read_config(&c, sizeof c, offsetof(vsdk_port92_config, reserved), config,
                                    __func__, error);
    if (status)
        return status;
    return device_make_plain(vm, &port92_ops, "port92", c.address ? c.address : PORT92_PORT, 1,
                             device, error);
}
