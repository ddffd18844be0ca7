/* SPDX-License-Identifier: Apache-2.0 */
/* A port that takes text to a stream. A guest does not look whether there is room: what does not
 * fit is dropped. It has no state. */
#include "base/error.h"
#include "devices/device.h"

enum { DEBUG_CONSOLE_PORT = 0x402, DEBUG_CONSOLE_MARK = 0xe9 };

static uint64_t debug_console_read(void *user, vsdk_device *device, const vsdk_access *access)
{
    return DEBUG_CONSOLE_MARK;
}

static void debug_console_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    uint8_t byte = (uint8_t)access->value;

    vsdk_stream_write(user, &byte, 1, NULL, NULL);
}

static void debug_console_release(void *user)
{
    vsdk_stream_close(user);
}

static const vsdk_device_ops debug_console_ops = {
    .size = sizeof(vsdk_device_ops),
    .read = debug_console_read,
    .write = debug_console_write,
    .release = debug_console_release,
};

vsdk_status vsdk_debug_console_create(vsdk_vm *vm, const vsdk_debug_console_config *config,
                                      vsdk_device **device, vsdk_error *error)
{
    vsdk_debug_console_config c;
    vsdk_device_config make = {.size = sizeof make, .name = "debug-console"};
    vsdk_status status = device_begin(vm, device, __func__, error);

    if (!status)
        status = device_read_config(&c, sizeof c, offsetof(vsdk_debug_console_config, reserved2),
                                    config, __func__, error);
    if (status)
        return status;
    device_range range = {VSDK_SPACE_PIO, c.address ? c.address : DEBUG_CONSOLE_PORT, 1, 0};
    return device_make(vm, &debug_console_ops, vsdk_stream_ref(c.stream), &make, &range, 1, device,
                       error);
}
