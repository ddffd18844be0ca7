/* SPDX-License-Identifier: Apache-2.0 */
/* Generated from the descriptions in abi by abi/generate.py. */
#include <vsdk/boot.h>
#include <vsdk/device.h>
#include <vsdk/devices.h>
#include <vsdk/disk.h>
#include <vsdk/exit.h>
#include <vsdk/host.h>
#include <vsdk/irq.h>
#include <vsdk/machine.h>
#include <vsdk/net.h>
#include <vsdk/pci.h>
#include <vsdk/ram.h>
#include <vsdk/types.h>
#include <vsdk/vcpu.h>
#include <vsdk/virtio.h>
#include <vsdk/vm.h>

const char *vsdk_status_name(vsdk_status value)
{
    switch (value) {
    case VSDK_OK:
        return "ok";
    case VSDK_ERROR_INVALID_ARGUMENT:
        return "invalid_argument";
    case VSDK_ERROR_NO_MEMORY:
        return "no_memory";
    case VSDK_ERROR_UNSUPPORTED:
        return "unsupported";
    case VSDK_ERROR_PERMISSION:
        return "permission";
    case VSDK_ERROR_NOT_FOUND:
        return "not_found";
    case VSDK_ERROR_EXISTS:
        return "exists";
    case VSDK_ERROR_STATE:
        return "state";
    case VSDK_ERROR_BUSY:
        return "busy";
    case VSDK_ERROR_GONE:
        return "gone";
    case VSDK_ERROR_RANGE:
        return "range";
    case VSDK_ERROR_LIMIT:
        return "limit";
    case VSDK_ERROR_FORMAT:
        return "format";
    case VSDK_ERROR_UNAVAILABLE:
        return "unavailable";
    case VSDK_ERROR_VERSION:
        return "version";
    case VSDK_ERROR_SYSTEM:
        return "system";
    case VSDK_ERROR_TIMEOUT:
        return "timeout";
    case VSDK_ERROR_RESERVED:
        return "reserved";
    default:
        return "unknown";
    }
}

const char *vsdk_capability_name(vsdk_capability value)
{
    switch (value) {
    case VSDK_CAPABILITY_AUTONOMOUS:
        return "autonomous";
    case VSDK_CAPABILITY_KERNEL_MODE:
        return "kernel_mode";
    case VSDK_CAPABILITY_VCPUS_MAX:
        return "vcpus_max";
    case VSDK_CAPABILITY_MEMORY_MAX:
        return "memory_max";
    case VSDK_CAPABILITY_IRQCHIP_PORTABLE:
        return "irqchip_portable";
    case VSDK_CAPABILITY_IRQCHIP_KERNEL:
        return "irqchip_kernel";
    case VSDK_CAPABILITY_IRQCHIP_NONE:
        return "irqchip_none";
    case VSDK_CAPABILITY_COMPLETE_EXACT:
        return "complete_exact";
    case VSDK_CAPABILITY_SYNC_GENERAL:
        return "sync_general";
    case VSDK_CAPABILITY_SYNC_SREGS:
        return "sync_sregs";
    case VSDK_CAPABILITY_DOORBELL_KERNEL:
        return "doorbell_kernel";
    case VSDK_CAPABILITY_IRQ_LEVEL:
        return "irq_level";
    case VSDK_CAPABILITY_MSI:
        return "msi";
    case VSDK_CAPABILITY_MSI_ALL_MODES:
        return "msi_all_modes";
    case VSDK_CAPABILITY_NMI:
        return "nmi";
    case VSDK_CAPABILITY_READONLY:
        return "readonly";
    case VSDK_CAPABILITY_RAM_ALIAS:
        return "ram_alias";
    case VSDK_CAPABILITY_RAM_SHARED:
        return "ram_shared";
    case VSDK_CAPABILITY_RAM_PRIVATE:
        return "ram_private";
    case VSDK_CAPABILITY_RAM_CALLER:
        return "ram_caller";
    case VSDK_CAPABILITY_DIRTY:
        return "dirty";
    case VSDK_CAPABILITY_HALT_EXIT:
        return "halt_exit";
    case VSDK_CAPABILITY_CRASH_DETAIL:
        return "crash_detail";
    case VSDK_CAPABILITY_EXIT_DEBUG:
        return "exit_debug";
    case VSDK_CAPABILITY_EXIT_MSR:
        return "exit_msr";
    case VSDK_CAPABILITY_EXIT_CPUID:
        return "exit_cpuid";
    case VSDK_CAPABILITY_EXIT_IRQ_WINDOW:
        return "exit_irq_window";
    case VSDK_CAPABILITY_DIRECT_IO:
        return "direct_io";
    case VSDK_CAPABILITY_DEATH_EVENT:
        return "death_event";
    case VSDK_CAPABILITY_DOWN_REGS:
        return "down_regs";
    case VSDK_CAPABILITY_DESCRIPTOR:
        return "descriptor";
    case VSDK_CAPABILITY_ORPHANS:
        return "orphans";
    case VSDK_CAPABILITY_CPUID_SET:
        return "cpuid_set";
    case VSDK_CAPABILITY_FPU:
        return "fpu";
    case VSDK_CAPABILITY_MSI_DESCRIPTOR:
        return "msi_descriptor";
    case VSDK_CAPABILITY_CONSOLE:
        return "console";
    case VSDK_CAPABILITY_PCI_LINES:
        return "pci_lines";
    default:
        return "unknown";
    }
}

