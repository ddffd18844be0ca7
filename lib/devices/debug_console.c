/* SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/error.h"
#include "devices/device.h"

enum { DEBUG_CONSOLE_PORT = 0x402, DEBUG_CONSOLE_MARK = 0xe9 };

typedef struct debug_console {
    device_output output;
} debug_console;

static uint64_t debug_console_read(void *user, uint32_t region, uint64_t offset, uint32_t width)
{
    return DEBUG_CONSOLE_MARK;
}

static void debug_console_write(void *user, uint32_t region, uint64_t offset, uint32_t width,
                                uint64_t value)
{
    debug_console *console = user;

    device_output_write(&console->output, (uint8_t)value);
}

static void debug_console_release(void *user)
{
    debug_console *console = user;

    device_output_release(&console->output);
    alloc_free(console);
}

static const vsdk_device_ops debug_console_ops = {
    .size = sizeof(vsdk_device_ops),
    .read = debug_console_read,
    .write = debug_console_write,
    .release = debug_console_release,
};

static vsdk_status debug_console_make(vsdk_vm *vm, uint64_t port, const device_output *output,
                                      vsdk_device **device, vsdk_error *error)
{
    vsdk_device_config make = {.size = sizeof make, .name = "debug-console"};
    device_range range = {VSDK_SPACE_PIO, port ? port : DEBUG_CONSOLE_PORT, 1, 0};
    debug_console *console = alloc_zeroed(sizeof *console);

    if (!console) {
        device_output_release(output);
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_debug_console_create",
                         "no memory for a device");
    }
    console->output = *output;
    return device_make(vm, &debug_console_ops, console, &make, &range, 1, device, error);
}

vsdk_status vsdk_debug_console_create(vsdk_vm *vm, const vsdk_debug_console_config *config,
                                      vsdk_device **device, vsdk_error *error)
{
    vsdk_debug_console_config c;
    device_output output = {0};
    vsdk_status status = device_begin(vm, device, __func__, error);

    if (config && config->size >= offsetof(vsdk_debug_console_config, reserved2))
        output = (device_output){config->output, config->user, config->release};
    if (!status)
        status = device_read_config(&c, sizeof c, offsetof(vsdk_debug_console_config, reserved2),
                                    config, __func__, error);
    if (!status)
        return debug_console_make(vm, c.address, &output, device, error);
    device_output_release(&output);
    return status;
}
