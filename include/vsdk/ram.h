/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest memory.
 *
 * RAM belongs to a virtual machine: it is made for one, mapped at guest physical addresses of that
 * one, and its bytes are reached in this process through vsdk_ram_data. On Xen it is the domain's
 * own memory.
 *
 * Mapping, unmapping and protecting work until the guest has ended; in RUNNING they hold the vCPUs
 * themselves for that moment. Should the hypervisor not let the guest go on after it they fail with
 * VSDK_ERROR_SYSTEM although the change is made: a pause is requested then, as by
 * vsdk_vm_pause_request, and vsdk_vm_resume tries again. Addresses and sizes are multiples of 4096
 * bytes. RAM with a size of 2 MiB or more is mapped best at a guest address that is a multiple of 2
 * MiB, so that large pages serve it.
 *
 * A pointer must not be NULL unless it says that it may be. An error may always be NULL; it is
 * filled in when the call fails.
 *
 * Generated from abi/ram.toml by abi/generate.py.
 */

#ifndef VSDK_RAM_H
#define VSDK_RAM_H

#include <stddef.h>
#include <stdint.h>

#include <vsdk/types.h>
#include <vsdk/vm.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/* A block of guest memory. Counted; keeps its virtual machine's handle alive. Since 0.1. */
typedef struct vsdk_ram vsdk_ram;

/*
 * What backs a block of memory.
 *
 * Since 0.1.
 */
enum vsdk_ram_kind_values {
    VSDK_RAM_ANONYMOUS = 0, /* Fresh zeroed memory */
    VSDK_RAM_SHARED = 1,    /* Reserved: a memfd or file, shared */
    VSDK_RAM_PRIVATE = 2,   /* Reserved: a private copy of a file */
    VSDK_RAM_CALLER = 3,    /* Reserved: the caller's pages */
};
typedef uint32_t vsdk_ram_kind;

/*
 * How memory appears to the guest.
 *
 * Since 0.1.
 */
enum vsdk_map_flags_values {
    VSDK_MAP_READONLY = 0x1, /* Guest writes come as MMIO exits; the library's own writes by the
                                gate are refused */
};
typedef uint32_t vsdk_map_flags;

/*
 * How to make memory.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 32 bytes. Since 0.1.
 */
typedef struct vsdk_ram_config {
    uint32_t size;         /* sizeof(vsdk_ram_config) */
    uint32_t flags;        /* Zero */
    vsdk_ram_kind kind;    /* What backs it */
    uint32_t reserved;     /* Zero */
    uint64_t reserved2[2]; /* Zero */
} vsdk_ram_config;

