/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The portable machine.
 *
 * A PC, so that booting a kernel is short: a virtual machine with memory, the library's devices,
 * ACPI tables, processors and a loaded image.
 *
 * It is described once, by vsdk_pc_config, then built: vsdk_pc_create makes the virtual machine,
 * its memory and its devices; vsdk_pc_boot writes the tables, loads a guest and makes the
 * processors.
 *
 * With VSDK_IRQCHIP_PORTABLE it is the portable machine: addresses, interrupt numbers, tables and
 * memory map are the same bytes on every backend. It is a hardware-reduced ACPI machine: local
 * APICs, an IOAPIC with 24 pins, a serial port, no PIC, PIT, HPET or PM timer. With
 * VSDK_IRQCHIP_KERNEL the hypervisor's PIC, PIT and IOAPIC are there and the tables say so; what
 * the hypervisor serves itself is left to it. With VSDK_IRQCHIP_NONE there are memory and ports
 * only.
 *
 * | what | where |
 * |---|---|
 * | RAM | 0 to 0xbfffffff, the rest from 4 GiB |
 * | told as RAM | not 0xa0000 to 0xfffff |
 * | BIOS data area | 0x400 to 0x414: serial port, equipment, 640 KiB of base memory |
 * | ACPI tables | 0xe0000 to 0xe1fff, with PCI to 0xe2fff, reserved |
 * | with PCI: BARs | 0xc0000000 to 0xdfffffff |
 * | with PCI: configuration space | 0xe0000000 to 0xe00fffff, reserved |
 * | IOAPIC | 0xfec00000, lines 0 to 23 |
 * | local APICs | 0xfee00000, id 2 * vCPU |
 * | reserved for hypervisors | 0xfeff8000 to 0xfeffffff |
 * | serial port | 0x3f8, line 4 |
 * | clock | 0x70, line 8 |
 * | keyboard controller (reset only) | 0x60, 0x64 |
 * | system control port (reset, A20) | 0x92 |
 * | exit port | 0xf4 |
 * | debug console | 0x402 |
 * | pvpanic | 0x505 |
 * | fw_cfg | 0x510 |
 * | power management | 0x600 (portable), 0xb000 (kernel) |
 * | generic event device | 0x620, line 6 |
 * | ports that vsdk_pc_claim chooses | 0x1000 to 0xafff |
 * | addresses that it chooses | 0xf0000000 to 0xfebfffff |
 * | lines that it chooses | 16 to 23, then 10 to 15, then 5 and 7 |
 *
 * Ports 0x40 to 0x43 read 0 in the portable machine, and port 0x80 takes writes. The other two
 * machines have no memory from 0xa0000 to 0xbffff, so that a device of the embedder's may be there.
 *
 * A guest finds a device of the embedder's by a node in the ACPI tables, which says what it is and
 * where. vsdk_pc_claim gives addresses and lines, vsdk_device_add_range and vsdk_irq_create serve
 * them, and vsdk_pc_add_node tells of them.
 *
 * A pointer must not be NULL unless it says that it may be. An error may always be NULL; it is
 * filled in when the call fails.
 *
 * Generated from abi/machine.toml by abi/generate.py.
 */

#ifndef VSDK_MACHINE_H
#define VSDK_MACHINE_H

#include <stddef.h>
#include <stdint.h>

#include <vsdk/boot.h>
#include <vsdk/device.h>
#include <vsdk/devices.h>
#include <vsdk/exit.h>
#include <vsdk/host.h>
#include <vsdk/pci.h>
#include <vsdk/ram.h>
#include <vsdk/stream.h>
#include <vsdk/types.h>
#include <vsdk/vcpu.h>
#include <vsdk/vm.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/*
 * A machine: what vsdk_pc_create made and where. Counted. It keeps a reference to its virtual
 * machine. Since 0.1.
 */
typedef struct vsdk_pc vsdk_pc;

/*
 * The devices of a machine.
 *
 * Since 0.1.
 */
