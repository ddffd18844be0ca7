/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The library's devices.
 *
 * Constructors of the devices that come with the library. They are made of the public tables
 * (device.h, irq.h, dma.h) like those of an embedder, know no hypervisor, and behave the same on
 * every backend. vsdk_pc_create (machine.h) makes all of them at the portable machine's addresses;
 * a machine of one's own makes what it wants, where it wants.
 *
 * Each constructor makes the device and attaches it. The handle may be closed at once: an attached
 * device stays until it is detached or its virtual machine is destroyed.
 *
 * A pointer must not be NULL unless it says that it may be. An error may always be NULL; it is
 * filled in when the call fails.
 *
 * Generated from abi/devices.toml by abi/generate.py.
 */

#ifndef VSDK_DEVICES_H
#define VSDK_DEVICES_H

#include <stddef.h>
#include <stdint.h>

#include <vsdk/device.h>
#include <vsdk/stream.h>
#include <vsdk/types.h>
#include <vsdk/vm.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/*
 * How to make a serial port.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 48 bytes. Since 0.1.
 */
typedef struct vsdk_serial_config {
    uint32_t size;         /* sizeof(vsdk_serial_config) */
    uint32_t flags;        /* Zero */
    uint64_t address;      /* First of 8 ports; 0 for 0x3f8 */
    uint32_t gsi;          /* Interrupt line; 0 for 4 */
    uint32_t reserved;     /* Zero */
    vsdk_stream *stream;   /* The port's end of a stream; the port takes a reference. NULL:
                              nothing is connected, what the guest sends is dropped. */
    uint64_t reserved2[2]; /* Zero */
} vsdk_serial_config;

/*
 * How to make a clock.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 32 bytes. Since 0.1.
 */
typedef struct vsdk_rtc_config {
    uint32_t size;        /* sizeof(vsdk_rtc_config) */
    uint32_t flags;       /* Zero */
    uint64_t address;     /* First of 2 ports; 0 for 0x70 */
    uint32_t gsi;         /* Interrupt line; 0 for 8 */
    uint32_t reserved[3]; /* Zero */
} vsdk_rtc_config;

/*
 * How to make a keyboard controller.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 32 bytes. Since 0.1.
 */
typedef struct vsdk_i8042_config {
    uint32_t size;        /* sizeof(vsdk_i8042_config) */
    uint32_t flags;       /* Zero */
    uint64_t address;     /* The data port; 0 for 0x60. Command and status are 4 above. */
    uint64_t reserved[2]; /* Zero */
} vsdk_i8042_config;

/*
 * Which ACPI power-management registers.
 *
 * Since 0.1.
 */
enum vsdk_acpi_pm_kind_values {
    VSDK_ACPI_PM_REDUCED = 0, /* Hardware-reduced: sleep control at +0, sleep status at +1, reset
                                 register at +2; one byte each */
    VSDK_ACPI_PM_FIXED = 1,   /* Fixed hardware: PM1a status and enable at +0, PM1a control at
                                 +4, a 32-bit timer at +8, reset register at +0xc */
    VSDK_ACPI_PM_CONTROL = 2, /* The part of VSDK_ACPI_PM_FIXED that a hypervisor leaves to
                                 others: control at +4, reset register at +0xc */
};
typedef uint32_t vsdk_acpi_pm_kind;

/*
 * How to make power-management registers.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 40 bytes. Since 0.1.
 */
typedef struct vsdk_acpi_pm_config {
    uint32_t size;          /* sizeof(vsdk_acpi_pm_config) */
    uint32_t flags;         /* Zero */
    uint64_t address;       /* First port; 0 for 0x600 (REDUCED) or 0xb000 */
    vsdk_acpi_pm_kind kind; /* Which registers */
    uint32_t reserved;      /* Zero */
    uint64_t reserved2[2];  /* Zero */
} vsdk_acpi_pm_config;

/*
 * How to make an exit port.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 32 bytes. Since 0.1.
 */
typedef struct vsdk_exit_port_config {
    uint32_t size;        /* sizeof(vsdk_exit_port_config) */
    uint32_t flags;       /* Zero */
    uint64_t address;     /* First of 4 ports; 0 for 0xf4 */
    uint64_t reserved[2]; /* Zero */
} vsdk_exit_port_config;