const char *vsdk_answer_name(vsdk_answer value)
{
    switch (value) {
    case VSDK_ANSWER_NO:
        return "no";
    case VSDK_ANSWER_YES:
        return "yes";
    case VSDK_ANSWER_EMULATED:
        return "emulated";
    default:
        return "unknown";
    }
}

const char *vsdk_log_level_name(vsdk_log_level value)
{
    switch (value) {
    case VSDK_LOG_ERROR:
        return "error";
    case VSDK_LOG_WARNING:
        return "warning";
    case VSDK_LOG_INFO:
        return "info";
    case VSDK_LOG_DEBUG:
        return "debug";
    default:
        return "unknown";
    }
}

const char *vsdk_exit_reason_name(vsdk_exit_reason value)
{
    switch (value) {
    case VSDK_EXIT_NONE:
        return "none";
    case VSDK_EXIT_PIO:
        return "pio";
    case VSDK_EXIT_MMIO:
        return "mmio";
    case VSDK_EXIT_HALT:
        return "halt";
    case VSDK_EXIT_POWEROFF:
        return "poweroff";
    case VSDK_EXIT_RESET:
        return "reset";
    case VSDK_EXIT_CRASH:
        return "crash";
    case VSDK_EXIT_SUSPEND:
        return "suspend";
    case VSDK_EXIT_WATCHDOG:
        return "watchdog";
    case VSDK_EXIT_SOFT_RESET:
        return "soft_reset";
    case VSDK_EXIT_GUEST_EXIT:
        return "guest_exit";
    case VSDK_EXIT_STOP:
        return "stop";
    case VSDK_EXIT_KICKED:
        return "kicked";
    case VSDK_EXIT_INTERNAL_ERROR:
        return "internal_error";
    case VSDK_EXIT_FAIL_ENTRY:
        return "fail_entry";
    case VSDK_EXIT_MEMORY_FAULT:
        return "memory_fault";
    case VSDK_EXIT_UNKNOWN:
        return "unknown";
    case VSDK_EXIT_DEBUG:
        return "debug";
    case VSDK_EXIT_MSR:
        return "msr";
    case VSDK_EXIT_CPUID:
        return "cpuid";
    case VSDK_EXIT_IRQ_WINDOW:
        return "irq_window";
    case VSDK_EXIT_HALTED:
        return "halted";
    default:
        return "unknown";
    }
}

const char *vsdk_direction_name(vsdk_direction value)
{
    switch (value) {
    case VSDK_DIRECTION_READ:
        return "read";
    case VSDK_DIRECTION_WRITE:
        return "write";
    default:
        return "unknown";
    }
}

const char *vsdk_space_name(vsdk_space value)
{
    switch (value) {
    case VSDK_SPACE_PIO:
        return "pio";
    case VSDK_SPACE_MMIO:
        return "mmio";
    default:
        return "unknown";
    }
}