enum vsdk_pc_part_values {
    VSDK_PC_SERIAL = 0,        /* Serial port */
    VSDK_PC_RTC = 1,           /* Clock */
    VSDK_PC_I8042 = 2,         /* Keyboard controller */
    VSDK_PC_ACPI_PM = 3,       /* Power management */
    VSDK_PC_EXIT_PORT = 4,     /* Exit port */
    VSDK_PC_DEBUG_CONSOLE = 5, /* Debug console */
    VSDK_PC_FW_CFG = 6,        /* Firmware configuration */
    VSDK_PC_PVPANIC = 7,       /* Panic port */
    VSDK_PC_IOAPIC = 8,        /* IOAPIC */
    VSDK_PC_PORT92 = 9,        /* System control port (reset, A20) */
    VSDK_PC_GED = 10,          /* Generic event device; only with VSDK_PC_PCI */
    VSDK_PC_PCI_HOST = 11,     /* PCI host; only with VSDK_PC_PCI */
};
typedef uint32_t vsdk_pc_part;

/*
 * Flags of vsdk_pc_config.
 *
 * Since 0.1.
 */
enum vsdk_pc_flags_values {
    VSDK_PC_PCI = 0x1, /* The machine has a PCI host (pci.h), and its tables tell of it */
};
typedef uint32_t vsdk_pc_flags;

/* As the address of a claim: the machine chooses. Since 0.1. */
#define VSDK_PC_ANY UINT64_C(0xffffffffffffffff)

/*
 * What a device uses of a machine.
 *
 * Since 0.1.
 */
enum vsdk_pc_resource_kind_values {
    VSDK_PC_PORTS = 0,  /* Ports, 0 to 0xffff */
    VSDK_PC_MEMORY = 1, /* Guest physical addresses where there is no RAM of the machine's */
    VSDK_PC_LINES = 2,  /* Interrupt lines, 0 to 23 */
};
typedef uint32_t vsdk_pc_resource_kind;

/*
 * Flags of vsdk_pc_resource.
 *
 * Since 0.1.
 */
enum vsdk_pc_resource_flags_values {
    VSDK_PC_LEVEL = 0x1, /* Lines: level-triggered; without it they are edges. The portable
                            machine's lines are edges. */
};
typedef uint32_t vsdk_pc_resource_flags;

/*
 * Ports, addresses or lines that a device uses.
 *
 * 24 bytes. Since 0.1.
 */
typedef struct vsdk_pc_resource {
    vsdk_pc_resource_kind kind;   /* Which of them */
    vsdk_pc_resource_flags flags; /* How */
    uint64_t address;             /* The first */
    uint64_t length;              /* How many, at least 1 */
} vsdk_pc_resource;

/*
 * What the ACPI tables say of a device of the embedder's. An id has 7 characters (three capital
 * letters and four hexadecimal digits, as PNP0501) or 8 (four capital letters or digits and four
 * hexadecimal digits, as LNRO0005); hexadecimal digits above 9 are capital letters.
 *
 * 272 bytes. Since 0.1.
 */
typedef struct vsdk_pc_node {
    char hid[16];                  /* What the device is (_HID), with a zero at its end */
    char cid[16];                  /* What it is compatible with (_CID); empty for nothing */
    uint32_t uid;                  /* Tells devices of one hid apart (_UID) */
    uint32_t flags;                /* Zero */
    uint32_t resource_count;       /* How many resources it has, 8 at most */
    uint32_t reserved;             /* Zero */
    vsdk_pc_resource resources[8]; /* Where it is (_CRS), in this order */
    uint64_t reserved2[4];         /* Zero */
} vsdk_pc_node;

/*
 * The description of a machine. Everything that it says is said here once. All pointers are
 * borrowed for the call.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 128 bytes. Since 0.1.
 */