/*
 * How to make a debug console.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 40 bytes. Since 0.1.
 */
typedef struct vsdk_debug_console_config {
    uint32_t size;         /* sizeof(vsdk_debug_console_config) */
    uint32_t flags;        /* Zero */
    uint64_t address;      /* The port; 0 for 0x402 */
    vsdk_stream *stream;   /* The console's end of a stream; the console takes a reference. NULL
                              drops what the guest writes. What does not fit is dropped. */
    uint64_t reserved2[2]; /* Zero */
} vsdk_debug_console_config;

/*
 * How to make a firmware configuration device.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 40 bytes. Since 0.1.
 */
typedef struct vsdk_fw_cfg_config {
    uint32_t size;        /* sizeof(vsdk_fw_cfg_config) */
    uint32_t flags;       /* Zero */
    uint64_t address;     /* First port; 0 for 0x510 */
    uint16_t vcpus;       /* Keys 5 and 0xf, processors now and at most; 0 for as many as the
                             virtual machine may have */
    uint16_t reserved[3]; /* Zero */
    uint64_t ram;         /* Key 3, size of memory; 0 leaves it out */
    uint64_t reserved2;   /* Zero */
} vsdk_fw_cfg_config;

/*
 * How to make a panic port.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 32 bytes. Since 0.1.
 */
typedef struct vsdk_pvpanic_config {
    uint32_t size;        /* sizeof(vsdk_pvpanic_config) */
    uint32_t flags;       /* Zero */
    uint64_t address;     /* The port; 0 for 0x505 */
    uint64_t reserved[2]; /* Zero */
} vsdk_pvpanic_config;

/*
 * How to make an IOAPIC.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 40 bytes. Since 0.1.
 */
typedef struct vsdk_ioapic_config {
    uint32_t size;        /* sizeof(vsdk_ioapic_config) */
    uint32_t flags;       /* Zero */
    uint64_t address;     /* First of 4096 guest physical addresses; 0 for 0xfec00000 */
    uint32_t first_gsi;   /* Line of pin 0 */
    uint32_t id;          /* Id register after reset, 0 to 15 */
    uint64_t reserved[2]; /* Zero */
} vsdk_ioapic_config;

/*
 * How to make the system control port.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 32 bytes. Since 0.1.
 */
typedef struct vsdk_port92_config {
    uint32_t size;        /* sizeof(vsdk_port92_config) */
    uint32_t flags;       /* Zero */
    uint64_t address;     /* The port; 0 for 0x92 */
    uint64_t reserved[2]; /* Zero */
} vsdk_port92_config;

/*
 * How to make a generic event device.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 32 bytes. Since 0.1.
 */
typedef struct vsdk_ged_config {
    uint32_t size;        /* sizeof(vsdk_ged_config) */
    uint32_t flags;       /* Zero */
    uint64_t address;     /* First of 4 ports; 0 for 0x620 */
    uint32_t gsi;         /* Interrupt line, an edge; 0 for 6 */
    uint32_t reserved[3]; /* Zero */
} vsdk_ged_config;

/*
 * A 16550A serial port.
 *
 * Eight ports and an edge interrupt: receive and transmit FIFOs, line and modem status, loopback,
 * divisor latch. It transmits at once, whatever the speed set, unless the stream is full: then the
 * transmitter is busy until there is room. The last bytes, up to 16, go when the guest touches the
 * port again or the loop of the virtual machine is dispatched. Interrupts do not depend on OUT2. A
 * wide access is one of each register.
 *
 * Input waits in the stream, in order, until the guest reads it. A guest that has set its modem
 * lines and has neither RTS on nor receive interrupts enabled is not shown any, so that nothing is
 * lost while its driver sets the port up. Input that comes while the virtual machine is paused
 * reaches the guest when it goes on.
 *
 *   config  NULL for all defaults.
 *   device  Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm or device is NULL, or a flag is unknown
 *   LIMIT             the line is above 1023
 *   RANGE             the addresses leave their space
 *   EXISTS            guest memory or another device is there
 *   RESERVED          the hypervisor serves these addresses itself
 *   UNSUPPORTED       the configuration has a later version's field
 *   NO_MEMORY         no memory
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: briefly: until accesses and calls that are under way have passed. From
 * callbacks: yes. States: any. Backends: all. Since 0.1.
 * Source: National Semiconductor PC16550D data sheet.
 */
