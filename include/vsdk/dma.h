/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate: guest memory by guest address.
 *
 * The one way from a guest physical address to bytes. Addresses and lengths come from guests and
 * are not trusted: every function refuses a range that wraps, has a hole, or touches anything but
 * RAM, and, for writing, read-only RAM. DMA reaches RAM only, so a device cannot re-enter a device.
 *
 * A device uses vsdk_dma_* with its own handle: they answer VSDK_ERROR_STATE while it is stopped.
 * An embedder uses vsdk_vm_read and vsdk_vm_write, in every state.
 *
 * A device copies guest data to a local, checks the copy and uses the copy: the guest may change
 * the original at any time. Reading and writing are not atomic.
 *
 * A pointer must not be NULL unless it says that it may be. An error may always be NULL; it is
 * filled in when the call fails.
 *
 * Generated from abi/dma.toml by abi/generate.py.
 */

#ifndef VSDK_DMA_H
#define VSDK_DMA_H

#include <stddef.h>
#include <stdint.h>

#include <vsdk/device.h>
#include <vsdk/ram.h>
#include <vsdk/types.h>
#include <vsdk/vm.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/*
 * What a pinned view will be used for.
 *
 * Since 0.1.
 */
enum vsdk_dma_intent_values {
    VSDK_DMA_FROM_GUEST = 0x1, /* The device reads what the guest has written */
    VSDK_DMA_TO_GUEST = 0x2,   /* The device writes what the guest will read */
};
typedef uint32_t vsdk_dma_intent;

/*
 * A pinned piece of guest memory. Owned by the caller, who changes nothing in it. Frozen: 48 bytes.
 *
 * The caller sets size to sizeof; the library fills in the rest. 48 bytes. Since 0.1.
 */
typedef struct vsdk_dma_view {
    uint32_t size;     /* sizeof(vsdk_dma_view), set by the caller */
    uint32_t flags;    /* The intent */
    void *data;        /* First byte */
    uint64_t length;   /* (bytes) How many */
    uint64_t gpa;      /* Where in the guest */
    void *pin;         /* The library's */
    uint64_t reserved; /* The library's */
} vsdk_dma_view;

/*
 * Copy from guest memory.
 *
 * All or nothing. For embedders; a device uses vsdk_dma_read.
 *
 *   gpa     Guest physical address.
 *   buffer  (out, length bytes) Filled.
 *   length  (bytes) 0 succeeds and does nothing.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL
 *   RANGE             the range wraps, has a hole or touches something that is not RAM
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_vm_read(vsdk_vm *vm, uint64_t gpa, void *buffer, uint64_t length,
                         vsdk_error *error);

/*
 * Copy to guest memory.
 *
 * All or nothing. For embedders; a device uses vsdk_dma_write.
 *
 *   gpa     Guest physical address.
 *   buffer  (length bytes) The bytes.
 *   length  (bytes) 0 succeeds and does nothing.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL
 *   RANGE             the range wraps, has a hole, is read-only or touches something that is not
 *                     RAM
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_vm_write(vsdk_vm *vm, uint64_t gpa, const void *buffer, uint64_t length,
                          vsdk_error *error);

/*
 * Whether a range could be read or written, without touching it.
 *
 * Reading a byte to learn that would make the host map a page for it.
 *
 *   gpa     Guest physical address.
 *   length  (bytes) 0 succeeds.
 *   intent  For what: one or both.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm is NULL or the intent unknown
 *   RANGE             as vsdk_vm_read and vsdk_vm_write
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_vm_probe(vsdk_vm *vm, uint64_t gpa, uint64_t length, vsdk_dma_intent intent,
                          vsdk_error *error);

/*
 * Copy from guest memory, as a device.
 *
 * All or nothing.
 *
 *   gpa     Guest physical address.
 *   buffer  (out, length bytes) Filled.
 *   length  (bytes) 0 succeeds and does nothing.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL
 *   RANGE             the range wraps, has a hole or touches something that is not RAM
 *   STATE             the device is stopped, or called in a forked child
 *   GONE              the virtual machine was destroyed
 * Threads: any. Blocks: no. From callbacks: yes. States: while the device is started. Backends:
 * all. Since 0.1.
 */
vsdk_status vsdk_dma_read(vsdk_device *device, uint64_t gpa, void *buffer, uint64_t length,
                          vsdk_error *error);

/*
 * Copy to guest memory, as a device.
 *
 * All or nothing.
 *
 *   gpa     Guest physical address.
 *   buffer  (length bytes) The bytes.
 *   length  (bytes) 0 succeeds and does nothing.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL
 *   RANGE             the range wraps, has a hole, is read-only or touches something that is not
 *                     RAM
 *   STATE             the device is stopped, or called in a forked child
 *   GONE              the virtual machine was destroyed
 * Threads: any. Blocks: no. From callbacks: yes. States: while the device is started. Backends:
 * all. Since 0.1.
 */
vsdk_status vsdk_dma_write(vsdk_device *device, uint64_t gpa, const void *buffer, uint64_t length,
                           vsdk_error *error);

/*
 * Pin guest memory and get a pointer to it.
 *
 * The range must lie in one mapping. Until vsdk_dma_unmap the pointer is valid; that does not mean
 * that the guest still sees those bytes, since the memory may be unmapped meanwhile. A pin for
 * writing keeps its mapping from becoming read-only. Pins outlive a destroy. A device that stops
 * ends its pins, or keeps them and touches them no more until it starts.
 *
 *   gpa     Guest physical address.
 *   length  (bytes) Not 0.
 *   intent  One or both.
 *   view    (inout) size set by the caller.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, size too small, the length 0 or the intent unknown
 *   RANGE             as vsdk_dma_read and vsdk_dma_write, or it spans two mappings
 *   STATE             the device is stopped, or called in a forked child
 *   GONE              the virtual machine was destroyed
 * Threads: any. Blocks: no. From callbacks: yes. States: while the device is started. Backends:
 * all. Since 0.1.
 */
vsdk_status vsdk_dma_map(vsdk_device *device, uint64_t gpa, uint64_t length, vsdk_dma_intent intent,
                         vsdk_dma_view *view, vsdk_error *error);

/*
 * End a pin.
 *
 * The view's fields become zero. A view that is zero is left alone. The end of a pin for writing
 * marks its pages as written.
 *
 *   view  (inout, may be NULL) From vsdk_dma_map.
 *
 * Given NULL: does nothing.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
void vsdk_dma_unmap(vsdk_dma_view *view);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* VSDK_DMA_H */
