/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtio: entropy.
 *
 * A virtio device that gives its guest random bytes: the host's, or those of a function of the
 * embedder's. It is attached by vsdk_virtio_attach, and has one queue.
 *
 * A pointer must not be NULL unless it says that it may be. An error may always be NULL; it is
 * filled in when the call fails.
 *
 * Generated from abi/virtio_rng.toml by abi/generate.py.
 */

#ifndef VSDK_VIRTIO_RNG_H
#define VSDK_VIRTIO_RNG_H

#include <stddef.h>
#include <stdint.h>

#include <vsdk/device.h>
#include <vsdk/loop.h>
#include <vsdk/types.h>
#include <vsdk/vm.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/*
 * Random bytes are wanted. Each byte is given to the guest once at most.
 *
 *   user    (may be NULL) The configuration's pointer.
 *   bytes   (out, length bytes) To be filled.
 *   length  (bytes) The most that is wanted now.
 *
 * Returns how many bytes were filled in, from the first on. 0: there are none now; it is asked
 * again after 10 ms.
 * Runs on: The thread that dispatches the device's loop.
 * May call: as vsdk_device_write_fn.
 * Since 0.1.
 */
typedef uint64_t (*vsdk_virtio_rng_fn)(void *user, void *bytes, uint64_t length);

/*
 * How to make an entropy device.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 72 bytes. Since 0.1.
 */
typedef struct vsdk_virtio_rng_config {
    uint32_t size;             /* sizeof(vsdk_virtio_rng_config) */
    uint32_t flags;            /* Zero */
    vsdk_virtio_rng_fn source; /* Where the bytes come from. NULL: the host's getrandom. */
    void *user;                /* (may be NULL) Given to it */
    vsdk_release_fn release;   /* (may be NULL) Called once with user when the device is gone, on
                                  failure too */
    uint64_t rate;             /* The most bytes a second, by the virtual machine's clock, up to
                                  2^40; 0 for no limit */
    uint64_t burst;            /* (bytes) With a rate: how many bytes may go at once after a time
                                  without any, up to 2^40; 0 for those of a second */
    vsdk_loop *loop;           /* Where it runs; NULL for the virtual machine's loop. Kept. */
    uint64_t reserved[2];      /* Zero */
} vsdk_virtio_rng_config;

/*
 * Make an entropy device; no guest sees it yet.
 *
 * A buffer of the guest's gets 1 to 1024 bytes; a driver that wants more asks again. When the rate
 * is used up the guest waits until there are bytes again. The state that is saved has what is left
 * of the rate, but none of the bytes.
 *
 *   config  NULL for all defaults.
 *   device  Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm or device is NULL, a flag is unknown, or rate or burst is too large
 *   UNSUPPORTED       the configuration has a later version's field
 *   LIMIT             no more descriptors
 *   NO_MEMORY         no memory
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 * Source: Virtio 1.2, section 5.4.
 */
vsdk_status vsdk_virtio_rng_create(vsdk_vm *vm, const vsdk_virtio_rng_config *config,
                                   vsdk_device **device, vsdk_error *error);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* VSDK_VIRTIO_RNG_H */
