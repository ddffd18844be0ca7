/* SPDX-License-Identifier: Apache-2.0 */
/* ACPI power management: power-off and reset, as hardware-reduced registers or as those of fixed
 * hardware with a timer, which is the virtual machine's clock. */
#include "base/alloc.h"
#include "base/error.h"
#include "devices/device.h"

#include <vsdk/loop.h>

enum { REDUCED_PORT = 0x600, FIXED_PORT = 0xb000 };
enum { SLEEP_TYPE_OFF = 5, RESET_VALUE = 1 };
enum {
    REGION_SLEEP_CONTROL,
    REGION_SLEEP_STATUS,
    REGION_RESET,
    REGION_EVENT,
    REGION_CONTROL,
    REGION_TIMER,
};
enum { SLEEP_CONTROL_ENABLE = 1 << 5, PM1_CONTROL_SCI = 1, PM1_CONTROL_SLEEP_ENABLE = 1 << 13 };
enum { TIMER_HZ = 3579545 };

typedef struct acpi_pm {
    uint8_t sleep_control;
    uint16_t enable, control;
} acpi_pm;

static void acpi_pm_sleep(vsdk_device *device, uint32_t type)
{
    if (type == SLEEP_TYPE_OFF)
        vsdk_vm_stop(vsdk_device_vm(device), VSDK_EXIT_POWEROFF, 0, 0, NULL);
    else
        vsdk_vm_stop(vsdk_device_vm(device), VSDK_EXIT_SUSPEND, type, 0, NULL);
}

static uint64_t acpi_pm_timer(vsdk_device *device)
{
    uint64_t ns = vsdk_vm_clock(vsdk_device_vm(device));

    return (uint32_t)(ns / 1000000000 * TIMER_HZ + ns % 1000000000 * TIMER_HZ / 1000000000);
}

/* Status (always clear) in the low half, enable in the high one. */
static uint64_t acpi_pm_event(const acpi_pm *pm, uint64_t offset)
{
    return (uint64_t)pm->enable << 16 >> (offset * 8);
}

static uint64_t acpi_pm_read(void *user, vsdk_device *device, const vsdk_access *access)
{
    const acpi_pm *pm = user;
    uint64_t offset = access->offset;

    switch (access->region) {
    case REGION_SLEEP_CONTROL:
        return pm->sleep_control;
    case REGION_EVENT:
        return acpi_pm_event(pm, offset);
    case REGION_CONTROL:
        return (uint64_t)pm->control >> (offset * 8);
    case REGION_TIMER:
        return acpi_pm_timer(device) >> (offset * 8);
    default:
        return 0;
    }
}

/* `old` with the bytes that an access writes. */
static uint64_t acpi_pm_merge(uint64_t old, const vsdk_access *access)
{
    uint64_t mask = UINT64_MAX >> (64 - 8 * access->width) << (access->offset * 8);

    return (old & ~mask) | (access->value << (access->offset * 8) & mask);
}

static void acpi_pm_write_control(acpi_pm *pm, vsdk_device *device, const vsdk_access *access)
{
    uint64_t merged = acpi_pm_merge(pm->control, access);

    pm->control = (uint16_t)((merged & ~(uint64_t)PM1_CONTROL_SLEEP_ENABLE) | PM1_CONTROL_SCI);
    if (merged & PM1_CONTROL_SLEEP_ENABLE)
        acpi_pm_sleep(device, merged >> 10 & 7);
}

static void acpi_pm_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    acpi_pm *pm = user;
    uint64_t value = access->value;

    switch (access->region) {
    case REGION_SLEEP_CONTROL:
        pm->sleep_control = (uint8_t)(value & ~(uint64_t)SLEEP_CONTROL_ENABLE);
        if (value & SLEEP_CONTROL_ENABLE)
            acpi_pm_sleep(device, value >> 2 & 7);
        break;
    case REGION_RESET:
        if ((uint8_t)value == RESET_VALUE)
            vsdk_vm_stop(vsdk_device_vm(device), VSDK_EXIT_RESET, 0, 0, NULL);
        break;
    case REGION_EVENT:
        pm->enable = (uint16_t)(acpi_pm_merge((uint64_t)pm->enable << 16, access) >> 16);
        break;
    case REGION_CONTROL:
        acpi_pm_write_control(pm, device, access);
        break;
    }
}

