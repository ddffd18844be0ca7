/* SPDX-License-Identifier: Apache-2.0 */
/* The devices and where they are. A device whose addresses the hypervisor serves itself is left
 * out. Those that were made before one fails go with the virtual machine. */
#include "base/checked.h"
#include "machine/pc.h"

#include <vsdk/irq.h>
#include <vsdk/pci.h>

enum { REGION_ZERO = 0, REGION_ONES = 1 };

static vsdk_status make_serial(vsdk_pc *pc, vsdk_device **device, vsdk_error *error)
{
    vsdk_serial_config config = {
        .size = sizeof config,
        .address = PC_SERIAL,
        .gsi = PC_SERIAL_GSI,
        .stream = pc->config.serial,
    };

    return vsdk_serial_create(pc->vm, &config, device, error);
}

static vsdk_status make_rtc(vsdk_pc *pc, vsdk_device **device, vsdk_error *error)
{
    vsdk_rtc_config config = {.size = sizeof config, .address = PC_RTC};

    return vsdk_rtc_create(pc->vm, &config, device, error);
}

static vsdk_status make_i8042(vsdk_pc *pc, vsdk_device **device, vsdk_error *error)
{
    vsdk_i8042_config config = {.size = sizeof config, .address = PC_KEYBOARD};

    return vsdk_i8042_create(pc->vm, &config, device, error);
}

static int pc_is_served(const vsdk_pc *pc, vsdk_space space, uint64_t address, uint64_t length)
{
    for (uint32_t i = 0; i < pc->served_count; i++)
        if (pc->served[i].space == space &&
            ranges_overlap(address, length, pc->served[i].address, pc->served[i].length))
            return 1;
    return 0;
}

static vsdk_status make_acpi_pm(vsdk_pc *pc, vsdk_device **device, vsdk_error *error)
{
    vsdk_acpi_pm_config config = {.size = sizeof config, .address = PC_SLEEP};

    if (pc->config.irqchip == VSDK_IRQCHIP_KERNEL) {
        config.address = PC_PM;
        config.kind =
            pc_is_served(pc, VSDK_SPACE_PIO, PC_PM, 4) ? VSDK_ACPI_PM_CONTROL : VSDK_ACPI_PM_FIXED;
    }
    return vsdk_acpi_pm_create(pc->vm, &config, device, error);
}

static vsdk_status make_exit_port(vsdk_pc *pc, vsdk_device **device, vsdk_error *error)
{
    vsdk_exit_port_config config = {.size = sizeof config, .address = pc->config.exit_port};

    return vsdk_exit_port_create(pc->vm, &config, device, error);
}

static vsdk_status make_debug_console(vsdk_pc *pc, vsdk_device **device, vsdk_error *error)
{
    vsdk_debug_console_config config = {
        .size = sizeof config,
        .address = PC_DEBUG_CONSOLE,
        .stream = pc->config.debug_output,
    };

    return vsdk_debug_console_create(pc->vm, &config, device, error);
}

static vsdk_status make_fw_cfg(vsdk_pc *pc, vsdk_device **device, vsdk_error *error)
{
    vsdk_fw_cfg_config config = {
        .size = sizeof config,
        .address = PC_FW_CFG,
        .vcpus = (uint16_t)pc->config.vcpus,
        .ram = pc->config.memory,
    };

    return vsdk_fw_cfg_create(pc->vm, &config, device, error);
}

static vsdk_status make_pvpanic(vsdk_pc *pc, vsdk_device **device, vsdk_error *error)
{
    vsdk_pvpanic_config config = {.size = sizeof config, .address = PC_PVPANIC};

    return vsdk_pvpanic_create(pc->vm, &config, device, error);
}

static vsdk_status make_port92(vsdk_pc *pc, vsdk_device **device, vsdk_error *error)
{
    vsdk_port92_config config = {.size = sizeof config, .address = PC_PORT92};

    return vsdk_port92_create(pc->vm, &config, device, error);
}

static vsdk_status make_ioapic(vsdk_pc *pc, vsdk_device **device, vsdk_error *error)
{
    vsdk_ioapic_config config = {.size = sizeof config, .address = PC_IOAPIC, .id = PC_IOAPIC_ID};

    if (pc->config.irqchip != VSDK_IRQCHIP_PORTABLE)
        return VSDK_OK;
    return vsdk_ioapic_create(pc->vm, &config, device, error);
}