const char *vsdk_kick_detail_name(vsdk_kick_detail value)
{
    switch (value) {
    case VSDK_KICK_REQUEST:
        return "request";
    case VSDK_KICK_DEADLINE:
        return "deadline";
    case VSDK_KICK_SIGNAL:
        return "signal";
    default:
        return "unknown";
    }
}

const char *vsdk_crash_detail_name(vsdk_crash_detail value)
{
    switch (value) {
    case VSDK_CRASH_UNKNOWN:
        return "unknown";
    case VSDK_CRASH_TRIPLE_FAULT:
        return "triple_fault";
    case VSDK_CRASH_PANIC:
        return "panic";
    default:
        return "unknown";
    }
}

const char *vsdk_vm_state_name(vsdk_vm_state value)
{
    switch (value) {
    case VSDK_VM_CREATED:
        return "created";
    case VSDK_VM_RUNNING:
        return "running";
    case VSDK_VM_PAUSED:
        return "paused";
    case VSDK_VM_STOPPED:
        return "stopped";
    default:
        return "unknown";
    }
}

const char *vsdk_irqchip_name(vsdk_irqchip value)
{
    switch (value) {
    case VSDK_IRQCHIP_PORTABLE:
        return "portable";
    case VSDK_IRQCHIP_KERNEL:
        return "kernel";
    case VSDK_IRQCHIP_NONE:
        return "none";
    default:
        return "unknown";
    }
}

const char *vsdk_vcpu_phase_name(vsdk_vcpu_phase value)
{
    switch (value) {
    case VSDK_VCPU_HELD:
        return "held";
    case VSDK_VCPU_IN_GUEST:
        return "in_guest";
    case VSDK_VCPU_AT_EXIT:
        return "at_exit";
    default:
        return "unknown";
    }
}

const char *vsdk_ram_backing_name(vsdk_ram_backing value)
{
    switch (value) {
    case VSDK_RAM_ANONYMOUS:
        return "anonymous";
    case VSDK_RAM_MEMFD:
        return "memfd";
    case VSDK_RAM_FILE:
        return "file";
    case VSDK_RAM_HUGE:
        return "huge";
    case VSDK_RAM_CALLER:
        return "caller";
    default:
        return "unknown";
    }
}

const char *vsdk_ram_sharing_name(vsdk_ram_sharing value)
{
    switch (value) {
    case VSDK_RAM_PRIVATE:
        return "private";
    case VSDK_RAM_SHARED:
        return "shared";
    default:
        return "unknown";
    }
}

const char *vsdk_disk_format_name(vsdk_disk_format value)
{
    switch (value) {
    case VSDK_DISK_AUTO:
        return "auto";
    case VSDK_DISK_RAW:
        return "raw";
    case VSDK_DISK_QCOW2:
        return "qcow2";
    case VSDK_DISK_VMDK:
        return "vmdk";
    case VSDK_DISK_VHD:
        return "vhd";
    case VSDK_DISK_VHDX:
        return "vhdx";
    case VSDK_DISK_MEMORY:
        return "memory";
    case VSDK_DISK_CUSTOM:
        return "custom";
    default:
        return "unknown";
    }
}

const char *vsdk_disk_cache_name(vsdk_disk_cache value)
{
    switch (value) {
    case VSDK_DISK_WRITEBACK:
        return "writeback";
    case VSDK_DISK_WRITETHROUGH:
        return "writethrough";
    case VSDK_DISK_UNSAFE:
        return "unsafe";
    default:
        return "unknown";
    }
}

const char *vsdk_disk_operation_name(vsdk_disk_operation value)
{
    switch (value) {
    case VSDK_DISK_READ:
        return "read";
    case VSDK_DISK_WRITE:
        return "write";
    case VSDK_DISK_FLUSH:
        return "flush";
    case VSDK_DISK_DISCARD:
        return "discard";
    case VSDK_DISK_WRITE_ZEROES:
        return "write_zeroes";
    default:
        return "unknown";
    }
}

const char *vsdk_stop_mode_name(vsdk_stop_mode value)
{
    switch (value) {
    case VSDK_STOP_FINISH:
        return "finish";
    case VSDK_STOP_PARK:
        return "park";
    default:
        return "unknown";
    }
}