typedef struct vsdk_pc_config {
    uint32_t size;                /* sizeof(vsdk_pc_config) */
    uint32_t flags;               /* vsdk_pc_flags */
    uint64_t memory;              /* (bytes) RAM, a multiple of 4096, at least 2 MiB; 0 for 256
                                     MiB */
    uint64_t memory_max;          /* (bytes) Most guest memory that will ever be mapped at a
                                     time; 0 for memory. It is more where the embedder maps
                                     memory of its own. */
    uint32_t vcpus;               /* Processors, 127 at most; 0 for 1 */
    vsdk_irqchip irqchip;         /* Interrupt controllers */
    vsdk_vm_flags vm_flags;       /* Flags of the virtual machine */
    uint32_t exit_port;           /* First of the exit port's 4 ports; 0 for 0xf4 */
    const vsdk_vcpu_config *vcpu; /* For every processor; its exit is NULL. NULL for all
                                     defaults. */
    const vsdk_ram_config *ram;   /* What RAM is made of, and who shares it. NULL for all
                                     defaults. */
    vsdk_stream *serial;          /* (may be NULL) The serial port's end of a stream; the port
                                     takes a reference */
    vsdk_stream *debug_output;    /* (may be NULL) The debug console's end of a stream; the
                                     console takes a reference */
    vsdk_stream *console;         /* (may be NULL) As in vsdk_vm_config: for the console that the
                                     hypervisor gives the guest */
    const vsdk_pc_node *nodes;    /* (may be NULL) Devices of the embedder's, as by
                                     vsdk_pc_add_node */
    uint32_t node_count;          /* How many */
    uint32_t reserved;            /* Zero */
    uint64_t reserved2[4];        /* Zero */
} vsdk_pc_config;

/*
 * Take a reference more.
 *
 *   pc  Inout.
 *
 * Returns the same handle (new reference).
 * Given NULL: returns NULL.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_pc *vsdk_pc_ref(vsdk_pc *pc);

/*
 * The name of a vsdk_pc_part: serial, rtc, i8042 and so on.
 *
 *   value  Any value.
 *
 * Returns the name in lower case, unknown for a value without one (static).
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
const char *vsdk_pc_part_name(vsdk_pc_part value);

/*
 * The name of a vsdk_pc_resource_kind: ports, memory, lines.
 *
 *   value  Any value.
 *
 * Returns the name in lower case, unknown for a value without one (static).
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
const char *vsdk_pc_resource_kind_name(vsdk_pc_resource_kind value);

/*
 * Make a machine.
 *
 * Makes the virtual machine, maps its memory and attaches its devices. A device whose addresses the
 * hypervisor serves itself (vsdk_vm_list_reserved) is left out. The processors are made by
 * vsdk_pc_boot; until then the embedder may do with the virtual machine what is done in CREATED,
 * such as vsdk_x86_vm_set_cpuid.
 *
 * When it fails nothing is left behind.
 *
 *   host    Where. Kept alive.
 *   config  NULL for all defaults.
 *   pc      Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, a field has an unknown value, memory is too small or not a
 *                     multiple of 4096, memory_max is less than memory, the processors have an exit
 *                     record, or as vsdk_ram_create and vsdk_pc_add_node
 *   RESERVED          the hypervisor serves the exit port's ports or a node's resources itself
 *   UNSUPPORTED       the backend has no such interrupt controller, flag or memory, or no console,
 *                     a configuration has a later version's field, PCI without interrupt
 *                     controllers, or as vsdk_pc_add_node
 *   RANGE             the exit port's 4 ports leave their space, or as vsdk_ram_create and
 *                     vsdk_pc_add_node
 *   LIMIT             more processors, memory or nodes than there may be, or there are no more
 *                     descriptors
 *   EXISTS            the exit port is where another device is, or as vsdk_pc_add_node
 *   PERMISSION        as vsdk_ram_create
 *   NO_MEMORY         no memory, or the hypervisor has none
 *   SYSTEM            the hypervisor refused
 *   STATE             called in a forked child
 * Threads: any. Blocks: briefly: asks the hypervisor. From callbacks: yes. States: any. Backends:
 * all. Since 0.1.
 */
vsdk_status vsdk_pc_create(vsdk_host *host, const vsdk_pc_config *config, vsdk_pc **pc,
                           vsdk_error *error);

