/* SPDX-License-Identifier: Apache-2.0 */
/* A keyboard controller without a keyboard: guests use its reset line. */
#include "base/alloc.h"
#include "base/error.h"
#include "devices/device.h"

enum { I8042_PORT = 0x60, REGION_DATA = 0, REGION_COMMAND = 1 };
enum { COMMAND_WRITE_OUTPUT = 0xd1, COMMAND_PULSE = 0xf0, OUTPUT_NOT_RESET = 1 };

typedef struct i8042 {
    uint8_t command; /* that the next data byte belongs to, or 0 */
} i8042;

/* The low bits of a pulse command name the output lines that stay as they are. */
static int i8042_pulses_reset(uint64_t command)
{
    return (command & 0xf0) == COMMAND_PULSE && !(command & OUTPUT_NOT_RESET);
}

static uint64_t i8042_read(void *user, vsdk_device *device, const vsdk_access *access)
{
    return 0;
}

static void i8042_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    i8042 *kbc = user;
    uint8_t value = (uint8_t)access->value, command = kbc->command;
    int reset = access->region == REGION_COMMAND
                    ? i8042_pulses_reset(value)
                    : command == COMMAND_WRITE_OUTPUT && !(value & OUTPUT_NOT_RESET);

    kbc->command = access->region == REGION_COMMAND ? value : 0;
    if (reset)
        vsdk_vm_stop(vsdk_device_vm(device), VSDK_EXIT_RESET, 0, 0, NULL);
}

static void i8042_reset(void *user, vsdk_device *device)
{
    *(i8042 *)user = (i8042){.command = 0};
}

static vsdk_status i8042_save(void *user, vsdk_device *device, vsdk_state_writer *writer,
                              vsdk_error *error)
{
    return vsdk_state_put_number(writer, "command", ((const i8042 *)user)->command, error);
}

static vsdk_status i8042_load(void *user, vsdk_device *device, vsdk_state_reader *reader,
                              vsdk_error *error)
{
    return device_load_u8(reader, "command", &((i8042 *)user)->command, error);
}

static const vsdk_device_ops i8042_ops = {
    .size = sizeof(vsdk_device_ops),
    .read = i8042_read,
    .write = i8042_write,
    .reset = i8042_reset,
    .save = i8042_save,
    .load = i8042_load,
    .release = alloc_free,
};

vsdk_status vsdk_i8042_create(vsdk_vm *vm, const vsdk_i8042_config *config, vsdk_device **device,
                              vsdk_error *error)
{
    vsdk_i8042_config c;
    vsdk_device_config make = {.size = sizeof make, .name = "i8042"};
    vsdk_status status = device_begin(vm, device, __func__, error);
    i8042 *kbc;

    if (!status)
        status = device_read_config(&c, sizeof c, offsetof(vsdk_i8042_config, reserved), config,
                                    __func__, error);
    if (status)
        return status;
    kbc = alloc_zeroed(sizeof *kbc);
    if (!kbc)
        return error_set(error, VSDK_ERROR_NO_MEMORY, __func__, "no memory for a device");
    uint64_t data = c.address ? c.address : I8042_PORT;
    device_range ranges[] = {{VSDK_SPACE_PIO, data, 1, REGION_DATA},
                             {VSDK_SPACE_PIO, data + 4, 1, REGION_COMMAND}};
    return device_make(vm, &i8042_ops, kbc, &make, ranges, 2, device, error);
}