vsdk_status vsdk_serial_create(vsdk_vm *vm, const vsdk_serial_config *config, vsdk_device **device,
                               vsdk_error *error);

/*
 * A CMOS clock (MC146818) that tells the host's wall time in UTC.
 *
 * BCD or binary, 12 or 24 hours, a century byte at 0x32, update-in-progress, alarm registers and
 * 114 bytes of memory. The guest may set the time: its difference from the host's is kept.
 *
 * Periodic, alarm and update-ended events show in register C, and make interrupts where they are
 * enabled in register B; the line is high until the guest reads C. A timer of the virtual machine's
 * loop looks for them (vsdk_vm_loop): where nobody dispatches it, there are no interrupts. Timer
 * and loop are made when a guest first asks for one (where new descriptors are forbidden once the
 * guest runs, call vsdk_vm_loop before); the timer stands while an interrupt is unanswered, and
 * ends with a detach. The portable machine has this clock, and its tables do not deny it.
 *
 *   config  NULL for all defaults.
 *   device  Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm or device is NULL, or a flag is unknown
 *   LIMIT             the line is above 1023
 *   RANGE             the addresses leave their space
 *   EXISTS            guest memory or another device is there
 *   RESERVED          the hypervisor serves these addresses itself
 *   UNSUPPORTED       the configuration has a later version's field
 *   NO_MEMORY         no memory
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: briefly: until accesses and calls that are under way have passed. From
 * callbacks: yes. States: any. Backends: all. Since 0.1.
 * Source: Motorola MC146818A data sheet.
 */
vsdk_status vsdk_rtc_create(vsdk_vm *vm, const vsdk_rtc_config *config, vsdk_device **device,
                            vsdk_error *error);

/*
 * A keyboard controller without a keyboard, for its reset line.
 *
 * Status and data read 0. An even command from 0xf0 to 0xfe, and a write of the output port with
 * bit 0 clear, stop the virtual machine with VSDK_EXIT_RESET.
 *
 *   config  NULL for all defaults.
 *   device  Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm or device is NULL, or a flag is unknown
 *   RANGE             the addresses leave their space
 *   EXISTS            guest memory or another device is there
 *   RESERVED          the hypervisor serves these addresses itself
 *   UNSUPPORTED       the configuration has a later version's field
 *   NO_MEMORY         no memory
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: briefly: until accesses and calls that are under way have passed. From
 * callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_i8042_create(vsdk_vm *vm, const vsdk_i8042_config *config, vsdk_device **device,
                              vsdk_error *error);

/*
 * The name of a vsdk_acpi_pm_kind: reduced, fixed, control.
 *
 *   value  Any value.
 *
 * Returns the name in lower case, unknown for a value without one (static).
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
const char *vsdk_acpi_pm_kind_name(vsdk_acpi_pm_kind value);

/*
 * Power-off and reset by ACPI.
 *
 * Sleep type 5 stops the virtual machine with VSDK_EXIT_POWEROFF, another one with
 * VSDK_EXIT_SUSPEND and the type as its code; 1 written to the reset register with VSDK_EXIT_RESET.
 *
 *   config  NULL for all defaults.
 *   device  Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm or device is NULL, or a flag or the kind is unknown
 *   RANGE             the addresses leave their space
 *   EXISTS            guest memory or another device is there
 *   RESERVED          the hypervisor serves these addresses itself
 *   UNSUPPORTED       the configuration has a later version's field
 *   NO_MEMORY         no memory
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: briefly: until accesses and calls that are under way have passed. From
 * callbacks: yes. States: any. Backends: all. Since 0.1.
 * Source: ACPI 6.5, sections 4.8.3 and 4.8.4.
 */
vsdk_status vsdk_acpi_pm_create(vsdk_vm *vm, const vsdk_acpi_pm_config *config,
                                vsdk_device **device, vsdk_error *error);