/*
 * Drop a reference to a machine.
 *
 * The last one drops the machine's reference to its virtual machine. Who has none of its own
 * destroys it with this: see vsdk_vm_close. Who needs it for longer takes one by vsdk_vm_ref;
 * memory, devices and processors then stay as they are.
 *
 *   pc  (may be NULL) The reference to drop.
 *
 * Given NULL: does nothing.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
void vsdk_pc_close(vsdk_pc *pc);

/*
 * The virtual machine of a machine.
 *
 * Returns the virtual machine, alive as long as the machine (borrowed).
 * Given NULL: returns NULL.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_vm *vsdk_pc_vm(vsdk_pc *pc);

/*
 * The description of a machine as it was built.
 *
 * What was zero or NULL for a default is filled in. vcpu, ram and nodes point into the machine and
 * are valid as long as it is; nodes changes with vsdk_pc_add_node. A descriptor in ram is the
 * caller's, who may have closed it. serial, debug_output and console are NULL: streams are not
 * described. So another machine of the same kind can be made of it.
 *
 *   config  (out) Filled; its size is set by the caller.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, or size is too small
 *   STATE             called in a forked child
 * Threads: any; one at a time a machine. Blocks: no. From callbacks: yes. States: any. Backends:
 * all. Since 0.1.
 */
vsdk_status vsdk_pc_get_config(vsdk_pc *pc, vsdk_pc_config *config, vsdk_error *error);

/*
 * Get ports, addresses or lines for a device of the embedder's.
 *
 * What is given belongs to nobody else: not to the machine, the hypervisor, a node or another
 * claim. The machine chooses ports and addresses that are a multiple of the length, or of the next
 * power of two; addresses also of 4096. Memory that the embedder maps itself is claimed like a
 * device's addresses.
 *
 * A claim says nothing to the guest: vsdk_pc_add_node does. It lasts until vsdk_pc_unclaim, also
 * beyond a reset. There may be 256.
 *
 *   kind     What.
 *   address  The first, or VSDK_PC_ANY.
 *   length   How many, at least 1.
 *   got      (out) The first that was given.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, the kind is unknown, or the length is 0
 *   EXISTS            the machine has some of it, or a node, or another claim
 *   RESERVED          the hypervisor serves some of it itself
 *   RANGE             there are not so many ports, addresses or lines
 *   LIMIT             nothing of that length is free, or there are 256 claims
 *   UNSUPPORTED       lines of a machine without interrupt controllers
 *   NO_MEMORY         no memory
 *   STATE             called in a forked child
 * Threads: any; one at a time a machine. Blocks: no. From callbacks: yes. States: any. Backends:
 * all. Since 0.1.
 */
vsdk_status vsdk_pc_claim(vsdk_pc *pc, vsdk_pc_resource_kind kind, uint64_t address,
                          uint64_t length, uint64_t *got, vsdk_error *error);

/*
 * Give a claim back.
 *
 *   kind     What.
 *   address  The first, as it was given.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  pc is NULL
 *   NOT_FOUND         no claim begins there
 *   STATE             called in a forked child
 * Threads: any; one at a time a machine. Blocks: no. From callbacks: yes. States: any. Backends:
 * all. Since 0.1.
 */
vsdk_status vsdk_pc_unclaim(vsdk_pc *pc, vsdk_pc_resource_kind kind, uint64_t address,
                            vsdk_error *error);

/*
 * Tell a machine's guest of a device.
 *
 * The node is copied. The next vsdk_pc_boot writes it into the tables; a guest that was loaded
 * before does not see it. It stays, also beyond a reset, until vsdk_pc_remove_node.
 *
 * Its resources overlap nothing of the machine's or of another node's. They may have been claimed,
 * and need not.
 *
 *   node  What to tell.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, an id is malformed, a flag or kind is unknown, or a length
 *                     is 0
 *   EXISTS            a device of this hid and uid is there, or the machine or another node has
 *                     some of a resource, or two resources overlap
 *   RESERVED          the hypervisor serves some of a resource itself
 *   RANGE             a resource leaves its space
 *   LIMIT             more than 8 resources or 32 nodes, or the tables are full
 *   UNSUPPORTED       the machine has no tables (VSDK_IRQCHIP_NONE), its lines are edges, or the
 *                     node has a later version's field
 *   STATE             the guest was started already, or called in a forked child
 *   NO_MEMORY         no memory
 *   GONE              the virtual machine was destroyed
 * Threads: any; one at a time a machine. Blocks: no. From callbacks: yes. States: CREATED.
 * Backends: all. Since 0.1.
 */
