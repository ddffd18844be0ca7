/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest memory.
 *
 * RAM belongs to a virtual machine: it is made for one, mapped at guest physical addresses of that
 * one, and its bytes are reached in this process through vsdk_ram_data. On Xen it is the domain's
 * own memory.
 *
 * Mapping, unmapping and protecting work until the guest has ended; in RUNNING they hold the vCPUs
 * themselves for that moment. Where the hypervisor does not let the guest go on after it the
 * virtual machine is STOPPED with VSDK_EXIT_INTERNAL_ERROR. Addresses and sizes are multiples of
 * 4096 bytes. RAM with a size of 2 MiB or more is mapped best at a guest address that is a multiple
 * of 2 MiB, so that large pages serve it.
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

/* A block of guest memory. Counted; keeps the memory of its virtual machine's handle. Since 0.1. */
typedef struct vsdk_ram vsdk_ram;

/*
 * What a block of memory is made of.
 *
 * Since 0.1.
 */
enum vsdk_ram_backing_values {
    VSDK_RAM_ANONYMOUS = 0, /* Fresh zeroed memory of this process, or of the domain on Xen.
                               Private. */
    VSDK_RAM_MEMFD = 1,     /* A memfd: the caller's with VSDK_RAM_DESCRIPTOR, else a fresh
                               zeroed one whose size can't be changed */
    VSDK_RAM_FILE = 2,      /* A regular file: descriptor with VSDK_RAM_DESCRIPTOR */
    VSDK_RAM_HUGE = 3,      /* Reserved: huge pages that the host keeps for the purpose */
    VSDK_RAM_CALLER = 4,    /* Pages of this process that the caller has mapped, at address */
};
typedef uint32_t vsdk_ram_backing;

/*
 * Who sees what is written to memory of a memfd or file. See VSDK_CAPABILITY_RAM_PRIVATE and
 * VSDK_CAPABILITY_RAM_SHARED.
 *
 * Since 0.1.
 */
enum vsdk_ram_sharing_values {
    VSDK_RAM_PRIVATE = 0, /* This block alone: it begins as the file is, and a page is copied
                             when it is first written. A page that nobody has written here shows
                             what others write to the file. */
    VSDK_RAM_SHARED = 1,  /* Everybody who maps the memfd or file */
};
typedef uint32_t vsdk_ram_sharing;

/*
 * Flags of vsdk_ram_config.
 *
 * Since 0.1.
 */
enum vsdk_ram_flags_values {
    VSDK_RAM_DESCRIPTOR = 0x1, /* descriptor and offset are valid */
    /*
     * Which pages are written is noted, for vsdk_ram_get_dirty. See VSDK_CAPABILITY_DIRTY. On KVM
     * the guest has no large pages in such memory, and its first write to a page after each harvest
     * leaves the guest for a moment.
     */
    VSDK_RAM_TRACKED = 0x2,
};
typedef uint32_t vsdk_ram_flags;

/*
 * Flags of vsdk_ram_get_dirty.
 *
 * Since 0.1.
 */
enum vsdk_dirty_flags_values {
    VSDK_DIRTY_PEEK = 0x1, /* The pages stay dirty */
};
typedef uint32_t vsdk_dirty_flags;

/*
 * A part of a memory object.
 *
 * 16 bytes. Since 0.1.
 */
typedef struct vsdk_ram_range {
    uint64_t offset; /* (bytes) First byte */
    uint64_t length; /* (bytes) How many */
} vsdk_ram_range;

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
 * How to make memory: what it is made of, and who shares it.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 48 bytes. Since 0.1.
 */
typedef struct vsdk_ram_config {
    uint32_t size;            /* sizeof(vsdk_ram_config) */
    uint32_t flags;           /* vsdk_ram_flags */
    vsdk_ram_backing backing; /* What it is made of */
    vsdk_ram_sharing sharing; /* For a memfd or file; VSDK_RAM_PRIVATE for the others */
    int32_t descriptor;       /* With VSDK_RAM_DESCRIPTOR: the memfd or file. Open for reading,
                                 and for writing too when it is shared. It is duplicated; the
                                 caller keeps its own. */
    uint32_t reserved;        /* Zero */
    uint64_t offset;          /* (bytes) With VSDK_RAM_DESCRIPTOR: where in the file the memory
                                 begins, a multiple of 4096 */
    /*
     * (may be NULL) For VSDK_RAM_CALLER: the first page, aligned to 4096. All of it is mapped for
     * reading and writing, and stays so until the last reference to the memory is gone. The library
     * changes nothing about the mapping.
     */
    void *address;
    uint64_t reserved2;       /* Zero */
} vsdk_ram_config;