/*
 * A port by which a guest ends with a code.
 *
 * A write of any width to the first port stops the virtual machine with VSDK_EXIT_GUEST_EXIT and
 * the value written. Reads give all ones.
 *
 *   config  NULL for all defaults.
 *   device  Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm or device is NULL, or a flag is unknown
 *   RANGE             the addresses leave their space
 *   EXISTS            guest memory or another device is there
 *   RESERVED          the hypervisor serves these addresses itself
 *   UNSUPPORTED       the configuration has a later version's field
 *   NO_MEMORY         no memory
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: briefly: until accesses and calls that are under way have passed. From
 * callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_exit_port_create(vsdk_vm *vm, const vsdk_exit_port_config *config,
                                  vsdk_device **device, vsdk_error *error);

/*
 * A port that takes text.
 *
 * Reads give 0xe9, by which a guest finds it.
 *
 *   config  NULL for all defaults.
 *   device  Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm or device is NULL, or a flag is unknown
 *   RANGE             the addresses leave their space
 *   EXISTS            guest memory or another device is there
 *   RESERVED          the hypervisor serves these addresses itself
 *   UNSUPPORTED       the configuration has a later version's field
 *   NO_MEMORY         no memory
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: briefly: until accesses and calls that are under way have passed. From
 * callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_debug_console_create(vsdk_vm *vm, const vsdk_debug_console_config *config,
                                      vsdk_device **device, vsdk_error *error);

/*
 * The firmware configuration device, by which guests read items.
 *
 * Selector at +0, data at +1, DMA at +4 (big-endian, see source). It has the signature QEMU (key
 * 0), its features (1), the processors and the memory of the configuration, and a directory of
 * files (0x19); more by vsdk_fw_cfg_add. Items can't be written.
 *
 * A transfer by DMA that asks for more than an item has gets zeros; one that asks for more than 1
 * MiB beyond it fails, so that no access of a guest's keeps a thread busy for long.
 *
 *   config  NULL for all defaults.
 *   device  Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm or device is NULL, or a flag is unknown
 *   RANGE             the addresses leave their space
 *   EXISTS            guest memory or another device is there
 *   RESERVED          the hypervisor serves these addresses itself
 *   UNSUPPORTED       the configuration has a later version's field
 *   NO_MEMORY         no memory
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: briefly: until accesses and calls that are under way have passed. From
 * callbacks: yes. States: any. Backends: all. Since 0.1.
 * Source: QEMU, docs/specs/fw_cfg.rst.
 */
vsdk_status vsdk_fw_cfg_create(vsdk_vm *vm, const vsdk_fw_cfg_config *config, vsdk_device **device,
                               vsdk_error *error);

/*
 * Add an item to a firmware configuration device.
 *
 * With a name it becomes a file, the next free key from 0x20 on is given to it, and it appears in
 * the directory; key is then ignored. Without a name it is the item of key.
 *
 *   device  A device of vsdk_fw_cfg_create.
 *   key     1 to 0x1f but 0x19, for an item without a name.
 *   name    Name of a file, up to 55 bytes, or NULL. Copied.
 *   bytes   (length bytes) The item. Copied.
 *   length  (bytes) Up to 4 GiB - 1; may be 0.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  device is NULL or no fw_cfg, bytes is NULL with a length, the key is not one
 *                     of those, or the name is empty
 *   EXISTS            the key or the name is taken
 *   LIMIT             the name or the item is too long, or there are 64 files already
 *   NO_MEMORY         no memory
 *   STATE             called in a forked child
 * Threads: any. Blocks: until a callback of the device has returned. From callbacks: yes. States:
 * any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_fw_cfg_add(vsdk_device *device, uint32_t key, const char *name, const void *bytes,
                            uint64_t length, vsdk_error *error);

/*
 * A port by which a guest says that it panicked.
 *
 * Reads 3 (both events are known). A write with bit 0 stops the virtual machine with
 * VSDK_EXIT_CRASH and VSDK_CRASH_PANIC; bit 1, a crash that the guest handles itself, is ignored.
 *
 *   config  NULL for all defaults.
 *   device  Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm or device is NULL, or a flag is unknown
 *   RANGE             the addresses leave their space
 *   EXISTS            guest memory or another device is there
 *   RESERVED          the hypervisor serves these addresses itself
 *   UNSUPPORTED       the configuration has a later version's field
 *   NO_MEMORY         no memory
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: briefly: until accesses and calls that are under way have passed. From
 * callbacks: yes. States: any. Backends: all. Since 0.1.
 * Source: QEMU, docs/specs/pvpanic.rst.
 */