vsdk_status vsdk_pc_add_node(vsdk_pc *pc, const vsdk_pc_node *node, vsdk_error *error);

/*
 * Tell a machine's next guest no more of a device.
 *
 *   hid  Its hid.
 *   uid  Its uid.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL
 *   NOT_FOUND         there is no such node
 *   STATE             the guest was started already, or called in a forked child
 *   GONE              the virtual machine was destroyed
 * Threads: any; one at a time a machine. Blocks: no. From callbacks: yes. States: CREATED.
 * Backends: all. Since 0.1.
 */
vsdk_status vsdk_pc_remove_node(vsdk_pc *pc, const char *hid, uint32_t uid, vsdk_error *error);

/*
 * Load a guest and set its processors up.
 *
 * Writes the ACPI tables, from what the machine and its nodes are at this moment. Then as
 * vsdk_boot_load with the machine's memory map and these tables. Memory ranges in the configuration
 * are told to the guest beside the machine's own: memory that the embedder has mapped elsewhere, or
 * addresses that a device of the embedder's needs. They come in any order and overlap neither each
 * other nor the machine's. A machine without a PCI host has VSDK_BOOT_NO_PCI set. Then it creates
 * every processor that does not exist yet, by the description's vcpu, and gives the first one the
 * guest's beginning. vsdk_vm_run starts it; a program that runs vCPUs itself finds them by
 * vsdk_pc_vcpu.
 *
 * When it fails guest memory may have been written in part, and some processors may exist; it may
 * be tried again.
 *
 *   config  What to load; memory and memory_count are added to the machine's memory map, rsdp is
 *           zero.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, a field has an unknown value or should be zero, or a
 *                     memory range is empty or wraps
 *   UNSUPPORTED       the configuration has a later version's field, or the backend has no such
 *                     processors
 *   FORMAT            as vsdk_boot_load
 *   RANGE             as vsdk_boot_load
 *   LIMIT             as vsdk_boot_load
 *   EXISTS            the embedder made one of its vCPUs itself, or a memory range overlaps another
 *                     one or the machine's
 *   STATE             the guest was started already, or called in a forked child
 *   NO_MEMORY         no memory, or the hypervisor has none
 *   BUSY              called from a callback
 *   GONE              the virtual machine was destroyed
 *   SYSTEM            the hypervisor refused
 * Threads: any; one at a time a machine. Blocks: briefly: asks the hypervisor. From callbacks: no:
 * VSDK_ERROR_BUSY. States: CREATED. Backends: all. Since 0.1.
 */
vsdk_status vsdk_pc_boot(vsdk_pc *pc, const vsdk_boot_config *config, vsdk_error *error);

/*
 * A processor of a machine.
 *
 *   index  From 0.
 *
 * Returns the vCPU, alive as long as the machine; NULL before vsdk_pc_boot or if there is no such
 * one (borrowed).
 * Given NULL: returns NULL.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_vcpu *vsdk_pc_vcpu(vsdk_pc *pc, uint32_t index);

/*
 * A device of a machine.
 *
 *   part  Which.
 *
 * Returns the device, alive as long as the machine; NULL if this machine has none (borrowed).
 * Given NULL: returns NULL.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_device *vsdk_pc_device(vsdk_pc *pc, vsdk_pc_part part);

/*
 * The memory map that a machine's guest is told.
 *
 *   ranges    (out, capacity elements) Filled; NULL with capacity 0 just asks for the number.
 *   capacity  (entries) Room in ranges.
 *   needed    (out, entries) How many there are.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  pc or needed is NULL, or ranges is NULL with a capacity
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_pc_get_memory_map(vsdk_pc *pc, vsdk_memory_range *ranges, uint32_t capacity,
                                   uint32_t *needed, vsdk_error *error);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* VSDK_MACHINE_H */