static vsdk_status make_ged(vsdk_pc *pc, vsdk_device **device, vsdk_error *error)
{
    vsdk_ged_config config = {.size = sizeof config, .address = PC_GED, .gsi = PC_GED_GSI};

    return pc_has_pci(pc) ? vsdk_ged_create(pc->vm, &config, device, error) : VSDK_OK;
}

/* After the event device, by which it tells of functions that come and go. */
static vsdk_status make_pci(vsdk_pc *pc, vsdk_device **device, vsdk_error *error)
{
    vsdk_pci_config config = {
        .size = sizeof config,
        .ecam = PC_ECAM,
        .window = PC_PCI_WINDOW,
        .window_length = PC_PCI_WINDOW_LENGTH,
        .eject_port = PC_EJECT,
        .events = pc->device[VSDK_PC_GED],
    };

    return pc_has_pci(pc) ? vsdk_pci_create(pc->vm, &config, device, error) : VSDK_OK;
}

/* A part is left out where the hypervisor serves its first address. */
static const struct pc_part {
    vsdk_status (*make)(vsdk_pc *pc, vsdk_device **device, vsdk_error *error);
    uint64_t address;
    vsdk_space space;
} pc_parts[PC_PARTS] = {
    [VSDK_PC_SERIAL] = {make_serial, PC_SERIAL, VSDK_SPACE_PIO},
    [VSDK_PC_RTC] = {make_rtc, PC_RTC, VSDK_SPACE_PIO},
    [VSDK_PC_I8042] = {make_i8042, PC_KEYBOARD, VSDK_SPACE_PIO},
    [VSDK_PC_ACPI_PM] = {make_acpi_pm, PC_PM_RESET, VSDK_SPACE_PIO},
    [VSDK_PC_EXIT_PORT] = {make_exit_port, PC_EXIT_PORT, VSDK_SPACE_PIO},
    [VSDK_PC_DEBUG_CONSOLE] = {make_debug_console, PC_DEBUG_CONSOLE, VSDK_SPACE_PIO},
    [VSDK_PC_FW_CFG] = {make_fw_cfg, PC_FW_CFG, VSDK_SPACE_PIO},
    [VSDK_PC_PVPANIC] = {make_pvpanic, PC_PVPANIC, VSDK_SPACE_PIO},
    [VSDK_PC_IOAPIC] = {make_ioapic, PC_IOAPIC, VSDK_SPACE_MMIO},
    [VSDK_PC_PORT92] = {make_port92, PC_PORT92, VSDK_SPACE_PIO},
    [VSDK_PC_GED] = {make_ged, PC_GED, VSDK_SPACE_PIO},
    [VSDK_PC_PCI_HOST] = {make_pci, PC_ECAM, VSDK_SPACE_MMIO},
};

static uint64_t absent_read(void *user, vsdk_device *device, const vsdk_access *access)
{
    return access->region == REGION_ONES ? UINT64_MAX : 0;
}

static const vsdk_device_ops absent_ops = {.size = sizeof(vsdk_device_ops), .read = absent_read};

/* Ports where a PC has something that guests touch without asking. A timer that reads ones makes
 * Linux wait for it 100,000 times. Without PCI the event device that the tables name has no events:
 * it reads 0. */
static vsdk_status make_absent(vsdk_pc *pc, vsdk_error *error)
{
    vsdk_device_config config = {.size = sizeof config, .name = "absent"};
    vsdk_status status = vsdk_device_create(pc->vm, &absent_ops, NULL, &config, &pc->absent, error);

    if (!status && pc->config.irqchip == VSDK_IRQCHIP_PORTABLE)
        status = vsdk_device_add_range(pc->absent, VSDK_SPACE_PIO, PC_PIT, 4, REGION_ZERO, error);
    if (!status && pc->config.irqchip != VSDK_IRQCHIP_NONE && !pc_has_pci(pc))
        status = vsdk_device_add_range(pc->absent, VSDK_SPACE_PIO, PC_GED, PC_GED_LENGTH,
                                       REGION_ZERO, error);
    if (!status && !pc_is_served(pc, VSDK_SPACE_PIO, PC_POST, 1))
        status = vsdk_device_add_range(pc->absent, VSDK_SPACE_PIO, PC_POST, 1, REGION_ONES, error);
    return status;
}

vsdk_status pc_make_devices(vsdk_pc *pc, vsdk_error *error)
{
    vsdk_status status = make_absent(pc, error);

    for (uint32_t i = 0; !status && i < PC_PARTS; i++)
        if (!pc_is_served(pc, pc_parts[i].space, pc_parts[i].address, 1))
            status = pc_parts[i].make(pc, &pc->device[i], error);
    return status;
}
