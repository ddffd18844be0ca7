/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate: guest memory by guest address.
 *
 * The one way from a guest physical address to bytes. Addresses and lengths come from guests and
 * are not trusted: every function refuses a range that wraps, has a hole, or touches anything but
 * RAM, and, for writing, read-only RAM. DMA reaches RAM only, so a device cannot re-enter a device.
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
    VSDK_DMA_FROM_GUEST = 0x1, /* The library's side reads */
    VSDK_DMA_TO_GUEST = 0x2,   /* The library's side writes */
};
typedef uint32_t vsdk_dma_intent;

/*
 * A pinned piece of guest memory. Owned by the caller, who changes nothing in it.
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
    uint64_t reserved; /* Zero */
} vsdk_dma_view;

/*
 * Copy from guest memory.
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
 *   GONE              the virtual machine was destroyed
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_vm_read(vsdk_vm *vm, uint64_t gpa, void *buffer, uint64_t length,
                         vsdk_error *error);

/*
 * Copy to guest memory.
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
 *   GONE              the virtual machine was destroyed
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_vm_write(vsdk_vm *vm, uint64_t gpa, const void *buffer, uint64_t length,
                          vsdk_error *error);

/*
 * Pin guest memory and get a pointer to it.
 *
 * The range must lie in one mapping. Until vsdk_dma_unmap the pointer is valid; that does not mean
 * that the guest still sees those bytes, since the memory may be unmapped meanwhile. Pins outlive a
 * destroy.
 *
 *   gpa     Guest physical address.
 *   length  (bytes) Not 0.
 *   intent  vsdk_dma_intent, one or both.
 *   view    (inout) size set by the caller.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, size too small, the length 0 or the intent unknown
 *   RANGE             as vsdk_vm_read and vsdk_vm_write, or it spans two mappings
 *   GONE              the virtual machine was destroyed
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_dma_map(vsdk_vm *vm, uint64_t gpa, uint64_t length, uint32_t intent,
                         vsdk_dma_view *view, vsdk_error *error);

/*
 * End a pin.
 *
 * The view's fields become zero. A view that is zero is left alone.
 *
 *   view  (inout) From vsdk_dma_map, or NULL.
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