static void acpi_pm_reset(void *user, vsdk_device *device)
{
    *(acpi_pm *)user = (acpi_pm){.control = PM1_CONTROL_SCI};
}

static vsdk_status acpi_pm_save(void *user, vsdk_device *device, vsdk_state_writer *writer,
                                vsdk_error *error)
{
    const acpi_pm *pm = user;
    vsdk_status status = vsdk_state_put_number(writer, "sleep_control", pm->sleep_control, error);

    if (!status)
        status = vsdk_state_put_number(writer, "enable", pm->enable, error);
    return status ? status : vsdk_state_put_number(writer, "control", pm->control, error);
}

static vsdk_status acpi_pm_load(void *user, vsdk_device *device, vsdk_state_reader *reader,
                                vsdk_error *error)
{
    uint64_t sleep_control, enable, control;
    vsdk_status status =
        vsdk_state_get_number(reader, "sleep_control", UINT8_MAX, &sleep_control, error);

    if (!status)
        status = vsdk_state_get_number(reader, "enable", UINT16_MAX, &enable, error);
    if (!status)
        status = vsdk_state_get_number(reader, "control", UINT16_MAX, &control, error);
    if (!status)
        *(acpi_pm *)user = (acpi_pm){
            .sleep_control = (uint8_t)sleep_control & (uint8_t)~SLEEP_CONTROL_ENABLE,
            .enable = (uint16_t)enable,
            .control =
                (uint16_t)((control & ~(uint64_t)PM1_CONTROL_SLEEP_ENABLE) | PM1_CONTROL_SCI),
        };
    return status;
}

static const vsdk_device_ops acpi_pm_ops = {
    .size = sizeof(vsdk_device_ops),
    .read = acpi_pm_read,
    .write = acpi_pm_write,
    .reset = acpi_pm_reset,
    .save = acpi_pm_save,
    .load = acpi_pm_load,
    .release = alloc_free,
};

/* The ranges of a kind; how many. */
static uint32_t acpi_pm_ranges(vsdk_acpi_pm_kind kind, uint64_t at, device_range *ranges)
{
    uint32_t n = 0;

    if (kind == VSDK_ACPI_PM_REDUCED) {
        ranges[n++] = (device_range){VSDK_SPACE_PIO, at, 1, REGION_SLEEP_CONTROL};
        ranges[n++] = (device_range){VSDK_SPACE_PIO, at + 1, 1, REGION_SLEEP_STATUS};
        ranges[n++] = (device_range){VSDK_SPACE_PIO, at + 2, 1, REGION_RESET};
        return n;
    }
    ranges[n++] = (device_range){VSDK_SPACE_PIO, at + 4, 2, REGION_CONTROL};
    ranges[n++] = (device_range){VSDK_SPACE_PIO, at + 0xc, 1, REGION_RESET};
    if (kind == VSDK_ACPI_PM_FIXED) {
        ranges[n++] = (device_range){VSDK_SPACE_PIO, at, 4, REGION_EVENT};
        ranges[n++] = (device_range){VSDK_SPACE_PIO, at + 8, 4, REGION_TIMER};
    }
    return n;
}

vsdk_status vsdk_acpi_pm_create(vsdk_vm *vm, const vsdk_acpi_pm_config *config,
                                vsdk_device **device, vsdk_error *error)
{
    vsdk_acpi_pm_config c;
    vsdk_device_config make = {.size = sizeof make, .name = "acpi-pm"};
    device_range ranges[4];
    vsdk_status status = device_begin(vm, device, __func__, error);
    acpi_pm *pm;

    if (!status)
        status = device_read_config(&c, sizeof c, offsetof(vsdk_acpi_pm_config, reserved2), config,
                                    __func__, error);
    if (status)
        return status;
    if (c.kind > VSDK_ACPI_PM_CONTROL)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, __func__, "kind %u is unknown",
                         c.kind);
    if (!c.address)
        c.address = c.kind == VSDK_ACPI_PM_REDUCED ? REDUCED_PORT : FIXED_PORT;
    pm = alloc_zeroed(sizeof *pm);
    if (!pm)
        return error_set(error, VSDK_ERROR_NO_MEMORY, __func__, "no memory for a device");
    acpi_pm_reset(pm, NULL);
    return device_make(vm, &acpi_pm_ops, pm, &make, ranges,
                       acpi_pm_ranges(c.kind, c.address, ranges), device, error);
}
