/* SPDX-License-Identifier: Apache-2.0 */
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
    vsdk_vm *vm;
    uint8_t sleep_control;
    uint16_t enable, control;
} acpi_pm;

static void acpi_pm_sleep(acpi_pm *pm, uint32_t type)
{
    if (type == SLEEP_TYPE_OFF)
        vsdk_vm_stop(pm->vm, VSDK_EXIT_POWEROFF, 0, 0, NULL);
    else
        vsdk_vm_stop(pm->vm, VSDK_EXIT_SUSPEND, type, 0, NULL);
}

static uint64_t acpi_pm_timer(const acpi_pm *pm)
{
    uint64_t ns = vsdk_vm_clock(pm->vm);

    return (uint32_t)(ns / 1000000000 * TIMER_HZ + ns % 1000000000 * TIMER_HZ / 1000000000);
}

/* Status (always clear) in the low half, enable in the high one. */
static uint64_t acpi_pm_event(const acpi_pm *pm, uint64_t offset)
{
    return (uint64_t)pm->enable << 16 >> (offset * 8);
}

static uint64_t acpi_pm_read(void *user, uint32_t region, uint64_t offset, uint32_t width)
{
    const acpi_pm *pm = user;

    switch (region) {
    case REGION_SLEEP_CONTROL:
        return pm->sleep_control;
    case REGION_EVENT:
        return acpi_pm_event(pm, offset);
    case REGION_CONTROL:
        return (uint64_t)pm->control >> (offset * 8);
    case REGION_TIMER:
        return acpi_pm_timer(pm) >> (offset * 8);
    default:
        return 0;
    }
}

/* `old` with `width` bytes from `offset` on replaced. */
static uint64_t acpi_pm_merge(uint64_t old, uint64_t offset, uint32_t width, uint64_t value)
{
    uint64_t mask = device_cut(UINT64_MAX, width) << (offset * 8);

    return (old & ~mask) | (value << (offset * 8) & mask);
}

static void acpi_pm_write_control(acpi_pm *pm, uint64_t offset, uint32_t width, uint64_t value)
{
    uint64_t merged = acpi_pm_merge(pm->control, offset, width, value);

    pm->control = (uint16_t)((merged & ~(uint64_t)PM1_CONTROL_SLEEP_ENABLE) | PM1_CONTROL_SCI);
    if (merged & PM1_CONTROL_SLEEP_ENABLE)
        acpi_pm_sleep(pm, merged >> 10 & 7);
}

static void acpi_pm_write(void *user, uint32_t region, uint64_t offset, uint32_t width,
                          uint64_t value)
{
    acpi_pm *pm = user;

    switch (region) {
    case REGION_SLEEP_CONTROL:
        pm->sleep_control = (uint8_t)(value & ~(uint64_t)SLEEP_CONTROL_ENABLE);
        if (value & SLEEP_CONTROL_ENABLE)
            acpi_pm_sleep(pm, value >> 2 & 7);
        break;
    case REGION_RESET:
        if ((uint8_t)value == RESET_VALUE)
            vsdk_vm_stop(pm->vm, VSDK_EXIT_RESET, 0, 0, NULL);
        break;
    case REGION_EVENT:
        pm->enable =
            (uint16_t)(acpi_pm_merge((uint64_t)pm->enable << 16, offset, width, value) >> 16);
        break;
    case REGION_CONTROL:
        acpi_pm_write_control(pm, offset, width, value);
        break;
    }
}

static const vsdk_device_ops acpi_pm_ops = {
    .size = sizeof(vsdk_device_ops),
    .read = acpi_pm_read,
    .write = acpi_pm_write,
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
    pm->vm = vm;
    pm->control = PM1_CONTROL_SCI;
    return device_make(vm, &acpi_pm_ops, pm, &make, ranges,
                       acpi_pm_ranges(c.kind, c.address, ranges), device, error);
}