/*
 * The name of a vsdk_ram_kind: anonymous, shared, private and so on.
 *
 *   value  Any value.
 *
 * Returns the name in lower case, unknown for a value without one (static).
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
const char *vsdk_ram_kind_name(vsdk_ram_kind value);

/*
 * Make memory for a virtual machine; it is not mapped yet.
 *
 *   bytes   (bytes) Size, a multiple of 4096, not 0.
 *   config  NULL for all defaults.
 *   ram     Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, the size is 0 or not a multiple of 4096, or a flag is
 *                     unknown
 *   UNSUPPORTED       this kind is not in this version, or the configuration has a later version's
 *                     field
 *   NO_MEMORY         the host has not so much address space
 *   GONE              the virtual machine was destroyed
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_ram_create(vsdk_vm *vm, uint64_t bytes, const vsdk_ram_config *config,
                            vsdk_ram **ram, vsdk_error *error);

/*
 * Drop a reference to memory.
 *
 * While it is mapped the virtual machine keeps it. The pointer from vsdk_ram_data is valid until
 * the last reference, the mapping's included, is gone.
 *
 *   ram  May be NULL.
 *
 * Given NULL: does nothing.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
void vsdk_ram_close(vsdk_ram *ram);

/*
 * Where the bytes are in this process.
 *
 * Stable until the last reference. Written without any check and seen by the guest at once; see the
 * gate (dma.h) for addresses that come from a guest.
 *
 *   data  (out) First byte.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_ram_data(vsdk_ram *ram, void **data, vsdk_error *error);

/*
 * Size in bytes.
 *
 * Returns bytes.
 * Given NULL: returns 0.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
uint64_t vsdk_ram_size(const vsdk_ram *ram);

/*
 * Show memory to the guest at an address.
 *
 * Contents are kept. Where VSDK_CAPABILITY_RAM_ALIAS is missing a byte of RAM can be at one guest
 * address at a time. Where a RUNNING guest does not go on after it, VSDK_ERROR_SYSTEM says so: the
 * change stands, the guest pauses, and vsdk_vm_resume tries again.
 *
 *   vm      The virtual machine that the memory was made for.
 *   gpa     Guest physical address, a multiple of 4096.
 *   ram     The memory. Kept alive while mapped.
 *   offset  (bytes) Offset into it, a multiple of 4096.
 *   length  (bytes) A multiple of 4096, not 0.
 *   flags   vsdk_map_flags.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, an address or length is not a multiple of 4096 or 0, an
 *                     unknown flag, or the memory belongs to another virtual machine
 *   RANGE             the range leaves the memory, wraps, or is above the guest's physical
 *                     addresses
 *   EXISTS            guest memory, a device or reserved addresses are there already, or the memory
 *                     is mapped elsewhere and the backend has no aliases
 *   LIMIT             memory_max would be exceeded, or no slot is left
 *   UNSUPPORTED       read-only memory, which this hypervisor lacks (VSDK_CAPABILITY_READONLY)
 *   STATE             the guest has ended
 *   NO_MEMORY         the hypervisor has no memory for it; how much is free is in the message
 *   GONE              the virtual machine was destroyed
 *   SYSTEM            the hypervisor refused, or did not let the guest go on after it
 * Threads: any. Blocks: until the vCPUs are held, when RUNNING. From callbacks: yes: the other
 * vCPUs are held. States: any but STOPPED. Backends: all. Since 0.1.
 * Source: Linux api.rst, KVM_SET_USER_MEMORY_REGION; xen/include/public/memory.h,
 * XENMEM_populate_physmap.
 */
vsdk_status vsdk_vm_map(vsdk_vm *vm, uint64_t gpa, vsdk_ram *ram, uint64_t offset, uint64_t length,
                        uint32_t flags, vsdk_error *error);

/*
 * Take memory away from the guest.
 *
 * The range is exactly one that was mapped. Contents are kept in the RAM object. Pins by
 * vsdk_dma_map stay valid pointers. A guest that does not go on after it: as vsdk_vm_map.
 *
 *   gpa     As mapped.
 *   length  (bytes) As mapped.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm is NULL
 *   NOT_FOUND         no such mapping
 *   STATE             the guest has ended
 *   GONE              the virtual machine was destroyed
 *   SYSTEM            the hypervisor refused, or did not let the guest go on after it
 * Threads: any. Blocks: until the vCPUs are held, when RUNNING. From callbacks: yes: the other
 * vCPUs are held. States: any but STOPPED. Backends: all. Since 0.1.
 */
vsdk_status vsdk_vm_unmap(vsdk_vm *vm, uint64_t gpa, uint64_t length, vsdk_error *error);

/*
 * Change how mapped memory appears to the guest.
 *
 * A guest that does not go on after it: as vsdk_vm_map.
 *
 *   gpa     As mapped.
 *   length  (bytes) As mapped.
 *   flags   vsdk_map_flags.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm is NULL or a flag is unknown
 *   NOT_FOUND         no such mapping
 *   UNSUPPORTED       read-only memory, which this hypervisor lacks (VSDK_CAPABILITY_READONLY)
 *   STATE             the guest has ended
 *   GONE              the virtual machine was destroyed
 *   SYSTEM            the hypervisor refused, or did not let the guest go on after it
 * Threads: any. Blocks: until the vCPUs are held, when RUNNING. From callbacks: yes: the other
 * vCPUs are held. States: any but STOPPED. Backends: all. Since 0.1.
 */
vsdk_status vsdk_vm_protect(vsdk_vm *vm, uint64_t gpa, uint64_t length, uint32_t flags,
                            vsdk_error *error);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* VSDK_RAM_H */