vsdk_status vsdk_pvpanic_create(vsdk_vm *vm, const vsdk_pvpanic_config *config,
                                vsdk_device **device, vsdk_error *error);

/*
 * An IOAPIC with 24 pins, the controller of 24 interrupt lines.
 *
 * A rising edge of an unmasked pin becomes an edge-triggered message (vsdk_vm_send_msi); so does
 * unmasking a pin whose line is high. An edge that comes while its pin is masked is kept, also when
 * the line falls again: unmasking the pin sends it, once however many came.
 *
 * Level entries are the same: the end of an interrupt can't be reported to an IOAPIC outside the
 * hypervisor everywhere (Xen never does), so a level entry is sent once when its line rises, and
 * again when the guest unmasks it while the line is high; remote IRR reads 0. Guests that mask a
 * level entry while they serve it, or that end one which arrived as an edge by masking and
 * unmasking it (Linux, for an IOAPIC of version 0x11), get every interrupt; for others a device
 * lowers its line and raises it again for what is new. It takes no lock.
 *
 * Detached, it remains the lines' controller: vsdk_irq_controller_detach.
 *
 *   config  NULL for all defaults.
 *   device  Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm or device is NULL, a flag is unknown, or the id is above 15
 *   LIMIT             a line is above 1023
 *   RANGE             the addresses leave their space
 *   EXISTS            guest memory or another device is there, or a controller has one of these
 *                     lines
 *   RESERVED          the hypervisor serves these addresses itself
 *   UNSUPPORTED       the configuration has a later version's field, or the virtual machine has no
 *                     local APIC
 *   NO_MEMORY         no memory
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: briefly: until accesses and calls that are under way have passed. From
 * callbacks: yes. States: any. Backends: all. Since 0.1.
 * Source: Intel 82093AA data sheet.
 */
vsdk_status vsdk_ioapic_create(vsdk_vm *vm, const vsdk_ioapic_config *config, vsdk_device **device,
                               vsdk_error *error);

/*
 * System control port A: fast reset and the A20 gate.
 *
 * A write with bit 0 set stops the virtual machine with VSDK_EXIT_RESET. Address line 20 is never
 * masked: reads have bit 1 (A20 is open) set and all others clear, and what is written to bit 1 is
 * ignored.
 *
 *   config  NULL for all defaults.
 *   device  Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm or device is NULL, or a flag is unknown
 *   RANGE             the addresses leave their space
 *   EXISTS            guest memory or another device is there
 *   RESERVED          the hypervisor serves these addresses itself
 *   UNSUPPORTED       the configuration has a later version's field
 *   NO_MEMORY         no memory
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: briefly: until accesses and calls that are under way have passed. From
 * callbacks: yes. States: any. Backends: all. Since 0.1.
 * Source: IBM PS/2 Hardware Interface Technical Reference.
 */
vsdk_status vsdk_port92_create(vsdk_vm *vm, const vsdk_port92_config *config, vsdk_device **device,
                               vsdk_error *error);

/*
 * A generic event device (ACPI0013): events that the guest reads.
 *
 * A read of its 4 ports gives the events that were raised since the last one, a bit each, and
 * clears them; another width reads 0. The line is high until then.
 *
 *   config  NULL for all defaults.
 *   device  Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm or device is NULL, or a flag is unknown
 *   LIMIT             the line is above 1023
 *   RANGE             the addresses leave their space
 *   EXISTS            guest memory or another device is there
 *   RESERVED          the hypervisor serves these addresses itself
 *   UNSUPPORTED       the configuration has a later version's field
 *   NO_MEMORY         no memory
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: briefly: until accesses and calls that are under way have passed. From
 * callbacks: yes. States: any. Backends: all. Since 0.1.
 * Source: ACPI 6.5, section 5.6.9.
 */
vsdk_status vsdk_ged_create(vsdk_vm *vm, const vsdk_ged_config *config, vsdk_device **device,
                            vsdk_error *error);

/*
 * Raise events of a generic event device.
 *
 * While the device is stopped they are kept; its start raises the line.
 *
 *   device  (inout) The event device.
 *   events  A bit each.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, or the device is no event device
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_ged_raise(vsdk_device *device, uint32_t events, vsdk_error *error);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* VSDK_DEVICES_H */
