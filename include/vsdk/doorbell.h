/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Doorbells.
 *
 * A doorbell turns a guest's write into a wake-up of a descriptor, without an exit to the embedder:
 * an ioeventfd on KVM, elsewhere written by the vCPU's thread. A handler in a loop works the same
 * on both. The value written is lost, the count of rings is kept.
 *
 * A pointer must not be NULL unless it says that it may be. An error may always be NULL; it is
 * filled in when the call fails.
 *
 * Generated from abi/doorbell.toml by abi/generate.py.
 */

#ifndef VSDK_DOORBELL_H
#define VSDK_DOORBELL_H

#include <stddef.h>
#include <stdint.h>

#include <vsdk/device.h>
#include <vsdk/exit.h>
#include <vsdk/types.h>
#include <vsdk/vm.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/*
 * A doorbell. Counted; closing the last reference takes it away. Keeps the memory of its virtual
 * machine's handle. Since 0.1.
 */
typedef struct vsdk_doorbell vsdk_doorbell;

/*
 * Flags of vsdk_doorbell_config.
 *
 * Since 0.1.
 */
enum vsdk_doorbell_flags_values {
    VSDK_DOORBELL_MATCH = 0x1, /* Only writes of the value match ring; others are accesses like
                                  any */
};
typedef uint32_t vsdk_doorbell_flags;

/*
 * Where a doorbell is.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 48 bytes. Since 0.1.
 */
typedef struct vsdk_doorbell_config {
    uint32_t size;       /* sizeof(vsdk_doorbell_config) */
    uint32_t flags;      /* vsdk_doorbell_flags */
    vsdk_space space;    /* Port or guest physical address */
    uint32_t width;      /* (bytes) 1, 2, 4 or 8; 0 for any width, without MATCH only */
    uint64_t address;    /* The address */
    uint64_t match;      /* With VSDK_DOORBELL_MATCH, the value */
    vsdk_device *device; /* (may be NULL) The device that it is part of, for messages. Its memory
                            is kept. */
    uint64_t reserved;   /* Zero */
} vsdk_doorbell_config;

/*
 * Take a reference more.
 *
 *   doorbell  Inout.
 *
 * Returns the same handle (new reference).
 * Given NULL: returns NULL.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_doorbell *vsdk_doorbell_ref(vsdk_doorbell *doorbell);

/*
 * Put a doorbell at an address.
 *
 * It may lie within a device's range or a tagged one, and takes matching writes before them.
 * Several with different matches may share an address.
 *
 *   config    Where.
 *   doorbell  Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, a width or flag is unknown, or the device is of another
 *                     virtual machine
 *   RANGE             it leaves the space
 *   EXISTS            guest memory is there, or a doorbell at this address that the same write
 *                     could ring: of the same width, or one of them of any, with the same match or
 *                     one of them without
 *   RESERVED          the hypervisor serves this address itself
 *   UNSUPPORTED       the configuration has a later version's field
 *   LIMIT             no more descriptors or doorbells
 *   NO_MEMORY         no memory
 *   GONE              the virtual machine was destroyed
 *   SYSTEM            the hypervisor refused
 *   STATE             called in a forked child
 * Threads: any. Blocks: briefly: until accesses and calls that are under way have passed. From
 * callbacks: yes. States: any. Backends: all; see VSDK_CAPABILITY_DOORBELL_KERNEL. Since 0.1.
 * Source: Linux api.rst, KVM_IOEVENTFD.
 */
vsdk_status vsdk_doorbell_create(vsdk_vm *vm, const vsdk_doorbell_config *config,
                                 vsdk_doorbell **doorbell, vsdk_error *error);

/*
 * Drop a reference; the last takes the doorbell away.
 *
 * That takes about 8 ms on KVM: not for a hot path.
 *
 *   doorbell  (may be NULL) The reference to drop.
 *
 * Given NULL: does nothing.
 * Threads: any. Blocks: briefly: until accesses and calls that are under way have passed. From
 * callbacks: yes. States: any. Backends: all. Since 0.1.
 */
void vsdk_doorbell_close(vsdk_doorbell *doorbell);

/*
 * The descriptor that is readable from a ring to the next vsdk_doorbell_take.
 *
 * Returns: a pollable descriptor, the doorbell's: neither read nor close it; -1 for NULL
 * (borrowed).
 * Given NULL: returns -1.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
int32_t vsdk_doorbell_descriptor(vsdk_doorbell *doorbell);

/*
 * How often it rang since the last take.
 *
 *   rings  (out) 0 if it did not.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_doorbell_take(vsdk_doorbell *doorbell, uint64_t *rings, vsdk_error *error);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* VSDK_DOORBELL_H */