/*
 * Take a reference more.
 *
 *   ram  Inout.
 *
 * Returns the same handle (new reference).
 * Given NULL: returns NULL.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_ram *vsdk_ram_ref(vsdk_ram *ram);

/*
 * The name of a vsdk_ram_backing: anonymous, memfd, file and so on.
 *
 *   value  Any value.
 *
 * Returns the name in lower case, unknown for a value without one (static).
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
const char *vsdk_ram_backing_name(vsdk_ram_backing value);

/*
 * The name of a vsdk_ram_sharing: private, shared.
 *
 *   value  Any value.
 *
 * Returns the name in lower case, unknown for a value without one (static).
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
const char *vsdk_ram_sharing_name(vsdk_ram_sharing value);

/*
 * Make memory for a virtual machine; it is not mapped yet.
 *
 * The file must be long enough at this moment. The library does not change its length. If somebody
 * makes it shorter afterwards, a touch of what was cut off raises SIGBUS in this process, also
 * inside the library, and fails a run with VSDK_ERROR_SYSTEM: seal a memfd with F_SEAL_SHRINK.
 *
 * Memory that this process has mapped does not go to a forked child. For VSDK_RAM_CALLER that is
 * the caller's to say.
 *
 *   bytes   (bytes) Size, a multiple of 4096, not 0.
 *   config  NULL for all defaults.
 *   ram     Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL; a size, offset or address is not a multiple of 4096; the
 *                     size is 0; a flag is unknown; the descriptor is missing, not open or no
 *                     regular file; fields contradict each other
 *   UNSUPPORTED       the backend has no such memory (VSDK_CAPABILITY_RAM_SHARED,
 *                     VSDK_CAPABILITY_RAM_PRIVATE, VSDK_CAPABILITY_RAM_CALLER,
 *                     VSDK_CAPABILITY_DIRTY), the backing is reserved or unknown, or the
 *                     configuration has a later version's field
 *   RANGE             the file is too short, or the caller's pages are not all mapped
 *   PERMISSION        the descriptor is not open for what the sharing needs, or a seal forbids it
 *   LIMIT             there are no more descriptors
 *   NO_MEMORY         the host has not so much address space, or no memory
 *   SYSTEM            the file can't be mapped
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
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
 *   ram  (may be NULL) The reference to drop.
 *
 * Given NULL: does nothing.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
void vsdk_ram_close(vsdk_ram *ram);

/*
 * Where the bytes are in this process.
 *
 * The same address until the last reference is gone. Written without any check and seen by the
 * guest at once: who writes here says so by vsdk_ram_mark_dirty where written pages are tracked.
 * See the gate (dma.h) for addresses that come from a guest. On Xen the view follows what the guest
 * does to its memory; a page that it gave away reads as zeros.
 *
 * Returns the first byte (borrowed).
 * Given NULL: returns NULL.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
void *vsdk_ram_data(vsdk_ram *ram);

/*
 * Say that bytes were written through vsdk_ram_data.
 *
 * For vsdk_ram_get_dirty: say it after the bytes were written. What the library writes itself, and
 * what pins for writing cover, it marks itself. Of memory without VSDK_RAM_TRACKED nothing is
 * noted, and this does nothing.
 *
 *   offset  (bytes) First byte.
 *   length  (bytes) How many; 0 does nothing.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  ram is NULL
 *   RANGE             the range leaves the memory
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_ram_mark_dirty(vsdk_ram *ram, uint64_t offset, uint64_t length, vsdk_error *error);

/*
 * Which pages were written, and forget it.
 *
 * Pages are dirty that the guest wrote, that the library wrote (vsdk_vm_write, vsdk_dma_write),
 * that vsdk_ram_mark_dirty named, and those of each pin for writing while it lives and once after
 * it ended. Memory begins clean, and stays dirty over an unmap, a pause and a reset. What others
 * write to a shared file is not seen.
 *
 * A harvest begins with the cursor 0. It first asks the hypervisor what the guest wrote, and then
 * tells dirty pages in rising order, neighbours as one range. When there is no room for the next
 * range the call returns with the cursor there, and the next call goes on. The harvest is over when
 * the cursor is the size of the memory:
 *
 *     uint64_t cursor = 0;
 *     do {
 *         vsdk_ram_get_dirty(ram, 0, &cursor, ranges, 64, &count, &error);
 *         ...
 *     } while (cursor < vsdk_ram_size(ram));
 *
 * A page that is told is clean afterwards, unless it is pinned or VSDK_DIRTY_PEEK says otherwise.
 * It becomes clean before the call returns: read its bytes after that, and a write that comes
 * meanwhile is told by this harvest or the next. In PAUSED the answer is exact, if no thread of the
 * program writes.
 *
 * Several threads may harvest at once; a page may be told to each of them, or to one.
 *
 * A call with the cursor 0 costs a request of the hypervisor for each mapping of the memory. Each
 * call looks at one bit a page from the cursor on, 64 at a time, and at what is pinned.
 *
 *   ram       The memory, made with VSDK_RAM_TRACKED.
 *   flags     How.
 *   cursor    (inout, bytes) Where to begin, a multiple of 4096; then where to go on. Kept on
 *             failure.
 *   ranges    (out, capacity elements) Filled: multiples of 4096.
 *   capacity  (entries) Room in ranges, not 0.
 *   count     (out, entries) How many were filled.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, capacity is 0, a flag is unknown, or the cursor is not a
 *                     multiple of 4096
 *   RANGE             the cursor is behind the memory
 *   STATE             the memory was made without VSDK_RAM_TRACKED, or called in a forked child
 *   GONE              the virtual machine was destroyed
 *   SYSTEM            the hypervisor refused
 * Threads: any. Blocks: briefly: asks the hypervisor. From callbacks: yes. States: any. Backends:
 * kvm, mock, mock-autonomous; see VSDK_CAPABILITY_DIRTY. Since 0.1.
 * Source: Linux api.rst, KVM_GET_DIRTY_LOG.
 */