const char *vsdk_irq_trigger_name(vsdk_irq_trigger value)
{
    switch (value) {
    case VSDK_IRQ_EDGE:
        return "edge";
    case VSDK_IRQ_LEVEL:
        return "level";
    default:
        return "unknown";
    }
}

const char *vsdk_acpi_pm_kind_name(vsdk_acpi_pm_kind value)
{
    switch (value) {
    case VSDK_ACPI_PM_REDUCED:
        return "reduced";
    case VSDK_ACPI_PM_FIXED:
        return "fixed";
    case VSDK_ACPI_PM_CONTROL:
        return "control";
    default:
        return "unknown";
    }
}

const char *vsdk_boot_format_name(vsdk_boot_format value)
{
    switch (value) {
    case VSDK_BOOT_AUTO:
        return "auto";
    case VSDK_BOOT_BZIMAGE:
        return "bzimage";
    case VSDK_BOOT_PVH:
        return "pvh";
    case VSDK_BOOT_MULTIBOOT:
        return "multiboot";
    case VSDK_BOOT_FLAT:
        return "flat";
    default:
        return "unknown";
    }
}

const char *vsdk_boot_mode_name(vsdk_boot_mode value)
{
    switch (value) {
    case VSDK_BOOT_REAL:
        return "real";
    case VSDK_BOOT_PROTECTED:
        return "protected";
    case VSDK_BOOT_LONG:
        return "long";
    default:
        return "unknown";
    }
}

const char *vsdk_memory_type_name(vsdk_memory_type value)
{
    switch (value) {
    case VSDK_MEMORY_RAM:
        return "ram";
    case VSDK_MEMORY_RESERVED:
        return "reserved";
    case VSDK_MEMORY_ACPI:
        return "acpi";
    default:
        return "unknown";
    }
}

const char *vsdk_pc_part_name(vsdk_pc_part value)
{
    switch (value) {
    case VSDK_PC_SERIAL:
        return "serial";
    case VSDK_PC_RTC:
        return "rtc";
    case VSDK_PC_I8042:
        return "i8042";
    case VSDK_PC_ACPI_PM:
        return "acpi_pm";
    case VSDK_PC_EXIT_PORT:
        return "exit_port";
    case VSDK_PC_DEBUG_CONSOLE:
        return "debug_console";
    case VSDK_PC_FW_CFG:
        return "fw_cfg";
    case VSDK_PC_PVPANIC:
        return "pvpanic";
    case VSDK_PC_IOAPIC:
        return "ioapic";
    case VSDK_PC_PORT92:
        return "port92";
    case VSDK_PC_GED:
        return "ged";
    case VSDK_PC_PCI_HOST:
        return "pci_host";
    default:
        return "unknown";
    }
}

const char *vsdk_pc_resource_kind_name(vsdk_pc_resource_kind value)
{
    switch (value) {
    case VSDK_PC_PORTS:
        return "ports";
    case VSDK_PC_MEMORY:
        return "memory";
    case VSDK_PC_LINES:
        return "lines";
    default:
        return "unknown";
    }
}

const char *vsdk_pci_ejected_name(vsdk_pci_ejected value)
{
    switch (value) {
    case VSDK_PCI_EJECTED:
        return "ejected";
    case VSDK_PCI_TIMED_OUT:
        return "timed_out";
    default:
        return "unknown";
    }
}

const char *vsdk_virtio_transport_name(vsdk_virtio_transport value)
{
    switch (value) {
    case VSDK_VIRTIO_MMIO:
        return "mmio";
    case VSDK_VIRTIO_PCI:
        return "pci";
    default:
        return "unknown";
    }
}

const char *vsdk_net_gso_name(vsdk_net_gso value)
{
    switch (value) {
    case VSDK_NET_GSO_NONE:
        return "none";
    case VSDK_NET_GSO_TCP4:
        return "tcp4";
    case VSDK_NET_GSO_TCP6:
        return "tcp6";
    case VSDK_NET_GSO_UDP:
        return "udp";
    default:
        return "unknown";
    }
}
