/* SPDX-License-Identifier: Apache-2.0 */
/* The machine inside: what the files pc*.c share. Every address and interrupt number that two of
 * them need is here, once. */
#ifndef VSDK_MACHINE_PC_H
#define VSDK_MACHINE_PC_H

#include "base/refs.h"
#include "machine/acpi_tables.h"

#include <vsdk/machine.h>
#include <vsdk/ram.h>

enum {
    PC_PIT = 0x40,
    PC_KEYBOARD = 0x60,
    PC_RTC = 0x70,
    PC_POST = 0x80,
    PC_PORT92 = 0x92,
    PC_EXIT_PORT = 0xf4,
    PC_SERIAL = 0x3f8,
    PC_SERIAL_GSI = 4,
    PC_DEBUG_CONSOLE = 0x402,
    PC_PVPANIC = 0x505,
    PC_FW_CFG = 0x510,
    PC_SLEEP = 0x600, /* hardware-reduced: control, status, reset */
    PC_REDUCED_RESET = 0x602,
    PC_GED = 0x620, /* generic event device: events (reading clears them), eject (+4) */
    PC_GED_LENGTH = 8,
    PC_GED_GSI = 6, /* an edge */
    PC_PM = 0xb000, /* fixed hardware: events, control +4, timer +8, reset +0xc */
    PC_PM_RESET = 0xb00c,
    PC_SCI_GSI = 9,
    PC_VCPUS_MAX = 127,
    PC_IOAPIC_ID = 1,      /* odd: never a local APIC's */
    PC_EJECT = PC_GED + 4, /* the PCI host's */
    PC_RANGES = 6,
    PC_BLOCKS = 3, /* of RAM */
    PC_LINES = 24,
    PC_NODES_MAX = 32,
    PC_NODE_RESOURCES = 8,
    PC_CLAIMS_MAX = 256,
    PC_PARTS = VSDK_PC_PCI_HOST + 1,
};

#define PC_BDA UINT64_C(0x400)       /* BIOS data area */
#define PC_LOW_END UINT64_C(0xa0000) /* RAM 0 to here is told, */
#define PC_UPPER UINT64_C(0xc0000)   /* from here it is there in every machine */
#define PC_ACPI UINT64_C(0xe0000)    /* (tables) */
#define PC_RESET_STUB UINT64_C(0xffff0)
#define PC_MEGABYTE UINT64_C(0x100000)
#define PC_LOW_TOP UINT64_C(0xc0000000) /* to here, */
#define PC_HIGH UINT64_C(0x100000000)   /* and from here */
#define PC_PCI_WINDOW PC_LOW_TOP        /* with PCI: BARs */
#define PC_PCI_WINDOW_LENGTH UINT64_C(0x20000000)
#define PC_ECAM UINT64_C(0xe0000000)
#define PC_ECAM_LENGTH UINT64_C(0x100000)
#define PC_IOAPIC UINT64_C(0xfec00000)
#define PC_LOCAL_APIC UINT64_C(0xfee00000)
#define PC_HYPERVISOR UINT64_C(0xfeff8000) /* reserved on every backend */
#define PC_HYPERVISOR_LENGTH UINT64_C(0x8000)

struct vsdk_pc {
    refs refs;
    vsdk_vm *vm;
    vsdk_pc_config config; /* defaults filled in; its streams only while the machine is made */
    vsdk_vcpu_config vcpu_config;
    vsdk_ram_config ram_config;
    vsdk_vm_range *served; /* by the hypervisor */
    uint32_t served_count;
    vsdk_device *device[PC_PARTS];
    vsdk_device *absent; /* ports of what is not there */
    vsdk_vcpu *vcpu[PC_VCPUS_MAX];
    vsdk_memory_range map[PC_RANGES];
    uint32_t map_count;
    vsdk_pc_node *nodes; /* room for all, made with the first; their number is in config */
    vsdk_pc_resource *claims;
    uint32_t claim_count;
};

/* A piece of RAM: guest address, and where it is in the RAM object. */
typedef struct pc_block {
    uint64_t address, offset, length;
} pc_block;

static inline int pc_has_pci(const vsdk_pc *pc)
{
    return !!(pc->config.flags & VSDK_PC_PCI);
}

/* pc_state.c: STATE in a forked child; STATE also when the guest was started. */
vsdk_status pc_check_process(const vsdk_pc *pc, const char *operation, vsdk_error *error);
vsdk_status pc_check_created(const vsdk_pc *pc, const char *operation, vsdk_error *error);

/* pc_claim.c: whether a resource is one, and whether it is free; with `claims` also of those. */
vsdk_status pc_check_resource(const vsdk_pc *pc, const vsdk_pc_resource *resource,
                              const char *operation, vsdk_error *error);
vsdk_status pc_check_free(const vsdk_pc *pc, const vsdk_pc_resource *resource, int claims,
                          const char *operation, vsdk_error *error);

/* pc_node.c: the state has been checked. */
vsdk_status pc_add_node(vsdk_pc *pc, const vsdk_pc_node *node, const char *operation,
                        vsdk_error *error);

/* pc_memory.c: RAM, the memory map, tables and the reset stub in RAM. pc_describe_tables says what
 * the tables are made of. */
acpi_machine pc_describe_tables(const vsdk_pc *pc);
uint32_t pc_list_ram(const vsdk_pc *pc, pc_block blocks[PC_BLOCKS]);
vsdk_status pc_make_memory(vsdk_pc *pc, vsdk_error *error);
void pc_make_map(vsdk_pc *pc);
vsdk_status pc_write_firmware(vsdk_pc *pc, vsdk_error *error);

/* pc_devices.c */
vsdk_status pc_make_devices(vsdk_pc *pc, vsdk_error *error);

#endif