vsdk_status vsdk_ram_get_dirty(vsdk_ram *ram, vsdk_dirty_flags flags, uint64_t *cursor,
                               vsdk_ram_range *ranges, uint32_t capacity, uint32_t *count,
                               vsdk_error *error);

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
 * address at a time.
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
 *   EXISTS            guest memory or a device is there already, or the memory is mapped elsewhere
 *                     and the backend has no aliases
 *   RESERVED          the hypervisor serves addresses of the range itself
 *   LIMIT             memory_max would be exceeded, or no slot is left
 *   UNSUPPORTED       read-only memory, which this hypervisor lacks (VSDK_CAPABILITY_READONLY)
 *   STATE             the guest has ended, or called in a forked child
 *   NO_MEMORY         the hypervisor has no memory for it; how much is free is in the message
 *   GONE              the virtual machine was destroyed
 *   SYSTEM            the hypervisor refused
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
 * vsdk_dma_map stay valid pointers.
 *
 *   gpa     As mapped.
 *   length  (bytes) As mapped.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm is NULL
 *   NOT_FOUND         no such mapping
 *   STATE             the guest has ended, or called in a forked child
 *   GONE              the virtual machine was destroyed
 *   SYSTEM            the hypervisor refused
 * Threads: any. Blocks: until the vCPUs are held, when RUNNING. From callbacks: yes: the other
 * vCPUs are held. States: any but STOPPED. Backends: all. Since 0.1.
 */
vsdk_status vsdk_vm_unmap(vsdk_vm *vm, uint64_t gpa, uint64_t length, vsdk_error *error);

/*
 * Change how mapped memory appears to the guest.
 *
 * Not to read-only while a device has a part of it pinned for writing.
 *
 *   gpa     As mapped.
 *   length  (bytes) As mapped.
 *   flags   vsdk_map_flags.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm is NULL or a flag is unknown
 *   NOT_FOUND         no such mapping
 *   BUSY              a part of it is pinned for writing
 *   UNSUPPORTED       read-only memory, which this hypervisor lacks (VSDK_CAPABILITY_READONLY)
 *   STATE             the guest has ended, or called in a forked child
 *   GONE              the virtual machine was destroyed
 *   SYSTEM            the hypervisor refused
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
